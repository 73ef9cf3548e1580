//! Calls to operators, and ways back with their drills (semantics S10).

use crate::time::Timestamp;
use alloc::sync::Arc;
use serde::{Deserialize, Serialize};

/// A call to operators about one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) level: u8,
    pub(crate) until: Timestamp,
    pub(crate) acknowledged: Option<Arc<str>>,
}

/// One way back that deployments count on, or that was drilled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Way {
    /// Since when a deployment has counted on it.
    pub(crate) used_since: Option<Timestamp>,
    /// When it was last tried with success.
    pub(crate) led_back: Option<Timestamp>,
    /// When it was last tried, and whether it led back.
    pub(crate) tried: Option<(Timestamp, bool)>,
    /// Whether people have been told that it is overdue.
    pub(crate) told: bool,
}

impl Way {
    /// From when it counts as overdue; `None` while no deployment counts on it.
    pub(crate) fn overdue_from(&self, every_secs: u32) -> Option<Timestamp> {
        let since = self.used_since?;
        Some(self.led_back.map_or(since, |led_back| led_back.max(since)).plus_secs(every_secs.into()))
    }
}
