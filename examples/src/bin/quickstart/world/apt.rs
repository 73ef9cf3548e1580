//! Endpoints with dpkg and apt: isolated roots, made by the testkit's laboratory.

use super::{PRODUCTION_CONFIG_TEXT, Parts, Place, shop_program};
use crate::error::{Error, Result, because};
use crate::run::{Run, write_whole};
use crate::service::ServiceFiles;
use crate::story::{APPS, App, BAD, FAULT, FLAKY, HostPlan, PRODUCTION_CONFIG};
use patchflow_backends::apt::{AptBackend, AptHost, AptSource};
use patchflow_backends::local::LocalInstaller;
use patchflow_core::catalog::Category;
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::sdk::Clock;
use patchflow_testkit::lab::apt::{AptLab, HostSpec, LabHost, LabSpec, PackageSpec, Step, Suite};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Where each maintainer script notes that it has configured its package, from the host's root.
const LOG: &str = "/var/log/lab-installs.log";
/// Where the scripts of `shop-api` ask for a restart of the service, from the host's root.
const RESTARTS: &str = "/run/shop-api.restarts";
/// Where `shop-api` has its program, from the host's root.
const PROGRAM: &str = "/usr/share/shop-api/program";

/// Which release the hosts are, so that advisories for it speak of them.
const OS_RELEASE: (&str, &str) = ("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");

struct AptPlace {
    lab: AptLab,
    installer: Arc<LocalInstaller<AptBackend>>,
}

/// Whether the machine has the tools.
pub(super) fn is_possible() -> bool {
    AptLab::missing_tools().is_empty()
}

pub(super) fn open(dir: &Path, run: &Run, plans: &[HostPlan], clock: Arc<dyn Clock>) -> Result<Parts> {
    let missing = AptLab::missing_tools();
    if !missing.is_empty() {
        return Err(Error::new(format!(
            "endpoints of kind apt need {}; install them or take --kind artifact",
            missing.join(", ")
        )));
    }
    let lab = match AptLab::open(dir) {
        Ok(lab) => lab,
        Err(_) => create(dir, plans)?,
    };
    let advisories = dir.join("advisories.json");
    write_whole(&advisories, advisories_text(run).as_bytes())?;
    let hosts =
        plans.iter().map(|plan| Ok(host(&lab.host(&plan.id).map_err(because("a host is missing"))?, plan)));
    let hosts: Vec<AptHost> = hosts.collect::<Result<_>>()?;
    // All hosts have the same sources, so one of them shows what is offered.
    let source = AptSource::new(hosts.first().cloned()).with_advisories(advisories);
    let installer = LocalInstaller::new(AptBackend::new(hosts), clock)
        .map_err(because("no threads for the installer"))?;
    let installer = Arc::new(installer);
    Ok(Parts {
        installer: installer.clone(),
        inventory: installer.clone(),
        source: Arc::new(source),
        place: Arc::new(AptPlace { lab, installer }),
    })
}

/// Tried again for a while: what a process began that was killed at this very point may still be writing there.
fn create(dir: &Path, plans: &[HostPlan]) -> Result<AptLab> {
    let mut created = AptLab::create(dir, &spec(plans));
    for _ in 0..5 {
        if created.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
        created = AptLab::create(dir, &spec(plans));
    }
    created.map_err(because("could not make the hosts"))
}

fn spec(plans: &[HostPlan]) -> LabSpec {
    let packages = APPS.iter().flat_map(|app| {
        let package = |version: &str| {
            let note = Step::Append { file: LOG.into(), line: format!("{} {version}", app.package) };
            let mut package = PackageSpec::new(app.package, version);
            if app.package == BAD.package {
                let restart = Step::Append { file: RESTARTS.into(), line: version.into() };
                package = package.file(PROGRAM, shop_program(version, version == BAD.to)).postinst(restart);
            }
            if (app.package, version) == (FLAKY.package, FLAKY.to) {
                package = package.postinst(Step::FailCounted(FAULT.into()));
            }
            package.postinst(note)
        };
        [package(app.from), package(app.to).suite(Suite::Staged)]
    });
    let hosts = plans.iter().map(|plan| {
        let host = HostSpec::new(&plan.id, APPS.iter().map(|app| (app.package, app.from)))
            .file(OS_RELEASE.0, OS_RELEASE.1);
        if plan.production { host.file(PRODUCTION_CONFIG, PRODUCTION_CONFIG_TEXT) } else { host }
    });
    LabSpec { packages: packages.collect(), hosts: hosts.collect(), signed: false }
}

/// What the archive's owner says about the updates. The clock of a patch starts with its release.
fn advisories_text(run: &Run) -> String {
    let advisory = |app: &App| {
        json!({
            "id": format!("LSA-2026-{}", app.package),
            "package": app.package,
            "version": app.to,
            "title": app.title,
            "severity": app.severity,
            "category": app.category,
            "released": run.begun_at,
            "reboot": false,
        })
    };
    serde_json::Value::from_iter(APPS.iter().map(advisory)).to_string()
}

fn host(lab: &LabHost, plan: &HostPlan) -> AptHost {
    let mut host = AptHost::isolated(plan.id.as_str(), lab.root(), lab.env(), lab.dir().join("patchflow"));
    host.environment = if plan.production { Environment::Production } else { Environment::NonProduction };
    host.scope = ScopePath(plan.scope.into());
    host
}

impl AptPlace {
    fn host(&self, host: &str) -> Result<LabHost> {
        self.lab.host(host).map_err(because("a host is missing"))
    }
}

impl Place for AptPlace {
    fn publish(&self, app: &App) -> Result<()> {
        let suite = match app.category {
            Category::Security => Suite::Security,
            Category::Bugfix | Category::Feature | Category::Driver | Category::Firmware => Suite::Updates,
        };
        self.lab
            .publish(app.package, app.to, suite)
            .map_err(because(format!("could not publish {}", app.patch())))
    }

    fn set_fault(&self, host: &str, times: u32) -> Result<()> {
        self.host(host)?.write(FAULT, &format!("{times}\n")).map_err(because("could not set up the fault"))
    }

    fn service(&self, host: &str) -> ServiceFiles {
        let root = self.lab.dir().join("hosts").join(host).join("root");
        let program = root.join(PROGRAM.trim_start_matches('/'));
        let restarts = root.join(RESTARTS.trim_start_matches('/'));
        ServiceFiles { root, program: Box::new(move || Some(program.clone())), restarts }
    }

    fn installs(&self, host: &str, app: &App) -> Result<usize> {
        let log = self.host(host)?.root().join(LOG.trim_start_matches('/'));
        let text =
            fs::read_to_string(&log).map_err(because(format!("could not read `{}`", log.display())))?;
        let line = format!("{} {}", app.package, app.to);
        Ok(text.lines().filter(|logged| *logged == line).count())
    }

    fn shutdown(&self) {
        self.installer.shutdown();
    }
}
