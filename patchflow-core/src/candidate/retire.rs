//! The ends: superseded by another candidate, or withdrawn by the vendor or a person.

use super::{Candidate, Identified};
use crate::ids::CandidateId;
use crate::time::Timestamp;
use alloc::string::String;

/// A candidate whose place another one has taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Superseded {
    pub(super) identified: Identified,
    pub(super) by: CandidateId,
    pub(super) at: Timestamp,
}

impl Superseded {
    /// What was identified.
    #[must_use]
    pub fn identified(&self) -> &Identified {
        &self.identified
    }

    /// The candidate that took its place.
    #[must_use]
    pub fn by(&self) -> CandidateId {
        self.by
    }

    /// When.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// A candidate that must not be installed any more.
#[derive(Debug, PartialEq, Eq)]
pub struct Withdrawn {
    pub(super) identified: Identified,
    pub(super) reason: String,
    pub(super) at: Timestamp,
}

impl Withdrawn {
    /// What was identified.
    #[must_use]
    pub fn identified(&self) -> &Identified {
        &self.identified
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// When.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl Candidate {
    /// Another candidate takes its place. Whatever state it was in, the approval ends with it.
    pub(crate) fn superseded(self, by: CandidateId, at: Timestamp) -> Self {
        Self::Superseded(Superseded { identified: self.into_identified(), by, at })
    }

    /// It must not be installed any more. Whatever state it was in, the approval ends with it.
    pub(crate) fn withdrawn(self, reason: String, at: Timestamp) -> Self {
        Self::Withdrawn(Withdrawn { identified: self.into_identified(), reason, at })
    }
}
