//! Reboots before an install, too many of them, and cancelled ones.

use super::{HOUR, direct, explained, ix, rollout, some};
use crate::world::{Does, World};
use patchflow_core::doc::patch;
use patchflow_core::error::{FailureKind, Refusal};
use patchflow_core::fleet::{Command, Fleet, Observation, Outcome};
use patchflow_core::ids::RolloutId;
use patchflow_core::policy::Policy;
use patchflow_core::rollout::{Failure, Order, Phase, RecallAnswer, Report, ReportKind};

fn reboots(world: &World) -> usize {
    world.orders.iter().filter(|order| matches!(order, Order::Reboot(_))).count()
}

fn preflight() -> Policy {
    let mut policy = direct();
    policy.reboot.preflight = true;
    policy
}

fn pending(world: &mut World, name: &str, pending: bool) {
    let endpoints = some(world, &[name]);
    world.see(Observation::RebootsPending { endpoints, pending });
}

fn cancel(world: &mut World, rollout: RolloutId) -> Result<Outcome, Refusal> {
    let reason = String::from("the night shift works");
    world.ask("ada", &[], Command::CancelReboot { rollout, endpoint: "prod-0".into(), reason })
}

fn allow(world: &mut World) -> Result<Outcome, Refusal> {
    let reason = String::from("looked at");
    world.ask("ada", &[], Command::AllowReboots { endpoint: "prod-0".into(), reason })
}

/// One endpoint that installs and wants a reboot, whose reboot has just been ordered.
fn rebooting() -> (World, RolloutId) {
    let mut world = World::new(1, 0, direct());
    world.script.insert("prod-0".into(), Does::WantsReboot);
    let (_, rollout) = rollout(&mut world);
    world.pass(65);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Rebooting);
    (world, rollout)
}

#[test]
fn a_preflight_reboot_comes_first_and_the_endpoint_is_read_before_its_install() {
    let mut world = World::new(2, 0, preflight());
    pending(&mut world, "prod-0", true);
    let (candidate, rollout) = rollout(&mut world);
    assert_eq!((world.phase(rollout, "prod-0"), reboots(&world)), (Phase::Rebooting, 1));
    assert!(explained(&world, candidate, "prod-0").starts_with("rebooting before the install"));
    world.pass(30 + 59);
    assert_eq!((world.phase(rollout, "prod-0"), world.installs_of("prod-0")), (Phase::Waiting, 0));
    world.pass(1);
    assert_eq!(world.installs_of("prod-0"), 1);
    world.pass(HOUR);
    assert_eq!((world.phase(rollout, "prod-0"), reboots(&world)), (Phase::Verified, 1));
}

#[test]
fn a_preflight_reboot_takes_a_place_like_any_other_operation() {
    let mut policy = preflight();
    policy.deploy.in_flight_max = 1;
    let mut world = World::new(3, 0, policy);
    for name in ["prod-0", "prod-1", "prod-2"] {
        pending(&mut world, name, true);
    }
    let (_, rollout) = rollout(&mut world);
    assert_eq!(reboots(&world), 1);
    world.pass(2 * HOUR);
    let done = world.fleet.rollout(rollout).unwrap().members().iter().all(|m| m.phase() == Phase::Verified);
    assert!(done && reboots(&world) == 3, "each in its turn");
}

#[test]
fn nobody_is_rebooted_first_who_would_not_be_ordered_anything() {
    for held in [true, false] {
        let mut world = World::new(2, 0, preflight());
        pending(&mut world, "prod-0", true);
        if held {
            let endpoints = some(&world, &["prod-0"]);
            world.see(Observation::Unreachable { endpoints, since: world.now });
        }
        let path = if held {
            patchflow_core::plan::RollbackPath::Reinstall
        } else {
            patchflow_core::plan::RollbackPath::None
        };
        world.publish_with(patch("openssl", "3.0.22"), path);
        world.pass(HOUR);
        assert_eq!(reboots(&world), 0, "held: {held}");
    }
}

#[test]
fn a_preflight_reboot_that_fails_is_tried_again_within_the_breaker_and_installs_nothing() {
    let mut world = World::new(1, 0, preflight());
    pending(&mut world, "prod-0", true);
    let (_, rollout) = rollout(&mut world);
    for _ in 0..3 {
        world.lose_everything_on_its_way();
        let order = world.orders.last().unwrap().id();
        let failure = Failure::new(FailureKind::Busy, "a shutdown is inhibited");
        world.see(Observation::Reported(Report { order, kind: ReportKind::Failed(failure) }));
    }
    assert_eq!((reboots(&world), world.installs_of("prod-0")), (3, 0));
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Waiting);
    assert_eq!(world.notices, ["prod-0 is not rebooted any more: more than 3 reboots within 24 hours"]);
    // Rebooted by somebody else, it goes on.
    pending(&mut world, "prod-0", false);
    assert_eq!(world.installs_of("prod-0"), 1);
}

#[test]
fn a_silent_preflight_reboot_that_answers_late_is_no_install() {
    let mut world = World::new(1, 0, preflight());
    pending(&mut world, "prod-0", true);
    let (_, rollout) = rollout(&mut world);
    world.lose_everything_on_its_way();
    world.script.insert("prod-0".into(), Does::GoesSilent);
    world.pass(1300);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Silent);
    let order = world.orders.last().unwrap().id();
    world.see(Observation::Reported(Report { order, kind: ReportKind::Done }));
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Waiting);
    let member = &world.fleet.rollout(rollout).unwrap().members()[0];
    assert_eq!((member.attempts(), member.operations()), (0, 1));
}

