//! Content is staged and hashed before the window, within bounds of its own; not staged is not started (semantics S4).

use crate::world::{Does, World, one_ring, start};
use patchflow_core::digest::Digest;
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{
    Command, ContentView, Effect, EndpointSeen, Fact, Fleet, MissedBecause, Observation, RichFact,
};
use patchflow_core::ids::{CandidateId, RolloutId};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::{Placement, PlanRevision};
use patchflow_core::policy::{Amount, Policy, RingPolicy, ScopeBudget, StagingPolicy, StartsMax};
use patchflow_core::report::{StagingBundle, explain, staging_bundle};
use patchflow_core::rollout::{Event, Phase, RolloutState, StageOutcome};
use patchflow_core::schedule::{Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;

const HOUR: u64 = 3600;

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// One ring, approved by a rule at once, and content wanted there before.
fn staged() -> Policy {
    let mut policy = one_ring();
    policy.staging = StagingPolicy { required: true, ..StagingPolicy::default() };
    policy
}

/// The same with a window from Sunday 22:00 to 23:00, and one on Monday; the story begins on Saturday at 08:00.
fn windowed() -> Policy {
    let windows = [Weekday::Sunday, Weekday::Monday].map(|day| WeeklyWindow {
        day,
        opens_minute: 22 * 60,
        open_minutes: 60,
    });
    let mut policy = staged();
    policy.staging.lead_secs = 6 * HOUR as u32;
    policy.schedule = Schedule::Weekly { windows: windows.into(), freezes: vec![] };
    policy
}

fn world(n: u32, policy: Policy, does: &[(&str, Does)]) -> (World, CandidateId, RolloutId) {
    let mut world = World::new(n, 0, policy);
    world.script.extend(does.iter().map(|(name, does)| ((*name).to_owned(), does.clone())));
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let rollout = world.deployment_of(candidate);
    (world, candidate, rollout)
}

fn events(world: &World, wanted: Event) -> Vec<Timestamp> {
    let of = |fact: &Fact| matches!(fact, Fact::Endpoint(fact) if fact.event == wanted);
    world.journal.iter().filter(|recorded| of(&recorded.fact)).map(|recorded| recorded.at).collect()
}

fn told(world: &World, candidate: CandidateId, endpoint: &str) -> String {
    let ix = world.fleet.endpoint_ix(endpoint).unwrap();
    explain(&world.fleet, ix, candidate).chain.last().unwrap().text.clone()
}

fn content(world: &World, rollout: RolloutId, endpoint: &str) -> Option<ContentView> {
    let ix = world.fleet.endpoint_ix(endpoint).unwrap();
    world.fleet.content(rollout, world.fleet.rollout(rollout).unwrap().member_of(ix).unwrap())
}

#[test]
fn nothing_is_ordered_before_its_content_is_there() {
    let (mut world, candidate, rollout) = world(3, staged(), &[("stage:prod-1", Does::GoesSilent)]);
    assert_eq!((world.stages.len(), world.orders.len()), (3, 0), "no window is waited for: at once");
    assert!(told(&world, candidate, "prod-0").contains("it is being staged, until 2026-11-21T10:00:00.000Z"));
    world.pass(59);
    assert_eq!(world.orders.len(), 0);
    world.pass(HOUR);
    assert_eq!([world.installs_of("prod-0"), world.installs_of("prod-1")], [1, 0]);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Waiting);
}

