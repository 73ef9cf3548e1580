//! The agent on a virtual endpoint. It is honest about the protocol (`docs/contract.md`): a repeated id is done
//! already, a lower fence is refused, nothing begins after `start_by`, a recalled order is never carried out.

use super::{Ends, Machine, Operation, Reading, Staging};
use patchflow_core::digest::Digest;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{HookStage, InspectOrder, Observation};
use patchflow_core::ids::{EndpointIx, Fence, OrderId};
use patchflow_core::rollout::{
    Failure, Inspection, Level, Order, QueryAnswer, RecallAnswer, Report, ReportKind, RevertTo, StageOrder,
    StageOutcome,
};
use patchflow_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far an order is on its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Taken, not begun.
    Queued,
    /// At work.
    Running,
    /// At work, as far as anybody can tell; nobody hears of it.
    Lost,
    /// Ended in success, by its own word.
    Done,
    /// Ended in failure, or was refused.
    Failed(Failure<'static>),
    /// Stopped before it began.
    Recalled,
}

/// Signs of life of one operation at most: a story may ask for one each second of a year.
const SIGNS_MAX: usize = 1000;

/// What an agent remembers.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    orders: BTreeMap<OrderId, (Order, Stage)>,
    queue: VecDeque<OrderId>,
    running: Option<OrderId>,
    /// How often an order was put off by the people there, and until when.
    put_off: BTreeMap<OrderId, (u8, Timestamp)>,
    begun: Option<Fence>,
    /// Operations of each kind so far: installs, rollbacks, reboots.
    counts: [u32; 3],
    /// Hooks so far: before operations, after them.
    hooks: [u32; 2],
    /// Attempts to stage so far.
    stages: u32,
    /// What was brought there, or is on its way.
    content: BTreeSet<Digest>,
    pub(super) inbox: Vec<Letter>,
    pub(super) outbox: Vec<Observation<'static>>,
}

impl Agent {
    /// How far an order is; `None` when it was never taken.
    #[must_use]
    pub fn stage(&self, order: OrderId) -> Option<&Stage> {
        self.orders.get(&order).map(|(_, stage)| stage)
    }

    /// The orders it has taken, by id.
    pub fn orders(&self) -> impl Iterator<Item = (&Order, &Stage)> + '_ {
        self.orders.values().map(|(order, stage)| (order, stage))
    }

    /// One order, and how far it is.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<(&Order, &Stage)> {
        self.orders.get(&id).map(|(order, stage)| (order, stage))
    }

    /// Whether content of this digest was brought there, or is on its way, and not thrown away since.
    #[must_use]
    pub fn holds(&self, content: Digest) -> bool {
        self.content.contains(&content)
    }

    /// The order at work.
    #[must_use]
    pub fn running(&self) -> Option<OrderId> {
        self.running
    }
}

/// What a host hands to an agent.
#[derive(Clone, Debug)]
pub(super) enum Letter {
    Submit(Order),
    Recall(OrderId),
    Query(OrderId),
    Inspect(InspectOrder),
    Scan(EndpointIx),
    Stage(StageOrder),
    Unstage(Digest),
}

