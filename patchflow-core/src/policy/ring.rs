//! Rings: who is in them, and the gate behind each (semantics S1).

use super::{Amount, Say};
use crate::gate::{Limits, Percent};
use crate::inventory::ScopePath;
use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// One ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingPolicy {
    /// Its name: pilot, early, broad.
    pub name: String,
    /// Its size.
    pub size: RingSize,
    /// The gate that must pass before the next ring opens.
    pub gate: Limits,
    /// The greatest number of operations under way in the ring; a share is of its members. `None` sets no bound.
    pub in_flight_max: Option<Amount>,
    /// So many of its members must be verified, one after the other, before several may be under way; 0 for none.
    pub probe_first: u32,
}

/// How big a ring is (semantics S1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum RingSize {
    /// Cumulative share of the endpoints that no selector or count ring took, strictly rising, the last one 100.
    Percent {
        /// The cumulative share.
        cumulative: Percent,
    },
    /// So many endpoints.
    Count {
        /// How many; more than there are is refused.
        endpoints: u32,
    },
    /// All endpoints that a selector takes.
    Selector {
        /// The selector.
        selector: Selector,
    },
}

/// Which endpoints are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "select", rename_all = "snake_case")]
pub enum Selector {
    /// Every endpoint.
    All,
    /// Endpoints within a scope.
    Scope {
        /// The scope.
        within: ScopePath,
    },
    /// Endpoints that carry a tag with this value.
    Tag {
        /// The tag.
        name: String,
        /// Its value.
        value: String,
    },
}

impl RingPolicy {
    /// A ring that ends at a cumulative whole percentage, with the default gate.
    pub fn percent(name: impl Into<String>, cumulative: u32) -> Self {
        let size = RingSize::Percent { cumulative: Percent::whole(cumulative) };
        Self { name: name.into(), size, gate: Limits::default(), in_flight_max: None, probe_first: 0 }
    }
}

pub(super) fn check(rings: &[RingPolicy], say: &mut Say<'_>) {
    if rings.is_empty() {
        say("rings".into(), "there is none; at least one ring is needed");
    }
    if rings.len() > 100 {
        say("rings".into(), "more than 100; members count their ring in one byte");
    }
    let mut last: Option<Percent> = None;
    for (i, ring) in rings.iter().enumerate() {
        if rings[..i].iter().any(|other| other.name == ring.name) {
            say(format!("rings[{i}].name"), &format!("`{}` is used twice", ring.name));
        }
        if let Some(amount) = ring.in_flight_max {
            amount.check(format!("rings[{i}].in_flight_max"), say);
        }
        match ring.size {
            RingSize::Percent { cumulative } => {
                if last.is_some_and(|last| cumulative <= last) || cumulative.thousandths() == 0 {
                    say(
                        format!("rings[{i}].size"),
                        "percentages are cumulative and strictly rising, from above 0",
                    );
                }
                last = Some(cumulative);
            }
            RingSize::Count { endpoints: 0 } => {
                say(format!("rings[{i}].size"), "a ring of 0 endpoints tests nothing")
            }
            RingSize::Count { .. } | RingSize::Selector { .. } => {}
        }
    }
    if last.is_some_and(|last| last != Percent::FULL) {
        let message =
            format!("percentages end at {}; the last one must be 100", last.unwrap_or(Percent::FULL));
        say("rings".into(), &message);
    }
}
