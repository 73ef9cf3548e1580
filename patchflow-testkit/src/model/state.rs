//! What the model keeps: plain lists, by the numbers that the fleet deals out.

use super::choices::Choices;
use super::staging::Content;
use super::{Mutation, Sent};
use patchflow_core::candidate::ApprovedBy;
use patchflow_core::catalog::Patch;
use patchflow_core::error::Refusal;
use patchflow_core::fleet::{EndpointSeen, Standing};
use patchflow_core::gate::{Class, Limits};
use patchflow_core::ids::RequestId;
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{Onboarding, PersonApproval, Policy, Selector};
use patchflow_core::risk::Priority;
use patchflow_core::rollout::{Phase, RingState, RolloutKind, RolloutState};
use patchflow_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The reference model of one fleet.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) mutation: Option<Mutation>,
    pub(super) now: Timestamp,
    pub(super) policy: Option<Policy>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) rollouts: Vec<Rollout>,
    pub(super) holds: BTreeSet<(usize, usize)>,
    pub(super) requests: BTreeMap<RequestId, (String, String)>,
    pub(super) asks: u32,
    pub(super) resync: Option<Resync>,
    pub(super) strays: u64,
    /// When installs started.
    pub(super) starts: Vec<Timestamp>,
    /// When content was asked for.
    pub(super) stagings: Vec<Timestamp>,
    pub(super) sent: Vec<Sent>,
    pub(super) choices: Choices,
}

#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) seen: EndpointSeen,
    pub(super) gone: bool,
    pub(super) fence: u32,
    /// It failed, and was neither verified since nor looked after by a person.
    pub(super) broken: bool,
    /// It is broken only in that it was rolled back: its old level was seen.
    pub(super) back: bool,
    /// It is out of contact.
    pub(super) unreachable: bool,
    /// What is known of it is too old to go by: it is read before it is ordered anything.
    pub(super) stale: bool,
    /// Since when it is out of contact.
    pub(super) away_since: Option<Timestamp>,
    /// It waits for a reboot that is no order's.
    pub(super) reboot_pending: bool,
    /// What tells the machine that reports under its name, and the one before its re-image.
    pub(super) machine: Option<String>,
    pub(super) machine_before: Option<String>,
    /// Two machines report under its name, and no person has cleared that.
    pub(super) quarantined: bool,
    /// A person declared that it is ours, whatever other patch manager is active there.
    pub(super) owned: bool,
    /// When it was ordered to reboot.
    pub(super) reboots: Vec<Timestamp>,
    /// Too many reboots: it is not rebooted any more until a person allows it.
    pub(super) reboots_stopped: bool,
    /// The post hook that is awaited there.
    pub(super) post: Option<Post>,
    /// Whether its pre hook was asked for, and its post hook not since.
    pub(super) drained: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) order: (usize, usize, u8),
    pub(super) due: Timestamp,
}

#[derive(Clone, Debug)]
pub(super) struct Need {
    pub(super) standing: Standing,
    pub(super) present: Option<String>,
    pub(super) path: RollbackPath,
    /// Until when that way back lasts, where somebody knows.
    pub(super) path_until: Option<Timestamp>,
}

/// What stands for the trial.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Evidence {
    Passed,
    NotRequired,
    Waived { by: String, until: Timestamp },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    Identified,
    Trialled(Evidence),
    Approved { evidence: Evidence, expires: Timestamp },
    Rejected,
    Superseded { by: usize },
    Withdrawn,
}

