//! Can the comparison fail? Every wrong rule on the list must be found within a few histories.

use crate::histories::{live, stories};
use crate::knobs::knobs;
use patchflow_testkit::model::Mutation;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Histories that one wrong rule may survive.
const HISTORIES: u32 = 700;

#[test]
fn every_wrong_rule_is_found() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = (knobs(), stories(80));
    let mut alive: Vec<Mutation> = Mutation::ALL.to_vec();
    let mut found = Vec::new();
    for n in 0..HISTORIES {
        if alive.is_empty() {
            break;
        }
        let (knobs, story) = strategy.new_tree(&mut runner).expect("a history").current();
        // Only a history on which the right model agrees says something about a wrong one.
        if live(&knobs, &story, None).is_err() {
            continue;
        }
        alive.retain(|mutation| {
            let survives = live(&knobs, &story, Some(*mutation)).is_ok();
            if !survives {
                found.push((*mutation, n));
            }
            survives
        });
    }
    let last = found.iter().map(|(_, n)| n).max();
    assert!(
        alive.is_empty(),
        "not found in {HISTORIES} histories: {alive:?}; the last found was at {last:?}: {found:?}"
    );
}
