//! The fields of every section, and the words of every choice, under the names that the model gives them.

use super::overlay::{Context, Overlay, Word, value};
use super::overlay::{choices, fields, overlay_words};
use super::tree::Node;
use super::{CATEGORIES, SEVERITIES};
use crate::scenario::words::{Read, Words};
use patchflow_core::catalog::{Category, Severity};
use patchflow_core::error::FailureKind;
use patchflow_core::gate::{LimitScope, Limits, OnMaxHold, Percent, ShareOf};
use patchflow_core::policy::{
    BudgetPolicy, CalendarPolicy, CatchUpPolicy, ClockPolicy, DeployPolicy, EmergencyPolicy, EndpointPolicy,
    HookPolicy, OnFailure, OnHalt, OnRevoke, OnSuperseded, Onboarding, OperatorLevel, PersonApproval, Policy,
    RebootPolicy, RelationPolicy, RetryPolicy, RollbackPolicy, SnapshotRule, StagingPolicy, StartMode,
    TrialPolicy, WaiverByName,
};
use patchflow_core::risk::DueLimits;

fields! {
    Policy {
        name, trial, approval, otherwise, rings, single_ring, deploy, budgets, staging, endpoints, retry, reboot,
        risk,
        rollback, schedule, calendars, catch_up, clock, emergency, operators, relations,
    } = super::bare("blank");
    TrialPolicy { required_for, required_for_reboot, endpoints_max, stratify, gate } = Self::default();
    PersonApproval { role, quorum, expires_secs } = Self {
        role: String::new(), quorum: 1, expires_secs: 30 * 86_400,
    };
    DeployPolicy {
        start, in_flight_max, start_within_secs, acknowledge_within_secs, report_within_secs, duration_secs_max,
        deferrals_max, quiet_reserve_secs, expected_secs,
        reboot_reserve_secs, inspect_within_secs, resync_after_secs, hooks,
    } = Self::default();
    HookPolicy { pre, pre_secs_max, post, post_secs_max } = Self::default();
    BudgetPolicy { in_flight_max, scopes, starts_max, unavailable_max } = Self::default();
    StagingPolicy {
        required, lead_secs, next_ring, in_flight_max, scopes, starts_max, within_secs, attempts_max, keep_secs,
    } = Self::default();
    EndpointPolicy {
        scan_before_order, scan_every_secs, scan_on_candidate, scan_spread_secs, stale_after_secs,
        scan_tries_max, silent_after_secs,
    } = Self::default();
    RebootPolicy { preflight, max_reboots, deferrals_max, cancel_within_secs } = Self::default();
    CatchUpPolicy { newcomers, deferred, onboarding, max_failures } = Self::default();
    RetryPolicy { attempts_max, on, backoff_secs, backoff_secs_max, jitter } = Self::default();
    ClockPolicy { limits, moderate_cycle, first_install_within_secs, warn_before_secs, enforce_at_deadline } = Self::default();
    DueLimits { critical_secs, high_secs, moderate_secs } = Self::default();
    EmergencyPolicy { bake_secs_min, passes_windows, overrides_freeze } = Self::default();
    RelationPolicy { superseded } = Self::default();
    RollbackPolicy { on_failure, on_halt, on_revoke, without_path, snapshot, stateful, drill_every_secs } = Self::default();
    CalendarPolicy { named, spread_secs, active_hours, grace_secs, wake_lead_secs } = Self::default();
    WaiverByName { by, reason } = Self { by: String::new(), reason: String::new() };
    Limits {
        max_failures, max_failure_percent, min_started, min_success_percent, min_verified, max_alerts,
        bake_secs_min, hold_secs_max, on_max_hold, scope, of,
    } = Self::default();
}

choices! {
    StartMode { "when_approved" => StartMode::WhenApproved, "on_request" => StartMode::OnRequest }
    OnFailure { "leave" => OnFailure::Leave, "roll_back" => OnFailure::RollBack }
    OnHalt {
        "nobody" => OnHalt::Nobody, "failed" => OnHalt::Failed, "ring" => OnHalt::Ring,
        "rollout" => OnHalt::Rollout,
    }
    OnRevoke { "list" => OnRevoke::List, "roll_back" => OnRevoke::RollBack }
    SnapshotRule { "not_asked" => SnapshotRule::NotAsked, "required" => SnapshotRule::Required }
    Onboarding {
        "leave" => Onboarding::Leave, "in_windows" => Onboarding::InWindows,
        "at_any_time" => Onboarding::AtAnyTime,
    }
    LimitScope { "ring" => LimitScope::Ring, "rollout" => LimitScope::Rollout }
    ShareOf { "members" => ShareOf::Members, "started" => ShareOf::Started }
    OnSuperseded { "finish" => OnSuperseded::Finish, "stop" => OnSuperseded::Stop, "move" => OnSuperseded::Move }
    OnMaxHold { "halt" => OnMaxHold::Halt, "ask" => OnMaxHold::Ask }
}

/// The words for kinds of failure: those of the journal.
pub(crate) const FAILURES: [(&str, FailureKind); 18] = [
    ("busy", FailureKind::Busy),
    ("network", FailureKind::Network),
    ("disk", FailureKind::Disk),
    ("timeout", FailureKind::Timeout),
    ("interrupted", FailureKind::Interrupted),
    ("script_failed", FailureKind::ScriptFailed),
    ("dependency", FailureKind::Dependency),
    ("not_found", FailureKind::NotFound),
    ("corrupt", FailureKind::Corrupt),
    ("denied", FailureKind::Denied),
    ("broken", FailureKind::Broken),
    ("unsupported", FailureKind::Unsupported),
    ("wrong_level", FailureKind::WrongLevel),
    ("unhealthy", FailureKind::Unhealthy),
    ("no_rollback_path", FailureKind::NoRollbackPath),
    ("silent", FailureKind::Silent),
    ("stopped", FailureKind::Stopped),
    ("other", FailureKind::Other),
];

macro_rules! tables {
    ($($ty:ty: $table:expr;)+) => {
        $(impl Word for $ty {
            fn blank() -> Self {
                $table[0].1
            }

            fn word(words: &mut Words<'_>, key: &str) -> Read<Self> {
                words.one_of(&format!("value of `{key}`"), &$table)
            }
        }
        overlay_words!($ty);)+
    };
}

tables! {
    FailureKind: FAILURES;
    Severity: SEVERITIES;
    Category: CATEGORIES;
}

impl Word for Percent {
    fn blank() -> Self {
        Self::whole(0)
    }

    fn word(words: &mut Words<'_>, _: &str) -> Read<Self> {
        words.percent()
    }
}

overlay_words!(Percent);

impl Word for OperatorLevel {
    fn blank() -> Self {
        Self { role: String::new(), acknowledge_within_secs: 3600 }
    }

    /// `on-call 1h`: the role, and how long it has to acknowledge.
    fn word(words: &mut Words<'_>, _: &str) -> Read<Self> {
        let role = words.text("a role, such as on-call")?;
        Ok(Self { role, acknowledge_within_secs: Word::word(words, "acknowledge_within_secs")? })
    }
}