#[test]
fn content_is_staged_its_lead_before_the_window() {
    let (mut world, candidate, rollout) = world(3, windowed(), &[]);
    assert_eq!(world.stages, []);
    let text = told(&world, candidate, "prod-0");
    assert!(
        text.contains("content is not on the endpoint: it is staged from 2026-11-22T16:00:00.000Z"),
        "{text}"
    );
    world.pass(33 * HOUR);
    let asked: Vec<_> = world.stages.iter().map(|(at, _)| *at).collect();
    assert_eq!(asked, [t("2026-11-22T16:00:00Z"); 3], "six hours before Sunday 22:00");
    assert_eq!(world.orders.len(), 0);
    assert!(matches!(content(&world, rollout, "prod-0"), Some(ContentView::There { .. })));
    let text = told(&world, candidate, "prod-0");
    assert!(
        text.contains("the next maintenance window opens 2026-11-22T22:00:00.000Z; its content is on"),
        "{text}"
    );
    world.pass(6 * HOUR);
    assert_eq!(events(&world, Event::Ordered), [t("2026-11-22T22:00:00Z"); 3]);
}

#[test]
fn who_has_no_content_when_the_window_opens_misses_it_and_that_is_said() {
    let mut policy = windowed();
    policy.staging.within_secs = 4 * HOUR as u32;
    let (mut world, _, rollout) = world(3, policy, &[("stage", Does::GoesSilent)]);
    world.pass(40 * HOUR);
    assert_eq!(world.orders.len(), 0, "not staged is not started");
    let missed = world.journal.iter().filter_map(|recorded| match &recorded.fact {
        Fact::Rich(fact) => match &**fact {
            RichFact::WindowMissed { waiting, because, .. } => Some((*waiting, *because)),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(missed.collect::<Vec<_>>(), [(3, MissedBecause::NotStaged)]);
    world.script.clear();
    world.pass(24 * HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified, "the next window has attempts of its own");
    assert_eq!(world.fleet.rollout(rollout).unwrap().members()[0].attempts(), 1);
}

#[test]
fn other_content_than_what_was_approved_is_never_started_thrown_away_and_told_once() {
    let (mut world, candidate, rollout) = world(3, staged(), &[("stage", Does::Lies)]);
    world.pass(3 * HOUR);
    assert_eq!((world.stages.len(), world.orders.len(), world.unstages.len()), (3, 0, 3));
    let alerts: Vec<_> = world.notices.iter().filter(|text| text.contains("other content")).collect();
    assert_eq!(alerts.len(), 1, "{:?}", world.notices);
    assert!(alerts[0].contains(&Digest::of(b"something else").to_string()), "{alerts:?}");
    let text = told(&world, candidate, "prod-0");
    assert!(text.contains("content is not on the endpoint: content does not match"), "{text}");
    assert!(text.contains("when a person lets it try again"), "{text}");
    world.script.clear();
    let retry = Command::Retry { rollout, endpoint: "prod-0".into() };
    world.ask("ada", &["owner"], retry).unwrap();
    world.pass(HOUR);
    assert_eq!([world.installs_of("prod-0"), world.installs_of("prod-1")], [1, 0]);
}

#[test]
fn a_failed_staging_is_tried_again_and_is_no_failed_install() {
    let (mut world, candidate, rollout) =
        world(1, staged(), &[("stage", Does::FailsFirst(2, FailureKind::Network))]);
    world.pass(70);
    let text = told(&world, candidate, "prod-0");
    assert!(
        text.contains("content is not on the endpoint: network failure (the line is down); it is"),
        "{text}"
    );
    world.pass(HOUR);
    let waits: Vec<_> = world.stages.windows(2).map(|two| two[1].0.since(two[0].0).as_secs() - 60).collect();
    assert!(waits[0] >= 300 && waits[1] >= 600, "twice as long, and some jitter: {waits:?}");
    let rollout = world.fleet.rollout(rollout).unwrap();
    assert_eq!((rollout.counts().verified, rollout.counts().failed), (1, 0));
    assert_eq!(rollout.members()[0].attempts(), 1);
}

#[test]
fn a_retry_that_nothing_brings_its_content_any_more_is_over() {
    let mut policy = staged();
    (policy.staging.lead_secs, policy.staging.within_secs, policy.staging.keep_secs) = (600, 900, 1800);
    (policy.retry.backoff_secs, policy.retry.backoff_secs_max) = (HOUR as u32, 4 * HOUR as u32);
    policy.rings[0].gate.max_failures = None;
    let (mut world, _, rollout) = world(2, policy, &[("prod-0", Does::Fails(FailureKind::Network))]);
    world.pass(900);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Backoff);
    world.script.insert("stage".into(), Does::Lies);
    world.pass(3 * HOUR);
    assert_eq!(world.installs_of("prod-0"), 1, "the one that failed");
    let counts = world.fleet.rollout(rollout).unwrap().counts();
    assert_eq!((counts.failed, counts.in_flight), (1, 0), "it would be in flight for ever");
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert!(replayed.baseline() == world.fleet.baseline());
}

#[test]
fn a_retry_that_something_stands_against_ends_though_its_content_was_given_up_for_a_while() {
    let mut policy = windowed();
    (policy.staging.attempts_max, policy.staging.within_secs) = (1, 120);
    (policy.staging.lead_secs, policy.staging.keep_secs) = (600, 1200);
    (policy.retry.backoff_secs, policy.retry.backoff_secs_max) = (900, 900);
    policy.rings[0].gate.max_failures = None;
    let (mut world, _, rollout) = world(2, policy, &[("prod-0", Does::Fails(FailureKind::Network))]);
    world.pass(38 * HOUR + 300);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Backoff);
    // What is there is too old for the retry, and is not brought again for this window.
    world.script.insert("stage".into(), Does::GoesSilent);
    world.pass(10 * HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Backoff);
    assert_eq!(events(&world, Event::StageGaveUp).len(), 1);
    let seen = EndpointSeen {
        scope: ScopePath("acme".into()),
        ..EndpointSeen::new("prod-0", Environment::NonProduction)
    };
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![seen]) });
    world.pass(14 * HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Cancelled);
}

