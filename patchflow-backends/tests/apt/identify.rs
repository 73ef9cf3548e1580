//! From real package databases and real formats of feeds to candidates: OSV and Debian's tracker, a Host, dpkg.

use crate::fixture::{Fixture, host, trial};
use libtest_mimic::Trial;
use patchflow_backends::advisory::{FeedFiles, FeedRecords};
use patchflow_backends::apt::{AptBackend, AptSource};
use patchflow_backends::clock::SystemClock;
use patchflow_backends::host::identify::{Identifier, Round};
use patchflow_backends::host::{Host, HostHandle};
use patchflow_backends::local::LocalInstaller;
use patchflow_backends::store::MemoryStore;
use patchflow_core::catalog::{Advisory, Affected, Category, Product, Severity, Status, Versions};
use patchflow_core::fleet::{Command, Request, Standing};
use patchflow_core::ids::{Actor, FleetId, PatchId};
use patchflow_core::package::{Ecosystem, PackageName, Platform};
use patchflow_core::policy::{Policy, StartMode};
use patchflow_core::report::explain;
use patchflow_core::risk::Priority;
use patchflow_core::sdk::Clock;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const FLEET: FleetId = FleetId(1);
const APP: &str = "lab-app=1.1-1";

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("candidates_appear_by_themselves", candidates_appear_by_themselves)]
}

/// A host that says which release it is.
fn debian(installed: &[&str]) -> Fixture {
    let it = host(installed);
    it.there.write("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n").unwrap();
    it
}

fn write(folder: &Path, name: &str, text: &serde_json::Value) {
    fs::write(folder.join(name), text.to_string()).unwrap();
}

fn osv() -> serde_json::Value {
    json!({
        "schema_version": "1.7.0", "id": "DSA-9000-1", "aliases": ["CVE-2026-90001"],
        "published": "2026-01-02T00:00:00Z", "modified": "2026-01-02T00:00:00Z",
        "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }],
        "affected": [{
            "package": { "ecosystem": "Debian:12", "name": "lab-app" },
            "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": "1.1-1" }] }],
        }],
    })
}

fn tracker() -> serde_json::Value {
    json!({ "lab-app": { "CVE-2026-90001": {
        "description": "a hole", "scope": "remote",
        "releases": { "bookworm": {
            "status": "resolved", "repositories": { "bookworm": "1.0-1", "bookworm-security": "1.1-1" },
            "fixed_version": "1.1-1", "urgency": "high",
        } },
    } } })
}

/// What the vendor says later: the version that is there does not have it.
fn vex() -> Advisory {
    let package = PackageName::new(Ecosystem::Deb, "lab-app");
    let platform = Some(Platform::new("debian", "12"));
    let product = Product::Package { package, platform, of_source: false };
    let status = Status::NotAffected { why: "component_not_present".into() };
    let stated = Affected { status, ..Affected::of(product, Versions::Exactly(vec!["1.0-1".into()])) };
    Advisory { affected: vec![stated], ..Advisory::new("CVE-2026-90001") }
}

async fn standings(handle: &HostHandle) -> Vec<Standing> {
    let of = |fleet: &patchflow_core::fleet::Fleet| {
        let candidate = fleet.candidate_of(&PatchId::from(APP)).unwrap();
        fleet.needs(candidate).map(|need| need.standing).collect()
    };
    handle.with_fleet(FLEET, of).await.unwrap()
}

