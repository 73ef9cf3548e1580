//! The runtime's rules, tested with jobs whose work is a closure: what begins, what does not, what is remembered.

use super::desk::Desk;
use super::job::Job;
use super::ledger::Want;
use super::{LocalBackend, LocalInstaller, LocalOptions, Recovery};
use async_trait::async_trait;
use patchflow_core::catalog::Target;
use patchflow_core::ids::{EndpointId, Fence, FleetId, Generation, MemberIx, OrderId, RolloutId};
use patchflow_core::inventory::{EndpointRecord, Environment};
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{
    Failure, InstallOrder, Level, QueryAnswer, RebootOrder, RecallAnswer, Report, ReportKind, RevertOrder,
};
use patchflow_core::sdk::{Clock, FailureKind, Installer, InstallerCapabilities, Inventory, Receipt};
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[derive(Default)]
struct HandClock(AtomicI64);

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, _: Timestamp) {}
}

/// A package manager with one package, whose operations are the jobs' closures.
struct Toy {
    root: PathBuf,
    versions: Mutex<BTreeMap<EndpointId, String>>,
    after_crash: Mutex<Recovery>,
    holds: Mutex<Vec<(EndpointId, bool)>>,
}

impl LocalBackend for Toy {
    fn name(&self) -> &str {
        "toy"
    }

    fn capabilities(&self) -> InstallerCapabilities {
        InstallerCapabilities { paths: vec![RollbackPath::Reinstall], ..InstallerCapabilities::default() }
    }

    fn endpoints(&self) -> Vec<EndpointId> {
        self.versions.lock().unwrap().keys().cloned().collect()
    }

    fn state_dir(&self, endpoint: &EndpointId) -> Option<PathBuf> {
        self.versions.lock().unwrap().contains_key(endpoint).then(|| self.root.join(endpoint.as_str()))
    }

    fn record(&self, endpoint: &EndpointId, now: Timestamp) -> Result<EndpointRecord, Failure<'static>> {
        let version = self.versions.lock().unwrap()[endpoint].clone();
        if version == "unreadable" {
            return Err(Failure::new(FailureKind::Broken, "no database"));
        }
        Ok(EndpointRecord {
            os: version,
            ..EndpointRecord::new(endpoint.clone(), Environment::Production, now)
        })
    }

    fn level(&self, endpoint: &EndpointId, _: &Target) -> Level<'static> {
        Level::Version { version: self.versions.lock().unwrap()[endpoint].clone().into(), intact: true }
    }

    fn reboot_required(&self, _: &EndpointId) -> bool {
        false
    }

    fn preflight(&self, _: &InstallOrder) -> Result<RollbackPath, Failure<'static>> {
        Ok(RollbackPath::Reinstall)
    }

    fn install(&self, _: &InstallOrder) -> Result<(), Failure<'static>> {
        Ok(())
    }

    fn revert(&self, _: &RevertOrder) -> Result<(), Failure<'static>> {
        Ok(())
    }

    fn reboot(&self, _: &RebootOrder) -> Result<(), Failure<'static>> {
        Ok(())
    }

    fn recover(&self, _: &EndpointId) -> Recovery {
        self.after_crash.lock().unwrap().clone()
    }

    fn set_hold(&self, endpoint: &EndpointId, _: &PackageName, held: bool) -> Result<(), Failure<'static>> {
        self.holds.lock().unwrap().push((endpoint.clone(), held));
        Ok(())
    }
}

struct World {
    dir: tempfile::TempDir,
    clock: Arc<HandClock>,
}

