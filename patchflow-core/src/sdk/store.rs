//! Journal stores: one stream for each fleet, appended with the expected tail.

use super::{BackendError, Manifest};
use crate::digest::Digest;
use crate::fleet::Persisted;
use crate::ids::{FleetId, Seq};
use crate::journal::{Record, Tail};
use alloc::boxed::Box;
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

    /// The records that hold `from` and what follows, up to about `bytes_max` of payload, at least one if there is one.
    /// Baselines come in their place, before the record that starts at the same sequence.
    ///
    /// # Errors
    /// The backend's own.
    async fn read(&self, fleet: FleetId, from: Seq, bytes_max: usize) -> Result<Vec<Record>, BackendError>;

    /// The latest baseline and the head of the chain *before* it; `None` when there is none.
    ///
    /// # Errors
    /// The backend's own.
    async fn latest_baseline(&self, fleet: FleetId) -> Result<Option<(Record, Digest)>, BackendError>;

    /// The fleets that have a stream, from `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// The backend's own.
    async fn fleets(&self, after: Option<FleetId>, limit: usize) -> Result<Vec<FleetId>, BackendError>;

    /// Drops the payloads of records that end before `before`, keeping their headers. Returns how many were dropped.
    ///
    /// # Errors
    /// The backend's own; refused when no baseline stands at or after `before`.
    async fn prune(&self, fleet: FleetId, before: Seq) -> Result<u64, BackendError>;
}
