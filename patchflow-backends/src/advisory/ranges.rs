//! Ranges of versions as feeds write them: events, comparators, and words.

use patchflow_core::catalog::version::{Bound, Interval, Scheme, Version};
use std::cmp::Ordering;

/// An interval, and the version that ends it by repairing it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) interval: Interval,
    pub(super) fix: Option<Version>,
}

impl Span {
    pub(super) const ALL: Self = Self { interval: Interval::ALL, fix: None };
}

/// A change along the order of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Affected from here on.
    Introduced,
    /// No longer affected from here on.
    Fixed,
    /// The last version that is affected.
    LastAffected,
    /// Nothing is said from here on.
    Limit,
}

/// A text as a version of a scheme; blanks stand for dots in the generic order, which parts them alike.
pub(super) fn version(scheme: Scheme, text: &str) -> Result<Version, String> {
    let text = text.trim();
    let read = if scheme == Scheme::Generic && text.contains(char::is_whitespace) {
        Version::new(scheme, text.split_whitespace().collect::<Vec<_>>().join("."))
    } else {
        Version::new(scheme, text)
    };
    read.map_err(|bad| bad.to_string())
}

/// The intervals that events cut out (OSV schema, "Evaluation"). A bound that is no version is told, and the interval
/// stays open there.
pub(super) fn spans(scheme: Scheme, events: &[(Event, &str)], tell: &mut dyn FnMut(String)) -> Vec<Span> {
    /// Where an event stands: before every version, or at one.
    type At = Option<Version>;
    let mut read: Vec<(At, Event)> = Vec::new();
    for (event, text) in events {
        match (event, text.trim()) {
            (Event::Introduced, "0") => read.push((None, *event)),
            (Event::Limit, "*") => {}
            (_, text) => match version(scheme, text) {
                Ok(version) => read.push((Some(version), *event)),
                Err(why) if *event == Event::Introduced => {
                    tell(format!("introduced: {why}; taken as affected from the first version on"));
                    read.push((None, *event));
                }
                Err(why) => tell(format!("the end of a range: {why}; taken as not repaired there")),
            },
        }
    }
    // Stable, so that events at one version keep the order in which the feed has them.
    read.sort_by(|(a, _), (b, _)| match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(a), Some(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
    });
    let mut spans = Vec::new();
    let mut open: Option<Bound> = None;
    for (at, event) in read {
        match (event, at) {
            (Event::Introduced, at) => {
                open.get_or_insert(at.map_or(Bound::Open, Bound::Including));
            }
            (Event::Fixed, Some(at)) => {
                if let Some(from) = open.take() {
                    let interval = Interval { from, to: Bound::Excluding(at.clone()) };
                    spans.push(Span { interval, fix: Some(at) });
                }
            }
            (Event::LastAffected, Some(at)) => {
                if let Some(from) = open.take() {
                    spans.push(Span { interval: Interval { from, to: Bound::Including(at) }, fix: None });
                }
            }
            (Event::Limit, Some(at)) => {
                if let Some(from) = open.take() {
                    spans.push(Span { interval: Interval { from, to: Bound::Excluding(at) }, fix: None });
                }
            }
            (Event::Fixed | Event::LastAffected | Event::Limit, None) => {}
        }
    }
    if let Some(from) = open {
        spans.push(Span { interval: Interval { from, to: Bound::Open }, fix: None });
    }
    spans
}

/// What a text says of versions.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Spans(Vec<Span>),
    /// Exactly these.
    Exactly(Vec<String>),
}

/// Reads what people write where a range should stand: `< 4.6`, `>= 1.0, < 2.0`, `All versions < V1.3`,
/// `vers:deb/>=1.0|<2.0`, `8.0.13 and prior`, `all versions`, `2.2.0`.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn text(scheme: Scheme, text: &str) -> Result<Said, String> {
    let cannot = |why: &str| {
        let shown: String = text.chars().take(80).collect();
        format!("`{shown}` cannot be read as a range of versions: {why}")
    };
    if text.len() > 4096 {
        return Err(cannot("it is longer than 4096 bytes"));
    }
    let trimmed = text.trim();
    if let Some(vers) = trimmed.strip_prefix("vers:") {
        let (kind, constraints) = vers.split_once('/').ok_or_else(|| cannot("no `/` after the kind"))?;
        let scheme = vers_scheme(kind, scheme);
        let constraints = decoded(constraints).unwrap_or_else(|| constraints.to_owned());
        return comparators(scheme, &constraints, true).map_err(|why| cannot(&why));
    }
    words(scheme, trimmed).map_err(|why| cannot(&why))
}

