//! How an endpoint stands to a candidate, as a fact holds it.

use crate::fleet::message::observation::Standing;
use crate::ids::EndpointIx;
use crate::plan::RollbackPath;
use crate::time::Timestamp;
use alloc::sync::Arc;
use serde::{Deserialize, Serialize};

/// How an endpoint stands to a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedFact {
    /// The endpoint.
    pub endpoint: EndpointIx,
    /// Needs it, has it, or has nothing to do with it.
    pub standing: Standing,
    /// The version that is there now; `None` when the package is not installed.
    pub present: Option<Arc<str>>,
    /// The way back from the candidate to that version.
    pub path: RollbackPath,
    /// Until when that way back holds; `None` while nothing ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_valid_until: Option<Timestamp>,
    /// Why it does not apply there, where the comparison said more than that it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Arc<str>>,
}
