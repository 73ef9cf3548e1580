//! Where a stream ends and where its records stand, for the stores that keep them in ordered tables.
//!
//! A record's place is its first sequence and a slot: baselines take no sequence, so they stand at the sequence that
//! follows, in slots of their own before the record that starts there.

use patchflow_core::fleet::Persisted;
use patchflow_core::ids::Seq;
use patchflow_core::journal::{Record, RecordKind, Tail};
use patchflow_core::sdk::{Append, AppendError, BackendError};

/// The end of a stream as a store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamEnd {
    pub(super) tail: Tail,
    /// The slot of the record that comes next: how many baselines stand at `tail.next`.
    pub(super) slot: u32,
}

impl StreamEnd {
    pub(super) const EMPTY: Self = Self { tail: Tail::EMPTY, slot: 0 };

    /// Whether the append goes on from here.
    pub(super) fn admits(&self, append: &Append) -> Result<(), AppendError> {
        append.check()?;
        if self.tail == append.expected { Ok(()) } else { Err(AppendError::Conflict { actual: self.tail }) }
    }

    /// The slot of a record that follows, and the end after it.
    pub(super) fn advance(&mut self, record: &Record) -> u32 {
        let slot = self.slot;
        self.tail = Tail { next: record.last.next(), head: record.head };
        self.slot = if record.kind == RecordKind::Baseline { slot + 1 } else { 0 };
        slot
    }
}

/// The receipt for an append that was stored.
pub(super) fn receipt(append: &Append) -> Persisted {
    let Tail { next, head } = append.tail_after();
    Persisted { fleet: append.fleet, through: Seq(next.0 - 1), head }
}

/// The kind that a number on disk stands for.
pub(super) fn kind_of(number: i64) -> Result<RecordKind, BackendError> {
    [RecordKind::Rich, RecordKind::Frame, RecordKind::Baseline]
        .into_iter()
        .find(|kind| i64::from(*kind as u8) == number)
        .ok_or_else(|| BackendError::lasting(format!("read a record of the unknown kind {number}")))
}
