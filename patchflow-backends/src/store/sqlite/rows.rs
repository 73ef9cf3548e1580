//! The tables of the file and what is done with them, each function one transaction.

use super::super::page::Page;
use super::super::stream::{StreamEnd, kind_of, receipt};
use super::super::threads::Results;
use super::Error;
use patchflow_core::digest::Digest;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{Record, Tail};
use patchflow_core::sdk::{Append, BackendError};
use patchflow_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, named_params, params};

/// Marks the file as ours: "PFJL".
const APPLICATION_ID: i64 = 0x5046_4a4c;
const FORM_VERSION: i64 = 1;

const FORM: &str = "
    CREATE TABLE streams (
        fleet INTEGER PRIMARY KEY, next INTEGER NOT NULL, head BLOB NOT NULL, slot INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE records (
        fleet INTEGER NOT NULL, first INTEGER NOT NULL, slot INTEGER NOT NULL, kind INTEGER NOT NULL,
        last INTEGER NOT NULL, at_millis INTEGER NOT NULL, header BLOB NOT NULL, head BLOB NOT NULL, payload BLOB,
        PRIMARY KEY (fleet, first, slot)
    ) STRICT;
    CREATE INDEX baselines ON records (fleet, first, slot) WHERE kind = 3;
";

const COLUMNS: &str = "kind, first, last, at_millis, header, head, payload";

/// What may go wrong inside the file.
pub(super) enum Trouble {
    Sqlite(Error),
    /// A rule of the store refuses it.
    Refused(BackendError),
    /// What stands in the file is not what this program writes.
    Odd(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Sets a connection up, and makes the tables of a new file or checks the form of an old one.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), Trouble> {
    let number = |transaction: &Transaction<'_>, pragma: &str| {
        transaction.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
    };
    // The mark is looked at before anything is changed: somebody else's file stays as it is.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = (number(&transaction, "application_id")?, number(&transaction, "user_version")?);
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match found {
        (APPLICATION_ID, FORM_VERSION) => {}
        (APPLICATION_ID, later) => {
            return Err(Trouble::Odd(format!(
                "its form is version {later}, this program reads {FORM_VERSION}"
            )));
        }
        (0, 0) if tables == 0 => {
            transaction.execute_batch(FORM)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", FORM_VERSION)?;
        }
        _ => return Err(Trouble::Odd("it is a SQLite file of something else".into())),
    }
    transaction.commit()?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Trouble::Odd(format!("it cannot be written ahead here, its mode stays {mode}")));
    }
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(())
}

pub(super) fn append(connection: &mut Connection, appends: &[&Append]) -> Result<Results, Trouble> {
    // Immediate: the tails that are compared here are those that the commit changes.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut results = Vec::with_capacity(appends.len());
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO records (fleet, first, slot, kind, last, at_millis, header, head, payload)
             VALUES (:fleet, :first, :slot, :kind, :last, :at_millis, :header, :head, :payload)",
        )?;
        let mut move_end = transaction.prepare_cached(
            "INSERT INTO streams (fleet, next, head, slot) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (fleet) DO UPDATE SET next = excluded.next, head = excluded.head, slot = excluded.slot",
        )?;
        for &append in appends {
            let mut end = end_of(&transaction, append.fleet)?;
            if let Err(refusal) = end.admits(append).and_then(|()| Ok(in_range(append)?)) {
                results.push(Err(refusal));
                continue;
            }
            let fleet = number_of(append.fleet);
            for record in &append.records {
                insert.execute(named_params! {
                    ":fleet": fleet, ":first": place_of(record.first), ":slot": end.advance(record),
                    ":kind": record.kind as u8, ":last": place_of(record.last), ":at_millis": record.at.as_millis(),
                    ":header": record.header, ":head": record.head.0, ":payload": record.payload,
                })?;
            }
            move_end.execute(params![fleet, place_of(end.tail.next), end.tail.head.0, end.slot])?;
            results.push(Ok(receipt(append)));
        }
    }
    transaction.commit()?;
    Ok(results)
}

pub(super) fn tail(connection: &mut Connection, fleet: FleetId) -> Result<Tail, Trouble> {
    Ok(end_of(&connection.transaction()?, fleet)?.tail)
}

pub(super) fn read(
    connection: &mut Connection,
    fleet: FleetId,
    from: Seq,
    bytes_max: usize,
) -> Result<Vec<Record>, Trouble> {
    let transaction = connection.transaction()?;
    let fleet = number_of(fleet);
    let holder: Option<(i64, i64)> = transaction
        .prepare_cached(
            "SELECT first, slot FROM (
                 SELECT first, slot, kind, last FROM records WHERE fleet = ?1 AND first < ?2
                 ORDER BY first DESC, slot DESC LIMIT 1
             ) WHERE kind <> 3 AND last >= ?2",
        )?
        .query_row(params![fleet, place_of(from)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (first, slot) = holder.unwrap_or((place_of(from), 0));
    let mut select = transaction.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM records WHERE fleet = ?1 AND (first, slot) >= (?2, ?3) ORDER BY first, slot"
    ))?;
    let mut rows = select.query(params![fleet, first, slot])?;
    let mut page = Page::new(bytes_max);
    while let Some(row) = rows.next()? {
        let payload_bytes = row.get_ref("payload")?.as_blob_or_null().ok().flatten().map_or(0, <[u8]>::len);
        let kind = kind_of(row.get("kind")?).map_err(Trouble::Refused)?;
        if !page.admits(kind, payload_bytes) {
            break;
        }
        page.push(record_of(row)?);
    }
    Ok(page.into_records())
}

