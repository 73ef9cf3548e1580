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

/// Runs something several times, each on a value made for it. Neither making that value nor dropping the result is
/// timed.
pub fn sample<S, T>(runs: usize, mut prepare: impl FnMut() -> S, mut run: impl FnMut(S) -> T) -> Sample {
    let mut took = Vec::with_capacity(runs);
    for _ in 0..runs.max(1) {
        let prepared = black_box(prepare());
        let start = Instant::now();
        let result = run(prepared);
        took.push(start.elapsed());
        drop(black_box(result));
    }
    Sample::of(took)
}
