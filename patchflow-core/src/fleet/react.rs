//! Reactions: which effects a fact asks for. Never called in replay.

use super::decide::At;
use super::outbox::Look;
use super::state::State;
use super::{Effect, EndpointFact, Fact, InspectOrder, Notice, NoticeKind, RichFact};
use crate::candidate::{Candidate, NonProduction, TrialPermit};
use crate::ids::{CandidateId, EndpointId, MemberIx, RolloutId};
use crate::inventory::Environment;
use crate::rollout::{
    Event, Head, InstallOrder, Order, Phase, RebootOrder, RevertOrder, RevertTo, RolloutKind,
};
use alloc::format;
use alloc::string::String;

/// What a fact asks for.
pub(crate) enum Reaction {
    /// An effect, in full.
    Effect(Effect),
    /// An inspection after an install or a reboot: there is one for every success, so its names are looked up late.
    Look(Look),
}

impl State {
    /// The effects of a fact that has just been evolved.
    pub(crate) fn react(&self, fact: &Fact, mut act: impl FnMut(Reaction)) {
        if !self.cache.unstaged.is_empty() {
            self.unstaged(|effect| act(Reaction::Effect(effect)));
        }
        match fact {
            Fact::Endpoint(fact) => {
                if let Event::InstallReported | Event::Rebooted = fact.event {
                    if let Some(look) = self.look(fact) {
                        act(Reaction::Look(look));
                    }
                } else if !matches!(fact.event, Event::Acknowledged | Event::Verified)
                    && let Some(effect) = self.react_endpoint(fact)
                {
                    act(Reaction::Effect(effect));
                }
                if let Some(effect) = self.react_hook(fact) {
                    act(Reaction::Effect(effect));
                }
            }
            Fact::Rich(fact) => self.react_rich(fact, |effect| act(Reaction::Effect(effect))),
        }
    }

    /// The post hook that an end of an operation asks for.
    fn react_hook(&self, fact: &EndpointFact) -> Option<Effect> {
        if self.posts.is_empty() {
            return None;
        }
        let at = self.member(fact.rollout, fact.member)?;
        // Other facts about a member that ended say nothing new: a hook is asked for once.
        if self.cache.resumes == Some(at.member.endpoint) { self.post_hook(at.member.endpoint) } else { None }
    }

    fn react_endpoint(&self, fact: &EndpointFact) -> Option<Effect> {
        let at = self.member(fact.rollout, fact.member)?;
        match fact.event {
            Event::HookAsked => self.pre_hook(at),
            Event::HookFailed | Event::HookUndone => None,
            Event::StageAsked => self.stage_order(at),
            Event::Staged | Event::StageFailed | Event::StageGaveUp | Event::StageDropped => None,
            Event::Ordered => self.install_order(at),
            Event::Resent if at.member.phase == Phase::Ordered => self.install_order(at),
            Event::Resent | Event::RebootOrdered => {
                Some(Effect::Submit(Order::Reboot(RebootOrder::new(self.head(at, fact.due, Some(true))?))))
            }
            Event::RevertOrdered | Event::RevertResent => self.revert_order(at, fact.due),
            Event::RecallAsked => {
                Some(Effect::Recall { order: self.order_id(at), endpoint: self.name_of(at)? })
            }
            Event::WentSilent | Event::RevertWentSilent => self.query(at),
            Event::StayedSilent if fact.due != 0 => self.inspect(at),
            Event::InstallReported | Event::Rebooted | Event::RevertReported => self.inspect(at),
            Event::Acknowledged
            | Event::Expired
            | Event::RetryScheduled
            | Event::GaveUp
            | Event::Verified
            | Event::RebootNeeded
            | Event::StayedSilent
            | Event::Recalled
            | Event::RecallFailed
            | Event::Deferred
            | Event::Skipped
            | Event::Cancelled
            | Event::Held
            | Event::Released
            | Event::Removed
            | Event::RolledBack
            | Event::Attached
            | Event::Detached
            // Whom to call is a fact of its own.
            | Event::OperatorNeeded => None,
        }
    }

    fn name_of(&self, at: At<'_>) -> Option<EndpointId> {
        self.endpoints.id(at.member.endpoint).cloned()
    }

