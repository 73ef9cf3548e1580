//! Books kept from facts alone, by code that shares nothing with the engine's.
//!
//! Plain maps and a plain list of standings; it trusts every fact and only writes down what it says.

use super::condition_entry::ConditionEntry;
use patchflow_core::candidate::Evidence;
use patchflow_core::catalog::Patch;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::{EndpointFact, Fact, Recorded, RichFact};
use patchflow_core::gate::Limits;
use patchflow_core::ids::{CandidateId, EndpointId, EndpointIx, MemberIx, RolloutId};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{Onboarding, PersonApproval, Policy};
use patchflow_core::rollout::{Event, RolloutKind};
use patchflow_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a member stands, in words of the ledger's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Not started.
    Waiting,
    /// An operation forward is under way.
    Busy,
    /// Installed, and a reboot is not ordered yet.
    WantsReboot,
    /// Failed, to be tried again.
    Backoff,
    /// Seen at the target.
    Verified,
    /// Not heard of in time.
    Unknown,
    /// Failed for good.
    Failed,
    /// A rollback is under way.
    Undoing,
    /// Not heard of during a rollback.
    UndoUnknown,
    /// Seen at the level it had.
    RolledBack,
    /// A person must act.
    Operator,
    /// Not started in time.
    Deferred,
    /// At the target before.
    Skipped,
    /// Taken out.
    Cancelled,
    /// Kept away.
    Held,
    /// No longer there.
    Removed,
}

impl Standing {
    /// Whether its endpoint is taken, or may be for all that is known.
    #[must_use]
    pub const fn occupies(self) -> bool {
        matches!(self, Self::Busy | Self::WantsReboot | Self::Unknown | Self::Undoing | Self::UndoUnknown)
    }

    /// Whether it takes a place of a budget: unknown frees its place.
    #[must_use]
    pub const fn takes_place(self) -> bool {
        matches!(self, Self::Busy | Self::WantsReboot | Self::Undoing)
    }

    /// Whether it counts as failed or unknown.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(
            self,
            Self::Unknown
                | Self::Failed
                | Self::Undoing
                | Self::UndoUnknown
                | Self::RolledBack
                | Self::Operator
        )
    }

    /// Whether shares are taken of it.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        !matches!(self, Self::Deferred | Self::Skipped | Self::Cancelled | Self::Held | Self::Removed)
    }

    /// Whether its ring must wait for it.
    #[must_use]
    pub const fn is_unsettled(self) -> bool {
        matches!(self, Self::Waiting | Self::Busy | Self::WantsReboot | Self::Backoff)
    }
}

/// One member in the books.
#[derive(Clone, Debug)]
pub struct MemberEntry {
    /// The endpoint.
    pub endpoint: EndpointIx,
    /// Its ring.
    pub ring: u8,
    /// How it stands.
    pub standing: Standing,
    /// Orders so far.
    pub operations: u32,
    /// Whether it takes a place of the budgets. Only an order takes one: silence gives it back, and what is heard late
    /// takes it no more.
    pub placed: bool,
    /// When the next thing is due, in seconds since the epoch; 0 for nothing.
    pub due: u32,
    /// The way back that the plan recorded.
    pub path: RollbackPath,
    /// Whether a reboot is under way.
    pub rebooting: bool,
    /// Whether its pre hook is awaited.
    pub draining: bool,
    /// Whether it waits for the outcome in another rollout of the same patch.
    pub attached: bool,
    /// Whether it was failed or unknown when a halt was lifted, and has been ever since.
    pub forgiven: bool,
}

/// One ring in the books.
#[derive(Clone, Debug)]
pub struct RingEntry {
    /// Its name, by which a policy means it.
    pub name: String,
    /// Its gate.
    pub gate: Limits,
    /// Its members' positions.
    pub range: std::ops::Range<usize>,
    /// Whether it was opened.
    pub opened: bool,
    /// Whether it was promoted or skipped.
    pub passed: bool,
    /// When it settled, unless a member moved again since.
    pub settled_at: Option<Timestamp>,
    /// New alerts since the last lifted halt.
    pub alerts: u32,
    /// Whether somebody could tell them when last asked.
    pub alerts_known: bool,
}