impl World {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::default() }
    }

    /// A process: a second one on the same world is what comes after a restart.
    fn process(&self, versions: &[(&str, &str)], operations_max: usize) -> LocalInstaller<Toy> {
        let toy = Toy {
            root: self.dir.path().to_owned(),
            versions: Mutex::new(versions.iter().map(|(e, v)| ((*e).into(), (*v).to_owned())).collect()),
            after_crash: Mutex::new(Recovery::Whole),
            holds: Mutex::default(),
        };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        LocalInstaller::with_options(toy, clock, LocalOptions { operations_max, reads_max: 1 }).unwrap()
    }

    fn ledger(&self, endpoint: &str) -> PathBuf {
        self.dir.path().join(endpoint).join("ledger.json")
    }
}

fn id(n: u32) -> OrderId {
    let (fleet, generation, rollout) = (FleetId(1), Generation(0), RolloutId(1));
    OrderId { fleet, generation, rollout, member: MemberIx(n), operation: 1 }
}

fn job(
    n: u32,
    fence: u32,
    endpoint: &str,
    run: impl FnOnce() -> Result<(), Failure<'static>> + Send + 'static,
) -> Job {
    let want = Want::Version { package: PackageName::new(Ecosystem::Other, "toy"), version: "2".into() };
    let (fence, endpoint, start_by) = (Fence(fence), endpoint.into(), Timestamp::from_secs(100));
    Job { id: id(n), fence, endpoint, start_by, want, run: Box::new(move |_| run()) }
}

/// Work that says when it has begun and ends when it is let.
fn gated() -> (impl FnOnce() -> Result<(), Failure<'static>> + Send, Receiver<()>, Sender<()>) {
    let (began, has_begun) = channel();
    let (end, may_end) = channel::<()>();
    let work = move || {
        began.send(()).unwrap();
        // An error is a let too: the test is over.
        let _ = may_end.recv();
        Ok(())
    };
    (work, has_begun, end)
}

fn submit(installer: &LocalInstaller<Toy>, job: Job) -> Receipt {
    block_on(installer.submit_jobs(vec![job])).pop().unwrap()
}

fn query(installer: &LocalInstaller<Toy>, n: u32, endpoint: &str) -> Option<QueryAnswer<'static>> {
    block_on(installer.query(&[(id(n), endpoint.into())])).unwrap().pop().map(|(_, answer)| answer)
}

/// Reports until the order has ended.
fn ended(installer: &LocalInstaller<Toy>, n: u32) -> Vec<ReportKind<'static>> {
    let mut kinds = Vec::new();
    while !kinds.iter().any(|kind| *kind != ReportKind::Acknowledged) {
        let reports: Vec<Report<'_>> = block_on(installer.reports()).unwrap();
        kinds.extend(reports.into_iter().filter(|report| report.order == id(n)).map(|report| report.kind));
    }
    kinds
}

fn refusal(receipt: Receipt) -> FailureKind {
    match receipt {
        Receipt::Refused(_, failure) => failure.kind,
        Receipt::Taken(id) => panic!("{id} was taken"),
    }
}

#[test]
fn an_order_is_acknowledged_done_and_remembered() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 1);
    assert_eq!(query(&installer, 1, "a"), Some(QueryAnswer::NeverSeen));
    assert_eq!(submit(&installer, job(1, 1, "a", || Ok(()))), Receipt::Taken(id(1)));
    assert_eq!(ended(&installer, 1), [ReportKind::Acknowledged, ReportKind::Done]);
    assert_eq!(query(&installer, 1, "a"), Some(QueryAnswer::Done));
}

