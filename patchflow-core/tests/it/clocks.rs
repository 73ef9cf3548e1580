//! Due dates that come near and pass, and emergencies (semantics S7).

use crate::world::{Does, World, policy, start};
use patchflow_core::catalog::{Advisory, Category, Patch, Severity, Weakness};
use patchflow_core::doc::patch;
use patchflow_core::error::Refusal;
use patchflow_core::fleet::{Command, EndpointSeen, Fact, NeedSeen, Observation, RichFact, Standing};
use patchflow_core::inventory::{Criticality, EndOfLife, Environment, Exposure};
use patchflow_core::package::Platform;
use patchflow_core::plan::{RollbackPath, RolloutDraft};
use patchflow_core::policy::{Policy, StartMode};
use patchflow_core::report::explain;
use patchflow_core::risk::Priority;
use patchflow_core::rollout::{Order, Phase};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Nothing starts by itself, and a person approves without a trial.
fn by_hand() -> Policy {
    let mut policy = policy();
    policy.deploy.start = StartMode::OnRequest;
    policy.approval.clear();
    policy.trial.required_for.clear();
    policy
}

fn approve(world: &mut World, candidate: patchflow_core::ids::CandidateId) {
    let ask = Command::Approve { candidate, reason: "fine".into() };
    world.ask("ada", &["change-manager"], ask).unwrap();
}

/// When due dates were told of, with the number of endpoints.
fn told(world: &World) -> Vec<(&'static str, Timestamp, u32)> {
    let of = |recorded: &patchflow_core::fleet::Recorded| match &recorded.fact {
        Fact::Rich(fact) => match **fact {
            RichFact::DeadlineNeared { endpoints, .. } => Some(("near", recorded.at, endpoints)),
            RichFact::DeadlinePassed { endpoints, .. } => Some(("passed", recorded.at, endpoints)),
            _ => None,
        },
        _ => None,
    };
    world.journal.iter().filter_map(of).collect()
}

#[test]
fn a_due_date_is_told_of_before_it_and_its_passing_is_one_fact_with_a_count() {
    let mut world = World::new(40, 2, by_hand());
    let candidate = world.publish(patch("lib", "2"));
    world.pass(20 * DAY);
    let at = |days: u64| start().plus_secs(days * DAY);
    assert_eq!(
        told(&world),
        [("near", at(5), 40), ("passed", at(7), 40)],
        "non-production counts in neither"
    );
    let notices = world.notices.iter().filter(|notice| notice.contains("due 2026-11-28"));
    assert_eq!(notices.count(), 2);
    approve(&mut world, candidate);
    world.pass(DAY);
    assert_eq!(told(&world).len(), 2, "once each");
}

#[test]
fn what_is_done_in_time_breaches_nothing() {
    let mut world = World::new(40, 2, policy());
    world.publish(patch("lib", "2"));
    world.pass(20 * DAY);
    assert_eq!(told(&world), []);
}

#[test]
fn an_endpoint_that_needs_it_later_is_due_later_and_a_need_that_pauses_restarts_no_clock() {
    let mut world = World::new(10, 2, by_hand());
    let candidate = world.publish(patch("lib", "2"));
    let first = world.fleet.endpoint_ix("prod-0").unwrap();
    world.pass(3 * DAY);
    let late = EndpointSeen::new("late", Environment::Production);
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![late]) });
    let late = world.fleet.endpoint_ix("late").unwrap();
    let need = |endpoint| NeedSeen::needs(endpoint, Some(Arc::from("1.0")), RollbackPath::Reinstall);
    let has = NeedSeen { standing: patchflow_core::fleet::Standing::Has, ..need(first) };
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![has, need(late)]) });
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need(first)]) });
    world.see(Observation::Identified);
    world.pass(20 * DAY);
    let at = |days: u64| start().plus_secs(days * DAY);
    let expected = [("near", at(5), 11), ("passed", at(7), 10), ("passed", at(10), 11)];
    assert_eq!(told(&world), expected, "the late one three days later, the one that lapsed not later at all");
    assert_eq!(world.fleet.need(candidate, late).unwrap().needed_since, Some(at(3)));
}

