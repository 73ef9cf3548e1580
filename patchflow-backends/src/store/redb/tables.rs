//! The tables of the file and what is done with them, each function one transaction.
//!
//! `streams` says where each stream ends; `heads` holds everything of a record but its payload, `payloads` the payload
//! until it is pruned, `baselines` which of the records are baselines. The form of these tables is version 1.

use super::super::page::Page;
use super::super::stream::{StreamEnd, kind_of, receipt};
use super::super::threads::Results;
use super::trouble::Trouble;
use patchflow_core::digest::Digest;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{Record, RecordKind, Tail};
use patchflow_core::sdk::{Append, BackendError};
use patchflow_core::time::Timestamp;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

/// Fleet, first sequence, slot: see [`super::super::stream`].
type Place = (u64, u64, u32);

const FORM: TableDefinition<'_, &str, u64> = TableDefinition::new("patchflow.form");
const STREAMS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("patchflow.streams");
const HEADS: TableDefinition<'_, Place, &[u8]> = TableDefinition::new("patchflow.heads");
const PAYLOADS: TableDefinition<'_, Place, &[u8]> = TableDefinition::new("patchflow.payloads");
const BASELINES: TableDefinition<'_, Place, ()> = TableDefinition::new("patchflow.baselines");

const FORM_VERSION: u64 = 1;

/// Makes the tables of a new file, or checks the form of an old one.
pub(super) fn prepare(database: &Database) -> Result<(), Trouble> {
    let is_new = database.begin_read()?.list_tables()?.next().is_none();
    if is_new {
        let write = database.begin_write()?;
        write.open_table(FORM)?.insert("version", FORM_VERSION)?;
        write.open_table(STREAMS)?;
        write.open_table(HEADS)?;
        write.open_table(PAYLOADS)?;
        write.open_table(BASELINES)?;
        write.commit()?;
        return Ok(());
    }
    let form = match database.begin_read()?.open_table(FORM) {
        Ok(form) => form.get("version")?.map(|version| version.value()),
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(error.into()),
    };
    match form {
        Some(FORM_VERSION) => Ok(()),
        Some(later) => ours(format!("its form is version {later}, this program reads {FORM_VERSION}")),
        None => ours("it is a redb file of something else".into()),
    }
}

pub(super) fn append(database: &Database, appends: &[&Append]) -> Result<Results, Trouble> {
    let mut write = database.begin_write()?;
    write.set_durability(Durability::Immediate)?;
    let mut results = Vec::with_capacity(appends.len());
    {
        let mut streams = write.open_table(STREAMS)?;
        let mut heads = write.open_table(HEADS)?;
        let mut payloads = write.open_table(PAYLOADS)?;
        let mut baselines = write.open_table(BASELINES)?;
        let mut row = Vec::new();
        for &append in appends {
            let fleet = append.fleet.0;
            let mut end = match streams.get(fleet)? {
                Some(end) => decode_end(end.value())?,
                None => StreamEnd::EMPTY,
            };
            if let Err(refusal) = end.admits(append) {
                results.push(Err(refusal));
                continue;
            }
            for record in &append.records {
                let place = (fleet, record.first.0, end.advance(record));
                encode_head(record, &mut row);
                heads.insert(place, row.as_slice())?;
                if let Some(payload) = &record.payload {
                    payloads.insert(place, payload.as_slice())?;
                }
                if record.kind == RecordKind::Baseline {
                    baselines.insert(place, ())?;
                }
            }
            streams.insert(fleet, encode_end(end).as_slice())?;
            results.push(Ok(receipt(append)));
        }
    }
    if results.iter().any(Result::is_ok) {
        write.commit()?;
    } else {
        write.abort()?;
    }
    Ok(results)
}

pub(super) fn tail(database: &Database, fleet: FleetId) -> Result<Tail, Trouble> {
    let streams = database.begin_read()?.open_table(STREAMS)?;
    match streams.get(fleet.0)? {
        Some(end) => Ok(decode_end(end.value())?.tail),
        None => Ok(Tail::EMPTY),
    }
}

pub(super) fn read(
    database: &Database,
    fleet: FleetId,
    from: Seq,
    bytes_max: usize,
) -> Result<Vec<Record>, Trouble> {
    let read = database.begin_read()?;
    let heads = read.open_table(HEADS)?;
    let payloads = read.open_table(PAYLOADS)?;
    let mut start = (fleet.0, from.0, 0);
    if let Some(before) = heads.range((fleet.0, 0, 0)..start)?.next_back() {
        let (place, row) = before?;
        let record = decode_head(place.value(), row.value())?;
        if record.kind != RecordKind::Baseline && record.last >= from {
            start = place.value();
        }
    }
    let mut page = Page::new(bytes_max);
    for entry in heads.range(start..=(fleet.0, u64::MAX, u32::MAX))? {
        let (place, row) = entry?;
        let payload = payloads.get(place.value())?;
        let mut record = decode_head(place.value(), row.value())?;
        if !page.admits(record.kind, payload.as_ref().map_or(0, |payload| payload.value().len())) {
            break;
        }
        record.payload = payload.map(|payload| payload.value().to_vec());
        page.push(record);
    }
    Ok(page.into_records())
}

