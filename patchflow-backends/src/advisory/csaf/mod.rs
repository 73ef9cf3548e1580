//! CSAF 2.0 documents, with the statuses of VEX.
//!
//! Each vulnerability of a document becomes an advisory of its own, because a status holds for that one only. Its name
//! is the CVE number, or another id that it has, or the document's with its place; the document stands in the
//! provenance. A product is known by its package URL, its CPE name, or, where it has neither, by the names of its
//! vendor and product as they are written, in no ecosystem.
//!
//! A distribution lists what is fixed and leaves out what was affected before: for a package of a platform, `fixed` in a
//! version means that all versions below are affected.

mod tree;

use self::tree::{Known, Tree};
use super::desk::{Desk, Outcome, check_name, cut, one_input, title};
use super::json::{self, Scanner};
use super::note::{Sink, Summary};
use super::parts::{self, Word, or_default};
use super::ranges::{self, Said, Span};
use super::{Feed, Limits, ReadError};
use patchflow_core::catalog::version::{Bound, Interval, Range, Scheme, Version};
use patchflow_core::catalog::{Advisory, Affected, Fix, KnownExploited, Product, Severity, Status, Versions};
use patchflow_core::package::Ecosystem;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, Read};
use std::sync::Arc;

/// Reads CSAF documents: one, a list, or one a line.
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
        if let Some(document) = json::read::<Csaf>(desk, bytes, at, &["document", "tracking", "id"]) {
            take(desk, document, bytes);
        }
    })
}

#[derive(Deserialize)]
struct Csaf {
    document: Document,
    #[serde(default, deserialize_with = "or_default")]
    product_tree: tree::ProductTree,
    #[serde(default, deserialize_with = "or_default")]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    title: Option<String>,
    tracking: Tracking,
    #[serde(default)]
    aggregate_severity: Option<Aggregate>,
}

#[derive(Deserialize)]
struct Aggregate {
    #[serde(default)]
    text: Word,
}

#[derive(Deserialize)]
struct Tracking {
    id: String,
    #[serde(default)]
    initial_release_date: Option<String>,
    #[serde(default)]
    current_release_date: Option<String>,
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default)]
    cve: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    ids: Vec<Id>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    release_date: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    product_status: BTreeMap<String, Vec<String>>,
    #[serde(default, deserialize_with = "or_default")]
    scores: Vec<Score>,
    #[serde(default, deserialize_with = "or_default")]
    remediations: Vec<Remediation>,
    #[serde(default, deserialize_with = "or_default")]
    flags: Vec<Flag>,
    #[serde(default, deserialize_with = "or_default")]
    threats: Vec<Threat>,
}

#[derive(Deserialize)]
struct Id {
    text: String,
}

#[derive(Deserialize)]
struct Score {
    #[serde(default)]
    cvss_v2: Option<Vector>,
    #[serde(default)]
    cvss_v3: Option<Vector>,
    #[serde(default)]
    cvss_v4: Option<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(rename = "vectorString", default)]
    vector: Word,
}

