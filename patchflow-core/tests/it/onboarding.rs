//! Endpoints that are not in service yet are brought to the approved patches outside rings (semantics S5).

use crate::conditions::{direct, ix, some};
use crate::world::{Does, World};
use patchflow_core::catalog::Patch;
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, EndpointSeen, Fact, Fleet, NeedSeen, Observation, RichFact, Standing};
use patchflow_core::ids::CandidateId;
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{Onboarding, Policy, RingPolicy};
use patchflow_core::report::{History, explain, summarize};
use patchflow_core::rollout::{Order, Phase, RingState};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use std::borrow::Cow;
use std::sync::Arc;

const HOUR: u64 = 3600;

fn seen(name: &str, onboarding: bool) -> EndpointSeen {
    let scope = ScopePath("acme".into());
    EndpointSeen { scope, onboarding, ..EndpointSeen::new(name, Environment::Production) }
}

fn tell(world: &mut World, name: &str, onboarding: bool) {
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![seen(name, onboarding)]) });
}

/// A machine that is not in service yet, and needs these; the comparison of its inventory is told in full.
fn arrives(world: &mut World, name: &str, needs: &[CandidateId]) {
    tell(world, name, true);
    for candidate in needs {
        stands(world, name, *candidate, Standing::Needs);
    }
    world.see(Observation::Identified);
}

fn stands(world: &mut World, name: &str, candidate: CandidateId, standing: Standing) {
    let need = NeedSeen::needs(ix(world, name), Some(Arc::from("0.9")), RollbackPath::Reinstall);
    let needs = Cow::Owned(vec![NeedSeen { standing, ..need }]);
    world.see(Observation::Needs { candidate, needs });
}

/// Completed rollouts of these.
fn behind(world: &mut World, patches: &[Patch]) -> Vec<CandidateId> {
    let all: Vec<_> = patches.iter().map(|patch| world.publish(patch.clone())).collect();
    world.pass(2 * HOUR);
    all
}

fn onboarded(world: &World) -> usize {
    let is = |fact: &Fact| matches!(fact, Fact::Rich(fact) if matches!(**fact, RichFact::EndpointOnboarded { .. }));
    world.journal.iter().filter(|recorded| is(&recorded.fact)).count()
}

fn ring_of(world: &World, candidate: CandidateId, name: &str) -> Option<RingState> {
    let rollout = world.fleet.rollout(world.deployment_of(candidate)).unwrap();
    let member = rollout.members()[rollout.member_of(ix(world, name))?.index()];
    Some(rollout.rings()[usize::from(member.ring())].state())
}

fn told(world: &World, name: &str, candidate: CandidateId) -> String {
    format!("{:?}", explain(&world.fleet, ix(world, name), candidate))
}

fn replays(world: &World) {
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
    assert_eq!(Fleet::resume(&world.fleet.baseline(), []).unwrap().baseline(), world.fleet.baseline());
}

#[test]
fn a_new_endpoint_is_brought_to_the_approved_patches_outside_rings_before_its_service() {
    let mut world = World::new(3, 0, direct());
    let all = behind(&mut world, &[patch("webd", "1.1"), patch("libd", "1.1")]);
    world.script.insert("new".into(), Does::Installs(600));
    arrives(&mut world, "new", &all);
    world.pass(300);
    assert!(world.fleet.endpoint(ix(&world, "new")).unwrap().is_onboarding());
    let text = format!("{}{}", told(&world, "new", all[0]), told(&world, "new", all[1]));
    assert!(text.contains("outside rings, before its service"), "{text}");
    world.pass(HOUR);
    assert_eq!(world.installs_of("new"), 2, "one after the other");
    for candidate in &all {
        assert_eq!(world.phase(world.deployment_of(*candidate), "new"), Phase::Verified);
        assert_eq!(ring_of(&world, *candidate, "new"), Some(RingState::CatchUp));
    }
    assert_eq!(onboarded(&world), 1);
    assert!(world.notices.iter().any(|text| text.contains("new has every patch that is approved for it")));
    assert!(!world.fleet.endpoint(ix(&world, "new")).unwrap().is_onboarding());
    replays(&world);
    // The host has not said yet that it went into service; that is no news, and begins nothing anew.
    let facts = world.journal.len();
    tell(&mut world, "new", true);
    assert_eq!(world.journal.len(), facts);
    tell(&mut world, "new", false);
    tell(&mut world, "new", true);
    assert!(world.fleet.endpoint(ix(&world, "new")).unwrap().is_onboarding(), "taken out of service again");
}

