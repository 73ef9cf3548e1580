//! Reports: figures that add up, and an answer to "why?" at every moment of every story.

use crate::world::{Does, World, policy};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, EndpointSeen, Observation};
use patchflow_core::gate::{Class, Percent};
use patchflow_core::ids::CandidateId;
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::policy::{Approval, OnFailure, OnHalt, Policy, WaiverByName};
use patchflow_core::report::{
    History, PipelineStage, Share, StepState, Summary, TimelineKind, explain, summarize,
};
use patchflow_core::rollout::{Phase, RingState, RolloutState};
use std::borrow::Cow;
use std::collections::BTreeSet;

fn history(world: &World) -> History {
    History::read(&world.journal)
}

fn summary(world: &World) -> Summary {
    summarize(&world.fleet, &history(world))
}

/// Why, for one endpoint, as one sentence.
fn why(world: &World, endpoint: &str, candidate: CandidateId) -> String {
    let ix = world.fleet.endpoint_ix(endpoint).unwrap();
    explain(&world.fleet, ix, candidate).sentence()
}

/// Looks at every endpoint and candidate; notes the phases that were met.
fn everything_is_explained(world: &World, summary: &Summary, met: &mut BTreeSet<Phase>) {
    for endpoint in world.fleet.endpoints() {
        for candidate in world.fleet.candidates() {
            let id = candidate.identified().id();
            let explanation = explain(&world.fleet, endpoint.ix(), id);
            let deciding = explanation.deciding().expect("there is a step");
            assert!(!deciding.text.is_empty() && !deciding.text.contains('?'), "{explanation:?}");
            assert!(explanation.sentence().contains(endpoint.id().as_str()));
            // The stages come in their order, and after one that is not passed nothing comes.
            let stages: Vec<PipelineStage> = explanation.chain.iter().map(|step| step.stage).collect();
            assert!(stages.is_sorted(), "{explanation:?}");
            let before = &explanation.chain[..explanation.chain.len() - 1];
            assert!(before.iter().all(|step| step.state == StepState::Passed), "{explanation:?}");
            let outcome =
                summary.endpoints[endpoint.ix().index()].outcomes.iter().find(|o| o.candidate == id);
            if let Some(outcome) = outcome {
                assert_eq!(outcome.sentence, deciding.text);
                assert_eq!(
                    explanation.installed,
                    matches!(outcome.class, Some(Class::Verified | Class::Skipped))
                );
                met.extend(outcome.phase);
            }
        }
    }
}

/// The figures, counted again by hand.
fn figures_add_up(world: &World, summary: &Summary) {
    let Summary { kpis, candidates, rollouts, endpoints, .. } = summary;
    let outcomes: Vec<_> = endpoints.iter().flat_map(|endpoint| &endpoint.outcomes).collect();
    let of = |class| outcomes.iter().filter(|o| o.class == Some(class)).count() as u32;
    assert_eq!((kpis.counts.verified, kpis.counts.failed), (of(Class::Verified), of(Class::Failed)));
    assert_eq!(kpis.counts.members() + kpis.untouched, outcomes.len() as u32);
    let share = |sum: Share, next: Share| Share { part: sum.part + next.part, whole: sum.whole + next.whole };
    assert_eq!(kpis.compliance, candidates.iter().map(|c| c.compliance).fold(Share::default(), share));
    assert_eq!(kpis.success.part, of(Class::Verified));
    for (rollout, real) in rollouts.iter().zip(world.fleet.rollouts()) {
        let members: u32 = rollout.rings.iter().map(|ring| ring.counts.members()).sum();
        assert_eq!(members as usize, real.members().len());
    }
}

fn impatient() -> Policy {
    let mut policy = policy();
    policy.rollback.on_halt = OnHalt::Ring;
    policy.rollback.on_failure = OnFailure::RollBack;
    policy.rings.iter_mut().for_each(|ring| ring.gate.max_failure_percent = None);
    policy
        .rings
        .iter_mut()
        .for_each(|ring| ring.gate.min_success_percent = patchflow_core::gate::Percent::whole(0));
    policy
}

