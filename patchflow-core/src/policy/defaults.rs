//! The field's default playbook, as a function so that a policy built in Rust states only what differs.

use super::{
    Approval, ApprovalRule, BudgetPolicy, CalendarPolicy, CatchUpPolicy, ClockPolicy, DeployPolicy,
    EmergencyPolicy, EndpointPolicy, PersonApproval, Policy, RebootPolicy, RelationPolicy, RetryPolicy,
    RingPolicy, RiskFilter, RollbackPolicy, StagingPolicy, TrialPolicy,
};
use crate::catalog::{Category, Severity};
use crate::gate::{LimitScope, Limits, OnMaxHold, Percent, ShareOf};
use crate::risk::RiskRules;
use crate::schedule::Schedule;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

pub(super) const HOUR: u32 = 3600;

impl Default for Limits {
    /// No failure count, more than 5 % halts, 95 % must be verified, 24 h of bake, three days of hold, then halt.
    fn default() -> Self {
        Self {
            scope: LimitScope::Ring,
            of: ShareOf::Members,
            max_failures: None,
            max_failure_percent: Some(Percent::whole(5)),
            min_started: 0,
            min_success_percent: Percent::whole(95),
            min_verified: 1,
            max_alerts: None,
            bake_secs_min: 24 * HOUR,
            hold_secs_max: 72 * HOUR,
            on_max_hold: OnMaxHold::Halt,
        }
    }
}

impl Policy {
    /// The field's default playbook: rings 5/25/50/100, critical security approved automatically after a passed
    /// trial, everything else by a person in the role `change-manager`.
    pub fn standard(name: impl Into<String>) -> Self {
        let critical = ApprovalRule {
            name: "critical security after validation".into(),
            when: RiskFilter { categories: vec![Category::Security], severities: vec![Severity::Critical] },
            approval: Approval::Automatic { requires_trial: true, delay_secs: 0 },
        };
        let rings: Vec<_> = [("pilot", 5), ("early", 25), ("half", 50), ("broad", 100)]
            .map(|(name, p)| RingPolicy::percent(name, p))
            .into();
        Self {
            name: name.into(),
            trial: TrialPolicy::default(),
            approval: vec![critical],
            otherwise: PersonApproval {
                role: "change-manager".into(),
                quorum: 1,
                expires_secs: 30 * 24 * HOUR,
            },
            rings,
            single_ring: None,
            deploy: DeployPolicy::default(),
            budgets: BudgetPolicy::default(),
            staging: StagingPolicy::default(),
            endpoints: EndpointPolicy::default(),
            reboot: RebootPolicy::default(),
            risk: RiskRules::default(),
            clock: ClockPolicy::default(),
            emergency: EmergencyPolicy::default(),
            operators: super::operators::standard(),
            relations: RelationPolicy::default(),
            retry: RetryPolicy::default(),
            catch_up: CatchUpPolicy::default(),
            rollback: RollbackPolicy::default(),
            schedule: Schedule::anytime(),
            calendars: CalendarPolicy::default(),
        }
    }
}
