use super::*;
use crate::catalog::version::{Range, Scheme, Version};
use crate::catalog::{
    Affected, Category, Epss, Exploitation, Fix, KnownExploited, Product, Severity, Ssvc, Status, Versions,
};
use crate::package::{Ecosystem, PackageName, Platform};
use crate::time::Timestamp;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::{format, vec};
use proptest::prelude::*;

fn day(day: i64) -> Timestamp {
    Timestamp::from_secs(day * 86_400)
}

fn record(feed: &str, id: &str, aliases: &[&str]) -> Advisory {
    let provenance = vec![Provenance { feed: feed.into(), record: id.into(), modified: Some(day(1)) }];
    let aliases = aliases.iter().map(|name| Arc::from(*name)).collect();
    Advisory { provenance, aliases, ..Advisory::new(id) }
}

fn says(platform: Option<&str>, fixed: &str, status: Status) -> Affected {
    Affected {
        product: Product::Package {
            package: PackageName::new(Ecosystem::Deb, "curl"),
            platform: platform.map(Platform::named),
            of_source: true,
        },
        versions: Versions::Some { range: Range::new(Scheme::Deb).below(fixed).unwrap(), exact: vec![] },
        status,
        fix: Fix::From(Version::new(Scheme::Deb, fixed).unwrap()),
        severity: None,
        mitigation: None,
    }
}

fn merged(records: impl IntoIterator<Item = Advisory>) -> Merge {
    merge(records, &Authorities::default())
}

fn ids(merge: &Merge) -> Vec<&str> {
    merge.advisories.iter().map(|merged| &*merged.advisory.id).collect()
}

fn told(merge: &Merge) -> Vec<String> {
    merge.findings.iter().map(ToString::to_string).collect()
}

#[test]
fn names_join_records_and_two_numbers_are_never_made_one() {
    let all = merged([
        record("cve", "CVE-1", &[]),
        record("ghsa", "GHSA-a", &["CVE-1"]),
        record("pypa", "PYSEC-1", &["GHSA-a"]),
        record("pypa", "PYSEC-9", &["PYSEC-8"]),
        record("osv", "OSV-8", &["PYSEC-8"]),
        // It claims a name that belongs to the first number.
        record("other", "CVE-2", &["GHSA-a"]),
        record("lost", "GHSA-b", &[]),
    ]);
    // GHSA-a leads to two numbers, so what bears only this name stands by itself, as a bulletin of both would.
    assert_eq!(ids(&all), ["CVE-1", "CVE-2", "GHSA-b", "OSV-8", "PYSEC-1"]);
    let one = &all.advisories[0].advisory;
    assert_eq!(one.aliases, [Arc::from("GHSA-a")]);
    assert_eq!(one.provenance.len(), 2);
    let without_claim = merged([
        record("cve", "CVE-1", &[]),
        record("ghsa", "GHSA-a", &["CVE-1"]),
        record("pypa", "PYSEC-1", &["GHSA-a"]),
    ]);
    assert_eq!(ids(&without_claim), ["CVE-1"]);
    assert_eq!(without_claim.advisories[0].advisory.aliases, [Arc::from("GHSA-a"), "PYSEC-1".into()]);
}

#[test]
fn a_bulletin_stays_by_itself_and_takes_over_what_is_known_of_its_weaknesses() {
    let mut bulletin = record("osv almalinux", "ALSA-1", &["CVE-1", "CVE-2"]);
    bulletin.published = Some(day(9));
    bulletin.severity = Severity::Moderate;
    let mut first = record("cve", "CVE-1", &[]);
    first.published = Some(day(3));
    first.severity = Severity::Critical;
    first.cvss = vec!["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H".into()];
    let mut kev = record("cisa kev", "CVE-2", &[]);
    kev.exploited = Some(KnownExploited { since: day(5), due: None, ransomware: true });
    let mut epss = record("epss", "CVE-2", &[]);
    epss.epss = Some(Epss { score: 0.5, percentile: 0.9, on: Some(day(6)) });
    let all = merged([bulletin, first, kev, epss]);
    assert_eq!(ids(&all), ["ALSA-1", "CVE-1", "CVE-2"]);
    let alsa = &all.advisories[0];
    assert_eq!((alsa.advisory.severity, alsa.advisory.published), (Severity::Moderate, Some(day(3))));
    assert_eq!(alsa.advisory.exploited.as_ref().map(|listed| listed.ransomware), Some(true));
    assert_eq!((alsa.advisory.epss.map(|epss| epss.score), alsa.advisory.cvss.len()), (Some(0.5), 1));
    assert_eq!(&*alsa.origins[&Field::Exploited].feed, "cisa kev");
    assert_eq!(alsa.advisory.provenance.len(), 4);
}

