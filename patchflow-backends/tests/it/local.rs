//! The local runtime under real orders, from a small real fleet: what the unit tests' closures cannot show.

use patchflow_backends::artifact::{ArtifactBackend, ArtifactFile, HostFile, Publisher, Release};
use patchflow_backends::clock::SystemClock;
use patchflow_backends::local::{LocalBackend, LocalInstaller, Recovery};
use patchflow_core::catalog::{Patch, Target};
use patchflow_core::fleet::InspectOrder;
use patchflow_core::ids::EndpointId;
use patchflow_core::inventory::EndpointRecord;
use patchflow_core::package::PackageName;
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{
    Failure, InstallOrder, Level, Order, QueryAnswer, RebootOrder, ReportKind, RevertOrder,
};
use patchflow_core::sdk::{Clock, FailureKind, Installer, InstallerCapabilities, Inventory};
use patchflow_core::time::Timestamp;
use patchflow_testkit::orders::FleetDesk;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// A directory with a repository (shop 1.0 and 1.1) and one host that has 1.0.
struct Site {
    dir: PathBuf,
    clock: Arc<SystemClock>,
    patch: Patch,
}

const HOST: &str = "web-1";

impl Site {
    fn at(dir: &Path) -> Self {
        let publisher = Publisher::open(dir.join("repository")).unwrap();
        let release = |version: &str| {
            publisher
                .publish(Release::new("shop", version), &[ArtifactFile::new("version", version)])
                .unwrap()
        };
        release("1.0");
        let patch = release("1.1").to_patch("lab");
        let site = Self { dir: dir.to_owned(), clock: Arc::new(SystemClock::new().unwrap()), patch };
        if !dir.join("hosts").exists() {
            let backend = site.backend();
            backend.add_host(&HOST.into(), &HostFile::default()).unwrap();
            backend.seed(&HOST.into(), "shop", "1.0").unwrap();
        }
        site
    }

    fn backend(&self) -> ArtifactBackend {
        let repository = patchflow_backends::artifact::Repository::open(self.dir.join("repository"));
        ArtifactBackend::new(self.dir.join("hosts"), repository)
    }

    fn installer(&self, backend: ArtifactBackend) -> LocalInstaller<ArtifactBackend> {
        LocalInstaller::new(backend, Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap()
    }

    /// The same order in every process: a fleet decides alike, and its orders name no process.
    fn order(&self) -> Order {
        // The time is of the first process, so that a later one makes the very same fleet.
        let file = self.dir.join("began");
        let now = match fs::read_to_string(&file) {
            Ok(text) => text.parse().unwrap(),
            Err(_) => {
                let now = self.clock.now();
                fs::write(&file, now.to_string()).unwrap();
                now
            }
        };
        let endpoints = [EndpointId::from(HOST)];
        let mut desk =
            FleetDesk::new(&self.patch, &endpoints, Some("1.0"), RollbackPath::Switch, now).unwrap();
        desk.install(&endpoints[0]).unwrap()
    }

    fn app(&self) -> PathBuf {
        self.dir.join("hosts").join(HOST).join("apps/shop")
    }
}

fn ended(installer: &dyn Installer) -> ReportKind<'static> {
    loop {
        for report in pollster::block_on(installer.reports()).unwrap() {
            if report.kind != ReportKind::Acknowledged {
                return report.kind;
            }
        }
    }
}

fn level(installer: &LocalInstaller<ArtifactBackend>, order: &Order, patch: &Patch) -> Level<'static> {
    let target = patch.target.clone().into();
    let look = InspectOrder { order: order.id(), endpoint: HOST.into(), target, reverting_to: None };
    pollster::block_on(installer.inspect(&[look])).remove(0).level
}

#[test]
fn an_install_that_lies_is_seen_by_the_inventory() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::at(dir.path());
    let pointer = site.app().join("current");
    // Something sets the version back behind the installer's back, and the installer reports success.
    let backend = site.backend().after_switch(move |_| {
        fs::write(&pointer, "1.0\n").unwrap();
        Ok(())
    });
    let (installer, order) = (site.installer(backend), site.order());
    pollster::block_on(installer.submit(std::slice::from_ref(&order))).unwrap();
    assert_eq!(ended(&installer), ReportKind::Done);
    assert_eq!(
        level(&installer, &order, &site.patch),
        Level::Version { version: "1.0".into(), intact: true }
    );
}

#[test]
fn an_order_whose_way_back_is_gone_is_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::at(dir.path());
    fs::write(site.app().join("versions/1.0/version"), "damaged").unwrap();
    let (installer, order) = (site.installer(site.backend()), site.order());
    let Order::Install(install) = &order else { panic!("{order:?}") };
    let look = pollster::block_on(installer.preflight(std::slice::from_ref(install))).remove(0);
    assert_eq!(look.obstacle.map(|failure| failure.kind), Some(FailureKind::NoRollbackPath));
    pollster::block_on(installer.submit(std::slice::from_ref(&order))).unwrap();
    let end = ended(&installer);
    assert!(matches!(&end, ReportKind::Failed(f) if f.kind == FailureKind::NoRollbackPath), "{end:?}");
    assert!(!site.app().join("versions/1.1").exists(), "nothing was unpacked");
}

