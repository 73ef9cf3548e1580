//! Stores that fail, installers that fail, other writers, damaged journals.

use super::store::Fault;
use super::*;
use patchflow_backends::host::{AskError, Trouble};
use patchflow_core::fleet::Observation;
use patchflow_core::ids::{Generation, MemberIx, OrderId, RequestId, RolloutId};
use patchflow_core::rollout::{Report, ReportKind};
use patchflow_core::sdk::{Append, BackendError};
use std::collections::BTreeMap;

/// Appends that expected the same end of the same stream, in the order in which they were tried.
fn tries_by_place(lab: &Lab) -> Vec<Vec<Append>> {
    let mut places = BTreeMap::<_, Vec<Append>>::new();
    for append in lab.store.tries() {
        places.entry((append.fleet, append.expected.next)).or_default().push(append);
    }
    places.into_values().collect()
}

#[test]
fn an_append_that_fails_or_loses_its_answer_is_repeated_as_it_was_and_nothing_is_doubled() {
    let lab = Lab::new(2, 6);
    let faults = [Fault::Fails, Fault::LosesTheAnswer, Fault::None, Fault::Hangs, Fault::None, Fault::Fails];
    lab.store.fail(faults.into_iter().cycle().take(300));
    let (completed, stats) = lab.run(async |host| {
        lab.set_up(host, policy()).await;
        (lab.deployed(host).await, host.stats())
    });
    assert!(completed);
    assert_eq!(lab.world.levels(), vec![("2".to_owned(), 1); 8]);
    let places = tries_by_place(&lab);
    assert!(places.iter().any(|tries| tries.len() > 2));
    for tries in places {
        assert!(tries.windows(2).all(|pair| pair[0] == pair[1]), "a repeated append differs");
    }
    assert!(stats.append_retries > 10);
    assert_eq!(stats.conflicts, 0, "its own append, stored before, is no other writer");
    // Every order went out once: the installer never even saw an id twice.
    let mut submitted = lab.world.submitted();
    let handed_over = submitted.len();
    submitted.sort();
    submitted.dedup();
    assert_eq!(submitted.len(), handed_over);
}

#[test]
fn a_store_that_stays_broken_leaves_requests_unsettled_and_a_replay_settles_them() {
    let mut lab = Lab::new(1, 1);
    lab.limits.append_tries_max = 3;
    lab.run(async |host| {
        host.found(FLEET, "acme", 1).await.unwrap();
        lab.store.fail([Fault::Fails, Fault::LosesTheAnswer, Fault::Fails]);
        let first = host.request(FLEET, adopt(policy())).await;
        assert!(matches!(first, Err(AskError::Unsettled)), "{first:?}");
        // The second try was stored after all: the same request, once more, does nothing and says what came of it.
        let facts = lab.store.records(FLEET).len();
        host.request(FLEET, adopt(policy())).await.unwrap();
        assert_eq!(lab.store.records(FLEET).len(), facts);
        assert!(host.stats().troubles.is_empty());
    });
}

#[test]
fn while_an_append_is_ambiguous_the_fleet_takes_nothing_in() {
    let lab = Lab::new(1, 1);
    lab.run(async |host| {
        host.found(FLEET, "acme", 1).await.unwrap();
        lab.store.fail([Fault::Fails; 4]);
        let calls = lab.store.calls();
        let request = host.request(FLEET, adopt(policy()));
        let observation = async {
            // Told only when the request's append has begun to fail.
            while lab.store.calls() < calls + 2 {
                lab.clock.sleep_until(lab.clock.now().plus(Duration::from_millis(10))).await;
            }
            host.observe(FLEET, Observation::Time).await.unwrap();
            lab.store.calls()
        };
        let (adopted, calls_when_taken) = futures_lite::future::zip(request, observation).await;
        adopted.unwrap();
        assert!(calls_when_taken >= calls + 5, "taken in while the append was open");
    });
}

