//! Identification by itself: an inventory, a catalogue of patches, and feeds; candidates follow.

use super::{FLEET, Lab, adopt, policy};
use async_trait::async_trait;
use patchflow_backends::advisory::FeedRecords;
use patchflow_backends::host::HostHandle;
use patchflow_backends::host::identify::{Identifier, Reason, Round};
use patchflow_core::catalog::version::{Range, Scheme};
use patchflow_core::catalog::{
    Advisory, Affected, Fix, KnownExploited, Patch, Product, Severity, Status, Versions,
};
use patchflow_core::doc::patch;
use patchflow_core::fleet::InspectOrder;
use patchflow_core::ids::{EndpointId, PatchId};
use patchflow_core::inventory::{
    Criticality, EndOfLife, EndpointRecord, Environment, Exposure, InstalledSoftware,
};
use patchflow_core::package::{Ecosystem, PackageName, Platform};
use patchflow_core::plan::RollbackPath;
use patchflow_core::report::explain;
use patchflow_core::risk::{Assessment, Priority};
use patchflow_core::sdk::{
    BackendError, Cursor, Inventory, LevelRead, Manifest, Page, PatchSource, PluginKind, PublishedPatch,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// An inventory and a catalogue that tests change; the inventory hands out what changed since a cursor.
#[derive(Default)]
pub(super) struct Estate {
    records: Mutex<BTreeMap<EndpointId, (u64, EndpointRecord)>>,
    patches: Mutex<Vec<PublishedPatch>>,
}

impl Estate {
    /// An endpoint with one version of each of some packages.
    pub(super) fn put(&self, id: &str, os: &str, software: &[(&str, &str)]) {
        self.put_as(id, os, software, |record| record);
    }

    fn put_as(
        &self,
        id: &str,
        os: &str,
        software: &[(&str, &str)],
        as_well: impl Fn(EndpointRecord) -> EndpointRecord,
    ) {
        let installed = software
            .iter()
            .map(|(name, version)| InstalledSoftware::new(PackageName::new(Ecosystem::Deb, *name), *version));
        let environment =
            if id.starts_with("test") { Environment::NonProduction } else { Environment::Production };
        let bare = EndpointRecord::new(id.into(), environment, super::start_of_time());
        let record = as_well(EndpointRecord { os: os.into(), installed: installed.collect(), ..bare });
        let mut records = self.records.lock().unwrap();
        let change = records.values().map(|(change, _)| *change).max().unwrap_or(0) + 1;
        records.insert(id.into(), (change, record));
    }

    pub(super) fn publish(&self, patch: Patch) {
        self.patches.lock().unwrap().push(PublishedPatch::Published(Box::new(patch)));
    }
}

#[async_trait]
impl Inventory for Estate {
    fn manifest(&self) -> Manifest {
        super::store::manifest("estate", &[PluginKind::Inventory, PluginKind::PatchSource])
    }

    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<EndpointRecord>, BackendError> {
        let since = since.map_or(0, |cursor| cursor.0.parse().unwrap());
        let records = self.records.lock().unwrap();
        let mut newer: Vec<_> = records.values().filter(|(change, _)| *change > since).collect();
        newer.sort_by_key(|(change, _)| *change);
        let more = newer.len() > limit.min(3);
        newer.truncate(limit.min(3));
        let next = newer.last().map_or(since, |(change, _)| *change);
        let items = newer.into_iter().map(|(_, record)| record.clone()).collect();
        Ok(Page { items, next: Cursor(next.to_string()), more })
    }

    async fn inspect(&self, _: &[InspectOrder]) -> Vec<LevelRead> {
        Vec::new()
    }
}

#[async_trait]
impl PatchSource for Estate {
    fn manifest(&self) -> Manifest {
        Inventory::manifest(self)
    }

    async fn page(&self, since: Option<&Cursor>, _: usize) -> Result<Page<PublishedPatch>, BackendError> {
        let since: usize = since.map_or(0, |cursor| cursor.0.parse().unwrap());
        let patches = self.patches.lock().unwrap();
        let items = patches.iter().skip(since).cloned().collect();
        Ok(Page { items, next: Cursor(patches.len().to_string()), more: false })
    }
}

pub(super) const DEBIAN: &str = "debian 12";

/// An update of a package for Debian 12 whose source says nothing but that it is there.
pub(super) fn update(package: &str, version: &str) -> Patch {
    let platform = Some(Platform::named(DEBIAN));
    Patch { severity: Severity::Unknown, platform, ..patch(package, version) }
}

pub(super) fn hit(package: &str, platform: &str, fixed: &str) -> Affected {
    let package = PackageName::new(Ecosystem::Deb, package);
    let product = Product::Package { package, platform: Some(Platform::named(platform)), of_source: false };
    let range = Range::new(Scheme::Deb).below(fixed).unwrap();
    let fix = Fix::From(patchflow_core::catalog::version::Version::new(Scheme::Deb, fixed).unwrap());
    Affected { fix, ..Affected::of(product, Versions::Some { range, exact: vec![] }) }
}

pub(super) fn advisory(id: &str, affected: Vec<Affected>) -> Advisory {
    let cvss = vec!["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N".into()];
    Advisory { affected, cvss, published: Some(super::start_of_time()), ..Advisory::new(id) }
}

fn listed(id: &str) -> Advisory {
    let exploited = Some(KnownExploited { since: super::start_of_time(), due: None, ransomware: false });
    Advisory { exploited, provenance: provenance("kev", id), ..Advisory::new(id) }
}

fn provenance(feed: &str, record: &str) -> Vec<patchflow_core::catalog::Provenance> {
    vec![patchflow_core::catalog::Provenance { feed: feed.into(), record: record.into(), modified: None }]
}

struct Stage {
    lab: Lab,
    estate: Arc<Estate>,
    feed: Arc<FeedRecords>,
}

impl Stage {
    fn new() -> Self {
        let estate = Arc::new(Estate::default());
        Self { lab: Lab::new(1, 1), estate, feed: Arc::new(FeedRecords::new("osv")) }
    }

    fn identifier(&self) -> Identifier {
        Identifier::new(FLEET)
            .source(self.estate.clone())
            .feed(self.feed.clone())
            .paths([RollbackPath::Reinstall])
    }

    /// A founded fleet whose candidates wait for a person.
    fn run<T>(&self, script: impl AsyncFnOnce(&HostHandle) -> T) -> T {
        self.lab.run(async |host| {
            drop(host.found(FLEET, "acme", 42).await);
            let mut policy = policy();
            policy.approval.clear();
            policy.trial.required_for.clear();
            policy.endpoints.scan_on_candidate = false;
            host.request(FLEET, adopt(policy)).await.unwrap();
            script(host).await
        })
    }
}

async fn round(identifier: &mut Identifier, host: &HostHandle, estate: &Estate) -> Round {
    identifier.round(host, estate).await.unwrap()
}

async fn rating(host: &HostHandle, patch: &'static str) -> Option<Assessment> {
    let of = move |fleet: &patchflow_core::fleet::Fleet| {
        let candidate = fleet.candidate(fleet.candidate_of(&PatchId::from(patch))?)?;
        Some(candidate.identified().risk().clone())
    };
    host.with_fleet(FLEET, of).await.unwrap()
}

async fn why(host: &HostHandle, endpoint: &'static str, patch: &'static str) -> String {
    let of = move |fleet: &patchflow_core::fleet::Fleet| {
        let candidate = fleet.candidate_of(&PatchId::from(patch)).unwrap();
        explain(fleet, fleet.endpoint_ix(endpoint).unwrap(), candidate).chain[0].text.clone()
    };
    host.with_fleet(FLEET, of).await.unwrap()
}

async fn facts(host: &HostHandle) -> u64 {
    host.with_fleet(FLEET, |fleet| fleet.seq().0).await.unwrap()
}

#[test]
fn an_advisory_makes_a_candidate_of_what_was_clean_and_touches_only_who_has_it() {
    let stage = Stage::new();
    for i in 0..40 {
        let curl = if i < 3 { "7.88-1" } else { "7.88-2" };
        stage.estate.put(&format!("web-{i:02}"), DEBIAN, &[("bash", "5.2-1"), ("curl", curl)]);
    }
    stage.estate.publish(update("curl", "7.88-2"));
    stage.estate.publish(update("bash", "5.2-2"));
    stage.run(async |host| {
        let mut identifier = stage.identifier();
        let first = round(&mut identifier, host, &stage.estate).await;
        assert_eq!((first.endpoints, first.patches, first.told, first.needs), (40, 2, 0, 0), "{first:?}");
        assert_eq!(rating(host, "curl=7.88-2").await, None, "nothing says that it is missing anywhere");
        let quiet = facts(host).await;

        stage.feed.publish(advisory("CVE-2026-1", vec![hit("curl", DEBIAN, "7.88-2")]));
        let second = round(&mut identifier, host, &stage.estate).await;
        // Three have it. The first time that a patch is told, all who have the package are compared with it.
        assert_eq!(
            (second.endpoints, second.reviews, second.needs, second.told),
            (0, 40, 3, 1),
            "{second:?}"
        );
        let rated = rating(host, "curl=7.88-2").await.unwrap();
        assert_eq!(rated.priority, Priority::High);
        assert_eq!(
            why(host, "web-00", "curl=7.88-2").await,
            "needed there in the place of 7.88-1, high priority: a CVSS score of 7.0 or more (CVE-2026-1), \
             due 2026-12-21T08:00:00.000Z; it closes CVE-2026-1"
        );
        assert!(facts(host).await > quiet);

        // Somebody lists it as exploited: a word about the patch, and nobody is compared anew.
        stage.feed.publish(listed("CVE-2026-1"));
        let third = round(&mut identifier, host, &stage.estate).await;
        assert_eq!((third.reviews, third.told), (0, 1), "{third:?}");
        let rated = rating(host, "curl=7.88-2").await.unwrap();
        assert_eq!((rated.priority, &*rated.why), (Priority::Critical, "known exploitation (CVE-2026-1)"));

        // Another weakness of those three: only they are compared.
        stage.feed.publish(advisory("CVE-2026-2", vec![hit("curl", DEBIAN, "7.88-2")]));
        let fourth = round(&mut identifier, host, &stage.estate).await;
        assert_eq!((fourth.reviews, fourth.needs, fourth.told), (3, 3, 1), "{fourth:?}");

        // One of them reports that it is patched: it alone is compared, and needs it no more.
        stage.estate.put("web-00", DEBIAN, &[("bash", "5.2-1"), ("curl", "7.88-2")]);
        let fifth = round(&mut identifier, host, &stage.estate).await;
        assert_eq!((fifth.endpoints, fifth.reviews, fifth.needs, fifth.has, fifth.told), (1, 1, 0, 1, 0));

        let before = facts(host).await;
        let last = round(&mut identifier, host, &stage.estate).await;
        assert_eq!((last.reviews, last.told), (0, 0));
        assert_eq!(facts(host).await, before, "a round without news is no fact");
    });
}

#[test]
fn what_was_identified_stands_in_facts_and_a_new_process_finds_the_same() {
    let stage = Stage::new();
    stage.estate.put("web-1", DEBIAN, &[("curl", "7.88-1")]);
    stage.estate.publish(update("curl", "7.88-2"));
    stage.feed.publish(advisory("CVE-2026-1", vec![hit("curl", DEBIAN, "7.88-2")]));
    let (rated, seq) = stage.run(async |host| {
        round(&mut stage.identifier(), host, &stage.estate).await;
        (rating(host, "curl=7.88-2").await.unwrap(), facts(host).await)
    });
    stage.run(async |host| {
        assert_eq!(rating(host, "curl=7.88-2").await.unwrap(), rated, "without any feed");
        // The same request again was answered before, and is no fact; neither is what is known.
        let again = round(&mut stage.identifier(), host, &stage.estate).await;
        assert_eq!((again.needs, again.told), (1, 0), "{again:?}");
        assert_eq!(facts(host).await, seq);
        // Patched everywhere: it keeps its words, and is not proposed to anybody.
        stage.estate.put("web-1", DEBIAN, &[("curl", "7.88-2")]);
        let patched = round(&mut stage.identifier(), host, &stage.estate).await;
        assert_eq!((patched.needs, patched.has, patched.told), (0, 1, 0), "{patched:?}");
        assert_eq!(why(host, "web-1", "curl=7.88-2").await, "at the target already when it was identified");
    });
}

#[test]
fn an_advisory_that_is_withdrawn_takes_its_words_and_its_needs_with_it() {
    let stage = Stage::new();
    stage.estate.put("web-1", DEBIAN, &[("curl", "7.88-1")]);
    stage.estate.publish(update("curl", "7.88-2"));
    stage.feed.publish(advisory("CVE-2026-1", vec![hit("curl", DEBIAN, "7.88-2")]));
    stage.feed.publish(listed("CVE-2026-1"));
    stage.run(async |host| {
        let mut identifier = stage.identifier();
        round(&mut identifier, host, &stage.estate).await;
        let due = rating(host, "curl=7.88-2").await.unwrap().due;
        let mut withdrawn = advisory("CVE-2026-1", vec![hit("curl", DEBIAN, "7.88-2")]);
        withdrawn.withdrawn = Some(super::start_of_time());
        stage.feed.publish(withdrawn);
        stage.feed.remove("CVE-2026-1");
        let after = round(&mut identifier, host, &stage.estate).await;
        assert_eq!((after.reviews, after.needs, after.told), (1, 0, 1), "{after:?}");
        let rated = rating(host, "curl=7.88-2").await.unwrap();
        assert_eq!((rated.priority, rated.due), (Priority::High, due), "unknown is not low, and no later");
        assert!(!rated.why.contains("CVE-2026-1"), "{}", rated.why);
        assert_eq!(
            why(host, "web-1", "curl=7.88-2").await,
            "not applicable there: deb:curl 7.88-1 is there, and nothing says that it needs it"
        );
    });
}

#[test]
fn what_its_vendor_calls_not_affected_is_no_candidate_even_where_it_is_offered() {
    let stage = Stage::new();
    let offered = |record: EndpointRecord| {
        let package = PackageName::new(Ecosystem::Deb, "curl");
        let (suite, origin) = ("security".to_owned(), "test".to_owned());
        let to = "7.88-2".to_owned();
        let available = vec![patchflow_core::inventory::AvailableUpdate {
            package,
            from: None,
            to,
            suite,
            origin,
            security: true,
        }];
        EndpointRecord { available, ..record }
    };
    stage.estate.put_as("web-1", DEBIAN, &[("curl", "7.88-1")], offered);
    stage.estate.publish(Patch { cves: vec!["CVE-2026-1".into()], ..update("curl", "7.88-2") });
    let clears = |of: &Affected| Affected {
        status: Status::NotAffected { why: "vulnerable_code_not_present".into() },
        ..of.clone()
    };
    let one = hit("curl", DEBIAN, "7.88-2");
    stage.feed.publish(advisory("CVE-2026-1", vec![one.clone(), clears(&one)]));
    stage.run(async |host| {
        let mut identifier = stage.identifier();
        let cleared = round(&mut identifier, host, &stage.estate).await;
        assert_eq!((cleared.reviews, cleared.needs, cleared.told), (1, 0, 0), "{cleared:?}");
        assert_eq!(rating(host, "curl=7.88-2").await, None);
        let reason = identifier.why(&"web-1".into(), &"curl=7.88-2".into()).unwrap();
        assert_eq!(
            reason.to_string(),
            "its vendor says that CVE-2026-1 does not affect it: vulnerable_code_not_present"
        );
        // The vendor finds that it was wrong, and later that it was right.
        stage.feed.publish(advisory("CVE-2026-1", vec![one.clone()]));
        let wrong = round(&mut identifier, host, &stage.estate).await;
        assert_eq!((wrong.needs, wrong.told), (1, 1), "{wrong:?}");
        stage.feed.publish(advisory("CVE-2026-1", vec![one.clone(), clears(&one)]));
        round(&mut identifier, host, &stage.estate).await;
        assert_eq!(
            why(host, "web-1", "curl=7.88-2").await,
            "not applicable there: its vendor says that CVE-2026-1 does not affect it: vulnerable_code_not_present"
        );
    });
}

#[test]
fn a_patch_for_another_release_is_for_nobody_and_says_so() {
    let stage = Stage::new();
    stage.estate.put("old", "ubuntu 22.04", &[("curl", "7.81-1")]);
    stage.estate.put("new", DEBIAN, &[("curl", "7.88-1")]);
    stage.estate.publish(update("curl", "7.88-2"));
    let both = vec![hit("curl", DEBIAN, "7.88-2"), hit("curl", "ubuntu 22.04", "7.81-2")];
    stage.feed.publish(advisory("CVE-2026-1", both));
    stage.run(async |host| {
        let mut identifier = stage.identifier();
        let only = round(&mut identifier, host, &stage.estate).await;
        assert_eq!((only.reviews, only.needs), (2, 1), "{only:?}");
        let reason = identifier.why(&"old".into(), &"curl=7.88-2".into()).unwrap();
        assert_eq!(reason.to_string(), "it is built for debian 12, and ubuntu 22.04 is there");
        let here = identifier.why(&"new".into(), &"curl=7.88-2".into()).unwrap();
        assert_eq!(here.to_string(), "7.88-1 is there, which has CVE-2026-1");
        assert!(matches!(here, Reason::Missing { offered: false, .. }));
    });
}

#[test]
fn what_a_missing_patch_stands_on_or_cannot_be_beside_is_told_with_it() {
    let stage = Stage::new();
    stage.estate.put("web-1", DEBIAN, &[("curl", "7.88-1"), ("libssl", "3.0-2"), ("wget", "1.21-1")]);
    let mut needy = update("curl", "7.88-2");
    needy.relations.requires = vec!["libssl=3.0-2".into()];
    needy.relations.floors = vec!["7.88-1".into()];
    let mut jealous = update("wget", "1.21-1");
    jealous.relations.conflicts = vec!["curl=7.88-2".into()];
    for patch in [needy, jealous, update("libssl", "3.0-2"), update("curl", "7.88-1"), update("bash", "9")] {
        stage.estate.publish(patch);
    }
    stage.feed.publish(advisory("CVE-2026-1", vec![hit("curl", DEBIAN, "7.88-2")]));
    stage.run(async |host| {
        let all = round(&mut stage.identifier(), host, &stage.estate).await;
        assert_eq!((all.patches, all.told), (5, 4), "{all:?}");
        for named in ["curl=7.88-1", "libssl=3.0-2", "wget=1.21-1"] {
            assert!(rating(host, named).await.is_some(), "{named} is there, and the fleet knows it");
        }
        assert_eq!(rating(host, "bash=9").await, None);
    });
}

#[test]
fn of_a_chain_the_newest_counts_after_what_it_stands_on_and_conflicts_are_named() {
    let stage = Stage::new();
    stage.estate.put(
        "web-1",
        DEBIAN,
        &[("curl", "1-1"), ("libssl", "1-1"), ("wget", "1-1"), ("aria", "2-1")],
    );
    let chained = |version: &str, before: Option<&str>| {
        let mut patch = update("curl", version);
        patch.relations.supersedes.extend(before.map(|before| PatchId::from(format!("curl={before}"))));
        patch
    };
    let mut last = chained("4-1", Some("3-1"));
    last.relations.requires = vec!["libssl=2-1".into()];
    let mut jealous = update("wget", "2-1");
    jealous.relations.conflicts = vec!["aria=2-1".into()];
    let all = [chained("2-1", None), chained("3-1", Some("2-1")), last, update("libssl", "2-1"), jealous];
    all.into_iter().chain([update("aria", "2-1")]).for_each(|patch| stage.estate.publish(patch));
    let hits = ["curl", "libssl", "wget"].map(|package| hit(package, DEBIAN, "2-1"));
    stage.feed.publish(advisory("CVE-2026-1", hits.into()));
    stage.run(async |host| {
        let mut identifier = stage.identifier();
        round(&mut identifier, host, &stage.estate).await;
        let resolved = identifier.resolve(&"web-1".into(), |_| true).unwrap();
        let order: Vec<_> = resolved.stages.concat();
        assert_eq!(order, ["libssl=2-1".into(), "curl=4-1".into()]);
        assert_eq!(resolved.replaced.values().collect::<BTreeSet<_>>(), [&PatchId::from("curl=4-1")].into());
        assert_eq!(resolved.waiting[&"wget=2-1".into()].to_string(), "it conflicts with aria=2-1");
        // The newest is not approved, and hides nothing.
        let resolved = identifier.resolve(&"web-1".into(), |id| id.as_str() != "curl=4-1").unwrap();
        assert!(resolved.stages.concat().contains(&"curl=3-1".into()), "{resolved:?}");
        let first = host.with_fleet(FLEET, |fleet| {
            let of = |name: &str| fleet.candidate_of(&PatchId::from(name)).unwrap();
            of("libssl=2-1") < of("curl=4-1")
        });
        assert!(first.await.unwrap(), "what it stands on is proposed first");
    });
}

#[test]
fn an_exposed_endpoint_that_comes_makes_it_more_urgent() {
    let stage = Stage::new();
    stage.estate.put("web-1", DEBIAN, &[("curl", "7.88-1")]);
    stage.estate.publish(update("curl", "7.88-2"));
    stage.feed.publish(advisory("CVE-2026-1", vec![hit("curl", DEBIAN, "7.88-2")]));
    stage.feed.publish(listed("CVE-2025-9"));
    stage.run(async |host| {
        let mut identifier = stage.identifier();
        round(&mut identifier, host, &stage.estate).await;
        assert_eq!(rating(host, "curl=7.88-2").await.unwrap().priority, Priority::High);
        stage.estate.put_as("edge", DEBIAN, &[("curl", "7.88-1")], |record| EndpointRecord {
            criticality: Criticality::Critical,
            exposure: Exposure::Internet,
            ..record
        });
        let came = round(&mut identifier, host, &stage.estate).await;
        assert_eq!((came.endpoints, came.reviews, came.needs), (1, 1, 1), "{came:?}");
        assert_eq!(rating(host, "curl=7.88-2").await.unwrap().priority, Priority::Critical);
    });
}

#[test]
fn what_nothing_repairs_on_a_platform_without_support_is_listed_with_what_to_do() {
    let stage = Stage::new();
    stage.estate.put("old", "debian 8", &[("curl", "7.38-4")]);
    stage.estate.put("new", DEBIAN, &[("curl", "7.88-1")]);
    let never = |platform| Affected { fix: Fix::Never, ..hit("curl", platform, "9") };
    stage.feed.publish(advisory("CVE-2026-1", vec![never("debian 8"), never(DEBIAN)]));
    stage.feed.publish(advisory("CVE-2026-2", vec![hit("curl", DEBIAN, "7.88-2")]));
    stage.estate.publish(update("curl", "7.88-2"));
    let end = EndOfLife {
        platform: Platform::named("debian 8"),
        since: "2020-06-30T00:00:00Z".parse().unwrap(),
        mitigation: "upgrade to debian 13".into(),
    };
    stage.run(async |host| {
        let mut identifier = stage.identifier().ends([end.clone()]);
        round(&mut identifier, host, &stage.estate).await;
        let found = identifier.unpatchable(super::start_of_time());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].endpoint.as_str(), &found[0].end), ("old", &end));
        assert_eq!(&*found[0].weaknesses[0], "CVE-2026-1");
        assert_eq!(identifier.unpatchable("2019-01-01T00:00:00Z".parse().unwrap()), []);
        // The fleet knows it too.
        assert!(
            why(host, "old", "curl=7.88-2").await.ends_with(
                "; its platform debian 8 is out of support since 2020-06-30T00:00:00.000Z, instead: upgrade to debian 13"
            ),
            "{}",
            why(host, "old", "curl=7.88-2").await
        );
        assert!(!why(host, "new", "curl=7.88-2").await.contains("support"));
    });
}

