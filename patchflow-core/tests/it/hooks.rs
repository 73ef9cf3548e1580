//! Hooks by hand: drain before, resume after, and what happens when either fails or is late.

use crate::budgets::at_once;
use crate::world::{Does, World};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, EndpointSeen, Fact, Observation, Recorded, RichFact};
use patchflow_core::ids::RolloutId;
use patchflow_core::inventory::Environment;
use patchflow_core::policy::{OnFailure, Policy};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Event, Phase, Report, ReportKind};

fn hooked() -> Policy {
    let mut policy = at_once();
    policy.deploy.hooks.pre = Some("drain".into());
    policy.deploy.hooks.post = Some("resume".into());
    policy
}

/// So many endpoints, all of one availability group.
fn cluster(n: u32, policy: Policy) -> World {
    let mut world = World::new(n, 0, policy);
    let endpoints = (0..n).map(|i| EndpointSeen {
        group: Some("dc".into()),
        ..EndpointSeen::new(format!("prod-{i}"), Environment::Production)
    });
    world.see(Observation::Endpoints { endpoints: endpoints.collect::<Vec<_>>().into() });
    world
}

fn phases(world: &World) -> Vec<Phase> {
    world.fleet.rollout(RolloutId(0)).unwrap().members().iter().map(|member| member.phase()).collect()
}

fn count(world: &World, phase: Phase) -> usize {
    phases(world).into_iter().filter(|known| *known == phase).count()
}

#[test]
fn an_endpoint_is_drained_before_its_order_and_resumed_after_it_was_verified() {
    let mut world = World::new(1, 0, hooked());
    world.publish(patch("openssl", "2.0"));
    assert_eq!((phases(&world), world.orders.len()), (vec![Phase::Draining], 0));
    world.pass(11);
    assert_eq!((phases(&world), world.orders.len()), (vec![Phase::Running], 1));
    assert_eq!(world.hooks, ["pre:prod-0"]);
    world.pass(62);
    assert_eq!(phases(&world), [Phase::Verified]);
    assert_eq!(world.hooks, ["pre:prod-0", "post:prod-0"]);
}

#[test]
fn a_pre_hook_that_fails_is_not_a_start_and_gives_its_place_and_group_back() {
    for does in [Does::Fails(FailureKind::Other), Does::GoesSilent] {
        let mut policy = hooked();
        policy.deploy.in_flight_max = 1;
        let mut world = cluster(3, policy);
        world.script.extend((0..3).map(|i| (format!("pre:prod-{i}"), does.clone())));
        world.publish(patch("openssl", "2.0"));
        world.pass(3 * 630);
        assert_eq!(phases(&world), [Phase::Deferred; 3], "{does:?}");
        assert_eq!(world.orders.len(), 0, "nothing was ordered");
        assert_eq!(
            world.hooks.iter().filter(|hook| hook.starts_with("post")).count(),
            3,
            "and all are resumed"
        );
        assert!(world.fleet.endpoints().all(|endpoint| !endpoint.is_unavailable()));
        let member = &world.fleet.rollout(RolloutId(0)).unwrap().members()[0];
        let (_, detail) = world.fleet.reason(member.reason()).expect("with a reason");
        let candidate = world.fleet.rollout(RolloutId(0)).unwrap().candidate();
        let said = format!("{:?}", explain(&world.fleet, member.endpoint(), candidate));
        assert!(said.contains("not started") && !said.contains("not started in time"), "{said}");
        assert!(said.contains(detail), "{said}");
        // A person may try again.
        world.script.clear();
        for i in 0..3 {
            let endpoint = format!("prod-{i}").into();
            world.ask("ada", &["owner"], Command::Retry { rollout: RolloutId(0), endpoint }).unwrap();
        }
        world.pass(3 * 100);
        assert_eq!(phases(&world), [Phase::Verified; 3]);
    }
}

