//! What a policy says of the fleet as a whole: budgets, hooks, conditions, reboots, due dates, relations, operators.
//! Each is ordinary in most stories, so that what is extreme in one is seen by itself too.

use crate::sim::Chance;
use patchflow_core::gate::Percent;
use patchflow_core::inventory::ScopePath;
use patchflow_core::policy::{
    Amount, OnSuperseded, OperatorLevel, Policy, ScopeBudget, StagingPolicy, StartsMax,
};

pub(super) fn vary(chance: &mut Chance, policy: &mut Policy) {
    let plain = policy.clone();
    budgets(chance, policy);
    hooks(chance, policy);
    endpoints(chance, policy);
    reboots(chance, policy);
    clock(chance, policy);
    policy.relations.superseded =
        *chance.pick(&[OnSuperseded::Finish, OnSuperseded::Stop, OnSuperseded::Move]);
    policy.operators = (0..chance.between(1, 3))
        .map(|i| OperatorLevel {
            role: (*chance.pick(&["change-manager", "owner", "nobody"])).into(),
            acknowledge_within_secs: *chance.pick(&[7200, 86_400]) * (i as u32 + 1),
        })
        .collect();
    policy.rollback.drill_every_secs = *chance.pick(&[3600, 86_400, 7_776_000, 7_776_000]);
    staging(chance, policy);
    if !policy.findings().is_empty() {
        // With hooks it fits no window any more.
        policy.deploy.hooks = plain.deploy.hooks.clone();
    }
    if !policy.findings().is_empty() {
        *policy = plain;
    }
}

fn amount(chance: &mut Chance) -> Amount {
    let percent = |n| Amount::Percent { percent: Percent::whole(n) };
    *chance.pick(&[Amount::Count { n: 1 }, Amount::Count { n: 2 }, percent(10), percent(50)])
}

fn budgets(chance: &mut Chance, policy: &mut Policy) {
    let budgets = &mut policy.budgets;
    budgets.in_flight_max = chance.one_in(3).then(|| amount(chance));
    if chance.one_in(3) {
        for within in ["acme", "acme/berlin", "acme/berlin/lab", "acme/paris"] {
            if chance.one_in(2) {
                let (within, in_flight_max) = (ScopePath(within.into()), amount(chance));
                budgets.scopes.push(ScopeBudget { within, in_flight_max });
            }
        }
    }
    budgets.starts_max = chance
        .one_in(4)
        .then(|| StartsMax { n: *chance.pick(&[1, 2, 5]), per_secs: *chance.pick(&[60, 3600, 20_000]) });
    budgets.unavailable_max = amount(chance);
    for ring in &mut policy.rings {
        ring.in_flight_max = chance.one_in(5).then(|| amount(chance));
        ring.probe_first = *chance.pick(&[0, 0, 0, 1, 2]);
    }
}

fn staging(chance: &mut Chance, policy: &mut Policy) {
    if !chance.one_in(3) {
        return;
    }
    let lead_secs = *chance.pick(&[60, 3600, 40_000]);
    let scopes = ["acme/berlin", "acme/paris"].into_iter().filter(|_| chance.one_in(4));
    let scopes: Vec<_> = scopes.map(|within| ScopePath(within.into())).collect();
    policy.staging = StagingPolicy {
        required: true,
        lead_secs,
        next_ring: chance.one_in(2),
        in_flight_max: chance.one_in(2).then(|| amount(chance)),
        scopes: scopes
            .into_iter()
            .map(|within| ScopeBudget { within, in_flight_max: amount(chance) })
            .collect(),
        starts_max: chance
            .one_in(4)
            .then(|| StartsMax { n: *chance.pick(&[1, 5]), per_secs: *chance.pick(&[60, 3600]) }),
        within_secs: *chance.pick(&[60, 600, 7200]),
        attempts_max: *chance.pick(&[1, 2, 5]),
        keep_secs: lead_secs + *chance.pick(&[60, 20_000, 600_000]),
    };
    policy.staging.keep_secs = policy.staging.keep_secs.max(policy.staging.within_secs);
}

fn hooks(chance: &mut Chance, policy: &mut Policy) {
    let hooks = &mut policy.deploy.hooks;
    if chance.one_in(4) {
        (hooks.pre, hooks.pre_secs_max) = (Some("drain".into()), *chance.pick(&[5, 60, 600]));
    }
    if chance.one_in(4) {
        (hooks.post, hooks.post_secs_max) = (Some("resume".into()), *chance.pick(&[5, 60, 600]));
    }
}

fn endpoints(chance: &mut Chance, policy: &mut Policy) {
    let endpoints = &mut policy.endpoints;
    endpoints.scan_before_order = chance.one_in(6);
    endpoints.scan_every_secs = chance.one_in(5).then(|| *chance.pick(&[20_000, 86_400]));
    endpoints.scan_spread_secs = *chance.pick(&[0, 600, 14_400]);
    endpoints.scan_on_candidate = chance.one_in(5);
    endpoints.stale_after_secs = *chance.pick(&[60, 3600, 3600, 86_400]);
    endpoints.scan_tries_max = *chance.pick(&[1, 3]);
    endpoints.silent_after_secs = *chance.pick(&[60, 3600, 86_400]);
}

fn reboots(chance: &mut Chance, policy: &mut Policy) {
    policy.reboot.preflight = chance.one_in(2);
    policy.reboot.max_reboots = *chance.pick(&[1, 1, 2, 3, 8]);
    policy.reboot.deferrals_max = *chance.pick(&[0, 1, 3]);
    policy.reboot.cancel_within_secs = *chance.pick(&[60, 300]);
    policy.deploy.deferrals_max = *chance.pick(&[0, 1, 3]);
    policy.deploy.duration_secs_max = *chance.pick(&[7200, 28_800, 28_800]);
    policy.deploy.quiet_reserve_secs = *chance.pick(&[0, 900]);
}

fn clock(chance: &mut Chance, policy: &mut Policy) {
    let clock = &mut policy.clock;
    if chance.one_in(2) {
        clock.limits.critical_secs = *chance.pick(&[7200, 50_000, 200_000]);
        clock.limits.high_secs = clock.limits.critical_secs * *chance.pick(&[1, 2]);
        clock.limits.moderate_secs = clock.limits.high_secs;
    }
    clock.warn_before_secs = *chance.pick(&[0, 600, 40_000]);
    clock.enforce_at_deadline = chance.one_in(3);
    let emergency = &mut policy.emergency;
    emergency.bake_secs_min = *chance.pick(&[None, Some(0), Some(60)]);
    emergency.passes_windows = chance.one_in(2);
    emergency.overrides_freeze = chance.one_in(3);
}
