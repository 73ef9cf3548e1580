//! From facts to records.

use super::frame::FramePacker;
use super::header::PAYLOAD_BYTES_MAX;
use super::{Header, Record, RecordKind, Tail, chain, rich};
use crate::digest::Digest;
use crate::fleet::{Fact, Recorded};
use crate::ids::{FleetId, Seq};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;

/// Why facts could not be made into records. No record was added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The facts do not follow the tail, or not each other.
    #[error("expected the fact {expected}, was given {found}")]
    OutOfSequence {
        /// The sequence that should have come.
        expected: Seq,
        /// The one that came.
        found: Seq,
    },
    /// One record would be too long for stores.
    #[error("the record at {seq} is limited to {PAYLOAD_BYTES_MAX} bytes, needs {bytes}")]
    TooLong {
        /// Its first sequence.
        seq: Seq,
        /// How long it would be.
        bytes: usize,
    },
    /// A fact cannot be written as text.
    #[error("the fact {seq} cannot be written as text: {detail}")]
    Unwritable {
        /// Its sequence.
        seq: Seq,
        /// What the encoder says.
        detail: String,
    },
}

/// Makes records of one fleet's facts.
///
/// It holds the tail after which records are made, and never moves it by itself: the caller does, with
/// [`Encoder::move_to`], when the records are stored. When an append fails and its outcome is not known, the same
/// records must be appended again; the same facts after the same tail also give the same bytes again.
///
/// ```
/// use patchflow_core::fleet::{Recorded, RichFact};
/// use patchflow_core::ids::{FleetId, RolloutId, Seq};
/// use patchflow_core::journal::{Encoder, Tail, decode};
/// use patchflow_core::time::Timestamp;
///
/// let fact = RichFact::RingOpened { rollout: RolloutId(1), ring: 0 };
/// let facts = [Recorded { seq: Seq(1), at: Timestamp::from_secs(1_800_000_000), fact: fact.into() }];
/// let mut encoder = Encoder::new(FleetId(7), Tail::EMPTY);
/// let mut records = Vec::new();
/// let after = encoder.encode(&facts, &mut records)?;
/// // ... append them with the expected tail `encoder.tail()`; once they are stored:
/// encoder.move_to(after);
/// assert_eq!(records[0].payload.as_deref(), Some(&br#"{"v":1,"fact":"ring_opened","rollout":1,"ring":0}"#[..]));
/// assert!(decode(FleetId(7), Tail::EMPTY, &records).eq(facts.map(Ok)));
/// # Ok::<(), patchflow_core::journal::EncodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    fleet: FleetId,
    tail: Tail,
    packer: FramePacker,
}

impl Encoder {
    /// An encoder that goes on after `tail`; [`Tail::EMPTY`] for a new journal.
    #[must_use]
    pub const fn new(fleet: FleetId, tail: Tail) -> Self {
        Self { fleet, tail, packer: FramePacker::new() }
    }

    /// The tail after which records are made: what an append of them must expect.
    #[must_use]
    pub const fn tail(&self) -> Tail {
        self.tail
    }

    /// Makes the next records after another tail: on after a successful append, or back after a failed one.
    pub const fn move_to(&mut self, tail: Tail) {
        self.tail = tail;
    }

    /// Adds the records of these facts to `into` and returns the tail after them; the encoder's own stays. Runs of
    /// endpoint facts become frames, every other fact a record of its own.
    ///
    /// # Errors
    /// [`EncodeError`], and then `into` is as it was.
    pub fn encode(&mut self, facts: &[Recorded], into: &mut Vec<Record>) -> Result<Tail, EncodeError> {
        let before = into.len();
        self.packer.reset();
        let mut maker = Maker { fleet: self.fleet, tail: self.tail, into };
        maker.run(&mut self.packer, facts).map(|()| maker.tail).inspect_err(|_| maker.into.truncate(before))
    }

    /// A baseline after the tail: the whole state as bytes, chained like any other record, without a sequence of its
    /// own. The tail after it is `Tail { next: encoder.tail().next, head: record.head }`.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`].
    pub fn baseline(&self, state: Vec<u8>, at: Timestamp) -> Result<Record, EncodeError> {
        record(self.fleet, self.tail, RecordKind::Baseline, 0, at, state).map(|(record, _)| record)
    }
}

struct Maker<'a> {
    fleet: FleetId,
    tail: Tail,
    into: &'a mut Vec<Record>,
}

impl Maker<'_> {
    fn run(&mut self, packer: &mut FramePacker, facts: &[Recorded]) -> Result<(), EncodeError> {
        let mut expected = self.tail.next;
        for Recorded { seq, at, fact } in facts {
            if *seq != expected {
                return Err(EncodeError::OutOfSequence { expected, found: *seq });
            }
            expected = expected.next();
            match fact {
                Fact::Endpoint(fact) => {
                    if !packer.push(fact, *at) {
                        self.end_frame(packer)?;
                        packer.push(fact, *at);
                    }
                }
                Fact::Rich(fact) => {
                    self.end_frame(packer)?;
                    let unwritable = |detail| EncodeError::Unwritable { seq: *seq, detail };
                    let payload = rich::write(fact).map_err(unwritable)?;
                    self.add(RecordKind::Rich, 1, *at, payload)?;
                }
            }
        }
        self.end_frame(packer)
    }

    fn end_frame(&mut self, packer: &mut FramePacker) -> Result<(), EncodeError> {
        match packer.finish() {
            Some(frame) => self.add(RecordKind::Frame, frame.facts, frame.at, frame.payload.to_vec()),
            None => Ok(()),
        }
    }

    fn add(
        &mut self,
        kind: RecordKind,
        facts: u16,
        at: Timestamp,
        payload: Vec<u8>,
    ) -> Result<(), EncodeError> {
        let (record, tail) = record(self.fleet, self.tail, kind, facts, at, payload)?;
        self.into.push(record);
        self.tail = tail;
        Ok(())
    }
}

fn record(
    fleet: FleetId,
    tail: Tail,
    kind: RecordKind,
    facts: u16,
    at: Timestamp,
    payload: Vec<u8>,
) -> Result<(Record, Tail), EncodeError> {
    let first = tail.next;
    let bytes = payload.len();
    let too_long = EncodeError::TooLong { seq: first, bytes };
    let payload_bytes = u32::try_from(bytes).ok().filter(|_| bytes <= PAYLOAD_BYTES_MAX).ok_or(too_long)?;
    let next = Seq(first.0 + u64::from(facts));
    let last = Seq(next.0 - 1);
    let header = Header { kind, fleet, first, last, at, payload_bytes, payload: Digest::of(&payload) };
    let header = header.to_bytes();
    let head = chain(tail.head, &header);
    let record = Record { kind, first, last, at, header: header.to_vec(), payload: Some(payload), head };
    Ok((record, Tail { next, head }))
}
