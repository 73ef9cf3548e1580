//! Clocks: the system's, which sleeps on one thread of its own, and one that is set by hand.
//!
//! Neither needs an async runtime: sleepers are woken through their wakers. What a clock shows is UTC; it may step
//! back, and the engine copes with that, not this module.

use async_trait::async_trait;
use patchflow_core::sdk::Clock;
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest the timer thread sleeps while somebody waits: a wall clock that was set forward, or a machine that was
/// suspended, is noticed within this time.
const RECHECK: Duration = Duration::from_secs(5);

/// Who waits until when, in the order of time.
#[derive(Debug, Default)]
struct Sleepers {
    next_key: u64,
    by_time: BTreeMap<(Timestamp, u64), Waker>,
}

impl Sleepers {
    fn wake_due(&mut self, now: Timestamp) {
        while let Some(entry) = self.by_time.first_entry() {
            if entry.key().0 > now {
                break;
            }
            entry.remove().wake();
        }
    }
}

/// What both clocks are made of: sleepers behind a lock, and a way to read the time.
trait Face: Send + Sync + 'static {
    fn read(&self) -> Timestamp;
    fn sleepers(&self) -> MutexGuard<'_, Sleepers>;
    fn earliest_changed(&self) {}
}

/// One waiting caller; leaves the list when it is dropped.
struct Sleep<F: Face> {
    face: Arc<F>,
    until: Timestamp,
    key: Option<u64>,
}

impl<F: Face> Future for Sleep<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut sleepers = this.face.sleepers();
        // The time is read under the lock: a clock that moves on afterwards finds this sleeper in the list.
        if this.face.read() >= this.until {
            if let Some(key) = this.key.take() {
                sleepers.by_time.remove(&(this.until, key));
            }
            return Poll::Ready(());
        }
        let key = *this.key.get_or_insert_with(|| {
            sleepers.next_key += 1;
            sleepers.next_key
        });
        sleepers.by_time.insert((this.until, key), cx.waker().clone());
        let earliest =
            sleepers.by_time.first_key_value().is_some_and(|(first, _)| *first == (this.until, key));
        drop(sleepers);
        if earliest {
            this.face.earliest_changed();
        }
        Poll::Pending
    }
}

impl<F: Face> Drop for Sleep<F> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.face.sleepers().by_time.remove(&(self.until, key));
        }
    }
}

/// The system's clock. One thread of its own wakes the sleepers; it ends when the clock is dropped.
///
/// ```
/// use patchflow_backends::clock::SystemClock;
/// use patchflow_core::sdk::Clock;
/// let clock = SystemClock::new()?;
/// futures_lite::future::block_on(clock.sleep_until(clock.now().plus(std::time::Duration::from_millis(5))));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct SystemClock {
    timer: Arc<Timer>,
}

#[derive(Debug, Default)]
struct Timer {
    state: Mutex<Sleepers>,
    changed: Condvar,
    ended: Mutex<bool>,
}

impl SystemClock {
    /// Starts the timer thread.
    ///
    /// # Errors
    /// The operating system's, when it has no thread to give.
    pub fn new() -> std::io::Result<Self> {
        let timer = Arc::new(Timer::default());
        let thread = timer.clone();
        std::thread::Builder::new().name("patchflow-clock".into()).spawn(move || thread.run())?;
        Ok(Self { timer })
    }
}

impl Drop for SystemClock {
    fn drop(&mut self) {
        *self.timer.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        // Taking the sleepers' lock orders this after the thread's look at `ended`, so the notice is not lost.
        drop(self.timer.sleepers());
        self.timer.changed.notify_all();
    }
}