#[test]
fn whoever_needs_it_after_the_breach_has_days_of_its_own_and_whoever_comes_into_production_is_counted() {
    let mut world = World::new(10, 2, by_hand());
    let candidate = world.publish(patch("lib", "2"));
    let test = world.fleet.endpoint_ix("test-0").unwrap();
    world.pass(8 * DAY);
    let at = |days: u64| start().plus_secs(days * DAY);
    let before = vec![("near", at(5), 10), ("passed", at(7), 10)];
    assert_eq!(told(&world), before);
    let late = EndpointSeen::new("late", Environment::Production);
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![late]) });
    let late = world.fleet.endpoint_ix("late").unwrap();
    let need = NeedSeen::needs(late, Some(Arc::from("1.0")), RollbackPath::Reinstall);
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need]) });
    world.see(Observation::Identified);
    world.pass(4 * DAY);
    world.see(Observation::Identified);
    assert_eq!(told(&world), before, "it has days of its own");
    let name = world.fleet.endpoint(test).unwrap().id().clone();
    let moved = EndpointSeen::new(name, Environment::Production);
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![moved]) });
    world.see(Observation::Identified);
    world.pass(10 * DAY);
    let after = [before, vec![("passed", at(15), 12)]].concat();
    assert_eq!(told(&world), after, "eight days and seven");
}

#[test]
fn rated_down_it_is_still_due_when_it_was_and_rated_up_sooner() {
    let mut world = World::new(10, 2, by_hand());
    let mut update = patch("lib", "2");
    let candidate = world.publish(update.clone());
    let due = |world: &World| world.fleet.candidate(candidate).unwrap().identified().risk().due.unwrap();
    world.pass(2 * DAY);
    update.severity = Severity::High;
    world.publish(update.clone());
    assert_eq!(due(&world), start().plus_secs(7 * DAY));
    let mut world = World::new(10, 2, by_hand());
    update.severity = Severity::High;
    world.publish(update.clone());
    world.pass(2 * DAY);
    update.severity = Severity::Critical;
    world.publish(update);
    assert_eq!(due(&world), start().plus_secs(9 * DAY));
    world.pass(20 * DAY);
    assert_eq!(told(&world)[1].1, start().plus_secs(9 * DAY));
}

#[test]
fn a_successor_is_due_when_what_it_replaces_was() {
    let mut world = World::new(10, 2, by_hand());
    world.publish(patch("lib", "2"));
    world.pass(4 * DAY);
    let mut newer = patch("lib", "3");
    newer.relations.supersedes = vec!["lib=2".into()];
    let newer = world.publish(newer);
    let risk = world.fleet.candidate(newer).unwrap().identified().risk();
    assert_eq!((risk.clock_started, risk.due), (start(), Some(start().plus_secs(7 * DAY))));
}

/// A successor of `lib` that is published later, under the same clock.
fn replacing(version: &str, older: &[&str], category: Category) -> Patch {
    let mut newer = Patch { category, ..patch("lib", version) };
    newer.released = None;
    newer.relations.supersedes = older.iter().map(|older| (*older).into()).collect();
    newer
}

#[test]
fn an_endpoint_that_lacks_what_was_replaced_is_due_when_that_was_and_one_that_had_it_later() {
    let mut world = World::new(10, 2, by_hand());
    let older = world.publish(patch("lib", "2"));
    let first = world.fleet.endpoint_ix("prod-0").unwrap();
    let has = NeedSeen {
        standing: Standing::Has,
        ..NeedSeen::needs(first, Some(Arc::from("2")), RollbackPath::None)
    };
    world.see(Observation::Needs { candidate: older, needs: Cow::Owned(vec![has]) });
    world.pass(4 * DAY);
    let newer = world.publish(replacing("3", &["lib=2"], Category::Security));
    let at = |days: u64| start().plus_secs(days * DAY);
    let since = |name: &str| {
        let endpoint = world.fleet.endpoint_ix(name).unwrap();
        world.fleet.need(newer, endpoint).unwrap().needed_since
    };
    assert_eq!(since("prod-1"), Some(start()), "it lacked the older one all the time");
    assert_eq!(since("prod-0"), Some(at(4)), "it was up to date until the newer one came");
    world.journal.clear();
    world.pass(20 * DAY);
    let of_newer = |recorded: &patchflow_core::fleet::Recorded| match &recorded.fact {
        Fact::Rich(fact) => match **fact {
            RichFact::DeadlinePassed { candidate, endpoints, .. } if candidate == newer => {
                Some((recorded.at, endpoints))
            }
            _ => None,
        },
        _ => None,
    };
    let passed: Vec<_> = world.journal.iter().filter_map(of_newer).collect();
    assert_eq!(passed, [(at(7), 9), (at(11), 10)]);
}

