//! The small fleets that are explored.

use super::event::name;
use crate::model::Pair;
use crate::oracle::Panel;
use patchflow_core::catalog::{Category, Patch, RebootBehaviour, Severity};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, EndpointSeen, Observation};
use patchflow_core::gate::{Limits, OnMaxHold, Percent};
use patchflow_core::ids::{Actor, CandidateId, EndpointIx};
use patchflow_core::inventory::Environment;
use patchflow_core::plan::RolloutDraft;
use patchflow_core::policy::{
    Amount, Approval, ApprovalRule, OnFailure, OnHalt, PersonApproval, Policy, RingPolicy, RiskFilter,
};
use patchflow_core::schedule::{Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;

macro_rules! smalls {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// A small fleet with its policy, from which an exploration sets out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Small { $($(#[$doc])* $name),+ }

        impl Small {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name at the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

smalls! {
    /// Three endpoints, two rings; one failure is allowed, a busy package manager is tried again, and who failed is
    /// rolled back on a halt by a gate.
    One = "one",
    /// One endpoint for the trial and two in production.
    Trial = "trial",
    /// Two endpoints, two patches.
    Two = "two",
    /// Two endpoints, two rollouts of the same patch.
    Same = "same",
    /// Three endpoints, one operation at a time, one probe, hooks before and after.
    Budget = "budget",
    /// Two endpoints; whoever fails is rolled back, and no failure is allowed.
    Revert = "revert",
    /// Two endpoints, a patch that may want a reboot, and windows that open twice a week.
    Window = "window",
}

/// A Saturday.
fn start() -> Timestamp {
    Timestamp::from_secs(1_795_248_000)
}

impl Small {
    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|small| small.name() == name)
    }

    /// How many endpoints, and how many of them are not in production.
    fn endpoints(self) -> (u32, u32) {
        match self {
            Self::One | Self::Budget => (3, 0),
            Self::Trial => (3, 1),
            Self::Two | Self::Same | Self::Revert | Self::Window => (2, 0),
        }
    }

    fn policy(self) -> Policy {
        let mut policy = Policy::standard(self.name());
        let filter = RiskFilter {
            categories: vec![Category::Security, Category::Bugfix, Category::Feature],
            severities: vec![Severity::Critical, Severity::High, Severity::Moderate, Severity::Low],
        };
        let approval = Approval::Automatic { requires_trial: false, delay_secs: 0 };
        policy.approval = vec![ApprovalRule { name: "rule".into(), when: filter, approval }];
        policy.otherwise = PersonApproval { role: "approver".into(), quorum: 1, expires_secs: 2_000_000_000 };
        if self != Self::Trial {
            (policy.trial.required_for, policy.trial.required_for_reboot) = (vec![], false);
        }
        let gate = Limits {
            max_failures: Some(u32::from(self != Self::Revert)),
            max_failure_percent: None,
            min_success_percent: Percent::whole(0),
            min_verified: 1,
            max_alerts: None,
            bake_secs_min: 600,
            hold_secs_max: 3_600,
            on_max_hold: OnMaxHold::Halt,
            ..patchflow_core::doc::limits()
        };
        policy.rings = vec![RingPolicy::percent("half", 50), RingPolicy::percent("all", 100)];
        for ring in &mut policy.rings {
            ring.gate = gate.clone();
            ring.probe_first = u32::from(self == Self::Budget);
        }
        policy.trial.gate = gate;
        policy.trial.endpoints_max = 1;
        policy.deploy.start_within_secs = 7_200;
        policy.deploy.acknowledge_within_secs = 1_800;
        policy.deploy.report_within_secs = 1_200;
        policy.deploy.inspect_within_secs = 300;
        policy.deploy.expected_secs = 900;
        policy.deploy.reboot_reserve_secs = 300;
        policy.deploy.duration_secs_max = u32::MAX;
        policy.reboot.max_reboots = 8;
        policy.retry.attempts_max = 2;
        policy.retry.on = vec![FailureKind::Busy, FailureKind::Interrupted];
        (policy.retry.backoff_secs, policy.retry.backoff_secs_max) = (300, 300);
        policy.retry.jitter = Percent::whole(0);
        policy.rollback.on_halt = if self == Self::Revert { OnHalt::Rollout } else { OnHalt::Failed };
        policy.rollback.on_failure =
            if self == Self::Revert { OnFailure::RollBack } else { OnFailure::Leave };
        policy.schedule = Schedule::anytime();
        match self {
            Self::Budget => {
                policy.budgets.in_flight_max = Some(Amount::Count { n: 1 });
                policy.deploy.hooks.pre = Some("drain".into());
                policy.deploy.hooks.post = Some("resume".into());
            }
            Self::Window => {
                let window = |day, hour: u16, open_minutes| WeeklyWindow {
                    day,
                    opens_minute: hour * 60,
                    open_minutes,
                };
                let windows = vec![window(Weekday::Saturday, 8, 60), window(Weekday::Sunday, 2, 45)];
                policy.schedule = Schedule::Weekly { windows, freezes: vec![] };
            }
            Self::One | Self::Trial | Self::Two | Self::Same | Self::Revert => {}
        }
        policy
    }

    fn patch(self, which: u8) -> Patch {
        let mut update = patch(if which == 0 { "lib" } else { "tool" }, "2.0");
        update.released = Some(start());
        if self == Self::Window {
            update.reboot = RebootBehaviour::Possible;
        }
        update
    }

    /// The fleet with its first patch under way, as both sides see it.
    ///
    /// # Errors
    /// Where the two part before anything has happened.
    pub fn begin(self, panel: Option<Panel>) -> Result<Pair, String> {
        // A packed deadline is never 0, so nothing is due at the founding itself.
        let founded = Timestamp::from_secs(start().as_secs() - 3_600);
        let mut pair = Pair::found(7, (founded, start()), None, panel);
        let by = |name: &str| Actor::new(name, ["approver"]);
        pair.ask(by("root"), Command::AdoptPolicy { policy: Box::new(self.policy()) });
        let (all, trial) = self.endpoints();
        let seen = |i: u32| {
            let production = i < all - trial;
            let environment = if production { Environment::Production } else { Environment::NonProduction };
            EndpointSeen::new(name(EndpointIx(i)), environment)
        };
        pair.see(Observation::Endpoints { endpoints: Cow::Owned((0..all).map(seen).collect()) });
        pair.publish(self.patch(0));
        match self {
            Self::Two => pair.publish(self.patch(1)),
            Self::Same => {
                pair.ask(by("ada"), Command::Start { draft: RolloutDraft::of(CandidateId(0)) });
            }
            Self::One | Self::Trial | Self::Budget | Self::Revert | Self::Window => {}
        }
        if pair.parted.is_empty() { Ok(pair) } else { Err(pair.difference()) }
    }
}
