//! What the checks are made of: fabricated records, and a bench that opens stores and says what it saw.
//!
//! The records are none that an engine would write: headers and payloads are arbitrary bytes, and heads are digests
//! over the head before and the header. A store has no business to look into them.

use super::StoreBuilder;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::Persisted;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{Record, RecordKind, Tail};
use patchflow_core::sdk::{Append, AppendError, BackendError, JournalStore, Retry};
use patchflow_core::time::Timestamp;
use std::error::Error;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

/// Opens stores for one clause.
pub(super) struct Bench<'a> {
    place: String,
    builder: &'a dyn StoreBuilder,
}

impl<'a> Bench<'a> {
    pub(super) fn new(clause: &str, builder: &'a dyn StoreBuilder) -> Self {
        // A builder may be given to several runs of the suite, and each of them needs new places.
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let place = format!("{}-{}", clause.to_lowercase(), RUNS.fetch_add(1, Ordering::Relaxed));
        Self { place, builder }
    }

    /// The store of this clause; the first time it is new.
    pub(super) async fn open(&self) -> Result<Arc<dyn JournalStore>, String> {
        self.try_open().await.map_err(|error| format!("opening the store failed: {}", told(&error)))
    }

    pub(super) async fn try_open(&self) -> Result<Arc<dyn JournalStore>, BackendError> {
        self.builder.open(&self.place).await
    }
}

/// A stream that is being fabricated: what was made so far is what the store should hold.
#[derive(Clone)]
pub(super) struct Stream {
    pub(super) fleet: FleetId,
    pub(super) records: Vec<Record>,
    pub(super) tail: Tail,
}

impl Stream {
    pub(super) fn new(fleet: u64) -> Self {
        Self { fleet: FleetId(fleet), records: Vec::new(), tail: Tail::EMPTY }
    }

    /// The record of a kind that would come next: a rich fact, a frame of ten, or a baseline, with a short payload.
    pub(super) fn next(&self, kind: RecordKind) -> Record {
        match kind {
            RecordKind::Rich => self.sized(kind, 1, 40),
            RecordKind::Frame => self.sized(kind, 10, 160),
            RecordKind::Baseline => self.sized(kind, 0, 200),
        }
    }

    /// A record that would come next, of so many facts and so long a payload.
    pub(super) fn sized(&self, kind: RecordKind, facts: u64, payload_bytes: usize) -> Record {
        let first = self.tail.next;
        // Bytes of every value, different in each record and each fleet.
        let seed = Digest::of(&[&self.tail.head.0[..], &self.fleet.0.to_le_bytes()].concat()).0;
        let byte = |at: usize| seed[at % 32].wrapping_add((at / 32 * 37) as u8).wrapping_add(at as u8);
        let header: Vec<u8> = (0..96).map(byte).collect();
        let head = Digest::of(&[&self.tail.head.0[..], &header].concat());
        Record {
            kind,
            first,
            last: Seq(first.0 + facts - 1),
            at: Timestamp::from_millis(1_795_000_000_000 + first.0 as i64),
            payload: Some((0..payload_bytes).map(byte).collect()),
            header,
            head,
        }
    }

    /// Makes records of these kinds part of the stream, and the append that stores them.
    pub(super) fn append(&mut self, kinds: &[RecordKind]) -> Append {
        let expected = self.tail;
        let from = self.records.len();
        for &kind in kinds {
            self.push(self.next(kind));
        }
        Append { fleet: self.fleet, expected, records: self.records[from..].to_vec() }
    }

    pub(super) fn push(&mut self, record: Record) {
        self.tail = Tail { next: record.last.next(), head: record.head };
        self.records.push(record);
    }

    /// Everything so far as one append to an empty stream.
    pub(super) fn whole(&self) -> Append {
        Append { fleet: self.fleet, expected: Tail::EMPTY, records: self.records.clone() }
    }
}

/// Stores one append that must be taken.
pub(super) async fn store_one(store: &dyn JournalStore, append: &Append) -> Result<Persisted, String> {
    match only(store.append(std::slice::from_ref(append)).await)? {
        Ok(receipt) => Ok(receipt),
        Err(error) => Err(format!(
            "a lawful append of {} to {} was refused: {}",
            shape(&append.records),
            append.fleet,
            told(&error)
        )),
    }
}

/// Tries one append that must meet a conflict, and gives the end that it names.
pub(super) async fn conflict_of(
    store: &dyn JournalStore,
    append: &Append,
    why: &str,
) -> Result<Tail, String> {
    match only(store.append(std::slice::from_ref(append)).await)? {
        Err(AppendError::Conflict { actual }) => Ok(actual),
        Ok(receipt) => Err(format!("{why} was stored, with the receipt {receipt:?}")),
        Err(error) => Err(format!("{why} was no conflict, but: {}", told(&error))),
    }
}