#[test]
fn what_does_not_get_better_is_not_tried_again() {
    let (mut world, candidate, rollout) =
        world(1, staged(), &[("stage", Does::Fails(FailureKind::Unsupported))]);
    world.pass(30 * HOUR);
    assert_eq!(world.stages.len(), 1);
    let text = told(&world, candidate, "prod-0");
    assert!(text.contains("its installer cannot bring it: not supported by the installer"), "{text}");
    assert!(text.contains("adopt a policy that does not require it"), "{text}");
    assert!(matches!(content(&world, rollout, "prod-0"), Some(ContentView::GivenUp { again: None, .. })));
    assert_eq!(world.fleet.rollout(rollout).unwrap().counts().failed, 0);
}

#[test]
fn who_was_never_staged_is_deferred_and_staged_anew_in_catch_up() {
    let mut policy = staged();
    policy.deploy.start_within_secs = 4 * HOUR as u32;
    policy.rings[0].gate.min_success_percent = patchflow_core::gate::Percent::whole(50);
    let (mut world, _, rollout) = world(4, policy, &[("stage:prod-1", Does::Fails(FailureKind::Denied))]);
    world.pass(4 * HOUR);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Deferred);
    world.script.clear();
    world.pass(2 * HOUR);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Completed);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Verified);
}

#[test]
fn stagings_have_a_rate_and_bounds_of_their_own() {
    let mut policy = staged();
    policy.staging.starts_max = Some(StartsMax { n: 2, per_secs: 600 });
    let (mut world, ..) = world(6, policy, &[]);
    world.pass(HOUR);
    let asked: Vec<_> = world.stages.iter().map(|(at, _)| at.since(start()).as_secs()).collect();
    assert_eq!(asked, [0, 0, 600, 600, 1200, 1200]);
}

