//! The last instant that can be written down: nothing is later, so whatever is set anew is due at once.

use crate::budgets::at_once;
use crate::world::{Does, World};
use patchflow_core::candidate::Candidate;
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::Observation;
use patchflow_core::time::Timestamp;

/// More facts than this many endpoints can have without going round in circles.
const FACTS_MAX: usize = 2000;

/// Lets the world look at the clock again and again, until that changes nothing more.
fn comes_to_rest(world: &mut World) {
    for _ in 0..200 {
        let before = world.journal.len();
        world.see(Observation::Time);
        assert!(world.journal.len() < FACTS_MAX, "{} facts", world.journal.len());
        if world.journal.len() == before {
            return;
        }
    }
    panic!("it never comes to rest: {:?}", world.journal.iter().rev().take(6).collect::<Vec<_>>());
}

#[test]
fn at_the_end_of_time_an_approval_ends_and_is_not_given_anew_without_end() {
    let mut world = World::new(3, 0, at_once());
    let candidate = world.publish(patch("openssl", "2.0"));
    world.pass(24 * 3600);
    assert!(matches!(world.fleet.candidate(candidate), Some(Candidate::Approved(_))));
    world.now = Timestamp::MAX;
    comes_to_rest(&mut world);
    assert_eq!(world.fleet.candidate(candidate).map(Candidate::state), Some("waiting for approval"));
    let second = world.publish(patch("webd", "2.0"));
    comes_to_rest(&mut world);
    assert!(world.rollouts_of(second).is_empty(), "nothing is approved that ends as it begins");
}

#[test]
fn whatever_is_under_way_at_the_end_of_time_comes_to_rest() {
    let does = [
        None,
        Some(Does::Fails(FailureKind::Busy)),
        Some(Does::GoesSilent),
        Some(Does::Offline),
        Some(Does::Sickens),
        Some(Does::WantsReboot),
        Some(Does::Unreadable),
    ];
    for secs in [0, 30, 65, 700, 3000] {
        let mut policy = at_once();
        policy.deploy.hooks.pre = Some("drain".into());
        policy.deploy.hooks.post = Some("resume".into());
        policy.rollback.on_failure = patchflow_core::policy::OnFailure::RollBack;
        policy.endpoints.scan_every_secs = Some(86_400);
        policy.endpoints.scan_before_order = true;
        let mut world = World::new(does.len() as u32, 0, policy);
        for (i, does) in does.iter().enumerate() {
            world.script.extend(does.clone().map(|does| (format!("prod-{i}"), does)));
        }
        world.publish(patch("openssl", "2.0"));
        world.pass(secs);
        world.lose_everything_on_its_way();
        for before in [1, 0] {
            world.now = Timestamp::from_millis(Timestamp::MAX.as_millis() - before);
            comes_to_rest(&mut world);
        }
    }
}