    /// `puts_off`: whether it is a reboot, when people may put it off at all.
    fn head(&self, at: At<'_>, due: u32, puts_off: Option<bool>) -> Option<Head> {
        let (deferrals_left, defer_until) =
            puts_off.map_or((0, None), |reboot| super::decide::deferrals_left(self, at, reboot));
        let deploy = &at.rollout.policy().deploy;
        Some(Head {
            id: self.order_id(at),
            fence: self.endpoints.slot(at.member.endpoint)?.fence(),
            endpoint: self.name_of(at)?,
            start_by: self.at(due),
            report_within_secs: deploy.report_within_secs,
            deferrals_left,
            defer_until,
            quiet_secs: deploy
                .report_within_secs
                .saturating_add(deploy.inspect_within_secs)
                .saturating_add(deploy.quiet_reserve_secs),
        })
    }

    /// The order itself: it takes the approval, or a permit that only a non-production endpoint gets.
    fn install_order(&self, at: At<'_>) -> Option<Effect> {
        let entry = self.candidate(at.rollout.candidate())?;
        let head = self.head(at, at.member.deadline, Some(false))?;
        let prior = at.rollout.prior_version(at.member).cloned();
        let (path, attempt) = (at.member.path(), at.member.attempt);
        let order = match (at.rollout.kind(), &entry.candidate) {
            (RolloutKind::Deployment, Candidate::Approved(approved)) => {
                InstallOrder::approved(approved, head, prior, path, attempt)
            }
            (RolloutKind::Trial, Candidate::Identified(identified)) => {
                let slot = self.endpoints.slot(at.member.endpoint)?;
                let endpoint = match slot.environment {
                    Environment::NonProduction => NonProduction(at.member.endpoint),
                    Environment::Production => return None,
                };
                InstallOrder::trial(&TrialPermit::new(identified, endpoint), head, prior, path, attempt)
            }
            // Revoked or concluded between the decision and now cannot be: both are facts of this same writer.
            (RolloutKind::Deployment | RolloutKind::Trial, _) => return None,
        };
        Some(Effect::Submit(Order::Install(order)))
    }

    fn revert_order(&self, at: At<'_>, due: u32) -> Option<Effect> {
        let patch = self.candidate(at.rollout.candidate())?.candidate.identified().patch().clone();
        let head = self.head(at, due, None)?;
        Some(Effect::Submit(Order::Revert(RevertOrder::new(
            head,
            patch,
            self.revert_to(at),
            at.member.path(),
        ))))
    }

    fn revert_to(&self, at: At<'_>) -> RevertTo {
        match at.rollout.prior_version(at.member) {
            Some(version) => RevertTo::Version { version: version.clone() },
            None => RevertTo::Absent,
        }
    }

    fn look(&self, fact: &EndpointFact) -> Option<Look> {
        let at = self.member(fact.rollout, fact.member)?;
        let target = self.candidate(at.rollout.candidate())?.target.clone();
        Some(Look { order: self.order_id(at), endpoint: at.member.endpoint, target })
    }

    fn query(&self, at: At<'_>) -> Option<Effect> {
        Some(Effect::Query { order: self.order_id(at), endpoint: self.name_of(at)? })
    }

    fn inspect(&self, at: At<'_>) -> Option<Effect> {
        let target = self.candidate(at.rollout.candidate())?.target.clone();
        let reverting = matches!(at.member.phase, Phase::Reverted | Phase::RevertSilent | Phase::Reverting);
        Some(Effect::Inspect(InspectOrder {
            order: self.order_id(at),
            endpoint: self.name_of(at)?,
            target,
            reverting_to: reverting.then(|| self.revert_to(at)),
        }))
    }

    fn notice(
        &self,
        kind: NoticeKind,
        rollout: Option<RolloutId>,
        candidate: Option<CandidateId>,
        text: String,
    ) -> Effect {
        Effect::Notify(Notice { kind, rollout, candidate, text })
    }

    fn title(&self, id: CandidateId) -> &str {
        self.candidate(id).map_or("", |entry| entry.candidate.identified().patch().title.as_str())
    }