pub(super) fn latest_baseline(
    database: &Database,
    fleet: FleetId,
) -> Result<Option<(Record, Digest)>, Trouble> {
    let read = database.begin_read()?;
    let baselines = read.open_table(BASELINES)?;
    let Some(latest) = baselines.range((fleet.0, 0, 0)..=(fleet.0, u64::MAX, u32::MAX))?.next_back() else {
        return Ok(None);
    };
    let place = latest?.0.value();
    let heads = read.open_table(HEADS)?;
    let Some(row) = heads.get(place)? else {
        return ours(format!("the baseline of {fleet} at #{} is listed and not there", place.1));
    };
    let mut record = decode_head(place, row.value())?;
    record.payload = read.open_table(PAYLOADS)?.get(place)?.map(|payload| payload.value().to_vec());
    let before = match heads.range((fleet.0, 0, 0)..place)?.next_back() {
        Some(before) => {
            let (place, row) = before?;
            decode_head(place.value(), row.value())?.head
        }
        None => Tail::EMPTY.head,
    };
    Ok(Some((record, before)))
}

pub(super) fn fleets(
    database: &Database,
    after: Option<FleetId>,
    limit: usize,
) -> Result<Vec<FleetId>, Trouble> {
    let streams = database.begin_read()?.open_table(STREAMS)?;
    let Some(from) = after.map_or(Some(0), |after| after.0.checked_add(1)) else { return Ok(Vec::new()) };
    streams.range(from..)?.take(limit).map(|entry| Ok(FleetId(entry?.0.value()))).collect()
}

pub(super) fn prune(database: &Database, fleet: FleetId, before: Seq) -> Result<u64, Trouble> {
    let write = database.begin_write()?;
    let mut dropped = 0;
    {
        let baselines = write.open_table(BASELINES)?;
        let mut kept = baselines.range((fleet.0, before.0, 0)..=(fleet.0, u64::MAX, u32::MAX))?;
        if kept.next().transpose()?.is_none() {
            return Err(Trouble::Ours(super::super::no_baseline(fleet, before)));
        }
        let mut end = (fleet.0, before.0, 0);
        // Only the last record that starts before `before` may reach beyond it.
        if let Some(last) = write.open_table(HEADS)?.range((fleet.0, 0, 0)..end)?.next_back() {
            let (place, row) = last?;
            if decode_head(place.value(), row.value())?.last >= before {
                end = place.value();
            }
        }
        write.open_table(PAYLOADS)?.retain_in((fleet.0, 0, 0)..end, |_, _| {
            dropped += 1;
            false
        })?;
    }
    if dropped > 0 {
        write.commit()?;
    } else {
        write.abort()?;
    }
    Ok(dropped)
}

fn ours<T>(what: String) -> Result<T, Trouble> {
    Err(Trouble::Ours(BackendError::lasting(what)))
}

/// Next sequence, head, slot.
fn encode_end(end: StreamEnd) -> [u8; 44] {
    let mut row = [0; 44];
    row[..8].copy_from_slice(&end.tail.next.0.to_le_bytes());
    row[8..40].copy_from_slice(&end.tail.head.0);
    row[40..].copy_from_slice(&end.slot.to_le_bytes());
    row
}

fn decode_end(row: &[u8]) -> Result<StreamEnd, Trouble> {
    let parts = row.split_first_chunk::<8>().and_then(|(next, row)| {
        let (head, row) = row.split_first_chunk::<32>()?;
        Some((next, head, row.try_into().ok()?))
    });
    let Some((next, head, slot)) = parts else { return ours("read a stream's end that is cut off".into()) };
    let tail = Tail { next: Seq(u64::from_le_bytes(*next)), head: Digest(*head) };
    Ok(StreamEnd { tail, slot: u32::from_le_bytes(slot) })
}

/// Kind, last sequence, time, head, and the header to the end.
fn encode_head(record: &Record, row: &mut Vec<u8>) {
    row.clear();
    row.push(record.kind as u8);
    row.extend_from_slice(&record.last.0.to_le_bytes());
    row.extend_from_slice(&record.at.as_millis().to_le_bytes());
    row.extend_from_slice(&record.head.0);
    row.extend_from_slice(&record.header);
}

/// The record at a place, without its payload.
fn decode_head((_, first, _): Place, row: &[u8]) -> Result<Record, Trouble> {
    let parts = row.split_first().and_then(|(kind, row)| {
        let (last, row) = row.split_first_chunk::<8>()?;
        let (at, row) = row.split_first_chunk::<8>()?;
        let (head, header) = row.split_first_chunk::<32>()?;
        Some((*kind, last, at, head, header))
    });
    let Some((kind, last, at, head, header)) = parts else {
        return ours(format!("read a record at #{first} that is cut off"));
    };
    Ok(Record {
        kind: kind_of(kind.into()).map_err(Trouble::Ours)?,
        first: Seq(first),
        last: Seq(u64::from_le_bytes(*last)),
        at: Timestamp::from_millis(i64::from_le_bytes(*at)),
        header: header.to_vec(),
        payload: None,
        head: Digest(*head),
    })
}
