//! A few threads for what blocks, and a future for a batch of it. No executor is needed or assumed.
//!
//! Threads start when there is work, at most so many, and end when the pool is dropped; one that is in the middle of
//! a job ends after it, which the job's own time-outs bound.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};

type Job = Box<dyn FnOnce() + Send>;

pub(super) struct Pool {
    shared: Arc<Shared>,
    threads_max: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Pool {
    pub(super) fn new(threads_max: usize) -> Self {
        Self { shared: Arc::default(), threads_max: threads_max.max(1) }
    }

    /// Carries out some jobs and returns their answers in order; `None` for one that panicked, or for which no thread
    /// could be had. Dropping the future drops the jobs that have not begun.
    pub(super) fn run<T, J>(&self, jobs: Vec<J>) -> impl Future<Output = Vec<Option<T>>> + use<T, J>
    where
        T: Send + 'static,
        J: FnOnce() -> T + Send + 'static,
    {
        let batch = Arc::new(Batch {
            state: Mutex::new(BatchState {
                answers: jobs.iter().map(|_| None).collect(),
                open: jobs.len(),
                waker: None,
            }),
        });
        for (at, job) in jobs.into_iter().enumerate() {
            let slot = Slot { batch: Arc::downgrade(&batch), at };
            self.submit(Box::new(move || {
                if slot.batch.strong_count() > 0 {
                    slot.fill(job());
                }
            }));
        }
        poll_fn(move |cx| {
            let mut state = lock(&batch.state);
            if state.open == 0 {
                return Poll::Ready(std::mem::take(&mut state.answers));
            }
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    fn submit(&self, job: Job) {
        let mut queue = lock(&self.shared.queue);
        queue.jobs.push_back(job);
        let wanted = queue.jobs.len() > queue.idle && queue.threads < self.threads_max;
        if wanted {
            let shared = self.shared.clone();
            let started =
                std::thread::Builder::new().name("patchflow-probe".into()).spawn(move || work(&shared));
            match started {
                Ok(_) => queue.threads += 1,
                // With other threads at work the job waits for them; with none it would wait for ever.
                Err(_) if queue.threads == 0 => {
                    let given_up = std::mem::take(&mut queue.jobs);
                    drop(queue);
                    drop(given_up);
                    return;
                }
                Err(_) => {}
            }
        }
        drop(queue);
        self.shared.ready.notify_one();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = lock(&self.shared.queue);
        queue.closed = true;
        let abandoned = std::mem::take(&mut queue.jobs);
        drop(queue);
        drop(abandoned);
        self.shared.ready.notify_all();
    }
}

fn work(shared: &Shared) {
    let mut queue = lock(&shared.queue);
    loop {
        if let Some(job) = queue.jobs.pop_front() {
            drop(queue);
            // A job that panics answers nothing, which its caller sees; the thread goes on with the next one.
            let _ = catch_unwind(AssertUnwindSafe(job));
            queue = lock(&shared.queue);
        } else if queue.closed {
            return;
        } else {
            queue.idle += 1;
            queue = shared.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}

struct Batch<T> {
    state: Mutex<BatchState<T>>,
}

struct BatchState<T> {
    answers: Vec<Option<T>>,
    open: usize,
    waker: Option<Waker>,
}

/// The place of one answer. Dropping it, filled or not, counts as the end of its job.
struct Slot<T> {
    batch: Weak<Batch<T>>,
    at: usize,
}

impl<T> Slot<T> {
    fn fill(&self, answer: T) {
        if let Some(batch) = self.batch.upgrade()
            && let Some(place) = lock(&batch.state).answers.get_mut(self.at)
        {
            *place = Some(answer);
        }
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        let Some(batch) = self.batch.upgrade() else { return };
        let mut state = lock(&batch.state);
        state.open -= 1;
        let waker = if state.open == 0 { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Nothing here leaves a lock half-changed, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
