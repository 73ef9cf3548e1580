//! OSV records (schema 1.7): one, a list, or one a line.
//!
//! Debian, Ubuntu and Alpine speak of sources, all others of packages. Ranges of Git commits name no versions and are
//! told, when nothing else says which versions are meant. A version that is listed and lies in no range is repaired by
//! the next version that a range calls fixed.

use super::desk::{Desk, Outcome, check_name, one_input, title};
use super::json::{self, Scanner};
use super::names::{self, Home};
use super::note::{Sink, Summary};
use super::parts::{self, Word, or_default};
use super::ranges::{self, Event, Span};
use super::{Feed, Limits, ReadError};
use patchflow_core::catalog::version::{Range, Scheme, VERSION_BYTES_MAX, Version};
use patchflow_core::catalog::{Advisory, Affected, Category, Fix, Product, Severity, Status, Versions};
use serde::Deserialize;
use std::cmp::Ordering;
use std::io::{BufRead, Read};

/// Reads OSV records.
///
/// # Errors
/// [`ReadError`] when the input fails, is cut off or is larger than the limits let pass; single records that cannot be
/// read are told to the sink and do not end the reading.
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
        if let Some(record) = json::read::<Record>(desk, bytes, at, &["id"]) {
            take(desk, record, bytes);
        }
    })
}

#[derive(Deserialize)]
struct Record {
    id: String,
    #[serde(default)]
    modified: Option<String>,
    #[serde(default)]
    published: Option<String>,
    #[serde(default)]
    withdrawn: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    aliases: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    related: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    upstream: Vec<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    severity: Vec<Rating>,
    #[serde(default, deserialize_with = "or_default")]
    affected: Vec<Package>,
    #[serde(default, deserialize_with = "or_default")]
    database_specific: Specific,
}

#[derive(Deserialize)]
struct Rating {
    #[serde(rename = "type")]
    kind: String,
    score: String,
}

#[derive(Default, Deserialize)]
struct Specific {
    #[serde(default)]
    severity: Word,
    #[serde(default)]
    urgency: Word,
}

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    package: Option<Named>,
    #[serde(default, deserialize_with = "or_default")]
    severity: Vec<Rating>,
    #[serde(default, deserialize_with = "or_default")]
    ranges: Vec<Ranged>,
    #[serde(default, deserialize_with = "or_default")]
    versions: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    ecosystem_specific: Specific,
    #[serde(default, deserialize_with = "or_default")]
    database_specific: Specific,
}