fn candidates_appear_by_themselves() {
    let has = debian(&["lab-app"]);
    let has_not = debian(&["lab-conf"]);
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new().unwrap());
    let hosts = [has.host.clone(), has_not.host.clone()];
    let installer = Arc::new(LocalInstaller::new(AptBackend::new(hosts.clone()), clock.clone()).unwrap());
    let driver = Host::builder()
        .store(Arc::new(MemoryStore::new()))
        .clock(clock.clone())
        .installer(installer.clone())
        .inventory(installer.clone())
        .build()
        .unwrap();
    let handle = driver.handle();
    let files = Arc::new(FeedFiles::new("osv", folder.path(), clock));
    let records = Arc::new(FeedRecords::new("vendor"));
    let mut identifier =
        Identifier::new(FLEET).source(Arc::new(AptSource::new(hosts))).feed(files).feed(records.clone());
    let script = async {
        handle.found(FLEET, "lab", 7).await.unwrap();
        let mut policy = Policy::standard("lab");
        policy.deploy.start = StartMode::OnRequest;
        let ask = Command::AdoptPolicy { policy: Box::new(policy) };
        let by = Actor::new("root", ["owner"]);
        handle.request(FLEET, Request { id: "q1".into(), by, expect: None, ask }).await.unwrap();

        // The archive offers it as a security update, and says no more: unknown is not low.
        let first: Round = identifier.round(&handle, &*installer).await.unwrap();
        assert_eq!((first.endpoints, first.advisories), (2, 0), "{first:?}");
        let patch = |fleet: &patchflow_core::fleet::Fleet| {
            let candidate = fleet.candidate(fleet.candidate_of(&PatchId::from(APP)).unwrap()).unwrap();
            let identified = candidate.identified();
            (identified.patch().clone(), identified.risk().clone())
        };
        let (bare, risk) = handle.with_fleet(FLEET, patch).await.unwrap();
        assert_eq!((bare.category, bare.severity), (Category::Security, Severity::Unknown));
        assert!(bare.closes.is_empty() && risk.priority == Priority::High, "{risk:?}");

        // Two feeds speak of it, in two formats, of one weakness.
        write(folder.path(), "DSA-9000-1.json", &osv());
        write(folder.path(), "tracker.json", &tracker());
        let second = identifier.round(&handle, &*installer).await.unwrap();
        assert_eq!(
            (second.advisories, second.reviews, second.needs),
            (1, 1, 1),
            "only who has it: {second:?}"
        );
        let (known, risk) = handle.with_fleet(FLEET, patch).await.unwrap();
        assert_eq!(
            (known.category, &known.cves[..]),
            (Category::Security, &["CVE-2026-90001".to_owned()][..])
        );
        assert_eq!(known.closes[0].said_by.len(), 2, "{:?}", known.closes);
        assert_eq!(
            (risk.priority, &*risk.why),
            (Priority::Critical, "a CVSS score of 9.0 or more (CVE-2026-90001)")
        );

        // The vendor clears the version that is there, and takes that back.
        records.publish(vex());
        identifier.round(&handle, &*installer).await.unwrap();
        assert_eq!(standings(&handle).await, [Standing::NotApplicable]);
        let name = has.host.id.clone();
        let told = move |fleet: &patchflow_core::fleet::Fleet| {
            let candidate = fleet.candidate_of(&PatchId::from(APP)).unwrap();
            explain(fleet, fleet.endpoint_ix(name.as_str()).unwrap(), candidate).sentence()
        };
        let told = handle.with_fleet(FLEET, told).await.unwrap();
        assert!(told.ends_with("CVE-2026-90001 does not affect it: component_not_present"), "{told}");
        records.remove("CVE-2026-90001");
        identifier.round(&handle, &*installer).await.unwrap();
        assert_eq!(standings(&handle).await, [Standing::Needs]);

        // Installed by hand: the database shows it, and nobody proposes it again.
        has.there.run(&["apt-get", "install", "-y", "lab-app=1.1-1"]).unwrap();
        let last = identifier.round(&handle, &*installer).await.unwrap();
        assert_eq!((last.endpoints, last.needs, last.has), (1, 0, 1), "{last:?}");
        assert_eq!(standings(&handle).await, [Standing::Has]);
        handle.stop().await;
    };
    let (ran, ()) = futures_lite::future::block_on(futures_lite::future::zip(driver.run(), script));
    ran.unwrap();
    installer.shutdown();
}
