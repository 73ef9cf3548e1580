//! What the people at an endpoint put off, and how long an install may take.

use super::{HOUR, direct, explained, ix, rollout};
use crate::world::{Does, World};
use patchflow_core::catalog::Severity;
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, Fact, Fleet, Observation};
use patchflow_core::gate::Percent;
use patchflow_core::ids::RolloutId;
use patchflow_core::policy::OnHalt;
use patchflow_core::rollout::{Event, Order, Phase, QueryAnswer, Report, ReportKind, RolloutState};
use patchflow_core::schedule::{Schedule, Weekday, WeeklyWindow};
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
    let mut world = World::new(1, 0, direct());
    world.script.insert("prod-0".into(), Does::Offline);
    let (_, rollout) = rollout(&mut world);
    world.script.insert("prod-0".into(), Does::WantsReboot);
    let Order::Install(order) = &world.orders[0] else { panic!() };
    // Until the report at the latest, then until it was read, then the reserve.
    assert_eq!(order.quiet_secs(), 1200 + 3600 + 900);
    let quiet = |world: &World| world.fleet.quiet_until(ix(world, "prod-0"));
    assert_eq!(quiet(&world), None, "it has not begun");
    world.pass(1830);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Running, "sent again");
    assert_eq!(quiet(&world), Some(world.now.plus_secs(1200 + 900 - 30)));
    let replayed = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    assert_eq!(replayed.quiet_until(ix(&world, "prod-0")), quiet(&world));
    let verified_at = |world: &World| {
        let is = |fact: &Fact| matches!(fact, Fact::Endpoint(fact) if fact.event == Event::Verified);
        world.journal.iter().find(|recorded| is(&recorded.fact)).map(|recorded| recorded.at)
    };
    while verified_at(&world).is_none() {
        world.pass(1);
        assert!(quiet(&world).is_some(), "{:?}", world.phase(rollout, "prod-0"));
    }
    let until = verified_at(&world).unwrap().plus_secs(900);
    assert_eq!(quiet(&world), Some(until));
    let resumed = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    assert_eq!(resumed.quiet_until(ix(&world, "prod-0")), Some(until));
    world.pass(899);
    assert_eq!(quiet(&world), Some(until));
    world.pass(1);
    assert_eq!(quiet(&world), None);
}

#[test]
fn alerts_of_what_is_silent_or_failed_or_waits_for_its_reboot_are_not_suppressed() {
    let night = WeeklyWindow { day: Weekday::Saturday, opens_minute: 8 * 60, open_minutes: 45 };
    for (does, phase) in [
        (Does::GoesSilent, Phase::Silent),
        (Does::Fails(FailureKind::Dependency), Phase::Failed),
        (Does::WantsReboot, Phase::RebootPending),
    ] {
        let mut policy = direct();
        policy.schedule = Schedule::Weekly { windows: vec![night], freezes: vec![] };
        policy.deploy.expected_secs = 60;
        policy.rollback.on_halt = OnHalt::Nobody;
        // Its reboot does not fit any more once it is installed.
        policy.deploy.reboot_reserve_secs = 44 * 60;
        let mut world = World::new(1, 0, policy);
        world.script.insert("prod-0".into(), does);
        let (_, rollout) = rollout(&mut world);
        world.pass(1500);
        assert_eq!(world.phase(rollout, "prod-0"), phase);
        assert_eq!(world.fleet.quiet_until(ix(&world, "prod-0")), None, "{phase:?}");
    }
}

#[test]
fn alerts_that_are_suppressed_count_for_the_gate() {
    let mut policy = direct();
    policy.rings[0].gate.max_alerts = Some(0);
    let mut world = World::new(2, 0, policy);
    world.script.insert("prod-0".into(), Does::GoesSilent);
    world.script.insert("prod-1".into(), Does::GoesSilent);
    let (_, rollout) = rollout(&mut world);
    world.pass(60);
    assert!(world.fleet.quiet_until(ix(&world, "prod-0")).is_some());
    world.see(Observation::Alerts { rollout, ring: 0, new: Some(1) });
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Halted);
}
