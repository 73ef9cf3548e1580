//! What must be known of an endpoint before it is ordered anything (semantics S5).

use super::Say;
use super::defaults::HOUR;
use alloc::format;
use serde::{Deserialize, Serialize};

/// What must be known of an endpoint before it is ordered anything (semantics S5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointPolicy {
    /// An endpoint that was asked for its inventory and not read within so many seconds is asked again.
    pub stale_after_secs: u32,
    /// How often it is asked; after that nobody asks until it comes back or the host tells anew. Not 0.
    pub scan_tries_max: u8,
    /// A new machine under a known name is a re-image when the one before was out of contact for so many seconds, and
    /// a clone otherwise.
    pub silent_after_secs: u32,
}

impl Default for EndpointPolicy {
    /// An hour to answer, three questions, an hour of silence before a re-image.
    fn default() -> Self {
        Self { stale_after_secs: HOUR, scan_tries_max: 3, silent_after_secs: HOUR }
    }
}

impl EndpointPolicy {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        for (name, value) in [
            ("stale_after_secs", self.stale_after_secs),
            ("scan_tries_max", self.scan_tries_max.into()),
            ("silent_after_secs", self.silent_after_secs),
        ] {
            if value == 0 {
                say(format!("endpoints.{name}"), "0 lets nothing happen; 1 is the least");
            }
        }
    }
}
