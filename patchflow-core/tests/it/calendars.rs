//! Calendars of endpoints: who starts when, how starts are spread, and what a missed window leaves behind.

use crate::world::{Does, World, one_ring, policy};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, EndpointSeen, Fact, Fleet, MissedBecause, Observation, RichFact};
use patchflow_core::ids::CandidateId;
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RolloutDraft;
use patchflow_core::policy::{Policy, RingPolicy, RingSize, Selector, StartMode};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Event, Phase, RolloutState};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

const HOUR: u64 = 3600;

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn weekly(day: Weekday, opens_minute: u16, open_minutes: u16) -> Schedule {
    Schedule::Weekly { windows: vec![WeeklyWindow { day, opens_minute, open_minutes }], freezes: vec![] }
}

/// Everybody at once and at once, by two calendars beside the default: Saturday noon, Sunday 02:00 and Sunday 04:00.
fn calendars() -> Policy {
    let mut policy = one_ring();
    policy.schedule = weekly(Weekday::Saturday, 12 * 60, 60);
    policy.calendars.named = [
        ("two".into(), weekly(Weekday::Sunday, 2 * 60, 120)),
        ("four".into(), weekly(Weekday::Sunday, 4 * 60, 120)),
    ]
    .into();
    policy
}

/// Endpoints `prod-I` name the calendar that is given.
fn world(policy: Policy, calendars: &[(u32, &str)]) -> (World, CandidateId) {
    let mut world = World::new(6, 0, policy);
    calendars.iter().for_each(|(i, calendar)| name(&mut world, *i, Some(calendar)));
    let candidate = world.publish(patch("openssl", "3.0.22"));
    (world, candidate)
}

fn name(world: &mut World, i: u32, calendar: Option<&str>) {
    let endpoint = EndpointSeen {
        scope: ScopePath("acme".into()),
        calendar: calendar.map(Into::into),
        ..EndpointSeen::new(format!("prod-{i}"), Environment::Production)
    };
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![endpoint]) });
}

/// When the first order to each endpoint left.
fn ordered(world: &World) -> BTreeMap<String, Timestamp> {
    let mut orders = BTreeMap::new();
    for recorded in &world.journal {
        if let Fact::Endpoint(fact) = recorded.fact
            && fact.event == Event::Ordered
        {
            let rollout = world.fleet.rollout(fact.rollout).unwrap();
            let endpoint = rollout.members()[fact.member.index()].endpoint();
            let name = world.fleet.endpoint_id(endpoint).unwrap().as_str().to_owned();
            orders.entry(name).or_insert(recorded.at);
        }
    }
    orders
}

fn missed(world: &World) -> Vec<(Option<String>, Timestamp, u32, MissedBecause)> {
    let of = |fact: &Fact| match fact {
        Fact::Rich(fact) => match &**fact {
            RichFact::WindowMissed { calendar, closed, waiting, because, .. } => {
                Some((calendar.as_ref().map(ToString::to_string), *closed, *waiting, *because))
            }
            _ => None,
        },
        _ => None,
    };
    world.journal.iter().filter_map(|recorded| of(&recorded.fact)).collect()
}

#[test]
fn what_never_fits_and_a_freeze_that_freezes_nothing_are_refused_and_windows_that_touch_are_one() {
    let said = |policy: &Policy| -> Vec<String> {
        policy
            .findings()
            .into_iter()
            .map(|finding| format!("{}: {}", finding.path, finding.message))
            .collect()
    };
    let mut policy = policy();
    let window = |opens_minute| WeeklyWindow { day: Weekday::Sunday, opens_minute, open_minutes: 20 };
    let weekly = |windows: &[u16], freezes| Schedule::Weekly {
        windows: windows.iter().map(|at| window(*at)).collect(),
        freezes,
    };
    policy.schedule = weekly(&[120, 141], vec![]);
    let never = "is longer than every window of `schedule`: nothing would ever start";
    assert_eq!(said(&policy), [format!("deploy.expected_secs: 1800 s {never}")]);
    policy.schedule = weekly(&[120, 140], vec![]);
    assert_eq!(said(&policy), [""; 0], "they are one window of forty minutes");
    policy.deploy.hooks.pre = Some("drain".into());
    policy.deploy.hooks.pre_secs_max = 660;
    assert_eq!(said(&policy), [format!("deploy.expected_secs: 2460 s with its hooks {never}")]);
    let at = t("2026-12-24T00:00:00Z");
    policy.deploy.hooks.pre = None;
    policy.schedule = weekly(&[120, 140], vec![Freeze { from: at, until: at }]);
    assert_eq!(
        said(&policy),
        [
            "schedule.freezes[0]: ends 2026-12-24T00:00:00.000Z, which is not after it begins: it freezes nothing"
        ]
    );
}

