//! Rounds of identification: a fleet is told everything, and then one thing at a time.

#[path = "../fleets/idle.rs"]
mod idle;

use async_trait::async_trait;
use futures_lite::future;
use idle::Idle;
use patchflow_backends::advisory::FeedRecords;
use patchflow_backends::clock::SystemClock;
use patchflow_backends::host::identify::{Identifier, Round};
use patchflow_backends::host::{Host, HostHandle};
use patchflow_backends::store::MemoryStore;
use patchflow_benches::{Estate, INSTALLED, Lap, Sharing};
use patchflow_core::catalog::version::{Range, Scheme, Version};
use patchflow_core::catalog::{
    Advisory, Affected, Fix, KnownExploited, Patch, Product, Provenance, Severity, Versions,
};
use patchflow_core::digest::Digest;
use patchflow_core::doc::patch;
use patchflow_core::fleet::{Command, InspectOrder, Request};
use patchflow_core::ids::{Actor, FleetId, PatchId};
use patchflow_core::inventory::EndpointRecord;
use patchflow_core::package::Platform;
use patchflow_core::policy::Policy;
use patchflow_core::sdk::{
    BackendError, Cursor, Inventory, LevelRead, Manifest, Page, PatchSource, PublishedPatch,
};
use patchflow_core::time::Timestamp;
use std::error::Error;
use std::sync::{Arc, Mutex};

const FLEET: FleetId = FleetId(7);
const AT: Timestamp = Timestamp::from_secs(1_780_000_000);
/// Every twentieth package has an update, and every fourth an advisory.
const UPDATED: usize = 20;
const ADVISED: usize = 4;
/// Versions of each package in the estate.
const ROUNDS: usize = 5;

/// An inventory of an estate, and what changed since; a catalogue as well.
struct Office {
    estate: Estate,
    endpoints: u32,
    changed: Mutex<Vec<EndpointRecord>>,
}

fn place(since: Option<&Cursor>) -> usize {
    since.and_then(|cursor| cursor.0.parse().ok()).unwrap_or(0)
}

#[async_trait]
impl Inventory for Office {
    fn manifest(&self) -> Manifest {
        Inventory::manifest(&Idle)
    }

    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<EndpointRecord>, BackendError> {
        let (from, all) = (place(since), self.endpoints as usize);
        let changed = self.changed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let end = (from + limit).min(all.max(from));
        let mut items: Vec<_> =
            (from..end).map(|n| self.estate.record(u32::try_from(n).unwrap_or_default(), AT)).collect();
        let next = if from >= all {
            items.extend(changed.iter().skip(from - all).cloned());
            all + changed.len()
        } else {
            end
        };
        Ok(Page { items, next: Cursor(next.to_string()), more: next < all + changed.len() })
    }

    async fn inspect(&self, _: &[InspectOrder]) -> Vec<LevelRead> {
        Vec::new()
    }
}

#[async_trait]
impl PatchSource for Office {
    fn manifest(&self) -> Manifest {
        Inventory::manifest(&Idle)
    }

    async fn page(&self, since: Option<&Cursor>, _: usize) -> Result<Page<PublishedPatch>, BackendError> {
        let packages = self.estate.software().len() / ROUNDS;
        let all = (0..packages)
            .step_by(UPDATED)
            .map(|package| PublishedPatch::Published(Box::new(self.update(package))));
        let items = if place(since) == 0 { all.collect() } else { Vec::new() };
        Ok(Page { items, next: Cursor("1".into()), more: false })
    }
}

impl Office {
    /// The update to the newest version of a package.
    fn update(&self, package: usize) -> Patch {
        let newest = &self.estate.software()[package * ROUNDS + ROUNDS - 1];
        let bare = patch(&newest.package.name, &newest.version);
        let content = Digest::of(bare.id.as_str().as_bytes());
        Patch { severity: Severity::Unknown, platform: Some(Platform::new("debian", "12")), content, ..bare }
    }

    /// That every version but the newest has a weakness.
    fn weakness(&self, id: String, package: usize) -> Advisory {
        let newest = &self.estate.software()[package * ROUNDS + ROUNDS - 1];
        let product = Product::Package {
            package: newest.package.clone(),
            platform: Some(Platform::new("debian", "12")),
            of_source: false,
        };
        let range = Range::new(Scheme::Deb);
        let range = range.clone().below(&newest.version).unwrap_or(range);
        let fix = Version::new(Scheme::Deb, &*newest.version).map_or(Fix::NotNamed, Fix::From);
        let affected = Affected { fix, ..Affected::of(product, Versions::Some { range, exact: Vec::new() }) };
        let cvss = vec!["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N".to_owned()];
        Advisory { affected: vec![affected], cvss, ..Advisory::new(id) }
    }
}

