//! Rounds of identification that the host drives itself.

use super::finding::{DEBIAN, Estate, advisory, hit, update};
use super::{End, FLEET, Lab, adopt, policy, simulate, start_of_time};
use async_trait::async_trait;
use patchflow_backends::advisory::FeedRecords;
use patchflow_backends::host::identify::{Identifier, Rounds};
use patchflow_backends::host::{Backends, BuildError, Host, HostHandle, RoundsStats};
use patchflow_core::fleet::InspectOrder;
use patchflow_core::ids::FleetId;
use patchflow_core::inventory::EndpointRecord;
use patchflow_core::plan::RollbackPath;
use patchflow_core::sdk::{
    BackendError, Clock, Cursor, Inventory, LevelRead, Manifest, Page, PatchSource, PublishedPatch,
};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

const PERIOD: Duration = Duration::from_secs(900);

/// An inventory or a source of which the next calls fail, or never return.
struct Troubled {
    estate: Arc<Estate>,
    fails: AtomicUsize,
    hangs: AtomicUsize,
}

impl Troubled {
    fn new(estate: &Arc<Estate>) -> Arc<Self> {
        Arc::new(Self { estate: estate.clone(), fails: AtomicUsize::new(0), hangs: AtomicUsize::new(0) })
    }

    async fn trouble(&self) -> Result<(), BackendError> {
        let take = |left: &AtomicUsize| {
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        };
        if take(&self.hangs) {
            std::future::pending::<()>().await;
        }
        if take(&self.fails) {
            let socket = std::io::Error::other("the line is cut");
            return Err(BackendError::retryable("read the estate", Duration::from_secs(1)).because(socket));
        }
        Ok(())
    }
}

#[async_trait]
impl Inventory for Troubled {
    fn manifest(&self) -> Manifest {
        Inventory::manifest(&*self.estate)
    }

    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<EndpointRecord>, BackendError> {
        self.trouble().await?;
        Inventory::page(&*self.estate, since, limit).await
    }

    async fn inspect(&self, orders: &[InspectOrder]) -> Vec<LevelRead> {
        self.estate.inspect(orders).await
    }
}

#[async_trait]
impl PatchSource for Troubled {
    fn manifest(&self) -> Manifest {
        PatchSource::manifest(&*self.estate)
    }

    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<PublishedPatch>, BackendError> {
        PatchSource::page(&*self.estate, since, limit).await
    }
}

fn identifier(source: Arc<dyn PatchSource>, feed: &Arc<FeedRecords>) -> Identifier {
    Identifier::new(FLEET).source(source).feed(feed.clone()).paths([RollbackPath::Reinstall])
}

/// A host that drives the rounds, with a founded fleet whose candidates wait for a person.
fn run<T>(
    lab: &Lab,
    estate: Arc<Troubled>,
    rounds: &Rounds,
    script: impl AsyncFnOnce(&HostHandle) -> T,
) -> T {
    let backends = Arc::new(Backends::new(lab.world.clone(), estate));
    let host = Host::builder()
        .store(lab.store.clone())
        .clock(Arc::new(lab.clock.clone()))
        .backends_of(move |_| Some(backends.clone()))
        .limits(lab.limits.clone())
        .rounds(rounds.clone())
        .build()
        .unwrap();
    let handle = host.handle();
    let script = async {
        handle.found(FLEET, "acme", 42).await.unwrap();
        let mut policy = policy();
        policy.approval.clear();
        policy.trial.required_for.clear();
        policy.endpoints.scan_on_candidate = false;
        handle.request(FLEET, adopt(policy)).await.unwrap();
        script(&handle).await
    };
    match simulate(&lab.clock, host.run(), script, || false) {
        End::Done(done) => done,
        End::Crashed => unreachable!("no crash was asked for"),
    }
}

async fn candidates(host: &HostHandle) -> Vec<String> {
    let named = |fleet: &patchflow_core::fleet::Fleet| {
        fleet.candidates().map(|one| one.identified().patch().id.to_string()).collect()
    };
    host.with_fleet(FLEET, named).await.unwrap()
}

fn told(host: &HostHandle) -> RoundsStats {
    host.stats().rounds.get(&FLEET).cloned().unwrap_or_default()
}

/// Waits until something is told of the rounds.
async fn until(lab: &Lab, host: &HostHandle, is_so: impl Fn(&RoundsStats) -> bool) -> RoundsStats {
    loop {
        let now = told(host);
        if is_so(&now) {
            return now;
        }
        assert!(lab.clock.now().since(start_of_time()) < Duration::from_secs(86_400), "{now:?}");
        lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(1))).await;
    }
}

