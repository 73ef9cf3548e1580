//! Ways back: operators who are called, drills, holds, and how long a way holds (semantics S10).

use crate::world::{Does, World, policy, start};
use patchflow_core::doc::patch;
use patchflow_core::error::{FailureKind, Refusal};
use patchflow_core::fleet::{Command, Fact, NeedSeen, Observation, Outbox, RichFact};
use patchflow_core::ids::{CandidateId, RolloutId};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::OnFailure;
use patchflow_core::rollout::{Order, Phase};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn count(world: &World, is: impl Fn(&RichFact) -> bool) -> usize {
    world.journal.iter().filter(|r| matches!(&r.fact, Fact::Rich(fact) if is(fact))).count()
}

/// A member of the pilot that sickens, and cannot be brought back.
fn stuck() -> (World, RolloutId, String) {
    let mut world = World::new(40, 2, policy());
    world.script.extend((0..40).map(|i| (format!("prod-{i}"), Does::Sickens)));
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(650);
    world.cut_off.extend((0..40).map(|i| (format!("prod-{i}"), 9)));
    world.pass(800);
    let rollout = world.deployment_of(candidate);
    let stuck = world.ring(rollout, 0)[0].clone();
    assert_eq!(world.phase(rollout, &stuck), Phase::NeedsOperator);
    (world, rollout, stuck)
}

#[test]
fn operators_are_called_level_by_level_and_the_last_again_and_again() {
    let (mut world, rollout, stuck) = stuck();
    let ix = world.fleet.endpoint_ix(&stuck).unwrap();
    let level =
        |world: &World| world.fleet.call(rollout, ix).map(|call| (call.level, call.role.to_owned())).unwrap();
    assert_eq!(level(&world), (0, "on-call".into()));
    world.pass(HOUR);
    assert_eq!(level(&world), (1, "change-manager".into()));
    let called = |world: &World| {
        let text = format!("{stuck} needs an operator: ");
        world.notices.iter().filter(|notice| notice.starts_with(&text)).count()
    };
    assert_eq!(called(&world), 2);
    world.pass(4 * HOUR);
    assert_eq!((level(&world).0, called(&world)), (1, 3), "the last level is called again");
    let acknowledge = Command::Acknowledge { rollout, endpoint: stuck.as_str().into() };
    assert!(matches!(world.ask("eve", &["visitor"], acknowledge.clone()), Err(Refusal::NotAllowed { .. })));
    world.ask("bob", &["on-call"], acknowledge.clone()).unwrap();
    assert!(matches!(world.ask("bob", &["on-call"], acknowledge), Err(Refusal::WrongState { .. })));
    world.pass(DAY);
    assert_eq!(called(&world), 3, "somebody takes care of it");
    assert_eq!(world.fleet.call(rollout, ix).unwrap().acknowledged, Some("bob"), "and it stays visible");
}

#[test]
fn a_crash_between_the_need_and_the_call_calls_all_the_same() {
    let (world, rollout, stuck) = stuck();
    let called = |r: &patchflow_core::fleet::Recorded| matches!(&r.fact, Fact::Rich(f) if matches!(**f, RichFact::OperatorCalled { .. }));
    let cut = world.journal.iter().position(called).unwrap();
    let mut fleet = patchflow_core::fleet::Fleet::replay(world.journal[..cut].iter().cloned()).unwrap();
    let mut out = Outbox::new();
    fleet.observe(fleet.clock(), Observation::Time, &mut out);
    assert!(out.facts().iter().any(called));
    let mut after = patchflow_core::fleet::Fleet::replay(world.journal.iter().cloned()).unwrap();
    let ix = after.endpoint_ix(&stuck).unwrap();
    assert_eq!(after.call(rollout, ix), world.fleet.call(rollout, ix));
    let mut out = Outbox::new();
    after.observe(world.now, Observation::Time, &mut out);
    assert!(out.is_empty(), "nothing was left to decide");
    assert_eq!(after.next_deadline(), world.fleet.next_deadline());
}

fn tried(world: &World) -> Vec<(RollbackPath, Option<(Timestamp, bool)>)> {
    world.fleet.ways_back().map(|way| (way.path, way.tried)).collect()
}

