//! What replaces what, what comes first, what cannot be beside what (semantics S11).

use crate::conditions::direct;
use crate::world::{Does, World, one_ring, policy};
use patchflow_core::catalog::{Category, Patch};
use patchflow_core::doc::patch;
use patchflow_core::error::{FailureKind, Refusal};
use patchflow_core::fleet::{Command, EndpointSeen, Fact, Fleet, NeedSeen, Observation, RichFact, Standing};
use patchflow_core::ids::{CandidateId, PatchId};
use patchflow_core::inventory::Environment;
use patchflow_core::package::Ecosystem;
use patchflow_core::plan::{RollbackPath, RolloutDraft};
use patchflow_core::policy::{OnSuperseded, Policy, Selector, StartMode};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Order, Phase, RolloutKind, RolloutState};
use std::borrow::Cow;
use std::sync::Arc;

const HOUR: u64 = 3600;

fn superseding(version: &str, older: &[&str]) -> Patch {
    let mut patch = patch("lib", version);
    patch.relations.supersedes =
        older.iter().map(|version| PatchId::from(format!("lib={version}"))).collect();
    patch
}

/// The same, which a person must approve.
fn asked(mut patch: Patch) -> Patch {
    patch.category = Category::Feature;
    patch
}

fn approve(world: &mut World, candidate: CandidateId) {
    let ask = Command::Approve { candidate, reason: "fine".into() };
    world.ask("ada", &["change-manager"], ask).unwrap();
}

fn state(world: &World, candidate: CandidateId) -> &'static str {
    world.fleet.candidate(candidate).unwrap().state()
}

fn replaced_by(world: &World, candidate: CandidateId) -> Option<CandidateId> {
    match world.fleet.candidate(candidate).unwrap() {
        patchflow_core::candidate::Candidate::Superseded(superseded) => Some(superseded.by()),
        _ => None,
    }
}

#[test]
fn a_superseder_that_is_not_approved_hides_nothing() {
    let mut world = World::new(40, 2, policy());
    let older = world.publish(patch("lib", "1.1"));
    world.pass(700);
    let newer = world.publish(asked(superseding("2", &["1.1"])));
    world.pass(12 * HOUR);
    assert_eq!(state(&world, newer), "waiting for approval");
    let rollout = world.fleet.rollout(world.deployment_of(older)).unwrap();
    assert_eq!(rollout.state(), RolloutState::Completed, "its predecessor rolls on");
    approve(&mut world, newer);
    assert_eq!(replaced_by(&world, older), Some(newer));
}

#[test]
fn the_newest_approved_of_a_chain_replaces_all_before_it() {
    let mut world = World::new(10, 2, policy());
    let first = world.publish(asked(patch("lib", "1.1")));
    let second = world.publish(asked(superseding("2", &["1.1"])));
    let third = world.publish(asked(superseding("3", &["2"])));
    approve(&mut world, first);
    approve(&mut world, third);
    assert_eq!(replaced_by(&world, second), Some(third));
    assert_eq!(replaced_by(&world, first), Some(third), "through one that was never approved");
}

#[test]
fn a_diamond_is_replaced_by_its_top_alone() {
    let mut world = World::new(10, 2, policy());
    let ids = [("1.1", &[][..]), ("2", &["1.1"]), ("3", &["1.1"]), ("4", &["2", "3"])]
        .map(|(version, older)| world.publish(asked(superseding(version, older))));
    approve(&mut world, ids[3]);
    for older in &ids[..3] {
        assert_eq!(replaced_by(&world, *older), Some(ids[3]));
    }
    let held = world
        .journal
        .iter()
        .filter(|r| matches!(&r.fact, Fact::Rich(f) if matches!(**f, RichFact::CandidateHeld { .. })));
    assert_eq!(held.count(), 0, "a diamond is no circle");
}

#[test]
fn what_is_published_after_its_approved_superseder_starts_nothing() {
    let mut world = World::new(10, 2, policy());
    let newer = world.publish(superseding("2", &["1.1"]));
    world.pass(700);
    assert_eq!(state(&world, newer), "approved");
    let older = world.publish(patch("lib", "1.1"));
    assert_eq!(replaced_by(&world, older), Some(newer));
    assert!(world.rollouts_of(older).is_empty());
}

