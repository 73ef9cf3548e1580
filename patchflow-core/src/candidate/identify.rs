//! The first state: a patch that something in the fleet may need.

use super::{Evidence, Trialled};
use crate::catalog::Patch;
use crate::ids::CandidateId;
use crate::risk::Assessment;
use crate::time::Timestamp;
use alloc::sync::Arc;

/// A patch that has been seen and rated, and has passed nothing yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Identified {
    pub(super) id: CandidateId,
    pub(super) patch: Arc<Patch>,
    pub(super) risk: Assessment,
    pub(super) at: Timestamp,
}

impl Identified {
    pub(crate) fn new(id: CandidateId, patch: Arc<Patch>, risk: Assessment, at: Timestamp) -> Self {
        Self { id, patch, risk, at }
    }

    /// The trial is behind it, in one way or another.
    pub(crate) fn tried(self, evidence: Evidence) -> Trialled {
        Trialled { identified: self, evidence }
    }

    /// The candidate's index.
    #[must_use]
    pub fn id(&self) -> CandidateId {
        self.id
    }

    /// The patch.
    #[must_use]
    pub fn patch(&self) -> &Arc<Patch> {
        &self.patch
    }

    /// How urgent it is, and why.
    #[must_use]
    pub fn risk(&self) -> &Assessment {
        &self.risk
    }

    /// When it was identified here.
    #[must_use]
    pub fn identified_at(&self) -> Timestamp {
        self.at
    }
}
