//! Carries out what stands in line, one operation at a time for each endpoint.

use super::backend::Recovery;
use super::desk::{Answer, Desk, Task, answer_of, fenced, in_time};
use super::job::Job;
use super::ledger::{Entry, LedgerError, LedgerFile, State, Want};
use super::reply::{Part, locked};
use patchflow_core::catalog::Target;
use patchflow_core::ids::{EndpointId, Fence, OrderId};
use patchflow_core::rollout::{Failure, Level, QueryAnswer, ReportKind};
use patchflow_core::sdk::FailureKind;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Works until the desk is closed; what has begun then is brought to its end.
pub(super) fn work(desk: &Desk) {
    while let Some((endpoint, task, ledger)) = next(desk) {
        let mut ended = None;
        match task {
            Task::Run(job) => ended = Some(run(desk, &ledger, job)),
            Task::Recover { id, answer } => answer_after_recovery(desk, &endpoint, &ledger, id, answer),
            Task::Hold { package, held, answer } => {
                answer.put(guarded(|| desk.backend.set_hold(&endpoint, &package, held)));
            }
        }
        leave(desk, endpoint);
        if let Some((id, state)) = ended {
            // Only now: who hears of the end and asks again must not be told that it is at work.
            desk.report_outcome(id, &state);
        }
    }
}

/// Makes way for what stands in line behind.
fn leave(desk: &Desk, endpoint: EndpointId) {
    let mut lines = locked(&desk.lines);
    let Some(slot) = lines.slots.get_mut(&endpoint) else { return };
    slot.active = None;
    slot.scheduled = !slot.queue.is_empty();
    if slot.scheduled {
        // At the end: one endpoint's long queue does not keep the others from their turn.
        lines.ready.push_back(endpoint);
        desk.work.notify_one();
    }
}

fn next(desk: &Desk) -> Option<(EndpointId, Task, Arc<Mutex<LedgerFile>>)> {
    let mut lines = locked(&desk.lines);
    while !lines.closed {
        let patience = lines.watch(Instant::now());
        let Some(endpoint) = lines.ready.pop_front() else {
            lines = match patience {
                Some(time) => desk.work.wait_timeout(lines, time).unwrap_or_else(PoisonError::into_inner).0,
                None => desk.work.wait(lines).unwrap_or_else(PoisonError::into_inner),
            };
            continue;
        };
        if let Some(slot) = lines.slots.get_mut(&endpoint) {
            match slot.queue.pop_front() {
                Some(task) => {
                    if let Task::Run(job) = &task {
                        slot.active = Some(job.id);
                    }
                    let ledger = Arc::clone(&slot.ledger);
                    return Some((endpoint, task, ledger));
                }
                // What it was ready for has been recalled.
                None => slot.scheduled = false,
            }
        }
    }
    None
}

fn run(desk: &Desk, ledger: &Mutex<LedgerFile>, job: Job) -> (OrderId, State) {
    let id = job.id;
    locked(ledger).pin();
    let ended = match begin(desk, ledger, &job) {
        Err(failure) => job.entry(State::of(Err(failure))),
        Ok(()) => {
            desk.report(id, ReportKind::Acknowledged);
            let ended = job.entry(State::Done);
            let outcome = guarded(|| (job.run)(&*desk.backend));
            Entry { state: State::of(outcome), ..ended }
        }
    };
    let state = ended.state.clone();
    note(ledger, ended);
    locked(ledger).unpin();
    (id, state)
}

/// Everything that is looked at before an operation: what was cut off before it, fences, the time, and at last that
/// its beginning is on the disk.
fn begin(desk: &Desk, ledger: &Mutex<LedgerFile>, job: &Job) -> Result<(), Failure<'static>> {
    let (cut_off, begun) = locked(ledger)
        .read(|ledger| (ledger.running().cloned(), ledger.fence))
        .map_err(|error| error.failure())?;
    if let Some(entry) = cut_off {
        let recovered = recover(desk, &job.endpoint, ledger, entry);
        if recovered.state == State::Running {
            let detail = format!("order {} is still at work from before a restart", recovered.id);
            return Err(Failure::new(FailureKind::Busy, detail));
        }
        desk.report_outcome(recovered.id, &recovered.state);
    }
    let taken = locked(&desk.lines).slots.get(&job.endpoint).map_or(Fence(0), |slot| slot.fence);
    fenced(job.fence, begun.max(taken))?;
    in_time(desk.clock.now(), job.start_by)?;
    locked(ledger).note(job.entry(State::Running)).map_err(|error| error.failure())
}

