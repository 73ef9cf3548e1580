//! What is tried again (semantics S13).

use super::Say;
use super::defaults::HOUR;
use crate::error::FailureKind;
use crate::gate::Percent;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What is tried again (semantics S13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// The greatest number of attempts, the first included; not 0.
    pub attempts_max: u8,
    /// The failures that can get better by themselves.
    pub on: Vec<FailureKind>,
    /// Before the second attempt, in seconds; doubled for each further one.
    pub backoff_secs: u32,
    /// The longest wait, in seconds.
    pub backoff_secs_max: u32,
    /// Up to this share is added to a wait, by the stable hash of order and attempt.
    pub jitter: Percent,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let on = vec![
            FailureKind::Busy,
            FailureKind::Network,
            FailureKind::Disk,
            FailureKind::Timeout,
            FailureKind::Interrupted,
        ];
        Self {
            attempts_max: 3,
            on,
            backoff_secs: 300,
            backoff_secs_max: 6 * HOUR,
            jitter: Percent::whole(20),
        }
    }
}

impl RetryPolicy {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        if self.attempts_max == 0 {
            say("retry.attempts_max".into(), "0 attempts install nothing; 1 is the least");
        }
        if self.backoff_secs_max < self.backoff_secs {
            say("retry.backoff_secs_max".into(), "less than backoff_secs");
        }
    }
}
