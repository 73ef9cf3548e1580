//! What an emergency may do that others may not (semantics S7).

use serde::{Deserialize, Serialize};

/// What an emergency may do that others may not. It goes ahead of whatever waits, and interrupts nothing. Nothing lets
/// it do without verification, a way back, the record, or the trial (which somebody may waive by name).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmergencyPolicy {
    /// A bake is shortened to so many seconds; `None` leaves each ring its own.
    pub bake_secs_min: Option<u32>,
    /// Whether it starts outside of the windows too.
    pub passes_windows: bool,
    /// Whether it starts in a freeze too.
    pub overrides_freeze: bool,
}