#[test]
fn a_clock_goes_on_through_a_feature_update_that_takes_over_none() {
    let mut world = World::new(2, 2, by_hand());
    world.publish(patch("lib", "2"));
    world.pass(2 * DAY);
    let feature = world.publish(replacing("3", &["lib=2"], Category::Feature));
    world.pass(2 * DAY);
    let fix = world.publish(replacing("4", &["lib=3"], Category::Security));
    let risk = |id| world.fleet.candidate(id).unwrap().identified().risk();
    assert_eq!(risk(feature).due, None);
    assert_eq!((risk(fix).clock_started, risk(fix).due), (start(), Some(start().plus_secs(7 * DAY))));
    let endpoint = world.fleet.endpoint_ix("prod-1").unwrap();
    assert_eq!(world.fleet.need(fix, endpoint).unwrap().needed_since, Some(start()));
}

#[test]
fn a_fix_that_replaces_an_old_feature_update_is_not_exposed_since_then() {
    let mut world = World::new(2, 2, by_hand());
    world.pass(100 * DAY);
    let mut feature = Patch { category: Category::Feature, ..patch("lib", "2") };
    feature.released = Some(start());
    world.publish(feature);
    let fix = world.publish(replacing("3", &["lib=2"], Category::Security));
    let risk = world.fleet.candidate(fix).unwrap().identified().risk();
    let now = start().plus_secs(100 * DAY);
    assert_eq!((risk.exposed_since, risk.clock_started, risk.due), (now, now, Some(now.plus_secs(7 * DAY))));
}

#[test]
fn a_predecessor_that_is_told_of_later_or_becomes_more_urgent_takes_its_successor_along() {
    let mut world = World::new(2, 2, by_hand());
    world.pass(4 * DAY);
    let newer = world.publish(replacing("3", &["lib=2"], Category::Security));
    let due = |world: &World| world.fleet.candidate(newer).unwrap().identified().risk().due;
    let at = |days: u64| start().plus_secs(days * DAY);
    assert_eq!(due(&world), Some(at(11)));
    let mut older = Patch { severity: Severity::High, ..patch("lib", "2") };
    older.released = Some(start());
    world.publish(older.clone());
    let risk = world.fleet.candidate(newer).unwrap().identified().risk();
    assert_eq!((risk.clock_started, risk.due), (start(), Some(at(11))), "30 days from the release is later");
    let mut other = World::new(2, 2, by_hand());
    other.pass(4 * DAY);
    other.publish(replacing("3", &["lib=2"], Category::Security));
    older.severity = Severity::Critical;
    other.publish(older);
    assert_eq!(due(&other), Some(at(7)), "the fix has been there for four days");
}

/// Windows on Saturday mornings only; the story begins in one.
fn saturdays(policy: &mut Policy, freezes: Vec<Freeze>) {
    let window = WeeklyWindow { day: Weekday::Saturday, opens_minute: 8 * 60, open_minutes: 60 };
    policy.schedule = Schedule::Weekly { windows: vec![window], freezes };
}

#[test]
fn a_due_date_that_passed_opens_a_window_of_its_own_but_no_freeze() {
    let frozen = Freeze { from: start().plus_secs(6 * DAY), until: start().plus_secs(8 * DAY) };
    for (enforced, freezes, first_order) in
        [(false, vec![], Some(7 * DAY)), (true, vec![frozen], Some(8 * DAY)), (false, vec![frozen], None)]
    {
        let mut policy = by_hand();
        saturdays(&mut policy, freezes);
        policy.clock.enforce_at_deadline = enforced;
        let mut world = World::new(2, 2, policy);
        let candidate = world.publish(patch("lib", "2"));
        approve(&mut world, candidate);
        world.pass(2 * HOUR);
        world.ask("ada", &[], Command::Start { draft: RolloutDraft::of(candidate) }).unwrap();
        world.pass(12 * DAY);
        let ordered = |r: &&patchflow_core::fleet::Recorded| matches!(r.fact, Fact::Endpoint(f) if f.event == patchflow_core::rollout::Event::Ordered);
        let at = world.journal.iter().find(ordered).map(|recorded| recorded.at);
        assert_eq!(at, first_order.map(|secs| start().plus_secs(secs)), "{enforced}");
        let warned = world.notices.iter().any(|notice| notice.contains("outside of the windows: it was due"));
        assert_eq!(warned, enforced, "those who use it are told");
    }
}

