//! The third state: a proof of approval that nothing but the engine can mint.
//!
//! ```compile_fail
//! // An approval cannot be forged: its fields are private.
//! # use patchflow_core::candidate::Approved;
//! fn forge(approved: Approved) -> Approved { Approved { ..approved } }
//! ```
//!
//! ```compile_fail
//! // An approval cannot be read from text.
//! let approved: patchflow_core::candidate::Approved = serde_json::from_str("{}").unwrap();
//! ```
//!
//! ```compile_fail
//! // An approval cannot be kept beside the fleet, where a revocation would not reach it.
//! fn keep(approved: &patchflow_core::candidate::Approved) -> patchflow_core::candidate::Approved { approved.clone() }
//! ```
//!
//! ```
//! // It can be looked at while the fleet is borrowed.
//! # use patchflow_core::{candidate::Approved, fleet::Fleet, ids::CandidateId};
//! fn look(fleet: &Fleet) -> Option<&Approved> { fleet.candidate(CandidateId(1))?.approved() }
//! ```

use super::{Evidence, Identified, Trialled};
use crate::catalog::Patch;
use crate::digest::Digest;
use crate::ids::CandidateId;
use crate::risk::Assessment;
use crate::time::Timestamp;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Who or what approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "approved_by", rename_all = "snake_case")]
pub enum ApprovedBy {
    /// A rule of the policy, on the evidence it names.
    Rule {
        /// The rule.
        rule: String,
    },
    /// People, as many as the quorum asks for.
    People {
        /// Their names.
        names: Vec<Arc<str>>,
        /// The rule that asked them.
        rule: String,
        /// What the last of them gave as reason.
        reason: String,
    },
}

/// The proof that a candidate may be installed on production endpoints: bound to its content, until it expires.
///
/// No `Clone`, no `Deserialize`, no public constructor. Only the evolution of a granted fact mints one, live and in
/// replay alike.
#[derive(Debug, PartialEq, Eq)]
pub struct Approved {
    trialled: Trialled,
    by: ApprovedBy,
    at: Timestamp,
    expires: Timestamp,
}

impl Approved {
    pub(super) fn mint(trialled: Trialled, by: ApprovedBy, at: Timestamp, expires: Timestamp) -> Self {
        Self { trialled, by, at, expires }
    }

    /// Revoked or expired: the approval is open again.
    pub(crate) fn revoked(self) -> Trialled {
        self.trialled
    }

    /// The candidate.
    #[must_use]
    pub fn id(&self) -> CandidateId {
        self.trialled.identified.id
    }

    /// The patch that was approved.
    #[must_use]
    pub fn patch(&self) -> &Arc<Patch> {
        &self.trialled.identified.patch
    }

    /// The content that the approval is bound to.
    #[must_use]
    pub fn content(&self) -> Digest {
        self.patch().content
    }

    /// How urgent it is.
    #[must_use]
    pub fn risk(&self) -> &Assessment {
        &self.trialled.identified.risk
    }

    /// What stands for the trial.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.trialled.evidence
    }

    /// Who or what approved.
    #[must_use]
    pub fn by(&self) -> &ApprovedBy {
        &self.by
    }

    /// When.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// From when it no longer holds.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    pub(super) fn identified_mut(&mut self) -> &mut Identified {
        &mut self.trialled.identified
    }

    pub(crate) fn trialled(&self) -> &Trialled {
        &self.trialled
    }
}

/// A candidate that somebody turned down.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected {
    pub(super) identified: Identified,
    pub(super) by: Arc<str>,
    pub(super) reason: String,
    pub(super) at: Timestamp,
}

impl Rejected {
    /// What was identified.
    #[must_use]
    pub fn identified(&self) -> &Identified {
        &self.identified
    }

    /// Who turned it down.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
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
