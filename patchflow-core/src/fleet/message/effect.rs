//! What the host is to do. Every effect has an id and a fact that completes it, or is declared at-most-once.

use crate::catalog::{Patch, Target};
use crate::digest::Digest;
use crate::ids::{AskId, CandidateId, EndpointId, OrderId, RolloutId};
use crate::risk::Assessment;
use crate::rollout::{Order, RevertTo, StageId, StageOrder};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One thing the host is to do. Exhaustive on purpose: a new kind is a major release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Hand an order to the installer. Completed by a report; a repeated id is done already.
    Submit(Order),
    /// Bring content to an endpoint and hash it there. Completed by
    /// [`Observation::Staged`](crate::fleet::Observation::Staged); it may be asked for again after a crash.
    Stage(StageOrder),
    /// Throw staged content away, or give up bringing it: nothing will be installed from it. At most once; what stays
    /// behind takes room and is never used.
    Unstage {
        /// Whose content it was. Its attempt is 0: whichever brought it is thrown away.
        stage: StageId,
        /// Where it is.
        endpoint: EndpointId,
        /// What it is.
        content: Digest,
    },
    /// Ask whether an order can still be stopped. Completed by the answer.
    Recall {
        /// The order.
        order: OrderId,
        /// Where it is.
        endpoint: EndpointId,
    },
    /// Ask what became of an order. Completed by the answer.
    Query {
        /// The order.
        order: OrderId,
        /// Where it is.
        endpoint: EndpointId,
    },
    /// Read an endpoint and run its probes. Completed by an inspection.
    Inspect(InspectOrder),
    /// Read the inventory of endpoints anew: what they need, whether they wait for a reboot. Completed by
    /// [`crate::fleet::Observation::Read`] of them; asked again a few times when it is not.
    Scan {
        /// The endpoints.
        endpoints: Vec<EndpointId>,
    },
    /// Wake endpoints that are out of contact, for a window that opens before long. At most once: it is not repeated
    /// after a crash, and a host that cannot wake anybody leaves it.
    Wake(WakeOrder),
    /// Ask people outside. Completed by the answer, or by a command that answers.
    AskApproval {
        /// The question.
        ask: AskId,
        /// The candidate.
        candidate: CandidateId,
        /// The patch.
        patch: Arc<Patch>,
        /// Its rating.
        risk: Assessment,
        /// The role that may answer.
        role: String,
        /// How many must agree.
        quorum: u8,
    },
    /// Run a hook on an endpoint. Completed by [`Observation::HookDone`](crate::fleet::Observation::HookDone); it may be asked
    /// for again after a crash.
    RunHook(HookRun),
    /// Tell somebody. At most once: it is not repeated after a crash.
    Notify(Notice),
}

/// Read one endpoint after an operation. It changes nothing, so it may be repeated at will.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InspectOrder {
    /// The order whose outcome is looked at.
    pub order: OrderId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// What was to be installed, or taken back. Shared: there is one such effect for every report of success.
    pub target: Arc<Target>,
    /// The level of a rollback; `None` after an install.
    pub reverting_to: Option<RevertTo>,
}

/// Wake endpoints for a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WakeOrder {
    /// The rollout that waits for them.
    pub rollout: RolloutId,
    /// When their window opens.
    pub opens: Timestamp,
    /// The endpoints, a thousand at most; there may be more such orders.
    pub endpoints: Vec<EndpointId>,
}

/// A hook to run on one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HookRun {
    /// What it is asked for with; the same again is the same run.
    pub order: OrderId,
    /// Before or after the operation.
    pub stage: HookStage,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The name under which the host knows the hook.
    pub name: String,
    /// How long it may take, in seconds.
    pub within_secs: u32,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookStage {
    /// Before the operation: drain.
    Pre,
    /// After it: resume.
    Post,
}

/// Something that people should hear of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// The rollout it is about.
    pub rollout: Option<RolloutId>,
    /// The candidate it is about.
    pub candidate: Option<CandidateId>,
    /// One sentence.
    pub text: String,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A rollout was halted.
    Halted,
    /// A ring holds and asks a person.
    RingHeld,
    /// A candidate's relations contradict each other.
    CandidateHeld,
    /// An approved candidate cannot start by itself.
    StartRefused,
    /// A due date comes near.
    DeadlineNeared,
    /// A due date has passed.
    DeadlinePassed,
    /// Endpoints are touched outside of their windows: for those who use them.
    WindowPassed,
    /// A trial failed.
    TrialFailed,
    /// An approval is waited for.
    ApprovalAsked,
    /// An endpoint needs an operator: one for each level that is called.
    OperatorNeeded,
    /// A way back did not lead back in a drill.
    DrillFailed,
    /// A way back has ended, and must be looked at again before an order may leave.
    PathLapsed,
    /// A patch was withdrawn; says where it is and where it is on its way.
    Withdrawn,
    /// What was installed under a revoked approval is rolled back; says where it is and where it is on its way.
    RolledBack,
    /// A way back has not been tried for too long.
    DrillOverdue,
    /// An endpoint holds other content than what was approved; the first one of a rollout.
    WrongContent,
    /// A post hook failed or was late.
    HookFailed,
    /// An endpoint is not rebooted any more, or a cancelled reboot may still happen.
    RebootsStopped,
    /// An endpoint has what it must have before its service.
    Onboarded,
    /// Two machines report under one name.
    Quarantined,
    /// A rollout came to its end.
    Ended,
}