#[test]
fn a_predecessor_comes_back_when_what_replaced_it_is_withdrawn() {
    let mut world = World::new(40, 2, policy());
    let older = world.publish(patch("lib", "1.1"));
    world.pass(700);
    let newer = world.publish(superseding("2", &["1.1"]));
    world.pass(700);
    assert_eq!(replaced_by(&world, older), Some(newer));
    world.ask("ada", &[], Command::Withdraw { candidate: newer, reason: "it burns".into() }).unwrap();
    world.pass(12 * HOUR);
    assert_eq!(state(&world, older), "approved", "its trial still counts");
    let rollout = world.fleet.rollout(world.deployment_of(older)).unwrap();
    assert_eq!((rollout.state(), world.rollouts_of(older).len()), (RolloutState::Completed, 3));
}

/// A rollout in its second ring when its successor is approved.
fn replaced_under_way(superseded: OnSuperseded, start: StartMode) -> (World, CandidateId, CandidateId) {
    let mut policy: Policy = policy();
    policy.relations.superseded = superseded;
    policy.deploy.start = start;
    let mut world = World::new(40, 2, policy);
    let older = world.publish(asked(patch("lib", "1.1")));
    approve(&mut world, older);
    if start == StartMode::OnRequest {
        let draft = RolloutDraft::of(older);
        world.ask("ada", &[], Command::Start { draft }).unwrap();
    }
    world.pass(700);
    let newer = world.publish(asked(superseding("2", &["1.1"])));
    approve(&mut world, newer);
    world.pass(12 * HOUR);
    (world, older, newer)
}

#[test]
fn a_rollout_whose_patch_is_replaced_stops_finishes_or_moves_as_the_policy_says() {
    let verified = |world: &World, candidate| {
        let rollouts = world.rollouts_of(candidate);
        rollouts.iter().map(|id| world.fleet.rollout(*id).unwrap().counts().verified).sum::<u32>()
    };
    let (world, older, newer) = replaced_under_way(OnSuperseded::Stop, StartMode::OnRequest);
    assert_eq!((verified(&world, older), verified(&world, newer)), (10, 0), "the rest waits to be started");
    assert_eq!(replaced_by(&world, older), Some(newer));
    let (world, older, newer) = replaced_under_way(OnSuperseded::Finish, StartMode::OnRequest);
    assert_eq!((verified(&world, older), verified(&world, newer)), (40, 0));
    assert_eq!(replaced_by(&world, older), Some(newer), "replaced once it has come to its end");
    let (world, older, newer) = replaced_under_way(OnSuperseded::Move, StartMode::OnRequest);
    assert_eq!((verified(&world, older), verified(&world, newer)), (10, 40));
    let (from, to) = (world.deployment_of(older), world.deployment_of(newer));
    let rings = |id| (0..4).map(|ring| world.ring(id, ring)).collect::<Vec<_>>();
    assert_eq!(rings(to), rings(from), "nobody changes their ring");
    let (world, older, newer) = replaced_under_way(OnSuperseded::Stop, StartMode::WhenApproved);
    assert_eq!((verified(&world, older), verified(&world, newer)), (10, 40));
}

