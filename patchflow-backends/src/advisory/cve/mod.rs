//! CVE records, JSON 5: the part of the numbering authority and those of others, such as CISA's with SSVC and KEV.
//!
//! A product is known by a package URL, by a collection of packages and a name in it, or by CPE names; where there is
//! none of these, by `vendor/product` as they are written, in no ecosystem. Versions of a kind that is not known are
//! compared in the generic order.

mod versions;

use self::versions::{Block, Listed};
use super::desk::{Desk, Outcome, check_name, cut, one_input, title};
use super::json::{self, Scanner};
use super::note::{Sink, Summary};
use super::parts::{self, Word, or_default};
use super::{Feed, Limits, ReadError, names};
use patchflow_core::catalog::version::{Bound, Interval, Range, Scheme};
use patchflow_core::catalog::{
    Advisory, Exploitation, Fix, KnownExploited, Product, Severity, Ssvc, Status, Versions,
};
use patchflow_core::package::{Cpe, Ecosystem, PackageName};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, Read};

/// Reads CVE records: one, a list, or one a line.
///
/// # Errors
/// [`ReadError`] when the input fails, is cut off or is larger than the limits let pass.
pub fn read(
    input: impl Read,
    feed: &Feed,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ReadError> {
    one_input(input, feed, limits, sink, read_file)
}

pub(super) fn read_file(input: Box<dyn BufRead + '_>, desk: &mut Desk<'_>) -> Outcome {
    let mut scanner = Scanner::new(input, desk);
    json::records(&mut scanner, desk, &mut |desk, bytes, at| {
        if let Some(record) = json::read::<Record>(desk, bytes, at, &["cveMetadata", "cveId"]) {
            take(desk, record, bytes);
        }
    })
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "cveMetadata")]
    metadata: Metadata,
    containers: Containers,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    cve_id: String,
    state: String,
    #[serde(default)]
    date_published: Option<String>,
    #[serde(default)]
    date_updated: Option<String>,
    #[serde(default)]
    date_rejected: Option<String>,
}

#[derive(Deserialize)]
struct Containers {
    cna: Container,
    #[serde(default, deserialize_with = "or_default")]
    adp: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    date_public: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    descriptions: Vec<Text>,
    #[serde(default, deserialize_with = "or_default")]
    affected: Vec<Block>,
    #[serde(default, deserialize_with = "or_default")]
    cpe_applicability: Vec<Configuration>,
    #[serde(default, deserialize_with = "or_default")]
    metrics: Vec<Metric>,
    #[serde(default, deserialize_with = "or_default")]
    workarounds: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    lang: Word,
    value: String,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default, deserialize_with = "or_default")]
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    #[serde(default, deserialize_with = "or_default")]
    negate: bool,
    #[serde(default, deserialize_with = "or_default")]
    cpe_match: Vec<Match>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    vulnerable: bool,
    criteria: String,
    #[serde(default)]
    version_start_including: Option<String>,
    #[serde(default)]
    version_start_excluding: Option<String>,
    #[serde(default)]
    version_end_including: Option<String>,
    #[serde(default)]
    version_end_excluding: Option<String>,
}

#[derive(Deserialize)]
struct Metric {
    #[serde(rename = "cvssV2_0", default)]
    v2: Option<Vector>,
    #[serde(rename = "cvssV3_0", default)]
    v30: Option<Vector>,
    #[serde(rename = "cvssV3_1", default)]
    v31: Option<Vector>,
    #[serde(rename = "cvssV4_0", default)]
    v4: Option<Vector>,
    #[serde(default)]
    other: Option<Other>,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(rename = "vectorString", default)]
    vector: Word,
}

#[derive(Deserialize)]
struct Other {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    content: Content,
}

/// What the kinds of content that are read have; each has some of it.
#[derive(Default, Deserialize)]
struct Content {
    #[serde(default)]
    value: Word,
    #[serde(default)]
    text: Word,
    #[serde(rename = "dateAdded", default)]
    added: Word,
    #[serde(default)]
    timestamp: Word,
    #[serde(default, deserialize_with = "or_default")]
    options: Vec<BTreeMap<String, Word>>,
}

fn take(desk: &mut Desk<'_>, record: Record, bytes: &[u8]) {
    let Record { metadata, containers } = record;
    desk.name(&metadata.cve_id);
    if let Err(why) = check_name(&metadata.cve_id) {
        return desk.skip_it(format!("`cveMetadata.cveId`: {why}"));
    }
    if !desk.is_new(&metadata.cve_id, bytes) {
        return;
    }
    let id = metadata.cve_id.trim();
    let mut advisory = Advisory::new(id);
    let modified = desk.past("cveMetadata.dateUpdated", metadata.date_updated.as_deref());
    advisory.provenance.push(desk.provenance(id, modified));
    advisory.published = desk.past("cveMetadata.datePublished", metadata.date_published.as_deref());
    if metadata.state == "REJECTED" {
        let rejected = desk.past("cveMetadata.dateRejected", metadata.date_rejected.as_deref());
        advisory.withdrawn = Some(rejected.or(modified).unwrap_or(desk.feed.read_at));
        return desk.advisory(advisory);
    }
    if metadata.state != "PUBLISHED" {
        desk.part(format!(
            "`cveMetadata.state`: `{}` is not known; read as published",
            cut(&metadata.state, 40)
        ));
    }
    let Containers { cna, adp } = containers;
    advisory.title = title(&heading(&cna));
    let public = desk.past("containers.cna.datePublic", cna.date_public.as_deref());
    advisory.published = match (advisory.published, public) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    container(desk, "containers.cna", cna, &mut advisory);
    for (index, one) in adp.into_iter().enumerate() {
        container(desk, &format!("containers.adp[{index}]"), one, &mut advisory);
    }
    desk.advisory(advisory);
}

