//! Journal stores: one stream for each fleet, appended with the expected tail.

use super::{BackendError, Manifest};
use crate::digest::Digest;
use crate::fleet::Persisted;
use crate::ids::{FleetId, Seq};
use crate::journal::{Record, RecordKind, Tail};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use async_trait::async_trait;

/// Records to append to one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The stream.
    pub fleet: FleetId,
    /// Where the stream must end now.
    pub expected: Tail,
    /// The records, in sequence; not empty.
    pub records: Vec<Record>,
}

impl Append {
    /// Where the stream ends afterwards.
    #[must_use]
    pub fn tail_after(&self) -> Tail {
        self.records.last().map_or(self.expected, |last| Tail { next: last.last.next(), head: last.head })
    }

    /// Whether there are records and each goes on where the one before it ends, the first at the expected tail.
    ///
    /// Stores ask this before they look at the stream, so that a caller's mistake never becomes a gap in a journal.
    /// Heads are not checked: a store takes headers, payloads and heads as they are.
    ///
    /// # Errors
    /// A lasting error that names the stream and the sequence that does not fit.
    pub fn check(&self) -> Result<(), BackendError> {
        let refused = |what| Err(BackendError::lasting(format!("append to {}: {what}", self.fleet)));
        if self.records.is_empty() {
            return refused("it holds no records".into());
        }
        let mut next = self.expected.next;
        for record in &self.records {
            let (first, last) = (record.first, record.last);
            let fits = match record.kind {
                RecordKind::Rich | RecordKind::Frame => first <= last && last.0 < u64::MAX,
                RecordKind::Baseline => last.0.checked_add(1) == Some(first.0),
            };
            if first != next || !fits {
                return refused(format!(
                    "a {:?} record of {first} to {last} cannot stand at {next}",
                    record.kind
                ));
            }
            next = last.next();
        }
        Ok(())
    }
}

/// Why records were not appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The stream ends elsewhere: somebody else writes it, or these records are stored already. Nothing was stored.
    #[error("the stream ends at {}, not where the append expected it", .actual.next)]
    Conflict {
        /// Where it ends.
        actual: Tail,
    },
    /// The store failed, and whether the records are stored is not known. The identical append may be repeated.
    #[error("the journal store failed")]
    Failed(#[from] BackendError),
}

/// Keeps journals.
///
/// `append` is durable on return: what it acknowledged survives a power cut.
#[async_trait]
pub trait JournalStore: Send + Sync {
    /// How the plugin introduces itself.
    fn manifest(&self) -> Manifest;

    /// Appends to some streams in one commit. One result for each append, in their order; a stream is appended to
    /// whole or not at all, and a conflict in one does not hinder the others.
    async fn append(&self, batch: &[Append]) -> Vec<Result<Persisted, AppendError>>;

    /// Where a stream ends; [`Tail::EMPTY`] when there is none.
    ///
    /// # Errors
    /// The backend's own.
    async fn tail(&self, fleet: FleetId) -> Result<Tail, BackendError>;

    /// The record that holds `from` and what follows, up to `bytes_max` of payload, at least one if there is one.
    ///
    /// Baselines come in their place, before the record that starts at the same sequence, and are never parted from
    /// it by the end of a page; those at the stream's end come with the last record, beyond `bytes_max` if need be.
    /// So reading on at the last record's `last.next()` until that is the tail's gives every record once. From the
    /// tail's own sequence there are only the baselines that stand at it.
    ///
    /// # Errors
    /// The backend's own.
    async fn read(&self, fleet: FleetId, from: Seq, bytes_max: usize) -> Result<Vec<Record>, BackendError>;

    /// The latest baseline and the head of the chain *before* it; `None` when there is none.
    ///
    /// # Errors
    /// The backend's own.
    async fn latest_baseline(&self, fleet: FleetId) -> Result<Option<(Record, Digest)>, BackendError>;

    /// The fleets that have a stream, those greater than `after`, in ascending order, at most `limit`.
    ///
    /// # Errors
    /// The backend's own.
    async fn fleets(&self, after: Option<FleetId>, limit: usize) -> Result<Vec<FleetId>, BackendError>;

    /// Drops the payloads of records that end before `before` and of baselines that stand before it, keeping their
    /// headers. Returns how many were dropped now.
    ///
    /// # Errors
    /// The backend's own; refused when no baseline stands at or after `before`.
    async fn prune(&self, fleet: FleetId, before: Seq) -> Result<u64, BackendError>;
}