pub(super) fn latest_baseline(
    connection: &mut Connection,
    fleet: FleetId,
) -> Result<Option<(Record, Digest)>, Trouble> {
    let transaction = connection.transaction()?;
    let fleet = number_of(fleet);
    let mut select = transaction.prepare_cached(&format!(
        "SELECT {COLUMNS}, slot FROM records WHERE fleet = ?1 AND kind = 3 ORDER BY first DESC, slot DESC LIMIT 1"
    ))?;
    let mut rows = select.query([fleet])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (record, slot) = (record_of(row)?, row.get::<_, i64>("slot")?);
    let before: Option<Vec<u8>> = transaction
        .prepare_cached(
            "SELECT head FROM records WHERE fleet = ?1 AND (first, slot) < (?2, ?3)
             ORDER BY first DESC, slot DESC LIMIT 1",
        )?
        .query_row(params![fleet, place_of(record.first), slot], |row| row.get(0))
        .optional()?;
    let before = before.map_or(Ok(Tail::EMPTY.head), |head| digest_of(&head))?;
    Ok(Some((record, before)))
}

pub(super) fn fleets(
    connection: &mut Connection,
    after: Option<FleetId>,
    limit: usize,
) -> Result<Vec<FleetId>, Trouble> {
    // Fleets from 2^63 on are negative here and come last.
    let mut select = connection.prepare_cached(
        "SELECT fleet FROM streams WHERE ?1 IS NULL OR (fleet < 0, fleet) > (?1 < 0, ?1)
         ORDER BY fleet < 0, fleet LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = select.query_map(params![after.map(number_of), limit], |row| row.get::<_, i64>(0))?;
    rows.map(|fleet| Ok(FleetId(fleet?.cast_unsigned()))).collect()
}

pub(super) fn prune(connection: &mut Connection, fleet: FleetId, before: Seq) -> Result<u64, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let place = params![number_of(fleet), place_of(before)];
    let kept: bool = transaction
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM records WHERE fleet = ?1 AND kind = 3 AND first >= ?2)",
        )?
        .query_row(place, |row| row.get(0))?;
    if !kept {
        return Err(Trouble::Refused(super::super::no_baseline(fleet, before)));
    }
    let dropped = transaction
        .prepare_cached(
            "UPDATE records SET payload = NULL
             WHERE fleet = ?1 AND first < ?2 AND (kind = 3 OR last < ?2) AND payload IS NOT NULL",
        )?
        .execute(place)?;
    transaction.commit()?;
    Ok(dropped as u64)
}

fn end_of(transaction: &Transaction<'_>, fleet: FleetId) -> Result<StreamEnd, Trouble> {
    let row: Option<(i64, Vec<u8>, u32)> = transaction
        .prepare_cached("SELECT next, head, slot FROM streams WHERE fleet = ?1")?
        .query_row([number_of(fleet)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((next, head, slot)) = row else { return Ok(StreamEnd::EMPTY) };
    Ok(StreamEnd { tail: Tail { next: seq_of(next)?, head: digest_of(&head)? }, slot })
}

fn record_of(row: &Row<'_>) -> Result<Record, Trouble> {
    Ok(Record {
        kind: kind_of(row.get("kind")?).map_err(Trouble::Refused)?,
        first: seq_of(row.get("first")?)?,
        last: seq_of(row.get("last")?)?,
        at: Timestamp::from_millis(row.get("at_millis")?),
        header: row.get("header")?,
        payload: row.get("payload")?,
        head: digest_of(&row.get::<_, Vec<u8>>("head")?)?,
    })
}

/// SQLite's numbers are signed; the bits are the same.
fn number_of(fleet: FleetId) -> i64 {
    fleet.0.cast_signed()
}

/// A sequence as SQLite keeps it; beyond what it can keep there are no records.
fn place_of(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

fn in_range(append: &Append) -> Result<(), BackendError> {
    if i64::try_from(append.tail_after().next.0).is_ok() {
        return Ok(());
    }
    Err(BackendError::lasting(format!("append to {}: SQLite counts to 2^63 only", append.fleet)))
}

fn seq_of(number: i64) -> Result<Seq, Trouble> {
    u64::try_from(number).map(Seq).map_err(|_| Trouble::Odd(format!("it holds the sequence {number}")))
}

fn digest_of(bytes: &[u8]) -> Result<Digest, Trouble> {
    let digest = bytes.try_into().map(Digest);
    digest.map_err(|_| Trouble::Odd(format!("it holds a head of {} bytes", bytes.len())))
}