fn heading(cna: &Container) -> String {
    let is_english = |text: &&Text| text.lang.0.as_deref().is_some_and(|lang| lang.starts_with("en"));
    let described = || cna.descriptions.iter().find(is_english).or(cna.descriptions.first());
    let text = cna.title.as_deref().or_else(|| described().map(|text| text.value.as_str()));
    text.unwrap_or_default().to_owned()
}

fn container(desk: &mut Desk<'_>, at: &str, container: Container, advisory: &mut Advisory) {
    for metric in container.metrics {
        let vectors = [metric.v2, metric.v30, metric.v31, metric.v4];
        for vector in vectors.into_iter().flatten().filter_map(|vector| vector.vector.0) {
            desk.vector(&format!("{at}.metrics"), &vector, &mut advisory.cvss);
        }
        if let Some(other) = metric.other {
            other_metric(desk, at, &other, advisory);
        }
    }
    let mitigation = container.workarounds.first().map(|text| cut(text.value.trim(), 1000));
    for (index, block) in container.affected.iter().enumerate() {
        let at = format!("{at}.affected[{index}]");
        let products = products(desk, &at, block);
        for (product, scheme) in products {
            if !desk.may(block.len().saturating_mul(250)) {
                desk.part(format!("`{at}`: too many versions of too many products; the rest is left out"));
                break;
            }
            let mut statements = versions::statements(desk, &at, block, &product, scheme);
            for statement in &mut statements {
                statement.mitigation.clone_from(&mitigation);
            }
            advisory.affected.extend(statements);
        }
    }
    for (index, configuration) in container.cpe_applicability.iter().enumerate() {
        for (node_index, node) in configuration.nodes.iter().enumerate() {
            let at = format!("{at}.cpeApplicability[{index}].nodes[{node_index}]");
            if node.negate {
                desk.part(format!("`{at}`: a negated node names no product"));
                continue;
            }
            for matched in node.cpe_match.iter().filter(|matched| matched.vulnerable) {
                applicable(desk, &at, matched, advisory);
            }
        }
    }
}

fn other_metric(desk: &mut Desk<'_>, at: &str, other: &Other, advisory: &mut Advisory) {
    let Content { value, text, added, timestamp, options } = &other.content;
    match other.kind.as_str() {
        "kev" => {
            let since = desk.past(&format!("{at}.metrics.other.content.dateAdded"), added.0.as_deref());
            let since = since.unwrap_or(desk.feed.read_at);
            advisory.exploited = Some(KnownExploited { since, due: None, ransomware: false });
        }
        "ssvc" => {
            let mut ssvc = Ssvc {
                at: desk.past(&format!("{at}.metrics.other.content.timestamp"), timestamp.0.as_deref()),
                ..Ssvc::default()
            };
            for (point, value) in options.iter().flatten() {
                let value = value.0.as_deref().unwrap_or_default().to_ascii_lowercase();
                match (point.to_ascii_lowercase().as_str(), value.as_str()) {
                    ("exploitation", "none") => ssvc.exploitation = Some(Exploitation::None),
                    ("exploitation", "poc" | "public poc") => {
                        ssvc.exploitation = Some(Exploitation::PublicPoc);
                    }
                    ("exploitation", "active") => ssvc.exploitation = Some(Exploitation::Active),
                    ("automatable", "yes" | "no") => ssvc.automatable = Some(value == "yes"),
                    ("technical impact", "total" | "partial") => ssvc.total_impact = Some(value == "total"),
                    (point, value) => desk.part(format!(
                        "`{at}.metrics.other`: `{}` of the point `{}` of SSVC is not known",
                        cut(value, 40),
                        cut(point, 40)
                    )),
                }
            }
            advisory.ssvc = Some(ssvc);
        }
        // Any other kind may hold a word for a severity; most do not.
        _ => {
            let word = value.0.as_deref().or(text.0.as_deref()).and_then(parts::severity);
            advisory.severity = advisory.severity.max(word.unwrap_or(Severity::Unknown));
        }
    }
}