/// The index hands numbers of software out again; whoever keeps something by number must notice.
#[test]
fn software_that_goes_and_comes_under_used_numbers_confuses_nobody() {
    let stage = Stage::new();
    stage.estate.put("web-1", DEBIAN, &[("curl", "7.88-1")]);
    stage.estate.publish(update("curl", "7.88-2"));
    stage.estate.publish(update("nginx", "1.22-2"));
    stage.feed.publish(advisory("CVE-2026-1", vec![hit("curl", DEBIAN, "7.88-2")]));
    stage.feed.publish(advisory("CVE-2026-2", vec![hit("nginx", DEBIAN, "1.22-2")]));
    stage.run(async |host| {
        let mut identifier = stage.identifier();
        round(&mut identifier, host, &stage.estate).await;
        stage.estate.put("web-1", DEBIAN, &[("nginx", "1.22-1")]);
        let turned = round(&mut identifier, host, &stage.estate).await;
        assert_eq!((turned.needs, turned.reviews), (1, 2), "{turned:?}");
        assert_eq!(
            why(host, "web-1", "curl=7.88-2").await,
            "not applicable there: it does not have deb:curl"
        );
        assert!(why(host, "web-1", "nginx=1.22-2").await.starts_with("needed there in the place of 1.22-1"));
    });
}
