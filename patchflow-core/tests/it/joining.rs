//! Who joins a rollout after its plan was made, and who is brought along after its last ring (semantics S5).

use crate::world::{Does, World, policy, start};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, EndpointSeen, Fact, Fleet, NeedSeen, Observation, RichFact, Standing};
use patchflow_core::gate::Counts;
use patchflow_core::ids::{CandidateId, RolloutId};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::{RollbackPath, RolloutDraft};
use patchflow_core::policy::{Approval, Policy, Selector, StartMode};
use patchflow_core::rollout::{Phase, RingState, Rollout, RolloutState};
use std::borrow::Cow;
use std::sync::Arc;

/// No trial, approved at once.
fn at_once() -> Policy {
    let mut policy = policy();
    policy.trial.required_for.clear();
    policy.approval[0].approval = Approval::Automatic { requires_trial: false, delay_secs: 0 };
    policy
}

/// An endpoint that was not there before, and needs the candidate.
pub(crate) fn comes(world: &mut World, name: &str, candidate: CandidateId) {
    comes_as(world, name, candidate, Environment::Production, "acme");
}

fn comes_as(world: &mut World, name: &str, candidate: CandidateId, environment: Environment, scope: &str) {
    let seen = EndpointSeen { scope: ScopePath(scope.into()), ..EndpointSeen::new(name, environment) };
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![seen]) });
    needs(world, name, candidate, Standing::Needs, "0.9");
}

fn needs(world: &mut World, name: &str, candidate: CandidateId, standing: Standing, present: &str) {
    let endpoint = world.fleet.endpoint_ix(name).unwrap();
    let need = NeedSeen {
        endpoint,
        standing,
        present: Some(Arc::from(present)),
        path: RollbackPath::Reinstall,
        path_valid_until: None,
        why: None,
    };
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need]) });
}

fn of(world: &World, rollout: RolloutId) -> &Rollout {
    world.fleet.rollout(rollout).unwrap()
}

fn ring_of(world: &World, rollout: RolloutId, name: &str) -> Option<u8> {
    let rollout = of(world, rollout);
    let member = rollout.member_of(world.fleet.endpoint_ix(name)?)?;
    Some(rollout.members()[member.index()].ring())
}

/// What was recorded gives the same fleet again, by replay and from a baseline.
fn replays(world: &World) {
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
    let resumed = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    assert_eq!(resumed.baseline(), world.fleet.baseline());
}

#[test]
fn a_newcomer_joins_the_last_ring_of_a_running_rollout_and_no_other() {
    let mut world = World::new(40, 0, at_once());
    let candidate = world.publish(patch("webd", "1.1"));
    let rollout = world.deployment_of(candidate);
    let sizes =
        |world: &World| of(world, rollout).rings().iter().map(|r| r.range().len()).collect::<Vec<_>>();
    assert_eq!(sizes(&world), [2, 8, 10, 20]);
    comes(&mut world, "late", candidate);
    assert_eq!(sizes(&world), [2, 8, 10, 21]);
    assert_eq!(ring_of(&world, rollout, "late"), Some(3));
    let member = of(&world, rollout).member_of(world.fleet.endpoint_ix("late").unwrap()).unwrap();
    let member = of(&world, rollout).members()[member.index()];
    assert_eq!(
        of(&world, rollout).prior_version(&member).unwrap().as_ref(),
        "0.9",
        "a version the plan had not"
    );
    // A test endpoint, or one that does not need it, does not.
    comes_as(&mut world, "lab", candidate, Environment::NonProduction, "acme");
    let seen =
        EndpointSeen { scope: ScopePath("acme".into()), ..EndpointSeen::new("fit", Environment::Production) };
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![seen]) });
    needs(&mut world, "fit", candidate, Standing::Has, "1.1");
    assert_eq!(sizes(&world), [2, 8, 10, 21]);
    // Until what kept them out changes.
    needs(&mut world, "fit", candidate, Standing::Needs, "1.0");
    let seen =
        EndpointSeen { scope: ScopePath("acme".into()), ..EndpointSeen::new("lab", Environment::Production) };
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![seen]) });
    assert_eq!(sizes(&world), [2, 8, 10, 23]);
    world.pass(4000);
    assert_eq!(of(&world, rollout).state(), RolloutState::Completed);
    assert_eq!(of(&world, rollout).rings()[3].counts(), Counts { verified: 23, ..Counts::default() });
    replays(&world);
}