#[test]
fn a_repeated_id_is_done_already() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 2);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = |fence| {
        let runs = Arc::clone(&runs);
        job(1, fence, "a", move || {
            runs.fetch_add(1, Ordering::SeqCst);
            Err(Failure::new(FailureKind::Disk, "full"))
        })
    };
    submit(&installer, counted(1));
    let first = ended(&installer, 1);
    assert_eq!(submit(&installer, counted(1)), Receipt::Taken(id(1)));
    let again = ended(&installer, 1);
    assert_eq!(first[1..], again[..], "the same outcome is told again");
    drop(installer);
    let installer = world.process(&[("a", "1")], 2);
    assert_eq!(submit(&installer, counted(1)), Receipt::Taken(id(1)));
    assert_eq!(ended(&installer, 1), again, "also by a later process");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn a_lower_fence_is_refused_by_this_process_and_the_next() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 1);
    submit(&installer, job(1, 5, "a", || Ok(())));
    ended(&installer, 1);
    assert_eq!(refusal(submit(&installer, job(2, 4, "a", || panic!("it ran")))), FailureKind::Denied);
    drop(installer);
    let installer = world.process(&[("a", "1")], 1);
    assert_eq!(refusal(submit(&installer, job(2, 4, "a", || panic!("it ran")))), FailureKind::Denied);
    assert_eq!(
        submit(&installer, job(3, 5, "a", || Ok(()))),
        Receipt::Taken(id(3)),
        "the same fence is not lower"
    );
}

#[test]
fn a_queued_order_is_overtaken_by_a_higher_fence() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 1);
    let (work, has_begun, end) = gated();
    submit(&installer, job(1, 1, "a", work));
    has_begun.recv().unwrap();
    submit(&installer, job(2, 2, "a", || panic!("it ran")));
    submit(&installer, job(3, 3, "a", || Ok(())));
    end.send(()).unwrap();
    assert!(matches!(&ended(&installer, 2)[..], [ReportKind::Failed(f)] if f.kind == FailureKind::Denied));
    assert_eq!(query(&installer, 3, "a").map(|a| a != QueryAnswer::NeverSeen), Some(true));
}

#[test]
fn nothing_starts_after_its_time() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 1);
    let (work, has_begun, end) = gated();
    submit(&installer, job(1, 1, "a", work));
    has_begun.recv().unwrap();
    submit(&installer, job(2, 2, "a", || panic!("it ran")));
    world.clock.0.store(101, Ordering::SeqCst);
    end.send(()).unwrap();
    let kinds = ended(&installer, 2);
    assert!(matches!(&kinds[..], [ReportKind::Failed(f)] if f.kind == FailureKind::Timeout), "{kinds:?}");
    assert_eq!(refusal(submit(&installer, job(3, 3, "a", || panic!("it ran")))), FailureKind::Timeout);
    world.clock.0.store(100, Ordering::SeqCst);
    submit(&installer, job(4, 4, "a", || Ok(())));
    assert_eq!(ended(&installer, 4)[1], ReportKind::Done, "the instant itself is not after it");
}

#[test]
fn one_operation_at_a_time_for_an_endpoint_and_others_beside_it() {
    let world = World::new();
    let installer = world.process(&[("a", "1"), ("b", "1")], 3);
    let (first, first_begun, end_first) = gated();
    let (second, second_begun, end_second) = gated();
    let (other, other_begun, end_other) = gated();
    submit(&installer, job(1, 1, "a", first));
    submit(&installer, job(2, 1, "a", second));
    submit(&installer, job(3, 1, "b", other));
    first_begun.recv().unwrap();
    other_begun.recv().unwrap();
    assert!(second_begun.try_recv().is_err());
    assert_eq!(query(&installer, 1, "a"), Some(QueryAnswer::Running));
    assert_eq!(query(&installer, 2, "a"), Some(QueryAnswer::Queued));
    end_first.send(()).unwrap();
    second_begun.recv().unwrap();
    drop((end_second, end_other));
}

