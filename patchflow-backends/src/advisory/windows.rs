//! Updates of Windows, as the Windows Update Agent's interface tells them, in JSON: see docs/feeds.md.
//!
//! Members have the names of the interface (`IUpdate` to `IUpdate5`), so that a few lines of PowerShell write the file.
//! An update is a patch named by its `UpdateID`. Its content is fixed by identity and revision, so the digest that an
//! approval binds to is taken over both.

use super::desk::{Desk, Outcome, check_name, cut, one_input, title};
use super::json::{self, Scanner};
use super::note::{Place, Sink, Summary};
use super::parts::{self, Word, or_default};
use super::{Feed, Limits, ReadError};
use patchflow_core::catalog::{Category, Patch, RebootBehaviour, Relations, Severity, Target};
use patchflow_core::digest::Digest;
use patchflow_core::ids::PatchId;
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::time::Timestamp;
use serde::Deserialize;
use std::io::{BufRead, Read};

/// Reads updates: an object with a list `Updates`, a list, or one a line.
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

/// How one endpoint stands to an update, where the file was written on one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The update.
    pub patch: PatchId,
    /// `IsInstalled`; `None` when the file does not say.
    pub installed: Option<bool>,
    /// `IsHidden`: somebody asked on the endpoint not to be offered it.
    pub hidden: Option<bool>,
    /// `RebootRequired`: it waits for a reboot.
    pub reboot_required: Option<bool>,
}

/// Reads how an endpoint stands to the updates of a file, in the file's order. Notes go to the sink, as with [`read`];
/// patches too.
///
/// # Errors
/// As [`read`].
pub fn read_standings(
    input: impl Read,
    feed: &Feed,
    limits: &Limits,
    sink: &mut dyn Sink,
    mut each: impl FnMut(Standing),
) -> Result<Summary, ReadError> {
    one_input(input, feed, limits, sink, |opened, desk| read_with(opened, desk, &mut each))
}

pub(super) fn read_file(input: Box<dyn BufRead + '_>, desk: &mut Desk<'_>) -> Outcome {
    read_with(input, desk, &mut |_| ())
}

fn read_with(
    mut input: Box<dyn BufRead + '_>,
    desk: &mut Desk<'_>,
    each: &mut dyn FnMut(Standing),
) -> Outcome {
    let mut take_one = |desk: &mut Desk<'_>, bytes: &[u8], at: u64| {
        if let Some(update) = json::read::<Update>(desk, bytes, at, &["UpdateID"]) {
            take(desk, update, bytes, each);
        }
    };
    let head = super::input::fill(&mut *input).map_err(|error| desk.fail_io(Place::Byte(0), error))?;
    let is_wrapped = head.trim_ascii_start().starts_with(b"{")
        && !json::first_keys(head).iter().any(|key| key == "UpdateID" || key == "Identity");
    let mut scanner = Scanner::new(input, desk);
    if is_wrapped {
        let lacks = "expected an object with a list `Updates`";
        json::records_of(scanner, desk, "Updates", lacks, &mut take_one)
    } else {
        json::records(&mut scanner, desk, &mut take_one)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    #[serde(rename = "UpdateID")]
    id: String,
    revision_number: u32,
    title: String,
    #[serde(rename = "KBArticleIDs", default, deserialize_with = "or_default")]
    kbs: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    categories: Vec<Named>,
    #[serde(default)]
    msrc_severity: Option<String>,
    #[serde(rename = "SupersededUpdateIDs", default, deserialize_with = "or_default")]
    superseded: Vec<String>,
    #[serde(rename = "CveIDs", default, deserialize_with = "or_default")]
    cves: Vec<String>,
    #[serde(default)]
    reboot_behavior: Word,
    #[serde(default)]
    last_deployment_change_time: Option<String>,
    #[serde(rename = "Type", default)]
    kind: Word,
    #[serde(default)]
    is_installed: Option<bool>,
    #[serde(default)]
    is_hidden: Option<bool>,
    #[serde(default)]
    reboot_required: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    name: String,
}

