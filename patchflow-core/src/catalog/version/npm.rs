//! npm's ranges, as node-semver reads them: comparators, hyphens, x-ranges, tildes and carets, joined by blanks and `||`.
//!
//! A range is kept as sets of plain comparators. A pre-release is in a set only when the set names a pre-release of the
//! same three numbers, which intervals alone cannot say.

use super::semantic::{NUMBER_MAX, Precedence, loose};
use super::{BadVersion, Scheme};
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;
use semver::{Prerelease, Version};

/// The longest range that is read, in bytes.
const RANGE_BYTES_MAX: usize = 4096;

/// A text that is no range of npm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` is not a range of npm: {why}")]
pub struct BadRange {
    /// The part that cannot be read, cut after 80 characters.
    pub part: String,
    /// What is wrong with it.
    pub why: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Below,
    AtMost,
    Exactly,
    AtLeast,
    Above,
}

type Comparator = (Operator, Precedence);

/// A range of npm versions.
///
/// ```
/// use patchflow_core::catalog::version::NpmRange;
/// let range: NpmRange = "^1.2.3 || >=2.1 <2.4".parse().unwrap();
/// assert!(range.contains("1.9.0").unwrap() && range.contains("2.3.9").unwrap());
/// assert!(!range.contains("2.0.0").unwrap() && !range.contains("1.3.0-beta.1").unwrap());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NpmRange {
    sets: Vec<Vec<Comparator>>,
}

impl NpmRange {
    /// Whether a version is in the range.
    ///
    /// # Errors
    /// [`BadVersion`] when the text is no version of npm.
    pub fn contains(&self, version: &str) -> Result<bool, BadVersion> {
        let version = loose(version).map_err(|why| Scheme::Npm.bad(version, why))?;
        Ok(self.sets.iter().any(|set| takes(set, &version)))
    }
}

fn takes(set: &[Comparator], version: &Precedence) -> bool {
    let within = set.iter().all(|(operator, bound)| match operator {
        Operator::Below => version < bound,
        Operator::AtMost => version <= bound,
        Operator::Exactly => version == bound,
        Operator::AtLeast => version >= bound,
        Operator::Above => version > bound,
    });
    let numbers = |v: &Precedence| (v.0.major, v.0.minor, v.0.patch);
    let named = || set.iter().any(|(_, bound)| !bound.0.pre.is_empty() && numbers(bound) == numbers(version));
    within && (version.0.pre.is_empty() || named())
}

impl FromStr for NpmRange {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        if text.len() > RANGE_BYTES_MAX {
            return Err(bad(text, "it is longer than 4096 bytes"));
        }
        let mut sets: Vec<Vec<Comparator>> = text.split("||").map(set).collect::<Result<_, _>>()?;
        // One side that takes every release takes the whole range over: pre-releases that others name go with them.
        if sets.iter().any(Vec::is_empty) {
            sets = Vec::from([Vec::new()]);
        }
        Ok(Self { sets })
    }
}

fn bad(part: &str, why: &'static str) -> BadRange {
    BadRange { part: part.chars().take(80).collect(), why }
}

/// A version of which later numbers may be left open.
struct Partial {
    major: Option<u64>,
    minor: Option<u64>,
    patch: Option<u64>,
    pre: Prerelease,
}

fn plain(major: u64, minor: u64, patch: u64) -> Precedence {
    Precedence(Version::new(major, minor, patch))
}

/// Below everything that has these numbers, its pre-releases too.
fn before(major: u64, minor: u64, patch: u64) -> Comparator {
    let mut version = Version::new(major, minor, patch);
    version.pre = Prerelease::new("0").unwrap_or_default();
    (Operator::Below, Precedence(version))
}

fn set(text: &str) -> Result<Vec<Comparator>, BadRange> {
    let mut words = text.split_whitespace().peekable();
    let mut set = Vec::new();
    if text.split_whitespace().nth(1) == Some("-") {
        let ends: Vec<&str> = words.collect();
        let [from, _, to] = ends.as_slice() else {
            return Err(bad(text.trim(), "a hyphen range has one version on each side"));
        };
        set.extend(at_least(&partial(from)?));
        let to = partial(to)?;
        set.extend(match (to.major, to.minor, to.patch) {
            (Some(_), Some(_), Some(_)) => Some((Operator::AtMost, full(&to))),
            _ => after(&to),
        });
        return Ok(set);
    }
    while let Some(word) = words.next() {
        let operators = word.len() - word.trim_start_matches(['<', '>', '=', '~', '^']).len();
        let (operator, mut rest) = word.split_at(operators);
        if rest.is_empty() {
            // Blanks may stand between an operator and its version.
            rest = words.next().ok_or_else(|| bad(word, "no version follows the operator"))?;
        }
        simple(operator, rest, &mut set)?;
    }
    Ok(set)
}