#[test]
fn every_running_rollout_of_what_is_replaced_moves() {
    let mut policy: Policy = policy();
    policy.relations.superseded = OnSuperseded::Move;
    policy.deploy.start = StartMode::OnRequest;
    let mut world = World::new(40, 2, policy);
    let half = |half: &str| Selector::Tag { name: "half".into(), value: half.into() };
    let seen = (0..40).map(|i| {
        let tags = [("half".to_owned(), if i < 20 { "left" } else { "right" }.to_owned())].into();
        EndpointSeen { tags, ..EndpointSeen::new(format!("prod-{i}"), Environment::Production) }
    });
    world.see(Observation::Endpoints { endpoints: seen.collect::<Vec<_>>().into() });
    let older = world.publish(asked(patch("lib", "1.1")));
    approve(&mut world, older);
    for select in [half("left"), half("right")] {
        let draft = RolloutDraft { select, ..RolloutDraft::of(older) };
        world.ask("ada", &[], Command::Start { draft }).unwrap();
    }
    world.pass(700);
    let newer = world.publish(asked(superseding("2", &["1.1"])));
    approve(&mut world, newer);
    world.pass(12 * HOUR);
    let of = |candidate| -> Vec<_> {
        let rollouts = world.fleet.rollouts();
        rollouts.filter(|r| r.candidate() == candidate && r.kind() == RolloutKind::Deployment).collect()
    };
    let (from, to) = (of(older), of(newer));
    assert_eq!((from.len(), to.len()), (2, 2), "both move, and not the last one alone");
    for (from, to) in from.iter().zip(&to) {
        assert_eq!(to.select(), from.select());
        assert_eq!(to.members().len(), 20);
        assert_eq!((to.state(), to.counts().verified), (RolloutState::Completed, 20));
    }
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
}

#[test]
fn an_endpoint_that_left_and_came_back_moves_along_once() {
    let mut policy: Policy = policy();
    policy.relations.superseded = OnSuperseded::Move;
    let mut world = World::new(40, 2, policy);
    let older = world.publish(asked(patch("lib", "1.1")));
    approve(&mut world, older);
    world.pass(700);
    let first = world.deployment_of(older);
    let name = world.ring(first, 3)[0].clone();
    let endpoint = world.fleet.endpoint_ix(&name).unwrap();
    world.see(Observation::EndpointGone { endpoint });
    let seen = EndpointSeen::new(name.as_str(), Environment::Production);
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![seen]) });
    let needs = NeedSeen::needs(endpoint, Some("0.9".into()), RollbackPath::Reinstall);
    world.see(Observation::Needs { candidate: older, needs: Cow::Owned(vec![needs]) });
    world.see(Observation::Identified);
    assert_eq!(world.fleet.rollout(first).unwrap().members().len(), 41, "it joined anew");
    let newer = world.publish(asked(superseding("2", &["1.1"])));
    approve(&mut world, newer);
    let moved = world.fleet.rollout(world.deployment_of(newer)).unwrap();
    let mut endpoints: Vec<_> = moved.members().iter().map(|member| member.endpoint()).collect();
    endpoints.sort();
    endpoints.dedup();
    assert_eq!((moved.members().len(), endpoints.len()), (40, 40));
}

#[test]
fn what_replaces_it_is_never_put_back_while_a_rollout_comes_to_its_end() {
    let mut policy: Policy = policy();
    policy.relations.superseded = OnSuperseded::Finish;
    policy.deploy.in_flight_max = 1;
    let mut world = World::new(20, 2, policy);
    let older = world.publish(patch("lib", "1.1"));
    world.pass(700);
    world.publish(superseding("2", &["1.1"]));
    world.pass(24 * HOUR);
    let mut newest = std::collections::BTreeMap::new();
    for order in &world.orders {
        if let Order::Install(install) = order {
            let version = install.target().version.clone();
            let before = newest.insert(install.endpoint().clone(), version.clone());
            assert!(before.is_none_or(|before| before <= version), "{} goes back", install.endpoint());
        }
    }
    let rollout = world.fleet.rollout(world.deployment_of(older)).unwrap();
    assert_eq!(rollout.state(), RolloutState::Completed);
    assert!(rollout.counts().skipped > 0, "they met: {:?}", rollout.counts());
}

#[test]
fn a_replaced_candidate_cannot_be_started() {
    let (mut world, older, newer) = replaced_under_way(OnSuperseded::Finish, StartMode::OnRequest);
    let draft = RolloutDraft::of(older);
    let refused = world.ask("ada", &[], Command::Start { draft }).unwrap_err();
    assert!(matches!(refused, Refusal::WrongState { .. }), "{refused} ({newer})");
}

