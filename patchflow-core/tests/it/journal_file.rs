//! Journals as files, for tests: each record as length and header, length and payload, head; lengths of four bytes,
//! little-endian, all ones for a payload that was dropped.

use patchflow_core::digest::Digest;
use patchflow_core::journal::{Header, Record};

const PRUNED: u32 = u32::MAX;

/// The records as one file.
pub(crate) fn to_file(records: &[Record]) -> Vec<u8> {
    let mut file = Vec::new();
    for record in records {
        file.extend(u32::try_from(record.header.len()).unwrap().to_le_bytes());
        file.extend(&record.header);
        match &record.payload {
            Some(payload) => {
                file.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
                file.extend(payload);
            }
            None => file.extend(PRUNED.to_le_bytes()),
        }
        file.extend(record.head.0);
    }
    file
}

/// The records in a file.
pub(crate) fn from_file(mut file: &[u8]) -> Vec<Record> {
    let mut take = |bytes: usize| {
        let (taken, rest) = file.split_at_checked(bytes)?;
        file = rest;
        Some(taken)
    };
    let mut records = Vec::new();
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    while let Some(length) = take(4) {
        let header = take(number(length) as usize).unwrap().to_vec();
        let payload = match number(take(4).unwrap()) {
            PRUNED => None,
            bytes => Some(take(bytes as usize).unwrap().to_vec()),
        };
        let head = Digest(take(32).unwrap().try_into().unwrap());
        let Header { kind, first, last, at, .. } = Header::parse(&header).unwrap();
        records.push(Record { kind, first, last, at, header, payload, head });
    }
    records
}
