//! A few threads and a queue of things to do: nothing more.

use super::reply::locked;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

type Chore = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    chores: VecDeque<Chore>,
    closed: bool,
}

/// Threads that do what is put into their queue. Closed when dropped: what had not begun is forgotten.
pub(crate) struct Pool {
    shared: Arc<(Mutex<Queue>, Condvar)>,
}

impl Pool {
    pub(crate) fn new(name: &str, threads: usize) -> io::Result<Self> {
        let pool = Self { shared: Arc::default() };
        for _ in 0..threads.max(1) {
            let shared = Arc::clone(&pool.shared);
            thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared))?;
        }
        Ok(pool)
    }

    pub(crate) fn put(&self, chore: impl FnOnce() + Send + 'static) {
        let mut queue = locked(&self.shared.0);
        if !queue.closed {
            queue.chores.push_back(Box::new(chore));
            self.shared.1.notify_one();
        }
    }

    fn close(&self) {
        let mut queue = locked(&self.shared.0);
        queue.closed = true;
        let forgotten = std::mem::take(&mut queue.chores);
        self.shared.1.notify_all();
        drop(queue);
        // Outside the lock: a chore's answer wakes somebody when it is dropped.
        drop(forgotten);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

fn work(shared: &(Mutex<Queue>, Condvar)) {
    let mut queue = locked(&shared.0);
    while !queue.closed {
        match queue.chores.pop_front() {
            Some(chore) => {
                drop(queue);
                if catch_unwind(AssertUnwindSafe(chore)).is_err() {
                    tracing::error!("a backend panicked");
                }
                queue = locked(&shared.0);
            }
            None => queue = shared.1.wait(queue).unwrap_or_else(PoisonError::into_inner),
        }
    }
}