/// Where a process is killed.
const STALLS: [&str; 2] = ["before", "after"];

/// Says that it has come so far, and goes no further.
fn hang() -> ! {
    // Past the harness's capture, which only takes the print macros.
    std::io::stderr().write_all(b"stalled\n").unwrap();
    loop {
        std::thread::park();
    }
}

/// An artifact backend that comes to a stop half-way through its unpacking.
struct HalfWay(ArtifactBackend, PathBuf);

impl LocalBackend for HalfWay {
    fn install(&self, _: &InstallOrder) -> Result<(), Failure<'static>> {
        fs::create_dir_all(self.1.join("staging/files")).unwrap();
        fs::write(self.1.join("staging/files/version"), "1.").unwrap();
        hang()
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn capabilities(&self) -> InstallerCapabilities {
        self.0.capabilities()
    }

    fn endpoints(&self) -> Vec<EndpointId> {
        self.0.endpoints()
    }

    fn state_dir(&self, endpoint: &EndpointId) -> Option<PathBuf> {
        self.0.state_dir(endpoint)
    }

    fn record(&self, endpoint: &EndpointId, now: Timestamp) -> Result<EndpointRecord, Failure<'static>> {
        self.0.record(endpoint, now)
    }

    fn level(&self, endpoint: &EndpointId, target: &Target) -> Level<'static> {
        self.0.level(endpoint, target)
    }

    fn reboot_required(&self, endpoint: &EndpointId) -> bool {
        self.0.reboot_required(endpoint)
    }

    fn preflight(&self, order: &InstallOrder) -> Result<RollbackPath, Failure<'static>> {
        self.0.preflight(order)
    }

    fn revert(&self, order: &RevertOrder) -> Result<(), Failure<'static>> {
        self.0.revert(order)
    }

    fn reboot(&self, order: &RebootOrder) -> Result<(), Failure<'static>> {
        self.0.reboot(order)
    }

    fn recover(&self, endpoint: &EndpointId) -> Recovery {
        self.0.recover(endpoint)
    }

    fn set_hold(
        &self,
        endpoint: &EndpointId,
        package: &PackageName,
        held: bool,
    ) -> Result<(), Failure<'static>> {
        self.0.set_hold(endpoint, package, held)
    }
}

/// What the process does that is killed.
fn be_killed(dir: &Path) {
    let site = Site::at(dir);
    let (clock, order) = (Arc::clone(&site.clock) as Arc<dyn Clock>, site.order());
    if std::env::var("PATCHFLOW_TEST_STALL").unwrap() == "before" {
        let installer = LocalInstaller::new(HalfWay(site.backend(), site.app()), clock).unwrap();
        pollster::block_on(installer.submit(&[order])).unwrap();
        let _ = ended(&installer);
    } else {
        let installer = site.installer(site.backend().after_switch(|_| hang()));
        pollster::block_on(installer.submit(&[order])).unwrap();
        let _ = ended(&installer);
    }
}

struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a process, and kills it where it stalls.
fn killed(dir: &Path, stall: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["local::a_killed_process_is_answered_for_by_the_next", "--exact", "--nocapture"])
        .env("PATCHFLOW_TEST_SITE", dir)
        .env("PATCHFLOW_TEST_STALL", stall)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Reaped(child);
    let said = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let mut said = said.map(Result::unwrap);
    assert!(said.any(|line| line == "stalled"), "the process ended before it was killed");
}

#[test]
fn a_killed_process_is_answered_for_by_the_next() {
    if let Some(dir) = std::env::var_os("PATCHFLOW_TEST_SITE") {
        return be_killed(Path::new(&dir));
    }
    for stall in STALLS {
        let dir = tempfile::tempdir().unwrap();
        Site::at(dir.path());
        killed(dir.path(), stall);
        let site = Site::at(dir.path());
        let (installer, order) = (site.installer(site.backend()), site.order());
        let asked = [(order.id(), HOST.into())];
        let answers = pollster::block_on(installer.query(&asked)).unwrap();
        let [(id, answer)] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(*id, order.id());
        let version = if stall == "after" {
            assert_eq!(*answer, QueryAnswer::Done, "it had switched, and its action was run again");
            "1.1"
        } else {
            assert!(
                matches!(answer, QueryAnswer::Failed(f) if f.kind == FailureKind::Interrupted),
                "{answer:?}"
            );
            "1.0"
        };
        assert_eq!(
            level(&installer, &order, &site.patch),
            Level::Version { version: version.into(), intact: true }
        );
        assert!(!site.app().join("staging").exists() && !site.app().join("switching").exists());
    }
}
