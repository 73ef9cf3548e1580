//! How much may be under way at once, over all rollouts of a fleet (semantics S12).

use super::{Amount, Say};
use crate::inventory::ScopePath;
use alloc::format;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Starts that are remembered at most: the window of `starts_max` is exact, so it keeps an instant for each.
const STARTS_REMEMBERED_MAX: u32 = 65_536;

/// How much may be under way at once, over all rollouts of a fleet. The policy that is adopted now decides, whatever
/// policy a rollout began under. A budget bounds what starts and, but for `starts_max`, what is rolled back; late reports
/// may run over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetPolicy {
    /// The greatest number of operations under way in the fleet; a share is of its endpoints. `None` sets no bound.
    pub in_flight_max: Option<Amount>,
    /// The same for parts of the fleet; an endpoint counts in every scope that it is within.
    pub scopes: Vec<ScopeBudget>,
    /// The greatest number of installs that start in a time. `None` sets no bound.
    pub starts_max: Option<StartsMax>,
    /// How many endpoints of one availability group may be unavailable at once: under way, failed or unknown; a share
    /// is of the group's endpoints. Unlike the other budgets it is not given back by an endpoint that is silent.
    pub unavailable_max: Amount,
}

impl Default for BudgetPolicy {
    /// No bounds but one: of an availability group, one endpoint at a time.
    fn default() -> Self {
        Self {
            in_flight_max: None,
            scopes: Vec::new(),
            starts_max: None,
            unavailable_max: Amount::Count { n: 1 },
        }
    }
}

/// The budget of one part of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeBudget {
    /// The part.
    pub within: ScopePath,
    /// The greatest number of operations under way in it; a share is of its endpoints.
    pub in_flight_max: Amount,
}

/// No more than so many starts within any stretch of so many seconds, wherever it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartsMax {
    /// How many; 1 to 65 536.
    pub n: u32,
    /// The length of the stretch, in seconds; not 0.
    pub per_secs: u32,
}

impl BudgetPolicy {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        if let Some(amount) = self.in_flight_max {
            amount.check("budgets.in_flight_max".into(), say);
        }
        check_scopes("budgets.scopes", &self.scopes, say);
        self.unavailable_max.check("budgets.unavailable_max".into(), say);
        if let Some(starts) = self.starts_max {
            starts.check("budgets.starts_max", say);
        }
    }
}

/// Each part of a fleet has one budget, and none is nothing.
pub(super) fn check_scopes(path: &str, scopes: &[ScopeBudget], say: &mut Say<'_>) {
    for (i, scope) in scopes.iter().enumerate() {
        scope.in_flight_max.check(format!("{path}[{i}].in_flight_max"), say);
        if scopes[..i].iter().any(|other| other.within == scope.within) {
            say(format!("{path}[{i}].within"), &format!("`{}` has a budget already", scope.within));
        }
    }
    if scopes.len() > usize::from(u16::MAX) {
        say(path.into(), "more than 65 535");
    }
}

impl StartsMax {
    pub(super) fn check(self, path: &str, say: &mut Say<'_>) {
        if self.n == 0 || self.n > STARTS_REMEMBERED_MAX {
            say(format!("{path}.n"), "must be 1 to 65 536: each start is remembered");
        }
        if self.per_secs == 0 {
            say(format!("{path}.per_secs"), "0 seconds bound nothing; 1 is the least");
        }
    }
}
