//! From records straight to a fleet.

use super::decode::Opened;
use super::{Record, Tail, decode};
use crate::error::CorruptJournal;
use crate::fleet::{Fleet, Replay};
use crate::ids::FleetId;
use core::borrow::Borrow;

/// The fleet that the records after `start` built, and where they end: [`decode`] and [`Fleet::replay`] in one, frame by
/// frame instead of fact by fact. `baseline` is the state that the records follow, as [`open_baseline`](super::open_baseline)
/// gives it; `None` when they begin with the founding.
///
/// # Errors
/// [`CorruptJournal`] at the first record that cannot be verified or read, or the first fact that does not fit.
pub fn replay<I>(
    fleet: FleetId,
    start: Tail,
    baseline: Option<&[u8]>,
    records: I,
) -> Result<(Fleet, Tail), CorruptJournal>
where
    I: IntoIterator<Item: Borrow<Record>>,
{
    let mut replay = match baseline {
        Some(bytes) => Replay::from_baseline(bytes)?,
        None => Replay::default(),
    };
    let mut decoder = decode(fleet, start, records);
    while let Some(opened) = decoder.open_next()? {
        match opened {
            Opened::Rich(fact) => replay.one(fact)?,
            Opened::Frame { first, facts } => replay.frame(first, facts)?,
            Opened::Baseline => {}
        }
    }
    Ok((replay.finish()?, decoder.tail()))
}