#[test]
fn a_circle_is_held_and_named_and_released_when_it_is_mended() {
    let mut world = World::new(10, 2, policy());
    let first = world.publish(superseding("1.1", &["3"]));
    let second = world.publish(superseding("2", &["1.1"]));
    let third = world.publish(superseding("3", &["2"]));
    let text = "its relations supersede each other in a circle: lib=3 -> lib=2 -> lib=1.1 -> lib=3";
    assert!(world.notices.iter().any(|notice| notice.ends_with(text)), "{:?}", world.notices);
    world.pass(1500);
    assert_eq!(state(&world, third), "identified", "it goes nowhere, not even into a trial");
    assert!(world.rollouts_of(third).is_empty());
    assert_eq!(replaced_by(&world, first), Some(second), "what it says about others does not count");
    let mut mended = superseding("3", &[]);
    mended.title = "mended".into();
    world.publish(mended);
    assert_eq!(replaced_by(&world, third), Some(second), "now it is what the others say");
}

#[test]
fn rollouts_of_what_was_held_go_on_when_it_is_released() {
    let mut policy = one_ring();
    policy.deploy.in_flight_max = 1;
    let mut world = World::new(5, 2, policy);
    world.script.insert("prod-0".into(), Does::FailsFirst(1, FailureKind::Network));
    let own = world.publish(superseding("1.1", &[]));
    world.pass(90);
    let held = Patch { title: "held".into(), ..superseding("1.1", &["1.1"]) };
    world.publish(held);
    world.pass(24 * HOUR);
    let rollout = world.deployment_of(own);
    assert!(world.fleet.rollout(rollout).unwrap().counts().waiting > 1, "held, it starts nobody");
    // Nothing else that is remembered of it counts, either: a host that comes back finds it held.
    world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
    world.publish(Patch { title: "mended".into(), ..superseding("1.1", &[]) });
    world.pass(24 * HOUR);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Completed);
}

#[test]
fn a_patch_that_replaces_itself_is_held() {
    let mut world = World::new(10, 2, policy());
    let own = world.publish(superseding("1.1", &["1.1"]));
    world.pass(700);
    assert_eq!(state(&world, own), "identified");
    let draft = RolloutDraft::of(own);
    assert!(world.ask("ada", &[], Command::Start { draft }).is_err());
}

#[test]
fn prerequisites_come_first_on_each_endpoint() {
    let mut world = World::new(40, 2, policy());
    let mut upper = patch("agent", "2");
    upper.relations.requires = vec!["stack=9".into()];
    let upper = world.publish(upper);
    world.pass(HOUR);
    assert!(world.orders.is_empty(), "nobody has published what it requires");
    let trial = world.rollouts_of(upper)[0];
    assert_eq!(world.phase(trial, "test-0"), Phase::Waiting);
    let ix = world.fleet.endpoint_ix("test-0").unwrap();
    let why = world.fleet.waits_for(upper, ix).unwrap();
    assert_eq!(why, "waits for stack=9, which nobody has published here");
    let lower = world.publish(patch("stack", "9"));
    assert_eq!(world.fleet.waits_for(upper, ix).unwrap(), "waits for stack=9");
    world.pass(24 * HOUR);
    let order = |name: &str, candidate| {
        let target = &world.fleet.candidate(candidate).unwrap().identified().patch().target;
        let is = |o: &Order| matches!(o, Order::Install(i) if i.endpoint().as_str() == name && i.target() == target);
        world.orders.iter().position(is).unwrap()
    };
    for name in (0..40).map(|i| format!("prod-{i}")) {
        assert!(order(&name, lower) < order(&name, upper), "{name}");
    }
    assert_eq!(world.fleet.rollout(world.deployment_of(upper)).unwrap().state(), RolloutState::Completed);
}