#[test]
fn stagings_behind_one_line_go_a_few_at_a_time_while_others_go_on() {
    let mut policy = staged();
    policy.staging.in_flight_max = None;
    let within = ScopePath("acme/west".into());
    policy.staging.scopes = vec![ScopeBudget { within, in_flight_max: Amount::Count { n: 1 } }];
    let mut world = World::new(6, 0, policy);
    let west = |i: u32| EndpointSeen {
        scope: ScopePath("acme/west".into()),
        ..EndpointSeen::new(format!("prod-{i}"), Environment::Production)
    };
    world.see(Observation::Endpoints { endpoints: Cow::Owned((0..3).map(west).collect()) });
    let candidate = world.publish(patch("openssl", "3.0.22"));
    assert_eq!(world.stages.len(), 4, "three elsewhere, and one of the three there");
    let rollout = world.deployment_of(candidate);
    let texts = [0, 1, 2].map(|i| told(&world, candidate, &format!("prod-{i}")));
    let full = "1 endpoints are being staged in `acme/west`, at most 1 may be";
    assert_eq!(texts.iter().filter(|text| text.contains(full)).count(), 2, "{texts:?}");
    world.pass(HOUR);
    let asked: Vec<_> = world.stages.iter().map(|(at, _)| at.since(start()).as_secs()).collect();
    assert_eq!(asked, [0, 0, 0, 0, 60, 120]);
    assert_eq!(world.fleet.rollout(rollout).unwrap().counts().verified, 6);
}

#[test]
fn content_is_staged_while_others_hold_every_place_to_install() {
    let mut policy = staged();
    policy.deploy.in_flight_max = 1;
    let (mut world, ..) = world(6, policy, &[]);
    world.pass(60);
    assert_eq!((world.stages.len(), world.orders.len()), (6, 1));
}

#[test]
fn what_was_staged_is_thrown_away_when_nothing_will_be_installed_from_it() {
    let by = |ask: fn(CandidateId, RolloutId) -> Command| {
        let (mut world, candidate, rollout) = world(3, windowed(), &[("stage:prod-2", Does::GoesSilent)]);
        world.pass(33 * HOUR);
        world.ask("ada", &["owner", "change-manager"], ask(candidate, rollout)).unwrap();
        let mut thrown = world.unstages.clone();
        thrown.sort();
        world.pass(20 * HOUR);
        assert!(world.orders.iter().all(|order| !thrown.contains(&order.endpoint().as_str().to_owned())));
        thrown.join(" ")
    };
    let all = "prod-0 prod-1 prod-2";
    assert_eq!(by(|candidate, _| Command::Withdraw { candidate, reason: "so".into() }), all);
    assert_eq!(by(|candidate, _| Command::Revoke { candidate, reason: "so".into() }), all);
    assert_eq!(by(|_, rollout| Command::Cancel { rollout, reason: "so".into() }), all);
    assert_eq!(by(|_, rollout| Command::Remove { rollout, endpoint: "prod-1".into() }), "prod-1");
}

#[test]
fn an_answer_for_what_was_thrown_away_is_a_stray() {
    let (mut world, _, rollout) = world(1, staged(), &[]);
    let reason = String::from("so");
    world.ask("ada", &["owner"], Command::Cancel { rollout, reason }).unwrap();
    let before = world.fleet.strays();
    world.pass(HOUR);
    assert_eq!((world.fleet.strays() - before, world.orders.len()), (1, 0));
}

#[test]
fn content_that_has_grown_too_old_is_staged_anew() {
    let mut policy = windowed();
    policy.staging.keep_secs = 7 * HOUR as u32;
    // A freeze over Sunday's window: what was staged for it is too old on Monday.
    policy.deploy.in_flight_max = 1;
    policy.deploy.expected_secs = 3600;
    policy.deploy.reboot_reserve_secs = 0;
    let (mut world, _, rollout) = world(2, policy, &[]);
    world.pass(64 * HOUR);
    let asked: Vec<_> = world.stages.iter().map(|(at, _)| *at).collect();
    let (sunday, monday) = (t("2026-11-22T16:00:00Z"), t("2026-11-23T16:00:00Z"));
    assert_eq!(asked, [sunday, sunday, monday], "the second one had no place on Sunday");
    assert_eq!(world.fleet.rollout(rollout).unwrap().counts().verified, 2);
}

