//! The checks that every record passes before anything in it is believed, and the audit made of them.

use super::frame::FRAME_FACTS_MAX;
use super::{Header, Record, RecordKind, Tail, chain};
use crate::digest::Digest;
use crate::error::{CorruptJournal, Flaw};
use crate::ids::{FleetId, Seq};
use alloc::format;
use core::borrow::Borrow;

/// What an audit found: every record hangs on the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    /// All records, baselines included.
    pub records: u64,
    /// Facts in them, dropped ones included.
    pub facts: u64,
    /// Baselines among the records.
    pub baselines: u64,
    /// Records whose payload has been dropped; only their headers were verified.
    pub pruned: u64,
    /// The payloads that are there and were verified, in bytes.
    pub payload_bytes: u64,
    /// Where the journal ends. An end that was cut off shows only against a head that was kept elsewhere.
    pub tail: Tail,
}

/// Verifies the chain over records that follow `start`, with or without their payloads. It does not look into them:
/// whether they can be understood is the business of [`super::decode`].
///
/// # Errors
/// [`CorruptJournal`] at the first record that is damaged, missing, doubled, moved or of another fleet.
pub fn audit<I>(fleet: FleetId, start: Tail, records: I) -> Result<Audit, CorruptJournal>
where
    I: IntoIterator<Item: Borrow<Record>>,
{
    let mut found = Audit { records: 0, facts: 0, baselines: 0, pruned: 0, payload_bytes: 0, tail: start };
    for record in records {
        let record = record.borrow();
        let (header, tail) =
            check(fleet, found.tail, record).map_err(|flaw| CorruptJournal { seq: found.tail.next, flaw })?;
        found.records += 1;
        found.facts += tail.next.0 - found.tail.next.0;
        found.baselines += u64::from(header.kind == RecordKind::Baseline);
        match record.payload {
            Some(_) => found.payload_bytes += u64::from(header.payload_bytes),
            None => found.pruned += 1,
        }
        found.tail = tail;
    }
    Ok(found)
}

/// The bytes of a baseline and the tail after it, from which reading goes on. `before` is the head of the chain
/// before the baseline, as its store has it.
///
/// # Errors
/// [`CorruptJournal`] when the record is damaged, of another fleet, pruned, or no baseline.
pub fn open_baseline(
    fleet: FleetId,
    record: &Record,
    before: Digest,
) -> Result<(&[u8], Tail), CorruptJournal> {
    let corrupt = |flaw| CorruptJournal { seq: record.first, flaw };
    let start = Tail { next: record.first, head: before };
    let (header, tail) = check(fleet, start, record).map_err(corrupt)?;
    if header.kind != RecordKind::Baseline {
        return Err(corrupt(Flaw::Damaged("it is not a baseline".into())));
    }
    let payload = record.payload.as_deref().ok_or_else(|| corrupt(Flaw::Pruned))?;
    Ok((payload, tail))
}

/// Checks one record against the tail before it; gives its header and the tail after it.
///
/// The order of the checks decides what is said: a record that is missing, doubled or moved shows as a gap, any other
/// change of a header as a broken chain, and only a record that hangs on the chain can be called too new.
pub(super) fn check(fleet: FleetId, tail: Tail, record: &Record) -> Result<(Header, Tail), Flaw> {
    let parsed = Header::parse(&record.header);
    if let Err(damaged @ Flaw::Damaged(_)) = parsed {
        return Err(damaged);
    }
    if parsed.as_ref().is_ok_and(|header| header.first != tail.next) || record.first != tail.next {
        return Err(Flaw::Gap { expected: tail.next });
    }
    if chain(tail.head, &record.header) != record.head {
        return Err(Flaw::Chain);
    }
    let header = parsed?;
    if header.fleet != fleet {
        return Err(Flaw::Damaged(format!("it belongs to {}, not to {fleet}", header.fleet)));
    }
    if (header.kind, header.last, header.at) != (record.kind, record.last, record.at) {
        return Err(Flaw::Damaged("it is filed under other marks than its header names".into()));
    }
    let facts = (u128::from(header.last.0) + 1).checked_sub(u128::from(header.first.0));
    let fits = match header.kind {
        RecordKind::Rich => facts == Some(1),
        RecordKind::Frame => facts.is_some_and(|n| (1..=FRAME_FACTS_MAX as u128).contains(&n)),
        RecordKind::Baseline => facts == Some(0),
    };
    let next =
        header.last.0.checked_add(1).filter(|_| fits).ok_or_else(|| {
            Flaw::Damaged(format!("it cannot reach from {} to {}", header.first, header.last))
        })?;
    if let Some(payload) = &record.payload {
        if payload.len() as u64 != u64::from(header.payload_bytes) {
            let found = payload.len();
            return Err(Flaw::Damaged(format!(
                "the payload has {found} bytes instead of {}",
                header.payload_bytes
            )));
        }
        if Digest::of(payload) != header.payload {
            return Err(Flaw::Damaged("the payload does not have the digest that its header names".into()));
        }
    }
    Ok((header, Tail { next: Seq(next), head: record.head }))
}
