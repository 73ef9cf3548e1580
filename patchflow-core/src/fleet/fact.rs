//! Facts: what the journal holds. Named in the past tense; what was computed once and could come out differently
//! later (ring membership, resolved instants, verdicts) stands in them.

use super::observation::{EndpointSeen, Standing};
use crate::candidate::{ApprovedBy, Evidence};
use crate::catalog::Patch;
use crate::digest::Digest;
use crate::error::FailureKind;
use crate::gate::Verdict;
use crate::ids::{AskId, CandidateId, EndpointIx, FleetId, MemberIx, OrderId, RequestId, RolloutId, Seq};
use crate::plan::{JoinedMember, PlanFact, RevisedPlan, RollbackPath};
use crate::policy::{PersonApproval, Policy};
use crate::risk::Assessment;
use crate::rollout::{Event, RolloutKind};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A fact with its place in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its position, from 1, without gaps.
    pub seq: Seq,
    /// When it was decided; never earlier than the fact before it.
    pub at: Timestamp,
    /// The fact.
    pub fact: Fact,
}

/// What happened: many small things to endpoints, few rich things to everything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// One event of one member; packed into frames in the journal.
    Endpoint(EndpointFact),
    /// Anything else; readable as text in the journal.
    Rich(Box<RichFact>),
}

impl From<RichFact> for Fact {
    fn from(fact: RichFact) -> Self {
        Self::Rich(Box::new(fact))
    }
}

/// One event of one member of one rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointFact {
    /// The rollout.
    pub rollout: RolloutId,
    /// The member.
    pub member: MemberIx,
    /// What happened.
    pub event: Event,
    /// Index into the fleet's table of reasons (see [`RichFact::ReasonNamed`]); 0 for none.
    pub reason: u16,
    /// Seconds since the fleet's epoch at which the next thing is due; 0 for nothing.
    pub due: u32,
}

const _: () = assert!(size_of::<EndpointFact>() == 16);

/// Why an approval ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "snake_case")]
pub enum EndReason {
    /// Its time was over.
    Expired,
    /// Somebody took it back.
    Revoked {
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
}

/// Why members missed a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedBecause {
    /// A person paused the rollout.
    Paused,
    /// No approval stood behind the rollout.
    NotApproved,
    /// As many operations were under way as may be.
    NoPlace,
    /// Their turn came and they did not take it: not reached, or taken by another rollout.
    NotTaken,
}

impl core::fmt::Display for MissedBecause {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Paused => "the rollout was paused",
            Self::NotApproved => "no approval stood behind the rollout",
            Self::NoPlace => "no place was free",
            Self::NotTaken => "they were not reached, or another rollout had them",
        })
    }
}

/// How an endpoint stands to a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedFact {
    /// The endpoint.
    pub endpoint: EndpointIx,
    /// Needs it, has it, or has nothing to do with it.
    pub standing: Standing,
    /// The version that is there now; `None` when the package is not installed.
    pub present: Option<Arc<str>>,
    /// The way back from the candidate to that version.
    pub path: RollbackPath,
}