#[test]
fn every_moment_of_a_mixed_story_is_explained_and_adds_up() {
    let mut met = BTreeSet::new();
    let mut world = World::new(24, 2, impatient());
    everything_is_explained(&world, &summary(&world), &mut met);
    let candidate = world.publish(patch("openssl", "1.1"));
    while world.rollouts_of(candidate).len() < 2 {
        world.pass(40);
        everything_is_explained(&world, &summary(&world), &mut met);
    }
    let ill = world.ring(world.deployment_of(candidate), 3);
    let script = [
        Does::Fails(FailureKind::Network),
        Does::FailsFirst(1, FailureKind::Busy),
        Does::Lies,
        Does::Sickens,
        Does::GoesSilent,
        Does::Offline,
        Does::Fails(FailureKind::Denied),
    ];
    world.script.extend(ill.iter().cloned().zip(script));
    // Steps of changing length, so that no phase always falls between two looks.
    for secs in [7, 13, 19, 31, 47].into_iter().cycle().take(3000) {
        world.pass(secs);
        let summary = summary(&world);
        everything_is_explained(&world, &summary, &mut met);
        figures_add_up(&world, &summary);
        if world.fleet.rollouts().all(|rollout| rollout.is_at_rest()) {
            break;
        }
    }
    let wanted = [
        Phase::Waiting,
        Phase::Ordered,
        Phase::Running,
        Phase::Installed,
        Phase::Verified,
        Phase::Backoff,
        Phase::Silent,
        Phase::Reverting,
        Phase::RolledBack,
    ];
    assert!(wanted.iter().all(|phase| met.contains(phase)), "{met:?}");
    let told = why(&world, &ill[0], candidate);
    assert!(told.contains("after 3 attempts") && told.contains("network failure (scripted)"), "{told}");
    assert!(why(&world, &ill[3], candidate).contains("smoke test failed (HTTP 500 from /health)"));
    assert!(why(&world, &ill[2], candidate).contains("inventory shows another version"));
    assert!(why(&world, &ill[1], candidate).contains("verified at 1.1"));
    let failures = summary(&world).failures;
    let network = failures.iter().find(|failure| failure.kind == FailureKind::Network).unwrap();
    assert_eq!((network.times, network.endpoints.len(), network.recovered), (3, 1, 0));
    let busy = failures.iter().find(|failure| failure.kind == FailureKind::Busy).unwrap();
    assert_eq!((busy.times, busy.endpoints.as_slice(), busy.recovered), (1, &ill[1..2], 1));
    assert_eq!(summary(&world).kpis.retried, 1);
}

#[test]
fn before_the_rollout_the_open_stage_is_told() {
    let mut world = World::new(10, 2, policy());
    let mut security = patch("openssl", "1.1");
    security.severity = patchflow_core::catalog::Severity::High;
    let candidate = world.publish(security);
    assert!(why(&world, "prod-0", candidate).contains("in trial: 0 of 2 endpoints verified"));
    assert!(why(&world, "test-0", candidate).contains("in the trial"));
    world.pass(3600);
    assert!(why(&world, "prod-0", candidate).contains("waiting for 1 of role change-manager"));
    let ask = Command::Reject { candidate, reason: "not in December".into() };
    world.ask("ada", &["change-manager"], ask).unwrap();
    assert!(why(&world, "prod-0", candidate).contains("turned down by ada: not in December"));
    let summary = summary(&world);
    assert_eq!(summary.kpis.compliance, Share::default(), "what was turned down is not asked for");
    assert_eq!(summary.kpis.excepted, 10, "and is shown beside it");
    assert_eq!(summary.candidates[0].compliance, Share { part: 2, whole: 12 });
    assert_eq!(summary.candidates[0].decided.as_deref(), Some("turned down by ada: not in December"));
}

