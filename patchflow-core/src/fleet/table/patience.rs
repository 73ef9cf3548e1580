//! How much longer operations under way may take: what progress has used up, and what people at endpoints put off.
//!
//! Both are rare among members, so they stand beside them.

use crate::ids::{MemberIx, RolloutId};
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use serde::{Deserialize, Serialize};

type Key = (RolloutId, MemberIx);

/// What the people at an endpoint put off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deferrals {
    pub(crate) installs: u8,
    pub(crate) reboots: u8,
    pub(crate) until: Timestamp,
}

/// Limits of operations under way.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// Until when progress may extend the report deadline, in seconds since the fleet's epoch, for members whose
    /// deadline was extended or passed.
    pub(crate) ends: BTreeMap<Key, u32>,
    pub(crate) deferrals: BTreeMap<Key, Deferrals>,
}

impl Patience {
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether the member's deadline was extended, or has passed.
    #[inline]
    pub(crate) fn has_end(&self, rollout: RolloutId, member: MemberIx) -> bool {
        !self.ends.is_empty() && self.ends.contains_key(&(rollout, member))
    }

    pub(crate) fn deferrals(&self, rollout: RolloutId, member: MemberIx) -> Deferrals {
        self.deferrals.get(&(rollout, member)).copied().unwrap_or_default()
    }

    /// A rollout is over: nothing of it is put off any more, but for members that are still under way.
    pub(crate) fn forget(&mut self, rollout: RolloutId, is_under_way: impl Fn(MemberIx) -> bool) {
        self.deferrals.retain(|(of, member), _| *of != rollout || is_under_way(*member));
    }
}