#[test]
fn what_bears_the_name_of_a_bulletin_belongs_to_it() {
    let mut plain = record("ghsa", "GHSA-a", &[]);
    plain.title = "told without its numbers".into();
    let all = merged([record("nvd", "GHSA-a", &["CVE-1", "CVE-2"]), plain]);
    assert_eq!((ids(&all), all.advisories[0].advisory.provenance.len()), (vec!["GHSA-a"], 2));
}

#[test]
fn each_field_has_its_winner_and_says_who_it_was() {
    let mut nvd = record("nvd", "CVE-1", &[]);
    let mut ghsa = record("ghsa", "GHSA-a", &["CVE-1"]);
    let changed_last = |record: &mut Advisory| record.provenance[0].modified = Some(day(7));
    changed_last(&mut ghsa);
    (nvd.title, ghsa.title) = ("older".into(), "newer".into());
    (nvd.severity, ghsa.severity) = (Severity::Critical, Severity::Low);
    (nvd.category, ghsa.category) = (Category::Bugfix, Category::Security);
    (nvd.published, ghsa.published) = (Some(day(4)), Some(day(3)));
    (nvd.fixed_at, ghsa.fixed_at) = (Some(day(5)), None);
    let listed = |since, due, ransomware| Some(KnownExploited { since: day(since), due, ransomware });
    (nvd.exploited, ghsa.exploited) = (listed(8, Some(day(20)), true), listed(6, None, false));
    let epss = |score, on| Some(Epss { score, percentile: 0.5, on: Some(day(on)) });
    (nvd.epss, ghsa.epss) = (epss(0.9, 1), epss(0.1, 2));
    let ssvc = |exploitation, at| {
        Some(Ssvc {
            exploitation: Some(exploitation),
            automatable: None,
            total_impact: None,
            at: Some(day(at)),
        })
    };
    (nvd.ssvc, ghsa.ssvc) = (ssvc(Exploitation::None, 3), ssvc(Exploitation::Active, 3));
    (nvd.cvss, ghsa.cvss) = (vec!["b".into()], vec!["a".into(), "b".into()]);
    let all = merged([nvd, ghsa]);
    let Merged { advisory, origins } = &all.advisories[0];
    assert_eq!((advisory.title.as_str(), advisory.severity), ("newer", Severity::Critical));
    assert_eq!((advisory.published, advisory.fixed_at), (Some(day(3)), Some(day(5))));
    let exploited = KnownExploited { since: day(6), due: Some(day(20)), ransomware: true };
    assert_eq!(advisory.exploited, Some(exploited));
    assert_eq!(advisory.epss.map(|epss| epss.score), Some(0.1), "the newest");
    assert_eq!(advisory.ssvc.and_then(|ssvc| ssvc.exploitation), Some(Exploitation::Active), "the worst");
    assert_eq!(
        (advisory.category, &advisory.cvss[..]),
        (Category::Security, &["a".to_string(), "b".into()][..])
    );
    let by = |field| &*origins[&field].feed;
    let fields =
        [Field::Title, Field::Severity, Field::Published, Field::FixedAt, Field::Exploited, Field::Epss];
    assert_eq!(fields.map(by), ["ghsa", "nvd", "ghsa", "nvd", "ghsa", "ghsa"]);
}