/// One rollout in the books.
#[derive(Clone, Debug)]
pub struct RolloutEntry {
    /// What it installs.
    pub candidate: CandidateId,
    /// Trial or deployment.
    pub kind: RolloutKind,
    /// The policy it runs under.
    pub policy: Arc<Policy>,
    /// Its rings.
    pub rings: Vec<RingEntry>,
    /// Its members.
    pub members: Vec<MemberEntry>,
    /// The ring whose turn it is.
    pub ring: u8,
    /// Whether it is an emergency.
    pub emergency: bool,
    /// Paused, halted, cancelled or ended: the word for it; `None` while it runs.
    pub stopped: Option<&'static str>,
}

impl RolloutEntry {
    /// Whether it goes on for those who come late once it has completed.
    pub(super) fn brings_along(&self) -> bool {
        let late = &self.policy.catch_up;
        let somebody = late.newcomers || late.deferred || late.onboarding != Onboarding::Leave;
        somebody && self.kind == RolloutKind::Deployment
    }

    /// The members of one ring.
    #[must_use]
    pub fn ring_members(&self, ring: usize) -> &[MemberEntry] {
        self.rings.get(ring).map_or(&[], |entry| &self.members[entry.range.clone()])
    }
}

/// One candidate in the books.
#[derive(Clone, Debug)]
pub struct CandidateEntry {
    /// The patch.
    pub patch: Arc<Patch>,
    /// What stands for its trial.
    pub evidence: Option<Evidence>,
    /// Until when it is approved; `None` when it is not.
    pub approved_until: Option<Timestamp>,
    /// The open question, with who agreed so far.
    pub asked: Option<(PersonApproval, Vec<Arc<str>>)>,
    /// Turned down, superseded or withdrawn: the word for it.
    pub retired: Option<&'static str>,
    /// Until when it should be verified everywhere.
    pub due: Option<Timestamp>,
    /// Whether its relations hold it.
    pub held: bool,
}

/// One endpoint in the books.
#[derive(Clone, Debug)]
pub struct EndpointEntry {
    /// Its name.
    pub id: EndpointId,
    /// Whether work depends on it.
    pub environment: Environment,
    /// Where it belongs.
    pub scope: ScopePath,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The calendar it names, if any.
    pub calendar: Option<Arc<str>>,
    /// Whether it left.
    pub gone: bool,
    /// What else is known of it.
    pub state: ConditionEntry,
}

/// The books of one fleet.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// How many facts were written down.
    pub facts: u64,
    /// The world's clock.
    pub now: Timestamp,
    /// The instant that deadlines count from.
    pub epoch: Timestamp,
    /// Policies by their digests.
    pub policies: BTreeMap<Digest, Arc<Policy>>,
    /// The policy that holds.
    pub policy: Option<Arc<Policy>>,
    /// Endpoints by index.
    pub endpoints: Vec<EndpointEntry>,
    /// Candidates by index.
    pub candidates: Vec<CandidateEntry>,
    /// Rollouts by index.
    pub rollouts: Vec<RolloutEntry>,
    /// Whether a resync is under way.
    pub resync: bool,
    /// When installs started since the policy that holds was adopted.
    pub starts: Vec<Timestamp>,
    /// How endpoints stand to candidates by the inventory.
    pub needs: BTreeMap<(CandidateId, EndpointIx), patchflow_core::fleet::Standing>,
    /// The way back from a candidate on an endpoint that was told last.
    pub told_paths: BTreeMap<(CandidateId, EndpointIx), RollbackPath>,
    /// Members whose way back is being tried.
    pub drilling: BTreeSet<(RolloutId, MemberIx)>,
    last: Option<(u64, Timestamp)>,
}

