//! Stories of what must lie on an endpoint before its window.

use super::stories::ending;
use super::{Field, HOUR, field};
use crate::world::{Does, World, policy};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::inventory::ScopePath;
use patchflow_core::policy::{Amount, Policy, ScopeBudget, StartsMax};
use patchflow_core::schedule::{Schedule, Weekday, WeeklyWindow};

/// When whose content was asked for, what was thrown away, and the ending.
fn told(world: &World) -> String {
    format!("{:?} {:?} {}", world.stages, world.unstages, ending(world))
}

/// Content is wanted, and comes.
fn wanted(mut policy: Policy) -> String {
    policy.staging.required = true;
    plain(policy)
}

fn plain(policy: Policy) -> String {
    let mut world = World::new(40, 2, policy);
    world.publish(patch("openssl", "3.0.22"));
    world.pass(10 * HOUR);
    told(&world)
}

/// Windows of an hour on Sunday and on Monday; the story begins on Saturday morning.
fn windowed(mut policy: Policy, stage: Does) -> String {
    let windows = [Weekday::Sunday, Weekday::Monday]
        .map(|day| WeeklyWindow { day, opens_minute: 22 * 60, open_minutes: 60 })
        .into();
    policy.schedule = Schedule::Weekly { windows, freezes: vec![] };
    policy.staging.required = true;
    let mut world = World::new(40, 2, policy);
    world.script.insert("stage".into(), stage);
    world.publish(patch("openssl", "3.0.22"));
    world.pass(4 * 24 * HOUR);
    told(&world)
}

/// The first attempt to stage is never answered.
fn unanswered(mut policy: Policy) -> String {
    policy.staging.required = true;
    let mut world = World::new(40, 2, policy);
    world.script.insert("stage".into(), Does::GoesSilent);
    world.publish(patch("openssl", "3.0.22"));
    world.pass(20 * HOUR);
    told(&world)
}

/// The network is down for the first three attempts.
fn down(mut policy: Policy) -> String {
    policy.staging.required = true;
    let mut world = World::new(40, 2, policy);
    world.script.insert("stage".into(), Does::FailsFirst(3, FailureKind::Network));
    world.publish(patch("openssl", "3.0.22"));
    world.pass(20 * HOUR);
    told(&world)
}

/// One of ring 1 waits: nothing starts but one by one, and content lies there for long.
fn slow(mut policy: Policy) -> String {
    policy.staging.required = true;
    policy.staging.within_secs = 1800;
    policy.deploy.in_flight_max = 1;
    policy.deploy.report_within_secs = 2 * HOUR as u32;
    let mut world = World::new(40, 2, policy);
    world.script.extend((0..40).map(|i| (format!("prod-{i}"), Does::Installs(5000))));
    world.publish(patch("openssl", "3.0.22"));
    world.pass(40 * HOUR);
    told(&world)
}

pub(super) fn fields() -> Vec<Field> {
    vec![
        field("staging.required", |p| p.staging.required = true, plain),
        field("staging.lead_secs", |p| p.staging.lead_secs = 3600, |p| windowed(p, Does::Installs(60))),
        field("staging.next_ring", |p| p.staging.next_ring = true, wanted),
        field("staging.in_flight_max", |p| p.staging.in_flight_max = Some(Amount::Count { n: 1 }), wanted),
        field(
            "staging.scopes",
            |p| {
                let within = ScopePath("acme".into());
                p.staging.scopes = vec![ScopeBudget { within, in_flight_max: Amount::Count { n: 1 } }];
            },
            wanted,
        ),
        field(
            "staging.starts_max",
            |p| p.staging.starts_max = Some(StartsMax { n: 1, per_secs: 600 }),
            wanted,
        ),
        field("staging.within_secs", |p| p.staging.within_secs = 600, unanswered),
        field("staging.attempts_max", |p| p.staging.attempts_max = 4, down),
        field("staging.keep_secs", |p| p.staging.keep_secs = 3600, slow),
    ]
}

#[test]
fn a_staging_that_contradicts_itself_is_refused_with_every_finding() {
    let mut bad = policy();
    let windows = vec![WeeklyWindow { day: Weekday::Sunday, opens_minute: 0, open_minutes: 120 }];
    bad.schedule = Schedule::Weekly { windows, freezes: vec![] };
    bad.staging.required = true;
    (bad.staging.within_secs, bad.staging.attempts_max) = (0, 0);
    bad.staging.keep_secs = bad.staging.lead_secs;
    bad.staging.in_flight_max = Some(Amount::Count { n: 0 });
    bad.staging.starts_max = Some(StartsMax { n: 0, per_secs: 0 });
    let scope = ScopeBudget { within: ScopePath("acme".into()), in_flight_max: Amount::Count { n: 1 } };
    bad.staging.scopes = vec![scope.clone(), scope];
    let found =
        |policy: &Policy| policy.findings().into_iter().map(|finding| finding.path).collect::<Vec<_>>();
    assert_eq!(
        found(&bad),
        [
            "staging.in_flight_max",
            "staging.scopes[1].within",
            "staging.starts_max.n",
            "staging.starts_max.per_secs",
            "staging.within_secs",
            "staging.attempts_max",
            "staging.keep_secs",
        ]
    );
    bad.staging = Default::default();
    (bad.staging.required, bad.staging.lead_secs) = (true, 0);
    assert_eq!(found(&bad), ["staging.lead_secs"], "content is there before the window, not when it opens");
    (bad.staging.lead_secs, bad.staging.keep_secs) = (60, 0);
    assert_eq!(found(&bad), ["staging.keep_secs"]);
    // A line that is asked for the same every hour, where it may take two to bring it, brings nothing else.
    (bad.staging.keep_secs, bad.staging.within_secs) = (3600, 7200);
    assert_eq!(found(&bad), ["staging.keep_secs"]);
    bad.staging.keep_secs = 7200;
    assert_eq!(found(&bad), [""; 0]);
    bad.schedule = Schedule::Anytime { freezes: vec![] };
    bad.staging.keep_secs = 3600;
    assert_eq!(found(&bad), ["staging.keep_secs"], "windows or none");
    bad.staging.required = false;
    assert_eq!(found(&bad), [""; 0]);
}
