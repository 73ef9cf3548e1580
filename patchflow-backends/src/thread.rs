//! One blocking piece of work on a thread of its own, as a future that needs no runtime.

use patchflow_core::sdk::BackendError;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

struct Slot<T> {
    done: Option<T>,
    ended: bool,
    waker: Option<Waker>,
}

/// Marks the slot as ended and wakes the waiter, also when the work panics.
struct Finish<T>(Arc<Mutex<Slot<T>>>);

impl<T> Drop for Finish<T> {
    fn drop(&mut self) {
        let waker = {
            let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slot.ended = true;
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Runs work on a thread of its own. Dropping the future lets the work go on and throws its result away.
///
/// # Errors
/// When no thread could be started, or the work panicked.
pub(crate) async fn on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BackendError> {
    let slot = Arc::new(Mutex::new(Slot { done: None, ended: false, waker: None }));
    let finish = Finish(Arc::clone(&slot));
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let done = work();
        finish.0.lock().unwrap_or_else(PoisonError::into_inner).done = Some(done);
    });
    started
        .map_err(|error| BackendError::retryable("start a thread", Duration::from_secs(5)).because(error))?;
    let ended = poll_fn(move |context| {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.ended {
            return Poll::Ready(slot.done.take());
        }
        slot.waker = Some(context.waker().clone());
        Poll::Pending
    });
    ended.await.ok_or_else(|| BackendError::lasting("finish a reading: its thread panicked"))
}
