//! What happens to one member may let another go on, whatever that one waits for. After each story a fleet that is
//! replayed, and looks at everything from the first, finds nothing that the live one has overlooked.

use crate::conditions::{direct, ix, some};
use crate::world::{Does, World, one_ring, start};
use patchflow_core::catalog::{Category, Patch};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{
    Command, EndpointSeen, Fact, Fleet, NeedSeen, Observation, Outbox, RichFact, Standing,
};
use patchflow_core::ids::CandidateId;
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::{RollbackPath, RolloutDraft};
use patchflow_core::policy::{OnFailure, OnRevoke, Policy, RingPolicy, StagingPolicy};
use patchflow_core::rollout::{Event, Order, Phase, RolloutState};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A fleet that is replayed now has nothing to do before the live one wants to be woken.
fn nothing_is_overlooked(world: &World) {
    let mut beside = Fleet::replay(world.journal.iter().cloned()).unwrap();
    let mut out = Outbox::new();
    let mut look = |at| beside.observe(at, Observation::Time, &mut out);
    look(world.journal.last().unwrap().at);
    look(world.now);
    assert!(out.facts().is_empty(), "{:?}", out.facts());
}

fn events(world: &World, wanted: Event) -> Vec<Timestamp> {
    let of = |fact: &Fact| matches!(fact, Fact::Endpoint(fact) if fact.event == wanted);
    world.journal.iter().filter(|recorded| of(&recorded.fact)).map(|recorded| recorded.at).collect()
}

/// From noon to one, on these days.
fn noon(days: &[Weekday]) -> Schedule {
    let window = |day: &Weekday| WeeklyWindow { day: *day, opens_minute: 12 * 60, open_minutes: 60 };
    Schedule::Weekly { windows: days.iter().map(window).collect(), freezes: vec![] }
}

fn tell(world: &mut World, name: &str, change: impl FnOnce(&mut EndpointSeen)) {
    let mut seen =
        EndpointSeen { scope: ScopePath("acme".into()), ..EndpointSeen::new(name, Environment::Production) };
    change(&mut seen);
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![seen]) });
}

fn stands(world: &mut World, name: &str, candidate: CandidateId, standing: Standing, present: &str) {
    let need = NeedSeen {
        endpoint: ix(world, name),
        standing,
        present: Some(Arc::from(present)),
        path: RollbackPath::Reinstall,
        path_valid_until: None,
        why: None,
    };
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need]) });
}

#[test]
fn content_of_a_ring_that_has_not_opened_comes_by_the_calendar_that_an_endpoint_goes_by_now() {
    let mut policy = one_ring();
    policy.single_ring = None;
    policy.staging = StagingPolicy { required: true, next_ring: true, ..StagingPolicy::default() };
    policy.calendars.named = [("open".into(), Schedule::anytime())].into();
    let gate = policy.rings[0].gate.clone();
    policy.rings = [50, 100]
        .map(|percent| RingPolicy {
            gate: patchflow_core::gate::Limits { bake_secs_min: HOUR as u32, ..gate.clone() },
            ..RingPolicy::percent(format!("to {percent}"), percent)
        })
        .into();
    let mut world = World::new(2, 0, policy);
    for i in 0..2 {
        tell(&mut world, &format!("prod-{i}"), |_| {});
    }
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let rollout = world.deployment_of(candidate);
    let second = world.ring(rollout, 1)[0].clone();
    tell(&mut world, &second, |seen| seen.calendar = Some("nobody knows it".into()));
    world.pass(HOUR / 2);
    assert_eq!(world.stages.len(), 1, "the first ring bakes");
    tell(&mut world, &second, |seen| seen.calendar = Some("open".into()));
    assert_eq!(world.stages.len(), 2, "{:?}", world.stages);
    nothing_is_overlooked(&world);
}