#[test]
fn each_endpoint_starts_in_the_window_of_its_own_calendar() {
    let (mut world, _) = world(calendars(), &[(1, "two"), (2, "four"), (3, "four")]);
    assert_eq!(ordered(&world), BTreeMap::new(), "no window is open");
    world.pass(24 * HOUR);
    let noon = t("2026-11-21T12:00:00Z");
    let expected = [
        ("prod-0", noon),
        ("prod-1", t("2026-11-22T02:00:00Z")),
        ("prod-2", t("2026-11-22T04:00:00Z")),
        ("prod-3", t("2026-11-22T04:00:00Z")),
        ("prod-4", noon),
        ("prod-5", noon),
    ]
    .map(|(name, at)| (name.to_owned(), at));
    assert_eq!(ordered(&world), expected.into());
    assert_eq!(missed(&world), []);
}

#[test]
fn an_endpoint_that_names_an_unknown_calendar_never_starts_and_says_why() {
    let (mut world, candidate) = world(calendars(), &[(1, "tow")]);
    world.pass(24 * HOUR);
    assert_eq!(ordered(&world).len(), 5);
    let endpoint = world.fleet.endpoint_ix("prod-1").unwrap();
    let why = explain(&world.fleet, endpoint, candidate).chain.pop().unwrap().text;
    assert_eq!(
        why,
        "waiting in ring all: it names the calendar `tow`, which the rollout's policy does not have; give it another, or \
         revise the rollout"
    );
    world.pass(72 * HOUR);
    assert_eq!(world.phase(world.deployment_of(candidate), "prod-1"), Phase::Deferred, "left to catch-up");
}

#[test]
fn an_endpoint_that_gets_another_calendar_goes_by_it_at_once() {
    let (mut world, _) = world(calendars(), &[(1, "tow"), (2, "four")]);
    world.pass(3 * HOUR);
    name(&mut world, 1, Some("two"));
    name(&mut world, 2, Some("two"));
    name(&mut world, 3, Some("four"));
    world.pass(21 * HOUR);
    let orders = ordered(&world);
    assert_eq!(orders["prod-1"], t("2026-11-22T02:00:00Z"));
    assert_eq!(orders["prod-2"], t("2026-11-22T02:00:00Z"));
    assert_eq!(orders["prod-3"], t("2026-11-22T04:00:00Z"));
}

#[test]
fn starts_are_spread_over_the_window_and_never_past_what_fits() {
    let mut spread = calendars();
    spread.calendars.spread_secs = 1200;
    let (mut world, _) = world(spread.clone(), &[]);
    world.pass(24 * HOUR);
    let offsets = |world: &World| -> Vec<u64> {
        let opens = t("2026-11-21T12:00:00Z");
        ordered(world).values().map(|at| at.since(opens).as_secs()).collect()
    };
    let wide = offsets(&world);
    assert_eq!(wide.len(), 6);
    assert!(wide.iter().all(|offset| *offset < 1200), "{wide:?}");
    assert!(wide.iter().collect::<BTreeSet<_>>().len() > 4, "{wide:?}");
    // The window is an hour; an operation of 3590 seconds leaves room for ten.
    spread.deploy.expected_secs = 3590;
    let (mut narrow, _) = self::world(spread, &[]);
    narrow.pass(24 * HOUR);
    let narrow = offsets(&narrow);
    assert!(narrow.len() == 6 && narrow.iter().all(|offset| *offset < 10), "{narrow:?}");
}

