//! Random histories: the engine and the model must agree after every input.

use crate::knobs::{Knobs, knobs};
use crate::pair::{Happens, Player, calm, happens, machines, replacing};
use patchflow_testkit::model::Mutation;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Lives through one history; where the two part, the inputs up to there and what differs.
pub(crate) fn live(knobs: &Knobs, story: &[Happens], mutation: Option<Mutation>) -> Result<(), String> {
    let mut player = Player::new(knobs, mutation);
    for what in story {
        if !player.pair.parted.is_empty() {
            break;
        }
        player.happen(what);
    }
    if player.pair.parted.is_empty() { Ok(()) } else { Err(player.pair.difference()) }
}

pub(crate) fn stories(len: usize) -> impl Strategy<Value = Vec<Happens>> {
    let of = |it: BoxedStrategy<Happens>| prop::collection::vec(it, 1..len);
    prop_oneof![of(happens().boxed()), of(calm().boxed()), of(replacing().boxed()), of(machines().boxed())]
}

/// `PATCHFLOW_HISTORIES=n` lives through n histories that nobody has seen before; an ordinary run through the same few
/// each time.
fn config() -> ProptestConfig {
    let asked = std::env::var("PATCHFLOW_HISTORIES").ok().and_then(|n| n.parse().ok());
    let (cases, rng_seed) = asked.map_or((200, RngSeed::Fixed(1)), |cases| (cases, RngSeed::Random));
    let base = ProptestConfig { cases, rng_seed, ..ProptestConfig::default() };
    ProptestConfig { max_shrink_iters: 20_000, max_shrink_time: 15_000, failure_persistence: None, ..base }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_engine_does_what_the_model_says(knobs in knobs(), story in stories(80)) {
        if let Err(difference) = live(&knobs, &story, None) {
            prop_assert!(false, "{difference}");
        }
    }
}
