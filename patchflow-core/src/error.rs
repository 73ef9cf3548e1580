//! Four kinds of error, never mixed: refusals of people's requests, findings in documents, corrupt journals,
//! and (in [`crate::sdk`]) errors of backends. Beside them the failures that operations on endpoints end in.

use crate::ids::{Revision, Seq};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Why a request was not carried out. The state is exactly what it was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing of that name is in this fleet.
    #[error("there is no {what} `{name}` in this fleet")]
    NotFound {
        /// The kind of thing: candidate, rollout, endpoint, ring, question.
        what: String,
        /// The name that was asked for.
        name: String,
    },
    /// The thing is in a state in which this cannot be done.
    #[error("{what} is {state}; {allowed}")]
    WrongState {
        /// What was addressed.
        what: String,
        /// The state it is in.
        state: String,
        /// What could be asked instead.
        allowed: String,
    },
    /// Somebody changed the thing after the asker looked at it.
    #[error("it was changed meanwhile: expected {expected}, is {actual}; look again and repeat")]
    Stale {
        /// The revision that the request expected.
        expected: Revision,
        /// The revision there is.
        actual: Revision,
    },
    /// The actor may not do this.
    #[error("{actor} may not: {reason}")]
    NotAllowed {
        /// Who asked.
        actor: String,
        /// What is missing.
        reason: String,
    },
    /// The same request id was used before for something else.
    #[error("request id `{id}` was used before for another request")]
    IdReused {
        /// The id.
        id: String,
    },
    /// The draft, policy or request contradicts itself; every finding is listed.
    #[error("{} finding(s): {}", .findings.len(), Findings(.findings))]
    Unsound {
        /// All findings at once.
        findings: Vec<Finding>,
    },
    /// A limit of the engine would be passed.
    #[error("{what} is limited to {limit}")]
    Limit {
        /// What is limited.
        what: String,
        /// The limit.
        limit: u64,
    },
}

/// One finding in a document, plan or policy: where, what, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The field, as a path such as `rings[2].size`.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
    /// Line and column (both from 1) in the document, when it came from one.
    pub at: Option<Position>,
}

/// A place in a document, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Finding {
    /// A finding about a field, without a position.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), at: None }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.at {
            write!(f, "{line}:{column}: ")?;
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

pub(crate) struct Findings<'a>(pub(crate) &'a [Finding]);

impl fmt::Display for Findings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, finding) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

/// A journal that cannot be replayed. Nothing at or after `seq` was applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("journal is corrupt at {seq}: {flaw}")]
pub struct CorruptJournal {
    /// The first sequence that cannot be trusted.
    pub seq: Seq,
    /// What is wrong there.
    pub flaw: Flaw,
}

/// What is wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// A record is shorter than it says, or not a record at all.
    #[error("the record is damaged: {0}")]
    Damaged(String),
    /// The hash chain does not hold: a byte was changed, or a record is missing or moved.
    #[error("the hash chain does not hold")]
    Chain,
    /// A sequence is missing or repeated.
    #[error("expected sequence {expected}")]
    Gap {
        /// The sequence that should have come.
        expected: Seq,
    },
    /// The record was written by a newer version of the library.
    #[error("written by a newer version: {0}")]
    TooNew(String),
    /// A fact does not fit the state that the facts before it built.
    #[error("the fact `{fact}` does not fit: {state}")]
    Misfit {
        /// The kind of fact.
        fact: String,
        /// The state it met.
        state: String,
    },
    /// The payload needed here was dropped when the journal was pruned; start from a later baseline.
    #[error("the payload was pruned; replay from a later baseline")]
    Pruned,
}

/// Why an operation on an endpoint failed. Which of these are worth a retry is the policy's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// Somebody else holds the package manager's lock.
    Busy,
    /// A download or connection failed.
    Network,
    /// Not enough space.
    Disk,
    /// It took too long.
    Timeout,
    /// The operation was cut off: a kill, a crash, a power cut.
    Interrupted,
    /// A script of the package failed.
    ScriptFailed,
    /// Dependencies cannot be met.
    Dependency,
    /// The exact version is not to be had.
    NotFound,
    /// The content does not have the digest or signature it should have.
    Corrupt,
    /// The package is held back on the endpoint, or the operation is forbidden there.
    Denied,
    /// The package manager's database is not whole and could not be repaired.
    Broken,
    /// The installer cannot do this at all.
    Unsupported,
    /// The installer reported success, the inventory shows another level.
    WrongLevel,
    /// A probe (smoke test) failed.
    Unhealthy,
    /// No rollback path is known.
    NoRollbackPath,
    /// The endpoint did not answer.
    Silent,
    /// A person or a halt took it out.
    Stopped,
    /// Anything else; the text says what.
    Other,
}
