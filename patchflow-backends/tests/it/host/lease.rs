//! Leases: who has one writes, who loses it leaves the fleet alone.

use super::*;
use async_trait::async_trait;
use patchflow_backends::host::AskError;
use patchflow_core::sdk::{BackendError, Lease, LeaseGrant};
use std::sync::Mutex;

/// Leases of ten minutes, in memory.
struct TestLease {
    clock: ManualClock,
    held: Mutex<Option<LeaseGrant>>,
}

impl TestLease {
    fn holder(&self) -> Option<String> {
        self.held.lock().unwrap().as_ref().map(|grant| grant.holder.clone())
    }
}

#[async_trait]
impl Lease for TestLease {
    async fn acquire(&self, fleet: FleetId, holder: &str) -> Result<Option<LeaseGrant>, BackendError> {
        let mut held = self.held.lock().unwrap();
        let now = self.clock.now();
        let taken = held.as_ref().filter(|grant| grant.until > now && grant.holder != holder);
        if taken.is_some() {
            return Ok(None);
        }
        let until = now.plus(Duration::from_secs(600));
        let token = held.as_ref().map_or(1, |grant| grant.token + 1);
        *held = Some(LeaseGrant { fleet, holder: holder.into(), token, until });
        Ok(held.clone())
    }

    async fn release(&self, grant: &LeaseGrant) -> Result<(), BackendError> {
        let mut held = self.held.lock().unwrap();
        if held.as_ref().is_some_and(|held| held.holder == grant.holder) {
            *held = None;
        }
        Ok(())
    }
}

fn host(lab: &Lab, lease: &Arc<TestLease>, name: &str) -> Host {
    let backends = Arc::new(lab.backends());
    Host::builder()
        .store(lab.store.clone())
        .clock(Arc::new(lab.clock.clone()))
        .backends_of(move |_| Some(backends.clone()))
        .lease(lease.clone(), name)
        .build()
        .unwrap()
}

#[test]
fn the_second_holder_waits_until_the_first_gives_the_lease_back() {
    let lab = Lab::new(1, 3);
    let lease = Arc::new(TestLease { clock: lab.clock.clone(), held: Mutex::default() });
    let (first, second) = (host(&lab, &lease, "one"), host(&lab, &lease, "two"));
    let (one, two) = (first.handle(), second.handle());
    let script = async {
        one.found(FLEET, "acme", 1).await.unwrap();
        // Held, and renewed, for longer than one grant lasts.
        lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(3600))).await;
        assert_eq!(lease.holder().as_deref(), Some("one"));
        let refused = two.found(FLEET, "acme", 1).await;
        assert!(matches!(refused, Err(AskError::LeaseElsewhere(FLEET))), "{refused:?}");
        one.stop().await;
        assert_eq!(lease.holder(), None);
        // The second host tries again by itself.
        lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(120))).await;
        lab.set_up(&two, policy()).await;
        assert_eq!(lease.holder().as_deref(), Some("two"));
        lab.deployed(&two).await
    };
    let hosts = futures_lite::future::zip(first.run(), second.run());
    assert_eq!(simulate(&lab.clock, hosts, script, || false), End::Done(true));
    assert_eq!(second.handle().stats().conflicts, 0);
}

#[test]
fn a_lease_that_is_lost_ends_the_work_on_its_fleet() {
    let lab = Lab::new(1, 3);
    let lease = Arc::new(TestLease { clock: lab.clock.clone(), held: Mutex::default() });
    let first = host(&lab, &lease, "one");
    let one = first.handle();
    let script = async {
        one.found(FLEET, "acme", 1).await.unwrap();
        let until = lab.clock.now().plus(Duration::from_secs(24 * 3600));
        *lease.held.lock().unwrap() =
            Some(LeaseGrant { fleet: FLEET, holder: "other".into(), token: 9, until });
        lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(600))).await;
        assert_eq!(one.stats().loaded, 0);
        let asked = one.request(FLEET, adopt(policy()));
        assert!(matches!(asked.await, Err(AskError::LeaseElsewhere(FLEET))));
        // When the other's time is over, it comes back by itself.
        lab.clock.sleep_until(until.plus(Duration::from_secs(120))).await;
        one.request(FLEET, adopt(policy())).await.unwrap();
    };
    assert_eq!(simulate(&lab.clock, first.run(), script, || false), End::Done(()));
}
