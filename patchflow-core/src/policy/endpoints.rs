//! What must be known of an endpoint before it is ordered anything (semantics S5).

use super::Say;
use super::defaults::HOUR;
use alloc::format;
use serde::{Deserialize, Serialize};

/// What must be known of an endpoint before it is ordered anything (semantics S5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointPolicy {
    /// Whether an endpoint is read before each order, when nobody has read it for an order within the last
    /// `stale_after_secs`. Only for hosts that answer [`crate::fleet::Effect::Scan`]: without answers nothing starts.
    pub scan_before_order: bool,
    /// How often the inventory is asked to read every endpoint, in seconds; `None` when the host reads by itself and
    /// tells what is stale. An endpoint that is not read in time is stale.
    pub scan_every_secs: Option<u32>,
    /// Whether a new patch lets every endpoint be read as well.
    pub scan_on_candidate: bool,
    /// Over how many seconds the questions of one such round are spread.
    pub scan_spread_secs: u32,
    /// An endpoint that was asked for its inventory and not read within so many seconds is asked again.
    pub stale_after_secs: u32,
    /// How often it is asked; after that nobody asks until it comes back or the host tells anew. Not 0.
    pub scan_tries_max: u8,
    /// A new machine under a known name is a re-image when the one before was out of contact for so many seconds, and
    /// a clone otherwise.
    pub silent_after_secs: u32,
}

impl Default for EndpointPolicy {
    /// The host reads by itself; an hour to answer, three questions, an hour of silence before a re-image.
    fn default() -> Self {
        Self {
            scan_before_order: false,
            scan_every_secs: None,
            scan_on_candidate: false,
            scan_spread_secs: 4 * HOUR,
            stale_after_secs: HOUR,
            scan_tries_max: 3,
            silent_after_secs: HOUR,
        }
    }
}

impl EndpointPolicy {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        if self.scan_every_secs.is_some_and(|every| every < self.scan_spread_secs.max(1)) {
            say("endpoints.scan_every_secs".into(), "less than scan_spread_secs: a round would not end");
        }
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
