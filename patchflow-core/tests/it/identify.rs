//! What advisories say of installed versions, and what is missing where.

use patchflow_core::catalog::version::{Range, Scheme, Version};
use patchflow_core::catalog::{Advisory, Affected, Fix, KnownExploited, Product, Severity, Status, Versions};
use patchflow_core::identify::{AdvisoryIndex, Installed, Matches, Missing, Rates, Standing, Survey, judge};
use patchflow_core::inventory::*;
use patchflow_core::package::{Cpe, Ecosystem, PackageName, Platform};
use patchflow_core::risk::{Catalogues, DueLimits, Priority, RiskRules};
use patchflow_core::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn day(days: i64) -> Timestamp {
    Timestamp::from_secs(NOW.as_millis() / 1000 + days * 86_400)
}

fn debian() -> Platform {
    Platform::named("debian 12")
}

fn package(name: &str) -> Product {
    let package = PackageName::new(Ecosystem::Deb, name);
    Product::Package { package, platform: Some(debian()), of_source: false }
}

fn source(name: &str) -> Product {
    let package = PackageName::new(Ecosystem::Deb, name);
    Product::Package { package, platform: Some(debian()), of_source: true }
}

fn cpe() -> Cpe {
    Cpe::application("haxx", "curl", None).unwrap()
}

fn below(version: &str) -> Versions {
    Versions::Some { range: Range::new(Scheme::Deb).below(version).unwrap(), exact: vec![] }
}

fn from(version: &str) -> Fix {
    Fix::From(Version::new(Scheme::Deb, version).unwrap())
}

fn hurt(product: Product, fixed: &str) -> Affected {
    Affected { fix: from(fixed), ..Affected::of(product, below(fixed)) }
}

fn with(affected: impl IntoIterator<Item = Affected>) -> Advisory {
    Advisory { affected: affected.into_iter().collect(), ..Advisory::new("CVE-2026-1") }
}

/// `libcurl4` 8.0-1 of the source `curl` 8.0-0.
fn libcurl() -> InstalledSoftware {
    InstalledSoftware {
        built_from: Some(BuiltFrom { name: "curl".into(), version: "8.0-0".into() }),
        cpe: Some(Cpe::application("haxx", "curl", Some("8.0")).unwrap()),
        ..InstalledSoftware::new(PackageName::new(Ecosystem::Deb, "libcurl4"), "8.0-1")
    }
}

fn on_debian(affected: impl IntoIterator<Item = Affected>) -> Option<(Standing, usize)> {
    judge(&with(affected), Installed::on(Some(&debian()), &libcurl()))
}

fn standing(affected: impl IntoIterator<Item = Affected>) -> Option<Standing> {
    on_debian(affected).map(|(standing, _)| standing)
}

#[test]
fn software_is_named_by_package_source_or_cpe() {
    let hit = Some((Standing::Affected, 0));
    assert_eq!(on_debian([hurt(package("libcurl4"), "8.0-2")]), hit);
    assert_eq!(on_debian([hurt(package("libcurl4"), "8.0-1")]), None, "the fix itself is not affected");
    assert_eq!(on_debian([hurt(source("curl"), "8.0-1")]), hit, "the version of the source counts");
    assert_eq!(on_debian([hurt(source("curl"), "8.0-0")]), None);
    assert_eq!(on_debian([hurt(package("curl"), "9")]), None, "the name of the source is no package here");
    assert_eq!(on_debian([hurt(source("libcurl4"), "9")]), None, "nor the name of the package a source");
    assert_eq!(on_debian([hurt(Product::Cpe(cpe()), "9")]), hit);
    let other = Cpe::application("haxx", "wget", None).unwrap();
    assert_eq!(on_debian([hurt(Product::Cpe(other), "9")]), None);
    assert_eq!(on_debian([Affected::of(package("libcurl4"), Versions::Exactly(vec!["8.0-1".into()]))]), hit);
    assert_eq!(on_debian([Affected::of(package("libcurl4"), Versions::Exactly(vec!["8.0".into()]))]), None);
    assert_eq!(on_debian([Affected::of(package("libcurl4"), Versions::All)]), hit);
    assert_eq!(on_debian([]), None);
    let plain = InstalledSoftware::new(PackageName::new(Ecosystem::Deb, "curl"), "8");
    let by_source = with([hurt(source("curl"), "9")]);
    let judged = judge(&by_source, Installed::on(Some(&debian()), &plain));
    assert_eq!(judged, hit, "what names no source was built from one of its own name");
}

