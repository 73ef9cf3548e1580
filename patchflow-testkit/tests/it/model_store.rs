//! A slow and obvious store in memory, and the faults that it can be given.

use async_trait::async_trait;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::Persisted;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{Record, RecordKind, Tail};
use patchflow_core::sdk::{
    Append, AppendError, BackendError, JournalStore, Manifest, PluginKind, SDK_VERSION,
};
use patchflow_core::time::Timestamp;
use patchflow_testkit::conformance::store::StoreBuilder;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

/// What a wrong store does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    ManifestOfAnInstaller,
    EmptyTailAtZero,
    ReceiptOneShort,
    HeadIgnored,
    ConflictNamesExpected,
    RepeatAcknowledged,
    RepeatStoredTwice,
    StoredInPart,
    GapsTaken,
    ResultsByFleet,
    EmptyBatchAnswered,
    StopsAtRefusal,
    BatchAgainstItsStart,
    FleetsCutTo32Bits,
    TimesSince1970Only,
    ReadsFromNextRecord,
    BytesMaxIgnored,
    NothingWhenTooLong,
    PagesPartBaselines,
    TailWithoutBaselines,
    FirstBaseline,
    HeadOfBaselineItself,
    OneBaselineAtAPlace,
    FleetsDescending,
    ConflictMakesStream,
    FleetsFromInclusive,
    PruneTakesRecords,
    PruneCountsAgain,
    PruneWithoutBaseline,
    PruneTakesBaselineAtBefore,
    PruneEverywhere,
    ForgottenWhenClosed,
    CheckedBeforeWaiting,
    BusyRefused,
    OneVersionForAll,
    HalfStoredWhenDropped,
    SecondHandleBlind,
    SecondHandleRefusedForNow,
}

#[derive(Clone, Debug, Default)]
struct State {
    streams: BTreeMap<FleetId, Vec<Record>>,
    busy: bool,
    version: u64,
}

/// The store; with a fault, a wrong one.
#[derive(Clone, Debug)]
pub(crate) struct ModelStore {
    state: Arc<Mutex<State>>,
    fault: Option<Fault>,
}

/// Opens model stores with one fault, or with none.
pub(crate) struct Models {
    fault: Option<Fault>,
    places: Mutex<BTreeMap<String, Arc<Mutex<State>>>>,
}

impl Models {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self { fault, places: Mutex::default() }
    }
}

#[async_trait]
impl StoreBuilder for Models {
    async fn open(&self, place: &str) -> Result<Arc<dyn JournalStore>, BackendError> {
        let mut places = self.places.lock().unwrap();
        let kept = places.entry(place.to_owned()).or_default();
        let is_open = Arc::strong_count(kept) > 1;
        let state = match self.fault {
            Some(Fault::ForgottenWhenClosed) if !is_open => {
                *kept = Arc::default();
                Arc::clone(kept)
            }
            Some(Fault::SecondHandleBlind) if is_open => Arc::new(Mutex::new(kept.lock().unwrap().clone())),
            Some(Fault::SecondHandleRefusedForNow) if is_open => {
                return Err(BackendError::retryable("open a second handle", Duration::from_secs(1)));
            }
            _ => Arc::clone(kept),
        };
        Ok(Arc::new(ModelStore { state, fault: self.fault }))
    }
}

impl ModelStore {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn key(&self, fleet: FleetId) -> FleetId {
        if self.has(Fault::FleetsCutTo32Bits) { FleetId(fleet.0 & 0xffff_ffff) } else { fleet }
    }

    fn records(&self, fleet: FleetId) -> Vec<Record> {
        self.lock().streams.get(&self.key(fleet)).cloned().unwrap_or_default()
    }

    fn receipt(&self, append: &Append) -> Persisted {
        let short = u64::from(self.has(Fault::ReceiptOneShort));
        let Tail { next, head } = append.tail_after();
        Persisted { fleet: append.fleet, through: Seq((next.0 - 1).saturating_sub(short)), head }
    }

