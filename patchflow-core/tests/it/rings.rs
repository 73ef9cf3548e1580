//! Who is in which ring (semantics S1), and what a gate judges (S2, S3).

use crate::world::{Does, World, policy};
use patchflow_core::doc::patch;
use patchflow_core::error::{FailureKind, Refusal};
use patchflow_core::fleet::{Command, EndpointSeen, Fact, NeedSeen, Observation, RichFact};
use patchflow_core::gate::{LimitScope, OnMaxHold, Percent, Rule, ShareOf};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::{RollbackPath, RolloutDraft};
use patchflow_core::policy::{
    Approval, Policy, RingPolicy, RingSize, Selector, StartMode, Trait, WaiverByName,
};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Phase, RingState, RolloutState};
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

fn model(name: &str) -> (String, String) {
    ("model".into(), name.into())
}

/// An endpoint of a kind.
fn of_kind(name: String, environment: Environment, kind: &str) -> EndpointSeen {
    EndpointSeen {
        scope: ScopePath("acme".into()),
        tags: [model(kind)].into(),
        ..EndpointSeen::new(name, environment)
    }
}

/// A world whose production endpoints are of kinds `a`, `b`, ... , so many of each, after one another.
fn mixed(policy: Policy, kinds: &[u32], trial: &[&str]) -> World {
    let mut world = World::new(0, 0, policy);
    let mut endpoints = vec![];
    for (kind, n) in kinds.iter().enumerate() {
        let name = char::from(b'a' + kind as u8).to_string();
        endpoints.extend((0..*n).map(|i| of_kind(format!("{name}-{i}"), Environment::Production, &name)));
    }
    let tests = trial.iter().enumerate();
    endpoints
        .extend(tests.map(|(i, kind)| of_kind(format!("test-{kind}-{i}"), Environment::NonProduction, kind)));
    world.see(Observation::Endpoints { endpoints: Cow::Owned(endpoints) });
    world
}

/// No trial, approved at once.
fn at_once() -> Policy {
    let mut policy = policy();
    policy.trial.required_for.clear();
    policy.approval[0].approval = Approval::Automatic { requires_trial: false, delay_secs: 0 };
    policy
}

fn by_model() -> Vec<Trait> {
    vec![Trait::Tag { name: "model".into() }]
}

fn kinds_in(names: &[String]) -> BTreeMap<char, u32> {
    let mut kinds = BTreeMap::new();
    names.iter().for_each(|name| *kinds.entry(name.chars().next().unwrap()).or_default() += 1);
    kinds
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_stratified_ring_has_the_same_size_and_mirrors_whom_it_is_chosen_from(
        kinds in prop::collection::vec(0u32..14, 1..6),
    ) {
        let n: u32 = kinds.iter().sum();
        prop_assume!(n > 1);
        let mut stratified = at_once();
        stratified.rings[..3].iter_mut().for_each(|ring| ring.stratify = by_model());
        let sizes = |policy| {
            let mut world = mixed(policy, &kinds, &[]);
            let candidate = world.publish(patch("openssl", "3.0.22"));
            let rollout = world.deployment_of(candidate);
            let rings: Vec<_> = (0..4).map(|ring| world.ring(rollout, ring)).collect();
            let mirrors: Vec<_> =
                world.fleet.rollout(rollout).unwrap().rings().iter().map(|ring| ring.mirror().copied()).collect();
            (rings, mirrors)
        };
        let (plain, none) = sizes(at_once());
        let (rings, mirrors) = sizes(stratified);
        let lengths = |rings: &[Vec<String>]| rings.iter().map(Vec::len).collect::<Vec<_>>();
        prop_assert_eq!(lengths(&rings), lengths(&plain), "sizes are unchanged");
        prop_assert!(none.iter().all(Option::is_none));
        let mut left: Vec<String> = rings.iter().flatten().cloned().collect();
        for (ring, mirror) in rings[..3].iter().zip(&mirrors) {
            let (before, chosen) = (kinds_in(&left), kinds_in(ring));
            for (kind, of) in &before {
                let got = u64::from(chosen.get(kind).copied().unwrap_or(0)) * left.len() as u64;
                let exact = u64::from(*of) * ring.len() as u64;
                prop_assert!(got.abs_diff(exact) < left.len() as u64, "{kind}: {chosen:?} of {before:?}");
            }
            if !ring.is_empty() {
                let mirror = mirror.unwrap();
                prop_assert_eq!(mirror.kinds as usize, before.len());
                prop_assert_eq!(mirror.kinds_met as usize, chosen.len());
                prop_assert_eq!(mirror.endpoints as usize, left.len());
            }
            left.retain(|name| !ring.contains(name));
        }
    }
}