/// Everything that is not one event of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RichFact {
    /// The fleet exists.
    FleetFounded {
        /// Its id.
        fleet: FleetId,
        /// Its name.
        name: String,
        /// The seed of every stable choice.
        seed: u64,
        /// The instant that packed deadlines count from.
        epoch: Timestamp,
    },
    /// A policy holds from now on; running rollouts keep theirs.
    PolicyAdopted {
        /// Its whole text.
        policy: Arc<Policy>,
        /// The digest of its text.
        digest: Digest,
        /// Who adopted it.
        by: Arc<str>,
    },
    /// Endpoints were seen for the first time.
    EndpointsJoined {
        /// The index of the first of them; the others follow.
        first: EndpointIx,
        /// As they were seen.
        endpoints: Vec<EndpointSeen>,
    },
    /// An endpoint's attributes changed.
    EndpointChanged {
        /// The endpoint.
        endpoint: EndpointIx,
        /// As it is now.
        seen: EndpointSeen,
    },
    /// An endpoint is no longer part of the fleet.
    EndpointLeft {
        /// The endpoint.
        endpoint: EndpointIx,
    },
    /// A patch was identified and rated.
    CandidateIdentified {
        /// The index it got.
        candidate: CandidateId,
        /// The patch.
        patch: Arc<Patch>,
        /// The rating.
        risk: Assessment,
    },
    /// How endpoints stand to a candidate.
    NeedsChanged {
        /// The candidate.
        candidate: CandidateId,
        /// What changed.
        needs: Vec<NeedFact>,
    },
    /// The trial is behind a candidate.
    TrialConcluded {
        /// The candidate.
        candidate: CandidateId,
        /// What stands for the trial.
        evidence: Evidence,
    },
    /// A trial failed its gate.
    TrialFailed {
        /// The candidate.
        candidate: CandidateId,
        /// The trial.
        rollout: RolloutId,
    },
    /// People were asked to approve.
    ApprovalAsked {
        /// The candidate.
        candidate: CandidateId,
        /// The question.
        ask: AskId,
        /// The rule that asks, and why it did not decide by itself.
        rule: String,
        /// Whom it asks.
        from: PersonApproval,
    },
    /// One person approved; the quorum may still be open.
    ApprovalVoted {
        /// The candidate.
        candidate: CandidateId,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
    /// A candidate is approved: the fact that mints the proof.
    ApprovalGranted {
        /// The candidate.
        candidate: CandidateId,
        /// By whom or what.
        by: ApprovedBy,
        /// The content it is bound to.
        content: Digest,
        /// From when it no longer holds.
        expires: Timestamp,
    },
    /// A candidate was turned down.
    ApprovalRejected {
        /// The candidate.
        candidate: CandidateId,
        /// By whom.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
    /// An approval ended; the question is open again.
    ApprovalEnded {
        /// The candidate.
        candidate: CandidateId,
        /// Why.
        end: EndReason,
    },
    /// Another candidate took its place.
    CandidateSuperseded {
        /// The one that was replaced.
        candidate: CandidateId,
        /// The one that took its place.
        by: CandidateId,
    },
    /// A candidate must not be installed any more.
    CandidateWithdrawn {
        /// The candidate.
        candidate: CandidateId,
        /// Why.
        reason: String,
    },
    /// A rollout or trial began.
    RolloutStarted {
        /// The index it got.
        rollout: RolloutId,
        /// What it installs.
        candidate: CandidateId,
        /// Trial or deployment.
        kind: RolloutKind,
        /// The policy it runs under, whatever is adopted later.
        policy: Digest,
        /// Who is in which ring.
        plan: PlanFact,
    },
    /// Endpoints became eligible after the plan was made, and join it: its last ring, or the catch-up after it.
    MembersJoined {
        /// The rollout.
        rollout: RolloutId,
        /// The ring they join; one more than there is begins the catch-up.
        ring: u8,
        /// Versions that were not in the plan yet.
        levels: Vec<Arc<str>>,
        /// They follow the members that are there.
        members: Vec<JoinedMember>,
    },
    /// A completed rollout brings nobody along any more.
    CatchUpStopped {
        /// The rollout.
        rollout: RolloutId,
        /// The person, when it was one.
        by: Option<Arc<str>>,
        /// Why, as a sentence.
        reason: String,
    },
    /// A ring may start its members.
    RingOpened {
        /// The rollout.
        rollout: RolloutId,
        /// The ring, from 0.
        ring: u8,
    },
    /// An empty ring was passed over; that is not a pass.
    RingSkipped {
        /// The rollout.
        rollout: RolloutId,
        /// The ring.
        ring: u8,
    },
    /// A person passed a ring over; that is not a pass either.
    RingPassedOver {
        /// The rollout.
        rollout: RolloutId,
        /// The ring.
        ring: u8,
        /// The ring that takes those who wait in it; `None` leaves them to catch-up.
        to: Option<u8>,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
    /// A person changed a plan that runs.
    RolloutRevised {
        /// The rollout.
        rollout: RolloutId,
        /// The policy it runs under from now on.
        policy: Digest,
        /// What the change came to.
        plan: RevisedPlan,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
    /// No member is in flight and none will start: the bake begins.
    RingSettled {
        /// The rollout.
        rollout: RolloutId,
        /// The ring.
        ring: u8,
    },
    /// The gate passed, or a person let the ring pass.
    RingPromoted {
        /// The rollout.
        rollout: RolloutId,
        /// The ring.
        ring: u8,
        /// The verdict with its counts.
        verdict: Verdict,
        /// The person, when it was not the gate.
        by: Option<Arc<str>>,
    },
    /// The gate holds and asks a person.
    RingHeld {
        /// The rollout.
        rollout: RolloutId,
        /// The ring.
        ring: u8,
        /// The verdict with its counts.
        verdict: Verdict,
    },
    /// No new orders in this rollout.
    RolloutHalted {
        /// The rollout.
        rollout: RolloutId,
        /// The ring in which it happened.
        ring: u8,
        /// The verdict, when a gate halted.
        verdict: Option<Verdict>,
        /// The person, when it was one.
        by: Option<Arc<str>>,
        /// Why, as a sentence.
        reason: String,
    },
    /// No new orders any more; the rollout ends when what is under way has ended.
    RolloutCancelled {
        /// The rollout.
        rollout: RolloutId,
        /// The person, when it was one.
        by: Option<Arc<str>>,
        /// Why.
        reason: String,
    },
    /// A person lifted a halt; evidence starts anew.
    HaltLifted {
        /// The rollout.
        rollout: RolloutId,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
    /// A person paused a rollout.
    RolloutPaused {
        /// The rollout.
        rollout: RolloutId,
        /// Who.
        by: Arc<str>,
    },
    /// A person let it go on.
    RolloutResumed {
        /// The rollout.
        rollout: RolloutId,
        /// Who.
        by: Arc<str>,
    },
    /// Every ring is behind it, or it was halted and everything has come to its end.
    RolloutEnded {
        /// The rollout.
        rollout: RolloutId,
        /// Whether every ring passed.
        completed: bool,
    },
    /// A person cleared a hold.
    HoldCleared {
        /// The candidate that was kept away.
        candidate: CandidateId,
        /// The endpoint it was kept away from.
        endpoint: EndpointIx,
        /// Who.
        by: Arc<str>,
    },
    /// Endpoints of a ring raised alerts, or nobody can tell any more whether they did.
    AlertsSeen {
        /// The rollout.
        rollout: RolloutId,
        /// The ring.
        ring: u8,
        /// How many new ones; `None` when it is not known.
        new: Option<u32>,
    },
    /// A window closed over members that might have started in it from its first instant, and did not.
    WindowMissed {
        /// The rollout.
        rollout: RolloutId,
        /// The calendar by its name; `None` for the policy's own schedule.
        calendar: Option<Arc<str>>,
        /// When the window opened.
        opened: Timestamp,
        /// When it closed.
        closed: Timestamp,
        /// How many members of opened rings wait.
        waiting: u32,
        /// What kept them, as it stood when the window closed.
        because: MissedBecause,
    },
    /// A post hook was run, or is given up.
    HookEnded {
        /// What it was asked for with.
        order: OrderId,
        /// What kept it from its end, when something did.
        failed: Option<FailureKind>,
        /// What is known about that.
        detail: String,
    },
    /// A reason got a number, so that packed facts can name it.
    ReasonNamed {
        /// The number, from 1.
        code: u16,
        /// The kind.
        kind: FailureKind,
        /// The text, at most 200 characters.
        detail: String,
    },
    /// The clock stepped back by more than a second and was held.
    ClockSteppedBack {
        /// What it showed.
        seen: Timestamp,
        /// What counts instead.
        held_at: Timestamp,
    },
    /// The host itself was away: outstanding orders are asked after, nothing leaves and nothing counts as silent.
    ResyncStarted {
        /// How long it was away, in seconds.
        silence_secs: u64,
        /// Until when answers are awaited.
        until: Timestamp,
    },
    /// Every question was answered, or the time for it is over.
    ResyncEnded {
        /// Orders that nobody answered for.
        unanswered: u32,
    },
    /// A request was carried out; the same id again returns this.
    RequestDone {
        /// Its id.
        request: RequestId,
        /// Who asked.
        by: Arc<str>,
        /// The digest of what was asked, so that an id used for something else is seen.
        asked: Digest,
        /// What came of it.
        outcome: super::Outcome,
    },
}