#[test]
fn content_is_not_brought_again_before_it_is_too_old() {
    let mut policy = staged();
    policy.deploy.in_flight_max = 1;
    policy.deploy.report_within_secs = 30 * HOUR as u32;
    policy.deploy.duration_secs_max = 30 * HOUR as u32;
    policy.staging.keep_secs = policy.staging.within_secs;
    // The first one holds the only place for a day; the other waits with its content beside it.
    let slow = Does::Installs(24 * HOUR);
    let (mut world, ..) = world(2, policy, &[("prod-0", slow.clone()), ("prod-1", slow)]);
    world.pass(24 * HOUR - 60);
    let asked: Vec<_> = world.stages.iter().map(|(at, _)| at.since(start()).as_secs() / 60).collect();
    assert!(asked.len() <= 2 + 24 / 2, "one for each, and then one every two hours at most: {asked:?}");
    assert!(asked.len() > 8, "it is kept fresh: {asked:?}");
    assert!(asked[1..].windows(2).all(|two| two[1] - two[0] >= 120), "{asked:?}");
}

#[test]
fn the_next_ring_is_staged_while_the_open_one_bakes_and_starts_only_when_it_opens() {
    let mut policy = staged();
    policy.rings = vec![RingPolicy::percent("pilot", 50), RingPolicy::percent("rest", 100)];
    policy.rings.iter_mut().for_each(|ring| ring.gate.bake_secs_min = 7200);
    policy.single_ring = None;
    policy.staging.next_ring = true;
    let (mut world, _, rollout) = world(8, policy, &[]);
    world.pass(60);
    assert_eq!(world.stages.len(), 4, "the pilot alone");
    world.pass(HOUR);
    assert_eq!((world.stages.len(), world.orders.len()), (8, 4), "it bakes, and the rest is staged");
    world.pass(2 * HOUR);
    assert_eq!(world.orders.len(), 8);
    assert_eq!(world.fleet.rollout(rollout).unwrap().counts().verified, 8);
}

#[test]
fn members_that_get_other_numbers_are_staged_anew() {
    let mut policy = staged();
    policy.rings =
        ["a", "b", "c"].into_iter().zip([25, 50, 100]).map(|(n, p)| RingPolicy::percent(n, p)).collect();
    policy.rings.iter_mut().for_each(|ring| ring.gate.bake_secs_min = 7200);
    policy.single_ring = None;
    policy.staging.next_ring = true;
    let (mut world, _, rollout) = world(8, policy, &[]);
    world.pass(HOUR);
    let next = world.ring(rollout, 1);
    let place = vec![Placement { endpoint: next[0].as_str().into(), ring: 2 }];
    let revision = PlanRevision { adopt_policy: false, place };
    world.ask("ada", &["owner"], Command::Revise { rollout, revision, reason: "so".into() }).unwrap();
    world.pass(10 * HOUR);
    assert_eq!(world.fleet.rollout(rollout).unwrap().counts().verified, 8);
    assert_eq!(world.installs_of(&next[0]), 1);
}

#[test]
fn an_unanswered_staging_is_asked_for_again_after_a_crash() {
    let (mut world, _, rollout) = world(3, staged(), &[]);
    world.lose_everything_on_its_way();
    let fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
    let again: Vec<_> = fleet.outstanding().collect();
    let stages: Vec<_> = again
        .iter()
        .filter_map(|effect| match effect {
            Effect::Stage(order) => Some(order.id()),
            _ => None,
        })
        .collect();
    assert_eq!(stages.len(), 3);
    world.fleet = fleet;
    again.into_iter().for_each(|effect| world.carry_out_again(effect));
    world.pass(HOUR);
    assert_eq!(world.fleet.rollout(rollout).unwrap().counts().verified, 3);
}