/// A patch that was tried and rolled out, and the endpoint that tried it.
fn rolled_out() -> (World, CandidateId) {
    let mut world = World::new(10, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(12 * HOUR);
    (world, candidate)
}

#[test]
fn a_drill_takes_a_trial_back_and_holds_nothing_away() {
    let (mut world, candidate) = rolled_out();
    let drill = |endpoint: &str| Command::Drill { candidate, endpoint: endpoint.into() };
    assert!(matches!(world.ask("ada", &[], drill("prod-0")), Err(Refusal::WrongState { .. })), "production");
    world.ask("ada", &[], drill("test-0")).unwrap();
    let trial = world.rollouts_of(candidate)[0];
    world.pass(HOUR);
    assert_eq!(world.phase(trial, "test-0"), Phase::RolledBack);
    assert_eq!(world.levels["test-0"], "1.0", "the old level was seen");
    assert!(!world.fleet.is_held(candidate, world.fleet.endpoint_ix("test-0").unwrap()), "nothing was wrong");
    assert!(matches!(tried(&world)[..], [(RollbackPath::Reinstall, Some((_, true)))]));
    assert!(
        matches!(world.ask("ada", &[], drill("test-0")), Err(Refusal::WrongState { .. })),
        "it is back already"
    );
    assert!(world.orders.iter().all(|o| !matches!(o, Order::Revert(_)) || o.endpoint().as_str() == "test-0"));
}

#[test]
fn a_drill_that_fails_says_so_and_does_not_count() {
    let (mut world, candidate) = rolled_out();
    world.cut_off.insert("test-0".into(), 9);
    world.ask("ada", &[], Command::Drill { candidate, endpoint: "test-0".into() }).unwrap();
    world.pass(HOUR);
    assert!(matches!(tried(&world)[..], [(RollbackPath::Reinstall, Some((_, false)))]));
    assert!(
        world
            .notices
            .iter()
            .any(|n| n == "the drill on test-0 failed: installing the previous version did not lead back")
    );
    let due = world.fleet.ways_back().next().unwrap().due.unwrap();
    assert!(due < world.now.plus_secs(90 * DAY), "the quarter counts from the first use");
}

#[test]
fn a_way_back_that_nobody_tries_for_a_quarter_is_told_of_once() {
    let (mut world, candidate) = rolled_out();
    let overdue = |world: &World| count(world, |fact| matches!(fact, RichFact::DrillOverdue { .. }));
    world.pass(89 * DAY);
    assert_eq!(overdue(&world), 0);
    world.pass(60 * DAY);
    assert_eq!(overdue(&world), 1);
    assert!(
        world
            .notices
            .iter()
            .any(|n| n == "a drill is overdue: installing the previous version has never been tried")
    );
    world.ask("ada", &[], Command::Drill { candidate, endpoint: "test-0".into() }).unwrap();
    world.pass(89 * DAY);
    assert_eq!(overdue(&world), 1, "a drill that led back starts a new quarter");
    world.pass(2 * DAY);
    assert_eq!(overdue(&world), 2);
}

#[test]
fn a_way_back_that_has_ended_by_the_time_of_the_order_starts_nothing() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(690);
    let rollout = world.deployment_of(candidate);
    let second = world.ring(rollout, 1);
    let need = |world: &World, name: &str, until| NeedSeen {
        path_valid_until: until,
        why: None,
        ..NeedSeen::needs(
            world.fleet.endpoint_ix(name).unwrap(),
            Some(Arc::from("1.0")),
            RollbackPath::Reinstall,
        )
    };
    let (short, long) = (world.now.plus_secs(60), world.now.plus_secs(30 * DAY));
    let needs = vec![need(&world, &second[0], Some(short)), need(&world, &second[1], Some(long))];
    world.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
    world.pass(2000);
    assert_eq!(world.phase(rollout, &second[1]), Phase::Verified);
    assert_eq!(world.phase(rollout, &second[0]), Phase::Waiting);
    assert_eq!(world.installs_of(&second[0]), 0);
    let ix = world.fleet.endpoint_ix(&second[0]).unwrap();
    let step = patchflow_core::report::explain(&world.fleet, ix, candidate);
    let text = &step.deciding().unwrap().text;
    assert!(text.contains(&format!("its way back held until {short}")), "{text}");
    let asked = format!("{}: its way back held until {short}; look at it again", second[0]);
    assert!(world.notices.contains(&asked), "{:?}", world.notices);
    // The new look finds the way open again.
    let needs = vec![need(&world, &second[0], None)];
    world.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
    world.pass(2000);
    assert_eq!(world.phase(rollout, &second[0]), Phase::Verified);
}

#[test]
fn a_way_back_that_is_gone_by_the_time_of_the_order_starts_nothing() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(690);
    let rollout = world.deployment_of(candidate);
    let name = world.ring(rollout, 1)[0].clone();
    let endpoint = world.fleet.endpoint_ix(&name).unwrap();
    let needs = vec![NeedSeen::needs(endpoint, Some(Arc::from("1.0")), RollbackPath::None)];
    world.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
    world.pass(2000);
    assert_eq!((world.phase(rollout, &name), world.installs_of(&name)), (Phase::Held, 0));
}

#[test]
fn what_a_look_finds_between_two_attempts_does_not_take_the_recorded_way_back() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(690);
    let rollout = world.deployment_of(candidate);
    let name = world.ring(rollout, 1)[0].clone();
    world.script.insert(name.clone(), Does::FailsFirst(1, FailureKind::Network));
    let mut minutes = 0;
    while world.phase(rollout, &name) != Phase::Backoff && minutes < 100 {
        world.pass(30);
        minutes += 1;
    }
    // The first attempt left the new version there, half installed: from that nobody knows a way back.
    let endpoint = world.fleet.endpoint_ix(&name).unwrap();
    let needs = vec![NeedSeen::needs(endpoint, Some(Arc::from("1.1")), RollbackPath::None)];
    world.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
    world.pass(12 * HOUR);
    assert_eq!((world.phase(rollout, &name), world.installs_of(&name)), (Phase::Verified, 2));
}

