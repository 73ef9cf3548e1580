//! What stands against an endpoint beyond orders and holds (semantics S5, S6): out of contact, not read, two machines
//! under one name, another patch manager, a reboot that is pending.
//!
//! Rare, so it stands beside the slots; a slot keeps one bit a condition, so that an endpoint without any costs one
//! comparison. The bits are found again from this table after a replay.

use crate::ids::EndpointIx;
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use serde::{Deserialize, Serialize};

/// Bits of a slot: which conditions an endpoint has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(u8);

impl Bits {
    pub(crate) const UNREACHABLE: Self = Self(1);
    pub(crate) const STALE: Self = Self(1 << 1);
    pub(crate) const QUARANTINED: Self = Self(1 << 2);
    pub(crate) const MANAGED: Self = Self(1 << 3);
    pub(crate) const ONBOARDING: Self = Self(1 << 4);
    pub(crate) const REBOOT_PENDING: Self = Self(1 << 5);
    pub(crate) const REBOOTS_STOPPED: Self = Self(1 << 6);
    /// Its inventory is asked for; that alone keeps nothing back.
    pub(crate) const ASKED: Self = Self(1 << 7);

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it has any of these.
    pub(crate) const fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A question to the inventory about one endpoint that is open, or was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenScan {
    /// Until when it should be answered, in seconds since the fleet's epoch; 0 when nobody asks any more.
    pub(crate) due: u32,
    /// How often it was asked.
    pub(crate) tries: u8,
}

/// What stands against one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Condition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unreachable_since: Option<Timestamp>,
    /// Its inventory must be read before it is ordered anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stale_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scan: Option<OpenScan>,
    /// Why two machines seem to have its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) quarantine: Option<String>,
    /// The fingerprint it had before its re-image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) earlier: Option<u64>,
    /// The other patch manager that is active on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) manager: Option<String>,
    /// Somebody declared that this fleet patches it, whoever else is active there.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) owned: bool,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) onboarding: bool,
    /// It is not in service yet, and has what was approved for it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) onboarded: bool,
    /// It waits for a reboot that no order of this fleet asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reboot_pending_since: Option<Timestamp>,
    /// It is not rebooted any more until a person allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reboots_stopped: Option<RebootStop>,
    /// A reboot under way was cancelled, and nobody has said yet whether it will happen.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) cancelling: bool,
    /// Nobody said so in time.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) timer_unsure: bool,
}

/// Why an endpoint is not rebooted any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RebootStop {
    /// The person; `None` for the breaker.
    pub(crate) by: Option<Arc<str>>,
    pub(crate) reason: String,
}

impl Condition {
    fn bits(&self) -> Bits {
        [
            (self.unreachable_since.is_some(), Bits::UNREACHABLE),
            (self.stale_since.is_some(), Bits::STALE),
            (self.quarantine.is_some(), Bits::QUARANTINED),
            (self.manager.is_some() && !self.owned, Bits::MANAGED),
            (self.onboarding && !self.onboarded, Bits::ONBOARDING),
            (self.reboot_pending_since.is_some(), Bits::REBOOT_PENDING),
            (self.reboots_stopped.is_some(), Bits::REBOOTS_STOPPED),
            (self.scan.is_some_and(|scan| scan.due != 0), Bits::ASKED),
        ]
        .into_iter()
        .filter(|(has, _)| *has)
        .fold(Bits::default(), |bits, (_, bit)| bits.with(bit))
    }
}

/// The conditions of all endpoints that have any.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    of: BTreeMap<EndpointIx, Condition>,
    /// How many have a cancelled reboot that nobody has said anything of yet.
    cancelling: usize,
}

impl Conditions {
    pub(crate) fn get(&self, endpoint: EndpointIx) -> Option<&Condition> {
        self.of.get(&endpoint)
    }

    /// Whether nothing stands against any endpoint.
    pub(crate) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Whether any endpoint has a cancelled reboot under way.
    pub(crate) fn is_cancelling(&self) -> bool {
        self.cancelling > 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (EndpointIx, &Condition)> + '_ {
        self.of.iter().map(|(ix, condition)| (*ix, condition))
    }

    /// Changes the conditions of one endpoint; returns the bits it has now.
    pub(crate) fn change(&mut self, endpoint: EndpointIx, change: impl FnOnce(&mut Condition)) -> Bits {
        let condition = self.of.entry(endpoint).or_default();
        let before = condition.cancelling;
        change(condition);
        self.cancelling = self.cancelling + usize::from(condition.cancelling) - usize::from(before);
        let bits = condition.bits();
        if *condition == Condition::default() {
            self.of.remove(&endpoint);
        }
        bits
    }
}
