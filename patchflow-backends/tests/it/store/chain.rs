//! Streams that can be verified: fabricated records whose every byte is decided by their place, and a reader of chains.

use patchflow_core::digest::Digest;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{Record, RecordKind, Tail};
use patchflow_core::sdk::{Append, JournalStore};
use patchflow_core::time::Timestamp;
use pollster::block_on;

/// A chained record at a tail, all of it decided by its place: the header commits to the payload and all fields, the
/// head to the header and the head before.
fn record_at(fleet: FleetId, tail: Tail) -> Record {
    let seed = Digest::of(&[fleet.0.to_le_bytes(), tail.next.0.to_le_bytes()].concat());
    let payload = seed.0.repeat(1 + tail.next.0 as usize % 40);
    let facts = 1 + u64::from(seed.0[0] % 3);
    let mut record = Record {
        kind: if facts == 1 { RecordKind::Rich } else { RecordKind::Frame },
        first: tail.next,
        last: Seq(tail.next.0 + facts - 1),
        at: Timestamp::from_secs(1_795_000_000 + tail.next.0 as i64),
        header: Vec::new(),
        payload: Some(payload),
        head: Digest([0; 32]),
    };
    record.header = header_of(&record);
    record.head = Digest::of(&[&tail.head.0[..], &record.header].concat());
    record
}

fn header_of(record: &Record) -> Vec<u8> {
    let mut header = vec![record.kind as u8];
    header.extend_from_slice(&record.first.0.to_le_bytes());
    header.extend_from_slice(&record.last.0.to_le_bytes());
    header.extend_from_slice(&record.at.as_millis().to_le_bytes());
    header.extend_from_slice(&Digest::of(record.payload.as_deref().unwrap_or_default()).0);
    header.resize(96, 0xa5);
    header
}

/// The next few records of a stream.
pub(super) fn append_at(fleet: FleetId, expected: Tail, count: usize) -> Append {
    let mut tail = expected;
    let mut records = Vec::new();
    for _ in 0..count {
        let record = record_at(fleet, tail);
        tail = Tail { next: record.last.next(), head: record.head };
        records.push(record);
    }
    Append { fleet, expected, records }
}

/// What a reader of the chain would say of a stream: where it ends, or what does not fit.
pub(super) fn verify(store: &dyn JournalStore, fleet: FleetId) -> Result<Tail, String> {
    let said = block_on(store.tail(fleet)).map_err(|error| error.to_string())?;
    let mut tail = Tail::EMPTY;
    while tail.next < said.next {
        let page = block_on(store.read(fleet, tail.next, 4096)).map_err(|error| error.to_string())?;
        if page.is_empty() {
            return Err(format!("the stream ends at {}, not at {}", tail.next, said.next));
        }
        for record in page {
            let head = Digest::of(&[&tail.head.0[..], &record.header].concat());
            if record.first != tail.next || record.head != head || header_of(&record) != record.header {
                return Err(format!("the record at {} is not what was appended", tail.next));
            }
            tail = Tail { next: record.last.next(), head };
        }
    }
    if tail == said { Ok(tail) } else { Err(format!("the stream ends at {tail:?}, not at {said:?}")) }
}
