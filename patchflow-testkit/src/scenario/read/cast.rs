//! The sections that say who and what is there: endpoints and patches.

use super::super::diagnose::Diagnostic;
use super::super::line::{Kind, Line};
use super::super::policy::{CATEGORIES, SEVERITIES, tag};
use super::super::story::{Cast, Published};
use super::super::words::{Read, Words, time};
use crate::sim::Machine;
use patchflow_core::catalog::{Patch, RebootBehaviour};
use patchflow_core::digest::Digest;
use patchflow_core::doc;
use patchflow_core::error::Position;
use patchflow_core::ids::PatchId;
use patchflow_core::plan::RollbackPath;
use patchflow_core::time::Timestamp;
use std::collections::BTreeSet;

pub(super) const PATHS: [(&str, RollbackPath); 5] = [
    ("none", RollbackPath::None),
    ("reinstall", RollbackPath::Reinstall),
    ("uninstall", RollbackPath::Uninstall),
    ("switch", RollbackPath::Switch),
    ("snapshot", RollbackPath::Snapshot),
];

const REBOOTS: [(&str, RebootBehaviour); 3] = [
    ("never", RebootBehaviour::Never),
    ("possible", RebootBehaviour::Possible),
    ("required", RebootBehaviour::Required),
];

const ATTRIBUTES: [&str; 12] = [
    "scope",
    "tag",
    "calendar",
    "group",
    "machine",
    "managed_by",
    "not_in_service",
    "non_production",
    "has",
    "lacks",
    "path",
    "later",
];

/// The lines below `endpoints`: `e1..e5: scope acme/berlin, tag tier=web, has webd=0.9`.
pub(super) fn endpoints(lines: &[Line], calendars: &mut Calendars, found: &mut Vec<Diagnostic>) -> Vec<Cast> {
    let mut cast: Vec<Cast> = Vec::new();
    let mut known = BTreeSet::new();
    for line in lines {
        if let Some(below) = line.below.first() {
            found.push(
                Diagnostic::new(below.at(), "nothing stands below an endpoint")
                    .hint("put its attributes behind a colon: `e1: scope acme/berlin, tag tier=web`"),
            );
        }
        let mut words = Words::of(line);
        // Names count although an attribute is wrong, or every sentence about them would be wrong as well.
        match words.names("the name of an endpoint") {
            Ok(names) => {
                let of = attributes(&mut words, calendars, found);
                for (name, at) in names {
                    if !known.insert(name.clone()) {
                        found.push(Diagnostic::new(at, format!("`{name}` is there already")));
                        continue;
                    }
                    let mut machine = of.machine.clone();
                    machine.id = name.as_str().into();
                    cast.push(Cast { machine, later: of.later, said: of.said.clone() });
                }
            }
            Err(flaw) => found.push(flaw),
        }
    }
    cast
}

/// What stands behind the colon, up to the first flaw.
fn attributes(words: &mut Words<'_>, calendars: &mut Calendars, found: &mut Vec<Diagnostic>) -> Cast {
    let mut of = Cast { machine: Machine::new("like this"), later: false, said: Vec::new() };
    let mut separator = ":";
    while !words.is_over() {
        if let Err(flaw) = words.want(separator).and_then(|()| attribute(words, &mut of, calendars)) {
            found.push(flaw);
            break;
        }
        separator = ",";
    }
    of
}

fn attribute(words: &mut Words<'_>, of: &mut Cast, calendars: &mut Calendars) -> Read<()> {
    let token = words.word("an attribute")?;
    let machine = &mut of.machine;
    match token.text.as_str() {
        "scope" => machine.scope.0.clone_from(&words.word("a scope, such as acme/berlin")?.text),
        "tag" => machine.tags.extend([tag(words)?]),
        "non_production" => machine.environment = patchflow_core::inventory::Environment::NonProduction,
        "calendar" => machine.calendar = Some(calendar(words, calendars)?.as_str().into()),
        "group" => machine.group = Some(words.text("the name of an availability group")?.as_str().into()),
        "has" => {
            let (package, version) = level(words)?;
            of.said.push(package.clone());
            machine.levels.insert(package, version);
        }
        "lacks" => {
            let package = package(words)?;
            machine.levels.remove(&package);
            of.said.push(package);
        }
        "machine" => machine.fingerprint = Some(words.text("what tells the machine from others")?),
        "managed_by" => machine.managed_by = Some(words.text("the name of a patch manager")?),
        "not_in_service" => machine.onboarding = true,
        "path" => machine.path = words.one_of("way back", &PATHS)?,
        "later" => of.later = true,
        other => return Err(Diagnostic::unknown(token.at, "attribute", other, ATTRIBUTES)),
    }
    Ok(())
}

/// The calendars that were named, and where.
pub(super) type Calendars = Vec<(String, Position)>;

/// A calendar of the policy. In quotes it may be one that no policy has: such a story may be told, too.
pub(super) fn calendar(words: &mut Words<'_>, calendars: &mut Calendars) -> Read<String> {
    if let Some(token) = words.peek().filter(|token| token.kind == Kind::Word) {
        calendars.push((token.text.clone(), token.at));
    }
    words.text("the name of a calendar")
}

