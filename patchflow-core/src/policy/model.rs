//! The fields of a policy.

use super::approval::{ApprovalRule, PersonApproval, RiskFilter};
use crate::error::FailureKind;
use crate::gate::{Limits, Percent};
use crate::inventory::ScopePath;
use crate::schedule::Schedule;
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
    /// What is tried again.
    pub retry: RetryPolicy,
    /// What is rolled back.
    pub rollback: RollbackPolicy,
    /// When endpoints may be touched.
    pub schedule: Schedule,
}

/// Something normally refused that is allowed by name and reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaiverByName {
    /// Who allows it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Trials on non-production endpoints (semantics S9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialPolicy {
    /// Candidates that must pass a trial: any of these filters matches.
    pub required_for: Vec<RiskFilter>,
    /// Also every candidate that always asks for a reboot.
    pub required_for_reboot: bool,
    /// The greatest number of non-production endpoints in a trial.
    pub endpoints_max: u32,
    /// The gate of the trial, its bake included.
    pub gate: Limits,
}

/// How big a ring is (semantics S1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum RingSize {
    /// Cumulative share of the endpoints that no selector or count ring took, strictly rising, the last one 100.
    Percent {
        /// The cumulative share.
        cumulative: Percent,
    },
    /// So many endpoints.
    Count {
        /// How many; more than there are is refused.
        endpoints: u32,
    },
    /// All endpoints that a selector takes.
    Selector {
        /// The selector.
        selector: Selector,
    },
}

/// Which endpoints are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "select", rename_all = "snake_case")]
pub enum Selector {
    /// Every endpoint.
    All,
    /// Endpoints within a scope.
    Scope {
        /// The scope.
        within: ScopePath,
    },
    /// Endpoints that carry a tag with this value.
    Tag {
        /// The tag.
        name: String,
        /// Its value.
        value: String,
    },
}

/// One ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingPolicy {
    /// Its name: pilot, early, broad.
    pub name: String,
    /// Its size.
    pub size: RingSize,
    /// The gate that must pass before the next ring opens.
    pub gate: Limits,
}

/// How orders are issued and awaited (semantics S3, S6, S12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployPolicy {
    /// Whether an approved candidate starts by itself.
    pub start: StartMode,
    /// The greatest number of operations under way in one rollout; not 0.
    pub in_flight_max: u32,
    /// A member that could not start for so long after its ring opened is deferred, in seconds.
    pub start_within_secs: u32,
    /// An order that is not acknowledged within so many seconds goes back to waiting.
    pub acknowledge_within_secs: u32,
    /// From acknowledgement to report, in seconds; later is unknown.
    pub report_within_secs: u32,
    /// What an operation is expected to take, in seconds; it must fit into the window with the reserve.
    pub expected_secs: u32,
    /// What a reboot is expected to take, in seconds, added when the patch may ask for one.
    pub reboot_reserve_secs: u32,
    /// How long after a report the inventory may take to show the level, in seconds.
    pub inspect_within_secs: u32,
    /// Above this silence of the host itself, outstanding orders are asked after before anything else, in seconds.
    pub resync_after_secs: u32,
}

/// What is tried again (semantics S13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// The greatest number of attempts, the first included; not 0.
    pub attempts_max: u8,
    /// The failures that can get better by themselves.
    pub on: Vec<FailureKind>,
    /// Before the second attempt, in seconds; doubled for each further one.
    pub backoff_secs: u32,
    /// The longest wait, in seconds.
    pub backoff_secs_max: u32,
    /// Up to this share is added to a wait, by the stable hash of order and attempt.
    pub jitter: Percent,
}

/// What is rolled back, and what must be known beforehand (semantics S10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackPolicy {
    /// What happens to a member that failed for good.
    pub on_failure: OnFailure,
    /// Who is rolled back when a ring is halted.
    pub on_halt: OnHalt,
    /// Lets endpoints without a known rollback path start, by name and reason.
    pub without_path: Option<WaiverByName>,
}

/// What happens to a member that failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It stays as it is, failed.
    Leave,
    /// It is brought back to its recorded level.
    RollBack,
}

/// Who is rolled back when a ring is halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHalt {
    /// Nobody.
    Nobody,
    /// Members of the rollout that failed.
    Failed,
    /// Everybody in the halted ring who has it.
    Ring,
    /// Everybody in the rollout who has it.
    Rollout,
}

/// Whether an approved candidate starts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartMode {
    /// As soon as it is approved, over every production endpoint that needs it.
    WhenApproved,
    /// When somebody asks for it.
    OnRequest,
}
