//! What simulations found, each as small as it could be made.

use crate::world::{Does, World, policy, start};
use patchflow_core::doc::patch;
use patchflow_core::fleet::{Command, Fact, Fleet, Observation, Outbox};
use patchflow_core::ids::RolloutId;
use patchflow_core::rollout::{Event, Phase, RingState, RolloutState};
use patchflow_core::schedule::{Freeze, Schedule};

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
