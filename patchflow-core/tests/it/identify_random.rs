//! Kept up to date by changes, made from scratch, and found by a naive double loop: what is hit is always the same.

use patchflow_core::catalog::version::{Range, Scheme, Version};
use patchflow_core::catalog::{Advisory, Affected, Fix, Product, Status, Versions};
use patchflow_core::identify::{AdvisoryIndex, Installed, Matches, Rates, Standing, Survey, judge};
use patchflow_core::inventory::*;
use patchflow_core::package::{Cpe, Ecosystem, PackageName, Platform};
use patchflow_core::risk::{Catalogues, DueLimits, RiskRules};
use patchflow_core::time::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SYSTEMS: [&str; 4] = ["debian 12", "debian 13", "almalinux 9.4", ""];
const NAMES: [&str; 4] = ["curl", "Lib_Curl", "lib-curl", "bash"];
const VERSIONS: [&str; 6] = ["1.0", "1.5", "2.0~rc1", "2.0", "x y", ""];
const ECOSYSTEMS: [Ecosystem; 5] =
    [Ecosystem::Deb, Ecosystem::Rpm, Ecosystem::Pypi, Ecosystem::Windows, Ecosystem::Other];
const CPES: [&str; 6] = [
    "cpe:2.3:a:haxx:curl:*:*:*:*:*:*:*:*",
    "cpe:2.3:a:haxx:curl:1.0:*:*:*:*:*:*:*",
    "cpe:2.3:a:haxx:libcurl:2.0:*:*:*:*:*:*:*",
    "cpe:2.3:a:*:curl:*:*:*:*:*:*:*:*",
    "cpe:2.3:a:haxx:*:1.0:*:*:*:*:*:*:*",
    "cpe:2.3:o:haxx:curl:-:*:*:*:*:*:*:*",
];

fn one<T: Copy + std::fmt::Debug + 'static>(of: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(of)
}

fn cpe() -> impl Strategy<Value = Cpe> {
    one(&CPES).prop_map(|text| Cpe::new(text).unwrap())
}

prop_compose! {
    fn software()(
        ecosystem in one(&ECOSYSTEMS), name in one(&NAMES), version in one(&VERSIONS),
        source in proptest::option::of((one(&NAMES), one(&VERSIONS))), cpe in proptest::option::of(cpe()),
    ) -> InstalledSoftware {
        let built_from = source.map(|(name, version)| BuiltFrom { name: name.into(), version: version.into() });
        InstalledSoftware { built_from, cpe, ..InstalledSoftware::new(PackageName::new(ecosystem, name), version) }
    }
}

fn product() -> impl Strategy<Value = Product> {
    let platform = proptest::option::weighted(0.8, one(&SYSTEMS).prop_map(Platform::named));
    let package = (one(&ECOSYSTEMS), one(&NAMES), platform, any::<bool>()).prop_map(
        |(ecosystem, name, platform, of_source)| Product::Package {
            package: PackageName::new(ecosystem, name),
            platform,
            of_source,
        },
    );
    prop_oneof![3 => package, 1 => cpe().prop_map(Product::Cpe)]
}

fn versions() -> impl Strategy<Value = Versions> {
    let scheme = one(&[Scheme::Deb, Scheme::Rpm, Scheme::Pep440, Scheme::Generic]);
    let exact = || proptest::collection::vec(one(&VERSIONS).prop_map(String::from), 0..2);
    let range =
        (scheme, 0..3_u8, one(&["1.0", "1.5", "2.0"]), exact()).prop_map(|(scheme, kind, bound, exact)| {
            let range = Range::new(scheme);
            let range = match kind {
                0 => range,
                1 => range.below(bound).unwrap(),
                _ => range.at_least(bound).unwrap(),
            };
            Versions::Some { range, exact }
        });
    prop_oneof![1 => Just(Versions::All), 1 => exact().prop_map(Versions::Exactly), 3 => range]
}

fn affected() -> impl Strategy<Value = Affected> {
    let status = prop_oneof![
        4 => Just(Status::Affected),
        1 => Just(Status::NotAffected { why: String::new() }),
        1 => Just(Status::Fixed),
        1 => Just(Status::UnderInvestigation),
    ];
    let fix = prop_oneof![
        one(&["1.5", "2.0"]).prop_map(|text| Fix::From(Version::new(Scheme::Deb, text).unwrap())),
        Just(Fix::From(Version::new(Scheme::Rpm, "1.9").unwrap())),
        Just(Fix::By("KB1".into())),
        Just(Fix::Never),
        Just(Fix::NotNamed),
    ];
    (product(), versions(), status, fix).prop_map(|(product, versions, status, fix)| Affected {
        status,
        fix,
        ..Affected::of(product, versions)
    })
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Report(EndpointRecord),
    Retire(String),
    Publish(Advisory),
    Drop(String),
}

