//! Semantic Versioning 2.0.0, and node-semver's reading of it. Build metadata does not order.

use core::cmp::Ordering;
use semver::Version;

/// A version ordered by precedence alone (Semantic Versioning 2.0.0, clause 11).
#[derive(Clone, Debug)]
pub(super) struct Precedence(pub(super) Version);

impl PartialEq for Precedence {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Precedence {}

impl PartialOrd for Precedence {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Precedence {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }
}

pub(super) fn strict(text: &str) -> Result<Precedence, &'static str> {
    Version::parse(text).map(Precedence).map_err(|_| {
        "it has three numbers between dots without leading zeros, then optionally -pre.release and +build"
    })
}

/// The greatest number that node-semver takes: JavaScript's greatest safe integer.
pub(super) const NUMBER_MAX: u64 = (1 << 53) - 1;

/// As npm reads it: blanks around it and a leading `v` or `=` do not count.
pub(super) fn loose(text: &str) -> Result<Precedence, &'static str> {
    let text = text.trim().trim_start_matches(['=', 'v']).trim_start();
    let read = strict(text)?;
    if read.0.major.max(read.0.minor).max(read.0.patch) > NUMBER_MAX {
        return Err("its numbers are above 9007199254740991, which npm does not take");
    }
    Ok(read)
}
