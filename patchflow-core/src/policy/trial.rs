//! Trials on non-production endpoints (semantics S9).

use super::{RiskFilter, Say, Trait};
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
    /// Chooses them so that they mirror the production endpoints that need the patch in these respects; empty takes
    /// them in the order of the stable hash alone.
    pub stratify: Vec<Trait>,
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
            stratify: Vec::new(),
            gate: Limits::default(),
        }
    }
}

impl TrialPolicy {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        if self.endpoints_max == 0 {
            say("trial.endpoints_max".into(), "a trial on 0 endpoints tests nothing");
        }
        super::ring::check_traits("trial.stratify", &self.stratify, say);
        self.gate.check("trial.gate", say);
    }
}
