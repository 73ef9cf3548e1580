//! What goes wrong on the way: silence, doubles, strays, clocks, absence.

use crate::budgets::at_once;
use crate::world::{Does, World, policy};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, Fact, Observation, RichFact};
use patchflow_core::gate::Percent;
use patchflow_core::ids::{FleetId, Generation, MemberIx, OrderId, RolloutId};
use patchflow_core::policy::OnFailure;
use patchflow_core::rollout::{Event, Failure, Order, Phase, QueryAnswer, Report, ReportKind, RolloutState};

#[test]
fn an_order_never_acknowledged_goes_back_to_waiting_under_a_higher_fence() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.script.extend((0..40).map(|i| (format!("prod-{i}"), Does::Offline)));
    world.pass(700);
    let rollout = world.deployment_of(candidate);
    world.pass(5 * 1800);
    let counts = world.fleet.rollout(rollout).unwrap().counts();
    assert_eq!((counts.failed, counts.unknown), (0, 0), "a closed laptop is not a failure");
    let endpoint = world.ring(rollout, 0)[0].clone();
    let fences: Vec<_> = world
        .orders
        .iter()
        .filter(|o| o.endpoint().as_str() == endpoint)
        .map(|order| order.fence())
        .collect();
    assert!(fences.len() > 2 && fences.is_sorted_by(|a, b| a < b), "{fences:?}");
}

#[test]
fn acknowledged_then_silent_is_unknown_and_asked_after() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.script.extend((0..40).map(|i| (format!("prod-{i}"), Does::GoesSilent)));
    world.pass(700);
    let rollout = world.deployment_of(candidate);
    let endpoint = world.ring(rollout, 0)[0].clone();
    assert_eq!(world.phase(rollout, &endpoint), Phase::Running);
    world.pass(1300);
    assert_eq!(world.phase(rollout, &endpoint), Phase::Silent);
    assert_eq!(world.installs_of(&endpoint), 1, "never sent again blindly");
}

#[test]
fn what_fits_nothing_is_a_counted_stray() {
    let mut world = World::new(10, 2, policy());
    world.publish(patch("webd", "1.1"));
    world.pass(24 * 3600);
    let (seq, known) = (world.fleet.seq(), world.orders[0].id());
    let strangers = [
        OrderId { fleet: FleetId(9), ..known },
        OrderId { rollout: RolloutId(99), ..known },
        OrderId { member: MemberIx(u32::MAX), ..known },
        OrderId { operation: 77, ..known },
        OrderId { operation: 0, ..known },
        OrderId { generation: Generation(3), ..known },
        known,
    ];
    let before = world.fleet.strays();
    for order in strangers {
        world.see(Observation::Reported(Report { order, kind: ReportKind::Done }));
    }
    assert_eq!(world.fleet.strays() - before, strangers.len() as u64);
    assert_eq!(world.fleet.seq(), seq, "strays do not grow the journal");
}

#[test]
fn doubled_and_reordered_reports_change_nothing() {
    let mut world = World::new(10, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(24 * 3600);
    let rollout = world.deployment_of(candidate);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Completed);
    let seq = world.fleet.seq();
    let ids: Vec<_> = world.orders.iter().map(Order::id).collect();
    for order in ids {
        for kind in [ReportKind::Done, ReportKind::Acknowledged, ReportKind::Done] {
            world.see(Observation::Reported(Report { order, kind }));
        }
    }
    assert_eq!(world.fleet.seq(), seq);
}

#[test]
fn a_clock_that_steps_back_is_held_and_counted_once() {
    let mut world = World::new(10, 2, policy());
    world.publish(patch("webd", "1.1"));
    world.pass(100);
    let before = world.fleet.clock_steps();
    let behind = patchflow_core::time::Timestamp::from_millis(world.now.as_millis() - 60_000);
    for _ in 0..3 {
        world.fleet.observe(behind, Observation::Time, &mut world.out);
    }
    assert_eq!(world.fleet.clock_steps(), before + 1);
    assert!(world.journal.is_sorted_by_key(|recorded| recorded.at));
    assert!(world.out.facts().iter().all(|recorded| recorded.at >= behind));
}