#[test]
fn whoever_joins_the_last_ring_while_it_bakes_makes_it_settle_and_bake_anew() {
    let mut world = World::new(40, 0, at_once());
    let candidate = world.publish(patch("webd", "1.1"));
    let rollout = world.deployment_of(candidate);
    while of(&world, rollout).rings()[3].state() != RingState::Settled {
        world.pass(10);
    }
    let settled = of(&world, rollout).rings()[3].settled_at().unwrap();
    world.pass(500);
    comes(&mut world, "late", candidate);
    assert_eq!(of(&world, rollout).rings()[3].state(), RingState::Open);
    world.pass(200);
    assert_eq!(of(&world, rollout).state(), RolloutState::Running, "600 s after the first settling");
    let again = of(&world, rollout).rings()[3].settled_at().unwrap();
    assert!(again > settled.plus_secs(500));
    world.pass(600);
    assert_eq!(of(&world, rollout).state(), RolloutState::Completed);
    assert_eq!(world.phase(rollout, "late"), Phase::Verified);
}

#[test]
fn nobody_joins_a_paused_halted_or_cancelled_rollout_and_who_waits_joins_when_it_goes_on() {
    let mut world = World::new(40, 0, at_once());
    let candidate = world.publish(patch("webd", "1.1"));
    let rollout = world.deployment_of(candidate);
    let reason = || String::from("so");
    world.ask("ada", &[], Command::Pause { rollout }).unwrap();
    comes(&mut world, "one", candidate);
    comes(&mut world, "two", candidate);
    assert_eq!(ring_of(&world, rollout, "one"), None);
    // Whoever leaves meanwhile does not join.
    let endpoint = world.fleet.endpoint_ix("two").unwrap();
    world.see(Observation::EndpointGone { endpoint });
    world.ask("ada", &[], Command::Resume { rollout }).unwrap();
    assert_eq!((ring_of(&world, rollout, "one"), ring_of(&world, rollout, "two")), (Some(3), None));
    world.ask("ada", &[], Command::Halt { rollout, reason: reason() }).unwrap();
    comes(&mut world, "three", candidate);
    assert_eq!(ring_of(&world, rollout, "three"), None);
    // A crash in between forgets nobody.
    let resumed = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    world.fleet = resumed;
    world.ask("ada", &[], Command::LiftHalt { rollout, reason: reason() }).unwrap();
    assert_eq!(ring_of(&world, rollout, "three"), Some(3));
    world.ask("ada", &[], Command::Cancel { rollout, reason: reason() }).unwrap();
    comes(&mut world, "four", candidate);
    world.pass(4000);
    assert_eq!(of(&world, rollout).state(), RolloutState::Ended);
    assert_eq!(ring_of(&world, rollout, "four"), None);
    replays(&world);
}

#[test]
fn only_whom_the_draft_means_joins() {
    let mut policy = at_once();
    policy.deploy.start = StartMode::OnRequest;
    let mut world = World::new(40, 0, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    let select = Selector::Scope { within: ScopePath("acme".into()) };
    world
        .ask(
            "ada",
            &[],
            Command::Start {
                draft: RolloutDraft { select, ..patchflow_core::plan::RolloutDraft::of(candidate) },
            },
        )
        .unwrap();
    let rollout = world.deployment_of(candidate);
    comes_as(&mut world, "ours", candidate, Environment::Production, "acme/berlin");
    comes_as(&mut world, "theirs", candidate, Environment::Production, "other");
    assert_eq!((ring_of(&world, rollout, "ours"), ring_of(&world, rollout, "theirs")), (Some(3), None));
    // It moves house, and is meant now.
    let scope = ScopePath("acme/bonn".into());
    let seen = EndpointSeen { scope, ..EndpointSeen::new("theirs", Environment::Production) };
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![seen]) });
    assert_eq!(ring_of(&world, rollout, "theirs"), Some(3));
}

#[test]
fn whoever_left_and_is_back_is_a_newcomer_and_whom_a_person_took_out_stays_out() {
    let mut world = World::new(40, 0, at_once());
    let candidate = world.publish(patch("webd", "1.1"));
    let rollout = world.deployment_of(candidate);
    let [left, out] = [world.ring(rollout, 2)[0].clone(), world.ring(rollout, 2)[1].clone()];
    let endpoint = world.fleet.endpoint_ix(&left).unwrap();
    world.see(Observation::EndpointGone { endpoint });
    world.ask("ada", &[], Command::Remove { rollout, endpoint: out.as_str().into() }).unwrap();
    assert_eq!(of(&world, rollout).rings()[2].counts().removed, 2);
    for name in [&left, &out] {
        comes(&mut world, name, candidate);
    }
    assert_eq!(ring_of(&world, rollout, &left), Some(3), "it is back, in the last ring");
    assert_eq!(world.phase(rollout, &out), Phase::Removed);
    replays(&world);
    // A crash changes neither.
    world.fleet = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    world.pass(4000);
    assert_eq!(world.phase(rollout, &left), Phase::Verified);
    assert_eq!(world.phase(rollout, &out), Phase::Removed);
    assert_eq!(of(&world, rollout).rings()[2].counts().removed, 2, "what was judged stays as it was judged");
    assert_eq!(of(&world, rollout).counts().members(), 41);
    replays(&world);
}

