//! A fold over facts for what a fleet does not keep: when things happened to members, every reason along the way,
//! and the timeline in sentences.

use super::words;
use crate::fleet::{EndReason, EndpointFact, Fact, Recorded, RichFact, Standing};
use crate::gate::{Limits, Verdict};
use crate::ids::{CandidateId, EndpointIx, MemberIx, RolloutId, Seq};
use crate::plan::PlanFact;
use crate::rollout::{Event, RolloutKind};
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What a timeline entry is about, for its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    /// Something went on as it should.
    Step,
    /// Something was passed: a trial, an approval, a gate.
    Passed,
    /// Somebody is waited for, or something holds.
    Waits,
    /// Something was stopped or turned down.
    Stopped,
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// The mark it gets.
    pub kind: TimelineKind,
    /// The candidate it is about.
    pub candidate: Option<CandidateId>,
    /// The rollout it is about.
    pub rollout: Option<RolloutId>,
    /// What happened, as a sentence without its full stop.
    pub text: String,
}

/// When a candidate passed its stages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CandidateTimes {
    /// Identified here.
    pub identified_at: Timestamp,
    /// The trial was behind it.
    pub trialled_at: Option<Timestamp>,
    /// People were asked.
    pub asked_at: Option<Timestamp>,
    /// Approved, the last time.
    pub approved_at: Option<Timestamp>,
    /// Since when each endpoint has needed it.
    pub needed_since: BTreeMap<EndpointIx, Timestamp>,
}

/// When things happened to a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberTimes {
    /// The first install order.
    pub ordered_at: Option<Timestamp>,
    /// The last verification.
    pub verified_at: Option<Timestamp>,
    /// The last event of any kind.
    pub changed_at: Timestamp,
    /// Every reason that was given, in order, by its number in the fleet.
    pub reasons: Vec<u16>,
}

#[derive(Clone, Debug)]
struct RolloutTimes {
    candidate: CandidateId,
    rings: Vec<(String, Limits)>,
    members: BTreeMap<MemberIx, MemberTimes>,
}

/// The past of a fleet, as far as its facts have been noted.
#[derive(Clone, Debug)]
pub struct History {
    seq: Seq,
    at: Timestamp,
    candidates: BTreeMap<CandidateId, CandidateTimes>,
    rollouts: BTreeMap<RolloutId, RolloutTimes>,
    timeline: Vec<TimelineEntry>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            seq: Seq(0),
            at: Timestamp::default(),
            candidates: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            timeline: Vec::new(),
        }
    }
}

