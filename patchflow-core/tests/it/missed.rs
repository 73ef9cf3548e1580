//! Who is asked to wake before a window, and who missed one and catches up inside active hours (semantics S4).

use crate::world::{Does, World, one_ring};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{
    Command, EndpointSeen, Fact, Fleet, NeedSeen, Observation, Recorded, RichFact, Standing,
};
use patchflow_core::ids::CandidateId;
use patchflow_core::inventory::Environment;
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::Policy;
use patchflow_core::report::explain;
use patchflow_core::rollout::{Order, Phase};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A window on Saturdays from 12:00 to 13:00; active hours from Monday to Wednesday, 09:00 to 17:00. The story begins on
/// Saturday 2026-11-21 at 08:00.
fn laptops() -> Policy {
    let mut policy = one_ring();
    let window = WeeklyWindow { day: Weekday::Saturday, opens_minute: 12 * 60, open_minutes: 60 };
    policy.schedule = Schedule::Weekly { windows: vec![window], freezes: vec![] };
    let windows = [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday].map(|day| WeeklyWindow {
        day,
        opens_minute: 9 * 60,
        open_minutes: 8 * 60,
    });
    let office = Schedule::Weekly { windows: windows.into(), freezes: vec![] };
    policy.calendars.named = [("office".into(), office)].into();
    policy.calendars.active_hours = Some("office".into());
    policy.deploy.start_within_secs = 30 * DAY as u32;
    policy
}

fn one(world: &World, name: &str) -> Cow<'static, [patchflow_core::ids::EndpointIx]> {
    vec![world.fleet.endpoint_ix(name).unwrap()].into()
}

/// Two laptops, the second out of contact from the beginning until then.
fn back_at(policy: Policy, back: &str, crashes: bool) -> (World, CandidateId) {
    let mut world = World::new(2, 0, policy);
    let endpoints = one(&world, "prod-1");
    world.see(Observation::Unreachable { endpoints: endpoints.clone(), since: world.now });
    let candidate = world.publish(patch("openssl", "3.0.22"));
    while world.now < t(back) {
        world.pass(HOUR / 4);
        if crashes {
            world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
        }
    }
    world.see(Observation::Reachable { endpoints });
    (world, candidate)
}

/// When the first install order to an endpoint leaves, within the next twelve days.
fn ordered(world: &mut World, name: &str, crashes: bool) -> Option<Timestamp> {
    let until = world.now.plus_secs(12 * DAY);
    while world.now < until && world.installs_of(name) == 0 {
        world.pass(60);
        if crashes {
            world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
        }
    }
    (world.installs_of(name) > 0).then_some(world.now)
}

#[test]
fn whoever_missed_its_window_catches_up_at_its_next_check_in_after_the_grace_inside_active_hours() {
    let next_window = "2026-11-28T12:00:00Z";
    for (hours, grace, back, expected) in [
        (false, 0, "2026-11-23T10:00:00Z", next_window),
        (true, 0, "2026-11-23T10:00:00Z", "2026-11-23T10:01:00Z"),
        // Outside of active hours it waits for them.
        (true, 0, "2026-11-23T20:00:00Z", "2026-11-24T09:00:00Z"),
        // Its operation takes half an hour and would not end inside them.
        (true, 0, "2026-11-23T16:45:00Z", "2026-11-24T09:00:00Z"),
        // It is read anew once the grace is over.
        (true, 3 * DAY, "2026-11-23T10:00:00Z", "2026-11-24T13:01:00Z"),
        (true, 3 * DAY, "2026-11-25T10:00:00Z", "2026-11-25T10:01:00Z"),
        (true, 5 * DAY, "2026-11-25T10:00:00Z", next_window),
    ] {
        for crashes in [false, true] {
            let mut policy = laptops();
            policy.calendars.active_hours = policy.calendars.active_hours.filter(|_| hours);
            policy.calendars.grace_secs = grace as u32;
            let (mut world, _) = back_at(policy, back, crashes);
            let at = ordered(&mut world, "prod-1", crashes);
            assert_eq!(at, Some(t(expected)), "{hours} {grace} {back} {crashes}");
            assert_eq!(world.installs_of("prod-0"), 1, "in its window");
            assert!(world.notices.iter().all(|text| !text.contains("outside of the windows")));
        }
    }
}

