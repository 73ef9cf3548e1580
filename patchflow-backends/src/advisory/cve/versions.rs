//! The versions of one block of a CVE record: listed ones and ranges, each with its status, and a status for the rest.

use super::Entries;
use crate::advisory::desk::{Desk, cut};
use crate::advisory::parts::{self, or_default};
use crate::advisory::ranges::{self, Said, Span};
use patchflow_core::catalog::version::{Bound, Interval, Range, Scheme, VERSION_BYTES_MAX, Version};
use patchflow_core::catalog::{Affected, Fix, Product, Status, Versions};
use serde::Deserialize;
use std::cmp::Ordering;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Block {
    #[serde(default)]
    pub(super) vendor: Option<String>,
    #[serde(default)]
    pub(super) product: Option<String>,
    #[serde(default)]
    pub(super) package_name: Option<String>,
    #[serde(rename = "packageURL", default)]
    pub(super) package_url: Option<String>,
    #[serde(rename = "collectionURL", default)]
    pub(super) collection_url: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) cpes: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    default_status: String,
    #[serde(default, deserialize_with = "or_default")]
    versions: Entries,
}

impl Block {
    /// How many versions it lists, with their changes.
    pub(super) fn len(&self) -> usize {
        self.versions.iter().map(|listed| 1 + listed.changes.len()).sum::<usize>() + 1
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    version: String,
    status: String,
    #[serde(default, deserialize_with = "or_default")]
    version_type: String,
    #[serde(default)]
    less_than: Option<String>,
    #[serde(default)]
    less_than_or_equal: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    at: String,
    status: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Affected,
    Unaffected,
    Unknown,
}

fn status(desk: &mut Desk<'_>, at: &str, word: &str) -> Stand {
    match word {
        "affected" => Stand::Affected,
        "unaffected" => Stand::Unaffected,
        "unknown" | "" => Stand::Unknown,
        other => {
            desk.part(format!("`{at}`: `{}` is no status that is known; taken as unknown", cut(other, 40)));
            Stand::Unknown
        }
    }
}

/// What a block says of one product.
pub(super) fn statements(
    desk: &mut Desk<'_>,
    at: &str,
    block: &Block,
    product: &Product,
    scheme: Option<Scheme>,
) -> Vec<Affected> {
    let rest = status(desk, &format!("{at}.defaultStatus"), &block.default_status);
    // Whose order a package has is known and never changed. Elsewhere texts that the order of their kind does not take
    // are common; all of a block are then compared in the generic order.
    let scheme = scheme.unwrap_or_else(|| {
        let kind = of_kinds(block);
        if read(block, kind, false, &mut |_, _| ()).is_some() { kind } else { Scheme::Generic }
    });
    let (mut first, mut count) = (None, 0_usize);
    let listed = read(block, scheme, true, &mut |index, why| {
        count += 1;
        first.get_or_insert((index, why));
    });
    // Some vendors list a hundred models where versions should stand: one note tells of all.
    if let Some((index, why)) = first {
        let more =
            if count == 1 { String::new() } else { format!("; {} more of this block likewise", count - 1) };
        desk.part(format!("`{at}.versions[{index}]`: {why}{more}"));
    }
    let listed = listed.unwrap_or_default();
    // `original_commit_for_fix` is no commit: Linux names the version that way in which a repair appeared first.
    if !block.versions.is_empty() && block.versions.iter().all(|listed| listed.version_type == "git") {
        desk.part(format!("`{at}`: it names only Git commits, which say nothing of installed versions"));
        // What is not listed is not known either, whatever the default says: commits were to tell it.
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut of = |wanted: Stand| {
        let mut spans = Vec::new();
        let mut exact = Vec::new();
        for (index, entry) in listed.iter().enumerate() {
            let at = format!("{at}.versions[{index}].status");
            match entry {
                Entry::Span(interval, said) if status(desk, &at, said) == wanted => {
                    spans.push(interval.clone())
                }
                Entry::Exactly(text, said) if status(desk, &at, said) == wanted => exact.push(text.clone()),
                Entry::Span(..) | Entry::Exactly(..) => {}
            }
        }
        (spans, exact)
    };
    let (affected, exact) = of(Stand::Affected);
    let (unaffected, exact_unaffected) = of(Stand::Unaffected);
    let (unknown, exact_unknown) = of(Stand::Unknown);
    let plain = |intervals: Vec<Interval>, exact: Vec<String>, status: Status| {
        let empty = intervals.is_empty() && exact.is_empty();
        let range = intervals.into_iter().fold(Range::new(scheme), Range::or);
        let versions = Versions::Some { range, exact };
        (!empty).then(|| parts::statement(product.clone(), versions, status, Fix::NotNamed))
    };
    // Without the comparisons no repair is named, which is never wrong.
    let compares = desk.may((affected.len() + unaffected.len()).saturating_pow(2).saturating_mul(10));
    if rest == Stand::Affected {
        // Everything but what is listed otherwise; what ends a gap repairs it.
        let mut others = unaffected.clone();
        others.extend(unknown.iter().cloned());
        let spans = complement(others);
        let spans = spans.into_iter().map(|interval| {
            let fix = match &interval.to {
                Bound::Excluding(to) if compares && starts_at(&unaffected, to) => Some(to.clone()),
                Bound::Excluding(_) | Bound::Including(_) | Bound::Open => None,
            };
            Span { interval, fix }
        });
        found.extend(parts::affected(desk, product, scheme, spans.collect()));
    } else {
        let spans = affected.iter().map(|interval| {
            let fix = match &interval.to {
                // Where the next range begins there is nothing repaired yet.
                Bound::Excluding(to) if compares && !affected.iter().any(|other| holds(other, to)) => {
                    Some(to.clone())
                }
                Bound::Excluding(_) | Bound::Including(_) | Bound::Open => None,
            };
            Span { interval: interval.clone(), fix }
        });
        found.extend(parts::affected(desk, product, scheme, spans.collect()));
    }
    found.extend(plain(Vec::new(), exact, Status::Affected));
    let why = "the record calls these versions unaffected".to_owned();
    found.extend(plain(unaffected, exact_unaffected, Status::NotAffected { why }));
    found.extend(plain(unknown, exact_unknown, Status::UnderInvestigation));
    if block.versions.is_empty() && rest == Stand::Unaffected {
        let why = "the record calls every version unaffected".to_owned();
        found.push(parts::statement(
            product.clone(),
            Versions::All,
            Status::NotAffected { why },
            Fix::NotNamed,
        ));
    }
    if found.is_empty() && block.versions.is_empty() && rest == Stand::Unknown {
        if block.default_status.is_empty() {
            desk.part(format!("`{at}`: it names no version and no default status; taken as not known"));
        }
        found.push(parts::statement(
            product.clone(),
            Versions::All,
            Status::UnderInvestigation,
            Fix::NotNamed,
        ));
    }
    found
}

fn holds(interval: &Interval, version: &Version) -> bool {
    interval.contains(version)
}

fn starts_at(intervals: &[Interval], at: &Version) -> bool {
    intervals.iter().any(|interval| matches!(&interval.from, Bound::Including(from) if from == at))
}

/// The order that the kinds of versions name, if they name one.
fn of_kinds(block: &Block) -> Scheme {
    let mut schemes = block.versions.iter().map(|listed| match listed.version_type.as_str() {
        "rpm" => Scheme::Rpm,
        "deb" | "dpkg" => Scheme::Deb,
        "apk" => Scheme::Alpine,
        "python" | "pep440" => Scheme::Pep440,
        "maven" => Scheme::Maven,
        "semver" | "semver 2.0.0" => Scheme::Semver,
        "npm" => Scheme::Npm,
        _ => Scheme::Generic,
    });
    let Some(first) = schemes.next() else { return Scheme::Generic };
    if schemes.all(|other| other == first) { first } else { Scheme::Generic }
}

enum Entry<'a> {
    Span(Interval, &'a str),
    Exactly(String, &'a str),
}

/// Reads all entries in one order. When a text is none of it: nothing, or, where no other order is left to try, what
/// can be said of the text all the same.
fn read<'a>(
    block: &'a Block,
    scheme: Scheme,
    is_last: bool,
    tell: &mut dyn FnMut(usize, String),
) -> Option<Vec<Entry<'a>>> {
    let mut found = Vec::new();
    for (index, listed) in block.versions.iter().enumerate() {
        if listed.version_type == "git" {
            continue;
        }
        let is_range = listed.less_than.is_some() || listed.less_than_or_equal.is_some();
        match if is_range { range(listed, scheme) } else { single(listed, scheme) } {
            Ok(entries) => found.extend(entries),
            Err(why) if is_last => {
                if listed.status == "affected" && is_range {
                    tell(index, format!("{why}; taken as every version"));
                    found.push(Entry::Span(Interval::ALL, &listed.status));
                } else if is_range || listed.version.len() > VERSION_BYTES_MAX {
                    tell(index, format!("{why}; left out"));
                } else {
                    tell(index, format!("{why}; meant by its exact text only"));
                    found.push(Entry::Exactly(listed.version.clone(), &listed.status));
                }
            }
            Err(_) => return None,
        }
    }
    Some(found)
}

fn is_open(text: &str) -> bool {
    matches!(text.trim(), "" | "0" | "*" | "n/a" | "N/A" | "-" | "unspecified" | "unknown" | "all")
}

/// A range from `version` to a bound, cut where the status changes within it.
fn range(listed: &Listed, scheme: Scheme) -> Result<Vec<Entry<'_>>, String> {
    let from = if is_open(&listed.version) {
        Bound::Open
    } else {
        // `>= 1.0` and such stand there too.
        let text = listed.version.trim().trim_start_matches(['>', '=', ' ']);
        Bound::Including(ranges::version(scheme, text.trim_start_matches(['v', 'V']).trim_start())?)
    };
    let to = match (&listed.less_than, &listed.less_than_or_equal) {
        (Some(text), _) if is_open(text) => Bound::Open,
        (_, Some(text)) if is_open(text) => Bound::Open,
        (Some(text), _) => Bound::Excluding(upper(scheme, text)?),
        (None, Some(text)) => match text.strip_suffix(".*") {
            Some(stem) => Bound::Excluding(next(scheme, stem)?),
            None => Bound::Including(upper(scheme, text)?),
        },
        (None, None) => Bound::Open,
    };
    let mut changes = Vec::new();
    for change in &listed.changes {
        changes.push((ranges::version(scheme, &change.at)?, change.status.as_str()));
    }
    changes.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    let mut entries = Vec::new();
    let (mut from, mut status) = (from, listed.status.as_str());
    for (at, after) in changes {
        let here = Interval { from, to: Bound::Excluding(at.clone()) };
        entries.push(Entry::Span(here, status));
        (from, status) = (Bound::Including(at), after);
    }
    entries.push(Entry::Span(Interval { from, to }, status));
    Ok(entries)
}