#[test]
fn the_next_of_a_group_starts_after_the_one_before_was_resumed() {
    let mut world = cluster(2, hooked());
    world.publish(patch("openssl", "2.0"));
    world.pass(72);
    assert_eq!(
        (count(&world, Phase::Verified), count(&world, Phase::Waiting)),
        (1, 1),
        "verified, still drained"
    );
    world.pass(10);
    assert_eq!(count(&world, Phase::Draining), 1);
}

#[test]
fn a_post_hook_that_fails_is_told_and_its_endpoint_stays_unavailable() {
    for does in [Does::Fails(FailureKind::Other), Does::GoesSilent] {
        let mut world = cluster(2, hooked());
        world.script.extend((0..2).map(|i| (format!("post:prod-{i}"), does.clone())));
        world.publish(patch("openssl", "2.0"));
        world.pass(3600);
        assert_eq!((count(&world, Phase::Verified), count(&world, Phase::Waiting)), (1, 1));
        assert!(world.notices.iter().any(|notice| notice.contains("post hook")), "{:?}", world.notices);
        let ended = world.journal.iter().filter(|r| {
            matches!(&r.fact, Fact::Rich(fact) if matches!(**fact, RichFact::HookEnded { failed: Some(_), .. }))
        });
        assert_eq!(ended.count(), 1);
    }
}

#[test]
fn an_endpoint_is_resumed_after_its_rollback_and_not_while_it_is_broken() {
    let mut policy = hooked();
    policy.rollback.on_failure = OnFailure::RollBack;
    let mut world = World::new(1, 0, policy.clone());
    world.script.insert("prod-0".into(), Does::Sickens);
    world.publish(patch("openssl", "2.0"));
    world.pass(600);
    assert_eq!(phases(&world), [Phase::RolledBack]);
    assert_eq!(world.hooks, ["pre:prod-0", "post:prod-0"]);
    policy.rollback.on_failure = OnFailure::Leave;
    let mut world = World::new(1, 0, policy);
    world.script.insert("prod-0".into(), Does::Sickens);
    world.publish(patch("openssl", "2.0"));
    world.pass(600);
    assert_eq!((phases(&world), world.hooks.len()), (vec![Phase::Failed], 1));
}

#[test]
fn a_halt_while_it_is_drained_resumes_it() {
    let mut world = World::new(1, 0, hooked());
    world.publish(patch("openssl", "2.0"));
    world.pass(5);
    let rollout = RolloutId(0);
    world.ask("ada", &["owner"], Command::Halt { rollout, reason: "wait".into() }).unwrap();
    assert_eq!((phases(&world), world.hooks.len()), (vec![Phase::Waiting], 2));
    world.pass(60);
    assert_eq!(world.orders.len(), 0, "the answer of a hook that nobody waits for orders nothing");
    assert_eq!(world.fleet.strays(), 1);
}

#[test]
fn a_pause_while_it_is_drained_orders_nothing_and_it_is_drained_anew_later() {
    let mut world = World::new(1, 0, hooked());
    world.publish(patch("openssl", "2.0"));
    let rollout = RolloutId(0);
    world.ask("ada", &["owner"], Command::Pause { rollout }).unwrap();
    world.pass(30);
    assert_eq!((phases(&world), world.orders.len()), (vec![Phase::Waiting], 0));
    world.ask("ada", &["owner"], Command::Resume { rollout }).unwrap();
    world.pass(100);
    assert_eq!(phases(&world), [Phase::Verified]);
    assert_eq!(world.hooks, ["pre:prod-0", "post:prod-0", "pre:prod-0", "post:prod-0"]);
}

#[test]
fn nobody_starts_on_an_endpoint_that_is_being_resumed() {
    let mut world = World::new(1, 0, hooked());
    world.script.insert("post:prod-0".into(), Does::GoesSilent);
    world.publish(patch("openssl", "2.0"));
    world.publish(patch("webd", "2.0"));
    world.pass(75);
    let second = world.fleet.rollout(RolloutId(1)).unwrap().members()[0].phase();
    assert_eq!((phases(&world), second), (vec![Phase::Verified], Phase::Waiting));
    world.pass(620);
    assert_ne!(
        world.fleet.rollout(RolloutId(1)).unwrap().members()[0].phase(),
        Phase::Waiting,
        "it is given up"
    );
}

