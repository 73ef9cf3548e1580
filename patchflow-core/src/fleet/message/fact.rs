//! Facts: what the journal holds. Named in the past tense; what was computed once and could come out differently
//! later (ring membership, resolved instants, verdicts) stands in them.

use crate::candidate::{ApprovedBy, Evidence};
use crate::catalog::Patch;
use crate::digest::Digest;
use crate::error::FailureKind;
use crate::fleet::EndpointSet;
use crate::fleet::message::need::NeedFact;
use crate::fleet::message::observation::EndpointSeen;
use crate::gate::Verdict;
use crate::ids::{AskId, CandidateId, EndpointIx, FleetId, MemberIx, OrderId, RequestId, RolloutId};
use crate::plan::{JoinedMember, PlanFact, RevisedPlan, RollbackPath};
use crate::policy::{PersonApproval, Policy};
use crate::risk::Assessment;
use crate::rollout::{Emergency, RolloutKind};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

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
    /// The content of most of them was not on their endpoints.
    NotStaged,
    /// Their turn came and they did not take it: not reached, or taken by another rollout.
    NotTaken,
}

impl core::fmt::Display for MissedBecause {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Paused => "the rollout was paused",
            Self::NotApproved => "no approval stood behind the rollout",
            Self::NoPlace => "no place was free",
            Self::NotStaged => "their content had not been staged",
            Self::NotTaken => "they were not reached, or another rollout had them",
        })
    }
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
    /// Endpoints went out of contact.
    EndpointsWentUnreachable {
        /// The endpoints.
        endpoints: EndpointSet,
        /// Since when.
        since: Timestamp,
    },
    /// Endpoints are in contact again, and must be read before they are ordered anything.
    EndpointsCameBack {
        /// The endpoints.
        endpoints: EndpointSet,
    },
    /// What is known of endpoints is too old to go by.
    EndpointsWentStale {
        /// The endpoints.
        endpoints: EndpointSet,
    },
    /// The inventory was asked to read endpoints.
    ScansAsked {
        /// The endpoints.
        endpoints: EndpointSet,
        /// Until when they should be read, in seconds since the fleet's epoch.
        due: u32,
    },
    /// A round of questions to the inventory is wanted as soon as the one under way is over.
    ScanRoundWanted,
    /// One turn of a round: every endpoint whose index leaves this remainder is asked for.
    ScanTurnAsked {
        /// The turn, from 0: the remainder.
        turn: u32,
        /// How many turns the round has: the divisor.
        turns: u32,
        /// Until when they should be read, in seconds since the fleet's epoch.
        due: u32,
    },
    /// The time of a turn is over; those that were not read are stale.
    ScanTurnEnded {
        /// The turn.
        turn: u32,
        /// How many turns its round has.
        turns: u32,
        /// Who was not read.
        missed: EndpointSet,
    },
    /// Endpoints were asked after as often as the policy allows and not read; nobody asks until something changes.
    ScansGivenUp {
        /// The endpoints.
        endpoints: EndpointSet,
    },
    /// Endpoints were read anew.
    EndpointsRead {
        /// The endpoints.
        endpoints: EndpointSet,
    },
    /// Another machine reports under the endpoint's name, and the one before is silent: what was known is void.
    EndpointReimaged {
        /// The endpoint.
        endpoint: EndpointIx,
        /// As it is now.
        seen: EndpointSeen,
    },
    /// An endpoint that is not in service yet has every patch that is approved for it: it may go into service.
    EndpointOnboarded {
        /// The endpoint.
        endpoint: EndpointIx,
    },
    /// Two machines report under one name: no orders until a person has looked.
    EndpointQuarantined {
        /// The endpoint.
        endpoint: EndpointIx,
        /// What was seen.
        reason: String,
    },
    /// A person has looked: the machine that reports from now on is the endpoint.
    QuarantineCleared {
        /// The endpoint.
        endpoint: EndpointIx,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
    /// A person declared that this fleet patches an endpoint, whatever else is active there.
    OwnershipDeclared {
        /// The endpoint.
        endpoint: EndpointIx,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
    /// Endpoints wait for a reboot that no order of this fleet asked for, or wait no more.
    RebootsPendingSeen {
        /// The endpoints.
        endpoints: EndpointSet,
        /// Whether they wait.
        pending: bool,
    },
    /// No reboots of an endpoint any more: there were too many, or a person cancelled one.
    RebootsStopped {
        /// The endpoint.
        endpoint: EndpointIx,
        /// The person; `None` when the breaker tripped.
        by: Option<Arc<str>>,
        /// Why.
        reason: String,
    },
    /// A person allows reboots of an endpoint again.
    RebootsAllowed {
        /// The endpoint.
        endpoint: EndpointIx,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
    /// A reboot under way was cancelled; the endpoint is asked whether its timer is gone.
    RebootCancelAsked {
        /// The endpoint.
        endpoint: EndpointIx,
    },
    /// The endpoint said what becomes of the reboot: it will not happen, or it happens now.
    RebootCancelled {
        /// The endpoint.
        endpoint: EndpointIx,
    },
    /// Nobody confirmed in time that a cancelled reboot will not happen: a timer may still run on the machine.
    RebootCancelUnconfirmed {
        /// The endpoint.
        endpoint: EndpointIx,
    },
    /// The people at an endpoint put an operation off.
    OperationPutOff {
        /// The rollout.
        rollout: RolloutId,
        /// The member.
        member: MemberIx,
        /// Whether it is the reboot, and not the install.
        reboot: bool,
        /// Until when.
        until: Timestamp,
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
    /// What was installed under an approval that was taken back is rolled back, wherever it is still there.
    RollbackAsked {
        /// The candidate.
        candidate: CandidateId,
        /// Who took the approval back.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
    /// Another candidate took its place.
    CandidateSuperseded {
        /// The one that was replaced.
        candidate: CandidateId,
        /// The one that took its place.
        by: CandidateId,
    },
    /// The same content was published with other words about it, or what it replaces was: it is rated anew.
    CandidateRerated {
        /// The candidate.
        candidate: CandidateId,
        /// The patch as it is published now.
        patch: Arc<Patch>,
        /// The new rating; its due date is never later than the old one.
        risk: Assessment,
    },
    /// An approved candidate should start by itself and cannot: no plan can be made of the policy and of those who need it.
    StartRefused {
        /// The candidate.
        candidate: CandidateId,
        /// Every finding, as a sentence.
        reason: String,
    },
    /// A candidate goes nowhere: its relations contradict each other.
    CandidateHeld {
        /// The candidate.
        candidate: CandidateId,
        /// Why, as a sentence that names all of the circle.
        reason: String,
    },
    /// The contradiction is gone.
    CandidateReleased {
        /// The candidate.
        candidate: CandidateId,
    },
    /// A candidate that was turned down or replaced is open again.
    CandidateReopened {
        /// The candidate.
        candidate: CandidateId,
        /// The person who took the rejection back; `None` when what had replaced it is gone.
        by: Option<Arc<str>>,
        /// Why.
        reason: String,
    },
    /// A due date comes near, and endpoints still need the candidate.
    DeadlineNeared {
        /// The candidate.
        candidate: CandidateId,
        /// The due date.
        due: Timestamp,
        /// How many production endpoints still need it.
        endpoints: u32,
    },
    /// A due date has passed on endpoints that still need the candidate: on most of them at the candidate's own, on
    /// those that came to need it later, later.
    DeadlinePassed {
        /// The candidate.
        candidate: CandidateId,
        /// The candidate's due date.
        due: Timestamp,
        /// How many production endpoints are past theirs now.
        endpoints: u32,
        /// When the next of the others passes, if it is not done by then.
        next: Option<Timestamp>,
    },
    /// A critical candidate has half its time left, or less, for its first install on a non-production endpoint.
    FirstInstallNeared {
        /// The candidate.
        candidate: CandidateId,
        /// Until when it should be there.
        due: Timestamp,
    },
    /// A critical candidate was not installed on any non-production endpoint in time.
    FirstInstallOverdue {
        /// The candidate.
        candidate: CandidateId,
        /// Until when it should have been there.
        due: Timestamp,
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
        /// Who called it an emergency, and why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emergency: Option<Emergency>,
        /// The rollouts started together, in the order in which they install; empty when it is alone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        bundle: Vec<RolloutId>,
    },
    /// Orders of a rollout leave outside of the windows, for the first time: it is an emergency, or a due date passed.
    WindowPassed {
        /// The rollout.
        rollout: RolloutId,
        /// Why, as a sentence.
        reason: String,
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
    /// An endpoint can go neither forward nor back, and a level of operators was called.
    OperatorCalled {
        /// The rollout.
        rollout: RolloutId,
        /// The member.
        member: MemberIx,
        /// The level in the rollout's policy, from 0.
        level: u8,
        /// Until when somebody should acknowledge; then the next level is called, and the last one again.
        until: Timestamp,
    },
    /// Somebody takes care of it.
    OperatorAcknowledged {
        /// The rollout.
        rollout: RolloutId,
        /// The member.
        member: MemberIx,
        /// Who.
        by: Arc<str>,
    },
    /// A way back had ended when an order would have left: none leaves until somebody has looked at it again.
    PathLapsed {
        /// The candidate.
        candidate: CandidateId,
        /// The endpoint.
        endpoint: EndpointIx,
        /// When it ended.
        until: Timestamp,
    },
    /// A verified install on a non-production endpoint is taken back, to see that the way back leads back.
    DrillStarted {
        /// The rollout.
        rollout: RolloutId,
        /// The member.
        member: MemberIx,
        /// The way back that is tried.
        path: RollbackPath,
        /// Who asked for it.
        by: Arc<str>,
    },
    /// A drill came to its end.
    DrillDone {
        /// The rollout.
        rollout: RolloutId,
        /// The member.
        member: MemberIx,
        /// The way back that was tried.
        path: RollbackPath,
        /// Whether the level from before was seen again.
        ok: bool,
    },
    /// A way back that deployments count on has not been tried for longer than the policy allows.
    DrillOverdue {
        /// The way back.
        path: RollbackPath,
        /// When it was last tried with success; `None` for never.
        last: Option<Timestamp>,
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
    /// A window opens before long, and those who wait for it and are out of contact are asked to wake.
    WindowNeared {
        /// The rollout.
        rollout: RolloutId,
        /// The calendar by its name; `None` for the policy's own schedule.
        calendar: Option<Arc<str>>,
        /// When it opens.
        opens: Timestamp,
        /// How many members of opened rings wait for it.
        waiting: u32,
        /// How many of them are out of contact; 0 asks nobody.
        unreachable: u32,
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
    /// A window closed, and operations that began in it are still under way: they are not cut off.
    WindowOverrun {
        /// The rollout.
        rollout: RolloutId,
        /// The calendar by its name; `None` for the policy's own schedule.
        calendar: Option<Arc<str>>,
        /// When the window closed.
        closed: Timestamp,
        /// How many members are being drained, installed or rebooted.
        under_way: u32,
    },
    /// An endpoint holds other content than what was approved; the first one of a rollout says so.
    WrongContentSeen {
        /// The rollout.
        rollout: RolloutId,
        /// The member.
        member: MemberIx,
        /// What the endpoint computed.
        content: Digest,
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
        outcome: crate::fleet::Outcome,
    },
}
