//! Who is in which ring, and what its gate counts.

use super::stories::{ending, gates};
use super::{Field, HOUR, field};
use crate::joining::comes;
use crate::rings::a_little_everywhere;
use crate::world::{Does, World};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{EndpointSeen, NeedSeen, Observation};
use patchflow_core::gate::{LimitScope, Percent, ShareOf};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{Onboarding, Policy, RingSize, Trait};

/// Endpoints of two sites, ten to one: who is in the trial and in the pilot.
fn sites(mut policy: Policy) -> String {
    policy.trial.endpoints_max = 12;
    policy.rings[0].size = RingSize::Percent { cumulative: Percent::whole(20) };
    let mut world = World::new(0, 0, policy);
    let endpoints = (0..66).map(|i| {
        let site = if i % 11 == 10 { "bonn" } else { "berlin" };
        let environment = if i < 33 { Environment::Production } else { Environment::NonProduction };
        let scope = ScopePath(format!("acme/{site}"));
        EndpointSeen { scope, ..EndpointSeen::new(format!("{site}-{i}"), environment) }
    });
    world.see(Observation::Endpoints { endpoints: endpoints.collect() });
    world.publish(patch("openssl", "3.0.22"));
    world.pass(3600);
    let first: Vec<_> = world.fleet.rollouts().map(|rollout| world.ring(rollout.id(), 0)).collect();
    format!("{first:?}")
}

fn shares(mut policy: Policy) -> String {
    gates(&mut policy, |gate| {
        (gate.min_started, gate.min_success_percent) = (1, Percent::whole(0));
        gate.max_failure_percent = Some(Percent::whole(15));
    });
    policy.deploy.in_flight_max = 3;
    ending(&a_little_everywhere(policy))
}

fn totals(mut policy: Policy) -> String {
    gates(&mut policy, |gate| {
        (gate.max_failures, gate.max_failure_percent) = (Some(1), None);
        gate.min_success_percent = Percent::whole(0);
    });
    ending(&a_little_everywhere(policy))
}

/// Two come after the rollout has completed, and fail.
fn latecomers(policy: Policy) -> String {
    let mut world = World::new(4, 2, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(8 * HOUR);
    for name in ["late-1", "late-2"] {
        world.script.insert(name.into(), Does::Fails(FailureKind::ScriptFailed));
        comes(&mut world, name, candidate);
        world.pass(HOUR);
    }
    ending(&world)
}

/// One comes after the rollout has completed, and is not in service yet.
fn not_in_service(policy: Policy) -> String {
    let mut world = World::new(4, 2, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(8 * HOUR);
    let seen = EndpointSeen { onboarding: true, ..EndpointSeen::new("new", Environment::Production) };
    world.see(Observation::Endpoints { endpoints: vec![seen].into() });
    let endpoint = world.fleet.endpoint_ix("new").unwrap();
    let need = NeedSeen::needs(endpoint, None, RollbackPath::Uninstall);
    world.see(Observation::Needs { candidate, needs: vec![need].into() });
    world.pass(HOUR);
    ending(&world)
}

/// All are away until the rollout has completed without them.
fn back_at_last(mut policy: Policy) -> String {
    policy.deploy.start_within_secs = 3600;
    let mut world = World::new(40, 2, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(670);
    let away = world.ring(world.deployment_of(candidate), 1).remove(0);
    world.script.insert(away.clone(), Does::Offline);
    world.pass(8 * HOUR);
    world.script.remove(&away);
    world.pass(8 * HOUR);
    ending(&world)
}

pub(super) fn fields() -> Vec<Field> {
    vec![
        field("trial.stratify", |p| p.trial.stratify = vec![Trait::Scope { depth: 2 }], sites),
        field("rings.stratify", |p| p.rings[0].stratify = vec![Trait::Scope { depth: 2 }], sites),
        field(
            "rings.gate.of",
            |p| gates(p, |g| (g.of, g.min_started) = (ShareOf::Started, g.min_started.max(1))),
            shares,
        ),
        field("catch_up.newcomers", |p| p.catch_up.newcomers = false, latecomers),
        field("catch_up.onboarding", |p| p.catch_up.onboarding = Onboarding::Leave, not_in_service),
        field("catch_up.deferred", |p| p.catch_up.deferred = false, back_at_last),
        field("catch_up.max_failures", |p| p.catch_up.max_failures = 0, latecomers),
        field("rings.gate.scope", |p| gates(p, |g| g.scope = LimitScope::Rollout), totals),
    ]
}
