//! Can the comparison fail? Every wrong rule on the list must be found within a few histories.

use crate::histories::{live, stories};
use crate::knobs::knobs;
use patchflow_testkit::model::Mutation;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Wrong rules that take more histories than an ordinary run has: they need a rare meeting of circumstances.
const RARE: &[Mutation] = &[
    Mutation::RebootsAtAnyTime,
    Mutation::StartsWithoutAWayBack,
    Mutation::CountsSkipped,
    Mutation::BackoffStaysTheSame,
    Mutation::OnePersonIsAQuorum,
    Mutation::UnknownKeepsItsPlace,
    Mutation::ScopeIsAlwaysTheRing,
    Mutation::ShareIsAlwaysOfTheMembers,
    Mutation::NewcomersNeverWait,
    Mutation::NewcomersDoNotReopen,
    Mutation::TakenOutComesBack,
    Mutation::CatchUpIsAlwaysOn,
    Mutation::DeferredStayBehind,
    Mutation::CatchUpNeverStops,
    Mutation::NobodyAttaches,
    Mutation::LateReportsTakeAPlace,
    Mutation::NoHoldAfterRollback,
];

/// `PATCHFLOW_HISTORIES=n` looks for all of them, the rare ones included, in n histories.
#[test]
fn every_wrong_rule_is_found() {
    let wanted = std::env::var("PATCHFLOW_HISTORIES").ok().and_then(|n| n.parse::<u32>().ok());
    let histories = wanted.unwrap_or(250);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = (knobs(), stories(80));
    let mut alive: Vec<Mutation> = Mutation::ALL.to_vec();
    alive.retain(|mutation| wanted.is_some() || !RARE.contains(mutation));
    let mut found = Vec::new();
    for n in 0..histories {
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
        "not found in {histories} histories: {alive:?}; the last found was at {last:?}: {found:?}"
    );
}