#[test]
fn an_emergency_passes_windows_and_freezes_only_as_the_policy_says() {
    let frozen = Freeze { from: start(), until: start().plus_secs(DAY) };
    for (windows, freeze, starts_at) in [(false, false, 7 * DAY), (true, false, DAY), (true, true, 2 * HOUR)]
    {
        let mut policy = by_hand();
        saturdays(&mut policy, vec![frozen]);
        (policy.emergency.passes_windows, policy.emergency.overrides_freeze) = (windows, freeze);
        policy.deploy.start_within_secs = 10 * DAY as u32;
        let mut world = World::new(2, 2, policy);
        let candidate = world.publish(patch("lib", "2"));
        let draft = RolloutDraft { emergency: Some("wormable".into()), ..RolloutDraft::of(candidate) };
        let refused = world.ask("ada", &[], Command::Start { draft: draft.clone() });
        assert!(matches!(refused, Err(Refusal::WrongState { .. })), "an emergency needs its approval too");
        approve(&mut world, candidate);
        world.pass(2 * HOUR);
        let unreasoned = RolloutDraft { emergency: Some(" ".into()), ..draft.clone() };
        assert!(
            world.ask("ada", &[], Command::Start { draft: unreasoned }).is_err(),
            "nor goes without a reason"
        );
        world.ask("ada", &[], Command::Start { draft }).unwrap();
        world.pass(12 * DAY);
        let ordered = |r: &&patchflow_core::fleet::Recorded| matches!(r.fact, Fact::Endpoint(f) if f.event == patchflow_core::rollout::Event::Ordered);
        let at = world.journal.iter().find(ordered).map(|recorded| recorded.at);
        assert_eq!(at, Some(start().plus_secs(starts_at)), "{windows} {freeze}");
        let told =
            world.notices.iter().any(|notice| notice.ends_with("ada called it an emergency: wormable"));
        assert_eq!(told, windows);
    }
}

#[test]
fn an_emergency_bakes_shorter_and_skips_neither_way_back_nor_verification() {
    let mut policy = by_hand();
    policy.emergency.bake_secs_min = Some(60);
    let mut world = World::new(40, 2, policy);
    let candidate = world.publish_with(patch("lib", "2"), RollbackPath::None);
    approve(&mut world, candidate);
    let draft = RolloutDraft { emergency: Some("wormable".into()), ..RolloutDraft::of(candidate) };
    world.ask("ada", &[], Command::Start { draft: draft.clone() }).unwrap();
    world.pass(HOUR);
    assert!(world.orders.is_empty(), "no way back is known");
    let rollout = world.fleet.rollout(world.deployment_of(candidate)).unwrap();
    assert_eq!(rollout.rings()[3].gate().bake_secs_min, 60);
    let candidate = world.publish(patch("tool", "2"));
    approve(&mut world, candidate);
    world.script.extend((0..40).map(|i| (format!("prod-{i}"), Does::Lies)));
    world.ask("ada", &[], Command::Start { draft: RolloutDraft { candidate, ..draft } }).unwrap();
    world.pass(HOUR);
    let rollout = world.fleet.rollout(world.deployment_of(candidate)).unwrap();
    assert_eq!(rollout.counts().verified, 0, "what an installer says is no success here either");
}