fn upper(scheme: Scheme, text: &str) -> Result<Version, String> {
    let text = text.trim().trim_start_matches(['<', '=', ' ']);
    ranges::version(scheme, text.trim_start_matches(['v', 'V']).trim_start())
}

/// The first version after all that begin with a stem: `4.20` after `4.19.*`.
fn next(scheme: Scheme, stem: &str) -> Result<Version, String> {
    let (before, last) = stem.rsplit_once('.').map_or(("", stem), |(before, last)| (before, last));
    let number: u64 = last.parse().map_err(|_| format!("`{}.*` ends in no number", cut(stem, 40)))?;
    let dot = if before.is_empty() { "" } else { "." };
    let text = format!("{before}{dot}{}", number.saturating_add(1));
    // Semantic versions have three parts.
    let padded = (scheme == Scheme::Semver).then(|| text.split('.').count()).filter(|parts| *parts < 3);
    ranges::version(scheme, &(text + &".0".repeat(padded.map_or(0, |parts| 3 - parts))))
}

/// One version, or what people write in its place.
fn single(listed: &Listed, scheme: Scheme) -> Result<Vec<Entry<'_>>, String> {
    let text = listed.version.trim();
    let status = listed.status.as_str();
    if let Ok(version) = ranges::version(scheme, text)
        && !is_open(text)
        && !text.contains([',', '<', '>', '|'])
        && !text.contains(char::is_whitespace)
    {
        let (from, to) = (Bound::Including(version.clone()), Bound::Including(version));
        return Ok(vec![Entry::Span(Interval { from, to }, status)]);
    }
    if text == "0" {
        return Ok(vec![Entry::Exactly(text.to_owned(), status)]);
    }
    match ranges::text(scheme, text)? {
        Said::Exactly(texts) => Ok(texts.into_iter().map(|text| Entry::Exactly(text, status)).collect()),
        Said::Spans(spans) => Ok(spans.into_iter().map(|span| Entry::Span(span.interval, status)).collect()),
    }
}

