//! Freezes that are adopted while rollouts run (semantics S6, S8): nothing starts any more, and what has not begun is
//! recalled.

use crate::world::{Does, World, one_ring, start};
use patchflow_core::doc::patch;
use patchflow_core::fleet::{Command, Fact, Fleet};
use patchflow_core::ids::CandidateId;
use patchflow_core::plan::RolloutDraft;
use patchflow_core::policy::{OnSuperseded, Policy, StartMode};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Event, Phase, RecallAnswer, RolloutState};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn after(secs: u64) -> Timestamp {
    start().plus_secs(secs)
}

fn adopt(world: &mut World, policy: &Policy, freezes: &[Freeze]) {
    let schedule = policy.schedule.with_freezes(freezes);
    let policy = Policy { schedule, name: format!("{} {}", policy.name, freezes.len()), ..policy.clone() };
    world.ask("root", &["owner"], Command::AdoptPolicy { policy: Box::new(policy) }).unwrap();
}

fn events(world: &World, event: Event) -> Vec<Timestamp> {
    let is = |r: &&patchflow_core::fleet::Recorded| matches!(r.fact, Fact::Endpoint(f) if f.event == event);
    world.journal.iter().filter(is).map(|recorded| recorded.at).collect()
}

fn told(world: &World, name: &str, candidate: CandidateId) -> String {
    explain(&world.fleet, world.fleet.endpoint_ix(name).unwrap(), candidate).sentence()
}

fn said(world: &World, candidate: CandidateId, text: &str) {
    let told = told(world, "prod-0", candidate);
    assert!(told.contains(text), "{told}");
}

fn phases(world: &World, candidate: CandidateId) -> Vec<Phase> {
    let rollout = world.deployment_of(candidate);
    (0..6).map(|i| world.phase(rollout, &format!("prod-{i}"))).collect()
}

/// Two endpoints are away and have not taken their orders; the others install for ten minutes.
fn under_way(policy: &Policy) -> (World, CandidateId) {
    let mut world = World::new(6, 0, policy.clone());
    for i in 0..6 {
        let does = if i < 2 { Does::Offline } else { Does::Installs(600) };
        world.script.insert(format!("prod-{i}"), does);
    }
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(60);
    (world, candidate)
}

#[test]
fn a_freeze_that_is_adopted_stops_what_has_not_begun_and_lets_what_has_come_to_its_end() {
    let policy = one_ring();
    let (mut world, candidate) = under_way(&policy);
    assert_eq!(events(&world, Event::Ordered).len(), 6);
    adopt(&mut world, &policy, &[Freeze { from: after(0), until: after(5 * DAY) }]);
    assert_eq!(events(&world, Event::RecallAsked).len(), 6, "what stands in a queue there is asked as well");
    world.pass(10);
    assert_eq!(phases(&world, candidate), {
        let (waits, runs) = (Phase::Waiting, Phase::Running);
        [waits, waits, runs, runs, runs, runs]
    });
    said(&world, candidate, "a freeze lasts until 2026-11-26T08:00:00.000Z");
    let copy = Fleet::replay(world.journal.iter().cloned()).unwrap();
    let why = explain(&copy, world.fleet.endpoint_ix("prod-0").unwrap(), candidate).sentence();
    assert_eq!(why, told(&world, "prod-0", candidate), "the same after a crash");
    assert_eq!(copy.next_deadline().map(|at| at <= after(5 * DAY)), Some(true));
    for i in 0..2 {
        world.script.insert(format!("prod-{i}"), Does::Installs(600));
    }
    world.pass(2 * DAY);
    assert_eq!(events(&world, Event::Ordered).len(), 6, "nothing starts in it");
    assert_eq!(phases(&world, candidate)[2..], [Phase::Verified; 4]);
    assert_eq!(world.fleet.rollout(world.deployment_of(candidate)).unwrap().counts().failed, 0);
    world.pass(3 * DAY + HOUR);
    assert_eq!(events(&world, Event::Ordered)[6..], [after(5 * DAY); 2]);
    assert_eq!(phases(&world, candidate), [Phase::Verified; 6]);
}

#[test]
fn a_freeze_that_is_taken_back_lets_them_go_on_at_once() {
    let policy = one_ring();
    let (mut world, candidate) = under_way(&policy);
    adopt(&mut world, &policy, &[Freeze { from: after(0), until: after(5 * DAY) }]);
    world.pass(HOUR);
    for i in 0..2 {
        world.script.insert(format!("prod-{i}"), Does::Installs(600));
    }
    assert_eq!(events(&world, Event::Ordered).len(), 6);
    adopt(&mut world, &policy, &[]);
    assert_eq!(events(&world, Event::Ordered).len(), 8);
    world.pass(HOUR);
    let rollout = world.fleet.rollout(world.deployment_of(candidate)).unwrap();
    assert_eq!(rollout.state(), RolloutState::Completed);
}

