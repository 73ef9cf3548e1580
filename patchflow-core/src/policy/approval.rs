//! Approval rules (semantics S8).

use crate::catalog::{Category, Patch, Severity};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Which candidates are meant: one of the categories *and* one of the severities. An empty list matches nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskFilter {
    /// The vendor's categories.
    pub categories: Vec<Category>,
    /// The vendor's severities.
    pub severities: Vec<Severity>,
}

impl RiskFilter {
    /// Whether a patch is meant.
    #[must_use]
    pub fn matches(&self, patch: &Patch) -> bool {
        self.categories.contains(&patch.category) && self.severities.contains(&patch.severity)
    }
}

/// What an approval rule says about the candidates it matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "approval", rename_all = "snake_case")]
pub enum Approval {
    /// Approved without a person, after the evidence is there.
    Automatic {
        /// The trial must have passed; a waived or unneeded trial does not count.
        requires_trial: bool,
        /// Seconds after the vendor's release before it may happen; an unknown release date holds.
        delay_secs: u32,
    },
    /// A person decides.
    Person(PersonApproval),
}

/// Which people decide, how many of them, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonApproval {
    /// The role that may decide.
    pub role: String,
    /// How many different people must agree; not 0.
    pub quorum: u8,
    /// How long their approval lasts, in seconds; not 0.
    pub expires_secs: u32,
}

/// One approval rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRule {
    /// Its name, for the record.
    pub name: String,
    /// The candidates it is about.
    pub when: RiskFilter,
    /// What it says.
    pub approval: Approval,
}