impl Ledger {
    /// One rollout.
    #[must_use]
    pub fn rollout(&self, id: RolloutId) -> Option<&RolloutEntry> {
        self.rollouts.get(id.index())
    }

    /// The way back on an endpoint that was told last, from what a rollout installs.
    #[must_use]
    pub fn told_path(&self, rollout: RolloutId, endpoint: EndpointIx) -> Option<RollbackPath> {
        self.told_paths.get(&(self.rollout(rollout)?.candidate, endpoint)).copied()
    }

    /// One member.
    #[must_use]
    pub fn member(&self, id: RolloutId, member: MemberIx) -> Option<&MemberEntry> {
        self.rollout(id)?.members.get(member.index())
    }

    /// One candidate.
    #[must_use]
    pub fn candidate(&self, id: CandidateId) -> Option<&CandidateEntry> {
        self.candidates.get(id.index())
    }

    /// One endpoint.
    #[must_use]
    pub fn endpoint(&self, ix: EndpointIx) -> Option<&EndpointEntry> {
        self.endpoints.get(ix.index())
    }

    fn rollout_mut(&mut self, id: RolloutId) -> Result<&mut RolloutEntry, String> {
        self.rollouts.get_mut(id.index()).ok_or_else(|| format!("{id} was never started"))
    }

    fn ring_mut(&mut self, id: RolloutId, ring: u8) -> Result<&mut RingEntry, String> {
        let rollout = self.rollout_mut(id)?;
        rollout.rings.get_mut(usize::from(ring)).ok_or_else(|| format!("{id} has no ring {ring}"))
    }

    fn candidate_mut(&mut self, id: CandidateId) -> Result<&mut CandidateEntry, String> {
        self.candidates.get_mut(id.index()).ok_or_else(|| format!("{id} was never identified"))
    }

    /// Writes a fact down.
    ///
    /// # Errors
    /// When it names what no fact before it made, or does not follow the fact before it.
    pub fn take(&mut self, recorded: &Recorded) -> Result<(), String> {
        if let Some((seq, at)) = self.last
            && (recorded.seq.0 != seq + 1 || recorded.at < at)
        {
            return Err(format!("{} at {} follows #{seq} at {at}", recorded.seq, recorded.at));
        }
        self.last = Some((recorded.seq.0, recorded.at));
        self.facts += 1;
        match &recorded.fact {
            Fact::Endpoint(fact) => {
                let before = self.member(fact.rollout, fact.member).cloned();
                self.take_member(fact)?;
                self.note_operation(recorded.at, fact, before.as_ref());
                Ok(())
            }
            Fact::Rich(fact) => {
                self.take_condition(recorded.at, fact)?;
                self.take_rich(recorded.at, fact)
            }
            other => Err(format!("the ledger does not know {other:?}")),
        }
    }

