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
    CalendarPolicy, CatchUpPolicy, DeployPolicy, OnFailure, OnHalt, PersonApproval, Policy, RetryPolicy,
    RollbackPolicy, StartMode, TrialPolicy, WaiverByName,
};

fields! {
    Policy {
        name, trial, approval, otherwise, rings, single_ring, deploy, retry, rollback, schedule,
        calendars, catch_up,
    } = super::bare("blank");
    TrialPolicy { required_for, required_for_reboot, endpoints_max, stratify, gate } = Self::default();
    PersonApproval { role, quorum, expires_secs } = Self {
        role: String::new(), quorum: 1, expires_secs: 30 * 86_400,
    };
    DeployPolicy {
        start, in_flight_max, start_within_secs, acknowledge_within_secs, report_within_secs, expected_secs,
        reboot_reserve_secs, inspect_within_secs, resync_after_secs,
    } = Self::default();
    CatchUpPolicy { newcomers, deferred, max_failures } = Self::default();
    RetryPolicy { attempts_max, on, backoff_secs, backoff_secs_max, jitter } = Self::default();
    RollbackPolicy { on_failure, on_halt, without_path } = Self::default();
    CalendarPolicy { named, spread_secs } = Self::default();
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
    LimitScope { "ring" => LimitScope::Ring, "rollout" => LimitScope::Rollout }
    ShareOf { "members" => ShareOf::Members, "started" => ShareOf::Started }
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