#[test]
fn a_platforms_own_feed_speaks_for_it_and_who_is_overruled_is_told() {
    let (own, foreign) =
        (says(Some("debian 12"), "2", Status::Affected), says(Some("debian 12"), "9", Status::Affected));
    let elsewhere = says(Some("ubuntu 24.04"), "5", Status::Affected);
    let mut debian = record("debian tracker", "CVE-1", &[]);
    debian.affected = vec![own.clone()];
    let mut nvd = record("nvd", "CVE-1", &[]);
    nvd.affected = vec![foreign.clone(), elsewhere.clone()];
    let all = merged([nvd.clone(), debian.clone()]);
    assert_eq!(all.advisories[0].advisory.affected, [own.clone(), elsewhere.clone()]);
    assert_eq!(
        told(&all),
        ["CVE-1: what `nvd` says of deb:curl is overruled by the feed of debian 12 itself"]
    );
    debian.affected.clear();
    assert_eq!(merged([nvd.clone(), debian]).advisories[0].advisory.affected, [foreign.clone(), elsewhere]);
    let mut mirror = record("mirror", "CVE-1", &[]);
    mirror.affected = vec![own.clone()];
    let both = merged([nvd.clone(), mirror.clone()]);
    assert_eq!(both.advisories[0].advisory.affected.len(), 3, "nobody speaks for it: all count");
    let named = merge([nvd, mirror], &Authorities::default().and("mirror", "debian"));
    assert_eq!(named.advisories[0].advisory.affected.first(), Some(&own));
}

#[test]
fn feeds_that_contradict_each_other_are_told_and_both_kept() {
    let mut vex = record("vex", "CVE-1", &[]);
    vex.affected = vec![says(None, "2", Status::NotAffected { why: "not built in".into() })];
    let mut nvd = record("nvd", "CVE-1", &[]);
    nvd.affected = vec![says(None, "2", Status::Affected)];
    let all = merged([vex, nvd]);
    assert_eq!(all.advisories[0].advisory.affected.len(), 2);
    assert_eq!(told(&all), ["CVE-1: `nvd` and `vex` disagree whether deb:curl is affected"]);
}

#[test]
fn a_record_takes_back_its_own_words_only() {
    let mut debian = record("debian tracker", "CVE-1", &[]);
    debian.affected = vec![says(Some("debian 12"), "2", Status::Affected)];
    let mut nvd = record("nvd", "CVE-1", &[]);
    nvd.affected = vec![says(None, "2", Status::Affected)];
    nvd.severity = Severity::Critical;
    nvd.withdrawn = Some(day(8));
    let all = merged([nvd.clone(), debian.clone()]);
    let one = &all.advisories[0].advisory;
    assert_eq!((one.withdrawn, one.severity, &one.affected), (None, Severity::Unknown, &debian.affected));
    // A catalogue that lists it speaks of no product.
    let mut kev = record("cisa kev", "CVE-1", &[]);
    kev.exploited = Some(KnownExploited { since: day(5), due: None, ransomware: false });
    let all = merged([nvd, kev]);
    assert_eq!(all.advisories[0].advisory.withdrawn, Some(day(8)));
    assert_eq!(&*all.advisories[0].origins[&Field::Withdrawn].feed, "nvd");
}

#[test]
fn one_name_with_two_contents_is_told() {
    let (mut one, mut other) = (record("osv", "CVE-1", &[]), record("osv", "CVE-1", &[]));
    assert_eq!(told(&merged([one.clone(), other.clone()])), Vec::<String>::new(), "the same words twice");
    (one.severity, other.severity) = (Severity::Low, Severity::High);
    let both = merged([one.clone(), other.clone()]);
    assert_eq!(
        told(&both),
        ["osv CVE-1: CVE-1 stands there 2 times with different content and the same date; all of it counts"]
    );
    assert_eq!(both.advisories[0].advisory.severity, Severity::High);
    one.provenance[0].modified = Some(day(2));
    let newer = merged([other, one]);
    assert_eq!(
        told(&newer),
        ["osv CVE-1: CVE-1 stands there with different content; the one changed last counts"]
    );
    assert_eq!(newer.advisories[0].advisory.severity, Severity::Low);
}