#[test]
fn one_reboot_too_many_within_24_hours_trips_the_breaker_of_the_endpoint() {
    let mut world = World::new(1, 0, direct());
    world.forgets_reboots = true;
    world.script.insert("prod-0".into(), Does::WantsReboot);
    let mut last = None;
    for version in ["3.0.1", "3.0.2", "3.0.3", "3.0.4"] {
        let candidate = world.publish(patch("openssl", version));
        world.pass(HOUR);
        last = Some(world.deployment_of(candidate));
    }
    assert_eq!((reboots(&world), world.phase(last.unwrap(), "prod-0")), (3, Phase::NeedsOperator));
    let told =
        world.notices.iter().filter(|text| text.contains("more than 3 reboots within 24 hours")).count();
    assert_eq!(told, 1, "{:?}", world.notices);
    // Another one is stopped as well, until a person allows reboots again.
    let candidate = world.publish(patch("openssl", "3.0.5"));
    world.pass(48 * HOUR);
    assert_eq!(world.phase(world.deployment_of(candidate), "prod-0"), Phase::NeedsOperator);
    allow(&mut world).unwrap();
    let candidate = world.publish(patch("openssl", "3.0.6"));
    world.pass(HOUR);
    assert_eq!(world.phase(world.deployment_of(candidate), "prod-0"), Phase::Verified);
}

#[test]
fn reboots_of_the_day_before_do_not_count() {
    let mut world = World::new(1, 0, direct());
    world.forgets_reboots = true;
    world.script.insert("prod-0".into(), Does::WantsReboot);
    for version in ["3.0.1", "3.0.2", "3.0.3", "3.0.4", "3.0.5"] {
        let candidate = world.publish(patch("openssl", version));
        world.pass(8 * HOUR);
        assert_eq!(world.phase(world.deployment_of(candidate), "prod-0"), Phase::Verified, "{version}");
    }
    assert_eq!(reboots(&world), 5);
    world.fleet = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    let candidate = world.publish(patch("openssl", "3.0.6"));
    world.pass(60 * 60);
    assert_eq!(world.phase(world.deployment_of(candidate), "prod-0"), Phase::Verified);
}

#[test]
fn a_cancelled_reboot_is_over_only_when_the_endpoint_says_that_its_timer_is_gone() {
    let (mut world, rollout) = rebooting();
    world.lose_everything_on_its_way();
    world.recalls.insert("prod-0".into(), RecallAnswer::Recalled);
    cancel(&mut world, rollout).unwrap();
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Rebooting, "not before it is confirmed");
    world.pass(HOUR);
    assert_eq!((world.phase(rollout, "prod-0"), reboots(&world)), (Phase::RebootPending, 1));
    assert!(world.notices.is_empty(), "{:?}", world.notices);
    let member = &world.fleet.rollout(rollout).unwrap().members()[0];
    assert_eq!(member.attempts(), 1, "the install stands");
    allow(&mut world).unwrap();
    world.pass(HOUR);
    assert_eq!((world.phase(rollout, "prod-0"), reboots(&world)), (Phase::Verified, 2));
}

#[test]
fn a_cancelled_reboot_that_nobody_confirms_is_an_alert() {
    for answer in [Some(RecallAnswer::Unknown), None] {
        let (mut world, rollout) = rebooting();
        world.lose_everything_on_its_way();
        answer.map(|answer| world.recalls.insert("prod-0".into(), answer));
        cancel(&mut world, rollout).unwrap();
        if answer.is_none() {
            world.lose_everything_on_its_way();
            world.pass(299);
            assert!(world.notices.is_empty());
        }
        world.pass(1);
        let told = "prod-0 did not confirm that its cancelled reboot will not happen";
        assert_eq!(world.notices, [told], "{answer:?}");
        assert!(world.fleet.endpoint(ix(&world, "prod-0")).unwrap().is_reboot_unsure());
        // It happened after all: that is known then.
        let order = world.orders.last().unwrap().id();
        world.see(Observation::Reported(Report { order, kind: ReportKind::Done }));
        assert!(!world.fleet.endpoint(ix(&world, "prod-0")).unwrap().is_reboot_unsure());
    }
}

#[test]
fn a_cancelled_reboot_that_had_begun_runs_to_its_end() {
    let (mut world, rollout) = rebooting();
    world.recalls.insert("prod-0".into(), RecallAnswer::AlreadyStarted);
    cancel(&mut world, rollout).unwrap();
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified);
    assert!(world.notices.iter().all(|text| !text.contains("confirm")), "{:?}", world.notices);
    assert!(matches!(cancel(&mut world, rollout), Err(Refusal::WrongState { .. })));
}

#[test]
fn a_cancelled_reboot_that_never_arrived_is_not_sent_again() {
    let (mut world, rollout) = rebooting();
    world.lose_everything_on_its_way();
    let order = world.orders.last().unwrap().id();
    cancel(&mut world, rollout).unwrap();
    world.lose_everything_on_its_way();
    let answer = patchflow_core::rollout::QueryAnswer::NeverSeen;
    world.see(Observation::Answered { order, answer });
    assert_eq!((world.phase(rollout, "prod-0"), reboots(&world)), (Phase::RebootPending, 1));
}
