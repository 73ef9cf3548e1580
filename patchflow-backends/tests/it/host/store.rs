//! A store in memory that fails on request: before or after it has stored.

use super::world::Fuse;
use async_trait::async_trait;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::Persisted;
use patchflow_core::fleet::{Effect, Fleet};
use patchflow_core::ids::OrderId;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::decode;
use patchflow_core::journal::{Record, RecordKind, Tail};
use patchflow_core::sdk::{Append, AppendError, BackendError, JournalStore, Manifest, PluginKind};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What an append does instead of what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Fails without having stored.
    Fails,
    /// Stores, and fails.
    LosesTheAnswer,
    /// Stores, and never answers.
    Hangs,
    /// Works.
    None,
}

#[derive(Default)]
struct Inner {
    streams: BTreeMap<FleetId, Vec<Record>>,
    faults: VecDeque<Fault>,
    tries: Vec<Append>,
    calls: usize,
}

pub(crate) struct TestStore {
    inner: Mutex<Inner>,
    fuse: Arc<Fuse>,
}

pub(crate) fn manifest(name: &str, kinds: &[PluginKind]) -> Manifest {
    Manifest {
        name: name.into(),
        version: semver::Version::new(1, 0, 0),
        sdk: semver::VersionReq { comparators: vec![] },
        kinds: kinds.to_vec(),
        capabilities: vec![],
        configuration_schema: None,
    }
}

impl TestStore {
    pub(crate) fn new(fuse: Arc<Fuse>) -> Self {
        Self { inner: Mutex::default(), fuse }
    }

    /// Whether what is stored explains an order: a fleet replayed from it would ask after the order.
    pub(crate) fn explains(&self, order: OrderId) -> bool {
        let records = self.records(order.fleet);
        let facts = decode(order.fleet, Tail::EMPTY, &records).map(Result::unwrap);
        let fleet = Fleet::replay(facts).unwrap();
        fleet
            .outstanding()
            .any(|effect| matches!(effect, Effect::Query { order: asked, .. } if asked == order))
    }

    /// What the next calls of `append` do.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.inner.lock().unwrap().faults.extend(faults);
    }

    /// Every append that was tried, in order, stored or not.
    pub(crate) fn tries(&self) -> Vec<Append> {
        self.inner.lock().unwrap().tries.clone()
    }

    pub(crate) fn records(&self, fleet: FleetId) -> Vec<Record> {
        self.inner.lock().unwrap().streams.get(&fleet).cloned().unwrap_or_default()
    }

    /// Flips one bit of the payload of one record.
    pub(crate) fn damage(&self, fleet: FleetId, record: usize) {
        let mut inner = self.inner.lock().unwrap();
        let payload = inner.streams.get_mut(&fleet).unwrap()[record].payload.as_mut().unwrap();
        let middle = payload.len() / 2;
        payload[middle] ^= 1;
    }

    /// How often `append` was called.
    pub(crate) fn calls(&self) -> usize {
        self.inner.lock().unwrap().calls
    }
}

fn tail_of(records: &[Record]) -> Tail {
    records.last().map_or(Tail::EMPTY, |last| Tail { next: last.last.next(), head: last.head })
}

#[async_trait]
impl JournalStore for TestStore {
    fn manifest(&self) -> Manifest {
        manifest("test-store", &[PluginKind::JournalStore])
    }

    async fn append(&self, batch: &[Append]) -> Vec<Result<Persisted, AppendError>> {
        self.fuse.point().await;
        let fault = {
            let mut inner = self.inner.lock().unwrap();
            inner.calls += 1;
            inner.tries.extend_from_slice(batch);
            inner.faults.pop_front().unwrap_or(Fault::None)
        };
        let store = |append: &Append| {
            let mut inner = self.inner.lock().unwrap();
            let records = inner.streams.entry(append.fleet).or_default();
            let actual = tail_of(records);
            if actual != append.expected {
                return Err(AppendError::Conflict { actual });
            }
            records.extend_from_slice(&append.records);
            let after = append.tail_after();
            Ok(Persisted { fleet: append.fleet, through: Seq(after.next.0 - 1), head: after.head })
        };
        let failed = || AppendError::Failed(BackendError::retryable("writing", Duration::from_millis(10)));
        let results = match fault {
            Fault::None => batch.iter().map(store).collect(),
            Fault::Fails => batch.iter().map(|_| Err(failed())).collect(),
            Fault::LosesTheAnswer => batch.iter().map(|append| store(append).and(Err(failed()))).collect(),
            Fault::Hangs => {
                batch.iter().for_each(|append| drop(store(append)));
                std::future::pending().await
            }
        };
        self.fuse.point().await;
        results
    }

    async fn tail(&self, fleet: FleetId) -> Result<Tail, BackendError> {
        Ok(tail_of(&self.records(fleet)))
    }

    async fn read(&self, fleet: FleetId, from: Seq, bytes_max: usize) -> Result<Vec<Record>, BackendError> {
        let mut left = bytes_max;
        let records =
            self.records(fleet).into_iter().filter(|record| record.last >= from || record.first >= from);
        let fits = |record: &Record| {
            let bytes = record.payload.as_ref().map_or(0, Vec::len);
            let fits = left > 0;
            left = left.saturating_sub(bytes);
            fits
        };
        Ok(records.take_while(fits).collect())
    }

    async fn latest_baseline(&self, fleet: FleetId) -> Result<Option<(Record, Digest)>, BackendError> {
        let records = self.records(fleet);
        let Some(at) = records.iter().rposition(|record| record.kind == RecordKind::Baseline) else {
            return Ok(None);
        };
        let before = at.checked_sub(1).map_or(Tail::EMPTY.head, |before| records[before].head);
        Ok(Some((records[at].clone(), before)))
    }

    async fn fleets(&self, after: Option<FleetId>, limit: usize) -> Result<Vec<FleetId>, BackendError> {
        let inner = self.inner.lock().unwrap();
        Ok(inner
            .streams
            .keys()
            .copied()
            .filter(|id| after.is_none_or(|after| *id > after))
            .take(limit)
            .collect())
    }

    async fn prune(&self, _: FleetId, _: Seq) -> Result<u64, BackendError> {
        Err(BackendError::lasting("this store keeps everything"))
    }
}