#[test]
fn of_two_hosts_on_one_store_one_leaves_the_fleet_to_the_other() {
    let lab = Lab::new(2, 6);
    let (first, second) = (lab.host(), lab.host());
    let (one, two) = (first.handle(), second.handle());
    let script = async {
        one.found(FLEET, "acme", 42).await.unwrap();
        // Both decide something of their own, in turns, until one has seen often enough that it is not alone.
        let mut policies = (0..).map(|i| {
            let mut ask = adopt(Policy { name: format!("policy {i}"), ..policy() });
            ask.id = RequestId::from(format!("adopt {i}"));
            ask
        });
        while one.stats().troubles.is_empty() && two.stats().troubles.is_empty() {
            for host in [&one, &two] {
                match host.request(FLEET, policies.next().unwrap()).await {
                    Ok(_) | Err(AskError::Unsettled | AskError::NotDriven(_) | AskError::NoFleet(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
            // The second host learns of the fleet when somebody asks it to found it.
            drop(two.found(FLEET, "acme", 42).await);
        }
        let left = if one.stats().troubles.is_empty() { &one } else { &two };
        // The one that is left has the installer's reports to itself as well.
        lab.set_up(left, policy()).await;
        lab.deployed(left).await
    };
    let hosts = futures_lite::future::zip(first.run(), second.run());
    assert_eq!(simulate(&lab.clock, hosts, script, || false), End::Done(true));
    assert_eq!(lab.world.levels(), vec![("2".to_owned(), 1); 8]);
    let troubles: Vec<_> = [one.stats(), two.stats()].into_iter().flat_map(|stats| stats.troubles).collect();
    assert_eq!(troubles.len(), 1, "{troubles:?}");
    assert!(matches!(&*troubles[0].1, Trouble::TakenOver { .. }));
}

#[test]
fn a_damaged_journal_stops_its_own_fleet_and_no_other() {
    let lab = Lab::new(1, 3);
    let other = FleetId(8);
    lab.run(async |host| {
        host.found(other, "other", 1).await.unwrap();
        lab.set_up(host, policy()).await;
    });
    lab.store.damage(FLEET, 2);
    let seq = lab.store.records(FLEET)[2].first;
    lab.run(async |host| {
        let asked = host.request(FLEET, adopt(policy())).await;
        let Err(AskError::NotDriven(trouble)) = asked else { panic!("{asked:?}") };
        let Trouble::Corrupt(corrupt) = &*trouble else { panic!("{trouble:?}") };
        assert_eq!(corrupt.seq, seq);
        assert!(matches!(host.observe(FLEET, Observation::Time).await, Err(AskError::NotDriven(_))));
        host.request(other, adopt(policy())).await.unwrap();
        assert_eq!(host.stats().troubles.keys().collect::<Vec<_>>(), [&FLEET]);
    });
}

#[test]
fn a_submit_that_may_get_better_is_repeated_with_the_same_orders() {
    let lab = Lab::new(1, 4);
    let busy = || BackendError::retryable("connecting to agents", Duration::from_secs(30));
    lab.world.fail_submits([busy(), busy()]);
    let completed = lab.run(async |host| {
        lab.set_up(host, policy()).await;
        lab.deployed(host).await
    });
    assert!(completed);
    assert_eq!(lab.world.levels(), vec![("2".to_owned(), 1); 5]);
    let submitted = lab.world.submitted();
    assert_eq!(submitted[0], submitted[1]);
    assert_eq!(submitted[1], submitted[2]);
}

#[test]
fn a_submit_that_will_not_get_better_is_not_repeated_and_its_orders_expire() {
    let lab = Lab::new(1, 4);
    lab.world.fail_submits([BackendError::lasting("the agents' certificate is not valid")]);
    let completed = lab.run(async |host| {
        lab.set_up(host, policy()).await;
        lab.deployed(host).await
    });
    assert!(completed);
    assert_eq!(lab.world.levels(), vec![("2".to_owned(), 1); 5]);
    // Not acknowledged in time: the trial's endpoint was ordered again, under another id.
    let submitted = lab.world.submitted();
    assert_eq!(submitted.iter().filter(|order| **order == submitted[0]).count(), 1);
    assert_eq!(submitted[1].operation, submitted[0].operation + 1);
}

#[test]
fn an_order_that_the_installer_refuses_is_a_failure_with_its_words() {
    let lab = Lab::new(1, 4);
    lab.world.refuse_on("host-0000");
    let failed = lab.run(async |host| {
        lab.set_up(host, policy()).await;
        loop {
            let trial = |fleet: &patchflow_core::fleet::Fleet| {
                let candidate = fleet.candidates().next()?.identified().id();
                fleet.trial_of(candidate).filter(|(_, failed)| *failed)
            };
            if host.with_fleet(FLEET, trial).await.unwrap().is_some() {
                return true;
            }
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(60))).await;
        }
    });
    assert!(failed);
    assert_eq!(lab.world.levels(), vec![("1".to_owned(), 0); 5]);
}

#[test]
fn an_endpoint_that_cannot_be_read_at_once_is_read_again() {
    let lab = Lab::new(1, 4);
    lab.world.be_unreadable(5);
    let completed = lab.run(async |host| {
        lab.set_up(host, policy()).await;
        lab.deployed(host).await
    });
    assert!(completed);
    // Within the inventory's time: nobody had to be asked after.
    assert_eq!(lab.world.queries(), 0);
}

#[test]
fn a_failed_probe_is_a_failed_trial() {
    let lab = Lab::new(1, 4);
    lab.world.be_unhealthy();
    lab.run(async |host| {
        lab.set_up(host, policy()).await;
        // The halt is told first; the trial has failed once what failed in it is rolled back.
        while !lab.world.notices().iter().any(|(_, notice)| notice.text.contains("trial of")) {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(60))).await;
        }
    });
    let notices = lab.world.notices();
    assert!(notices.iter().any(|(_, notice)| notice.text.contains("trial of shop 2 failed")), "{notices:?}");
    assert!(lab.world.levels()[1..].iter().all(|level| *level == ("1".to_owned(), 0)));
}

#[test]
fn reports_for_fleets_that_are_not_there_are_counted() {
    let lab = Lab::new(1, 1);
    lab.run(async |host| {
        host.found(FLEET, "acme", 1).await.unwrap();
        let order = OrderId {
            fleet: FleetId(99),
            generation: Generation(0),
            rollout: RolloutId(0),
            member: MemberIx(0),
            operation: 1,
        };
        lab.world.report(Report { order, kind: ReportKind::Done });
        while host.stats().strays == 0 {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(1))).await;
        }
        let asked = host.observe(FleetId(99), Observation::Time).await;
        assert!(matches!(asked, Err(AskError::NoFleet(FleetId(99)))));
        let again = host.found(FLEET, "acme", 1).await;
        assert!(matches!(again, Err(AskError::FleetExists(FLEET))));
    });
}

#[test]
fn a_refused_request_changes_nothing_and_says_why() {
    let lab = Lab::new(1, 1);
    lab.run(async |host| {
        host.found(FLEET, "acme", 1).await.unwrap();
        let records = lab.store.records(FLEET).len();
        let mut ask = adopt(policy());
        ask.id = RequestId::from("pause");
        ask.ask = Command::Pause { rollout: RolloutId(5) };
        assert!(matches!(host.request(FLEET, ask).await, Err(AskError::Refused(_))));
        assert_eq!(lab.store.records(FLEET).len(), records);
    });
}
