//! Medians of some runs, each on a fresh value.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The median of some runs, and how far they lie apart.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The median.
    pub median: Duration,
    /// The fastest run.
    pub fastest: Duration,
    /// The slowest run.
    pub slowest: Duration,
}

impl Sample {
    /// The sample of some durations; there is at least one.
    #[must_use]
    pub fn of(mut runs: Vec<Duration>) -> Self {
        assert!(!runs.is_empty(), "a sample needs a run");
        runs.sort_unstable();
        Self { median: runs[runs.len() / 2], fastest: runs[0], slowest: runs[runs.len() - 1] }
    }

    /// How many a second, by the median.
    #[must_use]
    pub fn per_second(&self, things: u64) -> f64 {
        things as f64 / self.median.as_secs_f64()
    }

    /// How many times as long as another, by the medians.
    #[must_use]
    pub fn ratio_to(&self, other: &Self) -> f64 {
        self.median.as_secs_f64() / other.median.as_secs_f64()
    }
}

/// Time that this thread has had a processor for, where the kernel tells it, else time that has passed: what others do
/// on the machine at the same time counts only as far as they take caches and memory away.
#[derive(Clone, Copy, Debug)]
pub struct Lap {
    began: Instant,
    had: Option<Duration>,
}

impl Lap {
    /// Begins.
    #[must_use]
    pub fn start() -> Self {
        Self { had: processor_time(), began: Instant::now() }
    }

    /// How long it has taken.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let passed = self.began.elapsed();
        let worked = processor_time().zip(self.had).map(|(now, had)| now.saturating_sub(had));
        // The kernel brings its count up to date with each tick only.
        worked.filter(|_| passed > Duration::from_millis(50)).unwrap_or(passed)
    }
}

fn processor_time() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Runs something several times, each on a value made for it. Neither making that value nor dropping the result is
/// timed.
pub fn sample<S, T>(runs: usize, mut prepare: impl FnMut() -> S, mut run: impl FnMut(S) -> T) -> Sample {
    let mut took = Vec::with_capacity(runs);
    for _ in 0..runs.max(1) {
        let prepared = black_box(prepare());
        let start = Lap::start();
        let result = run(prepared);
        took.push(start.elapsed());
        drop(black_box(result));
    }
    Sample::of(took)
}