    fn react_rich(&self, fact: &RichFact, mut act: impl FnMut(Effect)) {
        match fact {
            RichFact::ApprovalAsked { candidate, rule, .. } => {
                if let Some(question) = self.question(*candidate) {
                    act(question);
                }
                let text = format!("{} waits for approval: {rule}", self.title(*candidate));
                act(self.notice(NoticeKind::ApprovalAsked, None, Some(*candidate), text));
            }
            RichFact::StartRefused { candidate, reason } => {
                let text = format!("{} is approved and cannot start: {reason}", self.title(*candidate));
                act(self.notice(NoticeKind::StartRefused, None, Some(*candidate), text));
            }
            RichFact::CandidateHeld { candidate, reason } => {
                let text = format!("{} is held: {reason}", self.title(*candidate));
                act(self.notice(NoticeKind::CandidateHeld, None, Some(*candidate), text));
            }
            RichFact::DeadlineNeared { candidate, due, endpoints } => {
                let text = format!(
                    "{} is due {due}, and {endpoints} endpoints still need it",
                    self.title(*candidate)
                );
                act(self.notice(NoticeKind::DeadlineNeared, None, Some(*candidate), text));
            }
            RichFact::DeadlinePassed { candidate, due, endpoints, next: _ } => {
                let text = format!(
                    "{} was due {due}, and {endpoints} endpoints are past their date",
                    self.title(*candidate)
                );
                act(self.notice(NoticeKind::DeadlinePassed, None, Some(*candidate), text));
            }
            RichFact::FirstInstallNeared { candidate, due } => {
                let text = format!(
                    "{} should be on a first non-production endpoint until {due}, and is not",
                    self.title(*candidate)
                );
                act(self.notice(NoticeKind::DeadlineNeared, None, Some(*candidate), text));
            }
            RichFact::FirstInstallOverdue { candidate, due } => {
                let text = format!(
                    "{} was to be on a first non-production endpoint until {due}, and is on none",
                    self.title(*candidate)
                );
                act(self.notice(NoticeKind::DeadlinePassed, None, Some(*candidate), text));
            }
            RichFact::OperatorCalled { rollout, member, level, until } => {
                let Some(at) = self.member(*rollout, *member) else { return };
                let Some(name) = self.name_of(at) else { return };
                let called =
                    at.rollout.policy().operators.get(usize::from(*level)).map_or("", |l| l.role.as_str());
                let why = self.reasons.get(at.member.reason).map_or("no reason was given", |(_, text)| text);
                let text =
                    format!("{name} needs an operator: {why}; {called} should acknowledge until {until}");
                act(self.notice(
                    NoticeKind::OperatorNeeded,
                    Some(*rollout),
                    Some(at.rollout.candidate()),
                    text,
                ));
            }
            RichFact::DrillDone { rollout, member, path, ok: false } => {
                let Some(at) = self.member(*rollout, *member) else { return };
                let Some(name) = self.name_of(at) else { return };
                let text = format!("the drill on {name} failed: {} did not lead back", path.words());
                act(self.notice(NoticeKind::DrillFailed, Some(*rollout), Some(at.rollout.candidate()), text));
            }
            RichFact::PathLapsed { candidate, endpoint, until } => {
                let Some(name) = self.endpoints.id(*endpoint) else { return };
                let text = format!("{name}: its way back held until {until}; look at it again");
                act(self.notice(NoticeKind::PathLapsed, None, Some(*candidate), text));
            }
            RichFact::CandidateWithdrawn { candidate, reason } => {
                let [installed, in_flight] = self.reached(*candidate);
                let text = format!(
                    "{} was withdrawn: {reason}; it is installed on {} and under way on {}",
                    self.title(*candidate),
                    self.listed(&installed),
                    self.listed(&in_flight)
                );
                act(self.notice(NoticeKind::Withdrawn, None, Some(*candidate), text));
            }
            RichFact::RollbackAsked { candidate, by, reason } => {
                let [installed, in_flight] = self.reached(*candidate);
                let text = format!(
                    "{by} revoked the approval of {}: {reason}; it is rolled back on {}, and under way on {}",
                    self.title(*candidate),
                    self.listed(&installed),
                    self.listed(&in_flight)
                );
                act(self.notice(NoticeKind::RolledBack, None, Some(*candidate), text));
            }
            RichFact::DrillOverdue { path, last } => {
                let last =
                    last.map_or_else(|| "never been tried".into(), |last| format!("last led back {last}"));
                let text = format!("a drill is overdue: {} has {last}", path.words());
                act(self.notice(NoticeKind::DrillOverdue, None, None, text));
            }
            RichFact::WindowPassed { rollout, reason } => {
                let Some(at) = self.rollout(*rollout) else { return };
                let title = self.title(at.candidate());
                let text = format!("{title} is installed outside of the windows: {reason}");
                act(self.notice(NoticeKind::WindowPassed, Some(*rollout), Some(at.candidate()), text));
            }
            RichFact::WindowNeared { rollout, calendar, opens, .. } => {
                self.wakes(*rollout, calendar.as_deref(), *opens, act);
            }
            RichFact::TrialFailed { candidate, rollout } => {
                let text = format!("the trial of {} failed", self.title(*candidate));
                act(self.notice(NoticeKind::TrialFailed, Some(*rollout), Some(*candidate), text));
            }
            RichFact::RingHeld { rollout, verdict, .. } => {
                let Some(at) = self.rollout(*rollout) else { return };
                let why = verdict.sentence(at.current_ring().gate());
                let text = format!("ring `{}` holds and asks: {why}", at.current_ring().name());
                act(self.notice(NoticeKind::RingHeld, Some(*rollout), Some(at.candidate()), text));
            }
            RichFact::RolloutHalted { rollout, reason, .. } => {
                let Some(at) = self.rollout(*rollout) else { return };
                let text = format!(
                    "{} was halted in ring `{}`: {reason}",
                    self.title(at.candidate()),
                    at.current_ring().name()
                );
                act(self.notice(NoticeKind::Halted, Some(*rollout), Some(at.candidate()), text));
            }
            RichFact::CatchUpStopped { rollout, reason, .. } => {
                let Some(at) = self.rollout(*rollout) else { return };
                let text = format!(
                    "{} is not brought along any more to those who came late: {reason}",
                    self.title(at.candidate())
                );
                act(self.notice(NoticeKind::Halted, Some(*rollout), Some(at.candidate()), text));
            }
            RichFact::RolloutEnded { rollout, completed } => {
                let Some(at) = self.rollout(*rollout) else { return };
                let how = if *completed { "completed" } else { "ended before its last ring" };
                let text = format!("the rollout of {} {how}", self.title(at.candidate()));
                act(self.notice(NoticeKind::Ended, Some(*rollout), Some(at.candidate()), text));
            }
            RichFact::HookEnded { order, failed: Some(_), detail } => {
                let Some(at) = self.member(order.rollout, order.member) else { return };
                let endpoint = self.name_of(at).map_or_else(String::new, |name| name.as_str().into());
                let text = format!("the post hook on {endpoint} failed: {detail}");
                act(self.notice(
                    NoticeKind::HookFailed,
                    Some(order.rollout),
                    Some(at.rollout.candidate()),
                    text,
                ));
            }
            RichFact::WrongContentSeen { rollout, member, content } => {
                let Some(at) = self.member(*rollout, *member) else { return };
                let Some(name) = self.name_of(at) else { return };
                let candidate = at.rollout.candidate();
                let text = format!(
                    "{name} holds other content than the approved one of {}: {content}; nothing is installed from it",
                    self.title(candidate)
                );
                act(self.notice(NoticeKind::WrongContent, Some(*rollout), Some(candidate), text));
            }
            RichFact::HookEnded { failed: None, .. } => {}
            RichFact::ResyncStarted { .. } => self.operating_members().for_each(|(rollout, member)| {
                if let Some(effect) = self.outstanding_for(rollout, member) {
                    act(effect);
                }
            }),
            // Asked for again: who has it answers at once. What is late by now is tried again as a failure is.
            RichFact::ResyncEnded { .. } => {
                let secs = self.secs(self.cache.now);
                let asked = self.stages_asked().filter_map(|(rollout, member)| self.member(rollout, member));
                let in_time = asked.filter(|at| at.rollout.stages.get(at.ix).due > secs);
                in_time.filter_map(|at| self.stage_order(at)).for_each(act);
            }
            RichFact::ScanTurnAsked { turn, turns, .. } => {
                self.scans(&self.of_turn(*turn, *turns).collect(), act);
            }
            RichFact::ScansAsked { endpoints, .. } => self.scans(endpoints, act),
            RichFact::EndpointOnboarded { endpoint } => {
                let name = self.endpoints.id(*endpoint).map_or("", EndpointId::as_str);
                let text = format!("{name} has every patch that is approved for it, and may go into service");
                act(self.notice(NoticeKind::Onboarded, None, None, text));
            }
            RichFact::EndpointQuarantined { endpoint, reason } => {
                let name = self.endpoints.id(*endpoint).map_or("", EndpointId::as_str);
                let text = format!("{name} is in quarantine: {reason}");
                act(self.notice(NoticeKind::Quarantined, None, None, text));
            }
            RichFact::RebootsStopped { endpoint, by: None, reason } => {
                let slot = self.endpoints.slot(*endpoint);
                // A member that waits for the reboot becomes a case for the operator, which is told by itself.
                if slot.is_none_or(|slot| slot.active().is_none()) {
                    let name = self.endpoints.id(*endpoint).map_or("", EndpointId::as_str);
                    let text = format!("{name} is not rebooted any more: {reason}");
                    act(self.notice(NoticeKind::RebootsStopped, None, None, text));
                }
            }
            RichFact::RebootCancelUnconfirmed { endpoint } => {
                let name = self.endpoints.id(*endpoint).map_or("", EndpointId::as_str);
                let text = format!("{name} did not confirm that its cancelled reboot will not happen");
                act(self.notice(NoticeKind::RebootsStopped, None, None, text));
            }
            RichFact::FleetFounded { .. }
            | RichFact::PolicyAdopted { .. }
            | RichFact::EndpointsJoined { .. }
            | RichFact::EndpointChanged { .. }
            | RichFact::EndpointLeft { .. }
            | RichFact::EndpointReimaged { .. }
            | RichFact::EndpointsWentUnreachable { .. }
            | RichFact::EndpointsCameBack { .. }
            | RichFact::EndpointsWentStale { .. }
            | RichFact::ScanRoundWanted
            | RichFact::ScanTurnEnded { .. }
            | RichFact::ScansGivenUp { .. }
            | RichFact::EndpointsRead { .. }
            | RichFact::QuarantineCleared { .. }
            | RichFact::OwnershipDeclared { .. }
            | RichFact::RebootsPendingSeen { .. }
            | RichFact::RebootsStopped { by: Some(_), .. }
            | RichFact::RebootsAllowed { .. }
            | RichFact::RebootCancelAsked { .. }
            | RichFact::RebootCancelled { .. }
            | RichFact::OperationPutOff { .. }
            | RichFact::CandidateIdentified { .. }
            | RichFact::NeedsChanged { .. }
            | RichFact::TrialConcluded { .. }
            | RichFact::ApprovalVoted { .. }
            | RichFact::ApprovalGranted { .. }
            | RichFact::ApprovalRejected { .. }
            | RichFact::ApprovalEnded { .. }
            | RichFact::CandidateSuperseded { .. }
            | RichFact::CandidateRerated { .. }
            | RichFact::CandidateReleased { .. }
            | RichFact::CandidateReopened { .. }
            | RichFact::RolloutStarted { .. }
            | RichFact::MembersJoined { .. }
            | RichFact::RingOpened { .. }
            | RichFact::RingSkipped { .. }
            | RichFact::RingPassedOver { .. }
            | RichFact::RolloutRevised { .. }
            | RichFact::RingSettled { .. }
            | RichFact::RingPromoted { .. }
            | RichFact::RolloutCancelled { .. }
            | RichFact::HaltLifted { .. }
            | RichFact::RolloutPaused { .. }
            | RichFact::RolloutResumed { .. }
            | RichFact::OperatorAcknowledged { .. }
            | RichFact::DrillStarted { .. }
            | RichFact::DrillDone { .. }
            | RichFact::HoldCleared { .. }
            | RichFact::AlertsSeen { .. }
            | RichFact::WindowMissed { .. }
            | RichFact::WindowOverrun { .. }
            | RichFact::ReasonNamed { .. }
            | RichFact::ClockSteppedBack { .. }
            | RichFact::RequestDone { .. } => {}
        }
    }