/// What an agent wants done.
#[derive(Debug)]
pub(super) enum Todo {
    Say(u64, Box<Observation<'static>>),
    Finish(u64, OrderId),
    /// Something may begin then.
    Wake(u64),
    Began(Order),
    Ended(Order, Stage),
}

fn report(order: OrderId, kind: ReportKind<'static>) -> Observation<'static> {
    Observation::Reported(Report { order, kind })
}

fn refused(detail: &'static str, kind: FailureKind) -> Failure<'static> {
    Failure::new(kind, detail)
}

impl Machine {
    pub(super) fn open(&mut self, now: Timestamp, letter: Letter, todo: &mut Vec<Todo>) {
        match letter {
            Letter::Submit(order) => self.submit(now, order, todo),
            Letter::Recall(order) => self.recall(order, todo),
            Letter::Query(order) => self.query(order, todo),
            Letter::Inspect(look) => self.inspect(&look, todo),
            Letter::Scan(endpoint) => self.scan(endpoint, todo),
            Letter::Stage(order) => self.stage(&order, todo),
            // What was under way may still be answered for, which nobody waits for.
            Letter::Unstage(content) => _ = self.agent.content.remove(&content),
        }
    }

    /// Content is brought: the same attempt again is answered again.
    fn stage(&mut self, order: &StageOrder, todo: &mut Vec<Todo>) {
        let Staging { takes_secs, fails, wrong } = &self.behaviour.stage;
        self.agent.stages += 1;
        self.agent.content.insert(order.content());
        let n = self.agent.stages;
        let Some(after) = *takes_secs else { return };
        let failure = fails.as_ref().filter(|(_, _, first)| first.is_none_or(|first| n <= first));
        let outcome = match failure {
            Some((kind, detail, _)) => StageOutcome::Failed(Failure::new(*kind, detail.clone())),
            None if *wrong => StageOutcome::There { content: Digest::of(b"something else") },
            None => StageOutcome::There { content: order.content() },
        };
        todo.push(Todo::Say(after, Box::new(Observation::Staged { stage: order.id(), outcome })));
    }

    /// How long a hook takes here, and how it fails; `None` when it never ends.
    pub(super) fn run_hook(&mut self, stage: HookStage) -> Option<(u64, Option<Failure<'static>>)> {
        let (hook, n) = match stage {
            HookStage::Pre => (&self.behaviour.drain, &mut self.agent.hooks[0]),
            HookStage::Post => (&self.behaviour.resume, &mut self.agent.hooks[1]),
        };
        *n += 1;
        let failure = hook.fails.clone().filter(|(_, _, first)| first.is_none_or(|first| *n <= first));
        Some((hook.takes_secs?, failure.map(|(kind, detail, _)| Failure::new(kind, detail))))
    }

    fn operation(&self, order: &Order) -> &Operation {
        match order {
            Order::Install(install) => {
                let target = install.target();
                let exact = || self.installs.get(&format!("{}={}", target.package.name, target.version));
                if self.installs.is_empty() {
                    return &self.behaviour.install;
                }
                exact().or_else(|| self.installs.get(&target.package.name)).unwrap_or(&self.behaviour.install)
            }
            Order::Revert(_) => &self.behaviour.revert,
            Order::Reboot(_) => &self.behaviour.reboot,
        }
    }

    fn say_report(
        &self,
        after: u64,
        doubled: bool,
        id: OrderId,
        kind: ReportKind<'static>,
        todo: &mut Vec<Todo>,
    ) {
        if doubled {
            todo.push(Todo::Say(after + 7, Box::new(report(id, kind.clone()))));
        }
        todo.push(Todo::Say(after, Box::new(report(id, kind))));
    }

    fn submit(&mut self, now: Timestamp, order: Order, todo: &mut Vec<Todo>) {
        let id = order.id();
        let operation = self.operation(&order);
        let (acknowledges, doubled) = (operation.acknowledges_after_secs, operation.doubled);
        let late = now > order.start_by() && !operation.ignores_start_by;
        if let Some((_, stage)) = self.agent.orders.get(&id) {
            let kind = match stage {
                Stage::Queued | Stage::Running => ReportKind::Acknowledged,
                Stage::Lost => return,
                Stage::Done => ReportKind::Done,
                Stage::Failed(failure) => ReportKind::Failed(failure.clone()),
                Stage::Recalled => ReportKind::Failed(refused("it was recalled", FailureKind::Stopped)),
            };
            todo.push(Todo::Say(0, Box::new(report(id, kind))));
            return;
        }
        if self.agent.begun.is_some_and(|begun| order.fence() < begun) {
            let failure = refused("a higher fence was begun here", FailureKind::Denied);
            todo.push(Todo::Say(0, Box::new(report(id, ReportKind::Failed(failure)))));
            return;
        }
        if late {
            return;
        }
        self.agent.orders.insert(id, (order, Stage::Queued));
        self.agent.queue.push_back(id);
        if let Some(after) = acknowledges {
            self.say_report(after, doubled, id, ReportKind::Acknowledged, todo);
        }
        self.begin_next(now, todo);
    }

    /// Whether the people at the endpoint put an order off, or have put it off and the time is not over.
    fn is_put_off(&mut self, now: Timestamp, id: OrderId, todo: &mut Vec<Todo>) -> bool {
        let Some((order, Stage::Queued)) = self.agent.orders.get(&id) else { return false };
        let (times, until) = self.agent.put_off.get(&id).copied().unwrap_or((0, now));
        if now < until {
            return true;
        }
        let Some((wanted, secs)) = self.operation(order).put_off else { return false };
        let (left, last) = match order {
            Order::Install(order) => (order.deferrals_left(), order.defer_until()),
            Order::Revert(order) => (order.deferrals_left(), order.defer_until()),
            Order::Reboot(order) => (order.deferrals_left(), order.defer_until()),
        };
        let last = last.unwrap_or(Timestamp::MAX);
        let until = now.plus_secs(secs).min(last);
        if times >= wanted.min(left) || until <= now {
            return false;
        }
        self.agent.put_off.insert(id, (times + 1, until));
        todo.push(Todo::Say(0, Box::new(report(id, ReportKind::PutOff { until }))));
        todo.push(Todo::Wake(until.since(now).as_secs().max(1)));
        true
    }

    /// Begins what is next, unless something is at work.
    pub(super) fn begin_next(&mut self, now: Timestamp, todo: &mut Vec<Todo>) {
        while self.agent.running.is_none()
            && let Some(id) = self.agent.queue.front().copied()
        {
            if self.is_put_off(now, id, todo) {
                return;
            }
            self.agent.queue.pop_front();
            let Some((order, stage)) = self.agent.orders.get(&id) else { continue };
            if *stage != Stage::Queued {
                continue;
            }
            let operation = self.operation(order);
            let was_put_off = self.agent.put_off.contains_key(&id);
            if now > order.start_by() && !operation.ignores_start_by && !was_put_off {
                // Not begun in time: forgotten, so that a question is answered with `NeverSeen`.
                self.agent.orders.remove(&id);
                continue;
            }
            if self.agent.begun.is_some_and(|begun| order.fence() < begun) {
                let failure = refused("overtaken by a higher fence", FailureKind::Denied);
                todo.push(Todo::Say(0, Box::new(report(id, ReportKind::Failed(failure.clone())))));
                self.set(id, Stage::Failed(failure));
                continue;
            }
            let (fence, takes, lost) =
                (order.fence(), operation.takes_secs, operation.ends == Ends::GoesSilent);
            todo.push(Todo::Began(order.clone()));
            if let Some(every) = operation.progress_secs.filter(|every| *every > 0) {
                let signs =
                    (1..=takes / every).take(SIGNS_MAX).map(|n| n * every).filter(|after| *after < takes);
                todo.extend(
                    signs.map(|after| Todo::Say(after, Box::new(report(id, ReportKind::Acknowledged)))),
                );
            }
            if !lost {
                todo.push(Todo::Finish(takes, id));
            }
            self.agent.begun = Some(fence);
            self.agent.running = Some(id);
            self.set(id, if lost { Stage::Lost } else { Stage::Running });
        }
    }

    fn set(&mut self, id: OrderId, to: Stage) {
        if let Some((_, stage)) = self.agent.orders.get_mut(&id) {
            *stage = to;
        }
    }

    /// An operation comes to its end.
    pub(super) fn finish(&mut self, now: Timestamp, id: OrderId, todo: &mut Vec<Todo>) {
        if self.agent.running != Some(id) || self.gone {
            return;
        }
        let Some((order, Stage::Running)) = self.agent.orders.get(&id) else { return };
        let order = order.clone();
        let operation = self.operation(&order).clone();
        let kind = match &order {
            Order::Install(_) => 0,
            Order::Revert(_) => 1,
            Order::Reboot(_) => 2,
        };
        self.agent.counts[kind] += 1;
        let stage = match &operation.ends {
            Ends::Fails { kind: failure, detail, first }
                if first.is_none_or(|first| self.agent.counts[kind] <= first) =>
            {
                Stage::Failed(Failure::new(*failure, detail.clone()))
            }
            Ends::Breaks { kind: failure } => {
                if let Order::Install(install) = &order {
                    self.broken.insert(install.target().package.name.clone());
                }
                Stage::Failed(Failure::new(*failure, "left half done"))
            }
            Ends::Lies => Stage::Done,
            Ends::Succeeds
            | Ends::Sickens
            | Ends::SilentlySucceeds
            | Ends::GoesSilent
            | Ends::Fails { .. } => {
                self.carry_out(&order, &operation);
                Stage::Done
            }
        };
        let says = match &stage {
            Stage::Failed(failure) => ReportKind::Failed(failure.clone()),
            Stage::Queued | Stage::Running | Stage::Lost | Stage::Done | Stage::Recalled => ReportKind::Done,
        };
        todo.push(Todo::Ended(order, stage.clone()));
        self.set(id, stage);
        self.agent.running = None;
        if operation.ends != Ends::SilentlySucceeds {
            self.say_report(operation.reports_late_secs, operation.doubled, id, says, todo);
        }
        self.begin_next(now, todo);
    }

    fn carry_out(&mut self, order: &Order, operation: &Operation) {
        match order {
            Order::Install(install) => {
                let target = install.target();
                self.broken.remove(&target.package.name);
                self.levels.insert(target.package.name.clone(), target.version.clone());
            }
            Order::Revert(revert) => {
                let package = &revert.patch().target.package.name;
                self.broken.remove(package);
                match revert.to() {
                    RevertTo::Version { version } => {
                        self.levels.insert(package.clone(), version.to_string());
                    }
                    RevertTo::Absent => {
                        self.levels.remove(package);
                    }
                }
                self.sick = None;
            }
            Order::Reboot(_) => self.reboot_pending = false,
        }
        self.reboot_pending |= operation.wants_reboot;
        if operation.ends == Ends::Sickens {
            self.sick = Some("HTTP 500 from /health".into());
        }
    }

    fn recall(&mut self, order: OrderId, todo: &mut Vec<Todo>) {
        let Some(after) = self.behaviour.answers_after_secs else { return };
        let answer = match self.agent.stage(order) {
            None => RecallAnswer::Unknown,
            Some(Stage::Queued) => {
                self.set(order, Stage::Recalled);
                RecallAnswer::Recalled
            }
            Some(Stage::Recalled) => RecallAnswer::Recalled,
            Some(Stage::Lost) => return,
            Some(Stage::Running | Stage::Done | Stage::Failed(_)) => RecallAnswer::AlreadyStarted,
        };
        todo.push(Todo::Say(after, Box::new(Observation::RecallAnswered { order, answer })));
    }

    fn query(&self, order: OrderId, todo: &mut Vec<Todo>) {
        let Some(after) = self.behaviour.answers_after_secs else { return };
        let answer = match self.agent.stage(order) {
            None => QueryAnswer::NeverSeen,
            Some(Stage::Queued) => QueryAnswer::Queued,
            Some(Stage::Running) => QueryAnswer::Running,
            Some(Stage::Lost) => return,
            Some(Stage::Done) => QueryAnswer::Done,
            Some(Stage::Failed(failure)) => QueryAnswer::Failed(failure.clone()),
            Some(Stage::Recalled) => {
                QueryAnswer::Failed(refused("it was recalled before it began", FailureKind::Stopped))
            }
        };
        todo.push(Todo::Say(after, Box::new(Observation::Answered { order, answer })));
    }

    fn inspect(&self, look: &InspectOrder, todo: &mut Vec<Todo>) {
        let (after, level) = match &self.behaviour.inspect {
            Reading::Silent => return,
            Reading::Unreadable { detail } => (1, Level::Unreadable { detail: detail.clone().into() }),
            Reading::Shows { after_secs } => (*after_secs, self.level(&look.target.package.name)),
        };
        let (order, reboot_required, health) = (look.order, self.reboot_pending, self.health());
        let seen = Inspection { order, level, reboot_required, health };
        todo.push(Todo::Say(after, Box::new(Observation::Inspected(seen))));
    }

    /// The inventory is read anew; the world tells what it shows.
    fn scan(&self, endpoint: EndpointIx, todo: &mut Vec<Todo>) {
        if let Reading::Shows { after_secs } = &self.behaviour.inspect {
            let endpoints = vec![endpoint].into();
            todo.push(Todo::Say(*after_secs, Box::new(Observation::Read { endpoints })));
        }
    }

    /// A power cut: what was queued is forgotten, what was at work is cut off; it is told once the machine is back.
    pub(super) fn power_cut(&mut self, now: Timestamp, todo: &mut Vec<Todo>) {
        let queued: Vec<_> = self.agent.queue.drain(..).collect();
        for id in queued {
            if self.agent.stage(id) == Some(&Stage::Queued) {
                self.agent.orders.remove(&id);
            }
        }
        self.cut_off(now, todo);
    }

    /// What nobody heard of is found cut off.
    pub(super) fn mend(&mut self, now: Timestamp, todo: &mut Vec<Todo>) {
        if let Some(id) = self.agent.running
            && self.agent.stage(id) == Some(&Stage::Lost)
        {
            self.cut_off(now, todo);
        }
    }

    fn cut_off(&mut self, now: Timestamp, todo: &mut Vec<Todo>) {
        if let Some(id) = self.agent.running.take() {
            let failure = refused("cut off", FailureKind::Interrupted);
            todo.push(Todo::Say(1, Box::new(report(id, ReportKind::Failed(failure.clone())))));
            let stage = Stage::Failed(failure);
            if let Some((order, _)) = self.agent.orders.get(&id) {
                todo.push(Todo::Ended(order.clone(), stage.clone()));
            }
            self.set(id, stage);
        }
        self.begin_next(now, todo);
    }
}