/// Where a lower bound lies, for sorting: everything before, then by version, including before excluding.
fn by_from(a: &Interval, b: &Interval) -> Ordering {
    fn key(bound: &Bound) -> (Option<&Version>, bool) {
        match bound {
            Bound::Open => (None, false),
            Bound::Including(version) => (Some(version), false),
            Bound::Excluding(version) => (Some(version), true),
        }
    }
    let ((a, after_a), (b, after_b)) = (key(&a.from), key(&b.from));
    let versions = match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(a), Some(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
    };
    versions.then(after_a.cmp(&after_b))
}

/// Everything outside some intervals.
fn complement(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_by(by_from);
    let mut gaps = Vec::new();
    let mut from = Bound::Open;
    for interval in intervals {
        let to = match interval.from {
            Bound::Open => None,
            Bound::Including(version) => Some(Bound::Excluding(version)),
            Bound::Excluding(version) => Some(Bound::Including(version)),
        };
        if let Some(to) = to
            && is_gap(&from, &to)
        {
            gaps.push(Interval { from: from.clone(), to });
        }
        let after = match interval.to {
            Bound::Open => return gaps,
            Bound::Including(version) => Bound::Excluding(version),
            Bound::Excluding(version) => Bound::Including(version),
        };
        if is_later(&from, &after) {
            from = after;
        }
    }
    gaps.push(Interval { from, to: Bound::Open });
    gaps
}