fn take(desk: &mut Desk<'_>, update: Update, bytes: &[u8], each: &mut dyn FnMut(Standing)) {
    desk.name(&update.id);
    if let Err(why) = check_name(&update.id) {
        return desk.skip_it(format!("`UpdateID`: {why}"));
    }
    // The letters of an identity are hexadecimal digits of either case.
    let id = PatchId::from(update.id.trim().to_ascii_lowercase());
    if !desk.is_new(id.as_str(), bytes) {
        return;
    }
    let kbs: Vec<String> = update.kbs.iter().filter_map(|kb| number(desk, kb)).collect();
    let name = kbs.first().cloned().unwrap_or_else(|| id.to_string());
    let severity = update.msrc_severity.as_deref().unwrap_or_default();
    let severity = parts::severity(severity).unwrap_or_else(|| {
        let word = cut(severity, 40);
        desk.part(format!("`MsrcSeverity`: `{word}` is no severity that is known; taken as unknown"));
        Severity::Unknown
    });
    let supersedes = desk.names("SupersededUpdateIDs", update.superseded.iter().cloned());
    let supersedes =
        supersedes.iter().map(|id| PatchId::from(id.to_ascii_lowercase())).filter(|old| *old != id);
    let relations = Relations { supersedes: supersedes.collect(), ..Relations::default() };
    let cves = desk.names("CveIDs", update.cves.iter().cloned());
    let content = Digest::of(format!("{id}.{}", update.revision_number).as_bytes());
    let patch = Patch {
        id: id.clone(),
        title: title(&update.title),
        target: Target {
            package: PackageName::new(Ecosystem::Windows, name),
            version: update.revision_number.to_string(),
        },
        category: category(&update),
        severity,
        cves: cves.iter().map(|cve| (**cve).to_owned()).collect(),
        released: changed(desk, update.last_deployment_change_time.as_deref()),
        disclosed: None,
        exploited: None,
        closes: Vec::new(),
        platform: None,
        reboot: reboot(desk, &update.reboot_behavior),
        relations,
        content,
        source: desk.feed.name.to_string(),
    };
    let Update { is_installed: installed, is_hidden: hidden, reboot_required, .. } = update;
    desk.patch(patch);
    each(Standing { patch: id, installed, hidden, reboot_required });
}

/// `5034763` or `KB5034763` as `KB5034763`.
fn number(desk: &mut Desk<'_>, text: &str) -> Option<String> {
    let digits = text.trim().trim_start_matches(['K', 'k', 'B', 'b']);
    if (1..=12).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("KB{digits}"));
    }
    let text = cut(text, 40);
    desk.part(format!("`KBArticleIDs`: `{text}` is no number of an article, such as 5034763"));
    None
}

/// The class among the categories, which name products too.
fn category(update: &Update) -> Category {
    let is = |name: &str| update.categories.iter().any(|category| category.name.eq_ignore_ascii_case(name));
    let is_driver = matches!(update.kind.0.as_deref(), Some("2" | "Driver" | "utDriver"));
    if is("Firmware") {
        Category::Firmware
    } else if is("Security Updates") || is("Definition Updates") {
        Category::Security
    } else if is_driver || is("Drivers") || is("Driver Sets") {
        Category::Driver
    } else if is("Feature Packs") || is("Upgrades") || is("Service Packs") || is("Tools") {
        Category::Feature
    } else if update.cves.is_empty() && update.msrc_severity.as_deref().unwrap_or_default().is_empty() {
        Category::Bugfix
    } else {
        // A rollup that closes a weakness is not called a security update.
        Category::Security
    }
}

/// `InstallationBehavior.RebootBehavior`: by number, or by name.
fn reboot(desk: &mut Desk<'_>, word: &Word) -> RebootBehaviour {
    match word.0.as_deref() {
        Some("0" | "NeverReboots" | "irbNeverReboots") => RebootBehaviour::Never,
        Some("1" | "AlwaysRequiresReboot" | "irbAlwaysRequiresReboot") => RebootBehaviour::Required,
        Some("2" | "CanRequestReboot" | "irbCanRequestReboot") | None => RebootBehaviour::Possible,
        Some(other) => {
            let other = cut(other, 40);
            desk.part(format!("`RebootBehavior`: `{other}` is none of 0, 1 and 2; taken as possible"));
            RebootBehaviour::Possible
        }
    }
}

/// `LastDeploymentChangeTime`: RFC 3339, or as older PowerShell writes dates, `/Date(1708000000000)/`.
fn changed(desk: &mut Desk<'_>, text: Option<&str>) -> Option<Timestamp> {
    let text = text?;
    let millis = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")?.parse().ok());
    let full = millis.map(|millis| Timestamp::from_millis(millis).to_string());
    desk.past("LastDeploymentChangeTime", Some(full.as_deref().unwrap_or(text)))
}