#[test]
fn packages_of_a_system_are_judged_on_their_release_alone() {
    let all = with([Affected::of(package("libcurl4"), Versions::All)]);
    let judged = |advisory: &Advisory, platform: Option<&Platform>| {
        judge(advisory, Installed::on(platform, &libcurl())).map(|(standing, _)| standing)
    };
    assert_eq!(judged(&all, Some(&debian())), Some(Standing::Affected));
    assert_eq!(judged(&all, Some(&Platform::named("debian 13"))), None);
    assert_eq!(judged(&all, Some(&Platform::named("ubuntu 24.04"))), None);
    assert_eq!(judged(&all, None), None, "whose release nobody knows");
    let mut nowhere = all.clone();
    let libcurl4 = PackageName::new(Ecosystem::Deb, "libcurl4");
    nowhere.affected[0].product = Product::Package { package: libcurl4, platform: None, of_source: false };
    assert_eq!((judged(&nowhere, Some(&debian())), judged(&nowhere, None)), (None, None));

    let requests = InstalledSoftware::new(PackageName::new(Ecosystem::Pypi, "Zope.Interface"), "1");
    let spelled = PackageName::new(Ecosystem::Pypi, "zope_interface");
    let product = Product::Package { package: spelled, platform: None, of_source: false };
    let python = with([Affected::of(product, Versions::All)]);
    for platform in [None, Some(debian())] {
        let judged = judge(&python, Installed::on(platform.as_ref(), &requests));
        assert_eq!(judged, Some((Standing::Affected, 0)), "packages of a language are at home everywhere");
    }
    let npm = InstalledSoftware::new(PackageName::new(Ecosystem::Npm, "zope_interface"), "1");
    assert_eq!(judge(&python, Installed::on(None, &npm)), None, "the same name of another ecosystem");
}

#[test]
fn the_more_exact_name_clears_and_the_less_exact_does_not() {
    let cleared = |product| Affected {
        status: Status::NotAffected { why: "the code is not there".into() },
        ..Affected::of(product, Versions::All)
    };
    let fixed = |product| Affected { status: Status::Fixed, ..Affected::of(product, Versions::All) };
    let (by_package, by_source) = (|| package("libcurl4"), || source("curl"));
    let by_cpe = || Product::Cpe(cpe());
    let names: [&dyn Fn() -> Product; 3] = [&by_cpe, &by_source, &by_package];
    for (at, hurts) in names.iter().enumerate() {
        for (by, clears) in names.iter().enumerate() {
            let expected = (by < at).then_some(Standing::Affected);
            assert_eq!(standing([hurt(hurts(), "9"), cleared(clears())]), expected, "{at} {by}");
            assert_eq!(standing([fixed(clears()), hurt(hurts(), "9")]), expected, "{at} {by}, fixed");
        }
    }
    let elsewhere = Affected { versions: below("8.0-1"), ..cleared(package("libcurl4")) };
    assert_eq!(
        standing([hurt(source("curl"), "9"), elsewhere]),
        Some(Standing::Affected),
        "another version is cleared"
    );
    assert_eq!(standing([cleared(package("libcurl4"))]), None);
}

#[test]
fn what_is_looked_into_counts_and_affected_counts_more() {
    let open =
        |product| Affected { status: Status::UnderInvestigation, ..Affected::of(product, Versions::All) };
    assert_eq!(standing([open(package("libcurl4"))]), Some(Standing::UnderInvestigation));
    let both = [open(package("libcurl4")), hurt(package("libcurl4"), "9")];
    assert_eq!(on_debian(both), Some((Standing::Affected, 1)));
    let both = [open(package("libcurl4")), hurt(source("curl"), "9")];
    assert_eq!(standing(both), Some(Standing::UnderInvestigation), "the more exact name decides");
}

#[test]
fn a_version_that_nobody_can_read_counts_as_affected() {
    let odd = InstalledSoftware { version: "8 0".into(), built_from: None, ..libcurl() };
    let judged = |affected: Affected| judge(&with([affected]), Installed::on(Some(&debian()), &odd));
    assert_eq!(judged(hurt(package("libcurl4"), "9")), Some((Standing::Unreadable, 0)));
    let listed = Versions::Some { range: Range::new(Scheme::Deb), exact: vec!["7".into()] };
    assert_eq!(judged(Affected::of(package("libcurl4"), listed)), None, "a list is compared as text");
    let safe = Affected { status: Status::Fixed, ..hurt(package("libcurl4"), "9") };
    assert_eq!(judged(safe.clone()), None);
    let both = with([hurt(package("libcurl4"), "9"), safe]);
    let judged = judge(&both, Installed::on(Some(&debian()), &odd));
    assert_eq!(judged, Some((Standing::Unreadable, 0)), "what cannot be read clears nothing");
}

