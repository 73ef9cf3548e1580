//! The words in which reports speak of stages, failures and rules.

use crate::candidate::{ApprovedBy, Evidence};
use crate::error::FailureKind;
use crate::gate::Rule;
use alloc::format;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// The five stages of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipelineStage {
    /// What is missing where, and how urgent it is.
    Identify,
    /// Trial on non-production endpoints.
    Test,
    /// By rule or by people.
    Approve,
    /// Ring after ring.
    Deploy,
    /// By inventory and probes.
    Verify,
}

impl fmt::Display for PipelineStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Identify => "identify",
            Self::Test => "test",
            Self::Approve => "approve",
            Self::Deploy => "deploy",
            Self::Verify => "verify",
        })
    }
}

/// A kind of failure, in words.
#[must_use]
pub const fn failure_words(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Busy => "package manager busy",
        FailureKind::Network => "network failure",
        FailureKind::Disk => "not enough space",
        FailureKind::Timeout => "time-out",
        FailureKind::Interrupted => "interrupted",
        FailureKind::ScriptFailed => "package script failed",
        FailureKind::Dependency => "dependencies cannot be met",
        FailureKind::NotFound => "version not to be had",
        FailureKind::Corrupt => "content does not match",
        FailureKind::Denied => "held back on the endpoint",
        FailureKind::Broken => "package database broken",
        FailureKind::Unsupported => "not supported by the installer",
        FailureKind::WrongLevel => "reported done, but the inventory shows another version",
        FailureKind::Unhealthy => "smoke test failed",
        FailureKind::NoRollbackPath => "no way back is known",
        FailureKind::Silent => "no answer",
        FailureKind::Stopped => "stopped",
        FailureKind::Other => "failed",
    }
}

/// A rule of a gate, by the name it has in the policy.
#[must_use]
pub const fn rule_words(rule: Rule) -> &'static str {
    match rule {
        Rule::MaxFailures => "max_failures",
        Rule::MaxFailurePercent => "max_failure_percent",
        Rule::MaxAlerts => "max_alerts",
        Rule::AlertsUnknown => "alerts_unknown",
        Rule::PathsEnded => "paths_ended",
        Rule::MinSuccessPercent => "min_success_percent",
        Rule::MinVerified => "min_verified",
        Rule::Unsettled => "not settled",
        Rule::Bake => "bake_secs_min",
        Rule::MaxHold => "hold_secs_max",
        Rule::AllMet => "all limits met",
    }
}

/// What stands for the trial, as a sentence.
pub(super) fn evidence_sentence(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Passed { counts, .. } => {
            format!("trial passed: {} of {} endpoints verified", counts.verified, counts.counted())
        }
        Evidence::NotRequired { rule } => format!("no trial needed: {rule}"),
        Evidence::Waived { by, reason, until } => format!("trial waived by {by} until {until}: {reason}"),
    }
}

/// Who or what approved, as a sentence.
pub(super) fn approved_sentence(by: &ApprovedBy) -> String {
    match by {
        ApprovedBy::Rule { rule } => format!("approved by the rule \"{rule}\""),
        ApprovedBy::People { names, reason, .. } => format!("approved by {}: {reason}", names.join(", ")),
    }
}