#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) id: u32,
    pub(super) from: PersonApproval,
    pub(super) votes: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) patch: Patch,
    pub(super) priority: Priority,
    pub(super) due: Timestamp,
    pub(super) stage: Stage,
    pub(super) needs: BTreeMap<usize, Need>,
    pub(super) ask: Option<Ask>,
    pub(super) trial: Option<usize>,
    pub(super) trial_failed: bool,
    pub(super) deployed: bool,
    /// Who waived its trial, whatever became of the waiver.
    pub(super) waived_by: Option<String>,
    /// A person opened it again after it had been turned down.
    pub(super) reconsidered: bool,
    /// Whether it is to be looked at: a comparison was told, or something about it has changed.
    pub(super) look: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) endpoint: usize,
    pub(super) ring: usize,
    pub(super) phase: Phase,
    pub(super) due: Option<Timestamp>,
    pub(super) attempts: u8,
    pub(super) operations: u8,
    pub(super) prior: Option<String>,
    pub(super) path: RollbackPath,
    /// It was bad when a person lifted the halt: it no longer speaks against its ring.
    pub(super) forgiven: bool,
    /// An order gave it a place of the budgets, and it has not given that back. What is heard late takes none.
    pub(super) placed: bool,
    /// A person took it out: it stays out.
    pub(super) taken_out: bool,
    /// It became failed or unknown after the rollout had completed, and still is.
    pub(super) failed_late: bool,
    /// It is silent only because nobody could look: that it says again that it is done tells nothing new.
    pub(super) unread: bool,
    /// How often in a row the pre hook of its rollback failed.
    pub(super) undrained: u8,
    /// Until when signs of life may extend the report deadline of the install under way.
    pub(super) patience: Option<Timestamp>,
    /// The member of another rollout whose order it goes by.
    pub(super) leader: Option<(usize, usize)>,
    /// Where its content is.
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) struct Ring {
    pub(super) name: String,
    pub(super) gate: Limits,
    pub(super) state: RingState,
    pub(super) alerts: u32,
    pub(super) alerts_known: bool,
    pub(super) opened_at: Option<Timestamp>,
    pub(super) reopened_at: Option<Timestamp>,
    pub(super) settled_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(super) struct Halted {
    pub(super) by_gate: bool,
    pub(super) ring: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Rollout {
    pub(super) candidate: usize,
    pub(super) kind: RolloutKind,
    /// Somebody called it one when it was started.
    pub(super) emergency: bool,
    pub(super) policy: Policy,
    /// Whom it means, those that join later included.
    pub(super) select: Selector,
    pub(super) state: RolloutState,
    pub(super) halt: Option<Halted>,
    pub(super) ring: usize,
    pub(super) rings: Vec<Ring>,
    pub(super) members: Vec<Member>,
    /// Whether what is at work must be asked whether it can still be stopped.
    pub(super) sweep: bool,
    /// Whether other freezes were adopted, and what is under way is to be looked at for them.
    pub(super) frozen: bool,
    /// Its approval was taken back, and so is what it installed.
    pub(super) takes_back: bool,
    /// It brings nobody along any more.
    pub(super) catch_up_stopped: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Resync {
    pub(super) until: Timestamp,
    pub(super) open: BTreeSet<(usize, usize)>,
}

impl Model {
    /// The model of a fleet that was founded now, with one rule bent if asked for.
    #[must_use]
    pub fn new(now: Timestamp, mutation: Option<Mutation>) -> Self {
        Self {
            mutation,
            now,
            policy: None,
            endpoints: Vec::new(),
            candidates: Vec::new(),
            rollouts: Vec::new(),
            holds: BTreeSet::new(),
            requests: BTreeMap::new(),
            asks: 0,
            resync: None,
            strays: 0,
            starts: Vec::new(),
            stagings: Vec::new(),
            sent: Vec::new(),
            choices: Choices::default(),
        }
    }

    pub(super) fn bent(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    pub(super) fn endpoint_named(&self, name: &str) -> Option<usize> {
        self.endpoints.iter().position(|endpoint| endpoint.seen.id.as_str() == name)
    }

    /// Members whose endpoint is taken.
    pub(super) fn taken_members(&self) -> Vec<(usize, usize)> {
        let mut taken = Vec::new();
        for (r, rollout) in self.rollouts.iter().enumerate() {
            for (m, member) in rollout.members.iter().enumerate() {
                if is_taking(member.phase) {
                    taken.push((r, m));
                }
            }
        }
        taken
    }

    /// Who has an endpoint.
    pub(super) fn active(&self, endpoint: usize) -> Option<(usize, usize)> {
        self.taken_members().into_iter().find(|(r, m)| self.rollouts[*r].members[*m].endpoint == endpoint)
    }

    pub(super) fn is_busy(&self, endpoint: usize) -> bool {
        self.active(endpoint).is_some() && !self.bent(Mutation::SharesEndpoints)
    }

    /// Moves a member. What a phase means for its ring follows from the phases when somebody asks.
    pub(super) fn put(&mut self, (r, m): (usize, usize), phase: Phase, due: Option<Timestamp>) {
        let now = self.now;
        self.choices.strike((r, m), phase);
        let rollout = &mut self.rollouts[r];
        let before = rollout.members[m].phase;
        let member = &mut rollout.members[m];
        (member.phase, member.due) = (phase, due);
        let bad = |phase| matches!(class(phase), Class::Failed | Class::Unknown);
        member.forgiven &= bad(phase) && bad(before);
        let late = rollout.state == RolloutState::Completed && !bad(before);
        member.failed_late = bad(phase) && (member.failed_late || late);
        member.unread = match (before, phase) {
            (Phase::Installed, Phase::Silent) | (Phase::Reverted, Phase::RevertSilent) => true,
            (Phase::Silent, Phase::Silent) | (Phase::RevertSilent, Phase::RevertSilent) => member.unread,
            _ => false,
        };
        let prepares =
            phase == Phase::RevertDraining || (before, phase) == (Phase::RevertDraining, Phase::Failed);
        member.undrained = if prepares { member.undrained } else { 0 };
        let longest = now.plus_secs(rollout.policy.deploy.duration_secs_max.into());
        member.patience = match phase {
            // It counts from when the endpoint said that it has begun.
            Phase::Running => Some(member.patience.unwrap_or(longest)),
            Phase::Silent => member.patience,
            _ => None,
        };
        // Only an order gives a place, and says so itself.
        member.placed &= is_operating(phase);
        if phase != Phase::Attached {
            member.leader = None;
        }
        let ring = &mut rollout.rings[member.ring];
        let moves = matches!(class(phase), Class::Waiting | Class::InFlight) && class(before) != class(phase);
        if moves && matches!(ring.state, RingState::Settled | RingState::Held) {
            // S3: no member of a settled ring is in flight or waits; now one does.
            (ring.state, ring.settled_at, ring.reopened_at) = (RingState::Open, None, Some(now));
        }
        if phase == Phase::RolledBack && self.mutation != Some(Mutation::NoHoldAfterRollback) {
            // That version, under any content.
            let (candidate, endpoint) = (rollout.candidate, rollout.members[m].endpoint);
            let version = &self.candidates[candidate].patch.target;
            let same = (0..self.candidates.len()).filter(|c| self.candidates[*c].patch.target == *version);
            self.holds.extend(same.map(|c| (c, endpoint)).collect::<Vec<_>>());
        }
        if let Some(resync) = &mut self.resync {
            resync.open.remove(&(r, m));
        }
        self.content_moves((r, m), phase);
        self.note_health(self.rollouts[r].members[m].endpoint, before, phase);
        self.after_operation((r, m), before, phase);
    }

    pub(super) fn later(&self, secs: u32) -> Timestamp {
        self.now.plus_secs(secs.into())
    }
}

impl Rollout {
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, RolloutState::Completed | RolloutState::Ended | RolloutState::Cancelled)
    }

    /// Nothing new starts in it, and it does not go on by itself.
    pub(super) fn is_stopped(&self) -> bool {
        match self.state {
            RolloutState::Halted | RolloutState::Cancelled | RolloutState::Ended => true,
            RolloutState::Completed => !self.is_catching_up(),
            RolloutState::Running | RolloutState::Paused => false,
        }
    }

    /// S5: after completion a standing catch-up applies the same approved plan.
    pub(super) fn is_catching_up(&self) -> bool {
        let catch_up = &self.policy.catch_up;
        self.state == RolloutState::Completed
            && self.kind == RolloutKind::Deployment
            && (catch_up.newcomers || catch_up.deferred || catch_up.onboarding != Onboarding::Leave)
            && !self.catch_up_stopped
    }

    /// The member that an endpoint is now: whoever was taken out and came back is a new one.
    pub(super) fn member_of(&self, endpoint: usize) -> Option<usize> {
        let is = |member: &Member| member.endpoint == endpoint;
        let present = self.members.iter().rposition(|member| is(member) && member.phase != Phase::Removed);
        present.or_else(|| self.members.iter().rposition(is))
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.members.iter().any(|m| m.phase != Phase::Waiting && may_still_move(m.phase))
    }

    pub(super) fn in_ring(&self, ring: usize) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.ring == ring)
    }
}