#[test]
fn whoever_does_not_check_in_is_not_started() {
    let mut policy = laptops();
    policy.calendars.grace_secs = DAY as u32;
    let mut world = World::new(2, 0, policy);
    world.script.insert("prod-1".into(), Does::Offline);
    world.publish(patch("openssl", "3.0.22"));
    world.pass(5 * HOUR + 60);
    assert_eq!(world.installs_of("prod-1"), 1, "nobody told that it is away, and nothing came of it");
    world.unread.insert("prod-1".into());
    world.pass(2 * DAY + 2 * HOUR);
    assert_eq!((world.installs_of("prod-1"), world.scans > 0), (1, true), "it is asked, and does not answer");
    world.script.clear();
    world.unread.clear();
    world.see(Observation::Read { endpoints: one(&world, "prod-1") });
    world.pass(1);
    assert_eq!(world.installs_of("prod-1"), 2, "it checks in");
}

#[test]
fn whoever_catches_up_is_not_rebooted_either_before_it_has_checked_in() {
    for waits in [false, true] {
        let mut policy = laptops();
        policy.reboot.preflight = true;
        // Until Tuesday at 09:00; it was read before that when it came back.
        policy.calendars.grace_secs = (2 * DAY + 20 * HOUR) as u32;
        let (mut world, _) = back_at(policy, "2026-11-23T20:00:00Z", false);
        world.unread.insert("prod-1".into());
        world.pass(12 * HOUR);
        if waits {
            let endpoints = one(&world, "prod-1");
            world.see(Observation::RebootsPending { endpoints, pending: true });
        }
        world.pass(3 * HOUR);
        let orders =
            |world: &World| world.orders.iter().filter(|it| it.endpoint().as_str() == "prod-1").count();
        assert_eq!(orders(&world), 0, "{waits}");
        world.unread.clear();
        world.see(Observation::Read { endpoints: one(&world, "prod-1") });
        world.pass(60);
        assert!(orders(&world) > 0, "{waits}");
    }
}

#[test]
fn whoever_missed_no_window_goes_by_the_windows() {
    let (mut world, candidate) = back_at(laptops(), "2026-11-23T10:00:00Z", false);
    // It joins on Monday.
    let seen = EndpointSeen::new("prod-2", Environment::Production);
    world.see(Observation::Endpoints { endpoints: vec![seen].into() });
    let need = NeedSeen {
        endpoint: world.fleet.endpoint_ix("prod-2").unwrap(),
        standing: Standing::Needs,
        present: Some("1.0".into()),
        path: RollbackPath::Reinstall,
        path_valid_until: None,
        why: None,
    };
    world.see(Observation::Needs { candidate, needs: vec![need].into() });
    assert_eq!(ordered(&mut world, "prod-2", false), Some(t("2026-11-28T12:00:00Z")));
}

#[test]
fn the_freezes_of_both_calendars_hold_and_an_unknown_calendar_is_never_open() {
    let frozen = Freeze { from: t("2026-11-23T00:00:00Z"), until: t("2026-11-24T12:00:00Z") };
    for own in [true, false] {
        let mut policy = laptops();
        let freezes = |schedule: &mut Schedule| *schedule = schedule.with_freezes(&[frozen]);
        if own {
            freezes(&mut policy.schedule);
        } else {
            policy.calendars.named.values_mut().for_each(freezes);
        }
        let (mut world, _) = back_at(policy, "2026-11-23T10:00:00Z", false);
        assert_eq!(ordered(&mut world, "prod-1", false), Some(t("2026-11-24T12:00:00Z")), "{own}");
    }
    let (mut world, _) = back_at(laptops(), "2026-11-22T10:00:00Z", false);
    let seen = EndpointSeen {
        calendar: Some("moon".into()),
        ..EndpointSeen::new("prod-1", Environment::Production)
    };
    world.see(Observation::Endpoints { endpoints: vec![seen].into() });
    assert_eq!(ordered(&mut world, "prod-1", false), None);
}

