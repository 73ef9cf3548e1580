//! What an endpoint does with orders and questions: the script that a world plays.

use patchflow_core::error::FailureKind;

/// How an operation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It does what was ordered and says so.
    Succeeds,
    /// It fails, changes nothing, and says so.
    Fails {
        /// The kind of failure.
        kind: FailureKind,
        /// What it says.
        detail: String,
        /// Only the first so many operations of this kind; `None` for every one.
        first: Option<u32>,
    },
    /// It says that it did what was ordered, and changes nothing.
    Lies,
    /// It does what was ordered, and its probes fail afterwards.
    Sickens,
    /// It does what was ordered and never says so.
    SilentlySucceeds,
    /// It is never heard of again, and nothing changes.
    GoesSilent,
    /// It leaves the package half installed, and says that it failed.
    Breaks {
        /// The kind of failure.
        kind: FailureKind,
    },
}

/// One kind of operation on an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// How long after it was taken the order is acknowledged, in seconds; `None` for never.
    pub acknowledges_after_secs: Option<u64>,
    /// How long it takes, in seconds.
    pub takes_secs: u64,
    /// How it ends.
    pub ends: Ends,
    /// How much later than its end the report leaves, in seconds.
    pub reports_late_secs: u64,
    /// Whether every report is sent twice.
    pub doubled: bool,
    /// How often the people there put it off, as far as the order lets them, and by how many seconds each time.
    pub put_off: Option<(u8, u64)>,
    /// How often it says that it is still at work, in seconds.
    pub progress_secs: Option<u64>,
    /// Whether it leaves the endpoint waiting for a reboot.
    pub wants_reboot: bool,
    /// Whether it begins although `start_by` has passed: a liar against the protocol.
    pub ignores_start_by: bool,
}

impl Default for Operation {
    /// Acknowledges at once, succeeds after a minute.
    fn default() -> Self {
        Self {
            acknowledges_after_secs: Some(0),
            takes_secs: 60,
            ends: Ends::Succeeds,
            reports_late_secs: 0,
            doubled: false,
            put_off: None,
            progress_secs: None,
            wants_reboot: false,
            ignores_start_by: false,
        }
    }
}

impl Operation {
    /// Succeeds after so many seconds.
    #[must_use]
    pub fn takes(secs: u64) -> Self {
        Self { takes_secs: secs, ..Self::default() }
    }

    /// Ends this way after a minute.
    #[must_use]
    pub fn ending(ends: Ends) -> Self {
        Self { ends, ..Self::default() }
    }

    /// Fails with this kind every time.
    #[must_use]
    pub fn failing(kind: FailureKind) -> Self {
        Self::ending(Ends::Fails { kind, detail: "scripted".into(), first: None })
    }

    /// Fails with this kind for the first so many times.
    #[must_use]
    pub fn failing_first(n: u32, kind: FailureKind) -> Self {
        Self::ending(Ends::Fails { kind, detail: "scripted".into(), first: Some(n) })
    }
}

/// What comes of reading an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It shows what is there, after so many seconds.
    Shows {
        /// How long it takes, in seconds.
        after_secs: u64,
    },
    /// It cannot be read.
    Unreadable {
        /// Why.
        detail: String,
    },
    /// No answer comes.
    Silent,
}

/// A hook before or after operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// How long it takes, in seconds; `None` when it never ends.
    pub takes_secs: Option<u64>,
    /// How it fails, if it does: kind, text, and only the first so many times (`None` for every one).
    pub fails: Option<(FailureKind, String, Option<u32>)>,
}

impl Default for Hook {
    /// Does what it should, in ten seconds.
    fn default() -> Self {
        Self { takes_secs: Some(10), fails: None }
    }
}

/// Bringing content to an endpoint before its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staging {
    /// How long it takes, in seconds; `None` when it is never answered.
    pub takes_secs: Option<u64>,
    /// How it fails, if it does: kind, text, and only the first so many times (`None` for every one).
    pub fails: Option<(FailureKind, String, Option<u32>)>,
    /// Whether what lies there in the end is something else.
    pub wrong: bool,
}

impl Default for Staging {
    /// Brings what was approved, in a minute.
    fn default() -> Self {
        Self { takes_secs: Some(60), fails: None, wrong: false }
    }
}

/// Everything an endpoint does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// With an install order.
    pub install: Operation,
    /// With a rollback order.
    pub revert: Operation,
    /// With a reboot order.
    pub reboot: Operation,
    /// When content is to be brought there.
    pub stage: Staging,
    /// When its inventory is read.
    pub inspect: Reading,
    /// What runs before its operations, where the policy asks for it.
    pub drain: Hook,
    /// What runs after them.
    pub resume: Hook,
    /// How long after a query or recall the answer leaves, in seconds; `None` for no answer.
    pub answers_after_secs: Option<u64>,
}

impl Default for Behaviour {
    fn default() -> Self {
        let quick = |secs| Operation::takes(secs);
        Self {
            install: quick(60),
            revert: quick(30),
            reboot: quick(30),
            stage: Staging::default(),
            inspect: Reading::Shows { after_secs: 1 },
            drain: Hook::default(),
            resume: Hook::default(),
            answers_after_secs: Some(1),
        }
    }
}