fn answer_after_recovery(
    desk: &Desk,
    endpoint: &EndpointId,
    ledger: &Mutex<LedgerFile>,
    id: OrderId,
    answer: Option<Part<Answer>>,
) {
    locked(ledger).pin();
    let known = locked(ledger).read(|ledger| ledger.find(id).cloned());
    let said = match known {
        Ok(None) => Some(QueryAnswer::NeverSeen),
        Ok(Some(entry)) if entry.state == State::Running => {
            let recovered = recover(desk, endpoint, ledger, entry);
            if recovered.state == State::Running {
                desk.watch(endpoint, id);
            }
            // Also where nobody asked: a doubled report does no harm, a missing one costs a deadline.
            desk.report_outcome(id, &recovered.state);
            Some(answer_of(recovered))
        }
        Ok(Some(entry)) => Some(answer_of(entry)),
        Err(LedgerError::InUse) => None,
        Err(error) => Some(QueryAnswer::Failed(error.failure())),
    };
    locked(ledger).unpin();
    if let (Some(answer), Some(said)) = (answer, said) {
        answer.put((id, said));
    }
}

/// Finds out what became of an operation that was cut off, and notes it. Success is what the level shows.
fn recover(desk: &Desk, endpoint: &EndpointId, ledger: &Mutex<LedgerFile>, entry: Entry) -> Entry {
    let found = catch_unwind(AssertUnwindSafe(|| desk.backend.recover(endpoint)))
        .unwrap_or_else(|panic| Recovery::Broken(panicked(&*panic)));
    let outcome = match found {
        Recovery::StillRunning => return entry,
        Recovery::Broken(failure) => Err(failure),
        Recovery::Whole => guarded(|| reached(desk, endpoint, &entry.want)),
    };
    let ended = Entry { state: State::of(outcome), ..entry };
    note(ledger, ended.clone());
    ended
}

fn reached(desk: &Desk, endpoint: &EndpointId, want: &Want) -> Result<(), Failure<'static>> {
    let interrupted = |found: String| {
        Err(Failure::new(FailureKind::Interrupted, format!("cut off by a restart of the host; {found}")))
    };
    let level = |package: &_, version: &String| {
        desk.backend.level(endpoint, &Target { package: Clone::clone(package), version: version.clone() })
    };
    match want {
        Want::Version { package, version } => match level(package, version) {
            Level::Version { version: found, intact: true } if found == *version => Ok(()),
            Level::Version { version, intact } => {
                interrupted(format!("found {version}{}", if intact { "" } else { ", not whole" }))
            }
            Level::Absent => interrupted("found nothing installed".into()),
            Level::Unreadable { detail } => interrupted(format!("the level cannot be read: {detail}")),
        },
        Want::Absent { package, version } => match level(package, version) {
            Level::Absent => Ok(()),
            Level::Version { version, .. } => interrupted(format!("found {version}")),
            Level::Unreadable { detail } => interrupted(format!("the level cannot be read: {detail}")),
        },
        Want::Rebooted if desk.backend.reboot_required(endpoint) => {
            interrupted("a reboot is still required".into())
        }
        Want::Rebooted => Ok(()),
    }
}

fn note(ledger: &Mutex<LedgerFile>, entry: Entry) {
    let id = entry.id;
    if let Err(error) = locked(ledger).note(entry) {
        // The outcome stays in memory and is reported; after a restart the level tells it.
        tracing::error!(order = %id, %error, "an outcome could not be written");
    }
}

fn guarded(operation: impl FnOnce() -> Result<(), Failure<'static>>) -> Result<(), Failure<'static>> {
    catch_unwind(AssertUnwindSafe(operation)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn panicked(panic: &(dyn Any + Send)) -> Failure<'static> {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure::new(FailureKind::Other, format!("the backend panicked: {}", text.unwrap_or("no message")))
}