/// The result for a batch of one.
pub(super) fn only<T>(mut results: Vec<T>) -> Result<T, String> {
    match (results.pop(), results.len()) {
        (Some(result), 0) => Ok(result),
        (None, _) => Err("an append had no result".into()),
        (Some(_), more) => Err(format!("one append had {} results", more + 1)),
    }
}

/// Whether an error of an append is a lasting one.
pub(super) fn is_lasting(error: &AppendError) -> bool {
    matches!(error, AppendError::Failed(BackendError { retry: Retry::Never, .. }))
}

/// A call that must not fail.
pub(super) async fn ask<T>(
    what: &str,
    call: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, String> {
    call.await.map_err(|error| format!("{what} failed: {}", told(&error)))
}

/// The whole stream as the store has it, in one page.
pub(super) async fn read_all(store: &dyn JournalStore, fleet: FleetId) -> Result<Vec<Record>, String> {
    ask("reading", store.read(fleet, Seq(1), usize::MAX)).await
}

/// Whether the store holds exactly this stream: its records and its end.
pub(super) async fn holds(store: &dyn JournalStore, stream: &Stream) -> Result<(), String> {
    same_records(&read_all(store, stream.fleet).await?, &stream.records)?;
    same("the tail", &ask("asking for the tail", store.tail(stream.fleet)).await?, &stream.tail)
}

/// Whether two lists of records are the same; says where they part.
pub(super) fn same_records(seen: &[Record], wanted: &[Record]) -> Result<(), String> {
    if let Some(at) = seen.iter().zip(wanted).position(|(seen, wanted)| seen != wanted) {
        let (seen, wanted) = (&seen[at], &wanted[at]);
        let what = [
            (seen.kind != wanted.kind, "kind"),
            ((seen.first, seen.last) != (wanted.first, wanted.last), "sequences"),
            (seen.at != wanted.at, "time"),
            (seen.header != wanted.header, "header"),
            (seen.payload.is_some() != wanted.payload.is_some(), "presence of the payload"),
            (seen.payload != wanted.payload, "payload"),
            (seen.head != wanted.head, "head"),
        ];
        let what = what.iter().find(|(differs, _)| *differs).map_or("", |(_, what)| what);
        return Err(format!(
            "record {at} differs in its {what}: {} where {} belongs",
            shape(std::slice::from_ref(seen)),
            shape(std::slice::from_ref(wanted))
        ));
    }
    if seen.len() == wanted.len() {
        return Ok(());
    }
    Err(format!("{} where {} belong", shape(seen), shape(wanted)))
}

/// Whether two things are the same.
pub(super) fn same<T: PartialEq + Debug>(what: &str, seen: &T, wanted: &T) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{what} is {seen:?}, not {wanted:?}")) }
}

/// Records for people: kinds and sequences.
fn shape(records: &[Record]) -> String {
    let one = |record: &Record| {
        let kind = match record.kind {
            RecordKind::Rich => "rich",
            RecordKind::Frame => "frame",
            RecordKind::Baseline => "baseline",
        };
        let payload =
            record.payload.as_ref().map_or("pruned".into(), |payload| format!("{} bytes", payload.len()));
        format!("{kind} {}..{} ({payload})", record.first, record.last)
    };
    let shown: Vec<String> = records.iter().take(8).map(one).collect();
    let more =
        if records.len() > shown.len() { format!(", … {} in all", records.len()) } else { String::new() };
    format!("[{}{more}]", shown.join(", "))
}

/// An error with what lies beneath it.
pub(super) fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut beneath = error.source();
    while let Some(error) = beneath {
        text += &format!(": {error}");
        beneath = error.source();
    }
    text
}

/// Polls some futures together on the caller's task until all are done.
pub(super) async fn together<T>(calls: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T>
where
    T: Send,
{
    let mut calls: Vec<(_, Option<T>)> = calls.into_iter().map(|call| (call, None)).collect();
    poll_fn(|context| {
        let mut waits = false;
        for (call, done) in &mut calls {
            if done.is_none() {
                match call.as_mut().poll(context) {
                    Poll::Ready(value) => *done = Some(value),
                    Poll::Pending => waits = true,
                }
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    calls.into_iter().filter_map(|(_, done)| done).collect()
}

/// Polls a future once and drops it.
pub(super) async fn poll_once<T>(call: impl Future<Output = T> + Send) {
    let mut call = Box::pin(call);
    poll_fn(|context| {
        let _ = call.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}
