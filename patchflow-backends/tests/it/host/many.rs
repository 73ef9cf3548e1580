//! Load: slow backends, graceful stops, many fleets in one host.

use super::*;
use patchflow_backends::clock::SystemClock;
use patchflow_backends::host::{BuildError, HostError};
use patchflow_core::fleet::Observation;
use patchflow_core::ids::RequestId;

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn a_slow_installer_bounds_what_waits_and_people_are_heard_all_the_same() {
    let mut lab = Lab::new(1, 60);
    lab.limits.orders_batch_max = 4;
    lab.limits.calls_in_flight_max = 2;
    lab.limits.open_effects_max = 8;
    // Nothing is given up for being slow.
    lab.limits.call_timeout = Duration::from_secs(24 * 3600);
    let mut policy = policy();
    policy.rings = vec![RingPolicy::percent("pilot", 50), RingPolicy::percent("broad", 100)];
    let open_max = lab.run(async |host| {
        lab.set_up(host, policy).await;
        // The trial passes; then the installer gets slow.
        while lab.world.submitted().is_empty() {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(1))).await;
        }
        lab.world.hold_submits(true);
        while host.stats().effects_open < 30 {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(60))).await;
        }
        let mut told = Box::pin(host.observe(FLEET, Observation::Identified));
        let mut ask = adopt(policy_of_nobody());
        ask.id = RequestId::from("other policy");
        // Polled side by side: the observation waits, the request is answered.
        assert!(futures_lite::future::poll_once(&mut told).await.is_none());
        host.request(FLEET, ask).await.unwrap();
        assert!(futures_lite::future::poll_once(&mut told).await.is_none());
        assert_eq!(lab.world.submits_in_flight_max(), 2);
        lab.world.hold_submits(false);
        told.await.unwrap();
        assert!(lab.deployed(host).await, "{:?}", lab.world.notices());
        host.stats().effects_open_max
    });
    assert_eq!(lab.world.submits_in_flight_max(), 2);
    assert!(open_max <= 30 + 8, "one ring's orders, and not more than the limit on top: {open_max}");
    assert_eq!(lab.world.levels(), vec![("2".to_owned(), 1); 61]);
}

/// A policy that starts nothing more.
fn policy_of_nobody() -> Policy {
    let mut policy = policy();
    policy.deploy.start = StartMode::OnRequest;
    policy
}

#[test]
fn a_graceful_stop_cuts_only_what_outlives_the_grace_and_the_next_host_goes_on() {
    for holds in [false, true] {
        let lab = Lab::new(1, 4);
        let host = lab.host();
        let handle = host.handle();
        let script = async {
            lab.set_up(&handle, policy()).await;
            while lab.world.submitted().is_empty() {
                lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(1))).await;
            }
            lab.world.hold_submits(holds);
            while holds && lab.world.submits_in_flight() == 0 {
                lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(10))).await;
            }
            handle.stop().await;
        };
        let both = futures_lite::future::zip(host.run(), script);
        let End::Done((stopped, ())) = simulate(&lab.clock, std::future::ready(()), both, || false) else {
            unreachable!()
        };
        let stopped = stopped.unwrap();
        assert_eq!((stopped.calls_cut, stopped.unsettled.len()), (usize::from(holds), 0));
        lab.world.hold_submits(false);
        let completed = lab.run(async |host| lab.deployed(host).await);
        assert!(completed);
        assert_eq!(lab.world.levels(), vec![("2".to_owned(), 1); 5]);
    }
}

#[test]
fn baselines_shorten_the_way_back_and_change_nothing() {
    let mut lab = Lab::new(1, 12);
    lab.limits.baseline_every_facts = 10;
    lab.limits.read_bytes_max = 1;
    let baselines = lab.run(async |host| {
        lab.set_up(host, policy()).await;
        while lab.world.levels().iter().filter(|(version, _)| version == "2").count() < 3 {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(60))).await;
        }
        host.stats().baselines
    });
    assert!(baselines > 2);
    assert!(lab.run(async |host| lab.deployed(host).await));
    assert_eq!(lab.world.levels(), vec![("2".to_owned(), 1); 13]);
}

#[test]
fn orders_that_have_not_left_are_stopped_by_a_halt_without_the_installer() {
    let mut lab = Lab::new(1, 20);
    lab.limits.orders_batch_max = 1;
    lab.limits.calls_in_flight_max = 1;
    lab.limits.call_timeout = Duration::from_secs(24 * 3600);
    let mut policy = policy();
    policy.rings = vec![RingPolicy::percent("half", 50), RingPolicy::percent("broad", 100)];
    lab.run(async |host| {
        lab.set_up(host, policy).await;
        while lab.world.submitted().is_empty() {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(1))).await;
        }
        lab.world.hold_submits(true);
        while host.stats().effects_open < 10 {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(60))).await;
        }
        let rollouts =
            host.with_fleet(FLEET, |fleet| fleet.rollouts().map(|rollout| rollout.id()).collect::<Vec<_>>());
        let rollout = rollouts.await.unwrap()[1];
        let ask = patchflow_core::fleet::Request {
            id: "halt".into(),
            by: Actor::new("ada", ["change-manager"]),
            expect: None,
            ask: Command::Halt { rollout, reason: "something else is burning".into() },
        };
        host.request(FLEET, ask).await.unwrap();
        while host.stats().effects_open > 2 {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(1))).await;
        }
        assert_eq!(lab.world.recalled(), [], "the call that is under way comes first");
        lab.world.hold_submits(false);
        while host.stats().effects_open > 0 {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(1))).await;
        }
    });
    // The trial's order, and the one that was on its way; that one alone was recalled from the installer.
    assert_eq!(lab.world.submitted().len(), 2);
    assert_eq!(lab.world.recalled(), lab.world.submitted()[1..]);
}