#[test]
fn a_prerequisite_that_failed_keeps_the_other_away_and_one_that_appears_lets_it_go() {
    let mut lenient = policy();
    lenient.rings.iter_mut().for_each(|ring| ring.gate.max_failure_percent = None);
    lenient
        .rings
        .iter_mut()
        .for_each(|ring| ring.gate.min_success_percent = patchflow_core::gate::Percent::whole(10));
    let mut world = World::new(40, 2, lenient);
    world.script.insert("prod-3".into(), Does::Fails(FailureKind::ScriptFailed));
    let lower = world.publish(patch("stack", "9"));
    let mut upper = patch("agent", "2");
    upper.relations.requires = vec!["stack=9".into()];
    let upper = world.publish(upper);
    world.pass(20 * HOUR);
    let rollout = world.deployment_of(upper);
    assert_eq!(world.phase(rollout, "prod-3"), Phase::Waiting);
    assert_eq!(world.phase(rollout, "prod-4"), Phase::Verified);
    world.script.clear();
    let endpoint = world.fleet.endpoint_ix("prod-3").unwrap();
    let has = NeedSeen {
        endpoint,
        standing: Standing::Has,
        present: Some(Arc::from("9")),
        path: RollbackPath::Reinstall,
        path_valid_until: None,
        why: None,
    };
    world.see(Observation::Needs { candidate: lower, needs: Cow::Owned(vec![has]) });
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-3"), Phase::Verified, "somebody else put it there");
}

#[test]
fn a_conflict_holds_and_says_with_what_whichever_of_the_two_says_so() {
    for named_by_the_newer in [true, false] {
        let mut world = World::new(10, 2, policy());
        let (mut there, mut comes) = (patch("proxy", "1"), patch("agent", "2"));
        if named_by_the_newer {
            comes.relations.conflicts = vec!["proxy=1".into()];
        } else {
            there.relations.conflicts = vec!["agent=2".into()];
        }
        let there = world.publish(there);
        world.pass(12 * HOUR);
        assert_eq!(world.fleet.rollout(world.deployment_of(there)).unwrap().state(), RolloutState::Completed);
        let comes = world.publish(comes);
        world.pass(HOUR);
        let trial = world.fleet.rollout(world.rollouts_of(comes)[0]).unwrap();
        let member = trial.members()[0];
        assert_eq!(member.phase(), Phase::Held);
        let (_, text) = world.fleet.reason(member.reason()).unwrap();
        assert_eq!(text, "it conflicts with proxy=1, which is there");
        assert!(world.fleet.candidate(comes).unwrap().approved().is_none());
    }
}

#[test]
fn floors_are_passed_one_after_another_and_what_stands_on_them_does_not_hide_them() {
    let mut world = World::new(10, 2, policy());
    let floors = ["2000", "2500"];
    let mut top = patch("lib", "3000");
    top.relations.floors = floors.map(String::from).into();
    top.relations.supersedes = floors.map(|version| PatchId::from(format!("lib={version}"))).into();
    let top = world.publish(top);
    // The upper floor is there before the lower one, and names nothing itself.
    let second = world.publish(patch("lib", "2500"));
    world.pass(HOUR);
    assert!(world.orders.is_empty(), "the lowest floor is not known yet");
    let first = world.publish(patch("lib", "2000"));
    world.pass(24 * HOUR);
    for i in 0..10 {
        let name = format!("prod-{i}");
        let versions: Vec<_> = world
            .orders
            .iter()
            .filter(|order| order.endpoint().as_str() == name)
            .map(|order| match order {
                Order::Install(install) => install.target().version.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(versions, ["2000", "2500", "3000"], "{name}");
    }
    assert!([first, second, top].iter().all(|c| world.fleet.candidate(*c).unwrap().approved().is_some()));
}

#[test]
fn a_rejection_can_be_reconsidered_and_then_people_decide() {
    let mut world = World::new(10, 2, policy());
    let candidate = world.publish(patch("lib", "1.1"));
    world.pass(700);
    world.ask("bob", &[], Command::Revoke { candidate, reason: "breaks the proxy".into() }).unwrap();
    let reconsider = Command::Reconsider { candidate, reason: "the proxy was mended".into() };
    world.ask("eve", &[], reconsider.clone()).unwrap();
    assert_eq!(state(&world, candidate), "waiting for approval", "no rule overrules a person");
    assert_eq!(world.fleet.ask(candidate).unwrap().from.role, "change-manager");
    assert!(matches!(world.ask("eve", &[], reconsider), Err(Refusal::WrongState { .. })));
    approve(&mut world, candidate);
    assert_eq!(state(&world, candidate), "approved");
}

#[test]
fn other_words_about_the_same_content_are_a_new_rating_and_not_a_new_candidate() {
    let mut world = World::new(10, 2, policy());
    let mut update = asked(patch("lib", "1.1"));
    let candidate = world.publish(update.clone());
    assert_eq!(world.fleet.candidate(candidate).unwrap().identified().risk().due, None);
    update.category = Category::Security;
    let again = world.publish(update.clone());
    assert_eq!(again, candidate);
    let due = world.fleet.candidate(candidate).unwrap().identified().risk().due.unwrap();
    assert_eq!(due, world.now.plus_secs(7 * 24 * HOUR));
    let facts = world.journal.len();
    world.see(Observation::Published { patch: Cow::Owned(update.clone()) });
    assert_eq!(world.journal.len(), facts, "nothing new, no fact");
    update.content = patchflow_core::digest::Digest::of(b"other");
    assert_ne!(world.publish(update), candidate, "changed content is a new candidate");
}

/// A patch that one endpoint is told to need, with what is there; what becomes of it.
fn meets(target: Patch, present: &str) -> (Phase, usize, String) {
    let mut world = World::new(1, 0, direct());
    let id = target.id.clone();
    world.see(Observation::Published { patch: Cow::Owned(target) });
    let candidate = world.fleet.candidate_of(&id).unwrap();
    let endpoint = world.fleet.endpoint_ix("prod-0").unwrap();
    let needs = NeedSeen::needs(endpoint, Some(present.into()), RollbackPath::Reinstall);
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![needs]) });
    world.see(Observation::Identified);
    let said = explain(&world.fleet, endpoint, candidate).chain.last().unwrap().text.clone();
    (world.phase(world.deployment_of(candidate), "prod-0"), world.installs_of("prod-0"), said)
}

