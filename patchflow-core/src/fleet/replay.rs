//! Facts into a state without deciding anything, many at once.

use super::kernel::Fleet;
use super::state::State;
use super::{EndpointFact, Fact, Recorded};
use crate::error::{CorruptJournal, Flaw};
use crate::ids::Seq;
use crate::time::Timestamp;
use alloc::vec::Vec;

/// Endpoint facts that are applied at once.
const AT_ONCE: usize = 4096;

/// A state that grows fact by fact.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    state: State,
    /// Endpoint facts that follow the state and have not been applied yet.
    waiting: Vec<(Timestamp, EndpointFact)>,
}

impl Replay {
    pub(crate) fn new(state: State) -> Self {
        Self { state, waiting: Vec::new() }
    }

    /// Takes one fact.
    pub(crate) fn one(&mut self, Recorded { seq, at, fact }: Recorded) -> Result<(), CorruptJournal> {
        match fact {
            Fact::Endpoint(fact) => {
                let expected = Seq(self.state.seq.next().0 + self.waiting.len() as u64);
                if seq != expected {
                    self.apply_waiting()?;
                    return Err(CorruptJournal { seq, flaw: Flaw::Gap { expected } });
                }
                self.waiting.push((at, fact));
                if self.waiting.len() < AT_ONCE { Ok(()) } else { self.apply_waiting() }
            }
            Fact::Rich(_) => {
                self.apply_waiting()?;
                self.state.evolve(seq, at, &fact)
            }
        }
    }

    /// Takes the facts of a frame, the first of which has this sequence.
    pub(crate) fn frame(
        &mut self,
        first: Seq,
        facts: &[(Timestamp, EndpointFact)],
    ) -> Result<(), CorruptJournal> {
        self.apply_waiting()?;
        self.state.evolve_frame(first, facts)
    }

    fn apply_waiting(&mut self) -> Result<(), CorruptJournal> {
        let done = self.state.evolve_frame(self.state.seq.next(), &self.waiting);
        self.waiting.clear();
        done
    }

    /// The fleet that the facts built.
    pub(crate) fn finish(mut self) -> Result<Fleet, CorruptJournal> {
        self.apply_waiting()?;
        self.state.recover();
        Ok(Fleet::of(self.state))
    }
}

impl State {
    /// Applies endpoint facts that follow each other.
    fn evolve_frame(
        &mut self,
        first: Seq,
        facts: &[(Timestamp, EndpointFact)],
    ) -> Result<(), CorruptJournal> {
        if facts.is_empty() {
            return Ok(());
        }
        if first != self.seq.next() {
            return Err(CorruptJournal { seq: first, flaw: Flaw::Gap { expected: self.seq.next() } });
        }
        self.evolve_many(facts)
    }
}
