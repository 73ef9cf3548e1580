//! Readers of advisories and patches.

mod bad_input;
mod csaf;
mod cve;
mod debian;
mod fuzz;
mod lists;
mod osv;
mod patches;
mod path;
mod source;
mod updateinfo;
mod windows;

use patchflow_backends::advisory::{Collected, Feed, Limits, ReadError, Sink, Summary};
use patchflow_core::catalog::{Affected, Fix, Product, Status, Versions};
use std::path::PathBuf;

type Reader = fn(&[u8], &Feed, &Limits, &mut dyn Sink) -> Result<Summary, ReadError>;

/// Reading never happens after this day in the tests.
fn feed() -> Feed {
    Feed::new("test", "2026-11-21T00:00:00Z".parse().unwrap())
}

fn data(name: &str) -> Vec<u8> {
    let path = data_path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn data_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/advisories").join(name)
}

/// Reads all of it with the default limits.
fn read(reader: Reader, bytes: &[u8]) -> (Summary, Collected) {
    let mut read = Collected::default();
    let summary = reader(bytes, &feed(), &Limits::default(), &mut read).expect("it can be read");
    (summary, read)
}

fn notes(read: &Collected) -> Vec<String> {
    read.notes.iter().map(ToString::to_string).collect()
}

/// A statement in one line.
fn shown(affected: &Affected) -> String {
    let product = match &affected.product {
        Product::Package { package, platform, of_source } => {
            let on = platform.as_ref().map(|on| format!(" on {on}")).unwrap_or_default();
            format!("{package}{on}{}", if *of_source { " (source)" } else { "" })
        }
        Product::Cpe(cpe) => cpe.as_str().to_owned(),
    };
    let versions = match &affected.versions {
        Versions::All => "all".to_owned(),
        Versions::Some { range, exact } if exact.is_empty() => range.to_string(),
        Versions::Some { range, exact } => format!("{range}, and {}", exact.join(" ")),
        Versions::Exactly(texts) => format!("exactly {}", texts.join(" ")),
    };
    let status = match &affected.status {
        Status::Affected => "affected".to_owned(),
        Status::NotAffected { why } => format!("not affected ({why})"),
        Status::Fixed => "fixed".to_owned(),
        Status::UnderInvestigation => "under investigation".to_owned(),
    };
    let fix = match &affected.fix {
        Fix::From(version) => format!(", fixed from {version}"),
        Fix::By(update) => format!(", fixed by {update}"),
        Fix::Never => ", never fixed".to_owned(),
        Fix::NotNamed => String::new(),
    };
    let severity = affected.severity.map(|severity| format!(", {severity}")).unwrap_or_default();
    let mitigation =
        affected.mitigation.as_ref().map(|text| format!(", meanwhile: {text}")).unwrap_or_default();
    format!("{product}: {versions}: {status}{fix}{severity}{mitigation}")
}

fn all_shown(affected: &[Affected]) -> Vec<String> {
    affected.iter().map(shown).collect()
}

fn texts(names: &[std::sync::Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}