#[test]
fn a_host_that_was_away_for_three_days_asks_first_and_halts_nothing() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(690);
    let rollout = world.deployment_of(candidate);
    let pilot = world.ring(rollout, 0);
    assert!(pilot.iter().all(|endpoint| world.phase(rollout, endpoint) == Phase::Running));
    // The endpoints did their work; nobody was there to hear of it.
    world.lose_everything_on_its_way();
    let orders: Vec<_> = world.orders.iter().map(Order::id).collect();
    orders.into_iter().for_each(|order| {
        world.done.insert(order, patchflow_core::rollout::QueryAnswer::Done);
    });
    world.now = world.now.plus_secs(3 * 86_400);
    world.see(Observation::Time);
    assert!(world.fleet.resync_until().is_some());
    let sent = world.orders.len();
    world.pass(5);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Running);
    assert!(pilot.iter().all(|endpoint| world.phase(rollout, endpoint) == Phase::Verified));
    assert_eq!(world.orders.len(), sent, "nothing left while questions were open");
    let silent = |recorded: &&patchflow_core::fleet::Recorded| matches!(&recorded.fact, Fact::Endpoint(fact) if fact.event == patchflow_core::rollout::Event::WentSilent);
    assert_eq!(world.journal.iter().filter(silent).count(), 0);
    let ended = |r: &patchflow_core::fleet::Recorded| matches!(&r.fact, Fact::Rich(fact) if matches!(**fact, RichFact::ResyncEnded { unanswered: 0 }));
    assert!(world.journal.iter().any(ended));
    world.pass(24 * 3600);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Completed);
}

#[test]
fn a_host_that_comes_back_just_after_a_deadline_asks_first_too() {
    for (late, asks) in [(0, false), (14, true), (890, true)] {
        let mut world = World::new(40, 2, policy());
        let candidate = world.publish(patch("webd", "1.1"));
        world.pass(690);
        let rollout = world.deployment_of(candidate);
        let pilot = world.ring(rollout, 0);
        let due = pilot.iter().map(|name| {
            let at = world.fleet.rollout(rollout).unwrap();
            let member = at.member_of(world.fleet.endpoint_ix(name).unwrap()).unwrap();
            world.fleet.due(&at.members()[member.index()]).unwrap()
        });
        // Twenty minutes for the report: nobody is heard of for longer than a host may be away.
        let due = due.min().unwrap();
        assert!(due.since(world.now).as_secs() > 900);
        world.lose_everything_on_its_way();
        let orders: Vec<_> = world.orders.iter().map(Order::id).collect();
        orders.into_iter().for_each(|order| {
            world.done.insert(order, patchflow_core::rollout::QueryAnswer::Done);
        });
        world.now = due.plus_secs(late);
        world.see(Observation::Time);
        assert_eq!(world.fleet.resync_until().is_some(), asks, "{late} s late");
        if asks {
            world.pass(24 * 3600);
            let silent = |r: &&patchflow_core::fleet::Recorded| matches!(&r.fact, Fact::Endpoint(fact) if fact.event == patchflow_core::rollout::Event::WentSilent);
            assert_eq!(world.journal.iter().filter(silent).count(), 0);
            assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Completed);
        }
    }
}

#[test]
fn nothing_is_drilled_while_a_host_that_was_away_asks() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(690);
    world.lose_everything_on_its_way();
    world.now = world.now.plus_secs(3 * 86_400);
    world.see(Observation::Time);
    assert!(world.fleet.resync_until().is_some());
    let sent = world.orders.len();
    let drill = || Command::Drill { candidate, endpoint: "test-0".into() };
    let refused = world.ask("ada", &[], drill()).unwrap_err().to_string();
    assert!(refused.contains("asks first what happened in its absence"), "{refused}");
    assert_eq!(world.orders.len(), sent);
    world.pass(2 * 86_400);
    assert!(world.fleet.resync_until().is_none());
    world.ask("ada", &[], drill()).unwrap();
}