#[test]
fn its_retries_and_its_reboot_come_inside_active_hours_as_well() {
    for does in [Does::FailsFirst(1, FailureKind::Network), Does::WantsReboot] {
        let (mut world, candidate) = {
            let mut policy = laptops();
            policy.retry.backoff_secs = 2 * HOUR as u32;
            back_at(policy, "2026-11-23T10:00:00Z", false)
        };
        world.script.insert("prod-1".into(), does.clone());
        world.pass(12 * HOUR);
        let rollout = world.deployment_of(candidate);
        assert_eq!(world.phase(rollout, "prod-1"), Phase::Verified, "{does:?}");
        let orders = world.orders.iter().filter(|order| order.endpoint().as_str() == "prod-1");
        let reboots = orders.clone().filter(|order| matches!(order, Order::Reboot(_))).count();
        assert_eq!((orders.count(), reboots), (2, usize::from(does == Does::WantsReboot)));
    }
}

#[test]
fn whoever_was_deferred_catches_up_once_the_rollout_has_completed() {
    let mut policy = laptops();
    policy.deploy.start_within_secs = 60;
    let (mut world, candidate) = back_at(policy, "2026-11-23T10:00:00Z", false);
    let rollout = world.deployment_of(candidate);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Deferred);
    assert_eq!(ordered(&mut world, "prod-1", false), Some(t("2026-11-23T10:01:00Z")));
}

#[test]
fn it_is_said_when_whoever_missed_its_window_starts() {
    let mut policy = laptops();
    policy.calendars.grace_secs = 2 * DAY as u32;
    let (mut world, candidate) = back_at(policy, "2026-11-22T10:00:00Z", false);
    world.pass(60);
    let endpoint = world.fleet.endpoint_ix("prod-1").unwrap();
    let said = explain(&world.fleet, endpoint, candidate).chain.pop().unwrap().text;
    assert_eq!(
        said,
        "waiting in ring all: it missed its window and starts inside active hours, from 2026-11-23T13:00:00.000Z, once \
         its endpoint was read after 2026-11-23T13:00:00.000Z; the next maintenance window opens \
         2026-11-28T12:00:00.000Z"
    );
    world.unread.insert("prod-1".into());
    world.pass(DAY + 4 * HOUR);
    let said = explain(&world.fleet, endpoint, candidate).chain.pop().unwrap().text;
    assert!(
        said.ends_with("prod-1 is read before it is ordered anything, and has not answered yet"),
        "{said}"
    );
}

#[test]
fn active_hours_that_the_policy_does_not_have_are_refused() {
    let mut policy = laptops();
    policy.calendars.active_hours = Some("ofice".into());
    let said: Vec<_> =
        policy.findings().into_iter().map(|it| format!("{}: {}", it.path, it.message)).collect();
    assert_eq!(
        said,
        [
            "calendars.active_hours: there is no calendar `ofice` in `calendars.named`; add it, or leave this out"
        ]
    );
}

fn neared(world: &World) -> Vec<(Timestamp, Timestamp, u32, u32)> {
    let of = |recorded: &Recorded| match &recorded.fact {
        Fact::Rich(fact) => match &**fact {
            RichFact::WindowNeared { opens, waiting, unreachable, .. } => {
                Some((recorded.at, *opens, *waiting, *unreachable))
            }
            _ => None,
        },
        _ => None,
    };
    world.journal.iter().filter_map(of).collect()
}

