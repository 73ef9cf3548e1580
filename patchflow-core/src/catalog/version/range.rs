//! Ranges: unions of intervals of one scheme.

use super::{BadVersion, Scheme, Version};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

/// One end of an interval.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// This version too.
    Including(Version),
    /// Up to this version, or from it, without it.
    Excluding(Version),
    /// No end.
    Open,
}

/// The versions between two bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub from: Bound,
    /// The upper end.
    pub to: Bound,
}

impl Interval {
    /// Everything.
    pub const ALL: Self = Self { from: Bound::Open, to: Bound::Open };

    /// Whether a version lies between the ends. One of another scheme does not.
    #[must_use]
    pub fn contains(&self, version: &Version) -> bool {
        let above = match &self.from {
            Bound::Open => true,
            Bound::Including(from) => {
                matches!(version.partial_cmp(from), Some(Ordering::Greater | Ordering::Equal))
            }
            Bound::Excluding(from) => version.partial_cmp(from) == Some(Ordering::Greater),
        };
        above
            && match &self.to {
                Bound::Open => true,
                Bound::Including(to) => {
                    matches!(version.partial_cmp(to), Some(Ordering::Less | Ordering::Equal))
                }
                Bound::Excluding(to) => version.partial_cmp(to) == Some(Ordering::Less),
            }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Bound::Open, Bound::Open) => return f.write_str("every version"),
            (Bound::Including(a), Bound::Including(b)) if a == b => return write!(f, "exactly {a}"),
            (Bound::Open | Bound::Including(_) | Bound::Excluding(_), _) => {}
        }
        let lower = match &self.from {
            Bound::Open => false,
            Bound::Including(from) => write!(f, "from {from}").map(|()| true)?,
            Bound::Excluding(from) => write!(f, "above {from}").map(|()| true)?,
        };
        let space = if lower { " " } else { "" };
        match &self.to {
            Bound::Open => Ok(()),
            Bound::Including(to) => write!(f, "{space}up to {to}"),
            Bound::Excluding(to) => write!(f, "{space}below {to}"),
        }
    }
}

/// Versions in any of some intervals. No interval is no version.
///
/// ```
/// use patchflow_core::catalog::version::{Range, Scheme, Version};
/// let affected = Range::new(Scheme::Deb).between("1.0-1", "1.0-1+deb12u2").unwrap().below("0.9").unwrap();
/// let has = |text| affected.contains(&Version::new(Scheme::Deb, text).unwrap());
/// assert!(has("1.0-1+deb12u1") && has("0.8"));
/// assert!(!has("1.0-1+deb12u2") && !has("0.9"));
/// assert_eq!(affected.to_string(), "from 1.0-1 below 1.0-1+deb12u2, or below 0.9");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    scheme: Scheme,
    intervals: Vec<Interval>,
}

impl Range {
    /// No version of a scheme.
    #[must_use]
    pub const fn new(scheme: Scheme) -> Self {
        Self { scheme, intervals: Vec::new() }
    }

    /// The scheme of its versions.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its intervals, in the order in which they were added.
    #[must_use]
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// Adds an interval.
    #[must_use]
    pub fn or(mut self, interval: Interval) -> Self {
        self.intervals.push(interval);
        self
    }

    /// Adds what is at least `from` and below `fixed`: introduced in the one, fixed in the other.
    ///
    /// # Errors
    /// [`BadVersion`] for a bound that is no version of the scheme.
    pub fn between(self, from: &str, fixed: &str) -> Result<Self, BadVersion> {
        let from = Bound::Including(Version::new(self.scheme, from)?);
        let to = Bound::Excluding(Version::new(self.scheme, fixed)?);
        Ok(self.or(Interval { from, to }))
    }

    /// Adds everything below `fixed`.
    ///
    /// # Errors
    /// [`BadVersion`] when it is no version of the scheme.
    pub fn below(self, fixed: &str) -> Result<Self, BadVersion> {
        let to = Bound::Excluding(Version::new(self.scheme, fixed)?);
        Ok(self.or(Interval { from: Bound::Open, to }))
    }

    /// Adds everything from `from` on.
    ///
    /// # Errors
    /// [`BadVersion`] when it is no version of the scheme.
    pub fn at_least(self, from: &str) -> Result<Self, BadVersion> {
        let from = Bound::Including(Version::new(self.scheme, from)?);
        Ok(self.or(Interval { from, to: Bound::Open }))
    }

    /// Adds one version.
    ///
    /// # Errors
    /// [`BadVersion`] when it is none of the scheme.
    pub fn exactly(self, version: &str) -> Result<Self, BadVersion> {
        let version = Version::new(self.scheme, version)?;
        Ok(self.or(Interval { from: Bound::Including(version.clone()), to: Bound::Including(version) }))
    }

    /// Whether a version is in one of the intervals. One of another scheme is in none.
    #[must_use]
    pub fn contains(&self, version: &Version) -> bool {
        self.intervals.iter().any(|interval| interval.contains(version))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.intervals.is_empty() {
            return f.write_str("no version");
        }
        for (i, interval) in self.intervals.iter().enumerate() {
            write!(f, "{}{interval}", if i == 0 { "" } else { ", or " })?;
        }
        Ok(())
    }
}
