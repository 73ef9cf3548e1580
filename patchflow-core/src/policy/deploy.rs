//! How orders are issued and awaited (semantics S3, S6, S12).

use super::defaults::HOUR;
use super::{HookPolicy, Say};
use alloc::format;
use serde::{Deserialize, Serialize};

/// How orders are issued and awaited (semantics S3, S6, S12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployPolicy {
    /// Whether an approved candidate starts by itself.
    pub start: StartMode,
    /// The greatest number of operations under way in one rollout; not 0.
    pub in_flight_max: u32,
    /// A member that could not start for so long after its ring opened is deferred, in seconds.
    pub start_within_secs: u32,
    /// An order that is not acknowledged within so many seconds goes back to waiting.
    pub acknowledge_within_secs: u32,
    /// From acknowledgement to report, in seconds; later is unknown.
    pub report_within_secs: u32,
    /// What an operation is expected to take, in seconds; it must fit into the window with the reserve.
    pub expected_secs: u32,
    /// What a reboot is expected to take, in seconds, added when the patch may ask for one.
    pub reboot_reserve_secs: u32,
    /// How long after a report the inventory may take to show the level, in seconds.
    pub inspect_within_secs: u32,
    /// Above this silence of the host itself, outstanding orders are asked after before anything else, in seconds.
    pub resync_after_secs: u32,
    /// What runs on an endpoint before and after.
    pub hooks: HookPolicy,
}

/// Whether an approved candidate starts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartMode {
    /// As soon as it is approved, over every production endpoint that needs it.
    WhenApproved,
    /// When somebody asks for it.
    OnRequest,
}

impl Default for DeployPolicy {
    fn default() -> Self {
        Self {
            start: StartMode::OnRequest,
            in_flight_max: 1000,
            start_within_secs: 72 * HOUR,
            acknowledge_within_secs: 24 * HOUR,
            report_within_secs: 2 * HOUR,
            expected_secs: HOUR / 2,
            reboot_reserve_secs: HOUR / 4,
            inspect_within_secs: HOUR,
            resync_after_secs: 15 * 60,
            hooks: HookPolicy::default(),
        }
    }
}

impl DeployPolicy {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        self.hooks.check(say);
        for (name, value) in [
            ("in_flight_max", self.in_flight_max),
            ("start_within_secs", self.start_within_secs),
            ("acknowledge_within_secs", self.acknowledge_within_secs),
            ("report_within_secs", self.report_within_secs),
            ("inspect_within_secs", self.inspect_within_secs),
            ("resync_after_secs", self.resync_after_secs),
        ] {
            if value == 0 {
                say(format!("deploy.{name}"), "0 lets nothing happen; 1 is the least");
            }
        }
    }
}
