//! The host, driven by a bare executor, a clock that is set by hand, and backends that follow a script.

mod crash;
mod faults;
#[cfg(feature = "advisory")]
mod finding;
mod lease;
mod many;
mod road;
#[cfg(feature = "advisory")]
mod rounds;
mod staging;
mod store;
mod waking;
mod world;

use patchflow_backends::clock::ManualClock;
use patchflow_backends::host::{Backends, Host, HostHandle, HostLimits, identify};
use patchflow_core::fleet::{Command, Request};
use patchflow_core::gate::Limits;
use patchflow_core::ids::{Actor, FleetId};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{Policy, RingPolicy, StartMode};
use patchflow_core::sdk::{Clock, PatchSource};
use patchflow_core::time::Timestamp;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;
use store::TestStore;
use world::{Fuse, World};

pub(crate) const FLEET: FleetId = FleetId(7);

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// How a simulation ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End<T> {
    /// The script came to its end.
    Done(T),
    /// A crash was asked for: the futures were dropped where they stood.
    Crashed,
}

/// Polls a host and a script beside it; when both wait, the clock moves to the next time that somebody sleeps until.
/// Ends with the script, or at once when `crash` says so. A simulation that goes nowhere fails.
pub(crate) fn simulate<T>(
    clock: &ManualClock,
    host: impl Future,
    script: impl Future<Output = T>,
    crash: impl Fn() -> bool,
) -> End<T> {
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(flag.clone());
    let mut cx = Context::from_waker(&waker);
    let (mut host, mut script) = (pin!(host), pin!(script));
    let mut host_ended = false;
    for _ in 0..2_000_000 {
        if flag.0.swap(false, Ordering::SeqCst) {
            if !host_ended {
                host_ended = host.as_mut().poll(&mut cx).is_ready();
            }
            if crash() {
                return End::Crashed;
            }
            if let std::task::Poll::Ready(done) = script.as_mut().poll(&mut cx) {
                return End::Done(done);
            }
            if crash() {
                return End::Crashed;
            }
        } else {
            let next = clock.next_sleeper().expect("everybody waits, and nobody for the clock");
            clock.set(next.max(clock.now()));
        }
    }
    panic!("the simulation goes nowhere");
}

/// A policy of two rings with short waits, which starts what is approved by itself.
pub(crate) fn policy() -> Policy {
    let gate = Limits { bake_secs_min: 600, ..Limits::default() };
    let mut policy = Policy::standard("test");
    policy.trial.gate = gate.clone();
    policy.rings = vec![RingPolicy::percent("pilot", 25), RingPolicy::percent("broad", 100)];
    policy.rings.iter_mut().for_each(|ring| ring.gate = gate.clone());
    policy.deploy.start = StartMode::WhenApproved;
    policy
}

pub(crate) fn adopt(policy: Policy) -> Request {
    Request {
        id: "adopt".into(),
        by: Actor::new("ada", ["change-manager"]),
        expect: None,
        ask: Command::AdoptPolicy { policy: Box::new(policy) },
    }
}

pub(crate) fn start_of_time() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

/// A clock, a store, and the endpoints of one fleet.
pub(crate) struct Lab {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<TestStore>,
    pub(crate) fuse: Arc<Fuse>,
    pub(crate) world: Arc<World>,
    pub(crate) limits: HostLimits,
}

impl Lab {
    pub(crate) fn new(non_production: usize, production: usize) -> Self {
        let clock = ManualClock::at(start_of_time());
        let fuse = Arc::new(Fuse::default());
        let store = Arc::new(TestStore::new(fuse.clone()));
        let world = World::new(clock.clone(), store.clone(), fuse.clone(), non_production, production);
        Self { clock, store, fuse, world: Arc::new(world), limits: HostLimits::default() }
    }

    pub(crate) fn backends(&self) -> Backends {
        Backends::new(self.world.clone(), self.world.clone())
            .with_probe(self.world.clone())
            .with_notifier(self.world.clone())
            .with_health(self.world.clone())
    }

    pub(crate) fn host(&self) -> Host {
        let backends = Arc::new(self.backends());
        Host::builder()
            .store(self.store.clone())
            .clock(Arc::new(self.clock.clone()))
            .backends_of(move |_| Some(backends.clone()))
            .limits(self.limits.clone())
            .build()
            .unwrap()
    }

    /// Founds the fleet, adopts the policy and identifies; may be repeated after a crash.
    pub(crate) async fn set_up(&self, host: &HostHandle, policy: Policy) {
        let sources: Vec<Arc<dyn PatchSource>> = vec![self.world.clone()];
        // A fleet that was founded before the crash exists already.
        drop(host.found(FLEET, "acme", 42).await);
        host.request(FLEET, adopt(policy)).await.unwrap();
        identify::run(host, FLEET, &*self.world, &sources, &[RollbackPath::Reinstall]).await.unwrap();
    }

    /// Waits until the deployment of the only patch is over; whether every ring passed.
    pub(crate) async fn deployed(&self, host: &HostHandle) -> bool {
        loop {
            let over = host
                .with_fleet(FLEET, |fleet| {
                    use patchflow_core::rollout::{RolloutKind, RolloutState};
                    let deployment =
                        fleet.rollouts().find(|rollout| rollout.kind() == RolloutKind::Deployment)?;
                    deployment.ended_at().map(|_| deployment.state() == RolloutState::Completed)
                })
                .await;
            if let Ok(Some(completed)) = over {
                return completed;
            }
            let waited = self.clock.now().since(start_of_time());
            assert!(waited.as_secs() < 60 * 24 * 3600, "no deployment came to its end");
            self.clock.sleep_until(self.clock.now().plus(Duration::from_secs(60))).await;
        }
    }

    /// Runs a host and a script beside it, to the script's end.
    pub(crate) fn run<T>(&self, script: impl AsyncFnOnce(&HostHandle) -> T) -> T {
        let host = self.host();
        let handle = host.handle();
        match simulate(&self.clock, host.run(), script(&handle), || false) {
            End::Done(done) => done,
            End::Crashed => unreachable!("no crash was asked for"),
        }
    }
}
