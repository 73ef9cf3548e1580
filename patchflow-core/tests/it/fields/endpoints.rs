//! What must be known of an endpoint before it is ordered anything.

use super::stories::ending;
use super::{Field, HOUR, field};
use crate::conditions::{direct, ix, some};
use crate::world::{Does, World};
use patchflow_core::doc::patch;
use patchflow_core::fleet::{Command, EndpointSeen, Observation};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::policy::Policy;
use patchflow_core::rollout::{Order, Report, ReportKind};

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

/// How many of 200 endpoints were asked for within seven hours, and a patch in between.
fn read_by_rounds(policy: Policy) -> usize {
    let mut world = World::new(200, 0, part(&policy));
    world.pass(HOUR);
    world.publish(patch("openssl", "3.0.22"));
    world.pass(6 * HOUR);
    world.scans
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

/// The direct road, with the parts for deployments and reboots under test.
fn operations(policy: Policy) -> Policy {
    let deploy = patchflow_core::policy::DeployPolicy { start: direct().deploy.start, ..policy.deploy };
    Policy { deploy, reboot: policy.reboot, ..direct() }
}

/// An endpoint that waits for a reboot of its own.
fn pending(policy: Policy) -> String {
    let mut world = World::new(3, 0, operations(policy));
    let endpoints = some(&world, &["prod-0"]);
    world.see(Observation::RebootsPending { endpoints, pending: true });
    world.publish(patch("openssl", "3.0.22"));
    world.pass(HOUR);
    format!("{}", world.orders.len())
}

/// Four patches, each of which asks for a reboot, one a half hour.
fn reboots(policy: Policy) -> String {
    let mut world = World::new(1, 0, operations(policy));
    world.forgets_reboots = true;
    world.script.insert("prod-0".into(), Does::WantsReboot);
    for version in ["3.0.1", "3.0.2", "3.0.3", "3.0.4"] {
        world.publish(patch("openssl", version));
        world.pass(HOUR / 2);
    }
    format!("{:?}", world.fleet.endpoint(ix(&world, "prod-0")).unwrap().reboots_stopped())
}

/// A reboot is under way, or an install; its user puts it off five times.
fn put_off(policy: Policy, reboot: bool) -> String {
    let mut world = World::new(1, 0, operations(policy));
    world.script.insert("prod-0".into(), if reboot { Does::WantsReboot } else { Does::GoesSilent });
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(if reboot { 65 } else { 10 });
    let order = world.orders.last().unwrap().id();
    for i in 1..=5 {
        let until = world.now.plus_secs(i * 60);
        world.see(Observation::Reported(Report { order, kind: ReportKind::PutOff { until } }));
    }
    let rollout = world.deployment_of(candidate);
    format!("{:?} {}", world.phase(rollout, "prod-0"), world.fleet.strays())
}

/// A reboot that goes unanswered is cancelled.
fn cancelled(policy: Policy) -> String {
    let mut world = World::new(1, 0, operations(policy));
    world.script.insert("prod-0".into(), Does::WantsReboot);
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(65);
    world.lose_everything_on_its_way();
    let (rollout, endpoint) = (world.deployment_of(candidate), "prod-0".into());
    let reason = String::from("the night shift works");
    world.ask("ada", &[], Command::CancelReboot { rollout, endpoint, reason }).unwrap();
    world.lose_everything_on_its_way();
    world.pass(120);
    format!("{:?}", world.notices)
}

/// An install that shows signs of life every ten minutes for four hours.
fn lasts(policy: Policy) -> String {
    let mut world = World::new(1, 0, operations(policy));
    world.script.insert("prod-0".into(), Does::GoesSilent);
    let candidate = world.publish(patch("openssl", "3.0.22"));
    for _ in 0..24 {
        world.pass(600);
        let order = world.orders.last().unwrap().id();
        world.see(Observation::Reported(Report { order, kind: ReportKind::Acknowledged }));
    }
    let rollout = world.deployment_of(candidate);
    format!("{:?}", world.phase(rollout, "prod-0"))
}

fn quiet(policy: Policy) -> String {
    let mut world = World::new(1, 0, operations(policy));
    world.publish(patch("openssl", "3.0.22"));
    match &world.orders[0] {
        Order::Install(install) => install.quiet_secs().to_string(),
        Order::Revert(_) | Order::Reboot(_) => unreachable!(),
    }
}

pub(super) fn fields() -> Vec<Field> {
    vec![
        field("deploy.deferrals_max", |p| p.deploy.deferrals_max = 1, |p| put_off(p, false)),
        field("deploy.duration_secs_max", |p| p.deploy.duration_secs_max = 3600, lasts),
        field("deploy.quiet_reserve_secs", |p| p.deploy.quiet_reserve_secs = 60, quiet),
        field("reboot.preflight", |p| p.reboot.preflight = true, pending),
        field("reboot.max_reboots", |p| p.reboot.max_reboots = 8, reboots),
        field("reboot.deferrals_max", |p| p.reboot.deferrals_max = 1, |p| put_off(p, true)),
        field("reboot.cancel_within_secs", |p| p.reboot.cancel_within_secs = 60, cancelled),
        field(
            "endpoints.scan_before_order",
            |p| p.endpoints.scan_before_order = true,
            |p| format!("{}", read_by_rounds(p)),
        ),
        field(
            "endpoints.scan_every_secs",
            |p| p.endpoints.scan_every_secs = Some(6 * 3600),
            |p| format!("{}", read_by_rounds(p)),
        ),
        field(
            "endpoints.scan_on_candidate",
            |p| p.endpoints.scan_on_candidate = true,
            |p| format!("{}", read_by_rounds(p)),
        ),
        field(
            "endpoints.scan_spread_secs",
            |p| p.endpoints.scan_spread_secs = 7200,
            |mut p| {
                p.endpoints.scan_every_secs = Some(6 * 3600);
                format!("{}", read_by_rounds(p))
            },
        ),
        field("endpoints.stale_after_secs", |p| p.endpoints.stale_after_secs = 600, unread),
        field("endpoints.scan_tries_max", |p| p.endpoints.scan_tries_max = 1, unread),
        field("endpoints.silent_after_secs", |p| p.endpoints.silent_after_secs = 60, replaced),
    ]
}