fn listed(id: &str) -> Advisory {
    let provenance = vec![Provenance { feed: "kev".into(), record: id.into(), modified: None }];
    let exploited = Some(KnownExploited { since: AT, due: None, ransomware: false });
    Advisory { exploited, provenance, ..Advisory::new(id) }
}

pub(crate) fn run(endpoints: u32) {
    let office = Office { estate: Estate::new(Sharing::Images), endpoints, changed: Mutex::default() };
    if let Err(error) = measure(&Arc::new(office)) {
        println!("| {error} | |");
    }
}

fn measure(office: &Arc<Office>) -> Result<(), Box<dyn Error>> {
    let host = Host::builder()
        .store(Arc::new(MemoryStore::new()))
        .clock(Arc::new(SystemClock::new()?))
        .installer(Arc::new(Idle))
        .inventory(office.clone())
        .build()?;
    let handle = host.handle();
    let running = async {
        host.run().await?;
        Err("the host has stopped".into())
    };
    future::block_on(future::or(script(&handle, office), running))
}

async fn script(handle: &HostHandle, office: &Arc<Office>) -> Result<(), Box<dyn Error>> {
    handle.found(FLEET, "bench", 1).await?;
    // Nobody approves, so that only identification works.
    let mut policy = Policy::standard("bench");
    policy.approval.clear();
    policy.trial.required_for.clear();
    policy.endpoints.scan_on_candidate = false;
    let ask = Command::AdoptPolicy { policy: Box::new(policy) };
    let by = Actor::new("bench", ["change-manager"]);
    handle.request(FLEET, Request { id: "adopt".into(), by, expect: None, ask }).await?;

    let packages = office.estate.software().len() / ROUNDS;
    let (osv, kev) = (Arc::new(FeedRecords::new("osv")), Arc::new(FeedRecords::new("kev")));
    for package in (0..packages).step_by(ADVISED) {
        osv.publish(office.weakness(format!("CVE-2026-{package}"), package));
    }
    kev.publish(listed("CVE-2020-1"));
    let mut identifier = Identifier::new(FLEET).source(office.clone()).feed(osv.clone()).feed(kev.clone());

    println!(
        "\n### Rounds of identification, {} endpoints with {INSTALLED} packages, {} advisories, {} updates\n",
        office.endpoints,
        packages / ADVISED,
        packages / UPDATED
    );
    println!(
        "| What | Endpoints read | Comparisons | Patches told | Facts | Is |\n|---|---|---|---|---|---|"
    );
    let one = async |what: &str, identifier: &mut Identifier| -> Result<Round, Box<dyn Error>> {
        let facts = handle.with_fleet(FLEET, |fleet| fleet.seq().0).await?;
        let lap = Lap::start();
        let round = identifier.round(handle, &**office).await?;
        let took = lap.elapsed().as_secs_f64() * 1e3;
        let facts = handle.with_fleet(FLEET, |fleet| fleet.seq().0).await? - facts;
        println!(
            "| {what} | {} | {} | {} | {facts} | {took:.1} ms |",
            round.endpoints, round.reviews, round.told
        );
        Ok(round)
    };
    one("the first telling", &mut identifier).await?;
    one("no news", &mut identifier).await?;
    // Package 0 is in every image.
    kev.publish(listed("CVE-2026-0"));
    one("one weakness listed as exploited, everywhere", &mut identifier).await?;
    osv.publish(office.weakness("CVE-2027-1".into(), 0));
    one("one new advisory, for a package that is everywhere", &mut identifier).await?;
    let rare = (packages - 1) / UPDATED * UPDATED;
    osv.publish(office.weakness("CVE-2027-2".into(), rare));
    one("one new advisory, for a package as any other", &mut identifier).await?;
    let mut record = office.estate.record(office.endpoints / 2, AT);
    let newest = |at: usize| &office.estate.software()[at * ROUNDS + ROUNDS - 1];
    for software in record.installed.iter_mut().take(10) {
        let package = (0..packages).find(|at| newest(*at).package == software.package);
        software.version = package.map_or_else(|| software.version.clone(), |at| newest(at).version.clone());
    }
    office.changed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(record);
    one("one report, ten packages newer", &mut identifier).await?;
    let base = PatchId::from(office.update(0).id.as_str());
    let lap = Lap::start();
    let resolved = identifier.resolve(&Estate::id(1), |id| *id != base);
    println!(
        "| what to install on one endpoint, {} patches | | | | | {:.1} ms |",
        resolved.map_or(0, |found| found.stages.iter().map(Vec::len).sum::<usize>()),
        lap.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}
