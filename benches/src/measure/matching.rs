//! Matching: an estate against many advisories from built indexes, and one advisory more.

use patchflow_benches::{Estate, INSTALLED, Lap, Sample, Sharing, VERSIONS};
use patchflow_core::catalog::version::{Range, Scheme, Version};
use patchflow_core::catalog::{Advisory, Affected, Fix, Product, Severity, Versions};
use patchflow_core::identify::{AdvisoryIndex, Matches, Rates, Survey};
use patchflow_core::inventory::InventoryIndex;
use patchflow_core::package::Platform;
use patchflow_core::plan::SpreadHash;
use patchflow_core::risk::{Catalogues, DueLimits, RiskRules};
use patchflow_core::time::Timestamp;
use std::hint::black_box;
use std::time::Duration;

const AT: Timestamp = Timestamp::from_secs(1_800_000_000);
const ADVISORIES: u64 = 50_000;

pub(crate) fn run(endpoints: u32, runs: usize) {
    let estate = Estate::new(Sharing::Images);
    let mut inventory = InventoryIndex::new();
    let mut record = estate.record(0, AT);
    for n in 0..endpoints {
        estate.refill(&mut record, n, AT);
        inventory.put(&record);
    }
    println!(
        "\n### Matching, {endpoints} endpoints with {INSTALLED} packages out of {VERSIONS} package-versions, {ADVISORIES} advisories\n"
    );
    println!("| What | Is |\n|---|---|");
    let lap = Lap::start();
    let mut advisories = AdvisoryIndex::new();
    for n in 0..ADVISORIES {
        advisories.put(advisory(&estate, n));
    }
    row("the index of advisories, built", lap.elapsed());

    let mut matches = Matches::new();
    row(
        "all software judged from built indexes",
        median(runs, || matches = Matches::of(&inventory, &advisories)),
    );
    let pairs = |matches: &Matches| {
        let all = inventory.endpoints().flat_map(|endpoint| matches.on(endpoint.ix(), &inventory));
        all.map(|(_, hits)| hits.len() as u64).sum::<u64>()
    };
    let mut hit = 0;
    row("and every hit of every endpoint visited", median(runs, || hit = pairs(&matches)));
    println!("| endpoints x packages x advisories that hit | {hit} |");

    let rates = Rates {
        rules: &RiskRules::default(),
        limits: &DueLimits::default(),
        catalogues: Catalogues { known_exploited: true },
        ends: &[],
        now: AT,
    };
    let asked = 100.min(endpoints);
    let some: Vec<_> =
        inventory.endpoints().step_by((endpoints / asked) as usize).take(asked as usize).collect();
    let took = median(runs, || {
        for endpoint in &some {
            black_box(matches.missing(endpoint.ix(), &inventory, &advisories, &rates));
        }
    });
    row("one endpoint's missing patches, rated and sorted", took / asked);
    let (mut missing, mut rated) = (0, 0);
    let took = median(runs, || {
        let mut survey = Survey::new(&matches, &inventory, &advisories, rates);
        missing = inventory.endpoints().map(|endpoint| survey.missing(endpoint.ix()).len()).sum();
        rated = survey.rated();
    });
    row("every endpoint's missing patches, rated and sorted, what is alike once", took);
    println!("| missing patches of all endpoints | {missing}, of {rated} ratings |");

    // The most widespread package there is: in every image, and all its versions affected.
    let last = estate.software().len() as u64;
    let mut worst = advisory(&estate, 0);
    (worst.id, worst.affected[0].versions) = ("CVE-2027-1".into(), Versions::All);
    let nothing = AdvisoryIndex::new();
    let ordinary = Advisory { id: "CVE-2027-2".into(), ..advisory(&estate, last / 2) };
    for (what, new) in [("in every image", worst), ("as any other", ordinary)] {
        let ix = advisories.put(new.clone());
        let (mut software, mut who) = (Vec::new(), Vec::new());
        let took = (0..runs.max(1)).map(|_| {
            // As if it had never been there.
            matches.advisory_changed(ix, Some(&new), &inventory, &nothing);
            let lap = Lap::start();
            software = matches.advisory_changed(ix, None, &inventory, &advisories);
            who = inventory.holders_of(&software).collect();
            lap.elapsed()
        });
        let took = Sample::of(took.collect()).median;
        row(&format!("one new advisory for a package {what}, and who has it ({})", who.len()), took);
        let pass = median(runs, || {
            black_box(
                software.iter().flat_map(|ix| inventory.holders(*ix)).map(|ix| u64::from(ix.0)).sum::<u64>(),
            );
        });
        row("of that one pass over the affected pairs", pass);
    }
}

/// An advisory for one of the packages: every version below one of its versions.
fn advisory(estate: &Estate, n: u64) -> Advisory {
    let drawn = SpreadHash::new(17).of(&[n]) % estate.software().len() as u64;
    let software = &estate.software()[if n == 0 { 0 } else { drawn as usize }];
    let product = Product::Package {
        package: software.package.clone(),
        platform: Some(Platform::new("debian", "12")),
        of_source: false,
    };
    let range = Range::new(Scheme::Deb);
    let range = range.clone().below(&software.version).unwrap_or(range);
    let fix = Version::new(Scheme::Deb, &*software.version).map_or(Fix::NotNamed, Fix::From);
    let affected = Affected { fix, ..Affected::of(product, Versions::Some { range, exact: Vec::new() }) };
    let severity = [Severity::Low, Severity::Moderate, Severity::High, Severity::Critical][(n % 4) as usize];
    Advisory { severity, affected: vec![affected], ..Advisory::new(format!("CVE-2026-{n}")) }
}

fn median(runs: usize, mut run: impl FnMut()) -> Duration {
    let took = (0..runs.max(1)).map(|_| {
        let lap = Lap::start();
        run();
        lap.elapsed()
    });
    Sample::of(took.collect()).median
}

fn row(what: &str, took: Duration) {
    println!("| {what} | {:.3} ms |", took.as_secs_f64() * 1e3);
}
