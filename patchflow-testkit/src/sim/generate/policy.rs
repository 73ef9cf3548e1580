//! Policies of a story: every field is varied, and some are extreme.

use super::fleet::KINDS;
use crate::sim::{Chance, Purpose, Story};
use patchflow_core::catalog::{Category, Severity};
use patchflow_core::gate::{LimitScope, Limits, OnMaxHold, Percent, ShareOf};
use patchflow_core::inventory::ScopePath;
use patchflow_core::policy::{
    Approval, ApprovalRule, OnFailure, OnHalt, OnRevoke, Onboarding, PersonApproval, Policy, RingPolicy,
    RingSize, RiskFilter, Selector, SnapshotRule, StartMode, Trait, WaiverByName,
};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;

pub(super) fn policies(seed: u64, calm: bool) -> Vec<Policy> {
    let mut chance = Story::chance(seed, Purpose::Policy);
    let n = if calm { 1 } else { chance.between(1, 2) };
    let mut policies: Vec<_> = (0..n).map(|_| policy(&mut chance, calm)).collect();
    for (policy, i) in policies.iter_mut().zip(1..).filter(|_| !calm) {
        super::shared::vary(&mut Chance::new(seed, Purpose::Policy, i), policy);
    }
    policies
}

fn waiver() -> WaiverByName {
    WaiverByName { by: "root".into(), reason: "a simulation".into() }
}

fn policy(chance: &mut Chance, calm: bool) -> Policy {
    let mut policy = Policy::standard("generated");
    approval(chance, &mut policy);
    rings(chance, &mut policy);
    deploy(chance, calm, &mut policy);
    let retry = &mut policy.retry;
    retry.attempts_max = *chance.pick(&[1, 2, 3, 5]);
    retry.on = KINDS.iter().copied().filter(|_| !chance.one_in(3)).collect();
    retry.backoff_secs = *chance.pick(&[0, 60, 300, 3600]);
    retry.backoff_secs_max = retry.backoff_secs.max(*chance.pick(&[300, 7200]));
    retry.jitter = Percent::whole(*chance.pick(&[0, 20, 100]));
    let rollback = &mut policy.rollback;
    rollback.on_failure = *chance.pick(&[OnFailure::Leave, OnFailure::RollBack]);
    rollback.on_halt = *chance.pick(&[OnHalt::Nobody, OnHalt::Failed, OnHalt::Ring, OnHalt::Rollout]);
    rollback.without_path = chance.one_in(4).then(waiver);
    if rollback.without_path.is_none() && chance.one_in(12) {
        rollback.snapshot = SnapshotRule::Required;
    }
    rollback.on_revoke = *chance.pick(&[OnRevoke::List, OnRevoke::RollBack]);
    policy.catch_up.newcomers = !chance.one_in(4);
    policy.catch_up.deferred = !chance.one_in(4);
    policy.catch_up.onboarding =
        *chance.pick(&[Onboarding::InWindows, Onboarding::AtAnyTime, Onboarding::Leave]);
    policy.catch_up.max_failures = *chance.pick(&[0, 1, 5, 1000]);
    if !calm {
        policy.schedule = schedule(chance);
        if chance.one_in(3) {
            policy.calendars.named.insert("night".into(), schedule(chance));
            policy.calendars.named.insert("lab".into(), schedule(chance));
        }
        policy.calendars.spread_secs = *chance.pick(&[0, 0, 600, 20_000]);
        policy.calendars.wake_lead_secs = *chance.pick(&[0, 600, 40_000]);
        if chance.one_in(3) {
            policy.calendars.named.insert("office".into(), schedule(chance));
            policy.calendars.active_hours = Some("office".into());
            policy.calendars.grace_secs = *chance.pick(&[0, 600, 40_000]);
        }
    }
    if !policy.findings().is_empty() {
        // Two choices contradict each other: what windows there are must fit what is expected.
        policy.deploy.expected_secs = 60;
    }
    policy
}

fn approval(chance: &mut Chance, policy: &mut Policy) {
    let role = || String::from("change-manager");
    let expires = |chance: &mut Chance| *chance.pick(&[86_400, 40_000_000, 40_000_000, 40_000_000]);
    policy.otherwise =
        PersonApproval { role: role(), quorum: *chance.pick(&[1, 1, 2]), expires_secs: expires(chance) };
    let categories = [Category::Security, Category::Bugfix, Category::Feature];
    let severities = [Severity::Critical, Severity::High, Severity::Low, Severity::Unknown];
    let when = |chance: &mut Chance| RiskFilter {
        categories: categories.iter().copied().filter(|_| !chance.one_in(4)).collect(),
        severities: severities.iter().copied().filter(|_| !chance.one_in(4)).collect(),
    };
    policy.approval = (0..chance.below(3))
        .map(|i| ApprovalRule {
            name: format!("rule {i}"),
            when: when(chance),
            approval: if chance.one_in(3) {
                Approval::Person(PersonApproval { role: role(), quorum: 2, expires_secs: expires(chance) })
            } else {
                let delay_secs = *chance.pick(&[0, 0, 40_000]);
                Approval::Automatic { requires_trial: chance.one_in(2), delay_secs }
            },
        })
        .collect();
    policy.trial.required_for = if chance.one_in(2) { vec![when(chance)] } else { Vec::new() };
    policy.trial.required_for_reboot = chance.one_in(3);
    policy.trial.endpoints_max = *chance.pick(&[1, 2, 25]);
    policy.trial.stratify = strata(chance);
    policy.trial.gate = gate(chance);
}

