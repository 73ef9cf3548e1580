//! The two threads of a store on disk: one writes, one reads, and the caller's futures only wait for their answers.
//!
//! The writer takes everything that is queued into one commit, so that appenders who come while a commit is under way
//! share the next one. Nothing here knows what is stored. Invariant: every append that was queued is answered, or its
//! answer is seen to be lost.

use futures_channel::oneshot;
use patchflow_core::fleet::Persisted;
use patchflow_core::sdk::{Append, AppendError, BackendError};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{Builder, JoinHandle};

/// A commit takes no further appends once it holds this much: it bounds the memory of a commit and how long the first
/// of its appenders waits, and is far above what one fsync costs.
const COMMIT_BYTES_MAX: usize = 32 << 20;

pub(super) type Results = Vec<Result<Persisted, AppendError>>;

/// What writes.
pub(super) trait Writer: Send + 'static {
    /// Stores some appends in one commit: one result for each, in their order.
    fn commit(&mut self, appends: &[&Append]) -> Results;
}

type Task<W> = Box<dyn FnOnce(&mut W) + Send>;

enum Job<W> {
    Append(Vec<Append>, oneshot::Sender<Results>),
    Task(Task<W>),
}

/// The threads of one store. Dropping it lets them finish what is queued, and waits for that.
pub(super) struct Threads<W, R> {
    writer: Option<Sender<Job<W>>>,
    reader: Option<Sender<Task<R>>>,
    handles: Vec<JoinHandle<()>>,
}

impl<W: Writer, R: Send + 'static> Threads<W, R> {
    pub(super) fn start(mut writer: W, mut reader: R) -> Result<Self, BackendError> {
        let (to_writer, jobs) = mpsc::channel();
        let (to_reader, tasks) = mpsc::channel::<Task<R>>();
        let mut threads = Self { writer: Some(to_writer), reader: Some(to_reader), handles: Vec::new() };
        threads.spawn("patchflow-journal-writer", move || write_all(&mut writer, &jobs))?;
        threads.spawn("patchflow-journal-reader", move || {
            for task in tasks {
                task(&mut reader);
            }
        })?;
        Ok(threads)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), BackendError> {
        let handle = Builder::new()
            .name(name.into())
            .spawn(run)
            .map_err(|error| BackendError::lasting("start a thread of the journal store").because(error))?;
        self.handles.push(handle);
        Ok(())
    }

    pub(super) async fn append(&self, batch: &[Append]) -> Results {
        if batch.is_empty() {
            return Vec::new();
        }
        let (answer, results) = oneshot::channel();
        if let Some(queue) = &self.writer {
            // A queue without its thread drops the job, and with it the answer.
            let _ = queue.send(Job::Append(batch.to_vec(), answer));
        }
        match results.await {
            Ok(results) => results,
            Err(oneshot::Canceled) => batch.iter().map(|_| Err(thread_ended().into())).collect(),
        }
    }

    /// Runs a task on the writer's thread, after what was queued before it.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut W) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, BackendError> {
        let (answer, result) = oneshot::channel();
        if let Some(queue) = &self.writer {
            // An answer that nobody waits for any more is dropped.
            let _ = queue.send(Job::Task(Box::new(move |writer| drop(answer.send(task(writer))))));
        }
        result.await.unwrap_or_else(|oneshot::Canceled| Err(thread_ended()))
    }

    /// Runs a task on the reader's thread.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut R) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, BackendError> {
        let (answer, result) = oneshot::channel();
        if let Some(queue) = &self.reader {
            let _ = queue.send(Box::new(move |reader| drop(answer.send(task(reader)))));
        }
        result.await.unwrap_or_else(|oneshot::Canceled| Err(thread_ended()))
    }
}

impl<W, R> Drop for Threads<W, R> {
    fn drop(&mut self) {
        self.writer = None;
        self.reader = None;
        for handle in self.handles.drain(..) {
            // A thread that panicked has nothing left to finish.
            let _ = handle.join();
        }
    }
}

fn thread_ended() -> BackendError {
    BackendError::lasting("reach the thread of the journal store: it has ended; open the store again")
}

fn write_all<W: Writer>(writer: &mut W, jobs: &Receiver<Job<W>>) {
    while let Ok(job) = jobs.recv() {
        let mut group = Vec::new();
        let mut bytes = 0_usize;
        let mut next = Some(job);
        while let Some(job) = next.take() {
            match job {
                Job::Append(batch, answer) => {
                    bytes = batch.iter().map(bytes_of).fold(bytes, usize::saturating_add);
                    group.push((batch, answer));
                    if bytes < COMMIT_BYTES_MAX {
                        next = jobs.try_recv().ok();
                    }
                }
                Job::Task(task) => {
                    commit(writer, std::mem::take(&mut group));
                    task(writer);
                }
            }
        }
        commit(writer, group);
    }
}

fn bytes_of(append: &Append) -> usize {
    let of = |record: &patchflow_core::journal::Record| {
        record.header.len() + record.payload.as_ref().map_or(0, Vec::len)
    };
    append.records.iter().map(of).sum()
}

fn commit<W: Writer>(writer: &mut W, group: Vec<(Vec<Append>, oneshot::Sender<Results>)>) {
    if group.is_empty() {
        return;
    }
    let appends: Vec<&Append> = group.iter().flat_map(|(batch, _)| batch).collect();
    let mut results = writer.commit(&appends).into_iter();
    for (batch, answer) in group {
        // Nobody waits any more when the appender's future was dropped; what it queued is stored all the same.
        let _ = answer.send(results.by_ref().take(batch.len()).collect());
    }
}

/// One failure as the result of every append of a commit.
pub(super) fn failed(error: BackendError, appends: usize) -> Results {
    let BackendError { doing, retry, source, .. } = error;
    let source: Option<Arc<dyn Error + Send + Sync>> = source.map(Arc::from);
    let copy = || {
        let mut copy = BackendError::lasting(doing.clone());
        copy.retry = retry;
        match &source {
            Some(source) => copy.because(Shared(Arc::clone(source))),
            None => copy,
        }
    };
    (0..appends).map(|_| Err(copy().into())).collect()
}

/// A cause that several errors have in common; it prints as the cause itself.
#[derive(Debug)]
struct Shared(Arc<dyn Error + Send + Sync>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests;