    fn take_member(&mut self, fact: &EndpointFact) -> Result<(), String> {
        let EndpointFact { rollout: id, member: at, event, due, .. } = *fact;
        if event.is_of_content() {
            return Ok(());
        }
        let rollout = self.rollout_mut(id)?;
        let member = rollout.members.get_mut(at.index()).ok_or_else(|| format!("{id} has no member {at}"))?;
        let before = member.standing;
        member.due = due;
        (member.draining, member.attached) = (event == Event::HookAsked, event == Event::Attached);
        member.standing = match event {
            Event::Ordered | Event::RebootOrdered | Event::RevertOrdered => {
                member.operations += 1;
                if event == Event::RevertOrdered { Standing::Undoing } else { Standing::Busy }
            }
            Event::HookAsked => {
                member.operations += 1;
                let reverts = matches!(before, Standing::Verified | Standing::Failed);
                if reverts { Standing::Undoing } else { Standing::Busy }
            }
            // Nothing was undone yet: it still has to be.
            Event::HookFailed | Event::HookUndone if before == Standing::Undoing => Standing::Failed,
            Event::InstallReported | Event::Rebooted | Event::RecallAsked | Event::RecallFailed => {
                Standing::Busy
            }
            Event::Acknowledged | Event::Resent => match before {
                Standing::Unknown => Standing::Busy,
                Standing::UndoUnknown => Standing::Undoing,
                other => other,
            },
            // A reboot that was cancelled is still needed.
            Event::Recalled if member.rebooting => Standing::WantsReboot,
            Event::StageAsked
            | Event::Staged
            | Event::StageFailed
            | Event::StageGaveUp
            | Event::StageDropped => before,
            Event::Expired | Event::Recalled | Event::Released | Event::Detached | Event::HookUndone => {
                Standing::Waiting
            }
            // In flight, and the endpoint is not its own: so it is between two attempts, and while attached.
            Event::RetryScheduled | Event::Attached => Standing::Backoff,
            Event::GaveUp => Standing::Failed,
            Event::Verified => Standing::Verified,
            Event::RebootNeeded => Standing::WantsReboot,
            Event::WentSilent | Event::StayedSilent => Standing::Unknown,
            Event::Deferred | Event::HookFailed => Standing::Deferred,
            Event::Skipped => Standing::Skipped,
            Event::Cancelled => Standing::Cancelled,
            Event::Held => Standing::Held,
            Event::Removed => Standing::Removed,
            Event::RevertReported | Event::RevertResent => Standing::Undoing,
            Event::RevertWentSilent => Standing::UndoUnknown,
            Event::RolledBack => Standing::RolledBack,
            Event::OperatorNeeded => Standing::Operator,
        };
        member.rebooting = match event {
            Event::RebootOrdered => true,
            Event::Acknowledged | Event::RecallAsked | Event::RecallFailed | Event::Resent => {
                member.rebooting
            }
            _ => false,
        };
        let ordered =
            matches!(event, Event::Ordered | Event::RebootOrdered | Event::RevertOrdered | Event::HookAsked);
        // A rollback that is repeated after a silence has lost its place, as its late report would have.
        let ordered = ordered && before != Standing::UndoUnknown;
        if member.standing.takes_place() {
            member.placed |= ordered && !before.takes_place();
        } else {
            member.placed = false;
        }
        member.forgiven &= member.standing.is_bad();
        let (after, ring) = (member.standing, usize::from(member.ring));
        if let Some(ring) = rollout.rings.get_mut(ring)
            && !ring.passed
            && after.is_unsettled()
            && !before.is_unsettled()
        {
            ring.settled_at = None;
        }
        Ok(())
    }