#[test]
fn a_recall_stops_what_has_not_begun() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 1);
    let (work, has_begun, end) = gated();
    submit(&installer, job(1, 1, "a", work));
    has_begun.recv().unwrap();
    submit(&installer, job(2, 2, "a", || panic!("it ran")));
    let answers: BTreeMap<_, _> =
        block_on(installer.recall(&[id(1), id(2), id(9)])).unwrap().into_iter().collect();
    let expected = [
        (id(1), RecallAnswer::AlreadyStarted),
        (id(2), RecallAnswer::Recalled),
        (id(9), RecallAnswer::Unknown),
    ];
    assert_eq!(answers, expected.into());
    end.send(()).unwrap();
    assert_eq!(ended(&installer, 1)[1], ReportKind::Done);
    drop(installer);
    let installer = world.process(&[("a", "1")], 1);
    submit(&installer, job(2, 2, "a", || panic!("it ran")));
    assert!(matches!(&ended(&installer, 2)[..], [ReportKind::Failed(f)] if f.kind == FailureKind::Stopped));
    assert_eq!(block_on(installer.recall(&[id(1)])).unwrap(), [(id(1), RecallAnswer::AlreadyStarted)]);
}

/// Leaves the ledger as a killed process would: the operation has begun, and nobody is left to end it.
fn killed_while_running(world: &World) {
    let installer = world.process(&[("a", "1")], 1);
    let (work, has_begun, end) = gated();
    submit(&installer, job(1, 1, "a", work));
    has_begun.recv().unwrap();
    let running = std::fs::read(world.ledger("a")).unwrap();
    drop(end);
    installer.shutdown();
    std::fs::write(world.ledger("a"), running).unwrap();
}

#[test]
fn after_a_kill_the_level_tells_what_became_of_it() {
    for (found, done) in [("2", true), ("1", false)] {
        let world = World::new();
        killed_while_running(&world);
        let installer = world.process(&[("a", found)], 1);
        let answer = query(&installer, 1, "a").unwrap();
        match &answer {
            QueryAnswer::Done => assert!(done),
            QueryAnswer::Failed(failure) => {
                assert!(!done && failure.kind == FailureKind::Interrupted, "{failure}")
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(query(&installer, 1, "a"), Some(answer), "and it stays so");
    }
}

#[test]
fn after_a_kill_what_still_runs_is_running_and_what_is_broken_failed() {
    let world = World::new();
    killed_while_running(&world);
    let installer = world.process(&[("a", "2")], 1);
    *installer.backend().after_crash.lock().unwrap() = Recovery::StillRunning;
    assert_eq!(query(&installer, 1, "a"), Some(QueryAnswer::Running));
    submit(&installer, job(2, 2, "a", || panic!("it ran beside the other")));
    assert!(matches!(&ended(&installer, 2)[..], [ReportKind::Failed(f)] if f.kind == FailureKind::Busy));
    let broken = Failure::new(FailureKind::Broken, "half installed");
    *installer.backend().after_crash.lock().unwrap() = Recovery::Broken(broken.clone());
    assert_eq!(query(&installer, 1, "a"), Some(QueryAnswer::Failed(broken)));
}

#[test]
fn what_outlived_its_host_is_reported_when_it_ends() {
    let world = World::new();
    killed_while_running(&world);
    let installer = world.process(&[("a", "2")], 1);
    *installer.backend().after_crash.lock().unwrap() = Recovery::StillRunning;
    assert_eq!(query(&installer, 1, "a"), Some(QueryAnswer::Running));
    *installer.backend().after_crash.lock().unwrap() = Recovery::Whole;
    assert_eq!(ended(&installer, 1), [ReportKind::Done], "without being asked again");
}

#[test]
fn after_a_kill_the_next_order_waits_for_the_recovery() {
    let world = World::new();
    killed_while_running(&world);
    let installer = world.process(&[("a", "2")], 1);
    submit(&installer, job(2, 2, "a", || Ok(())));
    assert_eq!(ended(&installer, 2), [ReportKind::Acknowledged, ReportKind::Done]);
    assert_eq!(query(&installer, 1, "a"), Some(QueryAnswer::Done));
}

#[test]
fn after_a_kill_the_same_order_again_is_recovered_not_repeated() {
    let world = World::new();
    killed_while_running(&world);
    let installer = world.process(&[("a", "2")], 1);
    assert_eq!(submit(&installer, job(1, 1, "a", || panic!("it ran twice"))), Receipt::Taken(id(1)));
    assert_eq!(ended(&installer, 1), [ReportKind::Done]);
}

#[test]
fn what_was_queued_when_the_process_ended_was_never_seen() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 1);
    let (work, has_begun, end) = gated();
    submit(&installer, job(1, 1, "a", work));
    has_begun.recv().unwrap();
    submit(&installer, job(2, 2, "a", || panic!("it ran")));
    drop(end);
    installer.shutdown();
    assert!(block_on(installer.submit_jobs(vec![job(3, 3, "a", || Ok(()))])).is_empty(), "closed");
    let installer = world.process(&[("a", "1")], 1);
    assert_eq!(query(&installer, 1, "a"), Some(QueryAnswer::Done));
    assert_eq!(query(&installer, 2, "a"), Some(QueryAnswer::NeverSeen));
    submit(&installer, job(2, 2, "a", || Ok(())));
    assert_eq!(ended(&installer, 2)[1], ReportKind::Done);
}