/// Whose versions a block speaks of, each with the order of its versions where the product says it.
fn products(desk: &mut Desk<'_>, at: &str, block: &Block) -> Vec<(Product, Option<Scheme>)> {
    let mut found = Vec::new();
    if let Some(text) = &block.package_url {
        match names::purl(text) {
            Ok(read) => found.push((read.product, Scheme::of(read.ecosystem))),
            Err(why) => desk.part(format!("`{at}.packageURL`: {why}")),
        }
    }
    if let (true, Some(collection), Some(name)) =
        (found.is_empty(), &block.collection_url, &block.package_name)
    {
        found.extend(collected(collection, name, block));
    }
    let is_packaged = !found.is_empty();
    for text in &block.cpes {
        if text.starts_with("cpe:/") {
            // The old form stands for platforms here, which the package was looked for on already.
            continue;
        }
        match Cpe::new(text) {
            Ok(cpe) => found.push((Product::Cpe(cpe), None)),
            Err(why) => desk.part(format!("`{at}.cpes`: {why}")),
        }
    }
    if is_packaged || !found.is_empty() {
        return found;
    }
    let known = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default().trim().to_owned();
        (!matches!(text.to_lowercase().as_str(), "" | "n/a" | "unknown" | "unspecified")).then_some(text)
    };
    let product = known(&block.product).or_else(|| known(&block.package_name));
    let Some(product) = product else {
        desk.part(format!("`{at}`: it names no product"));
        return found;
    };
    let name = known(&block.vendor).map_or_else(|| product.clone(), |vendor| format!("{vendor}/{product}"));
    if let Err(why) = check_name(&name) {
        desk.part(format!("`{at}.product`: {why}"));
        return found;
    }
    let package = PackageName::new(Ecosystem::Other, name);
    found.push((Product::Package { package, platform: None, of_source: false }, None));
    found
}

/// A name in a collection of packages.
fn collected(collection: &str, name: &str, block: &Block) -> Vec<(Product, Option<Scheme>)> {
    let host = collection.split("://").nth(1).unwrap_or(collection);
    let host = host.split('/').next().unwrap_or(host).trim_start_matches("www.");
    let ecosystem = match host {
        "pypi.org" | "pypi.python.org" => Ecosystem::Pypi,
        "registry.npmjs.org" | "npmjs.com" | "npmjs.org" => Ecosystem::Npm,
        "crates.io" => Ecosystem::Cargo,
        "pkg.go.dev" | "proxy.golang.org" => Ecosystem::Go,
        "repo.maven.apache.org" | "repo1.maven.org" | "search.maven.org" | "central.sonatype.com" => {
            Ecosystem::Maven
        }
        "nuget.org" | "api.nuget.org" => Ecosystem::Nuget,
        "rubygems.org" => Ecosystem::Gem,
        "access.redhat.com" if collection.contains("package-browser") => Ecosystem::Rpm,
        _ => return Vec::new(),
    };
    let product = |platform, of_source| Product::Package {
        package: names::package(ecosystem, name),
        platform,
        of_source,
    };
    let scheme = Scheme::of(ecosystem);
    if ecosystem != Ecosystem::Rpm {
        return vec![(product(None, false), scheme)];
    }
    // Red Hat names sources there, and the releases by old CPE names.
    let releases = block.cpes.iter().filter_map(|cpe| {
        let rest = cpe.strip_prefix("cpe:/a:redhat:").or_else(|| cpe.strip_prefix("cpe:/o:redhat:"))?;
        names::red_hat(rest)
    });
    let mut platforms: Vec<_> = releases.collect();
    platforms.sort();
    platforms.dedup();
    platforms.into_iter().map(|platform| (product(Some(platform), true), scheme)).collect()
}

/// A CPE name with bounds, in the form of NVD.
fn applicable(desk: &mut Desk<'_>, at: &str, matched: &Match, advisory: &mut Advisory) {
    let cpe = match Cpe::new(&matched.criteria) {
        Ok(cpe) => cpe,
        Err(why) => return desk.part(format!("`{at}.criteria`: {why}")),
    };
    let mut bound = |text: &Option<String>, including: bool| {
        let text = text.as_deref()?;
        match super::ranges::version(Scheme::Generic, text) {
            Ok(version) if including => Some(Bound::Including(version)),
            Ok(version) => Some(Bound::Excluding(version)),
            Err(why) => {
                desk.part(format!("`{at}`: {why}; taken as no bound"));
                None
            }
        }
    };
    let from = bound(&matched.version_start_including, true);
    let from = from.or_else(|| bound(&matched.version_start_excluding, false)).unwrap_or(Bound::Open);
    let to = bound(&matched.version_end_including, true);
    let to = to.or_else(|| bound(&matched.version_end_excluding, false)).unwrap_or(Bound::Open);
    let fix = match &to {
        Bound::Excluding(version) => Fix::From(version.clone()),
        Bound::Including(_) | Bound::Open => Fix::NotNamed,
    };
    let versions = if (&from, &to) == (&Bound::Open, &Bound::Open) {
        // The name itself says which versions, in its own fifth part.
        Versions::All
    } else {
        let range = Range::new(Scheme::Generic).or(Interval { from, to });
        Versions::Some { range, exact: Vec::new() }
    };
    advisory.affected.push(parts::statement(Product::Cpe(cpe), versions, Status::Affected, fix));
}

/// For the module of versions, which reads them.
type Entries = Vec<Listed>;