#[test]
fn a_failed_trial_is_told_to_those_who_wait_for_it() {
    let mut world = World::new(10, 2, policy());
    world.script.insert("test-0".into(), Does::Fails(FailureKind::Denied));
    world.script.insert("test-1".into(), Does::Fails(FailureKind::Denied));
    let candidate = world.publish(patch("openssl", "1.1"));
    world.pass(7200);
    let told = why(&world, "prod-0", candidate);
    assert!(told.contains("the trial failed: ") && told.contains("1 failed"), "{told}");
}

#[test]
fn a_ring_that_waits_names_the_one_before_and_a_halt_is_named_to_the_spared() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("openssl", "1.1"));
    while world.rollouts_of(candidate).len() < 2 {
        world.pass(60);
    }
    let rollout = world.deployment_of(candidate);
    let (pilot, broad) = (world.ring(rollout, 0), world.ring(rollout, 3));
    assert!(why(&world, &broad[0], candidate).contains("ring broad opens after ring pilot: "));
    world.script.extend(pilot.iter().map(|name| (name.clone(), Does::Sickens)));
    world.sick.extend(pilot.iter().cloned());
    world.pass(7200);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Halted);
    assert!(why(&world, &broad[0], candidate).contains("halted in ring pilot"));
    let summary = summary(&world);
    let halted = &summary.rollouts[1].rings[0];
    assert_eq!((halted.state, halted.rule.as_deref()), (RingState::Halted, Some("max_failure_percent")));
    assert!(
        summary
            .timeline
            .iter()
            .any(|entry| entry.kind == TimelineKind::Stopped && entry.text.contains("halted"))
    );
}

#[test]
fn who_is_not_there_and_what_is_not_known_is_said() {
    let mut world = World::new(4, 2, policy());
    let candidate = world.publish(patch("openssl", "1.1"));
    let nobody = patchflow_core::ids::EndpointIx(99);
    assert!(explain(&world.fleet, nobody, candidate).sentence().contains("there is no such endpoint"));
    let nothing = CandidateId(99);
    assert!(why(&world, "prod-0", nothing).contains("there is no such candidate"));
    let gone = world.fleet.endpoint_ix("prod-0").unwrap();
    world.see(patchflow_core::fleet::Observation::EndpointGone { endpoint: gone });
    assert!(why(&world, "prod-0", candidate).contains("has left the fleet"));
    assert!(summary(&world).endpoints.iter().all(|endpoint| endpoint.id != "prod-0"));
}

#[test]
fn times_to_patch_come_from_the_journal() {
    let mut world = World::new(10, 2, policy());
    let candidate = world.publish(patch("openssl", "1.1"));
    world.pass(24 * 3600);
    let summary = summary(&world);
    assert_eq!(summary.kpis.compliance, Share { part: 12, whole: 12 });
    let time = summary.kpis.time_to_patch.unwrap();
    // Trials are verified after about a minute; the last ring comes after the bakes of a trial and three rings.
    assert!(
        time.median_secs > 600 && time.p90_secs >= time.median_secs && time.p90_secs < 6 * 3600,
        "{time:?}"
    );
    assert_eq!(time.in_time, Share { part: 12, whole: 12 });
    let stages: Vec<_> = summary.candidates[candidate.index()].stages.iter().map(|span| span.stage).collect();
    use PipelineStage::{Approve, Deploy, Identify, Test};
    assert_eq!(stages, [Identify, Test, Approve, Deploy]);
    assert!(summary.candidates[0].stages.windows(2).all(|pair| pair[0].until == Some(pair[1].from)));
}

