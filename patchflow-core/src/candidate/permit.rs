//! Permits for trials: production endpoints do not fit.
//!
//! ```compile_fail
//! // A trial permit for a production endpoint does not compile.
//! # use patchflow_core::candidate::{Identified, Production, TrialPermit};
//! fn permit(candidate: &Identified, endpoint: Production) -> TrialPermit { TrialPermit::new(candidate, endpoint) }
//! ```
//!
//! ```
//! // For a non-production endpoint it does.
//! # use patchflow_core::candidate::{Identified, NonProduction, TrialPermit};
//! fn permit(candidate: &Identified, endpoint: NonProduction) -> TrialPermit { TrialPermit::new(candidate, endpoint) }
//! ```

use super::Identified;
use crate::catalog::Patch;
use crate::ids::EndpointIx;
use alloc::sync::Arc;

/// A handle on an endpoint that the fleet knows as production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Production(pub(crate) EndpointIx);

/// A handle on an endpoint that the fleet knows as non-production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonProduction(pub(crate) EndpointIx);

impl Production {
    /// The endpoint.
    #[must_use]
    pub fn endpoint(self) -> EndpointIx {
        self.0
    }
}

impl NonProduction {
    /// The endpoint.
    #[must_use]
    pub fn endpoint(self) -> EndpointIx {
        self.0
    }
}

/// Leave to install a candidate that nobody approved on one non-production endpoint.
///
/// The engine looks at the endpoint's environment again when it issues the order: an endpoint that has become
/// production meanwhile gets none.
#[derive(Debug, PartialEq, Eq)]
pub struct TrialPermit {
    patch: Arc<Patch>,
    endpoint: EndpointIx,
}

impl TrialPermit {
    /// A permit for one candidate on one endpoint.
    #[must_use]
    pub fn new(candidate: &Identified, endpoint: NonProduction) -> Self {
        Self { patch: candidate.patch().clone(), endpoint: endpoint.0 }
    }

    /// The patch to try.
    #[must_use]
    pub fn patch(&self) -> &Arc<Patch> {
        &self.patch
    }

    /// Where it may be tried.
    #[must_use]
    pub fn endpoint(&self) -> EndpointIx {
        self.endpoint
    }
}