#[test]
fn a_hold_does_not_hold_a_newer_version_and_holds_the_same_one_under_other_content() {
    let mut policy = policy();
    policy.rollback.on_failure = OnFailure::RollBack;
    let mut world = World::new(10, 2, policy);
    world.script.extend((0..10).map(|i| (format!("prod-{i}"), Does::Sickens)));
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(4 * HOUR);
    let victim = world.ring(world.deployment_of(candidate), 0)[0].clone();
    let ix = world.fleet.endpoint_ix(&victim).unwrap();
    assert!(world.fleet.is_held(candidate, ix));
    world.script.clear();
    let mut rebuilt = patch("webd", "1.1");
    rebuilt.content = patchflow_core::digest::Digest::of(b"rebuilt");
    let rebuilt = world.publish(rebuilt);
    assert!(world.fleet.is_held(rebuilt, ix), "it is the same version");
    world.pass(12 * HOUR);
    assert_eq!(world.installs_of(&victim), 1);
    let mut newer = patch("webd", "1.2");
    newer.relations.supersedes = vec!["webd=1.1".into()];
    let newer = world.publish(newer);
    world.pass(12 * HOUR);
    assert_eq!(world.phase(world.deployment_of(newer), &victim), Phase::Verified);
    assert!(world.now > start());
}

#[test]
fn a_withdrawal_lists_what_is_installed_and_what_is_in_flight() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(1450);
    let rollout = world.deployment_of(candidate);
    for name in world.ring(rollout, 2) {
        world.script.insert(name, Does::GoesSilent);
    }
    world.pass(700);
    let withdraw = Command::Withdraw { candidate, reason: "the vendor pulled it".into() };
    let outcome = world.ask("ada", &[], withdraw).unwrap();
    // The trial's 2, the pilot's 2, the second ring's 8; the third ring is at it.
    let expected = patchflow_core::fleet::Outcome::Stopped { installed: 12, in_flight: 10 };
    assert_eq!(outcome, expected);
    let installed: Vec<_> = world.fleet.installed(candidate).collect();
    assert_eq!(installed.len(), 12);
    let notice = world.notices.iter().find(|n| n.contains("was withdrawn")).unwrap();
    assert!(notice.contains("installed on 12") && notice.contains("under way on 10"), "{notice}");
}

#[test]
fn a_ring_holds_while_a_way_back_from_what_it_installed_has_ended() {
    let waiver = || patchflow_core::policy::WaiverByName { by: "ada".into(), reason: "a test".into() };
    for (waived, lasts, ring) in [(false, 60, 0), (true, 60, 1), (false, 30 * DAY, 1)] {
        let mut policy = policy();
        policy.rings.iter_mut().for_each(|ring| ring.gate.hold_secs_max = 30 * DAY as u32);
        policy.rollback.without_path = waived.then(waiver);
        let mut world = World::new(40, 2, policy);
        let candidate = world.publish(patch("webd", "1.1"));
        while world.rollouts_of(candidate).len() < 2 {
            world.pass(10);
        }
        world.pass(300);
        let rollout = world.deployment_of(candidate);
        let pilot = world.ring(rollout, 0);
        assert_eq!(world.phase(rollout, &pilot[0]), Phase::Verified);
        let has = |world: &World, until| NeedSeen {
            standing: patchflow_core::fleet::Standing::Has,
            path_valid_until: until,
            why: None,
            ..NeedSeen::needs(
                world.fleet.endpoint_ix(&pilot[0]).unwrap(),
                Some(Arc::from("1.1")),
                RollbackPath::Reinstall,
            )
        };
        let until = world.now.plus_secs(lasts);
        let needs = vec![has(&world, Some(until))];
        world.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
        world.pass(HOUR);
        let opened = |world: &World| {
            let rings = world.fleet.rollout(rollout).unwrap().rings();
            usize::from(rings[1].opened_at().is_some())
        };
        assert_eq!(opened(&world), ring, "{waived} {lasts}");
        if ring == 1 {
            continue;
        }
        let last = world.ring(rollout, 3)[0].clone();
        let ix = world.fleet.endpoint_ix(&last).unwrap();
        let said = patchflow_core::report::explain(&world.fleet, ix, candidate).sentence();
        let why = format!(
            "the way back of 1 verified has ended and must be looked at again ({} at {until}); it passes when they are told \
             anew",
            pilot[0]
        );
        assert!(said.contains(&why), "{said}");
        let mut replayed = patchflow_core::fleet::Fleet::replay(world.journal.iter().cloned()).unwrap();
        replayed.observe(world.now, Observation::Time, &mut Outbox::new());
        assert_eq!(patchflow_core::report::explain(&replayed, ix, candidate).sentence(), said);
        let needs = vec![has(&world, Some(until.plus_secs(60 * DAY)))];
        world.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
        assert_eq!(opened(&world), 1, "told anew, it passes at once");
    }
}