#[test]
fn after_a_crash_hooks_are_asked_for_again_and_orders_are_not() {
    let mut world = World::new(2, 0, hooked());
    world.publish(patch("openssl", "2.0"));
    world.lose_everything_on_its_way();
    world.fleet = patchflow_core::fleet::Fleet::replay(world.journal.iter().cloned()).unwrap();
    let again: Vec<_> = world.fleet.outstanding().collect();
    assert_eq!(again.len(), 2);
    again.into_iter().for_each(|effect| world.carry_out_again(effect));
    world.pass(100);
    assert_eq!(phases(&world), [Phase::Verified; 2]);
    assert_eq!(world.hooks.iter().filter(|hook| *hook == "pre:prod-1").count(), 2, "drained again");
}

#[test]
fn whoever_could_not_be_drained_is_drained_anew_after_longer_and_longer_waits() {
    let mut policy = hooked();
    policy.retry.backoff_secs = 600;
    policy.retry.backoff_secs_max = 3000;
    policy.retry.jitter = patchflow_core::gate::Percent::whole(10);
    policy.catch_up.max_failures = 100;
    let mut world = World::new(4, 0, policy);
    world.script.extend((1..4).map(|i| (format!("pre:prod-{i}"), Does::Fails(FailureKind::Other))));
    let candidate = world.publish(patch("openssl", "2.0"));
    world.pass(3600);
    let rollout = world.fleet.rollout(RolloutId(0)).unwrap();
    assert!(rollout.is_catching_up(), "{:?}", rollout.state());
    let waits = rollout.members().iter().find(|member| member.phase() == Phase::Deferred).unwrap();
    let said = format!("{:?}", explain(&world.fleet, waits.endpoint(), candidate));
    assert!(said.contains("its hook is run again from 2026-11-21T"), "{said}");
    // A restart of the host makes nobody's turn come sooner.
    world.fleet = patchflow_core::fleet::Fleet::replay(world.journal.iter().cloned()).unwrap();
    world.pass(4 * 3600);
    for member in 0..4 {
        let asked = world.journal.iter().filter_map(|recorded| match &recorded.fact {
            Fact::Endpoint(fact) if fact.event == Event::HookAsked && fact.member.0 == member => {
                Some(recorded.at)
            }
            _ => None,
        });
        let asked: Vec<_> = asked.collect();
        let waits: Vec<_> = asked.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
        if asked.len() == 1 {
            continue;
        }
        // Ten seconds of the hook, then 10, 20, 40, and at most 50 minutes, each a tenth longer at most.
        let least = [610, 1210, 2410, 3010, 3010];
        assert!(waits.len() >= 5, "{waits:?}");
        for (wait, least) in waits.iter().zip(least) {
            assert!((least..=least + least / 10).contains(wait), "{waits:?}");
        }
    }
    world.script.clear();
    world.pass(3600);
    assert_eq!(phases(&world), [Phase::Verified; 4]);
}

#[test]
fn an_endpoint_is_drained_before_the_reboot_that_comes_first_too() {
    let mut policy = hooked();
    policy.reboot.preflight = true;
    let mut world = cluster(2, policy);
    let endpoints: Vec<_> = world.fleet.endpoints().map(|endpoint| endpoint.ix()).collect();
    world.see(Observation::RebootsPending { endpoints: endpoints.into(), pending: true });
    world.publish(patch("openssl", "2.0"));
    assert_eq!((count(&world, Phase::Draining), world.orders.len()), (1, 0), "drained before anything else");
    let first = world.hooks[0].trim_start_matches("pre:").to_owned();
    world.pass(10);
    assert_eq!((count(&world, Phase::Rebooting), world.orders.len()), (1, 1));
    assert_eq!(count(&world, Phase::Waiting), 1, "the other one of the group is up");
    world.pass(30);
    assert_eq!(world.hooks, [format!("pre:{first}"), format!("post:{first}")], "resumed until its install");
    world.pass(3600);
    assert_eq!(phases(&world), [Phase::Verified; 2]);
    let of = |stage: &str| world.hooks.iter().filter(|hook| hook.starts_with(stage)).count();
    assert_eq!((of("pre"), of("post")), (4, 4), "a reboot and an install each: {:?}", world.hooks);
    let replayed = patchflow_core::fleet::Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
}