fn simple(operator: &str, text: &str, set: &mut Vec<Comparator>) -> Result<(), BadRange> {
    let at = partial(text)?;
    let complete = at.major.is_some() && at.minor.is_some() && at.patch.is_some();
    match operator {
        "" | "=" if complete => set.push((Operator::Exactly, full(&at))),
        "" | "=" => {
            set.extend(at_least(&at));
            set.extend(after(&at));
        }
        ">=" => set.extend(at_least(&at)),
        ">" if complete => set.push((Operator::Above, full(&at))),
        ">" => match (at.major, at.minor) {
            (None, _) => set.push(before(0, 0, 0)),
            (Some(major), None) => set.push((Operator::AtLeast, plain(major + 1, 0, 0))),
            (Some(major), Some(minor)) => set.push((Operator::AtLeast, plain(major, minor + 1, 0))),
        },
        "<" if complete => set.push((Operator::Below, full(&at))),
        "<" => set.push(before(at.major.unwrap_or(0), at.minor.unwrap_or(0), 0)),
        "<=" if complete => set.push((Operator::AtMost, full(&at))),
        "<=" => set.extend(after(&at)),
        "~" | "~>" => {
            set.extend(at_least(&at));
            set.extend(match (at.major, at.minor) {
                (None, _) => None,
                (Some(major), None) => Some(before(major + 1, 0, 0)),
                (Some(major), Some(minor)) => Some(before(major, minor + 1, 0)),
            });
        }
        "^" => {
            set.extend(at_least(&at));
            set.extend(match (at.major, at.minor, at.patch) {
                (None, _, _) => None,
                (Some(0), Some(0), Some(patch)) => Some(before(0, 0, patch + 1)),
                (Some(0), Some(minor), _) => Some(before(0, minor + 1, 0)),
                (Some(major), _, _) => Some(before(major + 1, 0, 0)),
            });
        }
        _ => return Err(bad(operator, "the operators are < <= > >= = ~ ^")),
    }
    Ok(())
}

fn full(at: &Partial) -> Precedence {
    let mut version = Version::new(at.major.unwrap_or(0), at.minor.unwrap_or(0), at.patch.unwrap_or(0));
    version.pre = at.pre.clone();
    Precedence(version)
}

fn at_least(at: &Partial) -> Option<Comparator> {
    // A star takes every release, and no pre-release.
    at.major.map(|_| (Operator::AtLeast, full(at)))
}

/// The end of what a version with open numbers covers.
fn after(at: &Partial) -> Option<Comparator> {
    match (at.major, at.minor) {
        (None, _) => None,
        (Some(major), None) => Some(before(major + 1, 0, 0)),
        (Some(major), Some(minor)) => Some(before(major, minor + 1, 0)),
    }
}

fn partial(text: &str) -> Result<Partial, BadRange> {
    let left = text.trim_start_matches(['v', '=']);
    let (left, _build) = left.split_once('+').unwrap_or((left, ""));
    let (numbers, pre) = match left.split_once('-') {
        Some((numbers, pre)) => (numbers, Some(pre)),
        None => (left, None),
    };
    let mut read = [None; 3];
    let mut parts = numbers.split('.');
    let mut open = false;
    for slot in &mut read {
        match parts.next() {
            None | Some("x" | "X" | "*") => open = true,
            Some("") if numbers.is_empty() => open = true,
            // What follows an open number is open, whatever it says.
            Some(_) if open => {}
            Some(digits) => {
                *slot = Some(number(digits).ok_or_else(|| {
                    bad(text, "its parts are numbers without leading zeros, or x, between dots")
                })?)
            }
        }
    }
    if parts.next().is_some() {
        return Err(bad(text, "it has more than three numbers"));
    }
    let [major, minor, patch] = read;
    let pre = match pre {
        Some(pre) if patch.is_some() => {
            Prerelease::new(pre).map_err(|_| bad(text, "its pre-release cannot be read"))?
        }
        Some(_) | None => Prerelease::EMPTY,
    };
    Ok(Partial { major, minor, patch, pre })
}

fn number(digits: &str) -> Option<u64> {
    let clean =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
    clean.then(|| digits.parse().ok()).flatten().filter(|number| *number <= NUMBER_MAX)
}

impl core::fmt::Display for NpmRange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (i, set) in self.sets.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { " || " })?;
            let words: Vec<String> = set
                .iter()
                .map(|(operator, bound)| {
                    let sign = match operator {
                        Operator::Below => "<",
                        Operator::AtMost => "<=",
                        Operator::Exactly => "",
                        Operator::AtLeast => ">=",
                        Operator::Above => ">",
                    };
                    alloc::format!("{sign}{}", bound.0)
                })
                .collect();
            f.write_str(if words.is_empty() { "*" } else { "" })?;
            f.write_str(&words.join(" "))?;
        }
        Ok(())
    }
}