#[test]
fn nothing_is_installed_over_something_newer() {
    let deb = |version| patch("lib", version);
    assert_eq!(meets(deb("2.9"), "2.10").0, Phase::Skipped, "by the order of versions, and not of texts");
    assert_eq!(meets(deb("2.10"), "2.9").1, 1);
    assert_eq!(meets(deb("1:1.0"), "2.0").1, 1, "an epoch goes before everything");
    assert_eq!(meets(deb("2.0"), "2.0~rc1").1, 1);
    assert_eq!(meets(deb("2.0~rc1"), "2.0").0, Phase::Skipped);
    assert_eq!(meets(deb("2.0"), "2.0").1, 1, "the same, and the inventory says that it is not whole");
    let mut rpm = patch("lib", "1.0^git1");
    rpm.target.package.ecosystem = Ecosystem::Rpm;
    assert_eq!(meets(rpm, "1.0").1, 1, "each by the rules of its own package manager");
}

#[test]
fn what_cannot_be_compared_is_held_and_says_so() {
    let (phase, orders, said) = meets(patch("lib", "2.0"), "two point one");
    assert_eq!((phase, orders), (Phase::Held, 0));
    assert!(said.contains("`two point one` is not a version of the scheme deb"), "{said}");
    let mut other = patch("lib", "2.0");
    other.target.package.ecosystem = Ecosystem::Other;
    assert_eq!(meets(other, "two point one").1, 1, "nobody's rules: compared for equality only");
}

#[test]
fn what_another_rollout_brought_is_not_lowered_though_no_patch_names_the_other() {
    let mut world = World::new(4, 0, direct());
    let newer = world.publish(patch("lib", "2.10"));
    world.pass(HOUR);
    assert_eq!(world.fleet.rollout(world.deployment_of(newer)).unwrap().counts().verified, 4);
    // Nobody has read the endpoints since: they are told to need it, from 1.0.
    let older = world.publish(patch("lib", "2.9"));
    world.pass(HOUR);
    assert_eq!(world.fleet.rollout(world.deployment_of(older)).unwrap().counts().skipped, 4);
    let lower = |order: &&Order| matches!(order, Order::Install(it) if it.target().version == "2.9");
    assert_eq!(world.orders.iter().filter(lower).count(), 0);
}
