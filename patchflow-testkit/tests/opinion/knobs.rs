//! Fleets and policies to compare on, from a few small numbers, so that a failing one shrinks to the plain one.

use patchflow_core::catalog::{Category, Patch, RebootBehaviour, Severity};
use patchflow_core::digest::Digest;
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::EndpointSeen;
use patchflow_core::gate::{LimitScope, Limits, OnMaxHold, Percent, ShareOf};
use patchflow_core::ids::PatchId;
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::policy::{
    Amount, Approval, ApprovalRule, OnFailure, OnHalt, OnRevoke, OnSuperseded, PersonApproval, Policy,
    RingPolicy, RingSize, RiskFilter, ScopeBudget, Selector, StagingPolicy, StartMode, StartsMax,
    WaiverByName,
};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A Saturday.
pub(crate) fn start() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

/// What a fleet and its policy are made of. 0 is the plain choice everywhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct Knobs {
    pub(crate) seed: u64,
    pub(crate) production: u8,
    pub(crate) non_production: u8,
    pub(crate) rings: u8,
    pub(crate) limits: [u8; 8],
    pub(crate) deploy: [u8; 4],
    pub(crate) retry: [u8; 3],
    pub(crate) rollback: [u8; 3],
    pub(crate) schedule: u8,
    pub(crate) approval: u8,
    pub(crate) trial: u8,
    pub(crate) start: u8,
    /// The patch that is published first.
    pub(crate) patch: u8,
    /// What most fleets do without: catch-up, shares of the started, limits over the rollout, budgets, hooks.
    pub(crate) more: [u8; 12],
    /// How content is staged: required, bounds, how long it stays good, and whether the next ring is.
    pub(crate) staging: [u8; 4],
    /// What another policy changes: a freeze; and what a revocation does.
    pub(crate) later: [u8; 2],
    /// What becomes of a rollout whose patch is replaced.
    pub(crate) replaced: u8,
}

pub(crate) fn knobs() -> impl Strategy<Value = Knobs> {
    let fleet = (0..4u64, 0..7u8, 0..3u8, 0..6u8);
    let gate = prop::array::uniform8(0..4u8);
    let rest = (prop::array::uniform4(0..4u8), prop::array::uniform3(0..4u8), prop::array::uniform3(0..4u8));
    let people = (0..8u8, 0..5u8, 0..3u8, 0..3u8, 0..3u8, 0..3u8);
    let more = (prop::array::uniform12(0..8u8), prop::array::uniform4(0..6u8), prop::array::uniform2(0..6u8));
    (fleet, gate, rest, people, more).prop_map(
        |(
            (seed, production, non_production, rings),
            limits,
            (deploy, retry, rollback),
            people,
            (more, staging, later),
        )| {
            let (schedule, approval, trial, start, patch, replaced) = people;
            Knobs {
                seed,
                production,
                non_production,
                rings,
                limits,
                deploy,
                retry,
                rollback,
                // Most histories should not have to wait for a window.
                schedule: schedule.saturating_sub(2),
                approval,
                trial,
                start,
                patch,
                more,
                staging,
                later,
                replaced,
            }
        },
    )
}

fn pick<T: Copy>(from: &[T], knob: u8) -> T {
    from[usize::from(knob) % from.len()]
}

impl Knobs {
    pub(crate) fn endpoints(&self) -> Vec<EndpointSeen> {
        let production = 2 + u32::from(self.production);
        (0..production + u32::from(self.non_production))
            .map(|i| seen(i, i < production, self.grouped()))
            .collect()
    }

    pub(crate) fn grouped(&self) -> bool {
        self.more[7] >= 5
    }

    /// The policy that is adopted later: other gates, and everything else but the rings as it was.
    pub(crate) fn later_policy(&self) -> Policy {
        let mut limits = self.limits;
        limits.rotate_left(1);
        let mut policy = Self {
            limits,
            more: {
                let mut more = self.more;
                more[2] = 3;
                more
            },
            replaced: self.replaced + u8::from(self.later[1] % 2 == 1),
            ..self.clone()
        }
        .policy();
        if matches!(self.later[0], 1 | 2) {
            // Its rings stand in another order under their names, and only the first has a budget and other gates.
            let names: Vec<_> = policy.rings.iter().rev().map(|ring| ring.name.clone()).collect();
            for (i, (ring, name)) in policy.rings.iter_mut().zip(names).enumerate() {
                ring.name = name;
                if i > 0 {
                    (ring.gate, ring.in_flight_max) = (self.limits(), None);
                }
            }
        }
        let more = match self.later[0] {
            0..=2 => return policy,
            3 => Freeze { from: start(), until: start().plus_secs(5_000) },
            4 => Freeze { from: start().plus_secs(2_400), until: start().plus_secs(9_000) },
            _ => Freeze { from: start().plus_secs(40_000), until: start().plus_secs(60_000) },
        };
        match &mut policy.schedule {
            Schedule::Anytime { freezes } | Schedule::Weekly { freezes, .. } => freezes.push(more),
        }
        policy
    }

