//! From blocking threads to futures, without a runtime: answers gathered from several threads, and a mailbox that
//! loses nothing when a reader goes away.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Locks, and takes what a panicking thread left behind: every critical section here leaves whole data at each step.
pub(super) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct GatherState<T> {
    items: Vec<T>,
    parts: usize,
    waker: Option<Waker>,
}

/// One thread's share of a gathered answer. Dropped without an item it counts as given: nobody waits for ever.
pub(crate) struct Part<T>(Arc<Mutex<GatherState<T>>>);

impl<T> Part<T> {
    pub(crate) fn put(self, item: T) {
        locked(&self.0).items.push(item);
    }
}

impl<T> Clone for Part<T> {
    fn clone(&self) -> Self {
        locked(&self.0).parts += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Part<T> {
    fn drop(&mut self) {
        let mut state = locked(&self.0);
        state.parts -= 1;
        if state.parts == 0
            && let Some(waker) = state.waker.take()
        {
            drop(state);
            waker.wake();
        }
    }
}

/// Items that several threads give, in the order they come; ready when the last [`Part`] is gone.
pub(crate) fn gather<T>() -> (Part<T>, impl Future<Output = Vec<T>>) {
    let state = Arc::new(Mutex::new(GatherState { items: Vec::new(), parts: 1, waker: None }));
    let part = Part(Arc::clone(&state));
    let all = poll_fn(move |context: &mut Context<'_>| {
        let mut state = locked(&state);
        if state.parts == 0 {
            return Poll::Ready(std::mem::take(&mut state.items));
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    });
    (part, all)
}

/// Things that wait for a reader. They leave only into the hands of a reader that is ready to take them.
pub(super) struct Mailbox<T> {
    state: Mutex<MailboxState<T>>,
}

struct MailboxState<T> {
    items: VecDeque<T>,
    wakers: Vec<Waker>,
}

impl<T> Mailbox<T> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(MailboxState { items: VecDeque::new(), wakers: Vec::new() }) }
    }

    pub(super) fn put(&self, item: T) {
        let mut state = locked(&self.state);
        state.items.push_back(item);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until there is something, and takes all there is.
    pub(super) fn take(&self) -> impl Future<Output = Vec<T>> + '_ {
        poll_fn(move |context| {
            let mut state = locked(&self.state);
            if state.items.is_empty() {
                if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                    state.wakers.push(context.waker().clone());
                }
                return Poll::Pending;
            }
            Poll::Ready(state.items.drain(..).collect())
        })
    }
}
