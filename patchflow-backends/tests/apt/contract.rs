//! The suite for installers over real dpkg and apt.

use crate::fixture::trial;
use async_trait::async_trait;
use libtest_mimic::Trial;
use patchflow_backends::apt::{AptBackend, AptHost, AptSource};
use patchflow_backends::clock::SystemClock;
use patchflow_backends::local::LocalInstaller;
use patchflow_core::ids::EndpointId;
use patchflow_core::plan::RollbackPath;
use patchflow_core::sdk::{BackendError, Clock, Installer, Inventory};
use patchflow_testkit::conformance::installer::{InstallerBuilder, Stall, World, check, clauses};
use patchflow_testkit::lab::apt::{AptLab, HostSpec, LabSpec, PackageSpec, Suite};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("apt_keeps_the_clauses_about_orders", orders),
        trial("apt_keeps_the_clauses_about_operations", operations),
        trial("apt_keeps_the_clauses_about_staging", staging),
        trial("apt_keeps_the_clauses_about_inventories", inventory),
    ]
}

/// Laboratories, by the name of the place; hosts of each.
struct Labs {
    dir: TempDir,
    clock: Arc<SystemClock>,
}

const HOSTS: [&str; 3] = ["apt-1", "apt-2", "apt-3"];

impl Labs {
    fn make(&self, place: &str) -> AptLab {
        let dir = self.dir.path().join(place);
        if dir.exists() {
            return AptLab::open(dir).unwrap();
        }
        let newer = |name| PackageSpec::new(name, "1.1-1").suite(Suite::Security);
        let packages = vec![
            PackageSpec::new("lab-uses", "1.0-1"),
            PackageSpec::new("lab-lib", "1.0-1"),
            newer("lab-uses").depends("lab-lib (>= 1.1)"),
            newer("lab-lib"),
        ];
        let installed = [("lab-uses", "1.0-1"), ("lab-lib", "1.0-1")];
        let hosts = HOSTS.map(|id| HostSpec::new(id, installed)).into();
        AptLab::create(dir, &LabSpec { packages, hosts, signed: false }).unwrap()
    }
}

/// An archive that is out of reach until this is dropped.
struct Hidden(PathBuf);

impl Drop for Hidden {
    fn drop(&mut self) {
        fs::rename(self.0.join("hidden"), self.0.join("repo")).unwrap();
    }
}

#[async_trait]
impl InstallerBuilder for Labs {
    async fn build(&self, place: &str) -> Result<World, BackendError> {
        let lab = self.make(place);
        let hosts = lab.hosts().unwrap().into_iter().map(|there| {
            let state = there.dir().join("state");
            let mut host = AptHost::isolated(there.id(), there.root(), there.env(), state);
            host.refresh = false;
            host
        });
        let hosts: Vec<_> = hosts.collect();
        // What the lists say that are there already.
        let offered = AptSource::new(hosts.clone()).read()?.0;
        let is_it = |patch: &patchflow_core::catalog::Patch| patch.id.as_str() == "lab-uses=1.1-1";
        let patch = offered.into_iter().find(is_it).unwrap();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let installer = Arc::new(LocalInstaller::new(AptBackend::new(hosts), clock).unwrap());
        Ok(World {
            installer: Arc::clone(&installer) as Arc<dyn Installer>,
            inventory: installer as Arc<dyn Inventory>,
            endpoints: HOSTS.map(EndpointId::from).into(),
            patch,
            prior: "1.0-1".into(),
            path: RollbackPath::Reinstall,
            now: self.clock.now(),
        })
    }

    async fn patience(&self) {
        self.clock.sleep_until(self.clock.now().plus(Duration::from_secs(10))).await;
    }

    fn withhold(&self, place: &str) -> Option<Stall> {
        let lab = self.dir.path().join(place);
        fs::rename(lab.join("repo"), lab.join("hidden")).unwrap();
        Some(Box::new(Hidden(lab)))
    }

    fn damage(&self, place: &str, endpoint: &EndpointId) -> bool {
        let state = self.dir.path().join(place).join("hosts").join(endpoint.as_str()).join("state");
        let folders = fs::read_dir(state.join("staged-packages")).unwrap().map(|entry| entry.unwrap().path());
        let files = folders.filter(|path| path.is_dir()).flat_map(|folder| fs::read_dir(folder).unwrap());
        let paths = files.map(|entry| entry.unwrap().path());
        let mut libraries = paths.filter(|path| path.to_string_lossy().contains("lab-lib_1.1-1_all.deb"));
        libraries.next().is_some_and(|path| fs::write(path, "other").is_ok())
    }
}

/// Some clauses, each in a laboratory of its own. There are several such trials, so that they go side by side.
fn keeps(letter: char, numbers: std::ops::RangeInclusive<u32>, left_out: &[&str]) {
    let dir = tempfile::Builder::new().prefix("pf-apt-").tempdir().unwrap();
    let labs = Labs { dir, clock: Arc::new(SystemClock::new().unwrap()) };
    let mut skipped = Vec::new();
    for number in numbers {
        let report = pollster::block_on(check(&format!("{letter}{number}"), &labs));
        report.assert();
        assert_eq!(report.checked.len(), 1, "{letter}{number}");
        skipped.extend(report.skipped.iter().map(|(clause, _)| clause.number));
    }
    assert_eq!(skipped, left_out);
}

fn orders() {
    keeps('I', 1..=14, &[]);
}

/// The builder keeps no operation at work.
fn operations() {
    keeps('I', 15..=27, &["I18", "I19", "I20", "I21"]);
}

fn staging() {
    keeps('I', 28..=35, &[]);
    let last = clauses().filter(|clause| clause.number.starts_with('I')).last();
    assert_eq!(last.map(|clause| clause.number), Some("I35"), "a new one belongs into one of these trials");
}

fn inventory() {
    keeps('V', 1..=9, &[]);
}