#[test]
fn an_emergency_goes_ahead_of_what_waits_and_interrupts_nothing() {
    let mut policy = by_hand();
    policy.rings.iter_mut().for_each(|ring| ring.gate.bake_secs_min = 0);
    let mut world = World::new(2, 2, policy);
    let [running, critical, emergency] = ["a", "b", "c"].map(|name| {
        let mut update = patch(name, "2");
        update.severity = if name == "b" { Severity::Critical } else { Severity::Low };
        let candidate = world.publish(update);
        approve(&mut world, candidate);
        candidate
    });
    world.script.extend((0..2).map(|i| (format!("prod-{i}"), Does::Installs(300))));
    let begin = |candidate| Command::Start { draft: RolloutDraft::of(candidate) };
    world.ask("ada", &[], begin(running)).unwrap();
    world.pass(10);
    world.ask("ada", &[], begin(critical)).unwrap();
    let draft = RolloutDraft { emergency: Some("wormable".into()), ..RolloutDraft::of(emergency) };
    world.ask("ada", &[], Command::Start { draft }).unwrap();
    world.pass(6 * HOUR);
    let packages = |name: &str| -> Vec<String> {
        let on = world.orders.iter().filter(|order| order.endpoint().as_str() == name);
        on.map(|order| match order {
            Order::Install(install) => install.target().package.to_string(),
            other => panic!("{other:?}"),
        })
        .collect()
    };
    let first = world.ring(world.deployment_of(running), 0)[0].clone();
    assert_eq!(packages(&first), ["deb:a", "deb:c", "deb:b"], "{first}");
    assert_eq!(world.phase(world.deployment_of(running), &first), Phase::Verified, "it was not interrupted");
}

#[test]
fn another_policy_rates_anew_and_no_clock_restarts() {
    let mut world = World::new(10, 2, by_hand());
    let mut update = patch("lib", "2");
    update.severity = Severity::High;
    let candidate = world.publish(update);
    let risk = |world: &World| world.fleet.candidate(candidate).unwrap().identified().risk().clone();
    assert_eq!(risk(&world).due, Some(start().plus_secs(30 * DAY)));
    world.pass(5 * DAY);
    let facts = world.journal.len();
    let adopt = |world: &mut World, policy: Policy| {
        world.ask("root", &["owner"], Command::AdoptPolicy { policy: Box::new(policy) }).unwrap();
    };
    adopt(&mut world, by_hand());
    assert_eq!(world.journal.len(), facts + 2, "the policy and the answer: what is rated alike is no fact");

    let mut strict = by_hand();
    strict
        .risk
        .rules
        .iter_mut()
        .filter(|r| r.name == "severity_high")
        .for_each(|r| r.priority = Priority::Critical);
    adopt(&mut world, strict);
    let now = risk(&world);
    assert_eq!((now.priority, now.clock_started), (Priority::Critical, start()));
    assert_eq!(now.due, Some(start().plus_secs(12 * DAY)), "seven days from the new rating");

    world.pass(DAY);
    adopt(&mut world, by_hand());
    assert_eq!(
        (risk(&world).priority, risk(&world).due),
        (Priority::High, Some(start().plus_secs(12 * DAY)))
    );
}

#[test]
fn a_platform_without_support_raises_the_priority_and_is_told_with_what_to_do_instead() {
    let mut world = World::new(4, 2, by_hand());
    let update = Patch { severity: Severity::Moderate, ..patch("lib", "2") };
    let candidate = world.publish(update);
    let risk = |world: &World| world.fleet.candidate(candidate).unwrap().identified().risk().clone();
    let end = EndOfLife {
        platform: Platform::new("debian", "8"),
        since: start().plus_secs(DAY),
        mitigation: "upgrade to debian 13".into(),
    };
    let plain = EndpointSeen::new("old", Environment::Production);
    let old = EndpointSeen { end_of_life: Some(Arc::new(end)), ..plain.clone() };
    let tell = |world: &mut World, seen: &EndpointSeen| {
        world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![seen.clone()]) });
    };
    tell(&mut world, &old);
    let endpoint = world.fleet.endpoint_ix("old").unwrap();
    let need = NeedSeen::needs(endpoint, Some(Arc::from("1.0")), RollbackPath::Reinstall);
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need.clone()]) });
    let sentence = |world: &World| explain(&world.fleet, endpoint, candidate).chain[0].text.clone();
    // Announced and not there yet: it counts for nothing.
    assert_eq!(risk(&world).priority, Priority::Moderate);
    assert!(!sentence(&world).contains("support"), "{}", sentence(&world));
    world.pass(2 * DAY);
    assert!(
        sentence(&world).ends_with(
            "; its platform debian 8 is out of support since 2026-11-22T08:00:00.000Z, instead: upgrade to debian 13"
        ),
        "{}",
        sentence(&world)
    );
    // The next word about the endpoint is rated by what holds then.
    tell(&mut world, &plain);
    assert_eq!(risk(&world).priority, Priority::Moderate);
    tell(&mut world, &old);
    assert_eq!(
        (risk(&world).priority, &*risk(&world).why),
        (Priority::High, "a weakness of a platform whose support has ended")
    );
    tell(&mut world, &plain);
    assert_eq!(risk(&world).priority, Priority::High, "less than before lowers nothing");
    let gone = NeedSeen { standing: Standing::NotApplicable, why: Some("debian 8 is there".into()), ..need };
    tell(&mut world, &old);
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![gone]) });
    assert_eq!(
        sentence(&world),
        "not applicable there: debian 8 is there; its platform debian 8 is out of support since \
         2026-11-22T08:00:00.000Z, instead: upgrade to debian 13"
    );
}

