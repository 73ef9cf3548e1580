//! Who shares a commit, and what becomes of queued appends.

use super::{Results, Threads, Writer};
use crate::store::stream::receipt;
use futures_channel::oneshot;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{Record, RecordKind, Tail};
use patchflow_core::sdk::{Append, AppendError, Retry};
use patchflow_core::time::Timestamp;
use pollster::block_on;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

/// Tells that a commit began, waits to be let go on, and notes how many appends it had.
struct Gated {
    begun: Sender<()>,
    go: Receiver<()>,
    sizes: Arc<Mutex<Vec<usize>>>,
}

impl Writer for Gated {
    fn commit(&mut self, appends: &[&Append]) -> Results {
        self.begun.send(()).unwrap();
        self.go.recv().expect("nobody lets the commit go on");
        self.sizes.lock().unwrap().push(appends.len());
        appends.iter().map(|append| Ok(receipt(append))).collect()
    }
}

struct Gate {
    threads: Threads<Gated, ()>,
    begun: Receiver<()>,
    go: Sender<()>,
    sizes: Arc<Mutex<Vec<usize>>>,
}

fn gate() -> Gate {
    let (told, begun) = channel();
    let (go, wait) = channel();
    let sizes = Arc::default();
    let writer = Gated { begun: told, go: wait, sizes: Arc::clone(&sizes) };
    Gate { threads: Threads::start(writer, ()).unwrap(), begun, go, sizes }
}

fn append_to(fleet: u64) -> Append {
    let record = Record {
        kind: RecordKind::Rich,
        first: Seq(1),
        last: Seq(1),
        at: Timestamp::from_secs(0),
        header: vec![0; 96],
        payload: None,
        head: Tail::EMPTY.head,
    };
    Append { fleet: FleetId(fleet), expected: Tail::EMPTY, records: vec![record] }
}

/// Begins an append: it is queued when this returns.
fn begin<'a>(
    threads: &'a Threads<Gated, ()>,
    batch: &'a [Append],
) -> Pin<Box<dyn Future<Output = Results> + Send + 'a>> {
    let mut call = Box::pin(threads.append(batch));
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    call
}

#[test]
fn appends_that_come_during_a_commit_share_the_next_one() {
    let gate = gate();
    let batches: Vec<[Append; 1]> = (0..9).map(|fleet| [append_to(fleet)]).collect();
    let first = begin(&gate.threads, &batches[0]);
    gate.begun.recv().unwrap();
    let rest: Vec<_> = batches[1..].iter().map(|batch| begin(&gate.threads, batch)).collect();
    for _ in 0..2 {
        gate.go.send(()).unwrap();
    }
    for (call, batch) in [first].into_iter().chain(rest).zip(&batches) {
        let results = block_on(call);
        assert_eq!(results.len(), 1);
        assert_eq!(results[0].as_ref().unwrap().fleet, batch[0].fleet);
    }
    assert_eq!(*gate.sizes.lock().unwrap(), [1, 8]);
}

#[test]
fn a_dropped_store_finishes_what_is_queued() {
    let gate = gate();
    let batch = [append_to(1), append_to(2)];
    drop(begin(&gate.threads, &batch));
    gate.go.send(()).unwrap();
    drop(gate.threads);
    assert_eq!(*gate.sizes.lock().unwrap(), [2]);
}

#[test]
fn an_append_to_a_thread_that_ended_fails_for_good() {
    let gate = gate();
    // The task's answer is lost with the thread.
    let (told, ended) = oneshot::channel::<()>();
    let task = block_on(gate.threads.write(move |_: &mut Gated| -> Result<(), _> {
        let _told = told;
        std::panic::resume_unwind(Box::new("the writer's thread ends"))
    }));
    assert_eq!(task.unwrap_err().retry, Retry::Never);
    assert!(block_on(ended).is_err());
    let results = block_on(gate.threads.append(&[append_to(1)]));
    let [Err(AppendError::Failed(error))] = &results[..] else { panic!("{results:?}") };
    assert_eq!(error.retry, Retry::Never);
}