impl Timer {
    fn run(&self) {
        let mut sleepers = self.sleepers();
        loop {
            if *self.ended.lock().unwrap_or_else(PoisonError::into_inner) {
                return;
            }
            let now = self.read();
            sleepers.wake_due(now);
            sleepers = match sleepers.by_time.first_key_value() {
                Some(((first, _), _)) => {
                    let wait = first.since(now).min(RECHECK);
                    self.changed.wait_timeout(sleepers, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(sleepers).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Face for Timer {
    fn read(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Timestamp::default().plus(since),
            Err(before) => {
                let millis = i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX);
                Timestamp::from_millis(millis.saturating_neg())
            }
        }
    }

    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        // The list is whole after every step, also when a thread that held the lock has panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn earliest_changed(&self) {
        self.changed.notify_all();
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.timer.read()
    }

    async fn sleep_until(&self, until: Timestamp) {
        Sleep { face: self.timer.clone(), until, key: None }.await;
    }
}

/// A clock that stands until it is set: for tests and simulations.
///
/// ```
/// use patchflow_backends::clock::ManualClock;
/// use patchflow_core::{sdk::Clock, time::Timestamp};
/// let clock = ManualClock::at(Timestamp::from_secs(1_000));
/// clock.advance(std::time::Duration::from_secs(60));
/// assert_eq!(clock.now(), Timestamp::from_secs(1_060));
/// assert_eq!(clock.next_sleeper(), None);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    hand: Arc<Hand>,
}

#[derive(Debug)]
struct Hand {
    now: Mutex<Timestamp>,
    state: Mutex<Sleepers>,
}

impl ManualClock {
    /// A clock that shows this time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { hand: Arc::new(Hand { now: Mutex::new(now), state: Mutex::default() }) }
    }

    /// Sets it, forward or back, and wakes who is due.
    pub fn set(&self, now: Timestamp) {
        let mut sleepers = self.hand.sleepers();
        *self.hand.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
        sleepers.wake_due(now);
    }

    /// Moves it forward and wakes who is due.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// The earliest time that somebody sleeps until; `None` when nobody sleeps.
    #[must_use]
    pub fn next_sleeper(&self) -> Option<Timestamp> {
        self.hand.sleepers().by_time.first_key_value().map(|((until, _), _)| *until)
    }
}

impl Face for Hand {
    fn read(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.hand.read()
    }

    async fn sleep_until(&self, until: Timestamp) {
        Sleep { face: self.hand.clone(), until, key: None }.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once, zip};

    #[test]
    fn a_sleeper_of_the_system_clock_is_woken_in_time_order() {
        let clock = SystemClock::new().unwrap();
        let start = clock.now();
        let (late, early) = (start.plus(Duration::from_millis(30)), start.plus(Duration::from_millis(10)));
        block_on(zip(clock.sleep_until(late), clock.sleep_until(early)));
        assert!(clock.now() >= late);
        assert!(clock.timer.sleepers().by_time.is_empty());
    }

    #[test]
    fn the_timer_thread_ends_with_its_clock() {
        let clock = SystemClock::new().unwrap();
        let timer = Arc::downgrade(&clock.timer);
        drop(clock);
        // Each look yields; the thread needs only be scheduled once. A thread that never ends hangs the test.
        while timer.strong_count() > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_manual_clock_wakes_at_the_time_and_not_before() {
        let clock = ManualClock::at(Timestamp::from_secs(10));
        let mut sleep = Box::pin(clock.sleep_until(Timestamp::from_secs(20)));
        assert_eq!(block_on(poll_once(&mut sleep)), None);
        assert_eq!(clock.next_sleeper(), Some(Timestamp::from_secs(20)));
        clock.set(Timestamp::from_secs(19));
        assert_eq!(block_on(poll_once(&mut sleep)), None);
        clock.set(Timestamp::from_secs(5));
        assert_eq!(block_on(poll_once(&mut sleep)), None);
        clock.set(Timestamp::from_secs(20));
        assert_eq!(block_on(poll_once(&mut sleep)), Some(()));
        assert_eq!(clock.next_sleeper(), None);
    }

    #[test]
    fn a_sleep_that_is_dropped_leaves_nothing_behind() {
        let clock = ManualClock::at(Timestamp::from_secs(0));
        let mut sleep = Box::pin(clock.sleep_until(Timestamp::from_secs(20)));
        assert_eq!(block_on(poll_once(&mut sleep)), None);
        drop(sleep);
        assert_eq!(clock.next_sleeper(), None);
    }
}