/// `webd=1.1`.
pub(super) fn level(words: &mut Words<'_>) -> Read<(String, String)> {
    let token = words.word("a package and its version, such as webd=1.1")?;
    match token.text.split_once('=') {
        Some((package, version)) if !package.is_empty() && !version.is_empty() => {
            Ok((package.into(), version.into()))
        }
        _ => Err(Diagnostic::new(token.at, format!("`{}` names no version", token.text))
            .hint("say it as webd=1.1")),
    }
}

/// `webd`, which is not there in any version.
pub(super) fn package(words: &mut Words<'_>) -> Read<String> {
    let token = words.word("a package")?;
    if token.text.contains('=') {
        return Err(Diagnostic::new(token.at, format!("`{}` names a version", token.text))
            .hint("name the package alone, or say which version is there: `has webd=1.0`"));
    }
    Ok(token.text.clone())
}

const FIELDS: [&str; 13] = [
    "severity",
    "category",
    "released",
    "disclosed",
    "exploited",
    "reboot",
    "requires",
    "supersedes",
    "conflicts",
    "floors",
    "cves",
    "content",
    "later",
];

/// `patch webd=1.1` and the lines below it.
pub(super) fn patch(
    line: &Line,
    words: &mut Words<'_>,
    starts: Timestamp,
    found: &mut Vec<Diagnostic>,
) -> Option<Published> {
    let named = level(words).and_then(|named| words.end().map(|()| named));
    let (package, version) = match named {
        Ok(named) => named,
        Err(flaw) => {
            found.push(flaw);
            return None;
        }
    };
    let mut published = Published { patch: doc::patch(&package, &version), later: false };
    published.patch.source = "story".into();
    for below in &line.below {
        let read = field(&mut published, &mut Words::of(below), starts);
        if let Err(flaw) = read {
            found.push(flaw);
        }
        if let Some(deeper) = below.below.first() {
            found.push(Diagnostic::new(deeper.at(), "nothing stands below a field of a patch"));
        }
    }
    Some(published)
}

fn field(published: &mut Published, words: &mut Words<'_>, starts: Timestamp) -> Read<()> {
    let token = words.word("a field of the patch")?;
    words.take(":");
    let Published { patch, later } = published;
    let relations = &mut patch.relations;
    match token.text.as_str() {
        "severity" => patch.severity = words.one_of("severity", &SEVERITIES)?,
        "category" => patch.category = words.one_of("category", &CATEGORIES)?,
        "released" => patch.released = released(words, starts)?,
        "disclosed" => patch.disclosed = released(words, starts)?,
        "exploited" => patch.exploited = released(words, starts)?,
        "floors" => {
            relations.floors = words.names("a version")?.into_iter().map(|(name, _)| name).collect();
        }
        "reboot" => patch.reboot = words.one_of("value of `reboot`", &REBOOTS)?,
        "requires" => relations.requires = patches(words)?,
        "supersedes" => relations.supersedes = patches(words)?,
        "conflicts" => relations.conflicts = patches(words)?,
        "cves" => patch.cves = words.names("a CVE number")?.into_iter().map(|(name, _)| name).collect(),
        "content" => {
            // The same patch with other content is another candidate.
            patch.content = Digest::of(words.text("any text")?.as_bytes());
        }
        "later" => *later = true,
        other => return Err(Diagnostic::unknown(token.at, "field", other, FIELDS)),
    }
    words.end()
}

/// `never`, an instant, or a time from the start; `3d before` lies before it.
fn released(words: &mut Words<'_>, starts: Timestamp) -> Read<Option<Timestamp>> {
    if words.take("unknown") {
        return Ok(None);
    }
    let token = words.word("an instant, `unknown`, or a time such as `3d before`")?;
    if token.text.contains('T') {
        return token.text.parse().map(Some).map_err(|error: patchflow_core::time::BadTimestamp| {
            Diagnostic::new(token.at, error.to_string())
        });
    }
    let at = time(token, starts)?;
    if words.take("before") {
        let back = at.as_millis() - starts.as_millis();
        return Ok(Some(Timestamp::from_millis(starts.as_millis() - back)));
    }
    Ok(Some(at))
}

fn patches(words: &mut Words<'_>) -> Read<Vec<PatchId>> {
    let mut ids = Vec::new();
    loop {
        let (package, version) = level(words)?;
        ids.push(PatchId::from(format!("{package}={version}")));
        if !words.take(",") {
            return Ok(ids);
        }
    }
}

/// A patch that stands in no relation to what the file does not know.
pub(super) fn check_relations(patches: &[(Published, Position)], found: &mut Vec<Diagnostic>) {
    let known: Vec<&str> = patches.iter().map(|(published, _)| published.patch.id.as_str()).collect();
    for (published, at) in patches {
        let Patch { relations, .. } = &published.patch;
        let named = relations.requires.iter().chain(&relations.supersedes).chain(&relations.conflicts);
        for id in named.filter(|id| !known.contains(&id.as_str())) {
            found.push(Diagnostic::unknown(*at, "patch", id.as_str(), known.iter().copied()));
        }
    }
}
