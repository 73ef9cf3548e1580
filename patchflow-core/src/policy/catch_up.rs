//! What a completed rollout goes on doing (semantics S5).

use serde::{Deserialize, Serialize};

/// What a completed rollout goes on doing: the same approved plan for those who came too late for it.
///
/// It lasts as long as the approval does, keeps the rollout's budgets, windows and holds, and has no gate: a limit of
/// failures ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatchUpPolicy {
    /// Whether endpoints that begin to need the patch after the rollout has completed are brought along. Those that do
    /// so before join its last ring in any case.
    pub newcomers: bool,
    /// Whether members that could not start in time are tried again after the rollout has completed.
    pub deferred: bool,
    /// Ends it on the first failed or unknown endpoint beyond this many.
    pub max_failures: u32,
}

impl Default for CatchUpPolicy {
    fn default() -> Self {
        Self { newcomers: true, deferred: true, max_failures: 5 }
    }
}
