//! Rounds of readings, and the reading before an order.

use super::{HOUR, direct, explained, rollout};
use crate::world::{Does, World};
use patchflow_core::doc::patch;
use patchflow_core::fleet::{Effect, Fleet, Observation};
use patchflow_core::policy::Policy;
use patchflow_core::rollout::Phase;

const DAY: u64 = 24 * HOUR;

/// Once a day, spread over four hours.
fn daily() -> Policy {
    let mut policy = direct();
    policy.endpoints.scan_every_secs = Some(DAY as u32);
    policy
}

#[test]
fn every_endpoint_is_read_once_a_day_in_turns_and_answers_leave_no_facts() {
    let mut world = World::new(320, 0, daily());
    let before = world.journal.len();
    world.pass(DAY - 1);
    assert_eq!(world.scans, 0);
    world.pass(5 * HOUR);
    assert_eq!(world.scans, 320, "each once");
    let sizes: Vec<_> = world.scanned.iter().map(|(_, n)| *n).collect();
    assert_eq!(sizes, [64; 5], "at a bounded rate");
    let pauses: Vec<_> = world.scanned.windows(2).map(|two| two[1].0.since(two[0].0).as_secs()).collect();
    assert_eq!(pauses, [4 * HOUR / 5; 4]);
    assert_eq!(world.journal.len() - before, 10, "a turn is asked and ends; nothing else is written");
    world.pass(3 * DAY);
    assert_eq!(world.scans, 4 * 320);
}

#[test]
fn who_is_not_read_in_a_round_is_stale_and_asked_for_a_few_times() {
    let mut world = World::new(130, 0, daily());
    world.unread.insert("prod-7".into());
    world.pass(DAY + 4 * HOUR + 1);
    let stale: Vec<_> = world.fleet.endpoints().filter(|there| there.stale_since().is_some()).collect();
    assert_eq!(stale.iter().map(|there| there.id().as_str()).collect::<Vec<_>>(), ["prod-7"]);
    world.pass(8 * HOUR);
    assert_eq!(world.scans, 130 + 3);
    let (candidate, rollout) = rollout(&mut world);
    world.pass(HOUR);
    assert_eq!((world.installs_of("prod-7"), world.phase(rollout, "prod-7")), (0, Phase::Waiting));
    assert!(explained(&world, candidate, "prod-7").contains("could not be read since"));
}

#[test]
fn who_is_out_of_contact_is_left_out_of_a_round() {
    let mut world = World::new(130, 0, daily());
    super::unreachable(&mut world, &["prod-7"]);
    world.pass(DAY + 6 * HOUR);
    assert_eq!(world.scans, 129);
    assert_eq!(world.fleet.endpoint(super::ix(&world, "prod-7")).unwrap().stale_since(), None);
}

#[test]
fn a_new_patch_starts_a_round_and_two_in_a_row_start_no_two_at_once() {
    let mut policy = direct();
    policy.endpoints.scan_on_candidate = true;
    let mut world = World::new(128, 0, policy);
    world.publish(patch("openssl", "3.0.22"));
    assert_eq!(world.scanned, [(world.now, 64)], "at once");
    world.publish(patch("curl", "8.1"));
    world.publish(patch("zlib", "1.4"));
    world.pass(HOUR);
    assert_eq!(world.scans, 64, "the rate is kept");
    world.pass(12 * HOUR);
    assert_eq!(world.scans, 256, "one more round for all that came meanwhile");
}

#[test]
fn a_crash_in_a_turn_asks_again_and_makes_nobody_stale() {
    let mut world = World::new(10, 0, daily());
    world.pass(DAY);
    assert_eq!(world.scans, 10);
    world.lose_everything_on_its_way();
    world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
    let again: Vec<_> = world.fleet.outstanding().collect();
    assert!(matches!(&again[..], [Effect::Scan { endpoints }] if endpoints.len() == 10), "{again:?}");
    again.into_iter().for_each(|effect| world.carry_out_again(effect));
    world.pass(2 * HOUR);
    assert_eq!(world.fleet.endpoints().filter(|there| there.stale_since().is_some()).count(), 0);
}

#[test]
fn every_endpoint_is_read_before_its_order_and_no_more_than_could_start() {
    let mut policy = direct();
    policy.endpoints.scan_before_order = true;
    policy.deploy.in_flight_max = 2;
    let mut world = World::new(9, 0, policy);
    let (_, rollout) = rollout(&mut world);
    assert_eq!((world.scans, world.orders.len()), (2, 0));
    world.pass(59);
    assert_eq!((world.scans, world.orders.len()), (2, 0));
    world.pass(1);
    assert_eq!(world.orders.len(), 2);
    world.pass(HOUR);
    assert_eq!(world.fleet.rollout(rollout).unwrap().counts().verified, 9);
    assert_eq!(world.scans, 9, "each once");
    assert!(world.scanned.iter().all(|(_, n)| *n <= 2));
}

#[test]
fn a_reading_for_an_order_grows_old() {
    for (wait, scans) in [(1800, 1), (3 * HOUR as u32, 2)] {
        let mut policy = direct();
        policy.endpoints.scan_before_order = true;
        (policy.retry.backoff_secs, policy.retry.backoff_secs_max) = (wait, wait);
        policy.retry.jitter = patchflow_core::gate::Percent::whole(0);
        let mut world = World::new(1, 0, policy);
        world.script.insert("prod-0".into(), Does::FailsFirst(1, patchflow_core::error::FailureKind::Busy));
        rollout(&mut world);
        world.pass(4 * HOUR);
        assert_eq!((world.installs_of("prod-0"), world.scans), (2, scans));
    }
}

#[test]
fn who_cannot_be_read_before_its_order_keeps_nobody_else_from_starting() {
    let mut policy = direct();
    policy.endpoints.scan_before_order = true;
    policy.deploy.in_flight_max = 1;
    let mut world = World::new(3, 0, policy);
    world.unread.insert("prod-1".into());
    let (_, rollout) = rollout(&mut world);
    world.pass(6 * HOUR);
    let counts = world.fleet.rollout(rollout).unwrap().counts();
    assert_eq!((counts.verified, counts.waiting), (2, 1));
    // Told by itself, it goes on.
    let endpoints = super::some(&world, &["prod-1"]);
    world.unread.clear();
    world.see(Observation::Read { endpoints });
    world.pass(HOUR);
    assert_eq!(world.fleet.rollout(rollout).unwrap().counts().verified, 3);
}
