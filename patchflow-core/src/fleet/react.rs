//! Reactions: which effects a fact asks for. Never called in replay.

use super::decide::At;
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

impl State {
    /// The effects of a fact that has just been evolved.
    pub(crate) fn react(&self, fact: &Fact, mut act: impl FnMut(Effect)) {
        match fact {
            Fact::Endpoint(fact) => {
                if let Some(effect) = self.react_endpoint(fact) {
                    act(effect);
                }
                if let Some(effect) = self.react_hook(fact) {
                    act(effect);
                }
            }
            Fact::Rich(fact) => self.react_rich(fact, act),
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
            Event::Ordered => self.install_order(at),
            Event::Resent if at.member.phase == Phase::Ordered => self.install_order(at),
            Event::Resent | Event::RebootOrdered => {
                Some(Effect::Submit(Order::Reboot(RebootOrder::new(self.head(at, fact.due)?))))
            }
            Event::RevertOrdered | Event::RevertResent => self.revert_order(at, fact.due),
            Event::RecallAsked => {
                Some(Effect::Recall { order: self.order_id(at), endpoint: self.name_of(at)? })
            }
            Event::WentSilent | Event::RevertWentSilent => self.query(at),
            Event::StayedSilent if fact.due != 0 => self.inspect(at),
            Event::InstallReported | Event::Rebooted | Event::RevertReported => self.inspect(at),
            Event::OperatorNeeded => {
                let why = self.reasons.get(at.member.reason).map_or("no reason was given", |(_, text)| text);
                let text = format!("{} needs an operator: {why}", self.name_of(at)?);
                Some(self.notice(
                    NoticeKind::OperatorNeeded,
                    Some(at.rollout.id()),
                    Some(at.rollout.candidate()),
                    text,
                ))
            }
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
            | Event::Detached => None,
        }
    }

    fn name_of(&self, at: At<'_>) -> Option<EndpointId> {
        self.endpoints.id(at.member.endpoint).cloned()
    }

    fn head(&self, at: At<'_>, due: u32) -> Option<Head> {
        Some(Head {
            id: self.order_id(at),
            fence: self.endpoints.slot(at.member.endpoint)?.fence(),
            endpoint: self.name_of(at)?,
            start_by: self.at(due),
            report_within_secs: at.rollout.policy().deploy.report_within_secs,
        })
    }

    /// The order itself: it takes the approval, or a permit that only a non-production endpoint gets.
    fn install_order(&self, at: At<'_>) -> Option<Effect> {
        let entry = self.candidate(at.rollout.candidate())?;
        let head = self.head(at, at.member.deadline)?;
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
        let head = self.head(at, due)?;
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
            RichFact::HookEnded { failed: None, .. } => {}
            RichFact::ResyncStarted { .. } => self.operating_members().for_each(|(rollout, member)| {
                if let Some(effect) = self.outstanding_for(rollout, member) {
                    act(effect);
                }
            }),
            RichFact::FleetFounded { .. }
            | RichFact::PolicyAdopted { .. }
            | RichFact::EndpointsJoined { .. }
            | RichFact::EndpointChanged { .. }
            | RichFact::EndpointLeft { .. }
            | RichFact::CandidateIdentified { .. }
            | RichFact::NeedsChanged { .. }
            | RichFact::TrialConcluded { .. }
            | RichFact::ApprovalVoted { .. }
            | RichFact::ApprovalGranted { .. }
            | RichFact::ApprovalRejected { .. }
            | RichFact::ApprovalEnded { .. }
            | RichFact::CandidateSuperseded { .. }
            | RichFact::CandidateWithdrawn { .. }
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
            | RichFact::HoldCleared { .. }
            | RichFact::AlertsSeen { .. }
            | RichFact::WindowMissed { .. }
            | RichFact::ReasonNamed { .. }
            | RichFact::ClockSteppedBack { .. }
            | RichFact::ResyncEnded { .. }
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
            Phase::Draining => self.pre_hook(at),
        }
    }
}
