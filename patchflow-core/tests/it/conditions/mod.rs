//! What stands against an endpoint beside its orders: out of contact, not read, cloned, managed by others (S5, S6).

mod deferrals;
mod identity;
mod reach;
mod reboots;
mod rounds;

use crate::world::{World, one_ring};
use patchflow_core::doc::patch;
use patchflow_core::fleet::{EndpointSeen, NeedSeen, Observation, Standing};
use patchflow_core::ids::{CandidateId, EndpointIx, RolloutId};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::Policy;
use patchflow_core::report::explain;
use std::borrow::Cow;
use std::sync::Arc;

const HOUR: u64 = 3600;

/// Approved at once and one ring for all, so that only the condition of an endpoint decides when it is ordered.
pub(crate) fn direct() -> Policy {
    let mut policy = one_ring();
    policy.trial.required_for_reboot = false;
    policy
}

pub(crate) fn ix(world: &World, name: &str) -> EndpointIx {
    world.fleet.endpoint_ix(name).unwrap()
}

pub(crate) fn some(world: &World, names: &[&str]) -> Cow<'static, [EndpointIx]> {
    Cow::Owned(names.iter().map(|name| ix(world, name)).collect())
}

fn unreachable(world: &mut World, names: &[&str]) {
    let (endpoints, since) = (some(world, names), world.now);
    world.see(Observation::Unreachable { endpoints, since });
}

fn reachable(world: &mut World, names: &[&str]) {
    let endpoints = some(world, names);
    world.see(Observation::Reachable { endpoints });
}

fn read(world: &mut World, names: &[&str]) {
    let endpoints = some(world, names);
    world.see(Observation::Read { endpoints });
}

fn needs(world: &mut World, candidate: CandidateId, name: &str, standing: Standing) {
    let (endpoint, present) = (ix(world, name), Some(Arc::from("1.0")));
    let needs = vec![NeedSeen {
        endpoint,
        standing,
        present,
        path: RollbackPath::Reinstall,
        path_valid_until: None,
        why: None,
    }];
    world.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
}

/// An endpoint as it is told, with the fingerprint of one machine.
fn machine(name: &str, fingerprint: &str) -> EndpointSeen {
    EndpointSeen {
        scope: ScopePath("acme".into()),
        fingerprint: Some(fingerprint.into()),
        ..EndpointSeen::new(name, Environment::Production)
    }
}

fn tell(world: &mut World, seen: &[EndpointSeen]) {
    world.see(Observation::Endpoints { endpoints: Cow::Borrowed(seen) });
}

fn rollout(world: &mut World) -> (CandidateId, RolloutId) {
    let candidate = world.publish(patch("openssl", "3.0.22"));
    (candidate, world.deployment_of(candidate))
}

fn explained(world: &World, candidate: CandidateId, name: &str) -> String {
    let explanation = explain(&world.fleet, ix(world, name), candidate);
    explanation.chain.last().unwrap().text.clone()
}
