//! What comes back from endpoints: reports, answers, inspections. Plain data that proves nothing by itself.

use crate::error::FailureKind;
use crate::ids::OrderId;
use crate::time::Timestamp;
use alloc::borrow::Cow;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Why an operation failed, with the tool's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure<'a> {
    /// The kind, which decides whether it is worth a retry.
    pub kind: FailureKind,
    /// One line for people; longer texts are cut at 200 characters when they are recorded.
    pub detail: Cow<'a, str>,
}

impl<'a> Failure<'a> {
    /// A failure with a text.
    pub fn new(kind: FailureKind, detail: impl Into<Cow<'a, str>>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.detail)
    }
}

/// What an installer says about an order. Reports may be late, doubled and out of order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report<'a> {
    /// The order.
    pub order: OrderId,
    /// What it says.
    #[serde(borrow)]
    pub kind: ReportKind<'a>,
}

/// The kinds of reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum ReportKind<'a> {
    /// The endpoint has the order; the report deadline runs from here, and each further one extends it.
    Acknowledged,
    /// The people at the endpoint put the operation off. Refused silently when they may not any more.
    PutOff {
        /// Until when.
        until: Timestamp,
    },
    /// The operation ended, successfully by the installer's own word.
    Done,
    /// The operation failed, or was refused.
    #[serde(borrow)]
    Failed(Failure<'a>),
}

/// The answer to a query about an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum QueryAnswer<'a> {
    /// The endpoint never saw it; it may be sent again under the same id.
    NeverSeen,
    /// It has it and has not begun.
    Queued,
    /// It is at work.
    Running,
    /// It ended, successfully by the installer's own word.
    Done,
    /// It ended in failure.
    #[serde(borrow)]
    Failed(Failure<'a>),
}

/// The answer to a recall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecallAnswer {
    /// It had not begun and will not.
    Recalled,
    /// It had begun and runs to its end.
    AlreadyStarted,
    /// The endpoint does not know.
    Unknown,
}

/// What the inventory shows for the order's package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "level", rename_all = "snake_case")]
pub enum Level<'a> {
    /// This version is installed.
    Version {
        /// As the package database has it.
        version: Cow<'a, str>,
        /// Whether the package database calls the package whole.
        intact: bool,
    },
    /// The package is not installed.
    Absent,
    /// The inventory could not be read.
    Unreadable {
        /// Why.
        detail: Cow<'a, str>,
    },
}

/// What the probes say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "health", rename_all = "snake_case")]
pub enum Health<'a> {
    /// Every probe passed.
    Passed,
    /// No probe is set up for this endpoint.
    NotProbed,
    /// A probe failed.
    Failed {
        /// Which, and what it saw.
        detail: Cow<'a, str>,
    },
}

/// An endpoint read after an operation: the only thing that verifies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection<'a> {
    /// The order whose outcome was looked at.
    pub order: OrderId,
    /// What is installed.
    #[serde(borrow)]
    pub level: Level<'a>,
    /// Whether the endpoint waits for a reboot.
    pub reboot_required: bool,
    /// What the probes say.
    #[serde(borrow)]
    pub health: Health<'a>,
}
