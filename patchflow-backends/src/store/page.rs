//! Where a page of records ends: the one rule that all stores share.
//!
//! A page is cut between records, and never beside a baseline: one goes with the record that starts at the same
//! sequence, because the next page is asked for by sequence and would give it again, or, at the stream's end, with the
//! last record, because nobody would ask for more.

use patchflow_core::journal::{Record, RecordKind};

/// A page that is being filled, in the stream's order.
pub(super) struct Page {
    records: Vec<Record>,
    /// How many of the records may stand in a page that ends here.
    whole: usize,
    bytes: usize,
    bytes_max: usize,
}

impl Page {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { records: Vec::new(), whole: 0, bytes: 0, bytes_max }
    }

    /// Whether a further record still belongs to the page. After a no the page is finished.
    pub(super) fn admits(&mut self, kind: RecordKind, payload_bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(payload_bytes);
        // Whether a baseline belongs here is known when the record after it comes, or none.
        if kind == RecordKind::Baseline || self.whole == 0 || self.bytes <= self.bytes_max {
            return true;
        }
        self.records.truncate(self.whole);
        false
    }

    /// Adds a record that was admitted.
    pub(super) fn push(&mut self, record: Record) {
        let ends_here = record.kind != RecordKind::Baseline;
        self.records.push(record);
        if ends_here {
            self.whole = self.records.len();
        }
    }

    pub(super) fn into_records(self) -> Vec<Record> {
        self.records
    }
}
