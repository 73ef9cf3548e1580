//! The fields of a policy.

use super::approval::{ApprovalRule, PersonApproval};
use super::{
    BudgetPolicy, CalendarPolicy, CatchUpPolicy, ClockPolicy, DeployPolicy, EmergencyPolicy, EndpointPolicy,
    OperatorLevel, RebootPolicy, RelationPolicy, RetryPolicy, RingPolicy, RollbackPolicy, StagingPolicy,
    TrialPolicy,
};
use crate::risk::RiskRules;
use crate::schedule::{Freeze, Schedule};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A whole playbook. Adopting one records its text and digest; running rollouts keep the one they started under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name, for the record.
    pub name: String,
    /// Which candidates are tried first, and how.
    pub trial: TrialPolicy,
    /// Who approves: the first rule that matches decides; when none matches, a person does.
    pub approval: Vec<ApprovalRule>,
    /// Which person decides when no rule matches, or the matching rule lacks the evidence it names.
    pub otherwise: PersonApproval,
    /// The rings, in their order; the last one ends at 100 %.
    pub rings: Vec<RingPolicy>,
    /// Allows a single ring over more than one endpoint, by name and reason.
    pub single_ring: Option<WaiverByName>,
    /// How orders are issued.
    pub deploy: DeployPolicy,
    /// How much may be under way at once, over all rollouts of the fleet.
    pub budgets: BudgetPolicy,
    /// What must lie on an endpoint before its window opens.
    #[serde(default)]
    pub staging: StagingPolicy,
    /// What must be known of an endpoint before it is ordered anything.
    pub endpoints: EndpointPolicy,
    /// How urgent a patch is: the rules by which it is rated.
    pub risk: RiskRules,
    /// Due dates, and what happens when they come near.
    pub clock: ClockPolicy,
    /// What an emergency may do that others may not.
    pub emergency: EmergencyPolicy,
    /// Who is called when an endpoint can go neither forward nor back, level by level; at least one.
    pub operators: Vec<OperatorLevel>,
    /// What happens when a patch is replaced under way.
    pub relations: RelationPolicy,
    /// What is tried again.
    pub retry: RetryPolicy,
    /// Reboots.
    pub reboot: RebootPolicy,
    /// Who is brought along after the last ring.
    pub catch_up: CatchUpPolicy,
    /// What is rolled back.
    pub rollback: RollbackPolicy,
    /// When endpoints may be touched that name no calendar of their own.
    pub schedule: Schedule,
    /// Calendars by name, for endpoints that name one.
    pub calendars: CalendarPolicy,
}

/// Something normally refused that is allowed by name and reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaiverByName {
    /// Who allows it.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Policy {
    /// Whether anything but `anytime` stands in it, so that endpoints may have to wait for a window.
    #[must_use]
    pub fn has_windows(&self) -> bool {
        !self.schedule.is_always_open() || !self.calendars.named.is_empty()
    }

    /// The freezes in it, by the calendars in which they stand.
    pub(crate) fn freezes(&self) -> impl Iterator<Item = (Option<&str>, &[Freeze])> {
        let named = self.calendars.named.iter().map(|(name, schedule)| (Some(&**name), schedule));
        let all = core::iter::once((None, &self.schedule)).chain(named);
        all.map(|(name, schedule)| (name, schedule.freezes())).filter(|(_, freezes)| !freezes.is_empty())
    }

    /// The schedule of endpoints that name this calendar, or none; `None` when the policy has no such calendar.
    #[must_use]
    pub fn schedule_of(&self, calendar: Option<&str>) -> Option<&Schedule> {
        match calendar {
            None => Some(&self.schedule),
            Some(name) => self.calendars.named.get(name),
        }
    }
}