#[test]
fn without_strata_a_pilot_may_miss_a_kind_that_a_stratified_one_has() {
    // The stable hash alone, over three kinds of 40, 40 and 20 endpoints, does not give 2, 2 and 1.
    let pilot = |traits: Vec<Trait>, scope: bool| {
        let mut policy = at_once();
        policy.rings[0].stratify = traits;
        let mut world = World::new(0, 0, policy);
        let endpoints = (0..100).map(|i| {
            let kind = ["a", "b", "a", "b", "c"][i % 5];
            let mut seen = of_kind(format!("{kind}-{i}"), Environment::Production, kind);
            if scope {
                (seen.scope, seen.tags) = (ScopePath(format!("acme/{kind}/desk-{i}")), BTreeMap::new());
            }
            seen
        });
        world.see(Observation::Endpoints { endpoints: endpoints.collect() });
        let candidate = world.publish(patch("openssl", "3.0.22"));
        kinds_in(&world.ring(world.deployment_of(candidate), 0))
    };
    let mirrored: BTreeMap<_, _> = [('a', 2), ('b', 2), ('c', 1)].into();
    assert_eq!(pilot(by_model(), false), mirrored);
    assert_eq!(pilot(vec![Trait::Scope { depth: 2 }], true), mirrored);
    assert_ne!(pilot(vec![], false), mirrored);
    assert_ne!(pilot(vec![Trait::Scope { depth: 1 }], true), mirrored, "all are of one kind there");
}

#[test]
fn a_trial_mirrors_production_and_says_how_well() {
    let trial = |traits: Vec<Trait>| {
        let mut policy = policy();
        policy.trial.endpoints_max = 4;
        policy.trial.stratify = traits;
        let tests = ["c", "c", "c", "c", "c", "c", "b", "c", "a", "c", "a", "a"];
        let mut world = mixed(policy, &[20, 10, 0, 10], &tests);
        let candidate = world.publish(patch("openssl", "3.0.22"));
        let trial = world.rollouts_of(candidate)[0];
        let names: Vec<_> = world.ring(trial, 0).iter().map(|name| name[5..].to_owned()).collect();
        (kinds_in(&names), world.fleet.rollout(trial).unwrap().rings()[0].mirror().copied())
    };
    let (kinds, mirror) = trial(by_model());
    // 20 a, 10 b and 10 d: places 2, 1 and 1. There is no d to try on, so its place goes to whoever comes next.
    assert!(kinds[&'a'] >= 2 && kinds[&'b'] == 1 && kinds.values().sum::<u32>() == 4, "{kinds:?}");
    assert_eq!(mirror.unwrap().to_string(), "it has one of the kind of 30 of 40 endpoints, 2 of 3 kinds");
    let (kinds, mirror) = trial(vec![]);
    assert_eq!((kinds.values().sum::<u32>(), mirror), (4, None));
}