#[test]
fn whose_first_window_has_passed_is_deferred_when_a_freeze_is_taken_back() {
    let mut policy = one_ring();
    policy.schedule = noon(&[Weekday::Saturday]);
    policy.deploy.start_within_secs = 600;
    let mut world = World::new(1, 0, policy.clone());
    let endpoints = some(&world, &["prod-0"]);
    world.see(Observation::Unreachable { endpoints, since: world.now });
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let rollout = world.deployment_of(candidate);
    world.pass(HOUR);
    let adopt = |world: &mut World, freezes: &[Freeze]| {
        let schedule = policy.schedule.with_freezes(freezes);
        let policy = Policy { schedule, name: format!("{} freezes", freezes.len()), ..policy.clone() };
        world.ask("root", &["owner"], Command::AdoptPolicy { policy: Box::new(policy) }).unwrap();
    };
    adopt(&mut world, &[Freeze { from: start(), until: start().plus_secs(5 * DAY) }]);
    world.pass(8 * HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Waiting, "its first window is that of next week");
    adopt(&mut world, &[]);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Deferred);
    nothing_is_overlooked(&world);
}

#[test]
fn another_rating_lets_those_start_at_their_due_date_who_wait_for_a_window() {
    let mut policy = one_ring();
    let frozen = Freeze { from: t("2026-11-28T11:00:00Z"), until: t("2026-11-28T13:00:00Z") };
    policy.schedule = noon(&[Weekday::Saturday]).with_freezes(&[frozen]);
    policy.clock.enforce_at_deadline = true;
    policy.deploy.start_within_secs = 30 * DAY as u32;
    let mut world = World::new(1, 0, policy);
    world.pass(6 * HOUR);
    let feature = Patch { category: Category::Feature, ..patch("openssl", "3.0.22") };
    let candidate = world.publish(feature);
    let approve = Command::Approve { candidate, reason: "fine".into() };
    world.ask("ada", &["change-manager"], approve).unwrap();
    world.pass(HOUR);
    assert_eq!(world.fleet.candidate(candidate).unwrap().identified().risk().due, None);
    world.see(Observation::Published { patch: Cow::Owned(patch("openssl", "3.0.22")) });
    let due = world.fleet.candidate(candidate).unwrap().identified().risk().due.unwrap();
    assert!(due < t("2026-12-05T12:00:00Z"), "before the next window: {due}");
    nothing_is_overlooked(&world);
    world.pass(15 * DAY);
    assert_eq!(events(&world, Event::Ordered)[0], due);
}

#[test]
fn the_next_window_comes_near_when_nothing_fits_into_the_one_that_is_open() {
    let mut policy = one_ring();
    policy.schedule = noon(&[Weekday::Saturday, Weekday::Sunday]);
    policy.calendars.wake_lead_secs = 30 * HOUR as u32;
    (policy.deploy.expected_secs, policy.deploy.reboot_reserve_secs) = (1800, 0);
    policy.deploy.start_within_secs = 30 * DAY as u32;
    let mut world = World::new(1, 0, policy);
    let endpoints = some(&world, &["prod-0"]);
    world.see(Observation::Unreachable { endpoints, since: world.now });
    world.publish(patch("openssl", "3.0.22"));
    let neared = |world: &World| -> Vec<_> {
        let of = |recorded: &patchflow_core::fleet::Recorded| match &recorded.fact {
            Fact::Rich(fact) => match **fact {
                RichFact::WindowNeared { opens, .. } => Some((recorded.at, opens)),
                _ => None,
            },
            _ => None,
        };
        world.journal.iter().filter_map(of).collect()
    };
    world.pass(60);
    let saturday = t("2026-11-21T12:00:00Z");
    assert_eq!(neared(&world).iter().map(|(_, opens)| *opens).collect::<Vec<_>>(), [saturday]);
    world.pass(4 * HOUR + 1640);
    nothing_is_overlooked(&world);
    world.pass(200);
    let sunday = (t("2026-11-21T12:30:01Z"), t("2026-11-22T12:00:00Z"));
    assert_eq!(neared(&world)[1..], [sunday], "half an hour before the window closes");
}