#[test]
fn the_host_looks_by_itself_round_after_round() {
    let (lab, estate) = (Lab::new(1, 1), Arc::new(Estate::default()));
    estate.put("web-1", DEBIAN, &[("curl", "7.88-1"), ("bash", "5.2-1")]);
    estate.publish(update("curl", "7.88-2"));
    let feed = Arc::new(FeedRecords::new("osv"));
    feed.publish(advisory("CVE-2026-1", vec![hit("curl", DEBIAN, "7.88-2")]));
    let rounds = Rounds::every(PERIOD, identifier(estate.clone(), &feed));
    run(&lab, Troubled::new(&estate), &rounds, async |host| {
        // The first came before the fleet was founded, perhaps; it is repeated soon.
        let first = until(&lab, host, |told| told.done == 1).await;
        assert!(lab.clock.now().since(start_of_time()) < PERIOD);
        assert_eq!(first.last.unwrap().needs, 1);
        assert_eq!((first.failed_in_a_row, first.error), (0, None));
        assert_eq!(candidates(host).await, ["curl=7.88-2"]);
        // News wait for the next round, unless somebody asks for one.
        estate.publish(update("bash", "5.2-2"));
        feed.publish(advisory("CVE-2026-2", vec![hit("bash", DEBIAN, "5.2-2")]));
        let ended = first.ended_at.unwrap();
        lab.clock.sleep_until(ended.plus(PERIOD / 2)).await;
        assert_eq!((told(host).done, candidates(host).await.len()), (1, 1));
        until(&lab, host, |told| told.done == 2).await;
        assert!(lab.clock.now() >= ended.plus(PERIOD));
        assert_eq!(candidates(host).await.len(), 2);
        estate.publish(update("bash", "5.2-3"));
        feed.publish(advisory("CVE-2026-3", vec![hit("bash", DEBIAN, "5.2-3")]));
        let asked = lab.clock.now();
        rounds.now();
        until(&lab, host, |told| told.done == 3).await;
        assert!(lab.clock.now().since(asked) < Duration::from_secs(60));
        assert_eq!(candidates(host).await.len(), 3);
        let why = rounds.look(|known| known.why(&"web-1".into(), &"curl=7.88-2".into())).await.unwrap();
        assert_eq!(why.to_string(), "7.88-1 is there, which has CVE-2026-1");
    });
}

#[test]
fn a_round_that_fails_is_told_and_repeated_before_its_period() {
    let (lab, estate) = (Lab::new(1, 1), Arc::new(Estate::default()));
    estate.put("web-1", DEBIAN, &[("curl", "7.88-1")]);
    estate.publish(update("curl", "7.88-2"));
    let feed = Arc::new(FeedRecords::new("osv"));
    feed.publish(advisory("CVE-2026-1", vec![hit("curl", DEBIAN, "7.88-2")]));
    let troubled = Troubled::new(&estate);
    let rounds = Rounds::every(PERIOD, identifier(estate.clone(), &feed));
    run(&lab, troubled.clone(), &rounds, async |host| {
        until(&lab, host, |told| told.done == 1).await;
        troubled.fails.store(5, Ordering::SeqCst);
        rounds.now();
        let failed = until(&lab, host, |told| told.failed_in_a_row > 1).await;
        let error = failed.error.unwrap();
        assert!(error.starts_with("a backend failed: ") && error.ends_with("the line is cut"), "{error}");
        assert!(failed.ended_at.is_some(), "how old the knowledge is stays known");
        let since = lab.clock.now();
        let well = until(&lab, host, |told| told.done == 2).await;
        assert_eq!((well.failed_in_a_row, well.error), (0, None));
        assert!(lab.clock.now().since(since) < Duration::from_secs(60));
    });
}