/// Rolled out to everybody but two who are away, and one who comes afterwards.
fn late(policy: Policy) -> (World, CandidateId, RolloutId, [String; 2]) {
    let mut world = World::new(40, 0, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    let rollout = world.deployment_of(candidate);
    let away = [world.ring(rollout, 1)[0].clone(), world.ring(rollout, 2)[0].clone()];
    for name in &away {
        world.script.insert(name.clone(), Does::Offline);
    }
    world.pass(20_000);
    assert_eq!(of(&world, rollout).state(), RolloutState::Completed);
    comes(&mut world, "late", candidate);
    (world, candidate, rollout, away)
}

fn away_for_an_hour() -> Policy {
    let mut policy = at_once();
    policy.deploy.start_within_secs = 3600;
    policy
}

#[test]
fn after_completion_the_same_plan_is_brought_to_newcomers_and_to_the_deferred() {
    let (mut world, _, rollout, away) = late(away_for_an_hour());
    let judged: Vec<_> = of(&world, rollout).rings()[..4].iter().map(|r| r.verdict().cloned()).collect();
    for name in &away {
        world.script.remove(name);
    }
    world.pass(7200);
    let after = of(&world, rollout);
    let names: Vec<_> = after.rings().iter().map(|ring| ring.name()).collect();
    assert_eq!(names, ["pilot", "early", "half", "broad", "catch-up"]);
    assert_eq!(after.rings()[4].state(), RingState::CatchUp);
    assert_eq!(after.rings()[4].counts(), Counts { verified: 1, ..Counts::default() });
    assert_eq!(world.phase(rollout, "late"), Phase::Verified);
    for name in &away {
        assert_eq!(world.phase(rollout, name), Phase::Verified);
    }
    assert_eq!(
        after.rings()[1].counts(),
        Counts { verified: 8, ..Counts::default() },
        "its deferred is verified"
    );
    let verdicts: Vec<_> = after.rings()[..4].iter().map(|r| r.verdict().cloned()).collect();
    assert_eq!(verdicts, judged, "what was judged stays as it was judged");
    assert!(after.is_at_rest());
    replays(&world);
}

#[test]
fn catch_up_is_the_policys_word() {
    let mut policy = away_for_an_hour();
    (policy.catch_up.newcomers, policy.catch_up.deferred) = (false, false);
    let (mut world, _, rollout, away) = late(policy);
    for name in &away {
        world.script.remove(name);
    }
    world.pass(7200);
    assert_eq!(ring_of(&world, rollout, "late"), None);
    assert_eq!(world.phase(rollout, &away[0]), Phase::Deferred);
}

#[test]
fn catch_up_lasts_as_long_as_the_approval() {
    let reason = || String::from("harm");
    let mut policy = away_for_an_hour();
    // The next one waits for a person.
    policy.otherwise.role = "boss".into();
    let (mut world, candidate, rollout, away) = late(policy);
    assert_eq!(world.phase(rollout, "late"), Phase::Ordered);
    world.ask("ada", &[], Command::Revoke { candidate, reason: reason() }).unwrap();
    assert!(of(&world, rollout).catch_up_stopped().is_some());
    comes(&mut world, "later", candidate);
    let before = world.orders.len();
    world.pass(20_000);
    assert_eq!(world.orders.len(), before, "no new orders");
    assert_eq!(ring_of(&world, rollout, "later"), None);
    assert_eq!(world.phase(rollout, &away[0]), Phase::Cancelled, "recalled, and not started any more");
    assert_eq!(world.phase(rollout, "late"), Phase::Verified, "what had begun ran to its end");
    assert!(of(&world, rollout).is_at_rest());
    replays(&world);
}

#[test]
fn catch_up_waits_while_the_approval_has_expired_and_goes_on_when_it_is_given_again() {
    let mut policy = away_for_an_hour();
    policy.otherwise.expires_secs = 86_400;
    policy.approval.clear();
    let mut world = World::new(40, 0, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    let approve = Command::Approve { candidate, reason: "fine".into() };
    world.ask("ada", &["change-manager"], approve.clone()).unwrap();
    let rollout = world.deployment_of(candidate);
    world.pass(86_400);
    comes(&mut world, "late", candidate);
    world.pass(3600);
    assert_eq!(ring_of(&world, rollout, "late"), None, "there is no approval");
    world.fleet = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    world.ask("ada", &["change-manager"], approve).unwrap();
    world.pass(3600);
    assert_eq!(world.phase(rollout, "late"), Phase::Verified);
}

#[test]
fn too_many_failures_stop_the_catch_up() {
    let mut policy = at_once();
    policy.catch_up.max_failures = 1;
    let mut world = World::new(10, 0, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    let rollout = world.deployment_of(candidate);
    world.pass(20_000);
    for i in 0..4 {
        let name = format!("late-{i}");
        world.script.insert(name.clone(), Does::Fails(FailureKind::ScriptFailed));
        comes(&mut world, &name, candidate);
        world.pass(3600);
        let stopped = of(&world, rollout).catch_up_stopped();
        assert_eq!(stopped.is_some(), i >= 1, "{i}: {stopped:?}");
    }
    let reason = "2 endpoints failed after the rollout had completed, more than the 1 allowed";
    assert_eq!(of(&world, rollout).catch_up_stopped().unwrap().reason, reason);
    assert!(world.notices.iter().any(|notice| notice.contains(reason)));
    assert_eq!(ring_of(&world, rollout, "late-2"), None);
    assert_eq!(of(&world, rollout).rings()[4].counts().failed, 2, "visible");
    replays(&world);
}

#[test]
fn a_failure_in_catch_up_is_tried_again_and_rolled_back_as_the_policy_says() {
    let mut policy = at_once();
    policy.rollback.on_failure = patchflow_core::policy::OnFailure::RollBack;
    let mut world = World::new(10, 0, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    let rollout = world.deployment_of(candidate);
    world.pass(20_000);
    world.script.insert("flaky".into(), Does::FailsFirst(2, FailureKind::Busy));
    world.script.insert("sick".into(), Does::Sickens);
    comes(&mut world, "flaky", candidate);
    comes(&mut world, "sick", candidate);
    world.pass(7200);
    assert_eq!(world.phase(rollout, "flaky"), Phase::Verified);
    assert_eq!(world.phase(rollout, "sick"), Phase::RolledBack);
    assert_eq!(of(&world, rollout).catch_up_failures(), 1);
}

#[test]
fn a_later_rollout_takes_over_whom_it_means() {
    let mut policy = away_for_an_hour();
    policy.deploy.start = StartMode::OnRequest;
    let mut world = World::new(40, 0, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    let begin = |world: &mut World| {
        let draft = RolloutDraft::of(candidate);
        world.ask("ada", &[], Command::Start { draft }).unwrap();
        world.deployment_of(candidate)
    };
    let first = begin(&mut world);
    let away: Vec<_> = world.ring(first, 3)[..10].to_vec();
    for name in &away {
        world.script.insert(name.clone(), Does::Offline);
    }
    world.pass(20_000);
    assert_eq!(of(&world, first).state(), RolloutState::Completed);
    let second = begin(&mut world);
    comes(&mut world, "late", candidate);
    assert_eq!((ring_of(&world, first, "late"), ring_of(&world, second, "late")), (None, Some(3)));
    for name in &away {
        world.script.remove(name);
    }
    world.pass(40_000);
    for name in &away {
        let phases = [first, second].map(|rollout| world.phase(rollout, name));
        assert!(
            matches!(phases, [Phase::Cancelled | Phase::Verified, Phase::Verified | Phase::Skipped]),
            "{name}: {phases:?}"
        );
        assert_ne!(phases, [Phase::Cancelled, Phase::Skipped], "{name}");
    }
    replays(&world);
}

#[test]
fn one_fact_holds_all_who_come_together() {
    let mut world = World::new(4, 0, at_once());
    let candidate = world.publish(patch("webd", "1.1"));
    let names: Vec<_> = (0..300).map(|i| format!("late-{i}")).collect();
    let seen = names.iter().map(|name| EndpointSeen::new(name.as_str(), Environment::Production));
    world.see(Observation::Endpoints { endpoints: seen.collect() });
    let needs = names.iter().map(|name| NeedSeen {
        endpoint: world.fleet.endpoint_ix(name).unwrap(),
        standing: Standing::Needs,
        present: Some(Arc::from("1.0")),
        path: RollbackPath::Reinstall,
        path_valid_until: None,
        why: None,
    });
    let needs: Vec<_> = needs.collect();
    world.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
    let joined = |r: &&patchflow_core::fleet::Recorded| matches!(&r.fact, Fact::Rich(f) if matches!(**f, RichFact::MembersJoined { .. }));
    assert_eq!(world.journal.iter().filter(joined).count(), 1);
    assert_eq!(of(&world, world.deployment_of(candidate)).members().len(), 304);
    assert!(world.now == start());
}
