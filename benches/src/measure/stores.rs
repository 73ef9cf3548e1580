//! Streams that grow by one record each.

use patchflow_core::fleet::{Fact, Recorded, RichFact};
use patchflow_core::ids::{FleetId, RolloutId};
use patchflow_core::journal::{Encoder, Tail};
use patchflow_core::sdk::Append;
use patchflow_core::time::Timestamp;

/// Some streams, each of its own fleet.
pub(crate) struct Streams(Vec<(FleetId, Encoder)>);

impl Streams {
    pub(crate) fn new(streams: usize) -> Self {
        let stream = |id| (FleetId(id), Encoder::new(FleetId(id), Tail::EMPTY));
        Self((0..streams as u64).map(stream).collect())
    }

    /// The next record of each stream; they are taken as stored.
    pub(crate) fn next(&mut self) -> Vec<Append> {
        let append = |(fleet, encoder): &mut (FleetId, Encoder)| {
            let expected = encoder.tail();
            let fact = Fact::from(RichFact::RingOpened { rollout: RolloutId(1), ring: 0 });
            let at = Timestamp::from_secs(1_800_000_000);
            let mut records = Vec::new();
            let after = encoder.encode(&[Recorded { seq: expected.next, at, fact }], &mut records);
            encoder.move_to(after.expect("the fact can be written"));
            Append { fleet: *fleet, expected, records }
        };
        self.0.iter_mut().map(append).collect()
    }
}