#[test]
fn a_host_that_slept_because_nothing_was_due_was_not_away() {
    let mut world = World::new(40, 2, policy());
    world.publish(patch("webd", "1.1"));
    world.pass(30 * 86_400);
    let away = |r: &patchflow_core::fleet::Recorded| matches!(&r.fact, Fact::Rich(fact) if matches!(**fact, RichFact::ResyncStarted { .. }));
    assert!(!world.journal.iter().any(away));
}

#[test]
fn an_endpoint_that_leaves_is_accounted_for() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(690);
    let rollout = world.deployment_of(candidate);
    let leaver = world.ring(rollout, 0)[0].clone();
    let endpoint = world.fleet.endpoint_ix(&leaver).unwrap();
    world.see(Observation::EndpointGone { endpoint });
    world.pass(24 * 3600);
    assert_eq!(world.phase(rollout, &leaver), Phase::Removed);
    let done = world.fleet.rollout(rollout).unwrap();
    assert_eq!(
        (done.state(), done.counts().removed, done.counts().verified),
        (RolloutState::Completed, 1, 39)
    );
}

#[test]
fn a_rollback_that_was_cut_off_is_ordered_anew_within_its_budget() {
    for (cut_off, expected) in [(2, Phase::RolledBack), (9, Phase::NeedsOperator)] {
        let mut policy = policy();
        policy.rollback.on_failure = OnFailure::RollBack;
        policy.retry.attempts_max = 3;
        let mut world = World::new(40, 2, policy);
        let candidate = world.publish(patch("webd", "1.1"));
        while world.rollouts_of(candidate).len() < 2 {
            world.pass(60);
        }
        let rollout = world.deployment_of(candidate);
        let ill = world.ring(rollout, 3)[0].clone();
        world.script.insert(ill.clone(), Does::Sickens);
        world.cut_off.insert(ill.clone(), cut_off);
        world.pass(4 * 3600);
        assert_eq!(world.phase(rollout, &ill), expected, "cut off {cut_off} times");
        let reverts = world.orders.iter().filter(|o| matches!(o, Order::Revert(_))).collect::<Vec<_>>();
        assert_eq!(reverts.len(), 3);
        assert!(
            reverts.windows(2).all(|pair| pair[0].id() < pair[1].id() && pair[0].fence() < pair[1].fence())
        );
    }
}

#[test]
fn what_could_not_be_read_once_does_not_speak_against_a_later_outcome() {
    let mut policy = crate::budgets::at_once();
    policy.rollback.on_failure = OnFailure::RollBack;
    let mut world = World::new(1, 0, policy);
    world.script.insert("prod-0".into(), Does::Unreadable);
    let candidate = world.publish(patch("openssl", "2.0"));
    let rollout = world.deployment_of(candidate);
    let order = |world: &World| world.orders.last().unwrap().id();
    let failure = Failure::new(FailureKind::ScriptFailed, "it broke");
    let first = order(&world);
    world.see(Observation::Reported(Report { order: first, kind: ReportKind::Failed(failure) }));
    while world.phase(rollout, "prod-0") != Phase::RevertSilent {
        world.pass(10);
    }
    // Nobody could look. From now on nobody is there either.
    world.script.insert("prod-0".into(), Does::Offline);
    world.lose_everything_on_its_way();
    let reverting = order(&world);
    world.see(Observation::Answered { order: reverting, answer: QueryAnswer::NeverSeen });
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Reverting);
    let taken = (0..400).any(|_| {
        world.pass(10);
        world.phase(rollout, "prod-0") == Phase::Reverted
    });
    assert!(taken, "it is silent again, and its answer is new");
}