#[test]
fn nobody_is_rolled_back_who_left_meanwhile_and_came_again() {
    let mut policy = direct();
    policy.rollback.on_failure = OnFailure::RollBack;
    let mut world = World::new(2, 0, policy);
    world.script.insert("prod-0".into(), Does::Fails(FailureKind::ScriptFailed));
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let rollout = world.deployment_of(candidate);
    world.pass(30);
    let endpoints = some(&world, &["prod-0"]);
    world.see(Observation::Unreachable { endpoints, since: world.now });
    world.ask("ada", &[], Command::Cancel { rollout, reason: "another time".into() }).unwrap();
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Failed, "it is rolled back when it is in contact");
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Ended);
    world.see(Observation::EndpointGone { endpoint: ix(&world, "prod-0") });
    tell(&mut world, "prod-0", |_| {});
    stands(&mut world, "prod-0", candidate, Standing::Needs, "1.0");
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Removed);
    assert!(!world.orders.iter().any(|order| matches!(order, Order::Revert(_))));
    nothing_is_overlooked(&world);
}

#[test]
fn who_waits_to_be_read_to_catch_up_starts_unread_when_its_window_opens() {
    let mut policy = one_ring();
    policy.schedule = noon(&[Weekday::Saturday]);
    policy.calendars.named = [("always".into(), Schedule::anytime())].into();
    policy.calendars.active_hours = Some("always".into());
    policy.endpoints.stale_after_secs = 2 * DAY as u32;
    policy.deploy.start_within_secs = 30 * DAY as u32;
    let mut world = World::new(1, 0, policy);
    world.unread.insert("prod-0".into());
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let rollout = world.deployment_of(candidate);
    world.ask("ada", &[], Command::Pause { rollout }).unwrap();
    world.pass(6 * DAY);
    world.ask("ada", &[], Command::Resume { rollout }).unwrap();
    world.pass(HOUR);
    assert_eq!(world.installs_of("prod-0"), 0, "it is to be read first");
    nothing_is_overlooked(&world);
    world.pass(DAY + 6 * HOUR);
    assert_eq!(events(&world, Event::Ordered), [t("2026-11-28T12:00:00Z")]);
}

#[test]
fn what_is_taken_back_is_rolled_back_where_it_comes_to_be_again() {
    let mut policy = direct();
    policy.rollback.on_revoke = OnRevoke::RollBack;
    let mut world = World::new(1, 0, policy);
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let rollout = world.deployment_of(candidate);
    world.pass(HOUR);
    stands(&mut world, "prod-0", candidate, Standing::Has, "3.1");
    world.ask("ada", &[], Command::Revoke { candidate, reason: "it eats mail".into() }).unwrap();
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified, "something else is there");
    stands(&mut world, "prod-0", candidate, Standing::Has, "3.0.22");
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::RolledBack);
    nothing_is_overlooked(&world);
}

#[test]
fn whoever_went_by_the_content_of_a_rollout_that_was_cancelled_gets_its_own() {
    let mut policy = one_ring();
    policy.staging = StagingPolicy { required: true, lead_secs: 6 * HOUR as u32, ..StagingPolicy::default() };
    policy.schedule = noon(&[Weekday::Sunday]);
    let mut world = World::new(1, 0, policy);
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let first = world.deployment_of(candidate);
    world.script.insert("stage".into(), Does::GoesSilent);
    world.script.insert("prod-0".into(), Does::Offline);
    world.ask("ada", &[], Command::Start { draft: RolloutDraft::of(candidate) }).unwrap();
    world.pass(20 * HOUR);
    let before = world.stages.len();
    world.ask("ada", &[], Command::Cancel { rollout: first, reason: "one is enough".into() }).unwrap();
    nothing_is_overlooked(&world);
    world.script.clear();
    world.pass(10 * HOUR);
    assert!(world.stages.len() > before);
    assert_eq!(world.installs_of("prod-0"), 1);
}

#[test]
fn what_a_halt_asked_back_once_is_not_asked_back_again_after_a_crash() {
    let mut world = World::new(2, 0, direct());
    world.script.insert("prod-0".into(), Does::Installs(HOUR));
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let rollout = world.deployment_of(candidate);
    world.pass(600);
    world.ask("ada", &[], Command::Halt { rollout, reason: "stop".into() }).unwrap();
    world.pass(60);
    assert_eq!(
        (world.phase(rollout, "prod-0"), events(&world, Event::RecallAsked).len()),
        (Phase::Running, 1)
    );
    nothing_is_overlooked(&world);
}