#[test]
fn a_thousand_fleets_share_a_host_that_keeps_some_in_memory() {
    const FLEETS: u64 = 1000;
    let mut lab = Lab::new(0, 0);
    lab.limits.loaded_fleets_max = 100;
    let fleets: Vec<FleetId> = (1..=FLEETS).map(FleetId).collect();
    // Each its own endpoints and backends; every twentieth has something to install.
    let labs: Vec<Lab> = fleets
        .iter()
        .map(|_| {
            let mut world = World::new(lab.clock.clone(), lab.store.clone(), lab.fuse.clone(), 1, 2);
            world.checks_orders = false;
            Lab {
                clock: lab.clock.clone(),
                store: lab.store.clone(),
                fuse: lab.fuse.clone(),
                world: Arc::new(world),
                limits: lab.limits.clone(),
            }
        })
        .collect();
    let busy = || fleets.iter().zip(&labs).step_by(20);
    let backends: Vec<_> = labs.iter().map(|lab| Arc::new(lab.backends())).collect();
    let host = || {
        let backends = backends.clone();
        Host::builder()
            .store(lab.store.clone())
            .clock(Arc::new(lab.clock.clone()))
            .backends_of(move |fleet| backends.get(usize::try_from(fleet.0).unwrap() - 1).cloned())
            .limits(lab.limits.clone())
            .build()
            .unwrap()
    };
    let first = host();
    let handle = first.handle();
    let script = async {
        let found = fleets.iter().map(|fleet| handle.found(*fleet, "tenant", fleet.0));
        for founded in futures_util::future::join_all(found).await {
            founded.unwrap();
        }
        for (fleet, lab) in busy() {
            handle.request(*fleet, adopt(policy())).await.unwrap();
            let sources: Vec<Arc<dyn PatchSource>> = vec![lab.world.clone()];
            identify::run(&handle, *fleet, &*lab.world, &sources, &[RollbackPath::Reinstall]).await.unwrap();
        }
        handle.stats()
    };
    let End::Done(stats) = simulate(&lab.clock, first.run(), script, || false) else { unreachable!() };
    assert_eq!(stats.fleets, fleets.len());
    assert!(stats.evicted > 0);
    assert!(stats.commits * 2 < stats.appends, "{} appends in {} commits", stats.appends, stats.commits);
    drop(first);

    // A crash, and a new host: it finds them all, and takes every one to its end without being asked.
    let second = host();
    let handle = second.handle();
    let script = async {
        while busy().any(|(_, lab)| lab.world.levels() != vec![("2".to_owned(), 1); 3]) {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(600))).await;
        }
        // Idle fleets go as others come.
        lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(7 * 24 * 3600))).await;
        handle.stats()
    };
    let End::Done(stats) = simulate(&lab.clock, second.run(), script, || false) else { unreachable!() };
    assert_eq!(stats.fleets, fleets.len());
    assert!(stats.loaded <= 100, "{} in memory", stats.loaded);
}

#[test]
fn a_bare_block_on_and_the_real_clock_are_enough() {
    let lab = Lab::new(1, 2);
    let backends = Arc::new(lab.backends());
    let host = Host::builder()
        .store(lab.store.clone())
        .clock(Arc::new(SystemClock::new().unwrap()))
        .backends_of(move |_| Some(backends.clone()))
        .build()
        .unwrap();
    let handle = host.handle();
    let script = async {
        lab.set_up(&handle, policy()).await;
        let candidates = handle.with_fleet(FLEET, |fleet| fleet.candidates().count()).await.unwrap();
        handle.stop().await;
        candidates
    };
    let (stopped, candidates) =
        futures_lite::future::block_on(futures_lite::future::zip(assert_send(host.run()), script));
    assert!(stopped.unwrap().unsettled.is_empty());
    assert_eq!(candidates, 1);
    let again = futures_lite::future::block_on(host.run());
    assert!(matches!(again, Err(HostError::AlreadyRan)));
}

#[test]
fn a_host_that_lacks_something_is_not_built() {
    let lab = Lab::new(1, 1);
    let store = || Host::builder().store(lab.store.clone()).clock(Arc::new(lab.clock.clone()));
    assert!(matches!(Host::builder().build(), Err(BuildError::Missing("a journal store"))));
    assert!(matches!(store().build(), Err(BuildError::Missing("an installer"))));
    let full = || store().installer(lab.world.clone()).inventory(lab.world.clone());
    assert!(full().build().is_ok());
    let limits = HostLimits { commit_fleets_max: 0, ..HostLimits::default() };
    assert!(matches!(full().limits(limits).build(), Err(BuildError::ZeroLimit("commit_fleets_max"))));
    lab.world.claim_sdk("^9");
    let Err(BuildError::Mismatch(mismatch)) = full().build() else {
        panic!("an installer for another SDK fits")
    };
    assert!(mismatch.to_string().contains("test-world"), "{mismatch}");
}