#[test]
fn an_endpoint_that_turns_out_to_be_exposed_raises_what_is_needed_there_and_nothing_else() {
    let mut world = World::new(4, 2, by_hand());
    let cvss = vec!["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N".to_owned()];
    let advisory = Advisory { cvss, ..Advisory::new("CVE-2026-1") };
    let weak = |name: &str| {
        let update = Patch { severity: Severity::Unknown, ..patch(name, "2") };
        update.closing(vec![Weakness::of(&advisory, true)])
    };
    let [needed, other] = ["lib", "tool"].map(|name| world.publish(weak(name)));
    let priority =
        |world: &World, candidate| world.fleet.candidate(candidate).unwrap().identified().risk().priority;
    let edge = EndpointSeen::new("edge", Environment::Production);
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![edge.clone()]) });
    let endpoint = world.fleet.endpoint_ix("edge").unwrap();
    let need = NeedSeen::needs(endpoint, Some(Arc::from("1.0")), RollbackPath::Reinstall);
    world.see(Observation::Needs { candidate: needed, needs: Cow::Owned(vec![need]) });
    assert_eq!([needed, other].map(|id| priority(&world, id)), [Priority::High; 2]);
    let exposed = EndpointSeen { criticality: Criticality::Critical, exposure: Exposure::Internet, ..edge };
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![exposed]) });
    assert_eq!([needed, other].map(|id| priority(&world, id)), [Priority::Critical, Priority::High]);
}

#[test]
fn an_endpoint_on_which_much_depends_raises_the_priority_and_its_going_does_not_lower_it() {
    let mut world = World::new(4, 2, by_hand());
    let cvss = vec!["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N".to_owned()];
    let advisory = Advisory { cvss, ..Advisory::new("CVE-2026-1") };
    let update = Patch { severity: Severity::Unknown, ..patch("lib", "2") };
    let candidate = world.publish(update.closing(vec![Weakness::of(&advisory, true)]));
    let risk = |world: &World| world.fleet.candidate(candidate).unwrap().identified().risk().clone();
    assert_eq!(
        (risk(&world).priority, &*risk(&world).why),
        (Priority::High, "a CVSS score of 7.0 or more (CVE-2026-1)")
    );
    world.pass(3 * DAY);
    let edge = EndpointSeen {
        criticality: Criticality::Critical,
        exposure: Exposure::Internet,
        ..EndpointSeen::new("edge", Environment::Production)
    };
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![edge]) });
    let endpoint = world.fleet.endpoint_ix("edge").unwrap();
    let mut need = NeedSeen::needs(endpoint, Some(Arc::from("1.0")), RollbackPath::Reinstall);
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need.clone()]) });
    assert_eq!(
        (risk(&world).priority, risk(&world).due),
        (Priority::Critical, Some(start().plus_secs(10 * DAY)))
    );
    assert_eq!(
        risk(&world).why,
        "a CVSS score of 7.0 or more on a critical endpoint that the Internet reaches (CVE-2026-1)"
    );
    need.standing = Standing::NotApplicable;
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need]) });
    assert_eq!(risk(&world).priority, Priority::Critical);
}