fn any_record() -> impl Strategy<Value = Advisory> {
    let names = ["CVE-1", "CVE-2", "CVE-3", "GHSA-a", "GHSA-b", "ALSA-1", "PYSEC-1"];
    let name = || prop::sample::select(names.to_vec());
    let feed = prop::sample::select(vec!["osv debian", "nvd", "ghsa", "cisa kev"]);
    let status = prop::sample::select(vec![
        Status::Affected,
        Status::Fixed,
        Status::UnderInvestigation,
        Status::NotAffected { why: String::new() },
    ]);
    let affected = (prop::sample::select(vec![None, Some("debian 12"), Some("ubuntu 24.04")]), 1..4, status)
        .prop_map(|(platform, fixed, status)| says(platform, &format!("{fixed}"), status));
    let dates = prop::collection::vec(prop::option::of(0_i64..4), 6);
    (
        feed,
        name(),
        prop::collection::vec(name(), 0..3),
        prop::collection::vec(affected, 0..3),
        dates,
        0_usize..5,
        0.0..1.0,
    )
        .prop_map(|(feed, id, aliases, affected, dates, severity, score)| {
            use Severity::{Critical, High, Low, Moderate, Unknown};
            let mut record = record(feed, id, &aliases);
            let date = |at: usize| dates[at].map(day);
            record.provenance[0].modified = date(0);
            record.title = format!("{severity}");
            record.severity = [Unknown, Low, Moderate, High, Critical][severity];
            record.category = [Category::Security, Category::Bugfix][severity % 2];
            (record.published, record.fixed_at) = (date(1), date(2));
            record.withdrawn = date(3).filter(|at| *at > day(1));
            record.exploited =
                date(4).map(|since| KnownExploited { since, due: date(5), ransomware: severity > 3 });
            record.epss = date(5).map(|on| Epss { score, percentile: score, on: Some(on) });
            record.ssvc = date(4).map(|at| Ssvc {
                exploitation: None,
                automatable: Some(severity > 2),
                total_impact: None,
                at: Some(at),
            });
            record.cvss = vec![format!("{severity}")];
            record.affected = affected;
            record
        })
}

proptest! {
    #[test]
    fn the_order_of_feeds_does_not_matter(
        (records, shuffled) in prop::collection::vec(any_record(), 0..9)
            .prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle()))
    ) {
        let one = merged(records.clone());
        prop_assert_eq!(&one, &merged(shuffled));
        // Said twice is said once.
        prop_assert_eq!(&one, &merged(records.iter().cloned().chain(records.iter().cloned())));
        for Merged { advisory, .. } in &one.advisories {
            let numbers = advisory.aliases.iter().filter(|name| advisory.id.starts_with("CVE-") && name.starts_with("CVE-"));
            for number in numbers {
                let said = records.iter().any(|r| r.id == advisory.id && r.aliases.contains(number));
                prop_assert!(said, "{} and {} are made one by no chance", advisory.id, number);
            }
        }
        // Every record that was not replaced by a newer one of its feed is in somebody's provenance.
        let known: Vec<&Provenance> = one.advisories.iter().flat_map(|merged| &merged.advisory.provenance).collect();
        for record in &records {
            let own = &record.provenance[0];
            prop_assert!(known.iter().any(|p| p.feed == own.feed && p.record == own.record && p.modified >= own.modified));
        }
    }

    #[test]
    fn of_each_field_the_stated_winner_counts(records in prop::collection::vec(any_record(), 1..6)) {
        // One record for each feed, about one weakness, all standing.
        let mut feeds = BTreeMap::new();
        for (at, mut record) in records.into_iter().enumerate() {
            record.id = "CVE-1".into();
            record.aliases.clear();
            record.withdrawn = None;
            record.provenance[0].record = format!("{at}").into();
            feeds.insert(at, record);
        }
        let records: Vec<Advisory> = feeds.into_values().collect();
        let all = merged(records.clone());
        prop_assert_eq!(all.advisories.len(), 1);
        let advisory = &all.advisories[0].advisory;
        prop_assert_eq!(Some(advisory.severity), records.iter().map(|r| r.severity).max());
        prop_assert_eq!(advisory.published, records.iter().filter_map(|r| r.published).min());
        prop_assert_eq!(advisory.fixed_at, records.iter().filter_map(|r| r.fixed_at).min());
        let since = records.iter().filter_map(|r| r.exploited.as_ref()).map(|listed| listed.since).min();
        prop_assert_eq!(advisory.exploited.as_ref().map(|listed| listed.since), since);
        let newest = records.iter().filter_map(|r| r.epss.as_ref()).map(|epss| epss.on).max();
        prop_assert_eq!(advisory.epss.as_ref().map(|epss| epss.on), newest);
        for Affected { product, .. } in records.iter().flat_map(|record| &record.affected) {
            prop_assert!(advisory.affected.iter().any(|affected| affected.product == *product), "no product is lost");
        }
    }
}