#[test]
fn prerequisites_come_first_before_service_too() {
    let mut world = World::new(3, 0, direct());
    let mut webd = patch("webd", "1.1");
    webd.relations.requires = vec!["libd=1.1".into()];
    let libd = behind(&mut world, &[patch("libd", "1.1")])[0];
    let webd = behind(&mut world, &[webd])[0];
    arrives(&mut world, "new", &[webd, libd]);
    world.pass(HOUR);
    let order: Vec<_> = world
        .orders
        .iter()
        .filter_map(|order| match order {
            Order::Install(install) if order.endpoint().as_str() == "new" => Some(install.patch().id.clone()),
            Order::Install(_) | Order::Revert(_) | Order::Reboot(_) => None,
        })
        .collect();
    assert_eq!(order.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["libd=1.1", "webd=1.1"]);
    assert_eq!(onboarded(&world), 1);
}

#[test]
fn no_ring_takes_an_endpoint_before_its_service_and_after_it_it_counts() {
    let mut policy = direct();
    policy
        .rings
        .insert(0, RingPolicy { gate: policy.rings[0].gate.clone(), ..RingPolicy::percent("pilot", 30) });
    let mut world = World::new(4, 0, policy);
    let older = behind(&mut world, &[patch("webd", "1.1")])[0];
    // Not reached yet, so that it stays before its service for now.
    world.script.insert("new".into(), Does::Offline);
    arrives(&mut world, "new", &[older]);
    let newer = world.publish(patch("libd", "1.1"));
    world.pass(300);
    let running = |world: &World| world.fleet.rollout(world.deployment_of(newer)).unwrap().members().len();
    assert_eq!(running(&world), 4, "neither in the plan nor as a newcomer");
    let text = told(&world, "new", newer);
    assert!(text.contains("not in service yet; it is brought to the patches whose rollouts"), "{text}");
    let summary = summarize(&world.fleet, &History::read(&world.journal));
    assert_eq!(summary.kpis.compliance.whole, 8, "four endpoints, two patches");
    world.script.remove("new");
    // The order that never arrived goes back to waiting after half an hour, and leaves again.
    let mut hours = 0;
    while onboarded(&world) == 0 && hours < 5 {
        world.pass(HOUR / 4);
        hours += 1;
    }
    assert_eq!(onboarded(&world), 1);
    world.pass(3 * HOUR);
    assert_eq!(running(&world), 5, "in service it is a newcomer like any other");
    assert_eq!(world.phase(world.deployment_of(newer), "new"), Phase::Verified);
    let summary = summarize(&world.fleet, &History::read(&world.journal));
    assert_eq!(summary.kpis.compliance.whole, 10);
    replays(&world);
}

#[test]
fn what_completes_while_it_is_not_in_service_is_brought_to_it() {
    let mut world = World::new(3, 0, direct());
    let older = behind(&mut world, &[patch("webd", "1.1")])[0];
    let fails = Does::FailsFirst(3, FailureKind::Dependency);
    world.script.insert("new".into(), fails);
    let newer = world.publish(patch("libd", "1.1"));
    arrives(&mut world, "new", &[older, newer]);
    assert_eq!(ring_of(&world, newer, "new"), None);
    world.pass(2 * HOUR);
    // What failed is missing, and so it is not ready, whatever else it has.
    assert_eq!(onboarded(&world), 0);
    assert_eq!(world.phase(world.deployment_of(older), "new"), Phase::Failed);
    assert_eq!(ring_of(&world, newer, "new"), Some(RingState::CatchUp));
    world.script.remove("new");
    for candidate in [older, newer] {
        let rollout = world.deployment_of(candidate);
        let _ = world.ask("ada", &[], Command::Retry { rollout, endpoint: "new".into() });
    }
    world.pass(HOUR);
    assert_eq!(onboarded(&world), 1);
    replays(&world);
}