#[test]
fn selectors_combine_and_who_is_left_over_is_named() {
    let tag = |value: &str| Selector::Tag { name: "model".into(), value: value.into() };
    let mut policy = at_once();
    policy.deploy.start = StartMode::OnRequest;
    let neither = Selector::Not { of: Box::new(Selector::AnyOf { of: vec![tag("a"), tag("b")] }) };
    policy.rings = vec![
        RingPolicy { size: RingSize::Selector { selector: neither }, ..RingPolicy::percent("others", 100) },
        RingPolicy { size: RingSize::Selector { selector: tag("b") }, ..RingPolicy::percent("b", 100) },
    ];
    let mut world = mixed(policy.clone(), &[3, 2, 2], &[]);
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let refused = world.ask("ada", &[], Command::Start { draft: RolloutDraft::of(candidate) });
    let Err(Refusal::Unsound { findings }) = refused else { panic!("{refused:?}") };
    assert_eq!(
        findings[0].message,
        "no ring takes 3 of the endpoints: a-0, a-1, a-2; add a ring that ends at 100 %, or select less"
    );
    let select = Selector::AllOf { of: vec![Selector::All, Selector::Not { of: Box::new(tag("a")) }] };
    world
        .ask(
            "ada",
            &[],
            Command::Start {
                draft: RolloutDraft { select, ..patchflow_core::plan::RolloutDraft::of(candidate) },
            },
        )
        .unwrap();
    let rollout = world.deployment_of(candidate);
    assert_eq!(kinds_in(&world.ring(rollout, 0)), [('c', 2)].into());
    assert_eq!(kinds_in(&world.ring(rollout, 1)), [('b', 2)].into());
}

/// A pilot by tag before a share of the rest.
fn by_tag() -> Policy {
    let mut policy = at_once();
    let selector = Selector::Tag { name: "model".into(), value: "a".into() };
    policy.rings = vec![
        RingPolicy { size: RingSize::Selector { selector }, ..RingPolicy::percent("pilot", 100) },
        RingPolicy::percent("broad", 100),
    ];
    policy
}

#[test]
fn all_in_one_ring_is_refused_also_where_the_others_come_out_empty() {
    let refused = |policy: &Policy, kinds: &[u32]| {
        let mut policy = policy.clone();
        policy.deploy.start = StartMode::OnRequest;
        let mut world = mixed(policy, kinds, &[]);
        let candidate = world.publish(patch("openssl", "3.0.22"));
        match world.ask("ada", &[], Command::Start { draft: RolloutDraft::of(candidate) }) {
            Ok(_) => None,
            Err(Refusal::Unsound { findings }) => Some(findings[0].message.clone()),
            Err(other) => panic!("{other:?}"),
        }
    };
    let everything = |which: &str| {
        Some(format!(
            "{which} over 3 endpoints puts everything at risk at once; add rings, or set `single_ring` with a name and a \
             reason"
        ))
    };
    assert_eq!(refused(&by_tag(), &[3]), everything("ring `pilot` alone"));
    assert_eq!(refused(&by_tag(), &[0, 3]), everything("ring `broad` alone"));
    assert_eq!(refused(&by_tag(), &[1]), None, "one endpoint is not everything");
    assert_eq!(refused(&by_tag(), &[1, 1]), None);
    let mut alone = by_tag();
    alone.rings.remove(0);
    assert_eq!(refused(&alone, &[3]), everything("one ring"));
    let mut waived = by_tag();
    waived.single_ring = Some(WaiverByName { by: "ada".into(), reason: "a lab".into() });
    assert_eq!(refused(&waived, &[3]), None);
}

#[test]
fn what_should_start_by_itself_and_cannot_says_why_once_and_starts_when_it_can() {
    let mut world = mixed(by_tag(), &[3], &[]);
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(3600);
    let why = |world: &World| {
        let endpoint = world.fleet.endpoint_ix("a-0").unwrap();
        explain(&world.fleet, endpoint, candidate).sentence()
    };
    assert!(
        why(&world).contains("it cannot start by itself: rings: ring `pilot` alone over 3"),
        "{}",
        why(&world)
    );
    let told = |world: &World| world.notices.iter().filter(|text| text.contains("cannot start")).count();
    assert_eq!(told(&world), 1);
    // A fourth one that is no pilot needs it as well: now there are two rings.
    let other = of_kind("b-0".into(), Environment::Production, "b");
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![other]) });
    let endpoint = world.fleet.endpoint_ix("b-0").unwrap();
    let need = NeedSeen::needs(endpoint, Some(Arc::from("1.0")), RollbackPath::Reinstall);
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need]) });
    world.see(Observation::Identified);
    world.pass(60);
    assert_eq!(world.rollouts_of(candidate).len(), 1, "{}", why(&world));
    assert_eq!(world.fleet.start_refused(candidate), None);
    assert_eq!(told(&world), 1);
}