/// S2: the one table from phases to classes, written down a second time.
pub(super) fn class(phase: Phase) -> Class {
    match phase {
        Phase::Waiting => Class::Waiting,
        Phase::Ordered | Phase::Running | Phase::Recalling | Phase::Installed => Class::InFlight,
        // Reboot pending is in flight; so is who waits for another attempt.
        Phase::RebootPending | Phase::Rebooting | Phase::Backoff => Class::InFlight,
        Phase::Draining | Phase::Attached => Class::InFlight,
        Phase::Verified => Class::Verified,
        Phase::Silent => Class::Unknown,
        // Rolled back counts as failed, and so does everything on the way there.
        Phase::Failed | Phase::NeedsOperator => Class::Failed,
        Phase::Reverting | Phase::Reverted | Phase::RevertSilent | Phase::RolledBack => Class::Failed,
        Phase::RevertDraining => Class::Failed,
        Phase::Deferred => Class::Deferred,
        Phase::Skipped => Class::Skipped,
        Phase::Cancelled => Class::Cancelled,
        Phase::Held => Class::Held,
        Phase::Removed => Class::Removed,
    }
}

/// S12: an operation is under way and holds a place; unknown has given its place back.
pub(super) fn is_operating(phase: Phase) -> bool {
    let installing = [Phase::Ordered, Phase::Running, Phase::Recalling, Phase::Installed];
    let rebooting = [Phase::RebootPending, Phase::Rebooting];
    let reverting = [Phase::RevertDraining, Phase::Reverting, Phase::Reverted, Phase::Draining];
    installing.contains(&phase) || rebooting.contains(&phase) || reverting.contains(&phase)
}

/// S6: one operation at a time: one is under way, or may be for all that is known.
pub(super) fn is_taking(phase: Phase) -> bool {
    is_operating(phase) || phase == Phase::Silent || phase == Phase::RevertSilent
}

pub(super) fn may_still_move(phase: Phase) -> bool {
    is_taking(phase) || [Phase::Waiting, Phase::Backoff, Phase::Attached].contains(&phase)
}

/// The kind of a refusal; its words are the engine's own.
pub(super) fn refusal_kind(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotFound { .. } => "not found",
        Refusal::WrongState { .. } => "wrong state",
        Refusal::Stale { .. } => "stale",
        Refusal::NotAllowed { .. } => "not allowed",
        Refusal::IdReused { .. } => "id reused",
        Refusal::Unsound { .. } => "unsound",
        Refusal::Limit { .. } => "limit",
        _ => "of a kind that the model does not know",
    }
}

/// Who approved is the record's business; the model looks only at how long it holds.
pub(super) fn approver(by: &ApprovedBy) -> &'static str {
    match by {
        ApprovedBy::Rule { .. } => "a rule",
        ApprovedBy::People { .. } => "people",
    }
}
