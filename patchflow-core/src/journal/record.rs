//! The record envelope: a fixed header, a payload that may be dropped later, and the chain over both.

use crate::digest::Digest;
use crate::ids::Seq;
use crate::time::Timestamp;
use alloc::vec::Vec;

/// The end of a journal stream: what an append expects, and what a store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The sequence that the next fact gets.
    pub next: Seq,
    /// The head of the hash chain.
    pub head: Digest,
}

impl Tail {
    /// The tail of a stream without records; the head of an empty chain is all zeros.
    pub const EMPTY: Self = Self { next: Seq(1), head: Digest([0; 32]) };
}

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// One rich fact, as JSON text.
    Rich = 1,
    /// Up to 4096 packed endpoint facts.
    Frame = 2,
    /// The whole state after `last`, from which a replay may start. It takes no sequence of its own: `first` is
    /// `last + 1`, and `last` is that of the record before.
    Baseline = 3,
}

/// One record, as a store keeps it: header and payload apart, so that pruning can drop the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it holds.
    pub kind: RecordKind,
    /// Its first fact.
    pub first: Seq,
    /// Its last fact.
    pub last: Seq,
    /// When its first fact was decided.
    pub at: Timestamp,
    /// The encoded header, which holds the digest of the payload.
    pub header: Vec<u8>,
    /// The payload; `None` once pruned.
    pub payload: Option<Vec<u8>>,
    /// The head of the chain after this record: H(previous head, header).
    pub head: Digest,
}