    async fn append_one(&self, append: &Append, start: &State) -> Result<Persisted, AppendError> {
        let fleet = self.key(append.fleet);
        if !self.has(Fault::GapsTaken) {
            append.check()?;
        }
        let actual = match self.fault {
            Some(Fault::BatchAgainstItsStart) => tail_of(start.streams.get(&fleet)),
            _ => tail_of(self.lock().streams.get(&fleet)),
        };
        if self.has(Fault::RepeatAcknowledged) && actual == append.tail_after() {
            return Ok(self.receipt(append));
        }
        if self.has(Fault::RepeatStoredTwice) && actual == append.tail_after() {
            self.lock().streams.entry(fleet).or_default().extend(append.records.iter().cloned());
            return Err(AppendError::Conflict { actual });
        }
        let fits = match self.fault {
            Some(Fault::HeadIgnored) => actual.next == append.expected.next,
            _ => actual == append.expected,
        };
        if !fits {
            return Err(AppendError::Conflict { actual: self.conflict(append, actual) });
        }
        self.wait(append).await?;
        self.put(fleet, &append.records);
        Ok(self.receipt(append))
    }

    /// What a conflict leaves behind and what it names.
    fn conflict(&self, append: &Append, actual: Tail) -> Tail {
        let fleet = self.key(append.fleet);
        if self.has(Fault::ConflictMakesStream) {
            self.lock().streams.entry(fleet).or_default();
        }
        if self.has(Fault::StoredInPart) {
            let new = append.records.iter().position(|record| record.first == actual.next);
            if let Some(new) = new.filter(|new| *new > 0) {
                self.put(fleet, &append.records[new..]);
            }
        }
        if self.has(Fault::ConflictNamesExpected) { append.expected } else { actual }
    }