#[test]
fn what_was_withdrawn_hits_nothing_and_the_highest_fix_decides() {
    let advisory = with([
        hurt(package("libcurl4"), "8.1"),
        hurt(package("libcurl4"), "8.3"),
        hurt(package("libcurl4"), "8.2"),
    ]);
    let judged = |advisory: &Advisory| judge(advisory, Installed::on(Some(&debian()), &libcurl()));
    assert_eq!(judged(&advisory), Some((Standing::Affected, 1)));
    assert_eq!(judged(&Advisory { withdrawn: Some(NOW), ..advisory }), None);
    let never = Affected { fix: Fix::Never, ..hurt(package("libcurl4"), "9") };
    assert_eq!(on_debian([never, hurt(package("libcurl4"), "8.1")]), Some((Standing::Affected, 1)));
    let twice = [hurt(package("libcurl4"), "8.1"), hurt(package("libcurl4"), "8.1")];
    assert_eq!(on_debian(twice), Some((Standing::Affected, 0)), "of equals the first");
}

/// One endpoint and some advisories.
struct Story {
    record: EndpointRecord,
    advisories: Vec<Advisory>,
    ends: Vec<EndOfLife>,
}

impl Story {
    fn of(installed: Vec<InstalledSoftware>, advisories: Vec<Advisory>) -> Self {
        let bare = EndpointRecord::new("web-1".into(), Environment::Production, NOW);
        Self {
            record: EndpointRecord { os: "debian 12".into(), installed, ..bare },
            advisories,
            ends: vec![],
        }
    }

    fn names(&self, ix: impl IntoIterator<Item = patchflow_core::identify::AdvisoryIx>) -> Vec<&str> {
        ix.into_iter().map(|ix| &*self.advisories[ix.0 as usize].id).collect()
    }

    fn missing(&self) -> Vec<(String, Missing)> {
        let mut inventory = InventoryIndex::new();
        let endpoint = inventory.put(&self.record).endpoint;
        let mut advisories = AdvisoryIndex::new();
        for advisory in &self.advisories {
            advisories.put(advisory.clone());
        }
        let rates = Rates {
            rules: &RiskRules::default(),
            limits: &DueLimits::default(),
            catalogues: Catalogues { known_exploited: true },
            ends: &self.ends,
            now: NOW,
        };
        let matches = Matches::of(&inventory, &advisories);
        let missing = matches.missing(endpoint, &inventory, &advisories, &rates);
        let mut survey = Survey::new(&matches, &inventory, &advisories, rates);
        for _ in 0..2 {
            let surveyed = survey.missing(endpoint);
            assert!(surveyed.iter().map(|one| &**one).eq(&missing), "the survey says the same");
        }
        let name =
            |missing: &Missing| inventory.software(missing.software).unwrap().software.package.name.clone();
        missing.into_iter().map(|missing| (name(&missing), missing)).collect()
    }

    fn only(&self) -> Missing {
        let mut missing = self.missing();
        assert_eq!(missing.len(), 1);
        missing.remove(0).1
    }
}

fn deb(name: &str, version: &str) -> InstalledSoftware {
    InstalledSoftware::new(PackageName::new(Ecosystem::Deb, name), version)
}

fn rated(id: &str, severity: Severity, affected: Affected) -> Advisory {
    Advisory { severity, fixed_at: Some(day(-1)), affected: vec![affected], ..Advisory::new(id) }
}

#[test]
fn the_most_urgent_comes_first_then_the_earliest_due() {
    let high = |name: &str, days: i64| Advisory {
        fixed_at: Some(day(days)),
        ..rated(name, Severity::High, hurt(package(name), "2"))
    };
    let story = Story::of(
        ["a", "b", "c", "d", "e"].map(|name| deb(name, "1")).into(),
        vec![
            rated("CVE-2026-1", Severity::Low, hurt(package("a"), "2")),
            high("b", -1),
            high("c", -9),
            rated("CVE-2026-4", Severity::Critical, hurt(package("d"), "2")),
        ],
    );
    let names: Vec<_> = story.missing().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["d", "c", "b", "a"], "and e lacks nothing");
}