    /// The open question about a candidate.
    pub(crate) fn question(&self, id: CandidateId) -> Option<Effect> {
        let entry = self.candidate(id)?;
        let ask = entry.ask.as_ref()?;
        let identified = entry.candidate.identified();
        Some(Effect::AskApproval {
            ask: ask.id,
            candidate: id,
            patch: identified.patch().clone(),
            risk: identified.risk().clone(),
            role: ask.from.role.clone(),
            quorum: ask.from.quorum,
        })
    }

    /// Members whose endpoint is taken: an operation is under way, or may be.
    pub(crate) fn operating_members(&self) -> impl Iterator<Item = (RolloutId, MemberIx)> + '_ {
        self.rollouts.iter().filter(|rollout| rollout.moving > 0).flat_map(|rollout| {
            rollout
                .members()
                .iter()
                .enumerate()
                .filter(|(_, member)| member.phase.occupies())
                .map(|(i, _)| (rollout.id(), MemberIx(i as u32)))
        })
    }

    /// What to ask after a crash about one member: a question or a look, never the order again.
    pub(crate) fn outstanding_for(&self, rollout: RolloutId, member: MemberIx) -> Option<Effect> {
        let at = self.member(rollout, member)?;
        match at.member.phase {
            Phase::Ordered
            | Phase::Running
            | Phase::Recalling
            | Phase::Rebooting
            | Phase::Silent
            | Phase::Reverting
            | Phase::RevertSilent => self.query(at),
            Phase::Installed | Phase::Reverted => self.inspect(at),
            Phase::Waiting
            | Phase::RebootPending
            | Phase::Backoff
            | Phase::Verified
            | Phase::Failed
            | Phase::RolledBack
            | Phase::NeedsOperator
            | Phase::Deferred
            | Phase::Skipped
            | Phase::Cancelled
            | Phase::Held
            | Phase::Removed
            | Phase::Attached => None,
            Phase::Draining | Phase::RevertDraining => self.pre_hook(at),
        }
    }
}