    /// Where wrong stores let others in between looking and writing.
    async fn wait(&self, append: &Append) -> Result<(), AppendError> {
        match self.fault {
            Some(Fault::CheckedBeforeWaiting) => once_pending().await,
            Some(Fault::BusyRefused) => {
                if std::mem::replace(&mut self.lock().busy, true) {
                    return Err(BackendError::retryable("append: busy", Duration::ZERO).into());
                }
                let _free = Free(self);
                once_pending().await;
            }
            Some(Fault::OneVersionForAll) => {
                let seen = self.lock().version;
                once_pending().await;
                let mut state = self.lock();
                if state.version != seen {
                    return Err(AppendError::Conflict { actual: tail_of(state.streams.get(&append.fleet)) });
                }
                state.version += 1;
            }
            Some(Fault::HalfStoredWhenDropped) if append.records.len() == 4 => {
                self.put(append.fleet, &append.records[..2]);
                once_pending().await;
                if let Some(records) = self.lock().streams.get_mut(&append.fleet) {
                    records.truncate(records.len() - 2);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn put(&self, fleet: FleetId, records: &[Record]) {
        let mut state = self.lock();
        let stream = state.streams.entry(fleet).or_default();
        for record in records {
            let same_place =
                |last: &Record| is_baseline(last) && is_baseline(record) && last.first == record.first;
            if self.has(Fault::OneBaselineAtAPlace) && stream.last().is_some_and(same_place) {
                stream.pop();
            }
            stream.push(record.clone());
        }
        if stream.is_empty() {
            state.streams.remove(&fleet);
        }
    }

    /// The records of a page, from all that follow its start.
    fn page(&self, records: &[Record], bytes_max: usize) -> Vec<Record> {
        let bytes = |record: &Record| record.payload.as_ref().map_or(0, Vec::len);
        let mut sum = 0;
        let mut end = 0;
        for (at, record) in records.iter().enumerate() {
            sum += bytes(record);
            if sum > bytes_max && !self.has(Fault::BytesMaxIgnored) {
                break;
            }
            end = at + 1;
        }
        if self.has(Fault::NothingWhenTooLong) {
            return records[..end].to_vec();
        }
        if self.has(Fault::PagesPartBaselines) {
            return records[..end.max(1).min(records.len())].to_vec();
        }
        // Back to before the baselines that it would end with, on to the first record, on over baselines at the end.
        while end > 0 && is_baseline(&records[end - 1]) {
            end -= 1;
        }
        if end == 0 {
            end = records
                .iter()
                .position(|record| !is_baseline(record))
                .map_or(records.len(), |first| first + 1);
        }
        if records[end..].iter().all(is_baseline) {
            end = records.len();
        }
        records[..end].to_vec()
    }
}

struct Free<'a>(&'a ModelStore);

impl Drop for Free<'_> {
    fn drop(&mut self) {
        self.0.lock().busy = false;
    }
}

async fn once_pending() {
    let mut waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn is_baseline(record: &Record) -> bool {
    record.kind == RecordKind::Baseline
}

fn tail_of(records: Option<&Vec<Record>>) -> Tail {
    let last = records.and_then(|records| records.last());
    last.map_or(Tail::EMPTY, |last| Tail { next: last.last.next(), head: last.head })
}

#[async_trait]
impl JournalStore for ModelStore {
    fn manifest(&self) -> Manifest {
        let wrong = self.has(Fault::ManifestOfAnInstaller);
        Manifest {
            name: "model".into(),
            version: SDK_VERSION,
            sdk: "^0.1".parse().unwrap(),
            kinds: vec![if wrong { PluginKind::Installer } else { PluginKind::JournalStore }],
            capabilities: Vec::new(),
            configuration_schema: None,
        }
    }

    async fn append(&self, batch: &[Append]) -> Vec<Result<Persisted, AppendError>> {
        let mut batch: Vec<&Append> = batch.iter().collect();
        if self.has(Fault::ResultsByFleet) {
            batch.sort_by_key(|append| append.fleet);
        }
        let start = self.lock().clone();
        let mut results = Vec::new();
        for append in batch {
            if self.has(Fault::StopsAtRefusal) && results.last().is_some_and(Result::is_err) {
                results.push(Err(BackendError::lasting("append after a refusal").into()));
                continue;
            }
            results.push(self.append_one(append, &start).await);
        }
        if self.has(Fault::EmptyBatchAnswered) && results.is_empty() {
            results.push(Err(BackendError::lasting("append nothing").into()));
        }
        results
    }

    async fn tail(&self, fleet: FleetId) -> Result<Tail, BackendError> {
        let mut records = self.records(fleet);
        if self.has(Fault::EmptyTailAtZero) && records.is_empty() {
            return Ok(Tail { next: Seq(0), ..Tail::EMPTY });
        }
        if self.has(Fault::TailWithoutBaselines) {
            records.retain(|record| !is_baseline(record));
        }
        Ok(tail_of(Some(&records)))
    }

    async fn read(&self, fleet: FleetId, from: Seq, bytes_max: usize) -> Result<Vec<Record>, BackendError> {
        let mut records = self.records(fleet);
        if self.has(Fault::TimesSince1970Only) {
            for record in &mut records {
                record.at = record.at.max(Timestamp::default());
            }
        }
        let middle = |record: &Record| record.first < from && from <= record.last;
        let middle = |record: &Record| middle(record) && !self.has(Fault::ReadsFromNextRecord);
        let start = records.iter().position(|record| record.first >= from || middle(record));
        Ok(self.page(&records[start.unwrap_or(records.len())..], bytes_max))
    }

    async fn latest_baseline(&self, fleet: FleetId) -> Result<Option<(Record, Digest)>, BackendError> {
        let records = self.records(fleet);
        let at = match self.fault {
            Some(Fault::FirstBaseline) => records.iter().position(is_baseline),
            _ => records.iter().rposition(is_baseline),
        };
        Ok(at.map(|at| {
            let before = match at {
                _ if self.has(Fault::HeadOfBaselineItself) => records[at].head,
                0 => Tail::EMPTY.head,
                at => records[at - 1].head,
            };
            (records[at].clone(), before)
        }))
    }

    async fn fleets(&self, after: Option<FleetId>, limit: usize) -> Result<Vec<FleetId>, BackendError> {
        let mut fleets: Vec<FleetId> = self.lock().streams.keys().copied().collect();
        let inclusive = self.has(Fault::FleetsFromInclusive);
        fleets.retain(|fleet| after.is_none_or(|after| *fleet > after || (inclusive && *fleet == after)));
        if self.has(Fault::FleetsDescending) {
            fleets.reverse();
        }
        fleets.truncate(limit);
        Ok(fleets)
    }

    async fn prune(&self, fleet: FleetId, before: Seq) -> Result<u64, BackendError> {
        let kept = self.records(fleet).iter().any(|record| is_baseline(record) && record.first >= before);
        if !kept && !self.has(Fault::PruneWithoutBaseline) {
            return Err(BackendError::lasting("prune without a baseline"));
        }
        let mut dropped = 0;
        for (stream, records) in &mut self.lock().streams {
            if *stream != fleet && !self.has(Fault::PruneEverywhere) {
                continue;
            }
            let by_last = self.has(Fault::PruneTakesBaselineAtBefore);
            let ended = |record: &Record| match record.kind {
                RecordKind::Baseline if !by_last => record.first < before,
                _ => record.last < before,
            };
            for record in records.iter_mut().filter(|record| ended(record)) {
                let had = record.payload.take().is_some();
                dropped += u64::from(had || self.has(Fault::PruneCountsAgain));
            }
            if self.has(Fault::PruneTakesRecords) {
                records.retain(|record| !ended(record));
            }
        }
        Ok(dropped)
    }
}
