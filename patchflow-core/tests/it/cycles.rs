//! Cycles that moderate patches are due in, and the first install of critical ones (semantics S7).

use crate::world::{Does, World, policy, start};
use patchflow_core::catalog::{Category, Patch, Severity};
use patchflow_core::doc::patch;
use patchflow_core::fleet::{Command, Fact, Fleet, NeedSeen, Observation, RichFact};
use patchflow_core::ids::CandidateId;
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{Policy, StartMode};
use patchflow_core::report::explain;
use patchflow_core::risk::DueLimits;
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Nothing starts by itself; cycles last from Monday to Friday, and the story begins on a Saturday.
fn by_cycles() -> Policy {
    let mut policy = policy();
    policy.deploy.start = StartMode::OnRequest;
    policy.trial.required_for.clear();
    let windows = vec![WeeklyWindow { day: Weekday::Monday, opens_minute: 0, open_minutes: 5 * 1440 }];
    // A freeze moves no due date.
    let freezes = vec![Freeze { from: t("2026-11-23T00:00:00Z"), until: t("2026-11-27T00:00:00Z") }];
    policy.calendars.named = [("patch week".into(), Schedule::Weekly { windows, freezes })].into();
    policy.clock.moderate_cycle = Some("patch week".into());
    policy
}

fn moderate(released: &str) -> Patch {
    Patch { severity: Severity::Moderate, released: Some(t(released)), ..patch("lib", "2") }
}

fn due(world: &World, candidate: CandidateId) -> Option<Timestamp> {
    world.fleet.candidate(candidate).unwrap().identified().risk().due
}

#[test]
fn a_moderate_patch_is_due_at_the_end_of_the_first_cycle_that_begins_after_its_release() {
    for (released, expected) in [
        ("2026-11-20T00:00:00Z", "2026-11-28T00:00:00Z"),
        // The cycle that is under way when it comes does not count, nor the one that begins at the same instant.
        ("2026-11-18T12:00:00Z", "2026-11-28T00:00:00Z"),
        ("2026-11-16T00:00:00Z", "2026-11-28T00:00:00Z"),
        ("2026-11-15T23:59:59Z", "2026-11-21T00:00:00Z"),
    ] {
        let mut world = World::new(2, 0, by_cycles());
        let candidate = world.publish(moderate(released));
        assert_eq!(due(&world, candidate), Some(t(expected)), "released {released}");
        let mut high = patch("other", "2");
        (high.severity, high.released) = (Severity::High, Some(t(released)));
        let high = world.publish(high);
        assert_eq!(due(&world, high), Some(t(released).plus_secs(30 * DAY)), "cycles are for moderate ones");
    }
}

