//! What happens to a rollout whose patch is replaced under way (semantics S11).

use serde::{Deserialize, Serialize};

/// What happens to a rollout whose patch is replaced under way (semantics S11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationPolicy {
    /// What becomes of the rest of it.
    pub superseded: OnSuperseded,
}

/// What becomes of the rest of a rollout when an approved patch replaces its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnSuperseded {
    /// It is rolled out to its end, and replaced afterwards. A halt is no end.
    Finish,
    /// Nothing new starts; the rest waits for the successor's own rollout.
    Stop,
    /// Nothing new starts; the successor's rollout begins over the same rings, even when starting is on request.
    Move,
}

impl Default for RelationPolicy {
    fn default() -> Self {
        Self { superseded: OnSuperseded::Stop }
    }
}