#[test]
fn what_is_asked_after_goes_on_by_the_answer() {
    for (answer, expected) in [
        (QueryAnswer::NeverSeen, Phase::Ordered),
        (QueryAnswer::Queued, Phase::Running),
        (QueryAnswer::Running, Phase::Running),
        (QueryAnswer::Done, Phase::Installed),
    ] {
        let mut world = World::new(1, 0, at_once());
        world.script.insert("prod-0".into(), Does::Offline);
        world.publish(patch("openssl", "2.0"));
        let order = world.orders[0].id();
        world.pass(60);
        world.see(Observation::Answered { order, answer: answer.clone() });
        assert_eq!(world.phase(RolloutId(0), "prod-0"), expected, "{answer:?}");
        let again = usize::from(answer == QueryAnswer::NeverSeen);
        assert_eq!(world.orders.len(), 1 + again, "{answer:?}");
        assert!(world.orders.iter().all(|sent| sent.id() == order), "under the same id while it is fresh");
        world.pass(1741);
        if again == 1 {
            world.see(Observation::Answered { order, answer });
            assert_ne!(world.orders.last().unwrap().id(), order, "and under a new one when it is not");
        }
    }
}

#[test]
fn waits_between_attempts_double_and_what_was_refused_is_not_tried_again() {
    let mut policy = at_once();
    policy.retry.attempts_max = 6;
    (policy.retry.backoff_secs, policy.retry.backoff_secs_max) = (100, 500);
    policy.retry.jitter = Percent::whole(50);
    let mut world = World::new(6, 0, policy);
    let does = |i: u32| Does::Fails(if i == 5 { FailureKind::Denied } else { FailureKind::Busy });
    world.script.extend((0..6).map(|i| (format!("prod-{i}"), does(i))));
    world.publish(patch("openssl", "2.0"));
    world.pass(6 * 3600);
    let mut all = std::collections::BTreeSet::new();
    for i in 0..5 {
        let name = format!("prod-{i}");
        assert_eq!(world.installs_of(&name), 6, "{name}");
        let ix = world.fleet.endpoint_ix(&name).unwrap();
        let member = world.fleet.rollout(RolloutId(0)).unwrap().member_of(ix).unwrap();
        let starts = world.journal.iter().filter_map(|recorded| match &recorded.fact {
            Fact::Endpoint(fact) if fact.member == member && fact.event == Event::Ordered => {
                Some(recorded.at)
            }
            _ => None,
        });
        let starts: Vec<_> = starts.collect();
        // A minute for the attempt itself, then the wait and at most half of it more.
        let waits: Vec<u64> = starts.windows(2).map(|two| two[1].since(two[0]).as_secs() - 60).collect();
        for (wait, least) in waits.iter().zip([100, 200, 400, 500, 500]) {
            assert!((least..=least * 3 / 2).contains(wait), "{name}: {waits:?}");
        }
        all.insert(waits);
    }
    assert_eq!(all.len(), 5, "each has a jitter of its own, so that they do not come together");
    assert_eq!(world.installs_of("prod-5"), 1, "what was refused does not get better");
}

#[test]
fn a_failure_blocks_nobody_elses_turn() {
    let mut policy = at_once();
    policy.deploy.in_flight_max = 1;
    (policy.retry.backoff_secs, policy.retry.on) = (7200, vec![FailureKind::Busy]);
    let mut world = World::new(4, 0, policy);
    world.publish(patch("openssl", "2.0"));
    let first = world.orders[0].endpoint().as_str().to_owned();
    // It is under way already, and its script is read when it begins: the next attempt is the one that fails.
    world.pass(10);
    let order = world.orders[0].id();
    let kind = ReportKind::Failed(Failure::new(FailureKind::Busy, "in use"));
    world.lose_everything_on_its_way();
    world.see(Observation::Reported(Report { order, kind }));
    assert_eq!(world.phase(RolloutId(0), &first), Phase::Backoff);
    world.pass(3 * 62 + 5);
    let verified = world.fleet.rollout(RolloutId(0)).unwrap().counts().verified;
    assert_eq!(verified, 3, "the others went on while it waits");
}
