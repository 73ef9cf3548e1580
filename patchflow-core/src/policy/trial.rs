//! Trials on non-production endpoints (semantics S9).

use super::{RiskFilter, Say};
use crate::catalog::{Category, Severity};
use crate::gate::Limits;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Trials on non-production endpoints (semantics S9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialPolicy {
    /// Candidates that must pass a trial: any of these filters matches.
    pub required_for: Vec<RiskFilter>,
    /// Also every candidate that always asks for a reboot.
    pub required_for_reboot: bool,
    /// The greatest number of non-production endpoints in a trial.
    pub endpoints_max: u32,
    /// The gate of the trial, its bake included.
    pub gate: Limits,
}

impl Default for TrialPolicy {
    /// Critical and high security updates, and whatever always reboots, on up to 25 endpoints for 24 h.
    fn default() -> Self {
        let filter = RiskFilter {
            categories: vec![Category::Security, Category::Bugfix],
            severities: vec![Severity::Critical, Severity::High, Severity::Unknown],
        };
        Self {
            required_for: vec![filter],
            required_for_reboot: true,
            endpoints_max: 25,
            gate: Limits::default(),
        }
    }
}

impl TrialPolicy {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        if self.endpoints_max == 0 {
            say("trial.endpoints_max".into(), "a trial on 0 endpoints tests nothing");
        }
    }
}