    fn limits(&self) -> Limits {
        let of = self.limits;
        Limits {
            max_failures: pick(&[None, Some(0), Some(1), Some(2)], of[0]),
            max_failure_percent: pick(&[None, Some(50), Some(25), Some(20)], of[1]).map(Percent::whole),
            min_started: pick(&[0, 0, 2, 3], of[2]).max(u32::from(self.more[1] == 3)),
            min_success_percent: Percent::whole(pick(&[0, 50, 95, 100], of[3])),
            min_verified: pick(&[1, 0, 1, 2], of[4]),
            max_alerts: pick(&[None, None, Some(0), Some(1)], of[5]),
            bake_secs_min: pick(&[0, 600, 3600], of[6]),
            hold_secs_max: pick(&[3600, 600, 0], of[7]),
            on_max_hold: pick(&[OnMaxHold::Halt, OnMaxHold::Ask], of[7] / 2),
            of: if self.more[1] == 3 { ShareOf::Started } else { ShareOf::Members },
            scope: if self.more[1] >= 6 { LimitScope::Rollout } else { LimitScope::Ring },
        }
    }

    fn rings(&self) -> Vec<RingPolicy> {
        let percents = |of: &[u32]| {
            of.iter().map(|p| RingPolicy::percent(format!("to {p}"), *p)).collect::<Vec<RingPolicy>>()
        };
        let before = |size, mut rings: Vec<RingPolicy>| {
            let mut first = RingPolicy::percent("first", 50);
            first.size = size;
            rings.insert(0, first);
            rings
        };
        let tagged = Selector::Tag { name: "floor".into(), value: "1".into() };
        let mut rings = match self.rings {
            0 => percents(&[50, 100]),
            1 => percents(&[25, 50, 100]),
            2 => before(RingSize::Selector { selector: tagged }, percents(&[50, 100])),
            3 => percents(&[20, 40, 60, 80, 100]),
            4 => before(RingSize::Count { endpoints: 1 }, percents(&[50, 100])),
            _ => percents(&[100]),
        };
        for ring in &mut rings {
            ring.gate = self.limits();
            ring.in_flight_max = pick(&[None, None, None, Some(Amount::Count { n: 1 })], self.more[2]);
            ring.probe_first = pick(&[0, 0, 0, 0, 0, 1, 2], self.more[3]);
        }
        rings
    }

    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy::standard("second opinion");
        policy.rings = self.rings();
        policy.single_ring =
            (self.rings == 5).then(|| WaiverByName { by: "ada".into(), reason: "a small fleet".into() });
        policy.trial.gate = self.limits();
        policy.trial.endpoints_max = 2;
        match self.trial {
            0 => (policy.trial.required_for, policy.trial.required_for_reboot) = (vec![], false),
            1 => policy.trial.required_for_reboot = false,
            _ => {}
        }
        let all = RiskFilter {
            categories: vec![Category::Security, Category::Bugfix, Category::Feature],
            severities: vec![Severity::Critical, Severity::High, Severity::Moderate, Severity::Low],
        };
        let person = |quorum, expires_secs| PersonApproval { role: "approver".into(), quorum, expires_secs };
        let rule = |approval| vec![ApprovalRule { name: "rule".into(), when: all.clone(), approval }];
        (policy.approval, policy.otherwise) = match self.approval {
            0 => {
                (rule(Approval::Automatic { requires_trial: false, delay_secs: 0 }), person(1, 2_000_000_000))
            }
            1 => (rule(Approval::Automatic { requires_trial: true, delay_secs: 0 }), person(1, 9_000)),
            2 => (rule(Approval::Person(person(2, 90_000))), person(1, 90_000)),
            3 => (rule(Approval::Automatic { requires_trial: false, delay_secs: 5_000 }), person(2, 90_000)),
            _ => (vec![], person(1, 20_000)),
        };
        (policy.catch_up.newcomers, policy.catch_up.deferred, policy.catch_up.max_failures) =
            pick(&[(true, true, 0), (false, false, 0), (true, false, 1), (false, true, 1)], self.more[0]);
        if !policy.catch_up.newcomers && !policy.catch_up.deferred {
            policy.catch_up.onboarding = patchflow_core::policy::Onboarding::Leave;
        }
        let half = Amount::Percent { percent: Percent::whole(50) };
        policy.budgets.in_flight_max =
            pick(&[None, None, None, None, Some(Amount::Count { n: 1 }), Some(half)], self.more[4]);
        if self.more[5] >= 6 {
            let scope =
                |within: &str, in_flight_max| ScopeBudget { within: ScopePath(within.into()), in_flight_max };
            policy.budgets.scopes = vec![scope("acme", half), scope("acme/1", Amount::Count { n: 1 })];
        }
        policy.budgets.starts_max =
            (self.more[6] >= 6).then(|| StartsMax { n: u32::from(self.more[6]) - 5, per_secs: 2_000 });
        policy.budgets.unavailable_max = Amount::Count { n: 1 + u32::from(self.more[7] % 2) };
        let hook =
            |name: &str, which: u8| (self.more[8] & which != 0 && self.more[8] < 4).then(|| name.to_owned());
        (policy.deploy.hooks.pre, policy.deploy.hooks.post) = (hook("drain", 1), hook("resume", 2));
        policy.staging = self.staging();
        policy.deploy.start = if self.start == 2 { StartMode::OnRequest } else { StartMode::WhenApproved };
        policy.deploy.in_flight_max = pick(&[1000, 1, 2, 3], self.deploy[0]);
        policy.deploy.start_within_secs = pick(&[7_200, 1_000, 40_000, 7_200], self.deploy[1]);
        policy.deploy.acknowledge_within_secs = pick(&[1_800, 300], self.deploy[2]);
        policy.deploy.report_within_secs = pick(&[1_200, 600], self.deploy[3]);
        policy.deploy.duration_secs_max = pick(&[u32::MAX, u32::MAX, 2_500, 1_300], self.more[9]);
        policy.reboot.max_reboots = pick(&[8, 8, 8, 8, 2, 1, 1, 1], self.more[10]);
        let hurries = self.more[11];
        policy.emergency.passes_windows = hurries & 1 != 0;
        policy.emergency.overrides_freeze = hurries & 2 != 0;
        policy.emergency.bake_secs_min = (hurries >= 4).then_some(60);
        policy.deploy.inspect_within_secs = 300;
        policy.deploy.expected_secs = 900;
        policy.deploy.reboot_reserve_secs = 300;
        policy.retry.attempts_max = pick(&[1, 3, 3, 2], self.retry[0]);
        policy.retry.on = vec![FailureKind::Busy, FailureKind::Network, FailureKind::Interrupted];
        policy.retry.backoff_secs = 300;
        policy.retry.backoff_secs_max = pick(&[3_600, 500], self.retry[1]);
        policy.retry.jitter = Percent::whole(pick(&[0, 20], self.retry[2]));
        policy.rollback.on_failure = pick(&[OnFailure::Leave, OnFailure::RollBack], self.rollback[0]);
        policy.rollback.on_halt =
            pick(&[OnHalt::Nobody, OnHalt::Failed, OnHalt::Ring, OnHalt::Rollout], self.rollback[1]);
        policy.rollback.on_revoke = if self.later[1] >= 3 { OnRevoke::RollBack } else { OnRevoke::List };
        policy.rollback.without_path =
            (self.rollback[2] == 3).then(|| WaiverByName { by: "ada".into(), reason: "so".into() });
        policy.relations.superseded =
            pick(&[OnSuperseded::Stop, OnSuperseded::Finish, OnSuperseded::Move], self.replaced);
        policy.schedule = self.schedule();
        let nights = WeeklyWindow { day: Weekday::Saturday, opens_minute: 9 * 60, open_minutes: 45 };
        let nights = Schedule::Weekly { windows: vec![nights], freezes: vec![] };
        policy.calendars.named = BTreeMap::from([("nights".to_owned(), nights)]);
        // Whoever is in a hurry does not keep to its place in the spread, and which that is is the hash's business.
        let spread = if hurries & 3 == 0 { pick(&[0, 0, 0, 1_800], self.deploy[3]) } else { 0 };
        policy.calendars.spread_secs = spread;
        policy
    }

    fn staging(&self) -> StagingPolicy {
        let of = self.staging;
        let line = ScopeBudget { within: ScopePath("acme/1".into()), in_flight_max: Amount::Count { n: 1 } };
        let lead_secs = pick(&[1_800, 600, 7_200], of[1]);
        StagingPolicy {
            required: of[0] >= 4,
            lead_secs,
            next_ring: of[3] % 2 == 1,
            in_flight_max: pick(&[None, None, None, Some(Amount::Count { n: 1 })], of[1]),
            scopes: if of[1] == 5 { vec![line] } else { vec![] },
            starts_max: (of[1] == 4).then_some(StartsMax { n: 2, per_secs: 1_500 }),
            within_secs: pick(&[2_400, 900], of[2]),
            attempts_max: pick(&[2, 1, 3], of[3]),
            keep_secs: pick(&[200_000, 9_000, 3_000], of[2] / 2).max(lead_secs + 600),
        }
    }

    fn schedule(&self) -> Schedule {
        let window = |day, opens_minute, open_minutes| WeeklyWindow { day, opens_minute, open_minutes };
        let freeze = |from, until| Freeze { from: start().plus_secs(from), until: start().plus_secs(until) };
        match self.schedule {
            0 => Schedule::anytime(),
            1 => Schedule::Anytime { freezes: vec![freeze(1_200, 9_000)] },
            2 => Schedule::Weekly {
                // Two that touch, one over midnight.
                windows: vec![
                    window(Weekday::Saturday, 8 * 60, 20),
                    window(Weekday::Saturday, 8 * 60 + 20, 40),
                    window(Weekday::Saturday, 23 * 60, 120),
                ],
                freezes: vec![],
            },
            3 => Schedule::Weekly {
                windows: vec![window(Weekday::Saturday, 8 * 60, 180), window(Weekday::Sunday, 120, 60)],
                freezes: vec![freeze(3_600, 5_400)],
            },
            // One that is just long enough for what needs no reboot, and too short for the rest.
            4 => Schedule::Weekly {
                windows: vec![
                    window(Weekday::Saturday, 8 * 60 + 10, 15),
                    window(Weekday::Saturday, 10 * 60, 60),
                ],
                freezes: vec![],
            },
            // Open all week.
            _ => Schedule::Weekly { windows: vec![window(Weekday::Monday, 0, 10_080)], freezes: vec![] },
        }
    }
}

