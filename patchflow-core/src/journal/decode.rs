//! From records back to facts, verified on the way.

use super::rich::TODAY;
use super::unpack::unpack_frame;
use super::verify::check;
use super::{Record, RecordKind, Tail};
use crate::error::{CorruptJournal, Flaw};
use crate::fleet::{EndpointFact, Fact, Recorded};
use crate::ids::{FleetId, Seq};
use crate::time::Timestamp;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::iter::FusedIterator;

/// The facts in records that follow `start`. Baselines are verified and passed over.
///
/// Every record is verified before a fact of it is given out, and it is given out whole or not at all. The first
/// record that fails ends the iteration with a [`CorruptJournal`] that names its first sequence.
pub fn decode<I>(fleet: FleetId, start: Tail, records: I) -> Decoder<I::IntoIter>
where
    I: IntoIterator<Item: Borrow<Record>>,
{
    Decoder {
        records: records.into_iter(),
        fleet,
        tail: start,
        frame: Vec::new(),
        given: 0,
        first: start.next,
        failed: false,
    }
}

/// Gives out the facts of records; see [`decode`].
#[derive(Clone, Debug)]
pub struct Decoder<I> {
    records: I,
    fleet: FleetId,
    tail: Tail,
    /// The facts of the frame that is being given out; the buffer is kept.
    frame: Vec<(Timestamp, EndpointFact)>,
    given: usize,
    /// The sequence of the frame's first fact.
    first: Seq,
    failed: bool,
}

impl<I> Decoder<I> {
    /// Where the records end that have been read so far.
    #[must_use]
    pub const fn tail(&self) -> Tail {
        self.tail
    }

    /// Reads one record: gives its fact when it is a rich one, or fills the frame.
    fn open(&mut self, record: &Record) -> Result<Held, Flaw> {
        let (header, after) = check(self.fleet, self.tail, record)?;
        let payload = match (header.kind, &record.payload) {
            (RecordKind::Baseline, _) => {
                self.tail = after;
                return Ok(Held::Baseline);
            }
            (RecordKind::Rich | RecordKind::Frame, None) => return Err(Flaw::Pruned),
            (RecordKind::Rich | RecordKind::Frame, Some(payload)) => payload,
        };
        let held = if header.kind == RecordKind::Rich {
            let fact = Fact::from(TODAY.read(payload)?);
            Held::Rich(Recorded { seq: header.first, at: header.at, fact })
        } else {
            let frame = &mut self.frame;
            let facts = unpack_frame(payload, header.first, header.at, |_, at, fact| frame.push((at, fact)));
            let whole = facts.and_then(|facts| {
                let named = after.next.0 - header.first.0;
                if u64::from(facts) == named { Ok(()) } else { Err(miscounted(named, facts)) }
            });
            if let Err(flaw) = whole {
                frame.clear();
                return Err(flaw);
            }
            self.first = header.first;
            Held::Frame
        };
        self.tail = after;
        Ok(held)
    }
}

/// What a record held.
enum Held {
    Rich(Recorded),
    /// The facts stand in the decoder's frame.
    Frame,
    Baseline,
}

/// What a record held, with its facts.
pub(super) enum Opened<'a> {
    Rich(Recorded),
    Frame { first: Seq, facts: &'a [(Timestamp, EndpointFact)] },
    Baseline,
}

impl<I> Decoder<I>
where
    I: Iterator<Item: Borrow<Record>>,
{
    /// The next record as a whole.
    pub(super) fn open_next(&mut self) -> Result<Option<Opened<'_>>, CorruptJournal> {
        self.frame.clear();
        let Some(record) = self.records.next() else { return Ok(None) };
        match self.open(record.borrow()) {
            Ok(Held::Rich(fact)) => Ok(Some(Opened::Rich(fact))),
            Ok(Held::Frame) => Ok(Some(Opened::Frame { first: self.first, facts: &self.frame })),
            Ok(Held::Baseline) => Ok(Some(Opened::Baseline)),
            Err(flaw) => Err(CorruptJournal { seq: self.tail.next, flaw }),
        }
    }
}

#[cold]
fn miscounted(named: u64, found: u16) -> Flaw {
    Flaw::Damaged(alloc::format!("the header names {named} facts, the frame holds {found}"))
}

impl<I> Iterator for Decoder<I>
where
    I: Iterator<Item: Borrow<Record>>,
{
    type Item = Result<Recorded, CorruptJournal>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(&(at, fact)) = self.frame.get(self.given) {
                let seq = Seq(self.first.0 + self.given as u64);
                self.given += 1;
                return Some(Ok(Recorded { seq, at, fact: Fact::Endpoint(fact) }));
            }
            if self.failed {
                return None;
            }
            self.frame.clear();
            self.given = 0;
            let record = self.records.next()?;
            match self.open(record.borrow()) {
                Ok(Held::Rich(rich)) => return Some(Ok(rich)),
                Ok(Held::Frame | Held::Baseline) => {}
                Err(flaw) => {
                    self.failed = true;
                    return Some(Err(CorruptJournal { seq: self.tail.next, flaw }));
                }
            }
        }
    }
}

impl<I> FusedIterator for Decoder<I> where I: FusedIterator<Item: Borrow<Record>> {}