#[test]
fn a_second_process_on_the_same_endpoint_is_kept_away() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 1);
    let (work, has_begun, end) = gated();
    submit(&installer, job(1, 1, "a", work));
    has_begun.recv().unwrap();
    let second = world.process(&[("a", "1")], 1);
    assert_eq!(query(&second, 1, "a"), Some(QueryAnswer::Running));
    assert_eq!(query(&second, 2, "a"), None, "it cannot know what the other has queued");
    assert_eq!(refusal(submit(&second, job(2, 2, "a", || panic!("it ran")))), FailureKind::Busy);
    end.send(()).unwrap();
    ended(&installer, 1);
    installer.shutdown();
    submit(&second, job(2, 2, "a", || Ok(())));
    assert_eq!(ended(&second, 2)[1], ReportKind::Done);
}

#[test]
fn a_ledger_that_cannot_be_read_is_a_failure_and_never_an_empty_one() {
    let other = r#"{"version":1,"endpoint":"b","fence":0,"orders":[]}"#;
    let newer = r#"{"version":2,"endpoint":"a","fence":0,"orders":[]}"#;
    for text in ["", "{", "[]", "\u{0}", other, newer] {
        let world = World::new();
        let installer = world.process(&[("a", "1")], 1);
        std::fs::create_dir_all(world.ledger("a").parent().unwrap()).unwrap();
        std::fs::write(world.ledger("a"), text).unwrap();
        assert_eq!(refusal(submit(&installer, job(1, 1, "a", || panic!("it ran")))), FailureKind::Broken);
        let answer = query(&installer, 1, "a");
        assert!(
            matches!(&answer, Some(QueryAnswer::Failed(f)) if f.kind == FailureKind::Broken),
            "{answer:?}"
        );
    }
}

#[test]
fn a_ledger_that_cannot_be_written_keeps_the_operation_from_beginning() {
    let world = World::new();
    // A directory stands where the new ledger would be written: this fails for root, too.
    std::fs::create_dir_all(world.dir.path().join("a/ledger.new")).unwrap();
    let installer = world.process(&[("a", "1")], 1);
    submit(&installer, job(1, 1, "a", || panic!("it ran")));
    let kinds = ended(&installer, 1);
    assert!(
        matches!(&kinds[..], [ReportKind::Failed(f)] if f.detail.contains("cannot be written")),
        "{kinds:?}"
    );
    assert!(matches!(query(&installer, 1, "a"), Some(QueryAnswer::Failed(_))), "remembered in memory");
}

#[test]
fn an_unknown_endpoint_is_refused_and_not_answered_for() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 1);
    assert_eq!(
        refusal(submit(&installer, job(1, 1, "nowhere", || panic!("it ran")))),
        FailureKind::Unsupported
    );
    assert_eq!(query(&installer, 1, "nowhere"), None);
    let package = PackageName::new(Ecosystem::Other, "toy");
    let failure = block_on(installer.set_hold(&"nowhere".into(), &package, true)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unsupported);
    assert!(!world.dir.path().join("nowhere").exists());
}

