//! Journals in memory, for tests and simulations: nothing outlives the last handle.

use super::manifest;
use super::page::Page;
use async_trait::async_trait;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::Persisted;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{Record, RecordKind, Tail};
use patchflow_core::sdk::{Append, AppendError, BackendError, JournalStore, Manifest};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps journals in memory.
///
/// A clone is another handle on the same journals: what a second host, or the same host after a crash, would see. Its
/// futures are ready at once.
///
/// ```
/// use patchflow_backends::store::MemoryStore;
/// use patchflow_core::sdk::JournalStore;
/// let here = MemoryStore::new();
/// let elsewhere = here.clone();
/// assert_eq!(here.manifest(), elsewhere.manifest());
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    streams: Arc<Mutex<BTreeMap<FleetId, Vec<Record>>>>,
}

impl MemoryStore {
    /// A store without journals.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FleetId, Vec<Record>>> {
        // A stream changes in one `extend`; a panic elsewhere leaves nothing half done.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tail_of(stream: Option<&Vec<Record>>) -> Tail {
    stream
        .and_then(|records| records.last())
        .map_or(Tail::EMPTY, |last| Tail { next: last.last.next(), head: last.head })
}

fn append_one(
    streams: &mut BTreeMap<FleetId, Vec<Record>>,
    append: &Append,
) -> Result<Persisted, AppendError> {
    append.check()?;
    let actual = tail_of(streams.get(&append.fleet));
    if actual != append.expected {
        return Err(AppendError::Conflict { actual });
    }
    streams.entry(append.fleet).or_default().extend_from_slice(&append.records);
    let Tail { next, head } = append.tail_after();
    Ok(Persisted { fleet: append.fleet, through: Seq(next.0 - 1), head })
}

#[async_trait]
impl JournalStore for MemoryStore {
    fn manifest(&self) -> Manifest {
        manifest("memory", &[])
    }

    async fn append(&self, batch: &[Append]) -> Vec<Result<Persisted, AppendError>> {
        let mut streams = self.lock();
        batch.iter().map(|append| append_one(&mut streams, append)).collect()
    }

    async fn tail(&self, fleet: FleetId) -> Result<Tail, BackendError> {
        Ok(tail_of(self.lock().get(&fleet)))
    }

    async fn read(&self, fleet: FleetId, from: Seq, bytes_max: usize) -> Result<Vec<Record>, BackendError> {
        let streams = self.lock();
        let records = streams.get(&fleet).map_or(&[][..], Vec::as_slice);
        let mut start = records.partition_point(|record| record.first < from);
        if let Some(before) = start.checked_sub(1).and_then(|at| records.get(at))
            && before.kind != RecordKind::Baseline
            && before.last >= from
        {
            start -= 1;
        }
        let mut page = Page::new(bytes_max);
        for record in &records[start..] {
            if !page.admits(record.kind, record.payload.as_ref().map_or(0, Vec::len)) {
                break;
            }
            page.push(record.clone());
        }
        Ok(page.into_records())
    }

    async fn latest_baseline(&self, fleet: FleetId) -> Result<Option<(Record, Digest)>, BackendError> {
        let streams = self.lock();
        let records = streams.get(&fleet).map_or(&[][..], Vec::as_slice);
        let at = records.iter().rposition(|record| record.kind == RecordKind::Baseline);
        Ok(at.map(|at| {
            let before = at.checked_sub(1).map_or(Tail::EMPTY.head, |before| records[before].head);
            (records[at].clone(), before)
        }))
    }

    async fn fleets(&self, after: Option<FleetId>, limit: usize) -> Result<Vec<FleetId>, BackendError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(self.lock().range((from, Bound::Unbounded)).map(|(fleet, _)| *fleet).take(limit).collect())
    }

    async fn prune(&self, fleet: FleetId, before: Seq) -> Result<u64, BackendError> {
        let mut streams = self.lock();
        let records = streams.get_mut(&fleet).map_or(&mut [][..], Vec::as_mut_slice);
        let is_baseline = |record: &Record| record.kind == RecordKind::Baseline;
        if !records.iter().any(|record| is_baseline(record) && record.first >= before) {
            return Err(super::no_baseline(fleet, before));
        }
        let mut dropped = 0;
        for record in records {
            let ended = if is_baseline(record) { record.first < before } else { record.last < before };
            if ended && record.payload.take().is_some() {
                dropped += 1;
            }
        }
        Ok(dropped)
    }
}