#[test]
fn a_history_may_be_read_in_pieces_and_twice() {
    let mut world = World::new(10, 2, policy());
    world.publish(patch("openssl", "1.1"));
    world.pass(24 * 3600);
    let whole = history(&world);
    let mut pieces = History::default();
    for piece in world.journal.chunks(7) {
        piece.iter().for_each(|fact| pieces.note(fact));
        piece.iter().for_each(|fact| pieces.note(fact));
    }
    assert_eq!((pieces.seq(), pieces.at()), (whole.seq(), whole.at()));
    assert_eq!(pieces.timeline(), whole.timeline());
    assert_eq!(summarize(&world.fleet, &pieces), summarize(&world.fleet, &whole));
    // Without a history the state is told all the same; only times and reasons are missing.
    let bare = summarize(&world.fleet, &History::default());
    assert_eq!(bare.kpis.compliance, Share { part: 12, whole: 12 });
    assert_eq!((bare.kpis.time_to_patch, bare.timeline.len()), (None, 0));
}

#[test]
fn what_is_unknown_stale_or_waits_for_a_reboot_is_not_compliant_and_stays_in_the_whole() {
    let mut policy = policy();
    policy.trial.required_for.clear();
    policy.approval[0].approval = Approval::Automatic { requires_trial: false, delay_secs: 0 };
    policy.single_ring = Some(WaiverByName { by: "root".into(), reason: "a test".into() });
    policy.rings.drain(..3);
    let gate = &mut policy.rings[0].gate;
    (gate.max_failure_percent, gate.min_success_percent) = (None, Percent::whole(0));
    let mut world = World::new(6, 0, policy);
    world.script.insert("prod-0".into(), Does::GoesSilent);
    world.script.insert("prod-1".into(), Does::WantsReboot);
    world.script.insert("prod-2".into(), Does::Fails(FailureKind::Denied));
    let candidate = world.publish(patch("openssl", "1.1"));
    world.pass(50);
    // It is not rebooted: its calendar never opens.
    let there = EndpointSeen {
        scope: ScopePath("acme".into()),
        calendar: Some("nobody has it".into()),
        ..EndpointSeen::new("prod-1", Environment::Production)
    };
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![there]) });
    world.pass(4 * 3600);
    let stale = world.fleet.endpoint_ix("prod-3").unwrap();
    world.unread.insert("prod-3".into());
    world.see(Observation::Stale { endpoints: Cow::Owned(vec![stale]) });
    let rollout = world.deployment_of(candidate);
    let phases = ["prod-0", "prod-1", "prod-2", "prod-3"].map(|name| world.phase(rollout, name));
    assert_eq!(phases, [Phase::Silent, Phase::RebootPending, Phase::Failed, Phase::Verified]);
    let early = summary(&world).kpis;
    assert_eq!((early.compliance, early.stale), (Share { part: 2, whole: 6 }, 1));
    assert_eq!(early.time_to_patch.unwrap().in_time, Share { part: 3, whole: 3 });
    world.pass(8 * 24 * 3600);
    let late = summary(&world).kpis;
    assert_eq!(late.compliance, Share { part: 2, whole: 6 });
    assert_eq!(
        late.time_to_patch.unwrap().in_time,
        Share { part: 3, whole: 6 },
        "three are late and still open"
    );
}

#[test]
fn time_to_patch_is_told_from_both_clocks() {
    let mut world = World::new(10, 2, policy());
    let before = |secs: i64| patchflow_core::time::Timestamp::from_secs(world.now.as_secs() - secs);
    let mut update = patch("openssl", "1.1");
    (update.disclosed, update.released) = (Some(before(9 * 86_400)), Some(before(8 * 86_400)));
    world.publish(update);
    world.pass(12 * 3600);
    let kpis = summary(&world).kpis;
    let (patched, exposed) = (kpis.time_to_patch.unwrap(), kpis.time_exposed.unwrap());
    // Each endpoint's clocks start on the day it was first seen to need it, not before.
    assert_eq!((patched.median_secs, patched.in_time), (exposed.median_secs, exposed.in_time));
    assert_eq!(patched.in_time, Share { part: 12, whole: 12 }, "due seven days from that day");
    assert!(patched.median_secs < 12 * 3600);
}
