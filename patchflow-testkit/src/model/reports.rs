//! S6 and S13: what reports, answers and passing deadlines mean for one member.

use super::state::{Model, is_taking};
use super::{Illegal, Mutation, Sent};
use patchflow_core::error::FailureKind;
use patchflow_core::ids::OrderId;
use patchflow_core::rollout::{Phase, QueryAnswer, RecallAnswer, Report, ReportKind, RolloutState};
use patchflow_core::time::Timestamp;

/// Whether an observation fitted anything.
pub(super) type Fits = Result<bool, Illegal>;

impl Model {
    /// The member that an order is about, when it is the latest order for it.
    pub(super) fn ordered(&self, order: OrderId) -> Option<(usize, usize)> {
        let (r, m) = (order.rollout.index(), order.member.index());
        let member = self.rollouts.get(r)?.members.get(m)?;
        let latest = order.operation == member.operations
            || self.bent(Mutation::OldReportsCount) && order.operation < member.operations;
        (order.operation != 0 && latest).then_some((r, m))
    }

    pub(super) fn reported(&mut self, report: &Report<'_>) -> Fits {
        let Some(at) = self.ordered(report.order) else { return Ok(false) };
        match &report.kind {
            ReportKind::Acknowledged => Ok(self.acknowledged(at)),
            ReportKind::Done => Ok(self.done(at)),
            ReportKind::Failed(failure) => self.failed_report(at, failure.kind),
            // Nobody puts anything off in these histories.
            ReportKind::PutOff { .. } => Ok(false),
        }
    }

    /// The endpoint has it: the report deadline runs from here, and progress extends it.
    fn acknowledged(&mut self, at: (usize, usize)) -> bool {
        let within = self.deploy(at).report_within_secs;
        let patience = self.member(at).patience.filter(|_| !self.bent(Mutation::ProgressExtendsForEver));
        let due = patience.map_or(self.later(within), |end| end.min(self.later(within)));
        match self.phase(at) {
            // It has taken as long as it may: that it is alive does not make its outcome known.
            Phase::Silent if patience.is_some_and(|end| end <= self.now) => {}
            Phase::Ordered | Phase::Silent => self.put(at, Phase::Running, Some(due)),
            Phase::RevertSilent | Phase::Reverting => self.put(at, Phase::Reverting, Some(due)),
            Phase::Rebooting => self.put(at, Phase::Rebooting, Some(due)),
            Phase::Running => {
                // A chatty agent is heard again only when a tenth of the time has gone by, or for the last time.
                let gained = due.since(self.member(at).due.unwrap_or(due)).as_secs();
                if gained > u64::from(within / 10) || gained > 0 && patience == Some(due) {
                    self.put(at, Phase::Running, Some(due));
                }
            }
            Phase::Recalling => {}
            _ => return false,
        }
        true
    }

    /// The installer says that it is done; the inventory must show it.
    fn done(&mut self, at: (usize, usize)) -> bool {
        let look = self.later(self.deploy(at).inspect_within_secs);
        match self.phase(at) {
            // One more look; to take it at its word again and again would be a retry without a budget.
            Phase::Silent if self.member(at).unread => self.put(at, Phase::Silent, Some(look)),
            Phase::RevertSilent if self.member(at).unread => return true,
            Phase::Ordered | Phase::Running | Phase::Recalling | Phase::Silent | Phase::Rebooting => {
                self.put(at, Phase::Installed, Some(look));
            }
            // A success that arrives late is an observation too, unless somebody else has the endpoint by now.
            Phase::Waiting | Phase::Backoff | Phase::Failed | Phase::Deferred | Phase::Cancelled => {
                if self.is_busy(self.member(at).endpoint) || self.bent(Mutation::RefusesLateSuccess) {
                    return false;
                }
                if self.phase(at) != Phase::Rebooting {
                    // Also when its order was thought never to have arrived, and was no attempt: it was one.
                    let member = &mut self.rollouts[at.0].members[at.1];
                    member.attempts = member.attempts.max(1);
                }
                self.put(at, Phase::Installed, Some(look));
                if self.bent(Mutation::LateSuccessLiftsTheHalt)
                    && self.rollouts[at.0].state == RolloutState::Halted
                {
                    self.rollouts[at.0].state = RolloutState::Running;
                }
            }
            Phase::Reverting | Phase::RevertSilent => self.put(at, Phase::Reverted, Some(look)),
            _ => return false,
        }
        self.send(|order| Sent::Inspect { order }, at);
        true
    }

