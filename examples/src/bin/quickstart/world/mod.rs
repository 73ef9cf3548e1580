//! The endpoints: real package databases or versioned artifacts below the output directory, and their services.

#[cfg(unix)]
mod apt;
mod artifact;

use crate::args::Kind;
use crate::error::{Result, because};
use crate::run::{Run, write_whole};
use crate::service::{ServiceFiles, Services};
use crate::story::{ADVISORY, App, GOOD, HostPlan, hosts};
use patchflow_backends::advisory::FeedFiles;
use patchflow_backends::probe::{HttpCheck, HttpProbe, ProbeLimits};
use patchflow_core::ids::EndpointId;
use patchflow_core::sdk::{AdvisorySource, Clock, Installer, Inventory, PatchSource, Probe};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What the two kinds of endpoints do differently, beyond the SDK's traits.
pub(crate) trait Place: Send + Sync {
    /// Offers the update of an application to every host. Repeating it changes nothing.
    fn publish(&self, app: &App) -> Result<()>;
    /// Lets the flaky update's script fail so often on a host.
    fn set_fault(&self, host: &str, times: u32) -> Result<()>;
    /// Where a host's service finds its things.
    fn service(&self, host: &str) -> ServiceFiles;
    /// How often the version that an application is updated to was installed on a host to its end, by the host's own
    /// log.
    fn installs(&self, host: &str, app: &App) -> Result<usize>;
    /// Lets running operations come to their end.
    fn shutdown(&self);
}

/// The fleet's endpoints and how they are reached.
pub(crate) struct World {
    pub(crate) installer: Arc<dyn Installer>,
    pub(crate) inventory: Arc<dyn Inventory>,
    pub(crate) source: Arc<dyn PatchSource>,
    pub(crate) feed: Arc<dyn AdvisorySource>,
    pub(crate) probe: Arc<dyn Probe>,
    pub(crate) hosts: Vec<HostPlan>,
    pub(crate) place: Arc<dyn Place>,
}

/// What a kind of endpoints brings.
struct Parts {
    installer: Arc<dyn Installer>,
    inventory: Arc<dyn Inventory>,
    source: Arc<dyn PatchSource>,
    place: Arc<dyn Place>,
}

impl World {
    /// What this machine has the tools for.
    pub(crate) fn auto() -> Kind {
        #[cfg(unix)]
        if apt::is_possible() {
            return Kind::Apt;
        }
        Kind::Artifact
    }

    /// Makes the endpoints, or opens those that an earlier start made, and starts their services.
    pub(crate) fn open(dir: &Path, run: &Run, clock: Arc<dyn Clock>) -> Result<Self> {
        let hosts = hosts(run.endpoints);
        let feed = feed(dir, run, clock.clone())?;
        let parts = match run.kind {
            #[cfg(unix)]
            Kind::Apt => apt::open(dir, run, &hosts, clock)?,
            #[cfg(not(unix))]
            Kind::Apt => {
                return Err(crate::error::Error::new(
                    "endpoints of kind apt need dpkg; take --kind artifact",
                ));
            }
            Kind::Artifact | Kind::Auto => artifact::open(dir, run, &hosts, clock)?,
        };
        let ids = hosts.iter().map(|host| host.id.as_str());
        let services = Services::start(
            ids.map(|id| (EndpointId::from(id), parts.place.service(id))).collect::<Vec<_>>(),
        )?;
        let probe =
            HttpProbe::new("shop-api", move |host: &EndpointId| services.health_url(host).map(HttpCheck::ok))
                .with_limits(ProbeLimits {
                    // A machine that is busy with a hundred package managers answers late.
                    connect: Duration::from_secs(5),
                    total: Duration::from_secs(10),
                    tries: 2,
                    pause: Duration::from_millis(200),
                    ..ProbeLimits::default()
                });
        Ok(Self {
            installer: parts.installer,
            inventory: parts.inventory,
            source: parts.source,
            feed: Arc::new(feed),
            probe: Arc::new(probe),
            hosts,
            place: parts.place,
        })
    }
}

/// The feed of advisories: one record in the form of OSV, as distributions publish them by the thousand.
fn feed(dir: &Path, run: &Run, clock: Arc<dyn Clock>) -> Result<FeedFiles> {
    let folder = dir.join("feed");
    fs::create_dir_all(&folder).map_err(because("could not make the feed"))?;
    let (id, cve, cvss) = ADVISORY;
    let ecosystem = match run.kind {
        Kind::Apt => "Debian:12",
        Kind::Artifact | Kind::Auto => "Artifact",
    };
    let record = json!({
        "schema_version": "1.7.0",
        "id": id,
        "aliases": [cve],
        "published": run.begun_at,
        "modified": run.begun_at,
        "summary": format!("{}: {}", GOOD.package, GOOD.title),
        "severity": [{ "type": "CVSS_V3", "score": cvss }],
        "affected": [{
            "package": { "ecosystem": ecosystem, "name": GOOD.package },
            "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": GOOD.to }] }],
        }],
        "database_specific": { "severity": "CRITICAL" },
    });
    write_whole(&folder.join(format!("{id}.json")), record.to_string().as_bytes())?;
    Ok(FeedFiles::new("osv", folder, clock))
}

/// The program file of `shop-api` in some version.
fn shop_program(version: &str, breaks: bool) -> String {
    let breaks =
        if breaks { format!("breaks-on {}\n", crate::story::PRODUCTION_CONFIG) } else { String::new() };
    format!("version {version}\n{breaks}")
}

/// What stands in a production host's configuration of the shop.
const PRODUCTION_CONFIG_TEXT: &str = "currency = EUR\npool = 16\n";