#[test]
fn a_round_that_hangs_holds_nothing_up_and_is_given_up() {
    let (mut lab, estate) = (Lab::new(1, 4), Arc::new(Estate::default()));
    lab.limits.round_timeout = Duration::from_secs(30 * 86_400);
    let feed = Arc::new(FeedRecords::new("osv"));
    let troubled = Troubled::new(&estate);
    troubled.hangs.store(1, Ordering::SeqCst);
    // Its inventory never answers; the deployment of another is not held up by it.
    let other = FleetId(8);
    let rounds = Rounds::every(PERIOD, Identifier::new(other).source(estate.clone()).feed(feed));
    let (own, theirs) = (Arc::new(lab.backends()), Arc::new(Backends::new(lab.world.clone(), troubled)));
    let host = Host::builder()
        .store(lab.store.clone())
        .clock(Arc::new(lab.clock.clone()))
        .backends_of(move |fleet| Some(if fleet == other { theirs.clone() } else { own.clone() }))
        .limits(lab.limits.clone())
        .rounds(rounds)
        .build()
        .unwrap();
    let handle = host.handle();
    let script = async {
        handle.found(other, "other", 1).await.unwrap();
        lab.set_up(&handle, policy()).await;
        assert!(lab.deployed(&handle).await);
        let stats = handle.stats().rounds[&other].clone();
        assert_eq!((stats.done, stats.under_way), (0, true));
        lab.clock.sleep_until(start_of_time().plus(Duration::from_secs(31 * 86_400))).await;
        let stats = handle.stats().rounds[&other].clone();
        assert!(stats.failed >= 1 && stats.done >= 1, "{stats:?}");
    };
    assert_eq!(simulate(&lab.clock, host.run(), script, || false), End::Done(()));
}

/// What the fleet knows in the end: who needs what.
async fn known(host: &HostHandle) -> BTreeMap<String, Vec<String>> {
    let look = |fleet: &patchflow_core::fleet::Fleet| {
        let of = |one: &patchflow_core::candidate::Candidate| {
            let identified = one.identified();
            let needs =
                fleet.needs(identified.id()).map(|need| format!("{} {:?}", need.endpoint, need.standing));
            (identified.patch().id.to_string(), needs.collect())
        };
        fleet.candidates().map(of).collect()
    };
    host.with_fleet(FLEET, look).await.unwrap()
}

#[test]
fn a_round_that_is_dropped_anywhere_is_made_good_by_the_next() {
    let story = |polls: usize| {
        let (lab, estate) = (Lab::new(1, 1), Arc::new(Estate::default()));
        for i in 0..7 {
            estate.put(&format!("web-{i}"), DEBIAN, &[("curl", "7.88-1"), ("bash", "5.2-1")]);
        }
        estate.publish(update("curl", "7.88-2"));
        estate.publish(update("bash", "5.2-2"));
        let feed = Arc::new(FeedRecords::new("osv"));
        feed.publish(advisory("CVE-2026-1", vec![hit("curl", DEBIAN, "7.88-2")]));
        feed.publish(advisory("CVE-2026-2", vec![hit("bash", DEBIAN, "5.2-2")]));
        lab.run(async |host| {
            host.found(FLEET, "acme", 42).await.unwrap();
            host.request(FLEET, adopt(policy())).await.unwrap();
            let mut identifier = identifier(estate.clone(), &feed);
            let mut left = polls;
            let was_whole = {
                let mut round = pin!(identifier.round(host, &*estate));
                poll_fn(|cx| match round.as_mut().poll(cx) {
                    Poll::Ready(done) => Poll::Ready(done.is_ok()),
                    Poll::Pending if left == 0 => Poll::Ready(false),
                    Poll::Pending => {
                        left -= 1;
                        Poll::Pending
                    }
                })
                .await
            };
            identifier.round(host, &*estate).await.unwrap();
            (was_whole, known(host).await)
        })
    };
    let (_, whole) = story(usize::MAX);
    assert_eq!(whole.len(), 2);
    let mut cut = 0;
    for polls in 0.. {
        let (was_whole, found) = story(polls);
        assert_eq!(found, whole, "dropped after {polls} polls");
        if was_whole {
            break;
        }
        cut += 1;
    }
    assert!(cut > 8, "{cut} places");
}

#[test]
fn rounds_that_would_be_in_each_others_way_are_refused() {
    let build = |rounds: Vec<Rounds>| {
        let lab = Lab::new(1, 1);
        let all = rounds.into_iter().fold(Host::builder(), |host, rounds| host.rounds(rounds));
        let backends = Arc::new(lab.backends());
        let all = all.store(lab.store.clone()).clock(Arc::new(lab.clock.clone()));
        all.backends_of(move |_| Some(backends.clone())).build().map(drop)
    };
    let rounds = |period| Rounds::every(period, Identifier::new(FLEET));
    assert!(build(vec![rounds(PERIOD)]).is_ok());
    assert!(matches!(build(vec![rounds(PERIOD), rounds(PERIOD)]), Err(BuildError::RoundsTwice(FLEET))));
    assert!(matches!(build(vec![rounds(Duration::from_millis(5))]), Err(BuildError::RoundsTooOften(FLEET))));
}