#[derive(Deserialize)]
struct Remediation {
    category: String,
    #[serde(default, deserialize_with = "or_default")]
    details: String,
    #[serde(default)]
    date: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    url: String,
    #[serde(default, deserialize_with = "or_default")]
    product_ids: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    group_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Flag {
    label: String,
    #[serde(default, deserialize_with = "or_default")]
    product_ids: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    group_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Threat {
    category: String,
    #[serde(default, deserialize_with = "or_default")]
    details: String,
    #[serde(default, deserialize_with = "or_default")]
    product_ids: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    group_ids: Vec<String>,
}

/// What stands for one product beside its status.
#[derive(Clone, Default)]
struct Beside {
    fix: Option<Fix>,
    mitigation: Option<String>,
    why: Option<String>,
    severity: Option<Severity>,
}

fn take(desk: &mut Desk<'_>, csaf: Csaf, bytes: &[u8]) {
    let Csaf { document, product_tree, vulnerabilities } = csaf;
    let id = document.tracking.id.trim().to_owned();
    desk.name(&id);
    if let Err(why) = check_name(&id) {
        return desk.skip_it(format!("`document.tracking.id`: {why}"));
    }
    if !desk.is_new(&id, bytes) {
        return;
    }
    let tree = tree::read(desk, product_tree);
    let modified = desk
        .past("document.tracking.current_release_date", document.tracking.current_release_date.as_deref());
    let released = desk
        .past("document.tracking.initial_release_date", document.tracking.initial_release_date.as_deref());
    let severity = document.aggregate_severity.and_then(|severity| severity.text.0);
    let severity = match severity.as_deref().map(|word| (word, parts::severity(word))) {
        None => Severity::Unknown,
        Some((_, Some(severity))) => severity,
        Some((word, None)) => {
            let word = cut(word, 40);
            desk.part(format!(
                "`document.aggregate_severity.text`: `{word}` is no severity that is known; taken as unknown"
            ));
            Severity::Unknown
        }
    };
    for (index, vulnerability) in vulnerabilities.into_iter().enumerate() {
        let at = format!("vulnerabilities[{index}]");
        let ids = vulnerability.ids.iter().map(|id| id.text.clone());
        let mut names = desk.names(&at, vulnerability.cve.iter().cloned().chain(ids)).into_iter();
        let mut advisory =
            Advisory::new(names.next().unwrap_or_else(|| Arc::from(format!("{id}#{}", index + 1))));
        advisory.aliases = names.collect();
        let heading = vulnerability.title.as_deref().or(document.title.as_deref());
        advisory.title = title(heading.unwrap_or_default());
        advisory.severity = severity;
        let public = desk.past(&format!("{at}.release_date"), vulnerability.release_date.as_deref());
        advisory.published = public.or(released);
        advisory.provenance.push(desk.provenance(&id, modified));
        fill(desk, &at, vulnerability, &tree, &mut advisory, released);
        desk.advisory(advisory);
    }
}

fn fill(
    desk: &mut Desk<'_>,
    at: &str,
    vulnerability: Vulnerability,
    tree: &Tree,
    advisory: &mut Advisory,
    released: Option<patchflow_core::time::Timestamp>,
) {
    for score in &vulnerability.scores {
        for vector in [&score.cvss_v2, &score.cvss_v3, &score.cvss_v4].into_iter().flatten() {
            if let Some(text) = &vector.vector.0 {
                desk.vector(&format!("{at}.scores"), text, &mut advisory.cvss);
            }
        }
    }
    let beside = beside(desk, at, &vulnerability, tree, advisory, released);
    let mut said: HashSet<u64> = HashSet::new();
    for (status, products) in &vulnerability.product_status {
        let read = match status.as_str() {
            "first_affected" | "known_affected" | "last_affected" => Row::Affected,
            "first_fixed" | "fixed" => Row::Fixed,
            "known_not_affected" => Row::NotAffected,
            "under_investigation" => Row::UnderInvestigation,
            // What is recommended is said of no weakness.
            "recommended" => continue,
            other => {
                let other = cut(other, 40);
                desk.part(format!("`{at}.product_status`: `{other}` is no status that is known"));
                continue;
            }
        };
        let at = format!("{at}.product_status.{status}");
        for product in products {
            let length =
                tree.product(product).and_then(|known| known.version.as_ref()).map_or(0, |text| text.len());
            if !desk.may(100 + length) {
                desk.part(format!("`{at}`: more products than a record may have; the rest is left out"));
                break;
            }
            let Some(known) = tree.product(product) else {
                desk.part(format!("`{at}`: `{}` is not in the product tree", cut(product, 80)));
                continue;
            };
            let nothing = Beside::default();
            let beside = beside.get(product.as_str()).unwrap_or(&nothing);
            for statement in state(desk, &at, known, read, beside) {
                // Products that differ in what is not read (an architecture, a language) say the same.
                if said.insert(desk.hash(&format!("{statement:?}"))) {
                    advisory.affected.push(statement);
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
    Affected,
    Fixed,
    NotAffected,
    UnderInvestigation,
}

fn state(desk: &mut Desk<'_>, at: &str, known: &Known, row: Row, beside: &Beside) -> Vec<Affected> {
    let Some(product) = &known.product else {
        desk.part(format!("`product_tree`: `{}`: {}", cut(&known.shown, 80), known.why));
        return Vec::new();
    };
    let (ecosystem, is_package) = match product {
        Product::Package { package, .. } => (Some(package.ecosystem), true),
        Product::Cpe(_) => (None, false),
    };
    let scheme = ecosystem.and_then(Scheme::of).unwrap_or(Scheme::Generic);
    let versions = match versions(known, scheme) {
        Ok(versions) => versions,
        // What cannot be read never makes a version safe.
        Err(why) if matches!(row, Row::Affected | Row::UnderInvestigation) => {
            // Told of the product and not of each weakness, of which a document may have hundreds.
            desk.part(format!("`product_tree`: `{}`: {why}; taken as every version", cut(&known.shown, 80)));
            Meant::All
        }
        Err(why) => {
            desk.part(format!("`product_tree`: `{}`: {why}; left out", cut(&known.shown, 80)));
            return Vec::new();
        }
    };
    let mut statements = match row {
        Row::Affected => affected(desk, product, scheme, versions, beside),
        Row::NotAffected => {
            let why = beside.why.clone();
            let why = why.unwrap_or_else(|| "the publisher gives no justification".to_owned());
            vec![parts::statement(
                product.clone(),
                plain(versions),
                Status::NotAffected { why },
                Fix::NotNamed,
            )]
        }
        Row::UnderInvestigation => {
            vec![parts::statement(
                product.clone(),
                plain(versions),
                Status::UnderInvestigation,
                Fix::NotNamed,
            )]
        }
        Row::Fixed => match (&versions, is_package && ecosystem.is_some_and(Ecosystem::is_of_a_platform)) {
            (Meant::One(version), true) => {
                let below = Interval { from: Bound::Open, to: Bound::Excluding(version.clone()) };
                let from = Interval { from: Bound::Including(version.clone()), to: Bound::Open };
                let of =
                    |interval| Versions::Some { range: Range::new(scheme).or(interval), exact: Vec::new() };
                let fix = Fix::From(version.clone());
                vec![
                    parts::statement(product.clone(), of(below), Status::Affected, fix),
                    parts::statement(product.clone(), of(from), Status::Fixed, Fix::NotNamed),
                ]
            }
            (Meant::All, true) => {
                desk.part(format!(
                    "`{at}`: `{}` names no version that is fixed; left out",
                    cut(&known.shown, 80)
                ));
                return Vec::new();
            }
            _ => vec![parts::statement(product.clone(), plain(versions), Status::Fixed, Fix::NotNamed)],
        },
    };
    for statement in &mut statements {
        statement.severity = beside.severity;
        if statement.status == Status::Affected {
            statement.mitigation.clone_from(&beside.mitigation);
        }
    }
    statements
}

/// Versions of one product.
enum Meant {
    All,
    One(Version),
    Spans(Scheme, Vec<Span>),
    Texts(Vec<String>),
}

fn versions(known: &Known, scheme: Scheme) -> Result<Meant, String> {
    let Some(text) = &known.version else { return Ok(Meant::All) };
    if known.is_range {
        return match ranges::text(scheme, text) {
            Ok(Said::Spans(spans)) => {
                let scheme = scheme_of(&spans).unwrap_or(scheme);
                if spans == [Span::ALL] { Ok(Meant::All) } else { Ok(Meant::Spans(scheme, spans)) }
            }
            Ok(Said::Exactly(texts)) => Ok(Meant::Texts(texts)),
            Err(why) => Err(why),
        };
    }
    // A single version; where people write a range instead, it is read as one.
    match ranges::version(scheme, text) {
        Ok(version) if !text.contains(char::is_whitespace) && !text.contains(['<', '>', '*', '/', '|']) => {
            Ok(Meant::One(version))
        }
        Ok(_) | Err(_) => match ranges::text(scheme, text) {
            Ok(Said::Spans(spans)) if spans == [Span::ALL] => Ok(Meant::All),
            Ok(Said::Spans(spans)) => Ok(Meant::Spans(scheme_of(&spans).unwrap_or(scheme), spans)),
            Ok(Said::Exactly(texts)) => Ok(Meant::Texts(texts)),
            Err(why) => Err(why),
        },
    }
}

/// The order of the bounds, which `vers:` may name.
fn scheme_of(spans: &[Span]) -> Option<Scheme> {
    spans.iter().find_map(|span| {
        [&span.interval.from, &span.interval.to].into_iter().find_map(|bound| match bound {
            Bound::Including(version) | Bound::Excluding(version) => Some(version.scheme()),
            Bound::Open => None,
        })
    })
}

fn plain(versions: Meant) -> Versions {
    match versions {
        Meant::All => Versions::All,
        Meant::One(version) => {
            let (from, to) = (Bound::Including(version.clone()), Bound::Including(version.clone()));
            let range = Range::new(version.scheme()).or(Interval { from, to });
            Versions::Some { range, exact: Vec::new() }
        }
        Meant::Spans(scheme, spans) => {
            let range = spans.into_iter().fold(Range::new(scheme), |range, span| range.or(span.interval));
            Versions::Some { range, exact: Vec::new() }
        }
        Meant::Texts(texts) => Versions::Exactly(texts),
    }
}

fn affected(
    desk: &mut Desk<'_>,
    product: &Product,
    scheme: Scheme,
    versions: Meant,
    beside: &Beside,
) -> Vec<Affected> {
    // A fix that the publisher names by itself beats the end of a range, which may only be the end of what was tried.
    let named = beside.fix.clone();
    match versions {
        Meant::Spans(scheme, spans) if named.is_none() => parts::affected(desk, product, scheme, spans),
        Meant::Spans(..) | Meant::All | Meant::One(_) | Meant::Texts(_) => {
            let fix = named.unwrap_or(Fix::NotNamed);
            // Generic texts of an ecosystem with an order keep it.
            let versions = match plain(versions) {
                Versions::Exactly(exact) if scheme != Scheme::Generic => {
                    Versions::Some { range: Range::new(scheme), exact }
                }
                other => other,
            };
            vec![parts::statement(product.clone(), versions, Status::Affected, fix)]
        }
    }
}

/// What remediations, flags and threats say, by product.
fn beside<'t>(
    desk: &mut Desk<'_>,
    at: &str,
    vulnerability: &'t Vulnerability,
    tree: &'t Tree,
    advisory: &mut Advisory,
    released: Option<patchflow_core::time::Timestamp>,
) -> BTreeMap<&'t str, Beside> {
    let mut beside: BTreeMap<&str, Beside> = BTreeMap::new();
    for (index, remediation) in vulnerability.remediations.iter().enumerate() {
        let at = format!("{at}.remediations[{index}]");
        let details = || cut(remediation.details.trim(), 1000);
        let (fix, mitigation) = match remediation.category.as_str() {
            "vendor_fix" => {
                let date = desk.past(&format!("{at}.date"), remediation.date.as_deref());
                advisory.fixed_at = match (advisory.fixed_at, date) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                (kb(remediation).map(|kb| Fix::By(kb.into())), None)
            }
            "no_fix_planned" => (Some(Fix::Never), None),
            "workaround" | "mitigation" => (None, Some(details())),
            "none_available" | "fix_planned" | "optional_patch" => (None, None),
            other => {
                let other = cut(other, 40);
                desk.part(format!("`{at}.category`: `{other}` is no kind of remediation that is known"));
                continue;
            }
        };
        for product in tree.named(desk, &remediation.product_ids, &remediation.group_ids) {
            let one = beside.entry(product).or_default();
            // A fix that exists beats the word that none is planned, which stands for another part of the product.
            if let (None | Some(Fix::Never), Some(_)) = (&one.fix, &fix) {
                one.fix.clone_from(&fix);
            }
            if one.mitigation.is_none() {
                one.mitigation.clone_from(&mitigation);
            }
        }
    }
    for flag in &vulnerability.flags {
        for product in tree.named(desk, &flag.product_ids, &flag.group_ids) {
            beside.entry(product).or_default().why.get_or_insert_with(|| cut(&flag.label, 200));
        }
    }
    for threat in &vulnerability.threats {
        match threat.category.as_str() {
            "impact" => {
                let severity =
                    parts::severity(&threat.details).filter(|severity| *severity != Severity::Unknown);
                if threat.product_ids.is_empty() && threat.group_ids.is_empty() {
                    advisory.severity = advisory.severity.max(severity.unwrap_or(Severity::Unknown));
                }
                for product in tree.named(desk, &threat.product_ids, &threat.group_ids) {
                    let one = beside.entry(product).or_default();
                    one.severity = one.severity.max(severity);
                    if severity.is_none() {
                        one.why.get_or_insert_with(|| cut(threat.details.trim(), 200));
                    }
                }
            }
            "exploit_status" => {
                let said = threat.details.to_ascii_lowercase();
                if said.contains("exploited:yes") {
                    let since = released.or(advisory.published).unwrap_or(desk.feed.read_at);
                    advisory.exploited = Some(KnownExploited { since, due: None, ransomware: false });
                }
            }
            // Who is aimed at, and kinds that later versions may bring, say nothing of versions.
            _ => {}
        }
    }
    beside
}

/// The number of an update of Microsoft, which its documents name by a link to its support pages.
fn kb(remediation: &Remediation) -> Option<String> {
    for text in [&remediation.url, &remediation.details] {
        for mark in ["support.microsoft.com/help/", "support.microsoft.com/kb/", "q=KB"] {
            if let Some((_, rest)) = text.split_once(mark) {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).take(12).collect();
                if digits.len() >= 5 {
                    return Some(format!("KB{digits}"));
                }
            }
        }
    }
    None
}