    fn take_rich(&mut self, at: Timestamp, fact: &RichFact) -> Result<(), String> {
        match fact {
            RichFact::FleetFounded { epoch, .. } => self.epoch = *epoch,
            RichFact::PolicyAdopted { policy, digest, .. } => {
                self.policies.insert(*digest, policy.clone());
                self.policy = Some(policy.clone());
                self.starts.clear();
            }
            RichFact::EndpointsJoined { endpoints, first } => {
                if first.index() != self.endpoints.len() {
                    return Err(format!("{first} joined after {} endpoints", self.endpoints.len()));
                }
                self.endpoints.extend(endpoints.iter().map(|seen| EndpointEntry {
                    id: seen.id.clone(),
                    environment: seen.environment,
                    scope: seen.scope.clone(),
                    tags: seen.tags.clone(),
                    calendar: seen.calendar.clone(),
                    gone: false,
                    state: ConditionEntry::of(seen),
                }));
            }
            RichFact::EndpointChanged { endpoint, seen } => {
                let entry = self
                    .endpoints
                    .get_mut(endpoint.index())
                    .ok_or_else(|| format!("{endpoint} never joined"))?;
                entry.environment = seen.environment;
                (entry.scope, entry.tags, entry.gone) = (seen.scope.clone(), seen.tags.clone(), false);
                entry.calendar = seen.calendar.clone();
            }
            RichFact::EndpointLeft { endpoint } => {
                let entry = self
                    .endpoints
                    .get_mut(endpoint.index())
                    .ok_or_else(|| format!("{endpoint} never joined"))?;
                entry.gone = true;
            }
            RichFact::CandidateIdentified { candidate, patch, risk } => {
                if candidate.index() != self.candidates.len() {
                    return Err(format!("{candidate} came after {} candidates", self.candidates.len()));
                }
                self.candidates.push(CandidateEntry {
                    patch: patch.clone(),
                    evidence: None,
                    approved_until: None,
                    asked: None,
                    retired: None,
                    due: risk.due,
                    held: false,
                });
            }
            RichFact::TrialConcluded { candidate, evidence } => {
                self.candidate_mut(*candidate)?.evidence = Some(evidence.clone());
            }
            RichFact::ApprovalAsked { candidate, from, .. } => {
                self.candidate_mut(*candidate)?.asked = Some((from.clone(), Vec::new()));
            }
            RichFact::ApprovalVoted { candidate, by, .. } => {
                if let Some((_, votes)) = &mut self.candidate_mut(*candidate)?.asked {
                    votes.push(by.clone());
                }
            }
            RichFact::ApprovalGranted { candidate, expires, .. } => {
                let entry = self.candidate_mut(*candidate)?;
                (entry.approved_until, entry.asked) = (Some(*expires), None);
            }
            RichFact::ApprovalRejected { candidate, .. } => self.retire(*candidate, "rejected")?,
            RichFact::ApprovalEnded { candidate, .. } => {
                self.candidate_mut(*candidate)?.approved_until = None;
            }
            RichFact::CandidateSuperseded { candidate, .. } => self.retire(*candidate, "superseded")?,
            RichFact::CandidateReopened { candidate, .. } => {
                let entry = self.candidate_mut(*candidate)?;
                (entry.retired, entry.evidence, entry.approved_until, entry.asked) = (None, None, None, None);
            }
            RichFact::CandidateRerated { candidate, patch, risk } => {
                let entry = self.candidate_mut(*candidate)?;
                (entry.patch, entry.due) = (patch.clone(), risk.due);
            }
            RichFact::CandidateHeld { candidate, .. } => self.candidate_mut(*candidate)?.held = true,
            RichFact::CandidateReleased { candidate } => self.candidate_mut(*candidate)?.held = false,
            RichFact::CandidateWithdrawn { candidate, .. } => self.retire(*candidate, "withdrawn")?,
            RichFact::RolloutStarted { rollout, candidate, kind, policy, plan, emergency, bundle: _ } => {
                if rollout.index() != self.rollouts.len() {
                    return Err(format!("{rollout} came after {} rollouts", self.rollouts.len()));
                }
                let policy = self.policies.get(policy).ok_or("its policy was never adopted")?.clone();
                let mut entry = RolloutEntry {
                    candidate: *candidate,
                    kind: *kind,
                    policy,
                    rings: Vec::new(),
                    members: Vec::new(),
                    ring: 0,
                    emergency: emergency.is_some(),
                    stopped: None,
                };
                for (i, ring) in plan.rings.iter().enumerate() {
                    let first = entry.members.len();
                    let until = first + ring.size as usize;
                    for at in first..until {
                        entry.members.push(MemberEntry {
                            endpoint: *plan.members.get(at).ok_or("its rings are greater than its plan")?,
                            ring: i as u8,
                            standing: Standing::Waiting,
                            operations: 0,
                            placed: false,
                            due: 0,
                            path: plan.paths.get(at).copied().unwrap_or(RollbackPath::None),
                            rebooting: false,
                            draining: false,
                            attached: false,
                            forgiven: false,
                        });
                    }
                    entry.rings.push(RingEntry {
                        name: ring.name.clone(),
                        gate: ring.gate.clone(),
                        range: first..until,
                        opened: false,
                        passed: false,
                        settled_at: None,
                        alerts: 0,
                        alerts_known: false,
                    });
                }
                self.rollouts.push(entry);
            }
            RichFact::RingOpened { rollout, ring } => {
                self.ring_mut(*rollout, *ring)?.opened = true;
                self.rollout_mut(*rollout)?.ring = *ring;
            }
            RichFact::RingSkipped { rollout, ring } => {
                self.ring_mut(*rollout, *ring)?.passed = true;
                self.rollout_mut(*rollout)?.ring = *ring;
            }
            RichFact::RingPromoted { rollout, ring, .. } => self.ring_mut(*rollout, *ring)?.passed = true,
            RichFact::RingSettled { rollout, ring } => {
                self.ring_mut(*rollout, *ring)?.settled_at = Some(at);
            }
            RichFact::AlertsSeen { rollout, ring, new } => {
                let ring = self.ring_mut(*rollout, *ring)?;
                ring.alerts_known = new.is_some();
                ring.alerts += new.unwrap_or(0);
            }
            RichFact::MembersJoined { rollout, ring, members, .. } => {
                self.rollout_mut(*rollout)?.joined(*ring, members)?;
            }
            RichFact::RingPassedOver { rollout, ring, to, .. } => {
                if let Some(to) = to {
                    self.rollout_mut(*rollout)?.moved_all(*ring, *to)?;
                }
                self.ring_mut(*rollout, *ring)?.passed = true;
            }
            RichFact::RolloutRevised { rollout, policy, plan, .. } => {
                let policy = self.policies.get(policy).ok_or("its policy was never adopted")?.clone();
                for new in &plan.gates {
                    self.ring_mut(*rollout, new.ring)?.gate = new.gate.clone();
                }
                let entry = self.rollout_mut(*rollout)?;
                entry.policy = policy;
                entry.relaid(&plan.moved, &plan.placed)?;
            }
            RichFact::RolloutHalted { rollout, .. } => self.rollout_mut(*rollout)?.stopped = Some("halted"),
            RichFact::RolloutCancelled { rollout, .. } => {
                self.rollout_mut(*rollout)?.stopped = Some("cancelled");
            }
            RichFact::RolloutPaused { rollout, .. } => self.rollout_mut(*rollout)?.stopped = Some("paused"),
            RichFact::RolloutEnded { rollout, completed } => {
                let entry = self.rollout_mut(*rollout)?;
                let goes_on = *completed && entry.brings_along();
                entry.stopped = Some(if goes_on { "completed" } else { "ended" });
            }
            RichFact::CatchUpStopped { rollout, .. } => self.rollout_mut(*rollout)?.stopped = Some("ended"),
            RichFact::RolloutResumed { rollout, .. } => self.rollout_mut(*rollout)?.stopped = None,
            RichFact::HaltLifted { rollout, .. } => {
                let entry = self.rollout_mut(*rollout)?;
                entry.stopped = None;
                let current = usize::from(entry.ring);
                for at in 0..=current.min(entry.rings.len().saturating_sub(1)) {
                    entry.rings[at].alerts = 0;
                }
                for member in &mut entry.members {
                    member.forgiven = usize::from(member.ring) <= current && member.standing.is_bad();
                }
                if let Some(ring) = entry.rings.get_mut(current) {
                    (ring.settled_at, ring.passed) = (None, false);
                }
            }
            RichFact::ResyncStarted { .. } => self.resync = true,
            RichFact::ResyncEnded { .. } => self.resync = false,
            // Nothing of these is needed in the books, whatever later versions add.
            _ => {}
        }
        Ok(())
    }

    fn retire(&mut self, id: CandidateId, word: &'static str) -> Result<(), String> {
        let entry = self.candidate_mut(id)?;
        (entry.retired, entry.approved_until, entry.asked) = (Some(word), None, None);
        Ok(())
    }
}