#[test]
fn a_reboot_that_comes_first_and_cannot_be_drained_is_no_start() {
    let mut policy = hooked();
    policy.reboot.preflight = true;
    let mut world = World::new(1, 0, policy);
    world.script.insert("pre:prod-0".into(), Does::Fails(FailureKind::Other));
    let endpoints: Vec<_> = world.fleet.endpoints().map(|endpoint| endpoint.ix()).collect();
    world.see(Observation::RebootsPending { endpoints: endpoints.into(), pending: true });
    world.publish(patch("openssl", "2.0"));
    world.pass(60);
    assert_eq!((phases(&world), world.orders.len()), (vec![Phase::Deferred], 0));
}

#[test]
fn what_was_not_drained_is_not_resumed() {
    // Its order comes to nothing, it is resumed, and only then says that it did the work after all.
    let mut world = World::new(1, 0, hooked());
    world.script.insert("prod-0".into(), Does::Offline);
    world.publish(patch("openssl", "2.0"));
    world.pass(11);
    let order = world.orders[0].id();
    let rollout = RolloutId(0);
    world.pass(1801);
    world.ask("ada", &["owner"], Command::Pause { rollout }).unwrap();
    world.pass(60);
    assert_eq!((phases(&world), world.hooks.len()), (vec![Phase::Waiting], 2));
    world.script.clear();
    world.levels.insert("prod-0".into(), "2.0".into());
    world.see(Observation::Reported(Report { order, kind: ReportKind::Done }));
    world.pass(60);
    assert_eq!(phases(&world), [Phase::Verified]);
    let of = |stage: &str| world.hooks.iter().filter(|hook| hook.starts_with(stage)).count();
    assert_eq!(of("pre"), of("post"), "{:?}", world.hooks);
}

#[test]
fn a_post_hook_is_asked_for_once_though_its_member_is_deferred_at_the_same_instant() {
    let mut policy = hooked();
    policy.deploy.hooks.pre = None;
    // Its order expires when it is too late to start anyway.
    policy.deploy.start_within_secs = 1800;
    policy.deploy.acknowledge_within_secs = 1800;
    let mut world = World::new(1, 0, policy);
    world.script.insert("prod-0".into(), Does::Offline);
    world.publish(patch("openssl", "2.0"));
    world.pass(1801);
    assert_eq!(phases(&world), [Phase::Deferred]);
    assert_eq!(world.hooks, ["post:prod-0"]);
}

#[test]
fn who_is_brought_along_after_completion_is_drained_and_installed_too() {
    let mut world = World::new(2, 0, hooked());
    world.script.insert("pre:prod-1".into(), Does::GoesSilent);
    world.publish(patch("openssl", "2.0"));
    world.pass(700);
    world.script.clear();
    world.pass(7 * 24 * 3600);
    assert_eq!(phases(&world), [Phase::Verified; 2]);
    let times = |event| {
        let of = |r: &&Recorded| matches!(r.fact, Fact::Endpoint(fact) if fact.event == event);
        world.journal.iter().filter(of).map(|r| r.at).collect::<Vec<_>>()
    };
    let (asked, ordered) = (times(Event::HookAsked), times(Event::Ordered));
    assert!(asked.last() < ordered.last(), "no order before its hook is done: {asked:?} {ordered:?}");
    assert_eq!(world.hooks.iter().filter(|hook| *hook == "pre:prod-1").count(), 2, "drained again");
}
