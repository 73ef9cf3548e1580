//! The story: three applications and their updates, the fleet, the policy.
//!
//! * `tls-lib` gets a good update that its archive calls nothing in particular. An advisory of the feed says which
//!   weakness it closes: critical, tried, approved by rule, rolled out to everybody.
//! * `agent-tools` gets a repair whose maintainer script fails on some endpoints: once on a few, which the retry
//!   heals, and always on fewer, which is reported.
//! * `shop-api` gets a feature that passes its trial and does not start where a production configuration is: halted in
//!   the pilot ring, rolled back, held.

use crate::args::Speed;
use patchflow_core::catalog::{Category, Severity};
use patchflow_core::error::FailureKind;
use patchflow_core::gate::{Limits, OnMaxHold, Percent};
use patchflow_core::policy::{
    Approval, ApprovalRule, DeployPolicy, OnFailure, OnHalt, PersonApproval, Policy, RetryPolicy, RingPolicy,
    RiskFilter, RollbackPolicy, StartMode, TrialPolicy,
};
use patchflow_core::schedule::Schedule;

/// One application with the version that is there and the update to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct App {
    pub(crate) package: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) title: &'static str,
    pub(crate) category: Category,
    pub(crate) severity: Severity,
}

/// What the feed says of the good update; its archive says nothing of the kind.
pub(crate) const ADVISORY: (&str, &str, &str) =
    ("LSA-2026-1", "CVE-2026-90001", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H");

impl App {
    /// The name of the patch, as sources derive it.
    pub(crate) fn patch(&self) -> String {
        format!("{}={}", self.package, self.to)
    }
}

pub(crate) const GOOD: App = App {
    package: "tls-lib",
    from: "3.0.21-1",
    to: "3.0.22-1",
    title: "closes a remotely usable hole in the handshake",
    category: Category::Security,
    severity: Severity::Unknown,
};

pub(crate) const FLAKY: App = App {
    package: "agent-tools",
    from: "5.1-1",
    to: "5.2-1",
    title: "repairs a leak in the log reader",
    category: Category::Bugfix,
    severity: Severity::Moderate,
};

pub(crate) const BAD: App = App {
    package: "shop-api",
    from: "2.3-1",
    to: "2.4-1",
    title: "adds price rules per region",
    category: Category::Feature,
    severity: Severity::High,
};

pub(crate) const APPS: [App; 3] = [GOOD, FLAKY, BAD];

/// The role whose holders approve what no rule approves.
pub(crate) const ROLE: &str = "change-manager";

/// How often an install is tried. More than the usual three: whoever tries whether the quickstart bears being killed
/// cuts off what is under way, and each of these is an attempt, too.
pub(crate) const ATTEMPTS: u8 = 8;

/// Where production hosts keep what the bad update cannot read, from the host's root.
pub(crate) const PRODUCTION_CONFIG: &str = "/etc/shop/production.conf";

/// Where the flaky update's script looks how often it is to fail, from the host's root.
pub(crate) const FAULT: &str = "/etc/lab/agent-tools-fails";

/// A host of the fleet, before it is made.
#[derive(Clone, Debug)]
pub(crate) struct HostPlan {
    pub(crate) id: String,
    pub(crate) production: bool,
    pub(crate) scope: &'static str,
}

/// A quarter of the fleet is non-production, the rest stands in three sites.
pub(crate) fn hosts(endpoints: u32) -> Vec<HostPlan> {
    let test = endpoints / 4;
    (0..endpoints)
        .map(|i| {
            let production = i >= test;
            let id =
                if production { format!("shop-{:02}", i - test + 1) } else { format!("test-{:02}", i + 1) };
            let scope = if production {
                ["acme/berlin", "acme/lyon", "acme/oslo"][i as usize % 3]
            } else {
                "acme/lab"
            };
            HostPlan { id, production, scope }
        })
        .collect()
}

/// The playbook, with a bake of seconds where days would stand.
pub(crate) fn policy(speed: Speed) -> Policy {
    let bake_secs_min = speed.bake_secs();
    let gate = |failure_percent: u32, success_percent: u32| Limits {
        max_failures: None,
        max_failure_percent: Some(Percent::whole(failure_percent)),
        min_started: 0,
        min_success_percent: Percent::whole(success_percent),
        min_verified: 1,
        max_alerts: None,
        bake_secs_min,
        hold_secs_max: 600,
        on_max_hold: OnMaxHold::Halt,
        ..Limits::default()
    };
    let ring = |name: &str, cumulative: u32, gate: Limits| RingPolicy {
        gate,
        ..RingPolicy::percent(name, cumulative)
    };
    let everything = RiskFilter {
        categories: vec![
            Category::Security,
            Category::Bugfix,
            Category::Feature,
            Category::Driver,
            Category::Firmware,
        ],
        severities: vec![
            Severity::Unknown,
            Severity::Low,
            Severity::Moderate,
            Severity::High,
            Severity::Critical,
        ],
    };
    Policy {
        trial: TrialPolicy {
            required_for: vec![everything],
            required_for_reboot: true,
            endpoints_max: 6,
            gate: Limits { max_failures: Some(0), ..gate(5, 100) },
            ..TrialPolicy::default()
        },
        approval: vec![ApprovalRule {
            name: "critical security after a passed trial".into(),
            when: RiskFilter { categories: vec![Category::Security], severities: vec![Severity::Critical] },
            approval: Approval::Automatic { requires_trial: true, delay_secs: 0 },
        }],
        otherwise: PersonApproval { role: ROLE.into(), quorum: 1, expires_secs: 7 * 24 * 3600 },
        rings: vec![
            ring("pilot", 5, Limits { max_failures: Some(0), ..gate(5, 100) }),
            ring("early", 25, gate(25, 75)),
            ring("half", 50, gate(25, 75)),
            ring("broad", 100, gate(40, 60)),
        ],
        single_ring: None,
        deploy: DeployPolicy {
            start: StartMode::WhenApproved,
            in_flight_max: 8,
            start_within_secs: 600,
            acknowledge_within_secs: 60,
            report_within_secs: 300,
            expected_secs: 30,
            reboot_reserve_secs: 30,
            inspect_within_secs: 60,
            resync_after_secs: 900,
            ..DeployPolicy::default()
        },
        retry: RetryPolicy {
            attempts_max: ATTEMPTS,
            // A maintainer script that fails rarely heals by itself; here one does, and the policy says so.
            on: vec![
                FailureKind::Busy,
                FailureKind::Network,
                FailureKind::Timeout,
                FailureKind::Interrupted,
                FailureKind::ScriptFailed,
            ],
            backoff_secs: 1,
            backoff_secs_max: 1,
            jitter: Percent::whole(0),
        },
        rollback: RollbackPolicy {
            on_failure: OnFailure::RollBack,
            on_halt: OnHalt::Ring,
            ..RollbackPolicy::default()
        },
        schedule: Schedule::anytime(),
        ..Policy::standard("quickstart")
    }
}

/// On how many members of the last ring the flaky update fails: always, and the first time only. Few enough for the
/// gate of that ring.
pub(crate) fn faults(broad: usize) -> (usize, usize) {
    let always = (broad / 4).max(1);
    (always, (broad - always.min(broad)).min(3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchflow_core::plan::ring_sizes;

    #[test]
    fn the_policy_is_sound_at_every_speed() {
        for speed in [Speed::Calm, Speed::Normal, Speed::Fast] {
            assert_eq!(policy(speed).findings(), []);
        }
    }

    #[test]
    fn for_every_fleet_size_the_faults_stay_below_the_gate_of_the_last_ring() {
        for endpoints in 8..=400 {
            let production = hosts(endpoints).iter().filter(|host| host.production).count();
            assert!(production >= 6 && production < endpoints as usize);
            let shares = [5, 25, 50, 100].map(Percent::whole);
            let sizes = ring_sizes(u32::try_from(production).unwrap(), shares);
            let broad = sizes.last().copied().unwrap();
            let (always, once) = faults(broad as usize);
            assert!(always >= 1 && once >= 1 && always + once <= broad as usize);
            let always = u32::try_from(always).unwrap();
            assert!(!Percent::whole(40).is_exceeded_by(always, broad), "{endpoints}: {always} of {broad}");
            assert!(Percent::whole(60).is_reached_by(broad - always, broad), "{endpoints}");
        }
    }
}