#[test]
fn a_window_that_is_as_long_as_the_operation_lets_retries_start_too() {
    let mut policy = calendars();
    (policy.deploy.expected_secs, policy.deploy.reboot_reserve_secs) = (3600, 0);
    policy.deploy.start_within_secs = 40 * 24 * 3600;
    let mut world = World::new(1, 0, policy);
    world.script.insert("prod-0".into(), Does::FailsFirst(1, FailureKind::Network));
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let rollout = world.deployment_of(candidate);
    world.pass(24 * HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Backoff);
    world.pass(7 * 24 * HOUR);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Completed);
    assert_eq!(world.installs_of("prod-0"), 2);
}

#[test]
fn the_spread_is_the_same_after_a_crash() {
    let mut spread = calendars();
    spread.calendars.spread_secs = 1200;
    let (mut steady, _) = world(spread.clone(), &[(1, "two"), (2, "four")]);
    steady.pass(24 * HOUR);
    let (mut crashed, _) = world(spread, &[(1, "two"), (2, "four")]);
    for _ in 0..48 {
        crashed.pass(HOUR / 2);
        crashed.fleet = Fleet::replay(crashed.journal.iter().cloned()).unwrap();
    }
    assert_eq!(ordered(&crashed), ordered(&steady));
    assert_eq!(missed(&crashed), missed(&steady));
}

#[test]
fn a_missed_window_is_one_fact_for_each_rollout_calendar_and_occurrence() {
    let mut policy = calendars();
    policy.schedule = Schedule::anytime();
    policy.deploy.start_within_secs = 40 * 24 * 3600;
    let calendar_of = [(1, "two"), (2, "two"), (3, "four")];
    let (mut world, candidate) = world(policy, &calendar_of);
    let rollout = world.deployment_of(candidate);
    world.pass(HOUR);
    world.ask("ada", &[], Command::Pause { rollout }).unwrap();
    world.pass(24 * HOUR);
    let sunday = [
        (Some("two".to_owned()), t("2026-11-22T04:00:00Z"), 2, MissedBecause::Paused),
        (Some("four".to_owned()), t("2026-11-22T06:00:00Z"), 1, MissedBecause::Paused),
    ];
    assert_eq!(missed(&world), sunday);
    world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
    world.ask("ada", &[], Command::Resume { rollout }).unwrap();
    world.script.insert("prod-1".into(), Does::Offline);
    world.pass(7 * 24 * HOUR);
    let next = (Some("two".to_owned()), t("2026-11-29T04:00:00Z"), 1, MissedBecause::NotTaken);
    assert_eq!(missed(&world)[2..], [next], "prod-2 and prod-3 took theirs");
    world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
    world.now = t("2026-12-06T04:30:00Z");
    world.see(Observation::Time);
    assert_eq!(
        missed(&world).len(),
        4,
        "a window that closed while the host was away is seen to have closed"
    );
}

fn overrun(world: &World) -> Vec<(Option<String>, Timestamp, u32)> {
    let of = |recorded: &patchflow_core::fleet::Recorded| match &recorded.fact {
        Fact::Rich(fact) => match &**fact {
            RichFact::WindowOverrun { calendar, closed, under_way, .. } => {
                assert_eq!(*closed, recorded.at);
                Some((calendar.as_deref().map(str::to_owned), *closed, *under_way))
            }
            _ => None,
        },
        _ => None,
    };
    world.journal.iter().filter_map(of).collect()
}