#[test]
fn an_endpoint_that_needs_it_later_is_due_at_the_end_of_a_later_cycle() {
    let mut world = World::new(2, 0, by_cycles());
    let candidate = world.publish(moderate("2026-11-20T00:00:00Z"));
    world.pass(3 * DAY);
    crate::joining::comes(&mut world, "late", candidate);
    world.see(Observation::Identified);
    world.pass(20 * DAY);
    let passed: Vec<_> = world
        .journal
        .iter()
        .filter_map(|recorded| match &recorded.fact {
            Fact::Rich(fact) => match **fact {
                RichFact::DeadlinePassed { endpoints, .. } => Some((recorded.at, endpoints)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let expected = [(t("2026-11-28T00:00:00Z"), 2), (t("2026-12-05T00:00:00Z"), 3)];
    assert_eq!(passed, expected, "not three days after the others, but at the end of its own first cycle");
}

#[test]
fn a_rating_counts_its_cycle_anew_and_never_moves_the_due_date_back() {
    let mut world = World::new(2, 0, by_cycles());
    let mut update = moderate("2026-11-20T00:00:00Z");
    update.severity = Severity::Low;
    let candidate = world.publish(update.clone());
    assert_eq!(due(&world, candidate), None);
    world.pass(3 * DAY);
    update.severity = Severity::Moderate;
    world.publish(update.clone());
    assert_eq!(due(&world, candidate), Some(t("2026-12-05T00:00:00Z")), "rated within a cycle: the next one");
    world.pass(14 * DAY);
    update.title = "said in other words".into();
    world.publish(update);
    assert_eq!(due(&world, candidate), Some(t("2026-12-05T00:00:00Z")));
}

#[test]
fn a_cycle_that_is_no_cycle_is_refused() {
    let finding = |name: &str| {
        let mut policy = by_cycles();
        policy.calendars.named.insert("always".into(), Schedule::anytime());
        policy.clock.moderate_cycle = Some(name.into());
        policy.clock.first_install_within_secs = 0;
        policy.findings().into_iter().map(|finding| finding.to_string()).collect::<Vec<_>>()
    };
    let missing = finding("patch day");
    assert!(missing[0].contains("0 is no deadline"), "{missing:?}");
    assert!(missing[1].contains("there is no calendar `patch day`"), "{missing:?}");
    assert!(finding("always")[1].contains("has no windows, and so no cycle that ends"));
    assert_eq!(finding("patch week").len(), 1);
}

/// When people were told of a first install, and what.
#[test]
fn a_deadline_that_is_absent_is_refused_and_not_read_as_none() {
    let whole = serde_json::to_value(policy()).unwrap();
    assert!(serde_json::from_value::<Policy>(whole.clone()).is_ok());
    let without = |section: &str, field: &str| {
        let mut policy = whole.clone();
        policy.pointer_mut(section).unwrap().as_object_mut().unwrap().remove(field).unwrap();
        serde_json::from_value::<Policy>(policy).map(drop).unwrap_err().to_string()
    };
    for (section, field) in [
        ("/clock/limits", "critical_secs"),
        ("/clock/limits", "high_secs"),
        ("/clock/limits", "moderate_secs"),
        ("/clock", "limits"),
        ("/clock", "first_install_within_secs"),
        ("", "clock"),
    ] {
        assert!(without(section, field).contains(&format!("missing field `{field}`")), "{section}/{field}");
    }
    let mut zero = policy();
    zero.clock.limits = DueLimits { critical_secs: 0, high_secs: 0, moderate_secs: 0 };
    let paths: Vec<_> = zero.findings().into_iter().map(|finding| finding.path).collect();
    assert_eq!(paths, ["clock.limits.critical_secs", "clock.limits.high_secs", "clock.limits.moderate_secs"]);
}

fn told(world: &World) -> Vec<(&'static str, u64)> {
    let of = |recorded: &patchflow_core::fleet::Recorded| match &recorded.fact {
        Fact::Rich(fact) => match **fact {
            RichFact::FirstInstallNeared { .. } => Some(("near", recorded.at)),
            RichFact::FirstInstallOverdue { .. } => Some(("overdue", recorded.at)),
            _ => None,
        },
        _ => None,
    };
    let hours = |at: Timestamp| at.since(start()).as_secs() / HOUR;
    world.journal.iter().filter_map(of).map(|(what, at)| (what, hours(at))).collect()
}

/// A fleet whose test machines do this.
fn tried(does: Option<Does>, update: Patch, policy: Policy) -> (World, CandidateId) {
    let mut world = World::new(3, 2, policy);
    for name in ["test-0", "test-1"] {
        world.script.extend(does.clone().map(|does| (name.to_owned(), does)));
    }
    let candidate = world.publish(update);
    (world, candidate)
}

#[test]
fn a_critical_patch_is_on_a_first_non_production_endpoint_within_a_day() {
    let (mut world, candidate) = tried(Some(Does::Offline), patch("lib", "2"), policy());
    world.pass(13 * HOUR);
    let ix = world.fleet.endpoint_ix("prod-0").unwrap();
    let says = |world: &World| format!("{:?}", explain(&world.fleet, ix, candidate));
    assert!(
        says(&world).contains("its first install there is due 2026-11-22T08:00:00.000Z"),
        "{}",
        says(&world)
    );
    world.pass(5 * DAY);
    assert_eq!(told(&world), [("near", 12), ("overdue", 24)], "once each");
    assert!(says(&world).contains("was due 2026-11-22T08:00:00.000Z, and has not come"), "{}", says(&world));
    let is_told = |text: &str| world.notices.iter().filter(|notice| notice.contains(text)).count();
    assert_eq!(is_told("should be on a first non-production endpoint until"), 1);
    assert_eq!(is_told("was to be on a first non-production endpoint until"), 1);
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
}

#[test]
fn an_install_that_fails_afterwards_was_a_first_install_and_one_that_never_began_was_none() {
    // It sickens after its install: that is what a trial is for.
    let (mut world, _) = tried(Some(Does::Sickens), patch("lib", "2"), policy());
    world.pass(5 * DAY);
    assert_eq!(told(&world), []);
    let fails = Does::Fails(patchflow_core::error::FailureKind::Dependency);
    let (mut world, _) = tried(Some(fails), patch("lib", "2"), policy());
    world.pass(5 * DAY);
    assert_eq!(told(&world), [("near", 12), ("overdue", 24)]);
}

#[test]
fn only_what_is_critical_and_must_be_tried_and_is_needed_has_a_first_install_to_come() {
    let offline = || Some(Does::Offline);
    let high = Patch { severity: Severity::High, ..patch("lib", "2") };
    let feature = Patch { category: Category::Feature, ..patch("lib", "2") };
    let mut untried = policy();
    untried.trial.required_for.clear();
    for (update, policy) in [(high, policy()), (feature, policy()), (patch("lib", "2"), untried)] {
        let (mut world, _) = tried(offline(), update, policy);
        world.pass(5 * DAY);
        assert_eq!(told(&world), []);
    }
    // Waived by a person: then there is no trial that could be late.
    let (mut world, candidate) = tried(offline(), patch("lib", "2"), policy());
    let until = world.now.plus_secs(HOUR);
    world.ask("ada", &[], Command::WaiveTrial { candidate, until, reason: "exploited".into() }).unwrap();
    world.pass(5 * DAY);
    assert_eq!(told(&world), []);
    // Nobody needs it.
    let mut world = World::new(3, 2, policy());
    world.see(Observation::Published { patch: Cow::Owned(patch("lib", "2")) });
    world.see(Observation::Identified);
    world.pass(5 * DAY);
    assert_eq!(told(&world), []);
}

#[test]
fn a_first_install_is_counted_from_the_later_of_disclosure_and_fix_or_from_the_rating() {
    let ago = |hours: u64| Some(Timestamp::from_millis(start().as_millis() - (hours * HOUR * 1000) as i64));
    for (disclosed, released, expected) in [
        (ago(40), ago(20), vec![("near", 0), ("overdue", 4)]),
        (ago(10), ago(20), vec![("near", 2), ("overdue", 14)]),
        (ago(100), None, vec![("near", 12), ("overdue", 24)]),
        (None, ago(100), vec![("overdue", 0)]),
    ] {
        let update = Patch { disclosed, released, ..patch("lib", "2") };
        let (mut world, _) = tried(Some(Does::Offline), update, policy());
        world.pass(5 * DAY);
        assert_eq!(told(&world), expected, "disclosed {disclosed:?}, released {released:?}");
    }
    let mut policy = policy();
    policy.trial.required_for[0].severities.push(Severity::Moderate);
    let mut update = Patch { severity: Severity::Moderate, released: ago(100), ..patch("lib", "2") };
    let (mut world, _) = tried(Some(Does::Offline), update.clone(), policy);
    world.pass(6 * HOUR);
    update.severity = Severity::Critical;
    world.publish(update);
    world.pass(5 * DAY);
    assert_eq!(told(&world), [("near", 18), ("overdue", 30)], "rated critical after six hours");
}

#[test]
fn without_test_machines_a_first_install_is_overdue_as_well_even_after_a_crash() {
    let mut world = World::new(3, 0, policy());
    let candidate = world.publish(patch("lib", "2"));
    world.pass(20 * HOUR);
    world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
    let endpoint = world.fleet.endpoint_ix("prod-0").unwrap();
    let need = NeedSeen::needs(endpoint, Some(Arc::from("1.0")), RollbackPath::Switch);
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need]) });
    world.pass(20 * HOUR);
    assert_eq!(told(&world), [("near", 12), ("overdue", 24)]);
}