#[test]
fn a_freeze_to_come_recalls_what_it_would_come_over_and_the_next_order_begins_early_enough() {
    let policy = one_ring();
    let needed = u64::from(policy.deploy.expected_secs);
    for (from, recalled) in [(HOUR / 2 + needed + 2, 0), (HOUR / 2 + needed - 60, 2)] {
        let (mut world, candidate) = under_way(&policy);
        adopt(&mut world, &policy, &[Freeze { from: after(from), until: after(DAY) }]);
        assert_eq!(events(&world, Event::RecallAsked).len(), recalled, "{from}");
        world.pass(10);
        assert_eq!(events(&world, Event::Ordered).len(), 6 + recalled);
        world.pass(from);
        assert_eq!(
            phases(&world, candidate)[..2],
            [Phase::Waiting; 2],
            "it has expired before the freeze began"
        );
        assert!(events(&world, Event::Ordered).iter().all(|at| *at < after(from)));
        assert_eq!(events(&world, Event::RecallAsked).len(), recalled, "the freeze finds nothing to recall");
    }
}

#[test]
fn a_halt_of_time_is_no_halt_of_the_rollout_and_an_emergency_may_go_on() {
    for overrides in [false, true] {
        let mut policy = one_ring();
        policy.deploy.start = StartMode::OnRequest;
        policy.emergency.overrides_freeze = overrides;
        let mut world = World::new(6, 0, policy.clone());
        (0..6).for_each(|i| _ = world.script.insert(format!("prod-{i}"), Does::Offline));
        let candidate = world.publish(patch("openssl", "3.0.22"));
        let draft = RolloutDraft { emergency: Some("wormable".into()), ..RolloutDraft::of(candidate) };
        world.ask("ada", &[], Command::Start { draft }).unwrap();
        adopt(&mut world, &policy, &[Freeze { from: after(0), until: after(2 * DAY) }]);
        world.pass(60);
        let phase = if overrides { Phase::Ordered } else { Phase::Waiting };
        assert_eq!(phases(&world, candidate), [phase; 6], "{overrides}");
        let rollout = world.fleet.rollout(world.deployment_of(candidate)).unwrap();
        assert_eq!(rollout.state(), RolloutState::Running);
    }
}

#[test]
fn a_freeze_of_one_calendar_freezes_nobody_elses_and_no_window_is_missed_in_it() {
    let mut policy = one_ring();
    let window = WeeklyWindow { day: Weekday::Saturday, opens_minute: 12 * 60, open_minutes: 120 };
    policy.schedule = Schedule::Weekly { windows: vec![window], freezes: vec![] };
    let mut world = World::new(6, 0, policy.clone());
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let mut other = policy.clone();
    let frozen = Freeze { from: after(0), until: after(2 * DAY) };
    other.calendars.named = [("labs".into(), Schedule::anytime().with_freezes(&[frozen]))].into();
    adopt(&mut world, &other, &[]);
    said(&world, candidate, "the next maintenance window opens");
    adopt(&mut world, &policy, &[frozen]);
    said(&world, candidate, "a freeze lasts until 2026-11-23T08:00:00.000Z; the next");
    world.pass(6 * DAY);
    assert!(events(&world, Event::Ordered).is_empty());
    assert!(!world.notices.iter().any(|notice| notice.contains("missed")), "{:?}", world.notices);
    world.pass(2 * DAY);
    assert_eq!(phases(&world, candidate), [Phase::Verified; 6]);
}

#[test]
fn a_recall_that_nobody_answers_is_asked_after() {
    let policy = one_ring();
    let (mut world, candidate) = under_way(&policy);
    world.recalls.insert("prod-0".into(), RecallAnswer::Unknown);
    adopt(&mut world, &policy, &[Freeze { from: after(0), until: after(DAY) }]);
    world.pass(HOUR);
    assert_eq!(phases(&world, candidate)[..2], [Phase::Waiting; 2], "it was never seen there");
    assert_eq!(events(&world, Event::Ordered).len(), 6);
}

#[test]
fn a_rollout_that_moves_to_a_successor_under_its_older_policy_keeps_the_freeze_that_was_adopted() {
    let mut policy = one_ring();
    policy.relations.superseded = OnSuperseded::Move;
    policy.deploy.start = StartMode::OnRequest;
    policy.deploy.in_flight_max = 1;
    let mut world = World::new(6, 0, policy.clone());
    let older = world.publish(patch("openssl", "3.0.22"));
    world.ask("ada", &[], Command::Start { draft: RolloutDraft::of(older) }).unwrap();
    let (from, until) = (world.now, after(10 * HOUR));
    adopt(&mut world, &policy, &[Freeze { from, until }]);
    let mut newer = patch("openssl", "3.0.23");
    newer.relations.supersedes = vec!["openssl=3.0.22".into()];
    let newer = world.publish(newer);
    world.pass(30 * HOUR);
    let moved = world.deployment_of(newer);
    let orders = world.orders.iter().filter(|order| order.id().rollout == moved).count();
    assert_eq!(orders, 6, "it moved");
    let first = world
        .journal
        .iter()
        .find(|r| matches!(r.fact, Fact::Endpoint(f) if f.rollout == moved && f.event == Event::Ordered));
    assert_eq!(first.map(|recorded| recorded.at), Some(until));
}
