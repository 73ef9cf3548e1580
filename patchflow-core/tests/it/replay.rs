//! Replay equals live, from the first fact, from every baseline, and after a crash at every fact.

use crate::world::{Does, World, policy};
use patchflow_core::doc::patch;
use patchflow_core::error::{CorruptJournal, FailureKind, Flaw};
use patchflow_core::fleet::{Fact, Fleet, Observation, Outbox, Recorded};
use patchflow_core::ids::Seq;
use patchflow_core::rollout::Event;

fn eventful() -> World {
    let mut policy = policy();
    policy.retry.on.push(FailureKind::ScriptFailed);
    let mut world = World::new(40, 3, policy);
    world.script.insert("prod-3".into(), Does::FailsFirst(1, FailureKind::ScriptFailed));
    world.publish(patch("good", "1.1"));
    world.pass(3 * 3600);
    world.script.extend((0..40).map(|i| (format!("prod-{i}"), Does::Sickens)));
    let mut feature = patch("feature", "1.1");
    feature.category = patchflow_core::catalog::Category::Feature;
    let candidate = world.publish(feature);
    let approve = patchflow_core::fleet::Command::Approve { candidate, reason: "why not".into() };
    world.ask("ada", &["change-manager"], approve).unwrap();
    world.pass(6 * 3600);
    world
}

#[test]
fn replay_equals_live() {
    let world = eventful();
    let mut replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert!(world.journal.len() > 200);
    assert_eq!(replayed.baseline(), world.fleet.baseline(), "byte for byte");
    let mut out = Outbox::new();
    replayed.observe(world.now, Observation::Time, &mut out);
    assert!(out.is_empty(), "nothing was left to decide");
    assert_eq!(replayed.next_deadline(), world.fleet.next_deadline());
}

#[test]
fn a_baseline_and_the_rest_equal_the_whole() {
    let world = eventful();
    let whole = world.fleet.baseline();
    for cut in (1..world.journal.len()).step_by(7) {
        let (before, after) = world.journal.split_at(cut);
        let baseline = Fleet::replay(before.iter().cloned()).unwrap().baseline();
        let resumed = Fleet::resume(&baseline, after.iter().cloned()).unwrap();
        assert_eq!(resumed.baseline(), whole, "cut at {cut}");
    }
}

#[test]
fn a_damaged_baseline_is_an_error_and_never_a_panic() {
    let bytes = eventful().fleet.baseline();
    assert!(Fleet::resume(&[], []).is_err());
    for cut in (0..bytes.len()).step_by(97) {
        assert!(Fleet::resume(&bytes[..cut], []).is_err(), "cut at {cut}");
    }
    for at in (0..bytes.len()).step_by(61) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x55;
        // The chain over the record finds every flip; here only a panic would be wrong.
        let _ = Fleet::resume(&flipped, []);
    }
}

#[test]
fn a_fact_that_does_not_fit_is_named() {
    let world = eventful();
    let mut journal = world.journal.clone();
    let at = journal
        .iter()
        .position(|r| matches!(r.fact, Fact::Endpoint(f) if f.event == Event::Verified))
        .unwrap();
    if let Fact::Endpoint(fact) = &mut journal[at].fact {
        fact.event = Event::Released;
    }
    let CorruptJournal { seq, flaw } = Fleet::replay(journal).unwrap_err();
    assert_eq!(seq, Seq(at as u64 + 1));
    assert!(matches!(flaw, Flaw::Misfit { .. }), "{flaw}");
    let mut gap: Vec<Recorded> = world.journal.clone();
    gap.remove(10);
    let error = Fleet::replay(gap).unwrap_err();
    assert_eq!(error.to_string(), "journal is corrupt at #12: expected sequence #11");
}

#[test]
fn a_crash_after_any_fact_loses_nothing_and_installs_nothing_twice() {
    let whole = eventful();
    for crash in (20..whole.journal.len()).step_by(3) {
        let mut world = eventful_until(crash);
        world.pass(24 * 3600);
        for rollout in world.fleet.rollouts() {
            assert!(rollout.is_at_rest(), "crash after {crash}: {} is {:?}", rollout.id(), rollout.state());
        }
    }
}

/// The same story up to one fact; then the process is gone, and a new one comes up on the stored facts.
fn eventful_until(crash: usize) -> World {
    let mut world = eventful();
    let kept = world.journal[..crash].to_vec();
    let last = kept.last().unwrap().at;
    world.lose_everything_on_its_way();
    world.now = last.plus_secs(30);
    world.fleet = Fleet::replay(kept.iter().cloned()).unwrap();
    world.journal = kept;
    world.out = patchflow_core::fleet::Outbox::new();
    let outstanding: Vec<_> = world.fleet.outstanding().collect();
    outstanding.into_iter().for_each(|effect| world.carry_out_again(effect));
    world
}
