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
    /// What becomes of endpoints that are not in service yet.
    pub onboarding: Onboarding,
    /// Ends it on the first failed or unknown endpoint beyond this many.
    pub max_failures: u32,
}

impl Default for CatchUpPolicy {
    fn default() -> Self {
        Self { newcomers: true, deferred: true, onboarding: Onboarding::InWindows, max_failures: 5 }
    }
}

/// What becomes of endpoints that are not in service yet. No ring takes them, and no gate counts them. Completed
/// rollouts bring them the patches that are approved, whether or not they bring others along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Onboarding {
    /// Nothing: the host says when they go into service.
    Leave,
    /// They are brought to the approved patches in their windows.
    InWindows,
    /// They are brought to them at any time: nobody works there yet. A freeze still holds.
    AtAnyTime,
}
