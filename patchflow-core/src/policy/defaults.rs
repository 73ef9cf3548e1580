//! The defaults of the field, as functions so that a policy built in Rust states only what differs.

use super::{
    Approval, ApprovalRule, DeployPolicy, OnFailure, OnHalt, PersonApproval, Policy, RetryPolicy, RingPolicy,
    RingSize, RiskFilter, RollbackPolicy, StartMode, TrialPolicy,
};
use crate::catalog::{Category, Severity};
use crate::error::FailureKind;
use crate::gate::{Limits, OnMaxHold, Percent};
use crate::schedule::Schedule;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

const HOUR: u32 = 3600;

impl Default for Limits {
    /// No failure count, more than 5 % halts, 95 % must be verified, 24 h of bake, three days of hold, then halt.
    fn default() -> Self {
        Self {
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

impl RingPolicy {
    /// A ring that ends at a cumulative whole percentage, with the default gate.
    pub fn percent(name: impl Into<String>, cumulative: u32) -> Self {
        let size = RingSize::Percent { cumulative: Percent::whole(cumulative) };
        Self { name: name.into(), size, gate: Limits::default() }
    }
}

impl Default for DeployPolicy {
    fn default() -> Self {
        Self {
            start: StartMode::OnRequest,
            in_flight_max: 1000,
            start_within_secs: 72 * HOUR,
            acknowledge_within_secs: 24 * HOUR,
            report_within_secs: 2 * HOUR,
            expected_secs: HOUR / 2,
            reboot_reserve_secs: HOUR / 4,
            inspect_within_secs: HOUR,
            resync_after_secs: 15 * 60,
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let on = vec![
            FailureKind::Busy,
            FailureKind::Network,
            FailureKind::Disk,
            FailureKind::Timeout,
            FailureKind::Interrupted,
        ];
        Self {
            attempts_max: 3,
            on,
            backoff_secs: 300,
            backoff_secs_max: 6 * HOUR,
            jitter: Percent::whole(20),
        }
    }
}

impl Default for RollbackPolicy {
    fn default() -> Self {
        Self { on_failure: OnFailure::Leave, on_halt: OnHalt::Failed, without_path: None }
    }
}

impl Default for TrialPolicy {
    /// Critical and high security updates, and whatever always reboots, on up to 25 endpoints for 24 h.
    fn default() -> Self {
        let filter = RiskFilter {
            categories: vec![Category::Security, Category::Bugfix],
            severities: vec![Severity::Critical, Severity::High, Severity::Unknown],
        };
        Self {
            required_for: vec![filter],
            required_for_reboot: true,
            endpoints_max: 25,
            gate: Limits::default(),
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
            retry: RetryPolicy::default(),
            rollback: RollbackPolicy::default(),
            schedule: Schedule::anytime(),
        }
    }
}
