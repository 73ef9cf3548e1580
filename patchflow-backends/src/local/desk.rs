//! Where orders are taken, kept in line for their endpoint, and answered for.
//!
//! The desk decides what may begin; [`super::worker`] carries it out. One operation at a time for each endpoint.

use super::LocalBackend;
use super::job::Job;
use super::ledger::{Entry, LedgerError, LedgerFile, State};
use super::reply::{Mailbox, Part, locked};
use patchflow_core::ids::{EndpointId, Fence, OrderId};
use patchflow_core::package::PackageName;
use patchflow_core::rollout::{Failure, QueryAnswer, RecallAnswer, Report, ReportKind};
use patchflow_core::sdk::{Clock, FailureKind, Receipt};
use patchflow_core::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

pub(super) type Answer = (OrderId, QueryAnswer<'static>);

/// Something to do on one endpoint, in its turn.
pub(super) enum Task {
    Run(Job),
    Recover { id: OrderId, answer: Option<Part<Answer>> },
    Hold { package: PackageName, held: bool, answer: Part<Result<(), Failure<'static>>> },
}

pub(super) struct Slot {
    pub(super) ledger: Arc<Mutex<LedgerFile>>,
    pub(super) queue: VecDeque<Task>,
    /// Stands among the ready ones, or is being worked on.
    pub(super) scheduled: bool,
    pub(super) active: Option<OrderId>,
    /// The highest that was taken by this process.
    pub(super) fence: Fence,
}

#[derive(Default)]
pub(super) struct Lines {
    pub(super) slots: BTreeMap<EndpointId, Slot>,
    pub(super) ready: VecDeque<EndpointId>,
    /// Orders of an earlier process that are still at work without us, and when to look at each again.
    pub(super) watched: Vec<(Instant, EndpointId, OrderId)>,
    pub(super) closed: bool,
}

/// How long until an operation that outlived its host is looked at again. Nobody else would tell of its end, and each
/// look is about as dear as one at a lock.
const WATCH: Duration = Duration::from_secs(1);

impl Lines {
    /// Puts those in line whose time has come; says how long until the next one's.
    pub(super) fn watch(&mut self, now: Instant) -> Option<Duration> {
        let due = self.watched.extract_if(.., |(at, ..)| *at <= now).collect::<Vec<_>>();
        for (_, endpoint, id) in due {
            if let Some(slot) = self.slots.get_mut(&endpoint) {
                slot.queue.push_back(Task::Recover { id, answer: None });
                if !slot.scheduled {
                    slot.scheduled = true;
                    self.ready.push_back(endpoint);
                }
            }
        }
        self.watched.iter().map(|(at, ..)| at.saturating_duration_since(now)).min()
    }
}

pub(super) struct Desk {
    pub(super) backend: Arc<dyn LocalBackend>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lines: Mutex<Lines>,
    pub(super) work: Condvar,
    pub(super) reports: Mailbox<Report<'static>>,
}

/// Where an order stands that this process has taken.
enum InLine {
    Active,
    Queued,
    No,
}

impl Slot {
    fn where_is(&self, id: OrderId) -> InLine {
        let is_it = |task: &Task| matches!(task, Task::Run(job) if job.id == id);
        match self.active {
            Some(active) if active == id => InLine::Active,
            _ if self.queue.iter().any(is_it) => InLine::Queued,
            _ => InLine::No,
        }
    }
}

impl Desk {
    pub(super) fn new(backend: Arc<dyn LocalBackend>, clock: Arc<dyn Clock>) -> Self {
        Self { backend, clock, lines: Mutex::default(), work: Condvar::new(), reports: Mailbox::new() }
    }

    pub(super) fn report(&self, order: OrderId, kind: ReportKind<'static>) {
        self.reports.put(Report { order, kind });
    }

    pub(super) fn report_outcome(&self, id: OrderId, state: &State) {
        match state {
            State::Running => {}
            State::Done => self.report(id, ReportKind::Done),
            State::Failed { failure } => self.report(id, ReportKind::Failed(failure.clone())),
        }
    }

    /// The ledger of an endpoint, and a line for it; `None` when the backend does not know it.
    fn ledger(&self, endpoint: &EndpointId) -> Option<Arc<Mutex<LedgerFile>>> {
        let dir = self.backend.state_dir(endpoint)?;
        let mut lines = locked(&self.lines);
        let slot = lines.slots.entry(endpoint.clone()).or_insert_with(|| Slot {
            ledger: Arc::new(Mutex::new(LedgerFile::new(dir, endpoint.clone()))),
            queue: VecDeque::new(),
            scheduled: false,
            active: None,
            fence: Fence(0),
        });
        Some(Arc::clone(&slot.ledger))
    }

    fn in_line(&self, endpoint: &EndpointId, id: OrderId) -> InLine {
        locked(&self.lines).slots.get(endpoint).map_or(InLine::No, |slot| slot.where_is(id))
    }

    /// Whether the task stands in line now: not after the desk was closed.
    fn put(&self, endpoint: &EndpointId, task: Task) -> bool {
        let mut lines = locked(&self.lines);
        if lines.closed {
            return false;
        }
        let Some(slot) = lines.slots.get_mut(endpoint) else { return false };
        if let Task::Run(job) = &task {
            slot.fence = slot.fence.max(job.fence);
        }
        slot.queue.push_back(task);
        if !slot.scheduled {
            slot.scheduled = true;
            lines.ready.push_back(endpoint.clone());
            self.work.notify_one();
        }
        true
    }

    /// Looks at an operation again that outlived its host, until it has ended.
    pub(super) fn watch(&self, endpoint: &EndpointId, id: OrderId) {
        let mut lines = locked(&self.lines);
        if lines.watched.iter().all(|(_, _, watched)| *watched != id) {
            lines.watched.push((Instant::now() + WATCH, endpoint.clone(), id));
            self.work.notify_one();
        }
    }

    /// Takes one order, or says why not; `None` when the desk is closed.
    pub(super) fn take(&self, job: Job) -> Option<Receipt> {
        let id = job.id;
        Some(match self.check(&job) {
            Err(failure) => Receipt::Refused(id, failure),
            Ok(Standing::New) => {
                let endpoint = job.endpoint.clone();
                if !self.put(&endpoint, Task::Run(job)) {
                    return None;
                }
                Receipt::Taken(id)
            }
            Ok(Standing::Known(state)) => {
                if state == State::Running {
                    self.put(&job.endpoint, Task::Recover { id, answer: None });
                }
                self.report_outcome(id, &state);
                Receipt::Taken(id)
            }
            Ok(Standing::InLine) => Receipt::Taken(id),
        })
    }

    fn check(&self, job: &Job) -> Result<Standing, Failure<'static>> {
        let ledger = self.ledger(&job.endpoint).ok_or_else(|| unknown_endpoint(&job.endpoint))?;
        if !matches!(self.in_line(&job.endpoint, job.id), InLine::No) {
            return Ok(Standing::InLine);
        }
        let (known, begun) = locked(&ledger)
            .read(|ledger| (ledger.find(job.id).cloned(), ledger.fence))
            .map_err(|error| error.failure())?;
        if let Some(entry) = known {
            return Ok(Standing::Known(entry.state));
        }
        let taken = locked(&self.lines).slots.get(&job.endpoint).map_or(Fence(0), |slot| slot.fence);
        fenced(job.fence, begun.max(taken))?;
        in_time(self.clock.now(), job.start_by)?;
        Ok(Standing::New)
    }

    /// Stops what has not begun.
    pub(super) fn recall(&self, ids: &[OrderId]) -> Vec<(OrderId, RecallAnswer)> {
        let mut elsewhere = Vec::new();
        let mut answers = Vec::with_capacity(ids.len());
        for id in ids {
            match self.pull_from_line(*id) {
                Some(answer) => answers.push((*id, answer)),
                None => elsewhere.push(*id),
            }
        }
        if !elsewhere.is_empty() {
            answers.extend(self.recall_what_ended(&elsewhere));
        }
        answers
    }

    fn pull_from_line(&self, id: OrderId) -> Option<RecallAnswer> {
        let (job, ledger) = {
            let mut lines = locked(&self.lines);
            let slot = lines.slots.values_mut().find(|slot| !matches!(slot.where_is(id), InLine::No))?;
            let place = slot.queue.iter().position(|task| matches!(task, Task::Run(job) if job.id == id));
            match place.and_then(|place| slot.queue.remove(place)) {
                Some(Task::Run(job)) => (job, Arc::clone(&slot.ledger)),
                // It is at work: only the orders in the queue can be pulled.
                _ => return Some(RecallAnswer::AlreadyStarted),
            }
        };
        let stopped = Failure::new(FailureKind::Stopped, "recalled before it began");
        if let Err(error) = locked(&ledger).note(job.entry(State::of(Err(stopped)))) {
            tracing::warn!(order = %id, %error, "a recall could not be written");
        }
        Some(RecallAnswer::Recalled)
    }

    fn recall_what_ended(&self, ids: &[OrderId]) -> Vec<(OrderId, RecallAnswer)> {
        let mut answers: BTreeMap<OrderId, RecallAnswer> =
            ids.iter().map(|id| (*id, RecallAnswer::Unknown)).collect();
        for endpoint in self.backend.endpoints() {
            let Some(ledger) = self.ledger(&endpoint) else { continue };
            let mut ledger = locked(&ledger);
            for (id, answer) in &mut answers {
                if let Ok(Some(entry)) = ledger.read(|ledger| ledger.find(*id).cloned()) {
                    *answer = match entry.state {
                        State::Failed { failure } if failure.kind == FailureKind::Stopped => {
                            RecallAnswer::Recalled
                        }
                        State::Running | State::Done | State::Failed { .. } => RecallAnswer::AlreadyStarted,
                    };
                }
            }
        }
        answers.into_iter().collect()
    }

    /// Answers for one order; when it was cut off, a worker looks first what became of it.
    pub(super) fn query(&self, id: OrderId, endpoint: &EndpointId, answer: Part<Answer>) {
        let Some(ledger) = self.ledger(endpoint) else { return };
        match self.in_line(endpoint, id) {
            InLine::Active => return answer.put((id, QueryAnswer::Running)),
            InLine::Queued => return answer.put((id, QueryAnswer::Queued)),
            InLine::No => {}
        }
        let mut ledger = locked(&ledger);
        let known = match ledger.read(|ledger| ledger.find(id).cloned()) {
            // What the other process has not begun stands in no ledger: better no answer than a wrong one.
            Err(LedgerError::InUse) => match ledger.read_of_other(|ledger| ledger.find(id).cloned()) {
                Ok(Some(entry)) => return answer.put((id, answer_of(entry))),
                Ok(None) | Err(_) => return,
            },
            other => other,
        };
        drop(ledger);
        match known {
            Ok(None) => answer.put((id, QueryAnswer::NeverSeen)),
            Ok(Some(entry)) if entry.state == State::Running => {
                self.put(endpoint, Task::Recover { id, answer: Some(answer) });
            }
            Ok(Some(entry)) => answer.put((id, answer_of(entry))),
            Err(error) => answer.put((id, QueryAnswer::Failed(error.failure()))),
        }
    }

    /// Queues a hold behind what the endpoint has to do.
    pub(super) fn hold(&self, endpoint: &EndpointId, hold: Task) -> Result<(), Failure<'static>> {
        self.ledger(endpoint).ok_or_else(|| unknown_endpoint(endpoint))?;
        self.put(endpoint, hold);
        Ok(())
    }

    pub(super) fn close(&self) {
        let mut lines = locked(&self.lines);
        lines.closed = true;
        let forgotten: Vec<_> =
            lines.slots.values_mut().map(|slot| std::mem::take(&mut slot.queue)).collect();
        self.work.notify_all();
        drop(lines);
        // Outside the lock: dropping an answer's part wakes who waits for it.
        drop(forgotten);
    }
}

enum Standing {
    New,
    InLine,
    Known(State),
}

pub(super) fn answer_of(entry: Entry) -> QueryAnswer<'static> {
    match entry.state {
        State::Running => QueryAnswer::Running,
        State::Done => QueryAnswer::Done,
        State::Failed { failure } => QueryAnswer::Failed(failure),
    }
}

pub(super) fn unknown_endpoint(endpoint: &EndpointId) -> Failure<'static> {
    Failure::new(FailureKind::Unsupported, format!("this installer has no endpoint `{endpoint}`"))
}

pub(super) fn fenced(fence: Fence, highest: Fence) -> Result<(), Failure<'static>> {
    if fence < highest {
        let detail =
            format!("{fence} is below {highest}, which the endpoint has seen: a newer order took its place");
        return Err(Failure::new(FailureKind::Denied, detail));
    }
    Ok(())
}

pub(super) fn in_time(now: Timestamp, start_by: Timestamp) -> Result<(), Failure<'static>> {
    if now > start_by {
        let detail = format!("it was not to start after {start_by}, and it is {now}");
        return Err(Failure::new(FailureKind::Timeout, detail));
    }
    Ok(())
}
