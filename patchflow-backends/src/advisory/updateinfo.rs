//! `updateinfo.xml` of RPM repositories, plain or gzipped.
//!
//! An update says which versions it brings: what is below is affected and repaired from there on. The file does not say
//! which platform it is for, so the caller does ([`Feed::on`]); without it the advisories speak of no endpoint.
//!
//! Each package of an update is also a patch, named `update:package`, when the file states a SHA-256 of it for every
//! architecture: an approval binds to content, and there is none to bind to otherwise.

use super::desk::{Desk, Outcome, check_name, cut, one_input, title};
use super::error::ReadErrorKind;
use super::input::fill;
use super::note::{Place, Sink, Summary};
use super::parts;
use super::ranges::Span;
use super::{Feed, Limits, ReadError};
use patchflow_core::catalog::version::{Bound, Interval, Scheme, Version};
use patchflow_core::catalog::{
    Advisory, Category, Patch, Product, RebootBehaviour, Relations, Severity, Target,
};
use patchflow_core::digest::Digest;
use patchflow_core::ids::PatchId;
use patchflow_core::package::{Ecosystem, PackageName};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Read};
use std::sync::Arc;

/// Reads a list of updates.
///
/// # Errors
/// [`ReadError`] when the input fails, is cut off or is no such list.
pub fn read(
    input: impl Read,
    feed: &Feed,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ReadError> {
    one_input(input, feed, limits, sink, read_file)
}

pub(super) fn read_file(mut input: Box<dyn BufRead + '_>, desk: &mut Desk<'_>) -> Outcome {
    let mut at = 0;
    let mut element = Vec::new();
    let mut is_list = false;
    loop {
        let fail = |desk: &Desk<'_>, at, error| desk.fail_io(Place::Byte(at), error);
        // A list begins with `<updates>`; what stands before is its head.
        let tag = tag(&mut *input, &mut at).map_err(|error| fail(desk, at, error))?;
        let Some((from, tag)) = tag else { break };
        is_list |= tag.starts_with(b"updates") && !tag[7..].first().is_some_and(u8::is_ascii_alphanumeric);
        let is_update =
            tag.starts_with(b"update") && matches!(tag.get(6), None | Some(b' ' | b'\t' | b'\r' | b'\n'));
        if !is_update {
            continue;
        }
        element.clear();
        element.extend_from_slice(b"<");
        element.extend_from_slice(&tag);
        element.extend_from_slice(b">");
        let ended = to_end(&mut *input, &mut at, &mut element, desk.limits.record_bytes_max);
        desk.read_to(at);
        let length = ended.map_err(|error| fail(desk, from, error))?;
        desk.record(Place::Byte(from));
        if length > desk.limits.record_bytes_max as u64 {
            let max = desk.limits.record_bytes_max;
            desk.skip_it(format!(
                "it has {length} bytes; a record may have {max} (Limits::record_bytes_max)"
            ));
            continue;
        }
        match update(&element, desk.limits.nesting_max) {
            Ok(update) => take(desk, update, &element),
            Err((offset, why, id)) => {
                desk.name(&id);
                desk.skip(Place::Byte(from + offset), why);
            }
        }
    }
    desk.read_to(at);
    if is_list {
        return Ok(());
    }
    let why = "expected a list of updates, `<updates>`".to_owned();
    Err(desk.fail(Place::Byte(0), ReadErrorKind::Form(why)))
}

/// The longest tag that is kept; longer ones are none of an update.
const TAG_BYTES_MAX: usize = 4096;

/// The next tag, without its brackets, and where it begins. Nothing at the end.
fn tag(input: &mut dyn BufRead, at: &mut u64) -> io::Result<Option<(u64, Vec<u8>)>> {
    let mut tag = Vec::new();
    let (mut from, mut inside, mut is_comment) = (0, false, false);
    loop {
        let chunk = fill(input)?;
        if chunk.is_empty() {
            return if inside { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
        }
        let mut used = 0;
        let mut found = false;
        for byte in chunk {
            used += 1;
            if !inside {
                if *byte == b'<' {
                    (inside, from) = (true, *at + used as u64 - 1);
                }
                continue;
            }
            if *byte == b'>' && (!is_comment || tag.ends_with(b"--")) {
                found = true;
                break;
            }
            tag.push(*byte);
            is_comment = is_comment || tag == b"!--";
            if tag.len() > TAG_BYTES_MAX {
                // Only its end is needed.
                tag.drain(..TAG_BYTES_MAX / 2);
            }
        }
        input.consume(used);
        *at += used as u64;
        if found {
            if is_comment {
                (inside, is_comment) = (false, false);
                tag.clear();
                continue;
            }
            return Ok(Some((from, tag)));
        }
    }
}

/// Takes everything to `</update>`, keeping at most so many bytes; how many there were.
fn to_end(input: &mut dyn BufRead, at: &mut u64, element: &mut Vec<u8>, max: usize) -> io::Result<u64> {
    const END: &[u8] = b"</update>";
    let mut length = element.len() as u64;
    let mut matched = 0;
    if element.ends_with(b"/>") {
        return Ok(length);
    }
    loop {
        let chunk = fill(input)?;
        if chunk.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut used = 0;
        for byte in chunk {
            used += 1;
            matched = if *byte == END[matched] { matched + 1 } else { usize::from(*byte == END[0]) };
            if matched == END.len() {
                break;
            }
        }
        if element.len() + used <= max {
            element.extend_from_slice(&chunk[..used]);
        }
        input.consume(used);
        *at += used as u64;
        length += used as u64;
        if matched == END.len() {
            return Ok(length);
        }
    }
}

#[derive(Default)]
struct Update {
    id: String,
    kind: String,
    status: String,
    title: String,
    severity: String,
    issued: Option<String>,
    updated: Option<String>,
    reboot: bool,
    cves: Vec<String>,
    packages: Vec<Rpm>,
}

#[derive(Default)]
struct Rpm {
    name: String,
    epoch: String,
    version: String,
    release: String,
    arch: String,
    sum: Option<String>,
    reboot: bool,
}

/// Reads one element. The error is its place within, why, and the update's id as far as it is known.
fn update(element: &[u8], nesting_max: usize) -> Result<Update, (u64, String, String)> {
    let element = std::str::from_utf8(element)
        .map_err(|error| (error.valid_up_to() as u64, "it is not UTF-8".to_owned(), String::new()))?;
    let mut reader = Reader::from_str(element);
    let mut update = Update::default();
    let mut path: Vec<String> = Vec::new();
    let mut text = String::new();
    let mut sum_kind = String::new();
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event();
        let bad = |why: String, update: &Update| (at, why, update.id.clone());
        let event = event.map_err(|error| bad(format!("it is no well-formed XML: {error}"), &update))?;
        match event {
            Event::Start(start) => {
                if path.len() >= nesting_max {
                    let why =
                        format!("its elements nest deeper than {nesting_max} levels (Limits::nesting_max)");
                    return Err(bad(why, &update));
                }
                begin(&start, &mut update, &mut sum_kind).map_err(|why| bad(why, &update))?;
                path.push(start.local_name().as_ref().to_owned());
                text.clear();
            }
            Event::Empty(start) => {
                begin(&start, &mut update, &mut sum_kind).map_err(|why| bad(why, &update))?;
                end(start.local_name().as_ref(), path.last(), "", &sum_kind, &mut update);
                text.clear();
            }
            Event::Text(part) => text.push_str(&part),
            Event::CData(part) => text.push_str(&part),
            Event::GeneralRef(entity) => {
                text.push(character(&entity).map_err(|why| bad(why, &update))?);
            }
            Event::End(tag) => {
                let name = tag.local_name().as_ref().to_owned();
                path.pop();
                end(&name, path.last(), text.trim(), &sum_kind, &mut update);
                text.clear();
                if path.is_empty() {
                    return Ok(update);
                }
            }
            Event::Eof if path.is_empty() => return Ok(update),
            Event::Eof => return Err(bad("it ends before it is closed".to_owned(), &update)),
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
        }
    }
}

/// The character of an entity. Only those of XML itself are known: no document may define its own.
fn character(entity: &BytesRef<'_>) -> Result<char, String> {
    if let Ok(Some(character)) = entity.resolve_char_ref() {
        return Ok(character);
    }
    match &**entity {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        other => Err(format!("`&{};` is no entity of XML", cut(other, 40))),
    }
}

/// Takes the attributes of an element.
fn begin(start: &BytesStart<'_>, update: &mut Update, sum_kind: &mut String) -> Result<(), String> {
    let name = start.local_name();
    let is = name.as_ref();
    if !matches!(is, "update" | "issued" | "updated" | "reference" | "package" | "sum") {
        return Ok(());
    }
    let mut attributes = BTreeMap::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("it is no well-formed XML: {error}"))?;
        let value = quick_xml::escape::unescape(&attribute.value)
            .map_err(|error| format!("it is no well-formed XML: {error}"))?;
        let key = attribute.key.local_name().as_ref().to_owned();
        attributes.insert(key, value.into_owned());
    }
    let mut take = |key: &str| attributes.remove(key).unwrap_or_default();
    match is {
        "update" => (update.kind, update.status) = (take("type"), take("status")),
        "issued" => update.issued = Some(take("date")),
        "updated" => update.updated = Some(take("date")),
        "reference" => {
            let (kind, id) = (take("type"), take("id"));
            if kind == "cve" && !id.is_empty() {
                update.cves.push(id);
            }
        }
        "package" => update.packages.push(Rpm {
            name: take("name"),
            epoch: take("epoch"),
            version: take("version"),
            release: take("release"),
            arch: take("arch"),
            ..Rpm::default()
        }),
        _ => *sum_kind = take("type"),
    }
    Ok(())
}

