//! The second state: the trial passed, was not required, or was waived by somebody until some day.

use super::{Approved, ApprovedBy, Identified, Rejected};
use crate::gate::Counts;
use crate::ids::RolloutId;
use crate::time::Timestamp;
use alloc::string::String;
use alloc::sync::Arc;
use serde::{Deserialize, Serialize};

/// What stands for the trial; it travels with the candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trial", rename_all = "snake_case")]
pub enum Evidence {
    /// The trial passed its gate.
    Passed {
        /// The trial, which is a rollout over non-production endpoints.
        rollout: RolloutId,
        /// What was counted.
        counts: Counts,
        /// When the gate was passed.
        at: Timestamp,
    },
    /// The policy requires none.
    NotRequired {
        /// Which part of the policy says so.
        rule: String,
    },
    /// Somebody waived it.
    Waived {
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: String,
        /// Until when the waiver holds.
        until: Timestamp,
    },
}

impl Evidence {
    /// Whether a trial really passed.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        match self {
            Self::Passed { .. } => true,
            Self::NotRequired { .. } | Self::Waived { .. } => false,
        }
    }
}

/// A candidate whose trial is behind it, and whose approval is open.
#[derive(Debug, PartialEq, Eq)]
pub struct Trialled {
    pub(super) identified: Identified,
    pub(super) evidence: Evidence,
}

impl Trialled {
    /// The granted fact was evolved: the one way to an [`Approved`].
    pub(crate) fn approved(self, by: ApprovedBy, at: Timestamp, expires: Timestamp) -> Approved {
        Approved::mint(self, by, at, expires)
    }

    pub(crate) fn rejected(self, by: Arc<str>, reason: String, at: Timestamp) -> Rejected {
        Rejected { identified: self.identified, by, reason, at }
    }

    /// What was identified.
    #[must_use]
    pub fn identified(&self) -> &Identified {
        &self.identified
    }

    /// What stands for the trial.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    pub(crate) fn back_to_identified(self) -> Identified {
        self.identified
    }
}