#[test]
fn who_is_out_of_contact_is_asked_to_wake_its_lead_before_the_window_once_for_each_opening() {
    for crashes in [false, true] {
        let mut policy = laptops();
        policy.calendars.active_hours = None;
        policy.calendars.wake_lead_secs = 2 * HOUR as u32;
        let (mut world, _) = back_at(policy, "2026-11-30T08:00:00Z", crashes);
        let [first, second] = ["2026-11-21T12:00:00Z", "2026-11-28T12:00:00Z"].map(t);
        let before = |opens: Timestamp| Timestamp::from_millis(opens.as_millis() - 2 * HOUR as i64 * 1000);
        let told = [(before(first), first, 2, 1), (before(second), second, 1, 1)];
        assert_eq!(neared(&world), told);
        let woken =
            [(before(first), first, "prod-1".to_owned()), (before(second), second, "prod-1".to_owned())];
        assert_eq!(world.woken, woken, "who is in contact is not asked");
        world.pass(8 * DAY);
        assert_eq!((world.installs_of("prod-1"), world.woken.len()), (1, 2), "it is awake by itself");
    }
}

#[test]
fn whoever_comes_to_wait_shortly_before_the_window_is_asked_at_once_and_nobody_while_the_rollout_stands() {
    let asked = |lead: u64, paused: bool, resumed: u64| {
        let mut policy = laptops();
        policy.calendars.wake_lead_secs = lead as u32;
        let mut world = World::new(2, 0, policy);
        let endpoints = one(&world, "prod-1");
        world.see(Observation::Unreachable { endpoints, since: world.now });
        world.pass(60);
        let candidate = world.publish(patch("openssl", "3.0.22"));
        let rollout = world.deployment_of(candidate);
        if paused {
            world.ask("ada", &[], Command::Pause { rollout }).unwrap();
            world.pass(resumed);
            world.ask("ada", &[], Command::Resume { rollout }).unwrap();
        }
        world.pass(DAY);
        world.woken.iter().map(|(at, ..)| *at).collect::<Vec<_>>()
    };
    let at = |text: &str| vec![t(&format!("2026-11-21T{text}:00Z"))];
    assert_eq!(asked(2 * HOUR, false, 0), at("10:00"));
    assert_eq!(asked(6 * HOUR, false, 0), at("08:01"), "the window opens in four hours");
    assert_eq!(asked(2 * HOUR, true, HOUR), at("10:00"));
    assert_eq!(asked(2 * HOUR, true, 3 * HOUR), at("11:01"), "as soon as it goes on");
    assert_eq!(asked(2 * HOUR, true, 6 * HOUR), vec![], "the window has opened");
}

#[test]
fn a_thousand_sleepers_are_one_fact_and_asked_in_messages_of_bounded_size_and_it_is_said() {
    let mut policy = laptops();
    policy.calendars.wake_lead_secs = 2 * HOUR as u32;
    let mut world = World::new(2500, 0, policy);
    let endpoints: Vec<_> = world.fleet.endpoints().map(|endpoint| endpoint.ix()).collect();
    world.see(Observation::Unreachable { endpoints: endpoints.into(), since: world.now });
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(3 * HOUR);
    assert_eq!(neared(&world).len(), 1);
    let sizes: Vec<_> = world.woken.iter().map(|(.., names)| names.split(' ').count()).collect();
    assert_eq!(sizes, [1000, 1000, 500]);
    let endpoint = world.fleet.endpoint_ix("prod-7").unwrap();
    let said = explain(&world.fleet, endpoint, candidate).chain.pop().unwrap().text;
    assert!(
        said.ends_with(
            "prod-7 is unreachable since 2026-11-21T08:00:00.000Z; at 2026-11-21T10:00:00.000Z it was asked to wake for the \
             window that opens 2026-11-21T12:00:00.000Z"
        ),
        "{said}"
    );
}