#[test]
fn onboarding_is_the_policys_word() {
    let windows = vec![WeeklyWindow { day: Weekday::Saturday, opens_minute: 8 * 60, open_minutes: 90 }];
    for (onboarding, newcomers, deferred, frozen, expected) in [
        (Onboarding::InWindows, true, true, false, 0),
        (Onboarding::InWindows, false, true, false, 0),
        (Onboarding::AtAnyTime, true, true, false, 1),
        (Onboarding::AtAnyTime, false, true, false, 1),
        (Onboarding::AtAnyTime, true, true, true, 0),
        (Onboarding::Leave, true, true, false, 0),
        // Though nobody else is brought along.
        (Onboarding::InWindows, false, false, false, 0),
        (Onboarding::AtAnyTime, false, false, false, 1),
        (Onboarding::Leave, false, false, false, 0),
    ] {
        let mut policy: Policy = direct();
        (policy.catch_up.onboarding, policy.catch_up.newcomers) = (onboarding, newcomers);
        policy.catch_up.deferred = deferred;
        let at = |hours: u64| crate::world::start().plus_secs(hours * HOUR);
        let freezes = if frozen { vec![Freeze { from: at(2), until: at(20) }] } else { vec![] };
        policy.schedule = Schedule::Weekly { windows: windows.clone(), freezes };
        policy.rings[0].gate.bake_secs_min = 0;
        let mut world = World::new(3, 0, policy);
        let older = behind(&mut world, &[patch("webd", "1.1")])[0];
        arrives(&mut world, "new", &[older]);
        let in_catch_up = ring_of(&world, older, "new").is_some();
        assert_eq!(in_catch_up, onboarding != Onboarding::Leave, "{onboarding:?}");
        world.pass(HOUR);
        assert_eq!((world.installs_of("new"), onboarded(&world)), (expected, expected), "{onboarding:?}");
        let outside = world.notices.iter().any(|text| text.contains("endpoints that are not in service yet"));
        assert_eq!(outside, expected == 1, "people are told that it is outside of the windows");
        if onboarding == Onboarding::InWindows {
            world.pass(8 * 24 * HOUR);
            assert_eq!((world.installs_of("new"), onboarded(&world)), (1, 1));
        }
    }
}

#[test]
fn an_endpoint_that_nobody_has_read_is_not_ready() {
    let mut world = World::new(3, 0, direct());
    let older = behind(&mut world, &[patch("webd", "1.1")])[0];
    tell(&mut world, "new", true);
    world.pass(HOUR);
    assert_eq!(onboarded(&world), 0, "nothing is known to be missing, and nothing was compared");
    let (endpoints, since) = (some(&world, &["new"]), world.now);
    world.see(Observation::Unreachable { endpoints, since });
    stands(&mut world, "new", older, Standing::Has);
    world.see(Observation::Identified);
    assert_eq!(onboarded(&world), 0, "out of contact");
    let endpoints = some(&world, &["new"]);
    world.see(Observation::Reachable { endpoints });
    world.pass(HOUR);
    world.see(Observation::Identified);
    assert_eq!(onboarded(&world), 1, "it has what it needs, and nothing was ordered");
    assert_eq!(world.installs_of("new"), 0);
}

#[test]
fn a_crash_between_its_last_patch_and_its_service_loses_nothing() {
    let mut world = World::new(3, 0, direct());
    let all = behind(&mut world, &[patch("webd", "1.1"), patch("libd", "1.1")]);
    arrives(&mut world, "new", &all);
    world.pass(HOUR);
    let at = |fact: &Fact| matches!(fact, Fact::Rich(fact) if matches!(**fact, RichFact::EndpointOnboarded { .. }));
    let last = world.journal.iter().position(|recorded| at(&recorded.fact)).unwrap();
    world.journal.truncate(last);
    world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
    world.lose_everything_on_its_way();
    world.pass(60);
    assert_eq!(onboarded(&world), 1);
}

#[test]
fn what_was_planned_before_it_left_service_keeps_its_ring_and_its_due_date_counts_again_afterwards() {
    let mut world = World::new(3, 0, direct());
    world.script.insert("prod-0".into(), Does::Offline);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(60);
    tell(&mut world, "prod-0", true);
    let ring = ring_of(&world, candidate, "prod-0");
    assert!(matches!(ring, Some(RingState::Open)), "{ring:?}");
    world.pass(8 * 24 * HOUR);
    let late =
        |world: &World| world.notices.iter().filter(|text| text.contains("are past their date")).count();
    assert_eq!(late(&world), 0, "it is not in service");
}