fn version_of(bound: &Bound) -> Option<&Version> {
    match bound {
        Bound::Open => None,
        Bound::Including(version) | Bound::Excluding(version) => Some(version),
    }
}

fn is_gap(from: &Bound, to: &Bound) -> bool {
    match (version_of(from), version_of(to)) {
        (Some(a), Some(b)) => match a.partial_cmp(b) {
            Some(Ordering::Less) => true,
            Some(Ordering::Equal) => matches!((from, to), (Bound::Including(_), Bound::Including(_))),
            Some(Ordering::Greater) | None => false,
        },
        (None, _) | (_, None) => true,
    }
}

fn is_later(from: &Bound, after: &Bound) -> bool {
    match (version_of(from), version_of(after)) {
        (Some(a), Some(b)) => match a.partial_cmp(b) {
            Some(Ordering::Less) => true,
            Some(Ordering::Equal) => matches!(after, Bound::Excluding(_)),
            Some(Ordering::Greater) | None => false,
        },
        (None, _) => true,
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_some_intervals() {
        let shown = |texts: &[&str]| {
            let mut intervals = Vec::new();
            for text in texts {
                match ranges::text(Scheme::Generic, text).unwrap() {
                    Said::Spans(spans) => intervals.extend(spans.into_iter().map(|span| span.interval)),
                    Said::Exactly(_) => unreachable!("only ranges are given"),
                }
            }
            let gaps = complement(intervals);
            gaps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
        };
        assert_eq!(shown(&[]), "every version");
        assert_eq!(shown(&[">= 2"]), "below 2");
        assert_eq!(shown(&["< 2", "all"]), "");
        assert_eq!(shown(&[">= 4, < 5", ">= 1, <= 2", ">= 1, < 3"]), "below 1 | from 3 below 4 | from 5");
        assert_eq!(shown(&["<= 2", "> 2"]), "");
        assert_eq!(shown(&["< 2", "> 2"]), "exactly 2");
    }
}
