//! What runs on an endpoint before and after its operation: drain and resume (semantics S12).

use super::Say;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Hooks around an operation, by the names under which the host knows them. Each must bear being run twice: after a
/// crash it is asked for again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookPolicy {
    /// Before the order, before a reboot that comes first, and before what was verified is rolled back, such as `drain`.
    /// When it fails or is late, the endpoint is not started but deferred; catch-up runs it anew after the waits of
    /// [`RetryPolicy`](super::RetryPolicy). Before a rollback it is run anew as often as an install is tried, and then an
    /// operator is called.
    pub pre: Option<String>,
    /// How long it may take, in seconds; not 0.
    pub pre_secs_max: u32,
    /// After verification or rollback, and when nothing came of the order, such as `resume`. When it fails or is late,
    /// people are told, and an availability group goes on counting the endpoint as unavailable.
    pub post: Option<String>,
    /// How long it may take, in seconds; not 0.
    pub post_secs_max: u32,
}

impl Default for HookPolicy {
    /// None; ten minutes for each where there is one.
    fn default() -> Self {
        Self { pre: None, pre_secs_max: 600, post: None, post_secs_max: 600 }
    }
}

impl HookPolicy {
    /// What both together may take, in seconds.
    pub(crate) fn secs_max(&self) -> u64 {
        let of = |hook: &Option<String>, secs: u32| if hook.is_some() { u64::from(secs) } else { 0 };
        of(&self.pre, self.pre_secs_max) + of(&self.post, self.post_secs_max)
    }

    pub(super) fn check(&self, say: &mut Say<'_>) {
        for (name, secs) in [("pre_secs_max", self.pre_secs_max), ("post_secs_max", self.post_secs_max)] {
            if secs == 0 {
                say(alloc::format!("deploy.hooks.{name}"), "0 lets no hook be in time; 1 is the least");
            }
        }
        for (name, hook) in [("pre", &self.pre), ("post", &self.post)] {
            if hook.as_ref().is_some_and(|hook| hook.trim().is_empty()) {
                say(alloc::format!("deploy.hooks.{name}"), "an empty name names no hook");
            }
        }
    }
}