fn strata(chance: &mut Chance) -> Vec<Trait> {
    let kinds = [Trait::Scope { depth: 1 }, Trait::Scope { depth: 2 }, Trait::Tag { name: "ring".into() }];
    kinds.into_iter().filter(|_| chance.one_in(4)).collect()
}

fn gate(chance: &mut Chance) -> Limits {
    let percent = |chance: &mut Chance, of: &[u32]| Percent::whole(*chance.pick(of));
    let of = *chance.pick(&[ShareOf::Members, ShareOf::Members, ShareOf::Started]);
    let min_started = match of {
        ShareOf::Members => *chance.pick(&[0, 0, 2, 5]),
        ShareOf::Started => *chance.pick(&[1, 2, 5]),
    };
    Limits {
        scope: *chance.pick(&[LimitScope::Ring, LimitScope::Ring, LimitScope::Rollout]),
        of,
        max_failures: chance.one_in(3).then(|| chance.below(4) as u32),
        max_failure_percent: (!chance.one_in(3)).then(|| percent(chance, &[0, 5, 20, 50])),
        min_started,
        min_success_percent: percent(chance, &[0, 50, 95, 100]),
        min_verified: *chance.pick(&[0, 1, 1, 3]),
        max_alerts: chance.one_in(3).then(|| chance.below(3) as u32),
        bake_secs_min: *chance.pick(&[0, 600, 600, 3600, 86_400]),
        hold_secs_max: *chance.pick(&[0, 3600, 86_400]),
        on_max_hold: *chance.pick(&[OnMaxHold::Halt, OnMaxHold::Ask]),
    }
}

fn rings(chance: &mut Chance, policy: &mut Policy) {
    let percent = |p: u32| RingSize::Percent { cumulative: Percent::whole(p) };
    let mut sizes: Vec<RingSize> = match chance.below(5) {
        0 => vec![percent(100)],
        1 => vec![percent(50), percent(100)],
        2 => vec![percent(5), percent(25), percent(50), percent(100)],
        3 => vec![percent(20), percent(40), percent(60), percent(80), percent(100)],
        _ => vec![percent(1), percent(99), percent(100)],
    };
    match chance.below(6) {
        0 => sizes.insert(0, RingSize::Count { endpoints: 1 }),
        1 => {
            let selector = Selector::Tag { name: "ring".into(), value: "pilot".into() };
            sizes.insert(0, RingSize::Selector { selector });
        }
        2 => {
            let selector = Selector::Scope { within: ScopePath("acme/berlin".into()) };
            sizes.insert(0, RingSize::Selector { selector });
        }
        _ => {}
    }
    policy.single_ring = Some(waiver());
    policy.rings = sizes
        .into_iter()
        .enumerate()
        .map(|(i, size)| {
            let mut ring = RingPolicy::percent(format!("ring {i}"), 100);
            let chosen = match &size {
                RingSize::Percent { cumulative } => *cumulative != Percent::FULL,
                RingSize::Count { .. } => true,
                RingSize::Selector { .. } => false,
            };
            ring.stratify = if chosen { strata(chance) } else { Vec::new() };
            (ring.size, ring.gate) = (size, gate(chance));
            ring
        })
        .collect();
}

fn deploy(chance: &mut Chance, calm: bool, policy: &mut Policy) {
    let deploy = &mut policy.deploy;
    deploy.start = *chance.pick(&[StartMode::WhenApproved, StartMode::WhenApproved, StartMode::OnRequest]);
    deploy.in_flight_max = *chance.pick(&[1, 2, 5, 1000]);
    deploy.start_within_secs = *chance.pick(&[600, 7200, 72 * 3600, 72 * 3600]);
    deploy.acknowledge_within_secs = *chance.pick(&[60, 1800, 24 * 3600]);
    deploy.report_within_secs = *chance.pick(&[120, 1200, 7200]);
    deploy.expected_secs = *chance.pick(&[0, 60, 1800]);
    deploy.reboot_reserve_secs = *chance.pick(&[0, 60, 900]);
    deploy.inspect_within_secs = *chance.pick(&[60, 600, 3600]);
    deploy.resync_after_secs = *chance.pick(&[1, 60, 900, 900]);
    if calm {
        deploy.start_within_secs = 30 * 86_400;
        deploy.acknowledge_within_secs = deploy.acknowledge_within_secs.max(1800);
        deploy.report_within_secs = deploy.report_within_secs.max(1200);
        deploy.resync_after_secs = 900;
    }
}

fn schedule(chance: &mut Chance) -> Schedule {
    let begins = Timestamp::from_secs(1_795_248_000);
    let freezes: Vec<Freeze> = if chance.one_in(4) {
        let from = begins.plus_secs(chance.below(5 * 86_400));
        vec![Freeze { from, until: from.plus_secs(chance.between(60, 2 * 86_400)) }]
    } else {
        Vec::new()
    };
    if !chance.one_in(3) {
        return Schedule::Anytime { freezes };
    }
    let days = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    let windows = (0..chance.between(1, 5))
        .map(|_| WeeklyWindow {
            day: *chance.pick(&days),
            opens_minute: chance.below(1440) as u16,
            open_minutes: *chance.pick(&[45, 120, 600, 1440, 10_080]),
        })
        .collect();
    Schedule::Weekly { windows, freezes }
}
