//! Conformance suites for backend writers: numbered clauses, one check each.
//!
//! The clauses are those of `docs/contract.md`. A suite runs its checks against what the backend's builder makes and
//! reports the clauses that are violated, each with what was seen; it starts no threads and needs no runtime, so the
//! backend's futures are polled wherever the test polls the suite. A backend that hangs hangs the suite.

pub mod installer;
pub mod store;

use std::fmt;

/// One clause of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clause {
    /// Its number in `docs/contract.md`, such as `J4`. A number is never used again for another clause.
    pub number: &'static str,
    /// What it says.
    pub text: &'static str,
}

/// A clause that a backend does not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The clause.
    pub clause: Clause,
    /// What was seen instead.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    seen: {}", self.clause.number, self.clause.text, self.seen)
    }
}

/// What a suite found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The clauses that were checked, in their order.
    pub checked: Vec<Clause>,
    /// Those that are violated, in their order.
    pub violations: Vec<Violation>,
    /// Those that could not be checked, because the backend or its builder lacks something: each with what.
    pub skipped: Vec<(Clause, String)>,
}

impl Report {
    /// Whether every clause is kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// Nothing when every clause is kept.
    ///
    /// # Panics
    /// With the report, when one is not. For tests.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.is_clean(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} clauses violated", self.violations.len(), self.checked.len())?;
        self.violations.iter().try_for_each(|violation| write!(f, "\n{violation}"))?;
        self.skipped.iter().try_for_each(|(clause, why)| write!(f, "\n{}: not checked: {why}", clause.number))
    }
}