fn vers_scheme(kind: &str, given: Scheme) -> Scheme {
    match kind {
        "deb" => Scheme::Deb,
        "rpm" => Scheme::Rpm,
        "alpine" | "apk" => Scheme::Alpine,
        "arch" | "alpm" => Scheme::Arch,
        "pypi" => Scheme::Pep440,
        "npm" => Scheme::Npm,
        "semver" | "cargo" | "golang" => Scheme::Semver,
        "maven" => Scheme::Maven,
        "intdot" | "generic" | "gem" | "nuget" | "unknown" => Scheme::Generic,
        _ => given,
    }
}

/// Percent-coded text as it was; nothing when it is not such text.
fn decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        bytes.push(u8::try_from(digit(0)? * 16 + digit(1)?).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

/// Words around one bound, then comparators, then plain versions.
fn words(scheme: Scheme, text: &str) -> Result<Said, String> {
    let lower = text.to_ascii_lowercase();
    const ALL: [&str; 11] = [
        "",
        "*",
        "-",
        "all",
        "any",
        "n/a",
        "all versions",
        "all version",
        "any version",
        "unspecified",
        "all versions affected",
    ];
    if ALL.contains(&lower.as_str()) {
        return Ok(Said::Spans(vec![Span::ALL]));
    }
    if text.contains(['<', '>', '=', '|']) {
        return comparators(scheme, strip(text), false);
    }
    let up_to = |version: Version, including: bool| {
        let fix = (!including).then(|| version.clone());
        let to = if including { Bound::Including(version) } else { Bound::Excluding(version) };
        Ok(Said::Spans(vec![Span { interval: Interval { from: Bound::Open, to }, fix }]))
    };
    for (words, including) in [
        ("versions prior to ", false),
        ("prior to ", false),
        ("before ", false),
        ("all versions up to ", true),
        ("versions up to ", true),
        ("up to ", true),
    ] {
        if lower.starts_with(words) {
            return up_to(one(scheme, strip(&text[words.len()..]))?, including);
        }
    }
    for words in
        ["prior", "earlier", "below", "lower", "older", "before", "later", "newer", "above", "higher"]
    {
        let Some(rest) = lower.strip_suffix(words) else { continue };
        let Some(rest) = rest.trim_end().strip_suffix("and").or_else(|| rest.trim_end().strip_suffix("or"))
        else {
            continue;
        };
        let version = one(scheme, strip(&text[..rest.len()]))?;
        if matches!(words, "later" | "newer" | "above" | "higher") {
            let interval = Interval { from: Bound::Including(version), to: Bound::Open };
            return Ok(Said::Spans(vec![Span { interval, fix: None }]));
        }
        return up_to(version, true);
    }
    for between in [" through ", " to ", " - ", " \u{2013} "] {
        if let Some((from, to)) = text.split_once(between) {
            let (from, to) = (one(scheme, strip(from))?, one(scheme, strip(to))?);
            let interval = Interval { from: Bound::Including(from), to: Bound::Including(to) };
            return Ok(Said::Spans(vec![Span { interval, fix: None }]));
        }
    }
    if text.contains(", ") {
        let parts = text.split(", ").map(|part| one(scheme, strip(part)).map(|_| part.trim().to_owned()));
        return Ok(Said::Exactly(parts.collect::<Result<_, _>>()?));
    }
    one(scheme, strip(text)).map(|_| Said::Exactly(vec![text.to_owned()]))
}

/// Without words that say that a version follows.
fn strip(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let before = text;
        for word in ["all versions", "versions", "version", "firmware", "ver."] {
            // Only ASCII words are compared, so that the rest begins where a character does.
            if let Some(start) = text.get(..word.len())
                && start.eq_ignore_ascii_case(word)
            {
                text = text[word.len()..].trim_start();
            }
        }
        if text == before {
            return text;
        }
    }
}

/// One version, perhaps of several words, each of which has a digit or is one that vendors number their releases with.
fn one(scheme: Scheme, text: &str) -> Result<Version, String> {
    const WORDS: [&str; 13] = [
        "sp", "update", "upd", "hf", "hotfix", "mp", "mr", "fp", "patch", "build", "release", "rev",
        "service",
    ];
    for word in text.split_whitespace() {
        let lower = word.to_ascii_lowercase();
        if !word.contains(|c: char| c.is_ascii_digit()) && !WORDS.contains(&lower.as_str()) && lower != "pack"
        {
            return Err(format!("`{}` is no part of a version", word.chars().take(40).collect::<String>()));
        }
    }
    version(scheme, text)
}

