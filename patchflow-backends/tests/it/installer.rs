//! The installer suite over the artifact backend: its runtime, its directories, its inventory.

use async_trait::async_trait;
use patchflow_backends::artifact::{ArtifactBackend, ArtifactFile, HostFile, Publisher, Release, Repository};
use patchflow_backends::clock::SystemClock;
use patchflow_backends::local::{LocalInstaller, LocalOptions};
use patchflow_core::ids::EndpointId;
use patchflow_core::plan::RollbackPath;
use patchflow_core::sdk::{BackendError, Clock, Installer, Inventory};
use patchflow_testkit::conformance::installer::{InstallerBuilder, Stall, World, check_all, clauses};
use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Which hosts' switches are kept from their end, by place and host.
type Gates = Arc<(Mutex<BTreeSet<(String, EndpointId)>>, Condvar)>;

struct Hosts {
    dir: tempfile::TempDir,
    clock: Arc<SystemClock>,
    gates: Gates,
    reboots: bool,
}

impl Hosts {
    fn new(reboots: bool) -> Self {
        let clock = Arc::new(SystemClock::new().unwrap());
        Self { dir: tempfile::tempdir().unwrap(), clock, gates: Arc::default(), reboots }
    }
}

fn failed(doing: &'static str) -> impl Fn(std::io::Error) -> BackendError {
    move |error| BackendError::lasting(doing).because(error)
}

fn files(version: &str) -> [ArtifactFile; 2] {
    [ArtifactFile::new("bin/shop", format!("#!shop {version}")), ArtifactFile::new("version", version)]
}

/// A repository that is out of reach until this is dropped.
struct Hidden(std::path::PathBuf);

impl Drop for Hidden {
    fn drop(&mut self) {
        std::fs::rename(self.0.join("hidden"), self.0.join("repository")).unwrap();
    }
}

#[async_trait]
impl InstallerBuilder for Hosts {
    async fn build(&self, place: &str) -> Result<World, BackendError> {
        let dir = self.dir.path().join(place);
        let is_new = !dir.exists();
        // After a restart it may still be out of reach.
        let (reached, hidden) = (dir.join("repository"), dir.join("hidden"));
        let place_now = if hidden.exists() { hidden } else { reached.clone() };
        let publisher = Publisher::open(place_now).map_err(failed("make a repository"))?;
        let endpoints = ["web-1", "web-2", "web-3"].map(EndpointId::from).to_vec();
        let release = |version| publisher.publish(Release::new("shop", version), &files(version));
        release("1.0").unwrap();
        let patch = release("1.1").unwrap().to_patch("lab");

        let mut backend = ArtifactBackend::new(dir.join("hosts"), Repository::open(reached));
        for host in endpoints.iter().filter(|_| is_new) {
            backend.add_host(host, &HostFile::default()).map_err(failed("make a host"))?;
            backend
                .seed(host, "shop", "1.0")
                .map_err(|failure| BackendError::lasting(failure.to_string()))?;
        }
        let (gates, key) = (Arc::clone(&self.gates), place.to_owned());
        backend = backend.after_switch(move |switched| {
            let key = (key.clone(), switched.endpoint.clone());
            let mut closed = gates.0.lock().unwrap();
            while closed.contains(&key) {
                closed = gates.1.wait(closed).unwrap();
            }
            Ok(())
        });
        if self.reboots {
            backend = backend.on_reboot(|_| Ok(()));
        }
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let options = LocalOptions { operations_max: 2, reads_max: 1 };
        let installer =
            LocalInstaller::with_options(backend, clock, options).map_err(failed("start threads"))?;
        let installer = Arc::new(installer);
        Ok(World {
            installer: Arc::clone(&installer) as Arc<dyn Installer>,
            inventory: installer as Arc<dyn Inventory>,
            endpoints,
            patch,
            prior: "1.0".into(),
            path: RollbackPath::Switch,
            now: self.clock.now(),
        })
    }

    async fn patience(&self) {
        // Only what fails waits as long as this, and I20, which waits for what must not come.
        self.clock.sleep_until(self.clock.now().plus(Duration::from_secs(5))).await;
    }

    fn stall(&self, place: &str, endpoint: &EndpointId) -> Option<Stall> {
        struct Open(Gates, (String, EndpointId));
        impl Drop for Open {
            fn drop(&mut self) {
                self.0.0.lock().unwrap().remove(&self.1);
                self.0.1.notify_all();
            }
        }
        let key = (place.to_owned(), endpoint.clone());
        self.gates.0.lock().unwrap().insert(key.clone());
        Some(Box::new(Open(Arc::clone(&self.gates), key)))
    }

    fn withhold(&self, place: &str) -> Option<Stall> {
        let dir = self.dir.path().join(place);
        std::fs::rename(dir.join("repository"), dir.join("hidden")).unwrap();
        Some(Box::new(Hidden(dir)))
    }

    fn damage(&self, place: &str, endpoint: &EndpointId) -> bool {
        let staged = self.dir.path().join(place).join("hosts").join(endpoint.as_str()).join("staged");
        let files = std::fs::read_dir(staged).unwrap().map(|entry| entry.unwrap().path());
        let mut archives = files.filter(|path| path.extension().is_some_and(|end| end == "gz"));
        let archive = archives.next().unwrap();
        let mut bytes = std::fs::read(&archive).unwrap();
        bytes[20] ^= 1;
        std::fs::write(archive, bytes).unwrap();
        true
    }
}

#[test]
fn artifact_hosts_keep_every_clause() {
    let report = pollster::block_on(check_all(&Hosts::new(false)));
    report.assert();
    assert_eq!(report.checked.len(), clauses().count());
    assert!(report.skipped.is_empty(), "{report}");
}

#[test]
fn artifact_hosts_that_reboot_keep_the_clause_about_it() {
    let hosts = Hosts::new(true);
    pollster::block_on(patchflow_testkit::conformance::installer::check("I27", &hosts)).assert();
}
