//! Endpoints with versioned artifacts: directories, on any system, without root.

use super::{PRODUCTION_CONFIG_TEXT, Parts, Place, shop_program};
use crate::error::{Result, because};
use crate::run::{Run, write_whole};
use crate::service::ServiceFiles;
use crate::story::{APPS, App, BAD, FAULT, FLAKY, HostPlan, PRODUCTION_CONFIG};
use patchflow_backends::artifact::{
    ArtifactBackend, ArtifactFile, ArtifactSource, HostFile, Publisher, Release, Switched,
};
use patchflow_backends::local::LocalInstaller;
use patchflow_core::ids::EndpointId;
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::{Clock, FailureKind};
use patchflow_core::time::Timestamp;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where each switch is noted after its action, from the host's directory.
const LOG: &str = "log/switches.log";
/// Where a restart of the service is asked for, from the host's directory.
const RESTARTS: &str = "log/shop-api.restarts";

struct ArtifactPlace {
    hosts: PathBuf,
    publisher: Publisher,
    begun_at: Timestamp,
    installer: Arc<LocalInstaller<ArtifactBackend>>,
}

pub(super) fn open(dir: &Path, run: &Run, plans: &[HostPlan], clock: Arc<dyn Clock>) -> Result<Parts> {
    let hosts = dir.join("hosts");
    fs::create_dir_all(&hosts).map_err(because("could not make the hosts"))?;
    let publisher =
        Publisher::open(dir.join("repository")).map_err(because("could not make the repository"))?;
    let ready = dir.join("hosts.ready");
    if !ready.exists() {
        // What hosts have from the beginning is no update, so it stands in a repository of its own.
        let factory =
            Publisher::open(dir.join("factory")).map_err(because("could not make the repository"))?;
        for app in &APPS {
            publish(&factory, app, app.from, run.begun_at)?;
        }
        let backend = ArtifactBackend::new(&hosts, factory.repository()).after_switch(after_switch);
        plans.iter().try_for_each(|plan| make_host(&backend, &hosts, plan))?;
        write_whole(&ready, b"")?;
    }
    let backend = ArtifactBackend::new(&hosts, publisher.repository()).after_switch(after_switch);
    let source = ArtifactSource::new("quickstart", publisher.repository())
        .map_err(because("no thread for the source"))?;
    let installer = LocalInstaller::new(backend, clock).map_err(because("no threads for the installer"))?;
    let installer = Arc::new(installer);
    Ok(Parts {
        installer: installer.clone(),
        inventory: installer.clone(),
        source: Arc::new(source),
        place: Arc::new(ArtifactPlace { hosts, publisher, begun_at: run.begun_at, installer }),
    })
}

/// Repeating it after a crash makes what is missing.
fn make_host(backend: &ArtifactBackend, hosts: &Path, plan: &HostPlan) -> Result<()> {
    let id = EndpointId::from(plan.id.as_str());
    let file = HostFile {
        environment: if plan.production { Environment::Production } else { Environment::NonProduction },
        scope: ScopePath(plan.scope.into()),
        ..HostFile::default()
    };
    backend.add_host(&id, &file).map_err(because(format!("could not make the host {id}")))?;
    if plan.production {
        let config = hosts.join(&plan.id).join(PRODUCTION_CONFIG.trim_start_matches('/'));
        let dir = config.parent().unwrap_or(hosts);
        let written = fs::create_dir_all(dir).and_then(|()| fs::write(&config, PRODUCTION_CONFIG_TEXT));
        written.map_err(because(format!("could not make the host {id}")))?;
    }
    for app in &APPS {
        backend
            .seed(&id, app.package, app.from)
            .map_err(|failure| because(format!("could not make the host {id}"))(failure.to_string()))?;
    }
    Ok(())
}

fn publish(publisher: &Publisher, app: &App, version: &str, released: Timestamp) -> Result<()> {
    let release = Release {
        title: app.title.into(),
        category: app.category,
        severity: app.severity,
        released: Some(released),
        ..Release::new(app.package, version)
    };
    let program = shop_program(version, (app.package, version) == (BAD.package, BAD.to));
    let published = publisher.publish(release, &[ArtifactFile::new("program", program)]);
    published.map(drop).map_err(because(format!("could not publish {} {version}", app.package)))
}

/// What a maintainer script would do: fail where it is told to, restart the service, note it.
fn after_switch(switched: &Switched) -> std::result::Result<(), Failure<'static>> {
    let Some((version, _)) = &switched.now else { return Ok(()) };
    if (switched.package.as_str(), version.as_str()) == (FLAKY.package, FLAKY.to) {
        let fault = switched.host_dir.join(FAULT.trim_start_matches('/'));
        let left =
            fs::read_to_string(&fault).ok().and_then(|text| text.trim().parse::<u32>().ok()).unwrap_or(0);
        if left > 0 {
            script(replace(&fault, left - 1))?;
            return Err(Failure::new(FailureKind::ScriptFailed, format!("{} fails for now", FLAKY.package)));
        }
    }
    if switched.package == BAD.package {
        script(append(&switched.host_dir.join(RESTARTS), version))?;
    }
    script(append(&switched.host_dir.join(LOG), &format!("{} {version}", switched.package)))
}

fn script(done: std::io::Result<()>) -> std::result::Result<(), Failure<'static>> {
    done.map_err(|error| {
        Failure::new(FailureKind::ScriptFailed, format!("after the switch: {}", error.kind()))
    })
}

/// As a whole: a kill in the middle of it must not heal the fault.
fn replace(fault: &Path, left: u32) -> std::io::Result<()> {
    let new = fault.with_extension("new");
    fs::write(&new, left.to_string())?;
    fs::rename(new, fault)
}

fn append(file: &Path, line: &str) -> std::io::Result<()> {
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir)?;
    }
    writeln!(fs::OpenOptions::new().create(true).append(true).open(file)?, "{line}")
}

impl Place for ArtifactPlace {
    fn publish(&self, app: &App) -> Result<()> {
        publish(&self.publisher, app, app.to, self.begun_at)
    }

    fn set_fault(&self, host: &str, times: u32) -> Result<()> {
        let fault = self.hosts.join(host).join(FAULT.trim_start_matches('/'));
        let dir = fault.parent().unwrap_or(&self.hosts);
        let written = fs::create_dir_all(dir).and_then(|()| replace(&fault, times));
        written.map_err(because("could not set up the fault"))
    }

    fn service(&self, host: &str) -> ServiceFiles {
        let root = self.hosts.join(host);
        let app = root.join("apps").join(BAD.package);
        let program = move || {
            let version = fs::read_to_string(app.join("current")).ok()?;
            Some(app.join("versions").join(version.trim()).join("program"))
        };
        ServiceFiles { restarts: root.join(RESTARTS), program: Box::new(program), root }
    }

    fn installs(&self, host: &str, app: &App) -> Result<usize> {
        let log = self.hosts.join(host).join(LOG);
        let text =
            fs::read_to_string(&log).map_err(because(format!("could not read `{}`", log.display())))?;
        let line = format!("{} {}", app.package, app.to);
        Ok(text.lines().filter(|logged| *logged == line).count())
    }

    fn shutdown(&self) {
        self.installer.shutdown();
    }
}