/// Endpoints as the inventory tells them: `grouped` puts two of three into availability groups.
pub(crate) fn seen(i: u32, production: bool, grouped: bool) -> EndpointSeen {
    let environment = if production { Environment::Production } else { Environment::NonProduction };
    EndpointSeen {
        scope: ScopePath(format!("acme/{}", i % 3)),
        tags: BTreeMap::from([("floor".to_owned(), (i % 2).to_string())]),
        // One in five goes by a calendar of its own, one in seven by one that the policy does not have.
        calendar: [None, None, None, Some("nights"), None, None, Some("nobody's")][i as usize % 7]
            .map(Arc::from),
        group: [Some("dc"), Some("db"), None][i as usize % 3].filter(|_| grouped).map(Arc::from),
        ..EndpointSeen::new(format!("e{i}"), environment)
    }
}

/// So many patches there are.
pub(crate) const PATCHES: u8 = 18;

/// One of a few patches: of other urgency, with and without reboot, in more than one version, and some that replace others.
pub(crate) fn some_patch(which: u8) -> Patch {
    if which >= 9 {
        return replacing(which % PATCHES);
    }
    let mut update = patch(
        ["lib", "tool", "kernel"][usize::from(which % 3)],
        ["2.0", "2.1", "2.0"][usize::from(which / 3) % 3],
    );
    update.released = Some(start());
    match which % 3 {
        1 => (update.category, update.severity) = (Category::Bugfix, Severity::Low),
        2 => (update.severity, update.reboot) = (Severity::Moderate, RebootBehaviour::Possible),
        _ => {}
    }
    if which / 3 == 2 {
        // The same patch with other content takes the place of the first.
        update.content = Digest::of(b"built anew");
    }
    update
}

/// One that replaces others: of the same package and of another, in a chain, and with two below it.
fn replacing(which: u8) -> Patch {
    let (package, version, older): (_, _, &[&str]) = match which {
        9 | 15 => ("lib", "2.2", &["lib=2.0", "lib=2.1"]),
        10 => ("tool", "2.2", &["tool=2.0", "tool=2.1"]),
        11 => ("kernel", "2.2", &["kernel=2.0"]),
        12 | 17 => ("suite", "1.0", &["lib=2.0", "tool=2.0"]),
        13 => ("lib", "2.3", &["lib=2.2"]),
        14 => ("suite", "1.1", &["suite=1.0", "lib=2.2"]),
        _ => ("platform", "1.0", &["kernel=2.0", "kernel=2.2"]),
    };
    let mut update = patch(package, version);
    update.released = Some(start());
    update.relations.supersedes = older.iter().map(|older| PatchId::from(*older)).collect();
    match which % 3 {
        1 => (update.category, update.severity) = (Category::Bugfix, Severity::Low),
        2 => (update.severity, update.reboot) = (Severity::Moderate, RebootBehaviour::Possible),
        _ => {}
    }
    if which == 15 || which == 17 {
        update.content = Digest::of(b"built anew");
    }
    update
}
