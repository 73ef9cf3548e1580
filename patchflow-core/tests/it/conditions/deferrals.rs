//! What the people at an endpoint put off, and how long an install may take.

use super::{HOUR, direct, explained, rollout};
use crate::world::{Does, World};
use patchflow_core::catalog::Severity;
use patchflow_core::doc::patch;
use patchflow_core::fleet::{Command, Fleet, Observation};
use patchflow_core::gate::Percent;
use patchflow_core::ids::RolloutId;
use patchflow_core::rollout::{Order, Phase, QueryAnswer, Report, ReportKind};
use patchflow_core::time::Timestamp;

fn report(world: &mut World, kind: ReportKind<'static>) {
    let order = world.orders.last().unwrap().id();
    world.see(Observation::Reported(Report { order, kind }));
}

fn put_off(world: &mut World, until: Timestamp) {
    report(world, ReportKind::PutOff { until });
}

/// One endpoint whose install has just been acknowledged and is not heard of again.
fn under_way() -> (World, RolloutId) {
    let mut world = World::new(1, 0, direct());
    world.script.insert("prod-0".into(), Does::GoesSilent);
    let (_, rollout) = rollout(&mut world);
    world.pass(10);
    (world, rollout)
}

#[test]
fn a_user_may_put_an_install_off_and_the_deadline_waits() {
    let (mut world, rollout) = under_way();
    let until = world.now.plus_secs(4 * HOUR);
    put_off(&mut world, until);
    let candidate = world.fleet.rollout(rollout).unwrap().candidate();
    world.pass(HOUR);
    assert!(explained(&world, candidate, "prod-0").contains(&format!("put off by its user until {until}")));
    world.pass(3 * HOUR + 1199);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Running);
    world.pass(1);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Silent, "and then its report is due");
}

#[test]
fn after_so_many_times_the_order_is_final() {
    let (mut world, rollout) = under_way();
    for i in 1..=3 {
        let until = world.now.plus_secs(i * 60);
        put_off(&mut world, until);
        put_off(&mut world, until);
    }
    assert_eq!(world.fleet.strays(), 3, "the same word twice is one deferral");
    let facts = world.journal.len();
    let until = world.now.plus_secs(9 * HOUR);
    put_off(&mut world, until);
    assert_eq!(world.journal.len(), facts, "the fourth time changes nothing");
    world.fleet = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    put_off(&mut world, until);
    world.pass(1200 + 180);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Silent);
}

#[test]
fn whoever_is_brought_along_later_has_put_off_already() {
    let mut policy = direct();
    (policy.deploy.deferrals_max, policy.deploy.start_within_secs) = (1, 2 * HOUR as u32);
    let gate = &mut policy.rings[0].gate;
    (gate.hold_secs_max, gate.max_failure_percent, gate.min_success_percent) =
        (1_000_000, None, Percent::whole(0));
    let mut world = World::new(1, 0, policy);
    world.script.insert("prod-0".into(), Does::Offline);
    let (_, rollout) = rollout(&mut world);
    let until = world.now.plus_secs(60);
    put_off(&mut world, until);
    let order = world.orders.last().unwrap().id();
    world.pass(1300);
    world.see(Observation::Answered { order, answer: QueryAnswer::NeverSeen });
    world.pass(80 * HOUR);
    let reason = String::from("it goes on");
    world.ask("ada", &["owner"], Command::Promote { rollout, reason }).unwrap();
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Ordered, "it is brought along");
    let (until, strays) = (world.now.plus_secs(60), world.fleet.strays());
    put_off(&mut world, until);
    assert_eq!((world.fleet.strays(), world.phase(rollout, "prod-0")), (strays + 1, Phase::Ordered));
}

#[test]
fn nothing_is_put_off_past_the_due_date() {
    let (mut world, rollout) = under_way();
    let candidate = world.fleet.rollout(rollout).unwrap().candidate();
    let due = world.fleet.candidate(candidate).unwrap().identified().risk().due.unwrap();
    put_off(&mut world, due.plus_secs(48 * HOUR));
    let member = world.fleet.rollout(rollout).unwrap().member_of(super::ix(&world, "prod-0")).unwrap();
    assert_eq!(world.fleet.put_off_until(rollout, member), Some(due));
    let secs = due.since(world.now).as_secs();
    world.pass(secs + 1);
    let (strays, until) = (world.fleet.strays(), due.plus_secs(HOUR));
    put_off(&mut world, until);
    assert_eq!(world.fleet.strays(), strays + 1);
}

#[test]
fn an_order_tells_how_often_and_until_when_it_may_be_put_off() {
    let mut policy = direct();
    policy.deploy.deferrals_max = 2;
    let mut world = World::new(1, 0, policy);
    world.script.insert("prod-0".into(), Does::FailsFirst(1, patchflow_core::error::FailureKind::Busy));
    let mut update = patch("openssl", "3.0.22");
    update.severity = Severity::Critical;
    let candidate = world.publish(update);
    let due = world.fleet.candidate(candidate).unwrap().identified().risk().due;
    let told = |world: &World| match world.orders.last().unwrap() {
        Order::Install(order) => (order.deferrals_left(), order.defer_until()),
        Order::Revert(_) | Order::Reboot(_) => unreachable!(),
    };
    assert_eq!(told(&world), (2, due));
    let until = world.now.plus_secs(30);
    put_off(&mut world, until);
    world.pass(HOUR);
    assert_eq!(world.installs_of("prod-0"), 2);
    assert_eq!(told(&world), (1, due), "an attempt anew does not start the count anew");
}

#[test]
fn progress_extends_the_deadline_up_to_the_longest_duration() {
    let mut policy = direct();
    policy.deploy.duration_secs_max = 3000;
    let mut world = World::new(1, 0, policy);
    world.script.insert("prod-0".into(), Does::GoesSilent);
    let (_, rollout) = rollout(&mut world);
    world.pass(0);
    for _ in 0..5 {
        world.pass(590);
        report(&mut world, ReportKind::Acknowledged);
    }
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Running);
    world.pass(49);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Running);
    world.pass(2);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Silent, "alive, but it takes too long");
    let order = world.orders.last().unwrap().id();
    world.see(Observation::Answered { order, answer: QueryAnswer::Running });
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Silent);
    world.fleet = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    report(&mut world, ReportKind::Acknowledged);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Silent);
    world.levels.insert("prod-0".into(), "3.0.22".into());
    report(&mut world, ReportKind::Done);
    world.pass(60);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified, "its late word is accepted");
}

#[test]
fn alerts_are_suppressed_from_start_to_verification_and_the_reserve_and_no_longer() {
    let world = {
        let mut world = World::new(1, 0, direct());
        world.publish(patch("openssl", "3.0.22"));
        world
    };
    let Order::Install(order) = &world.orders[0] else { panic!() };
    // Until the report at the latest, then until it was read, then the reserve.
    assert_eq!(order.quiet_secs(), 1200 + 3600 + 900);
}
