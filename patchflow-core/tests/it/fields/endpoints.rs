//! What must be known of an endpoint before it is ordered anything.

use super::stories::ending;
use super::{Field, HOUR, field};
use crate::conditions::{direct, ix, some};
use crate::world::World;
use patchflow_core::doc::patch;
use patchflow_core::fleet::{EndpointSeen, Observation};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::policy::Policy;

/// The direct road, with the endpoint part of the policy under test.
fn part(policy: &Policy) -> Policy {
    Policy { endpoints: policy.endpoints.clone(), ..direct() }
}

/// An endpoint comes back and cannot be read.
fn unread(policy: Policy) -> String {
    let mut world = World::new(3, 0, part(&policy));
    world.unread.insert("prod-0".into());
    let endpoints = some(&world, &["prod-0"]);
    world.see(Observation::Stale { endpoints });
    world.publish(patch("openssl", "3.0.22"));
    world.pass(HOUR * 3 / 2);
    format!("{} scans, {}", world.scans, ending(&world))
}

/// Half an hour of silence, then another machine under the same name.
fn replaced(policy: Policy) -> String {
    let mut world = World::new(3, 0, part(&policy));
    let machine = |fingerprint: &str| EndpointSeen {
        scope: ScopePath("acme".into()),
        fingerprint: Some(fingerprint.into()),
        ..EndpointSeen::new("prod-0", Environment::Production)
    };
    world.see(Observation::Endpoints { endpoints: vec![machine("a")].into() });
    let (endpoints, since) = (some(&world, &["prod-0"]), world.now);
    world.see(Observation::Unreachable { endpoints, since });
    world.pass(HOUR / 2);
    world.see(Observation::Endpoints { endpoints: vec![machine("b")].into() });
    format!("{:?}", world.fleet.endpoint(ix(&world, "prod-0")).unwrap().quarantine())
}

pub(super) fn fields() -> Vec<Field> {
    vec![
        field("endpoints.stale_after_secs", |p| p.endpoints.stale_after_secs = 600, unread),
        field("endpoints.scan_tries_max", |p| p.endpoints.scan_tries_max = 1, unread),
        field("endpoints.silent_after_secs", |p| p.endpoints.silent_after_secs = 60, replaced),
    ]
}