#[test]
fn an_operation_that_outlasts_its_window_is_not_cut_off_and_is_a_fact() {
    // Windows of two hours on Sunday; an operation is expected to take half an hour, and takes three.
    let mut policy = calendars();
    policy.deploy.report_within_secs = 4 * HOUR as u32;
    // Else a host that comes back asks first, and hears how it will end.
    policy.deploy.resync_after_secs = 24 * HOUR as u32;
    let lasting = |crashes: bool| {
        let (mut world, candidate) = world(policy.clone(), &[(1, "two"), (2, "two"), (3, "four")]);
        world.script.insert("prod-1".into(), Does::Installs(3 * HOUR));
        world.script.insert("prod-3".into(), Does::Installs(3 * HOUR));
        for _ in 0..(24 * 12) {
            world.pass(HOUR / 12);
            if crashes {
                world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
            }
        }
        let rollout = world.deployment_of(candidate);
        let phases = [1, 2, 3].map(|i| world.phase(rollout, &format!("prod-{i}")));
        assert_eq!(phases, [Phase::Verified; 3], "nothing is cut off");
        overrun(&world)
    };
    let expected = [
        (Some("two".to_owned()), t("2026-11-22T04:00:00Z"), 1),
        (Some("four".to_owned()), t("2026-11-22T06:00:00Z"), 1),
    ];
    assert_eq!(lasting(false), expected);
    assert_eq!(lasting(true), expected, "the same after any crash");
}

#[test]
fn who_starts_outside_of_the_windows_overruns_none() {
    let mut policy = calendars();
    policy.emergency.passes_windows = true;
    policy.deploy.start = StartMode::OnRequest;
    policy.deploy.report_within_secs = 40 * HOUR as u32;
    policy.deploy.duration_secs_max = 40 * HOUR as u32;
    for emergency in [Some("wormable".to_owned()), None] {
        let (mut world, candidate) = world(policy.clone(), &[(1, "two")]);
        world.script.insert("prod-1".into(), Does::Installs(21 * HOUR));
        world.pass(600);
        let draft = RolloutDraft { emergency: emergency.clone(), ..RolloutDraft::of(candidate) };
        world.ask("ada", &[], Command::Start { draft }).unwrap();
        world.pass(30 * HOUR);
        let two = overrun(&world).iter().filter(|(name, ..)| name.as_deref() == Some("two")).count();
        assert_eq!(two, usize::from(emergency.is_none()));
    }
}

#[test]
fn a_window_whose_last_minutes_a_crash_falls_into_was_missed_all_the_same() {
    let mut policy = calendars();
    policy.schedule = Schedule::anytime();
    policy.deploy.start_within_secs = 40 * 24 * 3600;
    let (mut world, candidate) = world(policy, &[(1, "two"), (2, "two")]);
    let rollout = world.deployment_of(candidate);
    world.pass(HOUR);
    world.ask("ada", &[], Command::Pause { rollout }).unwrap();
    world.pass(18 * HOUR + HOUR * 9 / 10);
    world.see(Observation::EndpointGone { endpoint: world.fleet.endpoint_ix("prod-2").unwrap() });
    world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
    world.pass(HOUR);
    let missed_one = [(Some("two".to_owned()), t("2026-11-22T04:00:00Z"), 1, MissedBecause::Paused)];
    assert_eq!(missed(&world), missed_one);
}

#[test]
fn a_window_that_a_ring_opens_into_was_not_missed() {
    let mut policy = calendars();
    // The ring opens at 08:00, half an hour into the window, which leaves too little for an order to be acknowledged.
    policy.calendars.named.insert("morning".into(), weekly(Weekday::Saturday, 7 * 60 + 30, 60));
    let (mut world, _) = world(policy, &[(1, "morning")]);
    world.script.insert("prod-1".into(), Does::Offline);
    world.pass(24 * HOUR);
    assert_eq!(ordered(&world)["prod-1"], t("2026-11-21T08:00:00Z"));
    assert_eq!(missed(&world), []);
}

#[test]
fn who_cannot_start_in_time_is_deferred_at_the_end_of_its_own_first_window() {
    let mut policy = calendars();
    policy.deploy.start_within_secs = 3600;
    let (mut world, candidate) = world(policy, &[(1, "two"), (2, "four")]);
    for i in 0..6 {
        world.script.insert(format!("prod-{i}"), Does::Offline);
    }
    world.pass(48 * HOUR);
    let rollout = world.deployment_of(candidate);
    let deferred: Vec<_> = world
        .journal
        .iter()
        .filter_map(|recorded| match recorded.fact {
            Fact::Endpoint(fact) if fact.event == Event::Deferred && fact.rollout == rollout => {
                let endpoint =
                    world.fleet.rollout(rollout).unwrap().members()[fact.member.index()].endpoint();
                Some((world.fleet.endpoint_id(endpoint).unwrap().as_str().to_owned(), recorded.at))
            }
            _ => None,
        })
        .collect();
    let at = |name: &str| deferred.iter().find(|(deferred, _)| deferred == name).map(|(_, at)| *at);
    assert_eq!(at("prod-0"), Some(t("2026-11-21T13:00:00Z")));
    assert_eq!(at("prod-1"), Some(t("2026-11-22T04:00:00Z")));
    assert_eq!(at("prod-2"), Some(t("2026-11-22T06:00:00Z")));
}