#[test]
fn the_highest_fix_is_missing_and_what_it_leaves_is_told() {
    let mut unfixed = Affected::of(package("curl"), Versions::All);
    unfixed.mitigation = Some("switch HTTP/3 off".into());
    let looked_into = Affected { status: Status::UnderInvestigation, ..hurt(package("curl"), "7") };
    let story = Story::of(
        vec![deb("curl", "1")],
        vec![
            rated("CVE-2026-1", Severity::High, hurt(package("curl"), "1.10")),
            rated("CVE-2026-2", Severity::Low, hurt(package("curl"), "1.9")),
            rated("CVE-2026-3", Severity::Low, unfixed),
            rated("CVE-2026-4", Severity::Low, looked_into),
        ],
    );
    let missing = story.only();
    assert_eq!((&missing.fix, missing.can_be_patched()), (&from("1.10"), true));
    assert_eq!(missing.hits.len(), 4);
    assert_eq!(story.names(missing.unrepaired), ["CVE-2026-3", "CVE-2026-4"]);
    assert_eq!(missing.mitigations, ["switch HTTP/3 off"]);
    assert_eq!(missing.rating.assessment.priority, Priority::High, "the most urgent decides");

    let never = Affected { fix: Fix::Never, ..Affected::of(package("curl"), Versions::All) };
    let missing =
        Story::of(vec![deb("curl", "1")], vec![rated("CVE-2026-1", Severity::Critical, never)]).only();
    assert_eq!((missing.fix.clone(), missing.can_be_patched()), (Fix::Never, false));
    assert_eq!(missing.unrepaired.len(), 1);
}

#[test]
fn an_update_that_is_there_already_is_not_missing_and_rates_nothing() {
    let windows = |name: &str| PackageName::new(Ecosystem::Windows, name);
    let by = |kb: &str| {
        let product = Product::Package { package: windows("Windows 11"), platform: None, of_source: false };
        Affected { fix: Fix::By(kb.into()), ..Affected::of(product, Versions::All) }
    };
    let system = InstalledSoftware::new(windows("Windows 11"), "10.0.22631.1");
    let update = InstalledSoftware::new(windows("KB5034441"), "1");
    let advisories = vec![
        rated("CVE-2026-1", Severity::Critical, by("KB5034441")),
        rated("CVE-2026-2", Severity::Low, by("KB5035000")),
        rated("CVE-2026-3", Severity::Low, by("KB5036000")),
    ];
    let bare = Story::of(vec![system.clone()], advisories.clone());
    let missing = bare.only();
    assert_eq!((missing.fix, missing.hits.len()), (Fix::By("KB5034441".into()), 3));
    assert_eq!(missing.rating.assessment.priority, Priority::Critical);
    let story = Story::of(vec![system, update.clone()], advisories.clone());
    let missing = story.only();
    assert_eq!((missing.fix, missing.hits.len()), (Fix::By("KB5035000".into()), 2));
    assert_eq!(missing.rating.assessment.priority, Priority::Low, "what is closed rates nothing");
    assert_eq!(story.names(missing.unrepaired), ["CVE-2026-3"], "one update does not do another's work");
    let system = InstalledSoftware::new(windows("Windows 11"), "10.0.22631.1");
    assert!(Story::of(vec![system, update], advisories[..1].to_vec()).missing().is_empty());
}

#[test]
fn a_platform_without_support_is_told_with_what_to_do_instead() {
    let low = rated("CVE-2026-1", Severity::Low, hurt(package("curl"), "2"));
    let mut story = Story::of(vec![deb("curl", "1")], vec![low]);
    let end = |platform: &str, since| EndOfLife {
        platform: Platform::named(platform),
        since,
        mitigation: "upgrade to debian 13".into(),
    };
    let before = story.only();
    assert_eq!((&before.end_of_life, before.rating.assessment.priority), (&None, Priority::Low));
    story.ends = vec![end("debian 11", day(-9)), end("debian 12", day(1))];
    assert_eq!(story.only().end_of_life, None, "another platform, and an end that is still to come");
    story.ends = vec![end("debian 12", NOW)];
    let after = story.only();
    assert_eq!(after.end_of_life.unwrap().mitigation, "upgrade to debian 13");
    assert_eq!(after.rating.assessment.priority, Priority::High);
}

#[test]
fn the_same_advisory_is_more_urgent_where_more_depends_on_it() {
    let high = rated("CVE-2026-1", Severity::High, hurt(package("curl"), "2"));
    let mut story = Story::of(vec![deb("curl", "1")], vec![high.clone()]);
    let priority = |story: &Story| story.only().rating.assessment.priority;
    assert_eq!(priority(&story), Priority::High);
    (story.record.criticality, story.record.exposure) = (Criticality::Critical, Exposure::Internet);
    assert_eq!(priority(&story), Priority::Critical);
    (story.record.criticality, story.record.exposure) = (Criticality::Low, Exposure::Isolated);
    assert_eq!(priority(&story), Priority::High);

    story.advisories[0].exploited = Some(KnownExploited { since: day(-2), due: None, ransomware: false });
    assert_eq!(priority(&story), Priority::Critical, "known exploitation is urgent everywhere");

    let mut here = high;
    here.affected[0].severity = Some(Severity::Low);
    story.advisories = vec![here];
    assert_eq!(priority(&story), Priority::Low, "what is said of this product goes before");
}