    fn failed_report(&mut self, at: (usize, usize), kind: FailureKind) -> Fits {
        match self.phase(at) {
            Phase::Ordered | Phase::Running | Phase::Recalling | Phase::Silent => self.failed(at, kind)?,
            Phase::Rebooting => self.put(at, Phase::Failed, None),
            Phase::Reverting | Phase::RevertSilent => {
                let member = self.member(at);
                let rollbacks = member.operations.saturating_sub(member.attempts);
                let budget = rollbacks < self.rollouts[at.0].policy.retry.attempts_max
                    || self.bent(Mutation::RollbackNeverNeedsAnOperator);
                if kind == FailureKind::Interrupted && budget && member.operations < u8::MAX {
                    // Cut off is not failed.
                    self.order_revert(at);
                } else {
                    self.put(at, Phase::NeedsOperator, None);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// S13: again if it can get better and the budget allows, with a wait that doubles; else it has failed.
    pub(super) fn failed(&mut self, at: (usize, usize), kind: FailureKind) -> Result<(), Illegal> {
        let goes_on = !self.rollouts[at.0].is_stopped();
        let retry = self.rollouts[at.0].policy.retry.clone();
        let attempts = self.member(at).attempts;
        let better = retry.on.contains(&kind) || self.bent(Mutation::RetriesEverything);
        let left = attempts < retry.attempts_max
            || self.bent(Mutation::OneAttemptMore) && attempts == retry.attempts_max;
        if !(goes_on && better && left) {
            self.put(at, Phase::Failed, None);
            return Ok(());
        }
        let (from, until) = self.backoff(at, attempts);
        let due = self.choices.retry(at, from, until)?;
        self.put(at, Phase::Backoff, Some(due));
        Ok(())
    }

    /// From when, and until when at the latest, something is tried again after so many times.
    pub(super) fn backoff(&self, at: (usize, usize), times: u8) -> (Timestamp, Timestamp) {
        let retry = &self.rollouts[at.0].policy.retry;
        let mut wait = u64::from(retry.backoff_secs);
        for _ in 1..times {
            if !self.bent(Mutation::BackoffStaysTheSame) {
                wait = (wait * 2).min(retry.backoff_secs_max.into());
            }
        }
        let wait = wait.min(retry.backoff_secs_max.into());
        let jitter = wait * u64::from(retry.jitter.thousandths()) / 100_000;
        (self.now.plus_secs(wait), self.now.plus_secs(wait + jitter))
    }

    pub(super) fn answered(&mut self, order: OrderId, answer: &QueryAnswer<'_>) -> Fits {
        let Some(at) = self.ordered(order) else { return Ok(false) };
        match answer {
            QueryAnswer::NeverSeen => Ok(self.never_seen(at)),
            QueryAnswer::Queued | QueryAnswer::Running => Ok(match self.phase(at) {
                Phase::Running => {
                    let due = self.later(self.deploy(at).report_within_secs);
                    let patience =
                        self.member(at).patience.filter(|_| !self.bent(Mutation::ProgressExtendsForEver));
                    let due = patience.map_or(due, |end| end.min(due));
                    if self.member(at).due.is_some_and(|old| due > old) {
                        self.put(at, Phase::Running, Some(due));
                    }
                    true
                }
                Phase::Recalling => false,
                _ => self.acknowledged(at),
            }),
            QueryAnswer::Done => Ok(self.done(at)),
            QueryAnswer::Failed(failure) => self.failed_report(at, failure.kind),
        }
    }

    /// The endpoint never saw it: the same order again while it is fresh, else back to waiting.
    fn never_seen(&mut self, at: (usize, usize)) -> bool {
        match self.phase(at) {
            Phase::Ordered
                if (self.rollouts[at.0].state == RolloutState::Running
                    || self.rollouts[at.0].is_catching_up())
                    && self.member(at).due.is_some_and(|due| self.now < due) =>
            {
                let due = self.member(at).due;
                self.put(at, Phase::Ordered, due);
                let start_by = due.unwrap_or(self.now);
                self.send(|order| Sent::Install { order, start_by }, at);
            }
            Phase::Ordered | Phase::Running | Phase::Silent | Phase::Recalling => self.wait_again(at),
            Phase::Rebooting => {
                let due = self.later(self.deploy(at).report_within_secs);
                self.put(at, Phase::Rebooting, Some(due));
                self.send(|order| Sent::Reboot { order }, at);
            }
            Phase::Reverting | Phase::RevertSilent => {
                let due = self.later(self.deploy(at).acknowledge_within_secs);
                self.put(at, Phase::Reverting, Some(due));
                self.send(|order| Sent::Revert { order }, at);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn recall_answered(&mut self, order: OrderId, answer: RecallAnswer) -> bool {
        let Some(at) = self.ordered(order).filter(|at| self.phase(*at) == Phase::Recalling) else {
            return false;
        };
        match answer {
            RecallAnswer::Recalled => self.wait_again(at),
            RecallAnswer::AlreadyStarted => {
                let due = self.later(self.deploy(at).report_within_secs);
                self.put(at, Phase::Running, Some(due));
            }
            // Not known: its deadline stands, and then it is asked after.
            RecallAnswer::Unknown => {}
        }
        true
    }

    /// It did not start, and that is no attempt and no failure.
    fn wait_again(&mut self, at: (usize, usize)) {
        if !self.bent(Mutation::ExpiryIsAnAttempt) {
            let member = &mut self.rollouts[at.0].members[at.1];
            member.attempts = member.attempts.saturating_sub(1);
        }
        let to = if self.bent(Mutation::ExpiryIsAFailure) { Phase::Failed } else { Phase::Waiting };
        self.put(at, to, None);
    }

    /// Every deadline that has passed, in the order in which they were due.
    pub(super) fn deadlines(&mut self) {
        if self.resync.is_some() {
            return;
        }
        let mut due: Vec<(Timestamp, usize, usize)> = Vec::new();
        for (r, rollout) in self.rollouts.iter().enumerate() {
            for (m, member) in rollout.members.iter().enumerate() {
                due.extend(member.due.filter(|due| *due <= self.now).map(|due| (due, r, m)));
            }
        }
        due.sort_unstable();
        for (_, r, m) in due {
            self.deadline((r, m));
        }
    }

    fn deadline(&mut self, at: (usize, usize)) {
        let next = Some(self.later(self.deploy(at).report_within_secs));
        match self.phase(at) {
            // Never acknowledged: a closed laptop is not a failure.
            Phase::Ordered => self.wait_again(at),
            Phase::Running | Phase::Recalling | Phase::Installed | Phase::Rebooting => {
                if self.bent(Mutation::SilenceIsAFailure) {
                    return self.put(at, Phase::Failed, None);
                }
                self.put(at, Phase::Silent, next);
                self.send(|order| Sent::Query { order }, at);
            }
            // Asked, and not answered: it stays unknown.
            Phase::Silent => self.put(at, Phase::Silent, None),
            Phase::Reverting | Phase::Reverted => {
                self.put(at, Phase::RevertSilent, next);
                self.send(|order| Sent::Query { order }, at);
            }
            Phase::RevertSilent => self.put(at, Phase::NeedsOperator, None),
            // A pre hook that is late is a start that did not happen.
            Phase::Draining => self.not_drained(at),
            Phase::RevertDraining => self.not_drained_for_revert(at),
            // A retry that is due takes its turn; nothing else has a deadline.
            _ => {}
        }
    }

    /// What is asked about an operation under way, after the host was away.
    pub(super) fn ask_after(&mut self, r: usize, m: usize) {
        match self.phase((r, m)) {
            Phase::Installed | Phase::Reverted => self.send(|order| Sent::Inspect { order }, (r, m)),
            Phase::Draining | Phase::RevertDraining => {
                self.send(|order| Sent::Hook { order, pre: true }, (r, m))
            }
            // There is nobody to ask: the reboot is still to be ordered.
            Phase::RebootPending => {}
            phase => {
                debug_assert!(is_taking(phase), "only what is under way is asked after");
                self.send(|order| Sent::Query { order }, (r, m));
            }
        }
    }

    pub(super) fn end_resync(&mut self) {
        let over =
            self.resync.as_ref().is_some_and(|resync| resync.open.is_empty() || self.now >= resync.until);
        if over {
            self.resync = None;
            // Whoever was away asks anew what can still be stopped.
            self.rollouts.iter_mut().for_each(|rollout| rollout.sweep = true);
        }
    }
}