/// Takes the text of an element.
fn end(name: &str, within: Option<&String>, text: &str, sum_kind: &str, update: &mut Update) {
    let within = within.map_or("", String::as_str);
    match (within, name) {
        ("update", "id") => update.id = text.to_owned(),
        ("update", "title") => update.title = title(text),
        ("update", "severity") => update.severity = text.to_owned(),
        // Some write the dates as text.
        ("update", "issued") if update.issued.as_deref() == Some("") => update.issued = Some(text.to_owned()),
        ("update", "updated") if update.updated.as_deref() == Some("") => {
            update.updated = Some(text.to_owned())
        }
        ("package", "reboot_suggested") => {
            let suggested = !matches!(text.to_ascii_lowercase().as_str(), "false" | "0" | "no");
            if let Some(package) = update.packages.last_mut() {
                package.reboot |= suggested;
            }
            update.reboot |= suggested;
        }
        ("update", "reboot_suggested") => {
            update.reboot |= !matches!(text.to_ascii_lowercase().as_str(), "false" | "0" | "no");
        }
        ("package", "sum") if sum_kind.eq_ignore_ascii_case("sha256") => {
            if let Some(package) = update.packages.last_mut() {
                package.sum = Some(text.to_owned());
            }
        }
        _ => {}
    }
}

