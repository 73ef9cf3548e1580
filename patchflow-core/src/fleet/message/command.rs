//! What people and host products ask. May be refused; a repeated id returns the first result.

use crate::ids::{Actor, CandidateId, EndpointId, RequestId, Revision, RolloutId};
use crate::plan::{PlanRevision, RolloutDraft};
use crate::policy::Policy;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id: the same id again returns the first result and does nothing.
    pub id: RequestId,
    /// Who asks.
    pub by: Actor,
    /// The revision the asker saw of the thing that the command names; refused when it has changed since.
    pub expect: Option<Revision>,
    /// What is asked.
    pub ask: Command,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Command {
    /// Let a policy hold from now on. Rollouts that run keep their own until they are revised, but for its freezes and the
    /// budgets of the fleet: those act on them at once. Its revision is the fleet's.
    AdoptPolicy {
        /// The policy.
        policy: Box<Policy>,
    },
    /// Do without the trial of a candidate.
    WaiveTrial {
        /// The candidate.
        candidate: CandidateId,
        /// Until when the waiver holds.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// Try a candidate again whose trial failed.
    RepeatTrial {
        /// The candidate.
        candidate: CandidateId,
    },
    /// Approve a candidate.
    Approve {
        /// The candidate.
        candidate: CandidateId,
        /// Why.
        reason: String,
    },
    /// Turn a candidate down.
    Reject {
        /// The candidate.
        candidate: CandidateId,
        /// Why.
        reason: String,
    },
    /// Take a rejection or a revocation back: the question is open again, and people decide it.
    Reconsider {
        /// The candidate.
        candidate: CandidateId,
        /// Why.
        reason: String,
    },
    /// Take an approval back: no new orders, recall what has not begun.
    Revoke {
        /// The candidate.
        candidate: CandidateId,
        /// Why.
        reason: String,
    },
    /// Never install a candidate any more.
    Withdraw {
        /// The candidate.
        candidate: CandidateId,
        /// Why.
        reason: String,
    },
    /// Start the rollout of an approved candidate.
    Start {
        /// The draft.
        draft: RolloutDraft,
    },
    /// No new orders until resumed; what is under way goes on.
    Pause {
        /// The rollout.
        rollout: RolloutId,
    },
    /// Go on.
    Resume {
        /// The rollout.
        rollout: RolloutId,
    },
    /// No new orders, recall what has not begun.
    Halt {
        /// The rollout.
        rollout: RolloutId,
        /// Why.
        reason: String,
    },
    /// End a rollout: nothing new starts, what is under way ends, the rest is cancelled. Ends the catch-up of one that has
    /// completed.
    Cancel {
        /// The rollout.
        rollout: RolloutId,
        /// Why.
        reason: String,
    },
    /// Go on after a halt, with new evidence.
    LiftHalt {
        /// The rollout.
        rollout: RolloutId,
        /// Why.
        reason: String,
    },
    /// Let the open ring pass whatever its gate says.
    Promote {
        /// The rollout.
        rollout: RolloutId,
        /// Why.
        reason: String,
    },
    /// Pass a ring over that has not been judged: whoever waits in it waits for the last ring, or for catch-up.
    SkipRing {
        /// The rollout.
        rollout: RolloutId,
        /// The ring, from 0.
        ring: u8,
        /// Why.
        reason: String,
    },
    /// Change a plan that runs, as far as it has not been judged and nobody has started.
    Revise {
        /// The rollout.
        rollout: RolloutId,
        /// What changes.
        revision: PlanRevision,
        /// Why.
        reason: String,
    },
    /// Let one endpoint try again that failed, was deferred or cancelled.
    Retry {
        /// The rollout.
        rollout: RolloutId,
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Take one endpoint out of a rollout.
    Remove {
        /// The rollout.
        rollout: RolloutId,
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Let an endpoint out of quarantine: the machine that reports from now on is the endpoint.
    ClearQuarantine {
        /// The endpoint.
        endpoint: EndpointId,
        /// Why: what was found.
        reason: String,
    },
    /// Say that this fleet patches an endpoint, although another patch manager is active there.
    DeclareOwnership {
        /// The endpoint.
        endpoint: EndpointId,
        /// Why.
        reason: String,
    },
    /// Do not reboot an endpoint: a reboot under way is recalled, and none is ordered until reboots are allowed again.
    CancelReboot {
        /// The rollout whose member is to be rebooted.
        rollout: RolloutId,
        /// The endpoint.
        endpoint: EndpointId,
        /// Why.
        reason: String,
    },
    /// Allow reboots of an endpoint again.
    AllowReboots {
        /// The endpoint.
        endpoint: EndpointId,
        /// Why.
        reason: String,
    },
    /// Take care of an endpoint that can go neither forward nor back: no further level is called.
    Acknowledge {
        /// The rollout.
        rollout: RolloutId,
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Take a verified install on a non-production endpoint back, to see that the way back leads back.
    Drill {
        /// The candidate.
        candidate: CandidateId,
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Let a candidate near an endpoint again that was rolled back.
    ClearHold {
        /// The candidate.
        candidate: CandidateId,
        /// The endpoint.
        endpoint: EndpointId,
    },
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It was done.
    Done,
    /// A rollout or trial was started.
    Started {
        /// Its index.
        rollout: RolloutId,
    },
    /// Orders were stopped.
    Stopped {
        /// Endpoints that have the patch, verified.
        installed: u32,
        /// Endpoints on which it is under way, or may be.
        in_flight: u32,
    },
    /// The vote counts, and more are needed.
    VoteCounted {
        /// How many more.
        missing: u8,
    },
}