#[test]
fn content_that_was_carried_over_counts_as_staged_and_takes_no_place() {
    let mut policy = staged();
    policy.staging.starts_max = Some(StartsMax { n: 1, per_secs: 86_400 });
    let (mut world, candidate, rollout) = world(4, policy, &[("stage", Does::GoesSilent)]);
    let content = world.fleet.candidate(candidate).unwrap().identified().patch().content;
    let endpoints = Cow::Owned(vec![world.fleet.endpoint_ix("prod-3").unwrap()]);
    world.see(Observation::ContentHeld { content, endpoints, depot: None });
    assert_eq!(world.orders.len(), 1);
    let depot = Some(ScopePath("acme".into()));
    world.see(Observation::ContentHeld { content, endpoints: Cow::Borrowed(&[]), depot });
    world.pass(HOUR);
    assert_eq!(world.fleet.rollout(rollout).unwrap().counts().verified, 4);
    let strays = world.fleet.strays();
    let other = Digest::of(b"something else");
    world.see(Observation::ContentHeld { content: other, endpoints: Cow::Borrowed(&[]), depot: None });
    assert_eq!(world.fleet.strays(), strays + 1, "nobody wants that");
}

#[test]
fn a_bundle_names_what_endpoints_lack_in_the_order_of_installing() {
    let (mut world, candidate, _) = world(4, staged(), &[("stage", Does::GoesSilent)]);
    world.publish(patch("curl", "8.1"));
    let content = world.fleet.candidate(candidate).unwrap().identified().patch().content;
    let endpoints = [0, 1].map(|i| world.fleet.endpoint_ix(&format!("prod-{i}")).unwrap());
    world.see(Observation::ContentHeld { content, endpoints: Cow::Borrowed(&endpoints[..1]), depot: None });
    let bundle = staging_bundle(&world.fleet, &endpoints);
    let told: Vec<_> = bundle.items.iter().map(|item| (item.patch.as_str(), item.endpoints.len())).collect();
    assert_eq!(told, [("openssl=3.0.22", 1), ("curl=8.1", 2)]);
    assert_eq!(bundle.items[0].content, content);
    let text = serde_json::to_string(&bundle).unwrap();
    assert_eq!(serde_json::from_str::<StagingBundle>(&text).unwrap(), bundle);
}

#[test]
fn who_is_out_of_contact_is_staged_when_it_is_back() {
    let mut world = World::new(2, 0, staged());
    let gone = vec![world.fleet.endpoint_ix("prod-0").unwrap()];
    world.see(Observation::Unreachable { endpoints: Cow::Borrowed(&gone), since: start() });
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(600);
    assert_eq!(world.stages.len(), 1);
    world.see(Observation::Reachable { endpoints: Cow::Borrowed(&gone) });
    world.pass(HOUR);
    assert_eq!(world.stages.len(), 2);
    let rollout = world.deployment_of(candidate);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified);
}

#[test]
fn a_failure_of_an_earlier_attempt_says_nothing_about_this_one() {
    let (mut world, _, rollout) = world(1, staged(), &[("stage", Does::GoesSilent)]);
    world.pass(3 * HOUR);
    assert_eq!(world.stages.len(), 2, "the first was late");
    let member = world.fleet.rollout(rollout).unwrap().members()[0];
    let stage = |attempt| patchflow_core::rollout::StageId {
        fleet: patchflow_core::ids::FleetId(1),
        rollout,
        endpoint: member.endpoint(),
        attempt,
    };
    let failure = patchflow_core::rollout::Failure::new(FailureKind::Denied, "no");
    world.see(Observation::Staged { stage: stage(1), outcome: StageOutcome::Failed(failure) });
    assert!(matches!(content(&world, rollout, "prod-0"), Some(ContentView::Asked { .. })));
    let content_of = world.fleet.candidate(CandidateId(0)).unwrap().identified().patch().content;
    world.see(Observation::Staged { stage: stage(1), outcome: StageOutcome::There { content: content_of } });
    assert_eq!(world.orders.len(), 1, "but late or not, content that is there is there");
}
