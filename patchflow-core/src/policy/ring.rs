//! Rings: who is in them, and the gate behind each (semantics S1).

use super::{Amount, Say, Selector};
use crate::gate::{Limits, Percent};
use crate::inventory::Attributes;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingPolicy {
    /// Its name: pilot, early, broad.
    pub name: String,
    /// Its size.
    pub size: RingSize,
    /// Chooses its members so that they mirror whom they are chosen from in these respects; empty takes them in the
    /// order of the stable hash alone.
    pub stratify: Vec<Trait>,
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

/// An attribute that a stratified choice looks at: whoever is the same in all of them is of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trait", rename_all = "snake_case")]
pub enum Trait {
    /// The first so many parts of the scope: 2 of `acme/berlin/desk` is `acme/berlin`.
    Scope {
        /// How many parts; not 0.
        depth: u8,
    },
    /// The value of a tag, such as an operating system's version or a model; having none is a kind of its own.
    Tag {
        /// The tag.
        name: String,
    },
}

impl Trait {
    /// What an endpoint with these attributes is in this respect.
    #[must_use]
    pub fn of<'a>(&self, attributes: &'a Attributes) -> Option<&'a str> {
        match self {
            Self::Scope { depth } => Some(attributes.scope.above(*depth)),
            Self::Tag { name } => attributes.tags.get(name).map(String::as_str),
        }
    }
}

pub(super) fn check_traits(path: &str, traits: &[Trait], say: &mut Say<'_>) {
    for (i, kind) in traits.iter().enumerate() {
        match kind {
            Trait::Scope { depth: 0 } => {
                say(format!("{path}[{i}].depth"), "0 parts of a scope tell nobody apart; 1 is the least");
            }
            Trait::Tag { name } if name.is_empty() => say(format!("{path}[{i}].name"), "a tag has a name"),
            Trait::Scope { .. } | Trait::Tag { .. } => {}
        }
        if traits[..i].contains(kind) {
            say(format!("{path}[{i}]"), "is named twice");
        }
    }
}

impl RingPolicy {
    /// A ring that ends at a cumulative whole percentage, with the default gate.
    pub fn percent(name: impl Into<String>, cumulative: u32) -> Self {
        let size = RingSize::Percent { cumulative: Percent::whole(cumulative) };
        let (stratify, gate) = (Vec::new(), Limits::default());
        Self { name: name.into(), size, stratify, gate, in_flight_max: None, probe_first: 0 }
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
        ring.gate.check(&format!("rings[{i}].gate"), say);
        check_traits(&format!("rings[{i}].stratify"), &ring.stratify, say);
        let takes_all = match &ring.size {
            RingSize::Percent { cumulative } => *cumulative == Percent::FULL,
            RingSize::Selector { .. } => true,
            RingSize::Count { .. } => false,
        };
        if takes_all && !ring.stratify.is_empty() {
            say(
                format!("rings[{i}].stratify"),
                "this ring takes everybody who is left to it: nothing is chosen",
            );
        }
        match &ring.size {
            RingSize::Percent { cumulative } => {
                let cumulative = *cumulative;
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
            RingSize::Count { .. } => {}
            RingSize::Selector { selector } => selector.check(&format!("rings[{i}].size.selector"), say),
        }
    }
    if last.is_some_and(|last| last != Percent::FULL) {
        let message =
            format!("percentages end at {}; the last one must be 100", last.unwrap_or(Percent::FULL));
        say("rings".into(), &message);
    }
}
