//! What is rolled back, and what must be known beforehand (semantics S10).

use super::defaults::HOUR;
use super::{Say, WaiverByName};
use serde::{Deserialize, Serialize};

/// What is rolled back, and what must be known beforehand (semantics S10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackPolicy {
    /// What happens to a member that failed for good.
    pub on_failure: OnFailure,
    /// Who is rolled back when a ring is halted.
    pub on_halt: OnHalt,
    /// What happens to those that have it when its approval is taken back.
    pub on_revoke: OnRevoke,
    /// Lets endpoints without a known rollback path start, by name and reason.
    pub without_path: Option<WaiverByName>,
    /// Each way back that deployments count on is tried on non-production at least so often, in seconds; not 0.
    pub drill_every_secs: u32,
}

/// What happens to a member that failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It stays as it is, failed.
    Leave,
    /// It is brought back to its recorded level.
    RollBack,
}

/// Who is rolled back when a ring is halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHalt {
    /// Nobody.
    Nobody,
    /// Members of the rollout that failed.
    Failed,
    /// Everybody in the halted ring who has it.
    Ring,
    /// Everybody in the rollout who has it.
    Rollout,
}

/// What happens to those that have a patch when its approval is taken back. New orders stop in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRevoke {
    /// They keep it, and are listed.
    List,
    /// They are brought back to their recorded level, by the same road as on a halt.
    RollBack,
}

impl Default for RollbackPolicy {
    fn default() -> Self {
        Self {
            on_failure: OnFailure::Leave,
            on_halt: OnHalt::Failed,
            on_revoke: OnRevoke::List,
            without_path: None,
            drill_every_secs: 90 * 24 * HOUR,
        }
    }
}

impl RollbackPolicy {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        if self.drill_every_secs == 0 {
            say("rollback.drill_every_secs".into(), "0 would be overdue at once; a quarter is 7776000");
        }
        super::check::waiver("rollback.without_path", self.without_path.as_ref(), say);
    }
}
