//! Patches of one's own, in JSON: what a host publishes itself, with how they stand to each other. See docs/feeds.md.
//!
//! People write these files, so a member that is not known is a mistake and not passed over: a misspelt `conflicts` would
//! install two things beside each other.

use super::desk::{Desk, Outcome, check_name, one_input, title};
use super::json::{self, Scanner};
use super::note::{Sink, Summary};
use super::parts;
use super::{Feed, Limits, ReadError};
use patchflow_core::catalog::version::{Scheme, Version};
use patchflow_core::catalog::{Category, Patch, RebootBehaviour, Relations, Target};
use patchflow_core::digest::Digest;
use patchflow_core::ids::PatchId;
use patchflow_core::package::{PackageName, Platform};
use serde::Deserialize;
use std::io::{BufRead, Read};

/// Reads patches: one, a list, or one a line.
///
/// ```
/// use patchflow_backends::advisory::{Collected, Feed, Limits, patches};
/// let feed = Feed::new("own", "2026-11-21T00:00:00Z".parse()?);
/// let text = r#"{"id": "shop-2.1", "package": {"ecosystem": "deb", "name": "shop"}, "version": "2.1", "category": "bugfix",
///     "requires": ["shop-2.0"], "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#;
/// let mut read = Collected::default();
/// patches::read(text.as_bytes(), &feed, &Limits::default(), &mut read)?;
/// assert_eq!(read.patches[0].target.to_string(), "deb:shop=2.1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ReadError`] when the input fails, is cut off or is no such document.
pub fn read(
    input: impl Read,
    feed: &Feed,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ReadError> {
    one_input(input, feed, limits, sink, read_file)
}

pub(super) fn read_file(input: Box<dyn BufRead + '_>, desk: &mut Desk<'_>) -> Outcome {
    let mut take_one = |desk: &mut Desk<'_>, bytes: &[u8], at: u64| {
        if let Some(written) = json::read::<Written>(desk, bytes, at, &["id"]) {
            take(desk, written, bytes);
        }
    };
    let mut scanner = Scanner::new(input, desk);
    json::records(&mut scanner, desk, &mut take_one)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    #[serde(default)]
    title: String,
    package: PackageName,
    version: String,
    #[serde(default)]
    platform: Option<String>,
    category: Category,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    cves: Vec<String>,
    #[serde(default)]
    released: Option<String>,
    #[serde(default)]
    reboot: Option<RebootBehaviour>,
    #[serde(default)]
    supersedes: Vec<String>,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(default)]
    conflicts: Vec<String>,
    #[serde(default)]
    floors: Vec<String>,
    sha256: String,
}

fn take(desk: &mut Desk<'_>, written: Written, bytes: &[u8]) {
    desk.name(&written.id);
    let names = [("id", &written.id), ("package.name", &written.package.name), ("version", &written.version)];
    for (field, name) in names {
        if let Err(why) = check_name(name) {
            return desk.skip_it(format!("`{field}`: {why}"));
        }
    }
    let id = PatchId::from(written.id.trim());
    if !desk.is_new(id.as_str(), bytes) {
        return;
    }
    if let Some(scheme) = Scheme::of(written.package.ecosystem) {
        for (field, version) in std::iter::once(("version", &written.version))
            .chain(written.floors.iter().map(|floor| ("floors", floor)))
        {
            if let Err(why) = Version::new(scheme, version.as_str()) {
                return desk.skip_it(format!("`{field}`: {why}"));
            }
        }
    }
    let Ok(content) = written.sha256.parse::<Digest>() else {
        return desk.skip_it("`sha256`: expected 64 hexadecimal digits; an approval is bound to them");
    };
    let Some(severity) = parts::severity(&written.severity) else {
        return desk.skip_it("`severity`: expected one of low, moderate, high and critical, or none");
    };
    // A relation that is left out would be none, so all or nothing.
    let [supersedes, requires, conflicts] = [
        ("supersedes", &written.supersedes),
        ("requires", &written.requires),
        ("conflicts", &written.conflicts),
    ]
    .map(|(field, names)| -> Result<Vec<PatchId>, String> {
        let of = |name: &String| {
            check_name(name).map_err(|why| format!("`{field}`: {why}"))?;
            let other = PatchId::from(name.trim());
            if other == id { Err(format!("`{field}`: it names itself")) } else { Ok(other) }
        };
        names.iter().map(of).collect()
    });
    let relations = match (supersedes, requires, conflicts) {
        (Ok(supersedes), Ok(requires), Ok(conflicts)) => {
            Relations { supersedes, requires, conflicts, floors: written.floors }
        }
        (Err(why), _, _) | (_, Err(why), _) | (_, _, Err(why)) => return desk.skip_it(why),
    };
    let cves = desk.names("cves", written.cves);
    let released = desk.past("released", written.released.as_deref());
    let platform = written.platform.as_deref().map(Platform::named).or_else(|| desk.feed.platform.clone());
    desk.patch(Patch {
        title: if written.title.trim().is_empty() { id.to_string() } else { title(&written.title) },
        id,
        target: Target { package: written.package, version: written.version },
        category: written.category,
        severity,
        cves: cves.iter().map(|cve| (**cve).to_owned()).collect(),
        released,
        disclosed: None,
        exploited: None,
        closes: Vec::new(),
        platform,
        reboot: written.reboot.unwrap_or(RebootBehaviour::Possible),
        relations,
        content,
        source: desk.feed.name.to_string(),
    });
}
