//! What is rolled back, and what must be known beforehand (semantics S10).

use super::defaults::HOUR;
use super::{Say, Selector, WaiverByName};
use crate::inventory::Attributes;
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
    /// Whether an endpoint must have a snapshot before it is ordered anything.
    pub snapshot: SnapshotRule,
    /// Endpoints whose own state would be lost with a snapshot, such as databases and domain controllers: they are never
    /// restored from one, and asked for none. `None` means nobody.
    pub stateful: Option<Selector>,
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

/// Whether an endpoint must have a snapshot before it is ordered anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotRule {
    /// Any known way back will do.
    NotAsked,
    /// Restoring a snapshot must be the way back: whoever has none waits for one. Stateful endpoints need another one.
    Required,
}

impl Default for RollbackPolicy {
    /// What fails stays, a halt takes the failed back, any way back will do; what is tagged `role=database` or
    /// `role=domain-controller` is never restored from a snapshot.
    fn default() -> Self {
        Self {
            on_failure: OnFailure::Leave,
            on_halt: OnHalt::Failed,
            on_revoke: OnRevoke::List,
            without_path: None,
            snapshot: SnapshotRule::NotAsked,
            stateful: Some(Selector::AnyOf { of: ["database", "domain-controller"].map(role).into() }),
            drill_every_secs: 90 * 24 * HOUR,
        }
    }
}

fn role(value: &str) -> Selector {
    Selector::Tag { name: "role".into(), value: value.into() }
}

impl RollbackPolicy {
    /// Whether endpoints with these attributes are never restored from a snapshot.
    #[must_use]
    pub fn is_stateful(&self, attributes: &Attributes) -> bool {
        self.stateful.as_ref().is_some_and(|stateful| stateful.takes(attributes))
    }

    pub(super) fn check(&self, say: &mut Say<'_>) {
        if self.drill_every_secs == 0 {
            say("rollback.drill_every_secs".into(), "0 would be overdue at once; a quarter is 7776000");
        }
        super::check::waiver("rollback.without_path", self.without_path.as_ref(), say);
        if self.snapshot == SnapshotRule::Required && self.without_path.is_some() {
            say(
                "rollback.without_path".into(),
                "waives the snapshots that `rollback.snapshot` requires; drop one",
            );
        }
        if let Some(stateful) = &self.stateful {
            stateful.check("rollback.stateful", say);
        }
    }
}
