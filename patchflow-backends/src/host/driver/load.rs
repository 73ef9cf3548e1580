//! A fleet from its journal: the latest baseline, the records after it, and the tail to go on from.

use super::call::within;
use crate::host::limits::HostLimits;
use patchflow_core::digest::Digest;
use patchflow_core::error::{CorruptJournal, Flaw};
use patchflow_core::fleet::Fleet;
use patchflow_core::ids::FleetId;
use patchflow_core::journal::{self, Record, RecordKind, Tail, open_baseline};
use patchflow_core::sdk::{BackendError, Clock, JournalStore};
use std::sync::Arc;

/// A fleet in memory, and where its journal goes on.
pub(super) struct Loaded {
    pub(super) fleet: Fleet,
    pub(super) tail: Tail,
    /// Facts since the latest baseline.
    pub(super) facts: u64,
}

#[derive(Debug)]
pub(super) enum LoadError {
    /// There is no such stream.
    Missing,
    /// Another holder has the lease.
    Elsewhere,
    Store(BackendError),
    Corrupt(CorruptJournal),
}

impl From<BackendError> for LoadError {
    fn from(error: BackendError) -> Self {
        Self::Store(error)
    }
}

impl From<CorruptJournal> for LoadError {
    fn from(corrupt: CorruptJournal) -> Self {
        Self::Corrupt(corrupt)
    }
}

pub(super) async fn load(
    store: Arc<dyn JournalStore>,
    clock: Arc<dyn Clock>,
    limits: Arc<HostLimits>,
    fleet: FleetId,
) -> Result<Loaded, LoadError> {
    let (clock, limit) = (&*clock, limits.read_timeout);
    let tail = within(clock, limit, "reading the end of a journal", store.tail(fleet)).await?;
    if tail == Tail::EMPTY {
        return Err(LoadError::Missing);
    }
    let baseline = within(clock, limit, "reading a baseline", store.latest_baseline(fleet)).await?;
    let from =
        baseline.as_ref().map_or(Tail::EMPTY, |(record, _)| Tail { next: record.first, head: record.head });
    let mut records: Vec<Record> = Vec::new();
    let mut at = from;
    let mut bytes_max = limits.read_bytes_max;
    // Ends at the tail seen above; what somebody else appends meanwhile is met as a conflict later.
    while at.head != tail.head && at.next <= tail.next {
        let page = within(clock, limit, "reading a journal", store.read(fleet, at.next, bytes_max)).await?;
        let new = after(page, at.head);
        match new.last() {
            Some(last) => at = Tail { next: last.last.next(), head: last.head },
            // A page of baselines that are here already: the next record lies beyond its bytes.
            None if bytes_max < usize::MAX / 2 && at.next < tail.next => bytes_max *= 2,
            None => break,
        }
        records.extend(new);
    }
    Ok(replay(fleet, baseline.as_ref(), &records, tail)?)
}

/// The records of a page that follow the one with this head. Baselines share their sequence with the record after
/// them, so a page may begin with some that are here already.
fn after(mut page: Vec<Record>, head: Digest) -> Vec<Record> {
    let baselines = page.iter().take_while(|record| record.kind == RecordKind::Baseline).count();
    if let Some(known) = page[..baselines].iter().position(|record| record.head == head) {
        page.drain(..=known);
    }
    page
}

fn replay(
    fleet: FleetId,
    baseline: Option<&(Record, Digest)>,
    records: &[Record],
    expected: Tail,
) -> Result<Loaded, CorruptJournal> {
    let opened = baseline.map(|(record, before)| open_baseline(fleet, record, *before)).transpose()?;
    let start = opened.map_or(Tail::EMPTY, |(_, tail)| tail);
    let (built, tail) = journal::replay(fleet, start, opened.map(|(state, _)| state), records)?;
    if tail.next < expected.next {
        // The store says there is more than it gives out.
        return Err(CorruptJournal { seq: tail.next, flaw: Flaw::Gap { expected: tail.next } });
    }
    if tail.next == expected.next && tail.head != expected.head {
        return Err(CorruptJournal { seq: tail.next, flaw: Flaw::Chain });
    }
    if built.id() != fleet {
        let flaw = Flaw::Damaged(format!("it holds the facts of {}, not of {fleet}", built.id()));
        return Err(CorruptJournal { seq: start.next, flaw });
    }
    Ok(Loaded { fleet: built, tail, facts: tail.next.0 - start.next.0 })
}
