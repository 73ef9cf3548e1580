//! What simulations found, each as small as it could be made.

use crate::world::{Does, World, policy, start};
use patchflow_core::doc::patch;
use patchflow_core::fleet::{Command, Fact, Fleet, Observation, Outbox, RichFact};
use patchflow_core::gate::Percent;
use patchflow_core::ids::RolloutId;
use patchflow_core::policy::WaiverByName;
use patchflow_core::rollout::{Event, Phase, RingState, RolloutState};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};

/// A rollout over 40 endpoints that are all offline; one place is all there is.
fn stuck(schedule: Schedule) -> (World, RolloutId) {
    let mut policy = policy();
    policy.trial.required_for.clear();
    policy.approval.clear();
    policy.deploy.in_flight_max = 1;
    policy.schedule = schedule;
    let mut world = World::new(40, 0, policy);
    world.script.extend((0..40).map(|i| (format!("prod-{i}"), Does::Offline)));
    let candidate = world.publish(patch("webd", "1.1"));
    world.ask("ada", &["change-manager"], Command::Approve { candidate, reason: "so".into() }).unwrap();
    let rollout = world.deployment_of(candidate);
    (world, rollout)
}

#[test]
fn a_cancellation_that_a_crash_cut_off_is_finished_after_the_replay() {
    let (mut world, rollout) = stuck(Schedule::anytime());
    world.ask("ada", &["owner"], Command::Cancel { rollout, reason: "so".into() }).unwrap();
    let first = |fact: &Fact| matches!(fact, Fact::Endpoint(fact) if fact.event == Event::Cancelled);
    let cut = world.journal.iter().position(|recorded| first(&recorded.fact)).unwrap();
    let mut fleet = Fleet::replay(world.journal[..=cut].iter().cloned()).unwrap();
    fleet.observe(world.now, Observation::Time, &mut Outbox::new());
    let left = fleet.rollout(rollout).unwrap();
    assert_eq!(left.counts().waiting, 0, "the rest is cancelled as well");
    assert_eq!(left.state(), RolloutState::Cancelled, "the one that was ordered is still recalled");
}

#[test]
fn who_has_not_started_in_a_ring_that_is_let_pass_is_deferred() {
    let freeze = Freeze { from: start(), until: start().plus_secs(86_400) };
    let (mut world, rollout) = stuck(Schedule::Anytime { freezes: vec![freeze] });
    world.ask("ada", &["owner"], Command::Promote { rollout, reason: "so".into() }).unwrap();
    let ring = world.ring(rollout, 0);
    let phases: Vec<_> = ring.iter().map(|name| world.phase(rollout, name)).collect();
    assert_eq!(phases, [Phase::Deferred, Phase::Deferred]);
    let rollout = world.fleet.rollout(rollout).unwrap();
    assert_eq!(rollout.rings()[0].state(), RingState::Promoted);
    assert_eq!(rollout.counts().waiting, 38, "the rings after it wait for the end of the freeze");
}

#[test]
fn nobody_is_ordered_after_the_start_that_lets_a_share_count() {
    let mut policy = policy();
    policy.trial.required_for.clear();
    policy.approval.clear();
    policy.rings.drain(..3);
    policy.single_ring = Some(WaiverByName { by: "root".into(), reason: "a test".into() });
    let gate = &mut policy.rings[0].gate;
    (gate.max_failure_percent, gate.min_started) = (Some(Percent::whole(0)), 3);
    gate.min_success_percent = Percent::whole(0);
    policy.deploy.in_flight_max = 2;
    let mut world = World::new(6, 0, policy);
    world.script.extend((0..6).map(|i| (format!("prod-{i}"), Does::GoesSilent)));
    let candidate = world.publish(patch("webd", "1.1"));
    world.ask("ada", &["change-manager"], Command::Approve { candidate, reason: "so".into() }).unwrap();
    world.pass(5 * 3600);
    // Unknown frees its place: the third start is the one with which the share of the first two counts.
    assert_eq!(world.orders.len(), 3);
    let rollout = world.fleet.rollout(world.deployment_of(candidate)).unwrap();
    assert_eq!(rollout.state(), RolloutState::Halted);
}

#[test]
fn what_takes_no_time_does_not_start_as_its_window_closes() {
    // The world begins on a Saturday at 08:00; orders are acknowledged within ten minutes or go back.
    let window = WeeklyWindow { day: Weekday::Saturday, opens_minute: 9 * 60, open_minutes: 60 };
    let mut policy = policy();
    policy.trial.required_for.clear();
    policy.approval.clear();
    policy.schedule = Schedule::Weekly { windows: vec![window], freezes: vec![] };
    (policy.deploy.expected_secs, policy.deploy.acknowledge_within_secs) = (0, 600);
    let mut world = World::new(1, 0, policy);
    world.script.insert("prod-0".into(), Does::Offline);
    let candidate = world.publish(patch("webd", "1.1"));
    world.ask("ada", &["change-manager"], Command::Approve { candidate, reason: "so".into() }).unwrap();
    world.pass(3 * 3600);
    assert_eq!(world.orders.len(), 6, "every ten minutes from 09:00, and not at 10:00");
    let missed =
        |fact: &Fact| matches!(fact, Fact::Rich(fact) if matches!(**fact, RichFact::WindowMissed { .. }));
    assert!(world.journal.iter().filter(|recorded| missed(&recorded.fact)).count() <= 1);
}

#[test]
fn an_inventory_that_cannot_be_read_is_not_asked_for_without_end() {
    let mut policy = policy();
    policy.trial.required_for.clear();
    policy.approval.clear();
    policy.rings.drain(..3);
    policy.single_ring = Some(WaiverByName { by: "root".into(), reason: "a test".into() });
    let gate = &mut policy.rings[0].gate;
    (gate.max_failure_percent, gate.min_success_percent) = (None, Percent::whole(0));
    gate.bake_secs_min = 24 * 3600;
    let mut world = World::new(2, 0, policy);
    world.script.insert("prod-1".into(), Does::Unreadable);
    let candidate = world.publish(patch("webd", "1.1"));
    world.ask("ada", &["change-manager"], Command::Approve { candidate, reason: "so".into() }).unwrap();
    world.pass(3 * 86_400);
    let rollout = world.deployment_of(candidate);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Silent);
    assert_eq!(
        world.fleet.rollout(rollout).unwrap().state(),
        RolloutState::Completed,
        "its ring settles and bakes"
    );
    let of = |event| {
        let is = |fact: &Fact| matches!(fact, Fact::Endpoint(fact) if fact.event == event);
        world.journal.iter().filter(|recorded| is(&recorded.fact)).count()
    };
    assert_eq!((of(Event::InstallReported), of(Event::WentSilent), of(Event::StayedSilent)), (2, 1, 2));
}
