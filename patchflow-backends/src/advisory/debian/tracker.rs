//! The JSON of Debian's security tracker: sources, their weaknesses, and how each stands in each release.
//!
//! Sources are named, never packages. Each weakness of each source is one record, so one CVE number comes as often as
//! it has sources. `0` as the version that repairs means that the source never had the weakness.

use crate::advisory::desk::{Desk, Outcome, check_name, cut, one_input, title};
use crate::advisory::json::{self, Scanner, Stop};
use crate::advisory::note::{Place, Sink, Summary};
use crate::advisory::parts::{self, or_default};
use crate::advisory::ranges::Span;
use crate::advisory::{Feed, Limits, ReadError, ReadErrorKind};
use patchflow_core::catalog::version::{Bound, Interval, Scheme, Version};
use patchflow_core::catalog::{Advisory, Affected, Fix, Product, Severity, Status, Versions};
use patchflow_core::package::{Ecosystem, PackageName, Platform};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, Read};

/// Reads the tracker's JSON.
///
/// # Errors
/// [`ReadError`] when the input fails, is cut off or is no object of sources.
pub fn read_tracker(
    input: impl Read,
    feed: &Feed,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ReadError> {
    one_input(input, feed, limits, sink, read_tracker_file)
}

pub(crate) fn read_tracker_file(input: Box<dyn BufRead + '_>, desk: &mut Desk<'_>) -> Outcome {
    let mut scanner = Scanner::new(input, desk);
    let result = sources(&mut scanner, desk);
    desk.read_to(scanner.at());
    result.map_err(|(kind, at)| desk.fail(Place::Byte(at), kind))
}

fn sources(scanner: &mut Scanner<'_>, desk: &mut Desk<'_>) -> Result<(), Stop> {
    let mut buffer = Vec::new();
    if !scanner.is(b'{')? {
        let why = "expected an object whose members are sources".to_owned();
        return Err((ReadErrorKind::Form(why), scanner.at()));
    }
    if scanner.is(b'}')? {
        return Ok(());
    }
    loop {
        let source = scanner.key(&mut buffer)?;
        if scanner.is(b'{')? {
            if !scanner.is(b'}')? {
                weaknesses(scanner, desk, &source, &mut buffer)?;
            }
        } else {
            let found = scanner.value(&mut buffer)?;
            desk.record(Place::Byte(found.at));
            desk.name(&source);
            desk.skip_it("expected an object of the weaknesses of this source");
        }
        if !scanner.another()? {
            return Ok(());
        }
    }
}

fn weaknesses(
    scanner: &mut Scanner<'_>,
    desk: &mut Desk<'_>,
    source: &str,
    buffer: &mut Vec<u8>,
) -> Result<(), Stop> {
    loop {
        let cve = scanner.key(buffer)?;
        let found = scanner.value(buffer)?;
        desk.read_to(scanner.at());
        desk.record(Place::Byte(found.at));
        let name = format!("{} {}", cut(&cve, 200), cut(source, 200));
        desk.name(&name);
        match found.fault {
            Some(fault) => desk.skip_it(json::words(fault, desk)),
            None => {
                if let Some(entry) = json::read::<Entry>(desk, buffer, found.at, &[]) {
                    take(desk, source, &cve, &name, entry, buffer);
                }
            }
        }
        if !scanner.another()? {
            return Ok(());
        }
    }
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default, deserialize_with = "or_default")]
    description: String,
    releases: BTreeMap<String, Release>,
}

#[derive(Deserialize)]
struct Release {
    status: String,
    #[serde(default)]
    fixed_version: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    urgency: String,
    #[serde(default)]
    nodsa: Option<String>,
    #[serde(default)]
    nodsa_reason: Option<String>,
}

fn take(desk: &mut Desk<'_>, source: &str, cve: &str, name: &str, entry: Entry, bytes: &[u8]) {
    for (field, text) in [("the name of the source", source), ("the name of the weakness", cve)] {
        if let Err(why) = check_name(text) {
            return desk.skip_it(format!("{field}: {why}"));
        }
    }
    if !desk.is_new(name, bytes) {
        return;
    }
    let mut advisory = Advisory::new(cve);
    advisory.title = title(&entry.description);
    advisory.provenance.push(desk.provenance(name, None));
    for (code, release) in entry.releases {
        let Some(platform) = Platform::of_debian(&code) else {
            let code = cut(&code, 40);
            desk.part(format!("`releases.{code}`: no release of Debian that is known"));
            continue;
        };
        if let Some(affected) = stand(desk, source, &code, platform, &release) {
            advisory.severity = advisory.severity.max(affected.severity.unwrap_or(Severity::Unknown));
            advisory.affected.push(affected);
        }
    }
    desk.advisory(advisory);
}

/// How a source stands in one release.
fn stand(
    desk: &mut Desk<'_>,
    source: &str,
    code: &str,
    platform: Platform,
    release: &Release,
) -> Option<Affected> {
    let package = PackageName::new(Ecosystem::Deb, source);
    let product = Product::Package { package, platform: Some(platform), of_source: true };
    // The tracker marks urgencies that it took over from elsewhere with stars.
    let urgency = release.urgency.trim_end_matches('*');
    let is_end = urgency == "end-of-life";
    let severity = match parts::severity(urgency) {
        Some(Severity::Unknown) => None,
        Some(severity) => Some(severity),
        None if is_end => None,
        None => {
            let urgency = cut(urgency, 40);
            desk.part(format!(
                "`releases.{code}.urgency`: `{urgency}` is no urgency that is known; taken as unknown"
            ));
            None
        }
    };
    let refused = is_end || release.nodsa_reason.as_deref() == Some("ignored");
    let open = || if refused { Fix::Never } else { Fix::NotNamed };
    let all = |status, fix| parts::statement(product.clone(), Versions::All, status, fix);
    let mut statement = match (release.status.as_str(), release.fixed_version.as_deref()) {
        ("resolved", Some("0")) => {
            let why = "the tracker says that this release never had the weakness".to_owned();
            all(Status::NotAffected { why }, Fix::NotNamed)
        }
        ("resolved", Some(fixed)) => match Version::new(Scheme::Deb, fixed) {
            Ok(fixed) => {
                let interval = Interval { from: Bound::Open, to: Bound::Excluding(fixed.clone()) };
                parts::affected(desk, &product, Scheme::Deb, vec![Span { interval, fix: Some(fixed) }])
                    .pop()?
            }
            Err(why) => {
                desk.part(format!("`releases.{code}.fixed_version`: {why}; taken as not repaired"));
                all(Status::Affected, Fix::NotNamed)
            }
        },
        ("resolved", None) => {
            desk.part(format!(
                "`releases.{code}`: it is resolved and names no version; taken as not repaired"
            ));
            all(Status::Affected, Fix::NotNamed)
        }
        ("open", _) => all(Status::Affected, open()),
        ("undetermined", _) => all(Status::UnderInvestigation, Fix::NotNamed),
        (other, _) => {
            let other = cut(other, 40);
            desk.part(format!(
                "`releases.{code}.status`: `{other}` is no status that is known; taken as under investigation"
            ));
            all(Status::UnderInvestigation, Fix::NotNamed)
        }
    };
    statement.severity = severity;
    if matches!(statement.fix, Fix::Never | Fix::NotNamed) && statement.status == Status::Affected {
        statement.mitigation =
            release.nodsa.as_deref().map(|why| cut(&format!("no update by Debian: {why}"), 400));
    }
    Some(statement)
}