fn take(desk: &mut Desk<'_>, update: Update, element: &[u8]) {
    desk.name(&update.id);
    if let Err(why) = check_name(&update.id) {
        return desk.skip_it(format!("`id`: {why}"));
    }
    if !desk.is_new(&update.id, element) {
        return;
    }
    let mut advisory = Advisory::new(update.id.trim());
    advisory.title.clone_from(&update.title);
    advisory.category = match update.kind.as_str() {
        "security" => Category::Security,
        "enhancement" | "newpackage" | "feature" => Category::Feature,
        "bugfix" | "recommended" | "optional" | "unspecified" | "" => Category::Bugfix,
        other => {
            let other = cut(other, 40);
            desk.part(format!("`type`: `{other}` is no kind of update that is known; taken as a repair"));
            Category::Bugfix
        }
    };
    advisory.severity = parts::severity(&update.severity).unwrap_or_else(|| {
        let word = cut(&update.severity, 40);
        desk.part(format!("`severity`: `{word}` is no severity that is known; taken as unknown"));
        Severity::Unknown
    });
    let released = desk.past("issued", update.issued.as_deref());
    let modified = desk.past("updated", update.updated.as_deref());
    (advisory.published, advisory.fixed_at) = (released, released);
    if matches!(update.status.as_str(), "retracted" | "obsolete") {
        advisory.withdrawn = Some(modified.or(released).unwrap_or(desk.feed.read_at));
    }
    advisory.aliases = desk.names("references", update.cves.iter().cloned());
    advisory.provenance.push(desk.provenance(update.id.trim(), modified));
    let mut brought: BTreeMap<(&str, String), Vec<&Rpm>> = BTreeMap::new();
    for rpm in &update.packages {
        if rpm.name.is_empty() || rpm.version.is_empty() || rpm.arch == "src" {
            if rpm.arch != "src" {
                desk.part("a package without a name or a version");
            }
            continue;
        }
        let epoch =
            if rpm.epoch.is_empty() || rpm.epoch == "0" { String::new() } else { format!("{}:", rpm.epoch) };
        let dash = if rpm.release.is_empty() { "" } else { "-" };
        let version = format!("{epoch}{}{dash}{}", rpm.version, rpm.release);
        brought.entry((&rpm.name, version)).or_default().push(rpm);
    }
    let mut patches = Vec::new();
    for ((name, version), rpms) in brought {
        let fix = match Version::new(Scheme::Rpm, version.as_str()) {
            Ok(fix) => fix,
            Err(why) => {
                desk.part(format!("the package `{}`: {why}", cut(name, 80)));
                continue;
            }
        };
        if let Err(why) = check_name(name) {
            desk.part(format!("the name of a package: {why}"));
            continue;
        }
        let package = PackageName::new(Ecosystem::Rpm, name);
        let product = Product::Package {
            package: package.clone(),
            platform: desk.feed.platform.clone(),
            of_source: false,
        };
        let interval = Interval { from: Bound::Open, to: Bound::Excluding(fix.clone()) };
        let spans = vec![Span { interval, fix: Some(fix) }];
        advisory.affected.extend(parts::affected(desk, &product, Scheme::Rpm, spans));
        if let Some(content) = content(&rpms) {
            if !desk.may((update.cves.len() + 1).saturating_mul(50)) {
                desk.part("too many weaknesses of too many packages; the rest are no patches");
                continue;
            }
            let reboot = update.reboot || rpms.iter().any(|rpm| rpm.reboot);
            patches.push(Patch {
                id: PatchId::from(format!("{}:{name}", update.id.trim())),
                title: update.title.clone(),
                target: Target { package, version },
                category: advisory.category,
                severity: advisory.severity,
                cves: update.cves.clone(),
                released,
                disclosed: None,
                exploited: None,
                closes: Vec::new(),
                platform: desk.feed.platform.clone(),
                reboot: if reboot { RebootBehaviour::Required } else { RebootBehaviour::Possible },
                relations: Relations::default(),
                content,
                source: desk.feed.name.to_string(),
            });
        }
    }
    if desk.feed.platform.is_none() {
        desk.part("no platform is given for this file (Feed::on), so its updates speak of no endpoint");
    }
    desk.advisory(advisory);
    let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
    for patch in patches {
        // Two versions of one package in one update: for streams of a module. The first keeps the name.
        let mut patch = patch;
        if !names.insert(patch.id.as_str().into()) {
            patch.id = PatchId::from(format!("{}={}", patch.id, patch.target.version));
        }
        desk.patch(patch);
    }
}

/// One digest over the packages of all architectures; nothing when one of them has none.
fn content(rpms: &[&Rpm]) -> Option<Digest> {
    let mut sums = BTreeSet::new();
    for rpm in rpms {
        let sum: Digest = rpm.sum.as_deref()?.parse().ok()?;
        sums.insert(format!("{} {sum}\n", rpm.arch));
    }
    let text: String = sums.into_iter().collect();
    Some(Digest::of(text.as_bytes()))
}