#[test]
fn a_panic_of_the_backend_is_a_failure_of_the_order() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 1);
    submit(&installer, job(1, 1, "a", || panic!("on purpose")));
    assert!(matches!(&ended(&installer, 1)[1], ReportKind::Failed(f) if f.detail.contains("on purpose")));
    submit(&installer, job(2, 2, "a", || Ok(())));
    assert_eq!(ended(&installer, 2)[1], ReportKind::Done, "the worker lives on");
}

#[test]
fn a_dropped_wait_for_reports_loses_none() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 1);
    let (work, has_begun, end) = gated();
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting = Box::pin(Installer::reports(&installer));
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    submit(&installer, job(1, 1, "a", work));
    has_begun.recv().unwrap();
    drop(waiting);
    end.send(()).unwrap();
    assert_eq!(ended(&installer, 1), [ReportKind::Acknowledged, ReportKind::Done]);
}

#[test]
fn a_hold_waits_for_its_turn() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 2);
    let (work, has_begun, end) = gated();
    submit(&installer, job(1, 1, "a", work));
    has_begun.recv().unwrap();
    let package = PackageName::new(Ecosystem::Other, "toy");
    let endpoint = "a".into();
    let mut hold = Box::pin(installer.set_hold(&endpoint, &package, true));
    assert!(hold.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(installer.backend().holds.lock().unwrap().is_empty());
    end.send(()).unwrap();
    block_on(hold).unwrap();
    assert_eq!(*installer.backend().holds.lock().unwrap(), [("a".into(), true)]);
}

#[test]
fn the_ledger_is_bounded_and_forgets_what_ended_first() {
    let world = World::new();
    let installer = world.process(&[("a", "1")], 1);
    for n in 1..=70 {
        submit(&installer, job(n, n, "a", || Ok(())));
        ended(&installer, n);
    }
    assert_eq!(query(&installer, 70, "a"), Some(QueryAnswer::Done));
    assert_eq!(query(&installer, 6, "a"), Some(QueryAnswer::NeverSeen));
    assert_eq!(refusal(submit(&installer, job(6, 6, "a", || panic!("again")))), FailureKind::Denied);
    assert!(std::fs::metadata(world.ledger("a")).unwrap().len() < 64 * 1024);
}

#[test]
fn pages_show_everything_once_and_then_what_changed() {
    let world = World::new();
    let installer = world.process(&[("a", "1"), ("b", "1"), ("c", "unreadable"), ("d:x", "1")], 1);
    let mut cursor = None;
    let mut page = |limit| {
        let page = block_on(installer.page(cursor.as_ref(), limit)).unwrap();
        let ids: Vec<_> = page.items.iter().map(|record| record.id.to_string()).collect();
        let before = cursor.replace(page.next);
        (ids.join(" "), page.more, before)
    };
    assert_eq!(page(2).0, "a b");
    let (ids, more, middle) = page(2);
    assert_eq!((ids.as_str(), more), ("d:x", false));
    assert_eq!(page(2).0, "");
    installer.backend().versions.lock().unwrap().insert("b".into(), "2".into());
    installer.backend().versions.lock().unwrap().insert("c".into(), "1".into());
    assert_eq!((page(9).0.as_str(), page(9).0.as_str()), ("b c", ""));
    let again = block_on(installer.page(middle.as_ref(), 9)).unwrap();
    assert_eq!(again.items.len(), 2, "a cursor can be used again: c and d:x");
    let stranger = world.process(&[("a", "1")], 1);
    assert_eq!(
        block_on(stranger.page(cursor.as_ref(), 9)).unwrap().items.len(),
        1,
        "another process starts anew"
    );
}

#[test]
fn the_runtime_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<LocalInstaller<Toy>>();
    shared::<Desk>();
}
