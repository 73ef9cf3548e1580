//! Random histories: the engine and the model must agree after every input.

use crate::knobs::{Knobs, knobs};
use crate::pair::{Happens, Pair, calm, happens};
use patchflow_testkit::model::Mutation;
use proptest::prelude::*;

/// Lives through one history; where the two part, the inputs up to there and what differs.
pub(crate) fn live(knobs: &Knobs, story: &[Happens], mutation: Option<Mutation>) -> Result<(), String> {
    let mut pair = Pair::new(knobs, mutation);
    for what in story {
        if !pair.parted.is_empty() {
            break;
        }
        pair.happen(what);
    }
    if pair.parted.is_empty() { Ok(()) } else { Err(pair.difference()) }
}

pub(crate) fn stories(len: usize) -> impl Strategy<Value = Vec<Happens>> {
    let of = |it: BoxedStrategy<Happens>| prop::collection::vec(it, 1..len);
    prop_oneof![of(happens().boxed()), of(calm().boxed())]
}

/// `PATCHFLOW_HISTORIES=n` lives through n histories instead of the few of an ordinary run.
fn cases() -> u32 {
    std::env::var("PATCHFLOW_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 20_000, max_shrink_time: 15_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_model_says(knobs in knobs(), story in stories(80)) {
        if let Err(difference) = live(&knobs, &story, None) {
            prop_assert!(false, "{difference}");
        }
    }
}