#[test]
fn a_change_of_scope_keeps_the_ring_and_takes_the_new_windows() {
    let mut policy = calendars();
    let gate = policy.rings[0].gate.clone();
    let berlin = Selector::Scope { within: ScopePath("acme/berlin".into()) };
    let size = RingSize::Selector { selector: berlin };
    let first = RingPolicy { gate: gate.clone(), size, ..RingPolicy::percent("berlin", 100) };
    policy.rings = vec![first, RingPolicy { gate, ..RingPolicy::percent("all", 100) }];
    let mut world = World::new(6, 0, policy);
    let moves = |world: &mut World, i: u32, scope: &str, calendar: Option<&str>| {
        let endpoint = EndpointSeen {
            scope: ScopePath(scope.into()),
            calendar: calendar.map(Into::into),
            ..EndpointSeen::new(format!("prod-{i}"), Environment::Production)
        };
        world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![endpoint]) });
    };
    moves(&mut world, 0, "acme/berlin", Some("four"));
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let rollout = world.deployment_of(candidate);
    assert_eq!(world.ring(rollout, 0), ["prod-0"]);
    world.pass(HOUR);
    moves(&mut world, 0, "acme/bonn", Some("two"));
    moves(&mut world, 1, "acme/berlin", None);
    world.pass(19 * HOUR);
    assert_eq!(ordered(&world)["prod-0"], t("2026-11-22T02:00:00Z"), "its new window");
    assert_eq!(world.ring(rollout, 0), ["prod-0"], "and the ring that the plan gave it");
}

#[test]
fn a_cancelled_rollout_ends_though_a_reboot_waits_for_a_window_that_never_opens() {
    let (mut world, candidate) = world(calendars(), &[(1, "two")]);
    world.script.insert("prod-1".into(), Does::WantsReboot);
    world.pass(18 * HOUR);
    let rollout = world.deployment_of(candidate);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Running);
    name(&mut world, 1, Some("tow"));
    world.pass(62);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::RebootPending, "fail closed: no calendar, no reboot");
    let reason = String::from("another one comes");
    world.ask("ada", &["owner"], Command::Cancel { rollout, reason }).unwrap();
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Ended);
    let endpoint = world.fleet.endpoint_ix("prod-1").unwrap();
    let said = format!("{:?}", explain(&world.fleet, endpoint, candidate));
    assert!(said.contains("waiting for a reboot") && said.contains("`tow`"), "{said}");
    assert!(!world.fleet.rollout(rollout).unwrap().is_at_rest(), "it is installed, and not done");
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
    world.fleet = replayed;
    name(&mut world, 1, Some("two"));
    world.pass(8 * 24 * HOUR);
    assert_eq!(
        world.phase(rollout, "prod-1"),
        Phase::Verified,
        "its reboot comes in its window all the same"
    );
    assert!(world.fleet.rollout(rollout).unwrap().is_at_rest());
}

#[test]
fn a_cancelled_rollout_waits_for_what_is_at_work_and_for_no_reboot() {
    let (mut world, candidate) = world(calendars(), &[]);
    world.script.insert("prod-1".into(), Does::WantsReboot);
    world.pass(4 * HOUR + 30);
    let rollout = world.deployment_of(candidate);
    world.ask("ada", &["owner"], Command::Cancel { rollout, reason: "enough".into() }).unwrap();
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Cancelled, "it is at work");
    world.pass(20);
    let state = world.fleet.rollout(rollout).unwrap().state();
    assert_eq!(state, RolloutState::Cancelled);
    world.pass(60);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Ended);
}
