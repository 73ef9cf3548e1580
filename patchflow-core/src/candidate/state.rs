//! A candidate in whichever state the world has brought it to.

use super::{Approved, Identified, Rejected, Superseded, Trialled, Withdrawn};
use crate::catalog::Patch;
use crate::risk::Assessment;
use alloc::sync::Arc;

/// A candidate in one of its states.
#[derive(Debug, PartialEq, Eq)]
pub enum Candidate {
    /// Seen and rated.
    Identified(Identified),
    /// The trial is behind it.
    Trialled(Trialled),
    /// May be installed.
    Approved(Approved),
    /// Turned down.
    Rejected(Rejected),
    /// Replaced.
    Superseded(Superseded),
    /// Withdrawn.
    Withdrawn(Withdrawn),
}

impl Candidate {
    /// What was identified, in any state.
    #[must_use]
    pub fn identified(&self) -> &Identified {
        match self {
            Self::Identified(state) => state,
            Self::Trialled(state) => state.identified(),
            Self::Approved(state) => state.trialled().identified(),
            Self::Rejected(state) => state.identified(),
            Self::Superseded(state) => state.identified(),
            Self::Withdrawn(state) => state.identified(),
        }
    }

    /// The approval, when there is one.
    #[must_use]
    pub fn approved(&self) -> Option<&Approved> {
        match self {
            Self::Approved(state) => Some(state),
            Self::Identified(_)
            | Self::Trialled(_)
            | Self::Rejected(_)
            | Self::Superseded(_)
            | Self::Withdrawn(_) => None,
        }
    }

    /// The state, as a word for people.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Identified(_) => "identified",
            Self::Trialled(_) => "waiting for approval",
            Self::Approved(_) => "approved",
            Self::Rejected(_) => "rejected",
            Self::Superseded(_) => "superseded",
            Self::Withdrawn(_) => "withdrawn",
        }
    }

    /// The same content under other words: the patch and its rating change, the state and an approval of the content
    /// stay.
    pub(crate) fn rerate(&mut self, patch: Arc<Patch>, risk: Assessment) {
        let identified = match self {
            Self::Identified(state) => state,
            Self::Trialled(state) => &mut state.identified,
            Self::Approved(state) => state.identified_mut(),
            Self::Rejected(state) => &mut state.identified,
            Self::Superseded(state) => &mut state.identified,
            Self::Withdrawn(state) => &mut state.identified,
        };
        (identified.patch, identified.risk) = (patch, risk);
    }

    pub(crate) fn into_identified(self) -> Identified {
        match self {
            Self::Identified(state) => state,
            Self::Trialled(state) => state.back_to_identified(),
            Self::Approved(state) => state.revoked().back_to_identified(),
            Self::Rejected(Rejected { identified, .. })
            | Self::Superseded(Superseded { identified, .. })
            | Self::Withdrawn(Withdrawn { identified, .. }) => identified,
        }
    }
}
