//! Moving a candidate to its next typed state, which consumes the one it was in.

use super::Misfit;
use crate::candidate::Candidate;
use crate::fleet::state::{CandidateEntry, State};
use crate::ids::{CandidateId, Revision};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// Whether a candidate's state took a transition; when not, it is given back as it was.
pub(super) enum Fits {
    Yes,
    No,
}

impl State {
    /// Moves a candidate to its next state, which consumes the state it was in.
    pub(super) fn transition(
        &mut self,
        id: CandidateId,
        next: impl FnOnce(Candidate) -> (Candidate, Fits),
    ) -> Result<&mut CandidateEntry, Misfit> {
        self.entry(id)?;
        let entry = self.candidates.swap_remove_and_return(id)?;
        let (candidate, fits) = next(entry.candidate);
        let revision = Revision(entry.revision.0 + 1);
        let entry = self.candidates.put_back(id, CandidateEntry { candidate, revision, ..entry });
        match fits {
            Fits::Yes => Ok(entry),
            Fits::No => Err(format!("the candidate is {}", entry.candidate.state())),
        }
    }
}

/// Taking a candidate out by value, so that its typed state can be consumed, and putting it back at its place.
trait Places {
    fn swap_remove_and_return(&mut self, id: CandidateId) -> Result<CandidateEntry, Misfit>;
    fn put_back(&mut self, id: CandidateId, entry: CandidateEntry) -> &mut CandidateEntry;
}

impl Places for Vec<CandidateEntry> {
    fn swap_remove_and_return(&mut self, id: CandidateId) -> Result<CandidateEntry, Misfit> {
        if id.index() < self.len() {
            Ok(self.swap_remove(id.index()))
        } else {
            Err("there is no such candidate".to_string())
        }
    }

    fn put_back(&mut self, id: CandidateId, entry: CandidateEntry) -> &mut CandidateEntry {
        self.push(entry);
        let last = self.len() - 1;
        self.swap(id.index(), last);
        &mut self[id.index()]
    }
}
