//! Stories of the budgets.

use super::stories::{ending, plain};
use super::{Field, HOUR, field};
use crate::world::{Does, World};
use patchflow_core::doc::patch;
use patchflow_core::fleet::{EndpointSeen, Fact, Observation, RichFact};
use patchflow_core::gate::Percent;
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::policy::{Amount, Policy, ScopeBudget, StartsMax};

/// Two patches at once, both slow: what is shared is fought for.
fn two_at_once(policy: Policy) -> String {
    let mut world = World::new(40, 2, policy);
    world.script.extend((0..40).map(|i| (format!("prod-{i}"), Does::Installs(900))));
    world.publish(patch("openssl", "3.0.22"));
    world.publish(patch("webd", "1.1"));
    world.pass(8 * HOUR);
    ending(&world)
}

/// All endpoints are one cluster.
fn one_cluster(policy: Policy) -> String {
    let mut world = World::new(40, 2, policy);
    let endpoints = (0..40).map(|i| EndpointSeen {
        group: Some("cluster".into()),
        ..EndpointSeen::new(format!("prod-{i}"), Environment::Production)
    });
    world.see(Observation::Endpoints { endpoints: endpoints.collect::<Vec<_>>().into() });
    world.publish(patch("openssl", "3.0.22"));
    world.pass(8 * HOUR);
    ending(&world)
}

/// Everybody is drained and resumed, and neither hook ever ends.
fn hooks_hang(mut policy: Policy) -> String {
    policy.deploy.hooks.pre.get_or_insert_with(|| "drain".into());
    policy.deploy.hooks.post.get_or_insert_with(|| "resume".into());
    let mut world = World::new(40, 2, policy);
    let hangs = (0..40).flat_map(|i| [format!("pre:prod-{i}"), format!("post:prod-{i}")]);
    world.script.extend(hangs.map(|hook| (hook, Does::GoesSilent)));
    world.publish(patch("openssl", "3.0.22"));
    world.pass(8 * HOUR);
    format!("{} {:?}", ending(&world), ended(&world))
}

/// What hooks ran, and when post hooks were given up.
fn hooks_run(policy: Policy) -> String {
    let mut world = World::new(40, 2, policy);
    world.publish(patch("openssl", "3.0.22"));
    world.pass(8 * HOUR);
    format!("{:?} {:?}", world.hooks, ended(&world))
}

fn ended(world: &World) -> Vec<patchflow_core::time::Timestamp> {
    let ended =
        |fact: &Fact| matches!(fact, Fact::Rich(fact) if matches!(**fact, RichFact::HookEnded { .. }));
    world.journal.iter().filter(|r| ended(&r.fact)).map(|r| r.at).collect()
}

pub(super) fn fields() -> Vec<Field> {
    vec![
        field(
            "budgets.in_flight_max",
            |p| p.budgets.in_flight_max = Some(Amount::Percent { percent: Percent::whole(5) }),
            two_at_once,
        ),
        field(
            "budgets.scopes",
            |p| {
                let (within, in_flight_max) = (ScopePath("acme".into()), Amount::Count { n: 3 });
                p.budgets.scopes = vec![ScopeBudget { within, in_flight_max }];
            },
            two_at_once,
        ),
        field(
            "budgets.starts_max",
            |p| p.budgets.starts_max = Some(StartsMax { n: 2, per_secs: 600 }),
            two_at_once,
        ),
        field(
            "budgets.unavailable_max",
            |p| p.budgets.unavailable_max = Amount::Percent { percent: Percent::whole(50) },
            one_cluster,
        ),
        field(
            "rings.in_flight_max",
            |p| p.rings[3].in_flight_max = Some(Amount::Percent { percent: Percent::whole(10) }),
            plain,
        ),
        field("deploy.hooks.pre", |p| p.deploy.hooks.pre = Some("drain".into()), hooks_run),
        field("deploy.hooks.post", |p| p.deploy.hooks.post = Some("resume".into()), hooks_run),
        field("deploy.hooks.pre_secs_max", |p| p.deploy.hooks.pre_secs_max = 60, hooks_hang),
        field("deploy.hooks.post_secs_max", |p| p.deploy.hooks.post_secs_max = 60, hooks_hang),
        field("rings.probe_first", |p| p.rings[3].probe_first = 4, plain),
    ]
}