#[test]
fn a_draft_that_contradicts_itself_is_refused_with_every_finding_at_once() {
    let mut policy = at_once();
    policy.deploy.start = StartMode::OnRequest;
    policy.rings =
        vec![RingPolicy { size: RingSize::Count { endpoints: 50 }, ..RingPolicy::percent("all", 100) }];
    let mut world = mixed(policy, &[3], &[]);
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let select = Selector::AllOf { of: vec![Selector::All, Selector::AnyOf { of: vec![] }] };
    let paths = |refused| match refused {
        Err(Refusal::Unsound { findings }) => findings.into_iter().map(|f| f.path).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let refused = world.ask(
        "ada",
        &[],
        Command::Start {
            draft: RolloutDraft { select, ..patchflow_core::plan::RolloutDraft::of(candidate) },
        },
    );
    assert_eq!(paths(refused), ["select.of[1].of", "select", "rings[0].size"]);
    let refused = world.ask("ada", &[], Command::Start { draft: RolloutDraft::of(candidate) });
    assert_eq!(paths(refused), ["rings", "rings[0].size"]);
}

#[test]
fn a_policy_says_what_is_wrong_with_its_strata_selectors_and_shares() {
    let mut bad = policy();
    bad.trial.stratify = vec![Trait::Scope { depth: 0 }];
    bad.trial.gate.of = ShareOf::Started;
    bad.rings[0].stratify = vec![Trait::Tag { name: String::new() }];
    bad.rings[1].stratify = [by_model(), by_model()].concat();
    bad.rings[2].gate.of = ShareOf::Started;
    bad.rings[3].stratify = by_model();
    let selector = Selector::Not { of: Box::new(Selector::AllOf { of: vec![] }) };
    bad.rings
        .insert(0, RingPolicy { size: RingSize::Selector { selector }, ..RingPolicy::percent("s", 100) });
    let paths: Vec<_> = bad.findings().into_iter().map(|finding| finding.path).collect();
    let expected = [
        "rings[0].size.selector.of.of",
        "rings[1].stratify[0].name",
        "rings[2].stratify[1]",
        "rings[3].gate.min_started",
        "rings[4].stratify",
        "trial.stratify[0].depth",
        "trial.gate.min_started",
    ];
    assert_eq!(paths, expected);
}

/// One fails in every ring after the pilot: too few to halt any by itself.
pub(crate) fn a_little_everywhere(policy: Policy) -> World {
    let mut world = World::new(40, 2, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(670);
    let rollout = world.deployment_of(candidate);
    for ring in 1..4 {
        let bad = world.ring(rollout, ring).remove(0);
        world.script.insert(bad, Does::Fails(FailureKind::Dependency));
    }
    world.pass(8 * 3600);
    world
}

/// One failure is borne, whatever its share.
fn counted(policy: &mut Policy) {
    for ring in &mut policy.rings {
        ring.gate.max_failures = Some(1);
        ring.gate.max_failure_percent = None;
        ring.gate.min_success_percent = Percent::whole(0);
    }
}

#[test]
fn a_limit_over_the_rollout_halts_on_what_no_ring_halts_by_itself() {
    let mut by_ring = policy();
    counted(&mut by_ring);
    let mut by_rollout = by_ring.clone();
    by_rollout.rings.iter_mut().for_each(|ring| ring.gate.scope = LimitScope::Rollout);
    let world = a_little_everywhere(by_ring);
    assert_eq!(world.fleet.rollouts().last().unwrap().state(), RolloutState::Completed);

    let mut world = a_little_everywhere(by_rollout);
    let halted = world.fleet.rollouts().last().unwrap();
    let id = halted.id();
    assert_eq!(halted.state(), RolloutState::Halted);
    assert_eq!(halted.rings()[2].state(), RingState::Halted, "the second failure is the third ring's first");
    let verdict = halted.rings()[2].verdict().unwrap();
    assert_eq!(
        (verdict.rule, verdict.scope, verdict.counts.failed),
        (Rule::MaxFailures, LimitScope::Rollout, 2)
    );
    let reason = "2 failed and 0 unknown of 20 in the rollout so far, more than the 1 allowed";
    assert_eq!(halted.halt().unwrap().reason, reason);
    // Evidence starts anew over the rollout, not only in the ring that was halted.
    world.ask("ada", &[], Command::LiftHalt { rollout: id, reason: "known".into() }).unwrap();
    world.pass(8 * 3600);
    assert_eq!(world.fleet.rollout(id).unwrap().state(), RolloutState::Completed, "one more is borne");
}

/// A ring whose alerts are limited, and told by nobody.
fn limited(on_max_hold: OnMaxHold) -> Policy {
    let mut policy = policy();
    policy.rings.iter_mut().for_each(|ring| {
        (ring.gate.max_alerts, ring.gate.on_max_hold) = (Some(1), on_max_hold);
    });
    policy
}

#[test]
fn alerts_that_nobody_can_tell_hold_the_ring_until_they_are_told() {
    let mut world = World::new(40, 2, limited(OnMaxHold::Halt));
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(3600);
    let rollout = world.deployment_of(candidate);
    let state = |world: &World| world.fleet.rollout(rollout).unwrap().rings()[0].state();
    assert_eq!(state(&world), RingState::Settled, "everybody is verified, the bake is over, and it holds");
    let told = |new| Observation::Alerts { rollout, ring: 0, new };
    let before = world.journal.len();
    world.see(told(None));
    assert_eq!(world.journal.len(), before, "that is known");
    world.see(told(Some(0)));
    assert_eq!(state(&world), RingState::Promoted);
    // In the next ring the source falls silent again: what it said about the ring before does not count.
    world.pass(300);
    let told = |new| Observation::Alerts { rollout, ring: 1, new };
    world.see(told(Some(1)));
    world.see(told(None));
    world.pass(6 * 3600);
    let halted = world.fleet.rollout(rollout).unwrap();
    assert_eq!(
        (halted.state(), halted.rings()[1].verdict().unwrap().rule),
        (RolloutState::Halted, Rule::MaxHold)
    );
    let reason = "8 verified, and nobody can tell whether they raised alerts, and the longest hold is over";
    assert_eq!(halted.halt().unwrap().reason, reason);
}

#[test]
fn a_hold_that_outlives_its_longest_time_asks_when_the_policy_says_so_and_goes_on_when_told() {
    let mut world = World::new(40, 2, limited(OnMaxHold::Ask));
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(4 * 3600);
    let rollout = world.deployment_of(candidate);
    let state = |world: &World| world.fleet.rollout(rollout).unwrap().rings()[0].state();
    assert_eq!(state(&world), RingState::Held);
    assert!(world.notices.iter().any(|notice| notice.contains("nobody can tell whether they raised alerts")));
    world.pass(4 * 3600);
    assert_eq!(state(&world), RingState::Held, "time alone changes nothing any more");
    world.see(Observation::Alerts { rollout, ring: 0, new: Some(0) });
    assert_eq!(state(&world), RingState::Promoted, "the gate passes by itself once it has what it lacked");
    let held = |r: &&patchflow_core::fleet::Recorded| matches!(&r.fact, Fact::Rich(f) if matches!(**f, RichFact::RingHeld { .. }));
    assert_eq!(world.journal.iter().filter(held).count(), 1, "asked once");
}

#[test]
fn the_deferred_are_out_of_the_counts_of_their_ring() {
    let mut policy = policy();
    policy.deploy.start_within_secs = 3600;
    policy.catch_up.deferred = false;
    policy.deploy.acknowledge_within_secs = 1800;
    let mut world = World::new(40, 2, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(670);
    let rollout = world.deployment_of(candidate);
    let away = world.ring(rollout, 1).pop().unwrap();
    world.script.insert(away.clone(), Does::Offline);
    world.pass(4 * 3600);
    let ring = &world.fleet.rollout(rollout).unwrap().rings()[1];
    assert_eq!((ring.state(), ring.counts().deferred, ring.counts().verified), (RingState::Promoted, 1, 7));
    assert_eq!(world.phase(rollout, &away), Phase::Deferred);
}
