//! Where a page of records ends: the one rule that all stores share.
//!
//! A page is cut between records, and never after a baseline: a baseline goes with the record that starts at the same
//! sequence, because the next page is asked for by sequence and would give the baseline again.

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

    /// Whether a further record with such a payload still belongs to the page. After a no the page is finished.
    pub(super) fn admits(&mut self, payload_bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(payload_bytes);
        if self.whole == 0 || self.bytes <= self.bytes_max {
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
