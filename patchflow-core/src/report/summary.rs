//! What a fleet and its history show at one moment, as plain data.

use super::{PipelineStage, Share, TimeToPatch, TimelineEntry};
use crate::catalog::{Category, Severity};
use crate::error::FailureKind;
use crate::gate::{Class, Counts};
use crate::ids::{CandidateId, EndpointIx, RolloutId};
use crate::inventory::Environment;
use crate::risk::Priority;
use crate::rollout::{Phase, RingState, RolloutKind, RolloutState};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The state of a fleet, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The figures over all of it.
    pub kpis: Kpis,
    /// Every candidate.
    pub candidates: Vec<CandidateSummary>,
    /// Every rollout and trial.
    pub rollouts: Vec<RolloutSummary>,
    /// Every endpoint with its outcome for every candidate that is or was applicable there.
    pub endpoints: Vec<EndpointSummary>,
    /// Failures by reason, the most frequent first.
    pub failures: Vec<FailureSummary>,
    /// What happened, in order.
    pub timeline: Vec<TimelineEntry>,
}

/// The figures over all of it. An *installation* is one candidate on one endpoint to which it is applicable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kpis {
    /// Endpoints in the fleet.
    pub endpoints: u32,
    /// Of them non-production.
    pub non_production: u32,
    /// Verified of applicable less excepted; unknown and reboot-pending are not compliant (semantics S7).
    pub compliance: Share,
    /// Verified of all that came to an outcome: verified, failed, unknown.
    pub success: Share,
    /// Endpoints that were not read in time: what is known of them is too old, so none of it is compliant.
    pub stale: u32,
    /// Installations in each class.
    pub counts: Counts,
    /// Applicable installations that no rollout has taken up.
    pub untouched: u32,
    /// Rolled back and held.
    pub rolled_back: u32,
    /// In need of an operator.
    pub operator_needed: u32,
    /// Verified only after a retry.
    pub retried: u32,
    /// Applicable, not there, and turned down by people: shown beside compliance and not counted in it.
    #[serde(default)]
    pub excepted: u32,
    /// From an endpoint's due clock to its verification; `None` while nothing is verified.
    pub time_to_patch: Option<TimeToPatch>,
    /// The same from the exposure clock: the earliest of disclosure, known exploitation and release.
    #[serde(default)]
    pub time_exposed: Option<TimeToPatch>,
}

/// A candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateSummary {
    /// Its index.
    pub id: CandidateId,
    /// The patch, by its source's name.
    pub patch: String,
    /// Its title.
    pub title: String,
    /// What it installs.
    pub target: String,
    /// The vendor's severity.
    pub severity: Severity,
    /// The vendor's category.
    pub category: Category,
    /// How urgent it is.
    pub priority: Priority,
    /// Why.
    pub why: String,
    /// The weaknesses that it closes, each with who says so.
    #[serde(default)]
    pub closes: Vec<String>,
    /// When its due clock started.
    #[serde(default)]
    pub clock_started: Timestamp,
    /// Until when it should be verified everywhere.
    pub due: Option<Timestamp>,
    /// Its state, in words.
    pub state: String,
    /// Who or what approved, or ended it.
    pub decided: Option<String>,
    /// Verified of applicable.
    pub compliance: Share,
    /// Where the time went.
    pub stages: Vec<StageSpan>,
}

/// How long a candidate spent in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSpan {
    /// The stage.
    pub stage: PipelineStage,
    /// From when.
    pub from: Timestamp,
    /// Until when; `None` while it lasts.
    pub until: Option<Timestamp>,
}

/// A rollout or trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutSummary {
    /// Its index.
    pub id: RolloutId,
    /// Trial or deployment.
    pub kind: RolloutKind,
    /// What it installs.
    pub candidate: CandidateId,
    /// The patch, by its source's name.
    pub patch: String,
    /// Where it stands.
    pub state: RolloutState,
    /// Why it is halted, when it is.
    pub halt: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its rings.
    pub rings: Vec<RingSummary>,
}

/// A ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingSummary {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: RingState,
    /// Its members by class.
    pub counts: Counts,
    /// When it opened.
    pub opened_at: Option<Timestamp>,
    /// When it settled, which began the bake.
    pub settled_at: Option<Timestamp>,
    /// When it was promoted, skipped or halted.
    pub ended_at: Option<Timestamp>,
    /// The verdict and its evidence, as a sentence.
    pub verdict: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSummary {
    /// Its index.
    pub ix: EndpointIx,
    /// The host's name.
    pub id: String,
    /// Whether real work depends on it.
    pub environment: Environment,
    /// Where it belongs.
    pub scope: String,
    /// Since when it is out of contact.
    pub unreachable_since: Option<Timestamp>,
    /// Since when what is known of it is too old to go by.
    pub stale_since: Option<Timestamp>,
    /// Whether it is not in service yet; until then it is in no share of what is compliant.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub onboarding: bool,
    /// One for every candidate that is or was applicable.
    pub outcomes: Vec<Outcome>,
}

/// What became of one candidate on one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The candidate.
    pub candidate: CandidateId,
    /// The last rollout or trial that took it up; `None` when none has.
    pub rollout: Option<RolloutId>,
    /// The ring in it.
    pub ring: Option<String>,
    /// Where it stands in it.
    pub phase: Option<Phase>,
    /// What it counts as; `None` when no rollout has taken it up.
    pub class: Option<Class>,
    /// Install attempts.
    pub attempts: u8,
    /// The version before.
    pub from: Option<String>,
    /// The version it was to get.
    pub to: String,
    /// The last failure, when there was one.
    pub reason: Option<(FailureKind, String)>,
    /// When it was verified.
    pub verified_at: Option<Timestamp>,
    /// What became of it and why, as a sentence without its full stop.
    pub sentence: String,
}

/// One reason for failures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureSummary {
    /// Its kind.
    pub kind: FailureKind,
    /// The tool's own words.
    pub detail: String,
    /// The patch that was to be installed.
    pub patch: String,
    /// How many attempts ended so.
    pub times: u32,
    /// On which endpoints.
    pub endpoints: Vec<String>,
    /// How many of these endpoints are verified nevertheless.
    pub recovered: u32,
}