impl History {
    /// The past that some facts tell, in their order.
    pub fn read<'a>(facts: impl IntoIterator<Item = &'a Recorded>) -> Self {
        let mut history = Self::default();
        facts.into_iter().for_each(|fact| history.note(fact));
        history
    }

    /// Adds a fact. One that was noted before, or names what was pruned away, changes nothing: reports never fail.
    pub fn note(&mut self, recorded: &Recorded) {
        if recorded.seq <= self.seq {
            return;
        }
        self.seq = recorded.seq;
        self.at = recorded.at;
        match &recorded.fact {
            Fact::Endpoint(fact) => self.note_member(recorded.at, *fact),
            Fact::Rich(fact) => self.note_rich(recorded.at, fact),
        }
    }

    /// The last fact that was noted.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// When the last fact was decided.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// When a candidate passed its stages.
    #[must_use]
    pub fn candidate(&self, id: CandidateId) -> Option<&CandidateTimes> {
        self.candidates.get(&id)
    }

    /// When things happened to a member; `None` when nothing has.
    #[must_use]
    pub fn member(&self, rollout: RolloutId, member: MemberIx) -> Option<&MemberTimes> {
        self.rollouts.get(&rollout)?.members.get(&member)
    }

    /// What happened, in order.
    #[must_use]
    pub fn timeline(&self) -> &[TimelineEntry] {
        &self.timeline
    }

    fn note_member(&mut self, at: Timestamp, fact: EndpointFact) {
        let Some(rollout) = self.rollouts.get_mut(&fact.rollout) else { return };
        let member = rollout.members.entry(fact.member).or_default();
        member.changed_at = at;
        if fact.event == Event::Ordered {
            member.ordered_at = member.ordered_at.or(Some(at));
        }
        if fact.event == Event::Verified {
            member.verified_at = Some(at);
        }
        if fact.reason != 0 {
            member.reasons.push(fact.reason);
        }
    }

    fn note_rich(&mut self, at: Timestamp, fact: &RichFact) {
        use TimelineKind::{Passed, Step, Stopped, Waits};
        match fact {
            RichFact::CandidateIdentified { candidate, patch, risk } => {
                let times = CandidateTimes { identified_at: at, ..CandidateTimes::default() };
                self.candidates.insert(*candidate, times);
                let text = format!("{} identified, {} priority: {}", patch.id, risk.priority, risk.why);
                self.of_candidate(at, Step, *candidate, text);
            }
            RichFact::NeedsChanged { candidate, needs } => {
                let Some(times) = self.candidates.get_mut(candidate) else { return };
                for need in needs.iter().filter(|need| need.standing == Standing::Needs) {
                    times.needed_since.entry(need.endpoint).or_insert(at);
                }
            }
            RichFact::TrialConcluded { candidate, evidence } => {
                self.times(*candidate).trialled_at = Some(at);
                self.of_candidate(at, Passed, *candidate, words::evidence_sentence(evidence));
            }
            RichFact::TrialFailed { candidate, .. } => {
                self.of_candidate(at, Stopped, *candidate, "the trial failed its gate".into());
            }
            RichFact::ApprovalAsked { candidate, rule, from, .. } => {
                self.times(*candidate).asked_at = Some(at);
                self.of_candidate(at, Waits, *candidate, format!("{} asked to approve: {rule}", from.role));
            }
            RichFact::ApprovalVoted { candidate, by, reason } => {
                self.of_candidate(at, Step, *candidate, format!("{by} voted for it: {reason}"));
            }
            RichFact::ApprovalGranted { candidate, by, .. } => {
                self.times(*candidate).approved_at = Some(at);
                self.of_candidate(at, Passed, *candidate, words::approved_sentence(by));
            }
            RichFact::ApprovalRejected { candidate, by, reason } => {
                self.of_candidate(at, Stopped, *candidate, format!("turned down by {by}: {reason}"));
            }
            RichFact::ApprovalEnded { candidate, end } => {
                self.times(*candidate).approved_at = None;
                let (kind, text) = match end {
                    EndReason::Expired => (Waits, "the approval expired".to_string()),
                    EndReason::Revoked { by, reason } => {
                        (Stopped, format!("approval revoked by {by}: {reason}"))
                    }
                };
                self.of_candidate(at, kind, *candidate, text);
            }
            RichFact::RollbackAsked { candidate, by, reason } => {
                let text = format!("rolled back wherever it is, after {by} revoked its approval: {reason}");
                self.of_candidate(at, Stopped, *candidate, text);
            }
            RichFact::CandidateSuperseded { candidate, by } => {
                self.of_candidate(at, Stopped, *candidate, format!("superseded by candidate {by}"));
            }
            RichFact::CandidateRerated { candidate, risk, .. } => {
                self.of_candidate(
                    at,
                    Step,
                    *candidate,
                    format!("rated anew, {} priority: {}", risk.priority, risk.why),
                );
            }
            RichFact::DeadlineNeared { candidate, due, endpoints } => {
                self.of_candidate(
                    at,
                    Waits,
                    *candidate,
                    format!("due {due}, {endpoints} endpoints still need it"),
                );
            }
            RichFact::FirstInstallNeared { candidate, due } => {
                let text = format!("its first install on a non-production endpoint is due {due}");
                self.of_candidate(at, Waits, *candidate, text);
            }
            RichFact::FirstInstallOverdue { candidate, due } => {
                let text = format!("it was due {due} on a first non-production endpoint, and is on none");
                self.of_candidate(at, Stopped, *candidate, text);
            }
            RichFact::DeadlinePassed { candidate, due, endpoints, .. } => {
                let text = format!("was due {due}, {endpoints} endpoints are past their date");
                self.of_candidate(at, Stopped, *candidate, text);
            }
            RichFact::StartRefused { candidate, reason } => {
                self.of_candidate(at, Stopped, *candidate, format!("cannot start by itself: {reason}"));
            }
            RichFact::CandidateHeld { candidate, reason } => {
                self.of_candidate(at, Stopped, *candidate, format!("held: {reason}"));
            }
            RichFact::CandidateReleased { candidate } => {
                self.of_candidate(at, Step, *candidate, "released, its relations are mended".to_string());
            }
            RichFact::CandidateReopened { candidate, by, reason } => {
                let by = by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
                self.of_candidate(at, Step, *candidate, format!("open again{by}: {reason}"));
            }
            RichFact::CandidateWithdrawn { candidate, reason } => {
                self.of_candidate(at, Stopped, *candidate, format!("withdrawn: {reason}"));
            }
            RichFact::HoldCleared { candidate, by, .. } => {
                self.of_candidate(at, Step, *candidate, format!("hold cleared by {by} on one endpoint"));
            }
            RichFact::RolloutStarted { rollout, candidate, kind, plan, .. } => {
                self.started(at, *rollout, *candidate, *kind, plan);
            }
            RichFact::MembersJoined { rollout, ring, members, .. } => {
                let n = members.len();
                let rings = self.rollouts.get(rollout).map(|rollout| &rollout.rings);
                let name = rings.and_then(|rings| rings.get(usize::from(*ring)));
                let where_to = name.map_or("the catch-up".into(), |(name, _)| format!("ring {name}"));
                self.of_rollout(at, Step, *rollout, format!("{n} endpoints joined {where_to}"));
            }
            RichFact::CatchUpStopped { rollout, by, reason } => {
                let by = by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
                self.of_rollout(at, Stopped, *rollout, format!("catch-up stopped{by}: {reason}"));
            }
            RichFact::RingOpened { rollout, ring } => {
                self.of_ring(at, Step, *rollout, *ring, |name, _| format!("ring {name} opened"));
            }
            RichFact::RingSkipped { rollout, ring } => {
                self.of_ring(at, Step, *rollout, *ring, |name, _| {
                    format!("ring {name} skipped, it is empty")
                });
            }
            RichFact::RingPassedOver { rollout, ring, by, reason, .. } => {
                self.of_ring(at, Step, *rollout, *ring, |name, _| {
                    format!("ring {name} passed over by {by}: {reason}")
                });
            }
            RichFact::RolloutRevised { rollout, plan, by, reason, .. } => {
                if let Some(known) = self.rollouts.get_mut(rollout) {
                    for new in &plan.gates {
                        if let Some((_, gate)) = known.rings.get_mut(usize::from(new.ring)) {
                            *gate = new.gate.clone();
                        }
                    }
                }
                let (moved, joined) = (plan.moved.len(), plan.placed.len());
                let text = format!("revised by {by}, {moved} moved and {joined} joined: {reason}");
                self.of_rollout(at, Step, *rollout, text);
            }
            RichFact::RingSettled { rollout, ring } => {
                self.of_ring(at, Step, *rollout, *ring, |name, gate| {
                    format!("ring {name} settled, to bake for {} s", gate.bake_secs_min)
                });
            }
            RichFact::RingPromoted { rollout, ring, verdict, by } => {
                self.of_ring(at, Passed, *rollout, *ring, |name, gate| {
                    let sentence = verdict.sentence(gate);
                    by.as_ref().map_or_else(
                        || format!("ring {name} passed its gate: {sentence}"),
                        |by| format!("ring {name} let pass by {by}: {sentence}"),
                    )
                });
            }
            RichFact::RingHeld { rollout, ring, verdict } => {
                self.of_ring(at, Waits, *rollout, *ring, |name, gate| {
                    format!("ring {name} holds and asks a person: {}", verdict.sentence(gate))
                });
            }
            RichFact::RolloutHalted { rollout, ring, verdict, by, reason } => {
                self.of_ring(at, Stopped, *rollout, *ring, |name, gate| {
                    halt_sentence(name, gate, verdict.as_ref(), by.as_deref(), reason)
                });
            }
            RichFact::RolloutCancelled { rollout, by, reason } => {
                let by = by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
                self.of_rollout(at, Stopped, *rollout, format!("cancelled{by}: {reason}"));
            }
            RichFact::HaltLifted { rollout, by, reason } => {
                self.of_rollout(at, Step, *rollout, format!("halt lifted by {by}: {reason}"));
            }
            RichFact::OperatorCalled { rollout, level, until, .. } => {
                let level = u32::from(*level) + 1;
                self.of_rollout(
                    at,
                    Waits,
                    *rollout,
                    format!("operators of level {level} called until {until}"),
                );
            }
            RichFact::OperatorAcknowledged { rollout, by, .. } => {
                self.of_rollout(at, Step, *rollout, format!("{by} takes care of an endpoint"));
            }
            RichFact::PathLapsed { candidate, until, .. } => {
                let text = format!("a way back had ended at {until}, no order until it is looked at again");
                self.of_candidate(at, Waits, *candidate, text);
            }
            RichFact::DrillStarted { rollout, path, by, .. } => {
                self.of_rollout(at, Step, *rollout, format!("drill of {} asked for by {by}", path.words()));
            }
            RichFact::DrillDone { rollout, path, ok, .. } => {
                let (kind, how) = if *ok { (Passed, "led back") } else { (Stopped, "did not lead back") };
                self.of_rollout(at, kind, *rollout, format!("drill: {} {how}", path.words()));
            }
            RichFact::DrillOverdue { path, .. } => {
                let text = format!("a drill of {} is overdue", path.words());
                self.timeline.push(TimelineEntry { at, kind: Waits, candidate: None, rollout: None, text });
            }
            RichFact::WindowPassed { rollout, reason } => {
                self.of_rollout(at, Step, *rollout, format!("installed outside of the windows: {reason}"));
            }
            RichFact::RolloutPaused { rollout, by } => {
                self.of_rollout(at, Waits, *rollout, format!("paused by {by}"));
            }
            RichFact::RolloutResumed { rollout, by } => {
                self.of_rollout(at, Step, *rollout, format!("resumed by {by}"));
            }
            RichFact::AlertsSeen { rollout, ring, new } => {
                self.of_ring(at, Waits, *rollout, *ring, |name, _| match new {
                    Some(new) => format!("{new} new alerts in ring {name}"),
                    None => format!("whether ring {name} raised alerts is not known any more"),
                });
            }
            RichFact::WrongContentSeen { rollout, member, content } => {
                let text = format!("{member} holds other content than the approved one: {content}");
                self.of_rollout(at, Stopped, *rollout, text);
            }
            RichFact::HookEnded { order, failed: Some(_), detail } => {
                let text = format!("the post hook of {} failed: {detail}", order.member);
                self.of_rollout(at, Waits, order.rollout, text);
            }
            RichFact::HookEnded { failed: None, .. } => {}
            RichFact::WindowNeared { rollout, calendar, opens, waiting, unreachable } => {
                let of = calendar.as_ref().map_or_else(String::new, |name| format!(" of calendar {name}"));
                let text = format!(
                    "the window{of} opens at {opens} for {waiting} that wait, {unreachable} of them out of contact and asked to wake"
                );
                self.of_rollout(at, Step, *rollout, text);
            }
            RichFact::WindowMissed { rollout, calendar, closed, waiting, because, .. } => {
                let of = calendar.as_ref().map_or_else(String::new, |name| format!(" of calendar {name}"));
                let text = format!("the window{of} closed at {closed} over {waiting} that wait: {because}");
                self.of_rollout(at, Waits, *rollout, text);
            }
            RichFact::WindowOverrun { rollout, calendar, closed, under_way } => {
                let of = calendar.as_ref().map_or_else(String::new, |name| format!(" of calendar {name}"));
                let text =
                    format!("the window{of} closed at {closed} while {under_way} were still under way");
                self.of_rollout(at, Step, *rollout, text);
            }
            RichFact::RolloutEnded { rollout, completed: true } => {
                self.of_rollout(at, Passed, *rollout, "ended with every ring behind it".into());
            }
            RichFact::RolloutEnded { rollout, completed: false } => {
                self.of_rollout(at, Stopped, *rollout, "ended without passing every ring".into());
            }
            RichFact::ResyncStarted { silence_secs, .. } => {
                let text =
                    format!("the host was away for {silence_secs} s; orders under way are asked after");
                self.timeline.push(TimelineEntry { at, kind: Waits, candidate: None, rollout: None, text });
            }
            RichFact::ClockSteppedBack { .. } => {
                let text = "the clock stepped back and was held".into();
                self.timeline.push(TimelineEntry { at, kind: Waits, candidate: None, rollout: None, text });
            }
            RichFact::EndpointOnboarded { .. } => {
                let text = "an endpoint has what it must have before its service".into();
                self.timeline.push(TimelineEntry { at, kind: Passed, candidate: None, rollout: None, text });
            }
            RichFact::EndpointQuarantined { reason, .. } => {
                let text = format!("an endpoint went into quarantine: {reason}");
                self.timeline.push(TimelineEntry { at, kind: Stopped, candidate: None, rollout: None, text });
            }
            RichFact::RebootsStopped { reason, .. } => {
                let text = format!("an endpoint is not rebooted any more: {reason}");
                self.timeline.push(TimelineEntry { at, kind: Stopped, candidate: None, rollout: None, text });
            }
            RichFact::RebootCancelUnconfirmed { .. } => {
                let text = "a cancelled reboot was not confirmed in time".into();
                self.timeline.push(TimelineEntry { at, kind: Waits, candidate: None, rollout: None, text });
            }
            RichFact::FleetFounded { .. }
            | RichFact::PolicyAdopted { .. }
            | RichFact::EndpointsJoined { .. }
            | RichFact::EndpointChanged { .. }
            | RichFact::EndpointLeft { .. }
            | RichFact::EndpointReimaged { .. }
            | RichFact::ScansAsked { .. }
            | RichFact::EndpointsWentUnreachable { .. }
            | RichFact::EndpointsCameBack { .. }
            | RichFact::EndpointsWentStale { .. }
            | RichFact::ScanRoundWanted
            | RichFact::ScanTurnAsked { .. }
            | RichFact::ScanTurnEnded { .. }
            | RichFact::ScansGivenUp { .. }
            | RichFact::EndpointsRead { .. }
            | RichFact::QuarantineCleared { .. }
            | RichFact::OwnershipDeclared { .. }
            | RichFact::RebootsPendingSeen { .. }
            | RichFact::RebootsAllowed { .. }
            | RichFact::RebootCancelAsked { .. }
            | RichFact::RebootCancelled { .. }
            | RichFact::OperationPutOff { .. }
            | RichFact::ReasonNamed { .. }
            | RichFact::ResyncEnded { .. }
            | RichFact::RequestDone { .. } => {}
        }
    }

    fn started(
        &mut self,
        at: Timestamp,
        rollout: RolloutId,
        candidate: CandidateId,
        kind: RolloutKind,
        plan: &PlanFact,
    ) {
        let rings = plan.rings.iter().map(|ring| (ring.name.clone(), ring.gate.clone())).collect();
        self.rollouts.insert(rollout, RolloutTimes { candidate, rings, members: BTreeMap::new() });
        let endpoints = plan.members.len();
        let text = match kind {
            RolloutKind::Trial => format!("trial started on {endpoints} non-production endpoints"),
            RolloutKind::Deployment => {
                format!("rollout started over {endpoints} endpoints in {} rings", plan.rings.len())
            }
        };
        self.of_rollout(at, TimelineKind::Step, rollout, text);
    }

    fn times(&mut self, candidate: CandidateId) -> &mut CandidateTimes {
        self.candidates.entry(candidate).or_default()
    }

    fn of_candidate(&mut self, at: Timestamp, kind: TimelineKind, candidate: CandidateId, text: String) {
        self.timeline.push(TimelineEntry { at, kind, candidate: Some(candidate), rollout: None, text });
    }

    fn of_rollout(&mut self, at: Timestamp, kind: TimelineKind, rollout: RolloutId, text: String) {
        let candidate = self.rollouts.get(&rollout).map(|times| times.candidate);
        self.timeline.push(TimelineEntry { at, kind, candidate, rollout: Some(rollout), text });
    }

    fn of_ring(
        &mut self,
        at: Timestamp,
        kind: TimelineKind,
        rollout: RolloutId,
        ring: u8,
        text: impl FnOnce(&str, &Limits) -> String,
    ) {
        let Some((name, gate)) =
            self.rollouts.get(&rollout).and_then(|times| times.rings.get(usize::from(ring)))
        else {
            return;
        };
        let text = text(name, gate);
        self.of_rollout(at, kind, rollout, text);
    }
}

fn halt_sentence(
    ring: &str,
    gate: &Limits,
    verdict: Option<&Verdict>,
    by: Option<&str>,
    reason: &str,
) -> String {
    match (by, verdict) {
        (Some(by), _) => format!("halted in ring {ring} by {by}: {reason}"),
        (None, Some(verdict)) => format!("halted in ring {ring}: {}", verdict.sentence(gate)),
        (None, None) => format!("halted in ring {ring}: {reason}"),
    }
}