fn step() -> impl Strategy<Value = Step> {
    let endpoint = || (0..4_u8).prop_map(|n| format!("host-{n}"));
    let advisory = || (0..5_u8).prop_map(|n| format!("CVE-2026-{n}"));
    let installed = proptest::collection::vec(software(), 0..6);
    let environment = one(&[Environment::Production, Environment::NonProduction]);
    let around = (environment, one(&[Criticality::Low, Criticality::High]));
    let report = (endpoint(), one(&SYSTEMS), installed, 0..9_i64, around).prop_map(
        |(id, os, installed, at, around)| {
            let read_at = Timestamp::from_secs(1_800_000_000 + at);
            let bare = EndpointRecord::new(id.as_str().into(), around.0, read_at);
            Step::Report(EndpointRecord { os: os.into(), installed, criticality: around.1, ..bare })
        },
    );
    let affected = proptest::collection::vec(affected(), 0..5);
    let publish =
        (advisory(), affected, proptest::bool::weighted(0.1)).prop_map(|(id, affected, withdrawn)| {
            let withdrawn = withdrawn.then_some(Timestamp::from_secs(1_700_000_000));
            Step::Publish(Advisory { affected, withdrawn, ..Advisory::new(id) })
        });
    prop_oneof![
        4 => report,
        1 => endpoint().prop_map(Step::Retire),
        4 => publish,
        1 => advisory().prop_map(Step::Drop),
    ]
}

type Found = BTreeSet<(String, String, String, Standing, usize)>;

/// A line of [`Found`]: who, what, by which advisory, how, and by which of its statements.
fn line(
    endpoint: &str,
    software: &InstalledSoftware,
    advisory: &str,
    judged: (Standing, usize),
) -> (String, String, String, Standing, usize) {
    let what = (software.package.clone().canonical(), &software.version, &software.built_from, &software.cpe);
    (endpoint.to_owned(), format!("{what:?}"), advisory.to_owned(), judged.0, judged.1)
}

fn naive(inventory: &InventoryIndex, advisories: &BTreeMap<String, Advisory>) -> Found {
    let mut found = Found::new();
    for endpoint in inventory.endpoints() {
        let record = endpoint.to_record();
        let platform = (!record.os.is_empty()).then(|| Platform::named(&record.os));
        for software in &record.installed {
            for (id, advisory) in advisories {
                if let Some(judged) = judge(advisory, Installed::on(platform.as_ref(), software)) {
                    found.insert(line(record.id.as_str(), software, id, judged));
                }
            }
        }
    }
    found
}

fn told(matches: &Matches, inventory: &InventoryIndex, advisories: &AdvisoryIndex) -> Found {
    let mut found = Found::new();
    for endpoint in inventory.endpoints() {
        for (ix, hits) in matches.on(endpoint.ix(), inventory) {
            assert!(hits.is_sorted_by(|a, b| a.advisory < b.advisory));
            for hit in hits {
                let software = inventory.software(ix).unwrap().software;
                let id = &*advisories.get(hit.advisory).unwrap().id;
                let judged = (hit.standing, hit.statement as usize);
                found.insert(line(endpoint.id().as_str(), software, id, judged));
            }
        }
    }
    found
}

/// What a survey of all says is what each endpoint is asked for by itself.
fn surveyed(matches: &Matches, inventory: &InventoryIndex, advisories: &AdvisoryIndex) {
    let rates = Rates {
        rules: &RiskRules::default(),
        limits: &DueLimits::default(),
        catalogues: Catalogues { known_exploited: true },
        ends: &[EndOfLife {
            platform: Platform::named("debian 12"),
            since: Timestamp::from_secs(1_700_000_000),
            mitigation: "upgrade".into(),
        }],
        now: Timestamp::from_secs(1_800_000_100),
    };
    let mut survey = Survey::new(matches, inventory, advisories, rates);
    for endpoint in inventory.endpoints() {
        let by_itself = matches.missing(endpoint.ix(), inventory, advisories, &rates);
        assert!(survey.missing(endpoint.ix()).iter().map(|one| &**one).eq(&by_itself));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn matches_kept_up_equal_matches_from_scratch_and_a_double_loop(
        steps in proptest::collection::vec(step(), 1..25),
    ) {
        let (mut inventory, mut advisories) = (InventoryIndex::new(), AdvisoryIndex::new());
        let mut matches = Matches::new();
        let mut known: BTreeMap<String, Advisory> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Report(record) => {
                    let change = inventory.put(&record);
                    matches.follow(&change, &inventory, &advisories);
                }
                Step::Retire(id) => {
                    if let Some(change) = inventory.remove(&id.as_str().into()) {
                        matches.follow(&change, &inventory, &advisories);
                    }
                }
                Step::Publish(advisory) => {
                    let before = advisories.find(&advisory.id).and_then(|ix| advisories.get(ix).cloned());
                    known.insert(advisory.id.to_string(), advisory.clone());
                    let ix = advisories.put(advisory);
                    let was = matches.clone();
                    let changed = matches.advisory_changed(ix, before.as_deref(), &inventory, &advisories);
                    for (software, _) in inventory.all_software() {
                        let differs = was.hits(software) != matches.hits(software);
                        prop_assert_eq!(differs, changed.contains(&software));
                    }
                }
                Step::Drop(id) => {
                    let before: Option<Arc<Advisory>> =
                        advisories.find(&id).and_then(|ix| advisories.get(ix).cloned());
                    known.remove(&id);
                    if let Some(ix) = advisories.remove(&id) {
                        matches.advisory_changed(ix, before.as_deref(), &inventory, &advisories);
                    }
                }
            }
            prop_assert_eq!(advisories.len(), known.len());
            let scratch = Matches::of(&inventory, &advisories);
            prop_assert_eq!(&matches, &scratch);
            let by_loop = naive(&inventory, &known);
            prop_assert_eq!(told(&matches, &inventory, &advisories), by_loop);
            surveyed(&matches, &inventory, &advisories);
        }
    }
}