/// Comparators: joined by commas, `and` or nothing they must all hold; by `|` (in `vers:`) they are points along the
/// order, of which each pair of a lower and an upper one is an interval (VERS, "Version range spec").
fn comparators(scheme: Scheme, text: &str, is_vers: bool) -> Result<Said, String> {
    if text.trim() == "*" {
        return Ok(Said::Spans(vec![Span::ALL]));
    }
    let mut bounds = Vec::new();
    for part in text.split(['|', ',']) {
        let mut rest = part.trim();
        while !rest.is_empty() {
            let length = rest.bytes().take_while(|byte| matches!(byte, b'<' | b'>' | b'=' | b'!')).count();
            let (sign, after) = rest.split_at(length);
            let end = after.find(['<', '>', '=', '!']).unwrap_or(after.len());
            let (version, next) = after.split_at(end);
            let version = version.trim().trim_end_matches(" and").trim_end_matches(" and ");
            bounds.push((sign, one(scheme, strip(version))?));
            rest = next.trim_start();
        }
    }
    if bounds.is_empty() {
        return Err("it names no version".to_owned());
    }
    if bounds.len() > 100 {
        return Err(format!("it has {} bounds; 100 are let pass", bounds.len()));
    }
    if bounds.iter().all(|(sign, _)| matches!(*sign, "" | "=" | "==")) {
        return Ok(Said::Exactly(
            bounds.into_iter().map(|(_, version)| version.as_str().to_owned()).collect(),
        ));
    }
    let is_lower = |sign: &str| matches!(sign, ">" | ">=");
    if !is_vers && text.contains('|') && bounds.len() > 1 {
        return Err("`|` between comparators may mean `and` or `or`; write `vers:` or a comma".to_owned());
    }
    // A comma in free text joins what must hold together, so an upper bound and then a lower one are one interval.
    if bounds.len() == 2 && !is_lower(bounds[0].0) && is_lower(bounds[1].0) && !is_vers {
        bounds.swap(0, 1);
    }
    let mut spans = Vec::new();
    let mut from: Option<Bound> = None;
    for (sign, version) in bounds {
        match sign {
            ">" | ">=" => {
                if from.is_some() {
                    return Err("two lower bounds follow one another".to_owned());
                }
                from = Some(if sign == ">" { Bound::Excluding(version) } else { Bound::Including(version) });
            }
            "<" => {
                let fix = Some(version.clone());
                let from = from.take().unwrap_or(Bound::Open);
                spans.push(Span { interval: Interval { from, to: Bound::Excluding(version) }, fix });
            }
            "<=" => {
                let from = from.take().unwrap_or(Bound::Open);
                spans.push(Span { interval: Interval { from, to: Bound::Including(version) }, fix: None });
            }
            "" | "=" | "==" => {
                let (from, to) = (Bound::Including(version.clone()), Bound::Including(version));
                spans.push(Span { interval: Interval { from, to }, fix: None });
            }
            _ => {
                return Err(format!(
                    "`{}` is no comparator that can be read",
                    sign.chars().take(8).collect::<String>()
                ));
            }
        }
    }
    if let Some(from) = from {
        spans.push(Span { interval: Interval { from, to: Bound::Open }, fix: None });
    }
    // Two upper bounds without a lower one between them would be read as a union: the wider would win silently.
    if spans.iter().filter(|span| span.interval.from == Bound::Open).count() > 1 {
        return Err("two upper bounds follow one another".to_owned());
    }
    Ok(Said::Spans(spans))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match super::text(Scheme::Generic, text) {
            Ok(Said::Spans(spans)) => {
                spans.iter().map(|span| span.interval.to_string()).collect::<Vec<_>>().join(" | ")
            }
            Ok(Said::Exactly(texts)) => format!("= {}", texts.join(" = ")),
            Err(why) => why,
        }
    }

    #[test]
    fn what_people_write_is_read() {
        for (text, wanted) in [
            ("< 4.6.0.0", "below 4.6.0.0"),
            ("<=6.3.13", "up to 6.3.13"),
            ("All versions < V15.1 Upd4", "below V15.1.Upd4"),
            ("All Versions >= V2.0 and < V2.2", "from V2.0 below V2.2"),
            (">= 10.0.0, < 10.0.10", "from 10.0.0 below 10.0.10"),
            ("< 2.0, >= 1.0", "from 1.0 below 2.0"),
            ("vers:all/*", "every version"),
            ("vers:all/>=V2022.4<V2023.1", "from V2022.4 below V2023.1"),
            ("vers:all/>=V11.5.1|<V11.6.2", "from V11.5.1 below V11.6.2"),
            ("vers:deb/1.0|>=2.0|<2.5|>=3%2B1", "exactly 1.0 | from 2.0 below 2.5 | from 3+1"),
            ("8.0.13 and prior", "up to 8.0.13"),
            ("firmware Ver. 3.00.03 and earlier", "up to 3.00.03"),
            ("2.4 and later", "from 2.4"),
            ("before version 7.12.0.29", "below 7.12.0.29"),
            ("prior to 1.34.1", "below 1.34.1"),
            ("12.2.3 - 12.2.8", "from 12.2.3 up to 12.2.8"),
            ("10.0.0 to 10.8.6", "from 10.0.0 up to 10.8.6"),
            ("AXIS", "`AXIS` cannot be read as a range of versions: `AXIS` is no part of a version"),
            ("All versions", "every version"),
            ("2.2.0", "= 2.2.0"),
            ("2.0, 2.1, 2.2", "= 2.0 = 2.1 = 2.2"),
            ("9.13 | 9.19", "= 9.13 = 9.19"),
            (
                ">= 03.03.28C | <= 05.02.04C",
                "`>= 03.03.28C | <= 05.02.04C` cannot be read as a range of versions: `|` between comparators may \
                 mean `and` or `or`; write `vers:` or a comma",
            ),
            (
                "< 1, < 2",
                "`< 1, < 2` cannot be read as a range of versions: two upper bounds follow one another",
            ),
            (
                "All versions only when running on ROX II < V2.15.1",
                "`All versions only when running on ROX II < V2.15.1` cannot be read as a range of versions: `only` \
                 is no part of a version",
            ),
        ] {
            assert_eq!(shown(text), wanted);
        }
        assert!(shown(&"1".repeat(10_000)).ends_with("it is longer than 4096 bytes"));
        assert!(shown(&"1".repeat(1000)).ends_with("it is longer than 512 bytes"));
    }

    #[test]
    fn events_cut_out_intervals() {
        let mut told = Vec::new();
        let mut shown = |events: &[(Event, &str)]| {
            let spans = spans(Scheme::Semver, events, &mut |why| told.push(why));
            spans.iter().map(|span| span.interval.to_string()).collect::<Vec<_>>().join(" | ")
        };
        use Event::{Fixed, Introduced, LastAffected, Limit};
        assert_eq!(shown(&[(Introduced, "0")]), "every version");
        // Not in order, as the schema allows.
        let events = [(Fixed, "2.15.3"), (Introduced, "2.15.0"), (Introduced, "2.3.1"), (Fixed, "2.14.4")];
        assert_eq!(shown(&events), "from 2.3.1 below 2.14.4 | from 2.15.0 below 2.15.3");
        assert_eq!(shown(&[(Introduced, "1.0.0"), (LastAffected, "1.2.0")]), "from 1.0.0 up to 1.2.0");
        assert_eq!(shown(&[(Introduced, "0"), (Limit, "3.0.0")]), "below 3.0.0");
        assert_eq!(shown(&[(Introduced, "0"), (Limit, "*")]), "every version");
        // Repaired and broken again in the same version.
        let events = [(Introduced, "0"), (Fixed, "1.0.0"), (Introduced, "1.0.0")];
        assert_eq!(shown(&events), "below 1.0.0 | from 1.0.0");
        assert_eq!(shown(&[(Fixed, "1.0.0")]), "");
        // What cannot be read leaves the interval open.
        assert_eq!(shown(&[(Introduced, "1.0.0"), (Fixed, "soon")]), "from 1.0.0");
        assert_eq!(shown(&[(Introduced, "?"), (Fixed, "2.0.0")]), "below 2.0.0");
        assert_eq!(told.len(), 2);
        assert!(told[0].ends_with("taken as not repaired there"), "{}", told[0]);
        assert!(told[1].ends_with("taken as affected from the first version on"), "{}", told[1]);
    }
}