#[derive(Deserialize)]
struct Named {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Ranged {
    #[serde(rename = "type")]
    kind: String,
    events: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    introduced: Option<String>,
    #[serde(default)]
    fixed: Option<String>,
    #[serde(default)]
    last_affected: Option<String>,
    #[serde(default)]
    limit: Option<String>,
}

fn take(desk: &mut Desk<'_>, record: Record, bytes: &[u8]) {
    desk.name(&record.id);
    if let Err(why) = check_name(&record.id) {
        return desk.skip_it(format!("`id`: {why}"));
    }
    if !desk.is_new(&record.id, bytes) {
        return;
    }
    let mut advisory = Advisory::new(record.id.trim());
    advisory.title = title(record.summary.as_deref().unwrap_or_default());
    let modified = desk.past("modified", record.modified.as_deref());
    advisory.published = desk.past("published", record.published.as_deref());
    advisory.withdrawn = desk.past("withdrawn", record.withdrawn.as_deref());
    advisory.provenance.push(desk.provenance(record.id.trim(), modified));
    let words = [&record.database_specific.severity, &record.database_specific.urgency];
    let said = word(desk, "database_specific.severity", &words);
    advisory.severity = said.or_else(|| heading(&advisory.title)).unwrap_or(Severity::Unknown);
    advisory.category = category(&advisory.id);
    let mut is_of_platforms = false;
    for (index, package) in record.affected.into_iter().enumerate() {
        let at = format!("affected[{index}]");
        let Some(named) = &package.package else {
            if package.ranges.iter().any(|range| range.kind == "GIT") {
                desk.part(format!(
                    "`{at}`: it names only Git commits, which say nothing of installed versions"
                ));
            } else {
                desk.part(format!("`{at}`: it names no package; its member `package` is missing"));
            }
            continue;
        };
        let home = names::osv(&named.ecosystem);
        is_of_platforms |= home.ecosystem.is_of_a_platform();
        if let Some(affected) = statements(desk, &at, &home, &package, &mut advisory) {
            advisory.affected.extend(affected);
        }
    }
    for rating in &record.severity {
        rate(desk, "severity", rating, &mut advisory.cvss, &mut advisory.severity);
    }
    advisory.aliases = desk.names("aliases", record.aliases);
    let upstream = desk.names("upstream", record.upstream);
    advisory.aliases.extend(upstream);
    if is_of_platforms {
        // Distributions list the weaknesses of an update there; language ecosystems, other weaknesses alike.
        let related = desk.names("related", record.related);
        advisory.aliases.extend(related);
    }
    desk.advisory(advisory);
}

/// The severity before a colon, where distributions after Red Hat write it: `Important: grafana security update`.
fn heading(title: &str) -> Option<Severity> {
    let (word, _) = title.split_once(": ")?;
    matches!(word, "Critical" | "Important" | "Moderate" | "Low").then(|| parts::severity(word)).flatten()
}

/// The kind of update that distributions after Red Hat write into its name: `ALSA`, `ALBA`, `ALEA`.
fn category(id: &str) -> Category {
    let kind = id.split_once('-').map_or("", |(kind, _)| kind);
    match (kind.len(), kind.get(2..)) {
        (4, Some("BA")) => Category::Bugfix,
        (4, Some("EA")) => Category::Feature,
        _ => Category::Security,
    }
}

/// The first word that a severity stands in.
fn word(desk: &mut Desk<'_>, field: &str, words: &[&Word]) -> Option<Severity> {
    let word = words.iter().find_map(|word| word.0.as_deref())?;
    let read = parts::severity(word);
    if read.is_none() {
        desk.part(format!("`{field}`: `{word}` is no severity that is known; taken as unknown"));
    }
    read
}

/// Takes a rating over: a vector, or a word where a feed rates in words.
fn rate(desk: &mut Desk<'_>, field: &str, rating: &Rating, vectors: &mut Vec<String>, said: &mut Severity) {
    let score = rating.score.trim();
    if rating.kind.starts_with("CVSS_V") {
        return desk.vector(field, score, vectors);
    }
    match parts::severity(score) {
        Some(severity) => *said = (*said).max(severity),
        None => desk.part(format!(
            "`{field}`: `{}` of the kind `{}` is no severity that is known; taken as unknown",
            super::desk::cut(score, 40),
            super::desk::cut(&rating.kind, 40)
        )),
    }
}

/// What is said of one package; nothing when it cannot be read.
fn statements(
    desk: &mut Desk<'_>,
    at: &str,
    home: &Home,
    package: &Package,
    advisory: &mut Advisory,
) -> Option<Vec<Affected>> {
    let named = package.package.as_ref()?;
    if let Err(why) = check_name(&named.name) {
        desk.part(format!("`{at}.package.name`: {why}"));
        return None;
    }
    if home.lacks_release() {
        desk.part(format!(
            "`{at}.package.ecosystem`: `{}` names no release that is known, so it speaks of no endpoint",
            super::desk::cut(&named.ecosystem, 60)
        ));
    }
    let name = home.package(&named.name);
    let product =
        Product::Package { package: name, platform: home.platform.clone(), of_source: home.of_source };
    let mut severity = Severity::Unknown;
    for rating in &package.severity {
        rate(desk, &format!("{at}.severity"), rating, &mut advisory.cvss, &mut severity);
    }
    let specific = [&package.ecosystem_specific, &package.database_specific];
    let words: Vec<&Word> = specific.iter().flat_map(|part| [&part.severity, &part.urgency]).collect();
    severity =
        severity.max(word(desk, &format!("{at}.database_specific.severity"), &words).unwrap_or(severity));
    let severity = (severity != Severity::Unknown).then_some(severity);
    let mut found = read_versions(desk, at, home, package, &product)?;
    for statement in &mut found {
        statement.severity = severity;
    }
    Some(found)
}

fn read_versions(
    desk: &mut Desk<'_>,
    at: &str,
    home: &Home,
    package: &Package,
    product: &Product,
) -> Option<Vec<Affected>> {
    let mut scheme = Scheme::of(home.ecosystem);
    let mut spans: Vec<Span> = Vec::new();
    let mut unread = 0;
    for (index, range) in package.ranges.iter().enumerate() {
        let at = format!("{at}.ranges[{index}]");
        let of_range = match range.kind.as_str() {
            "SEMVER" => scheme.or(Some(Scheme::Semver)),
            "ECOSYSTEM" => scheme,
            "GIT" => {
                unread += 1;
                continue;
            }
            kind => {
                unread += 1;
                let kind = super::desk::cut(kind, 40);
                desk.part(format!("`{at}.type`: `{kind}` is none of SEMVER, ECOSYSTEM and GIT"));
                continue;
            }
        };
        let Some(of_range) = of_range else {
            unread += 1;
            desk.part(format!(
                "`{at}`: versions of this ecosystem have no order that is known; only those that are listed are read"
            ));
            continue;
        };
        scheme = Some(of_range);
        spans.extend(ranges::spans(of_range, &events(range), &mut |why| desk.part(format!("`{at}`: {why}"))));
    }
    let mut exact = Vec::new();
    for version in &package.versions {
        if version.len() > VERSION_BYTES_MAX {
            desk.part(format!("`{at}.versions`: a version of {} bytes; 512 are let pass", version.len()));
        } else {
            exact.push(version.as_str());
        }
    }
    if spans.is_empty() && exact.is_empty() {
        if unread > 0 {
            desk.part(format!(
                "`{at}`: no version is named that can be read; it names Git commits only, or nothing"
            ));
            return None;
        }
        // Neither a range nor a version: the schema lets it pass and says nothing of it.
        desk.part(format!("`{at}`: it names no version; taken as affecting every one"));
        return Some(vec![parts::statement(product.clone(), Versions::All, Status::Affected, Fix::NotNamed)]);
    }
    let Some(scheme) = scheme else {
        let exact = exact.into_iter().map(str::to_owned).collect();
        let versions = Versions::Exactly(exact);
        return Some(vec![parts::statement(product.clone(), versions, Status::Affected, Fix::NotNamed)]);
    };
    let mut fixes: Vec<Version> = spans.iter().filter_map(|span| span.fix.clone()).collect();
    fixes.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    let comparisons = exact.len().saturating_mul(spans.len() + fixes.len() + 1);
    let rest = if desk.may(comparisons.saturating_mul(10)) {
        outside(scheme, &spans, exact)
    } else {
        fixes.clear();
        desk.part(format!("`{at}`: too many versions beside too many ranges; they are meant by their texts"));
        exact.into_iter().map(|text| (None, text)).collect()
    };
    let mut found = parts::affected(desk, product, scheme, spans);
    for (version, text) in rest {
        let after = version.and_then(|version| fixes.iter().find(|fix| **fix > version).cloned());
        let fix = after.map_or(Fix::NotNamed, Fix::From);
        match found.iter_mut().find(|statement| same_fix(&statement.fix, &fix)) {
            Some(Affected { versions: Versions::Some { exact, .. }, .. }) => exact.push(text.to_owned()),
            Some(_) | None => {
                let versions = Versions::Some { range: Range::new(scheme), exact: vec![text.to_owned()] };
                found.push(parts::statement(product.clone(), versions, Status::Affected, fix));
            }
        }
    }
    Some(found)
}

fn same_fix(a: &Fix, b: &Fix) -> bool {
    match (a, b) {
        (Fix::From(a), Fix::From(b)) => a.as_str() == b.as_str(),
        (Fix::NotNamed, Fix::NotNamed) | (Fix::Never, Fix::Never) => true,
        (Fix::By(a), Fix::By(b)) => a == b,
        (Fix::From(_) | Fix::By(_) | Fix::Never | Fix::NotNamed, _) => false,
    }
}

/// Listed versions that lie in no interval; the version is missing where its text is none of the scheme.
fn outside<'a>(scheme: Scheme, spans: &[Span], exact: Vec<&'a str>) -> Vec<(Option<Version>, &'a str)> {
    let mut rest = Vec::new();
    for text in exact {
        let version = Version::new(scheme, text).ok();
        let is_inside = |version: &Version| spans.iter().any(|span| span.interval.contains(version));
        if !version.as_ref().is_some_and(is_inside) {
            rest.push((version, text));
        }
    }
    rest
}

fn events(range: &Ranged) -> Vec<(Event, &str)> {
    let mut events = Vec::new();
    for change in &range.events {
        for (event, text) in [
            (Event::Introduced, &change.introduced),
            (Event::Fixed, &change.fixed),
            (Event::LastAffected, &change.last_affected),
            (Event::Limit, &change.limit),
        ] {
            if let Some(text) = text {
                events.push((event, text.as_str()));
            }
        }
    }
    events
}
