//! The policy of a story: the whole policy model under its own names, read by a pass that tells every flaw at once.
//!
//! What a file does not say keeps the value of its base: `standard` is the library's default playbook, `bare` the least
//! that runs (see [`bare`]). The checks of the model itself run on what came out, and point back into the file.

mod fields;
mod overlay;
mod risk;
mod shapes;
mod tree;

use super::diagnose::Diagnostic;
use super::line::Line;
use overlay::{Context, Overlay};
use patchflow_core::catalog::{Category, Severity};
use patchflow_core::error::Position;
use patchflow_core::gate::{Limits, Percent};
use patchflow_core::policy::{
    Approval, ApprovalRule, OnFailure, OnHalt, Policy, RingPolicy, RiskFilter, StartMode, TrialPolicy,
};
use std::collections::{BTreeMap, BTreeSet};
use tree::Node;

pub(super) use fields::FAILURES;
pub(super) use shapes::{instant, selector, tag};

/// The least policy that runs: no trials, everything approved at once, one pilot of half the endpoints and then the
/// rest, gates that pass whatever is not a certain failure, nothing tried again, nothing rolled back.
///
/// A story that is about one rule adds that rule and nothing stands in its way.
#[must_use]
pub fn bare(name: &str) -> Policy {
    let mut policy = Policy::standard(name);
    let gate = Limits {
        max_failures: None,
        max_failure_percent: None,
        min_started: 0,
        min_success_percent: Percent::whole(0),
        min_verified: 0,
        max_alerts: None,
        bake_secs_min: 0,
        ..Limits::default()
    };
    policy.trial =
        TrialPolicy { required_for: Vec::new(), required_for_reboot: false, ..TrialPolicy::default() };
    policy.trial.gate = gate.clone();
    policy.approval = vec![ApprovalRule {
        name: "everything at once".into(),
        when: everything(),
        approval: Approval::Automatic { requires_trial: false, delay_secs: 0 },
    }];
    policy.rings = vec![RingPolicy::percent("pilot", 50), RingPolicy::percent("broad", 100)];
    policy.rings.iter_mut().for_each(|ring| ring.gate = gate.clone());
    policy.deploy.start = StartMode::WhenApproved;
    policy.retry.attempts_max = 1;
    policy.rollback.on_failure = OnFailure::Leave;
    policy.rollback.on_halt = OnHalt::Nobody;
    policy
}

pub(crate) const SEVERITIES: [(&str, Severity); 5] = [
    ("unknown", Severity::Unknown),
    ("low", Severity::Low),
    ("moderate", Severity::Moderate),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];

pub(crate) const CATEGORIES: [(&str, Category); 5] = [
    ("security", Category::Security),
    ("bugfix", Category::Bugfix),
    ("feature", Category::Feature),
    ("driver", Category::Driver),
    ("firmware", Category::Firmware),
];

/// A filter that every patch passes.
fn everything() -> RiskFilter {
    RiskFilter {
        categories: CATEGORIES.map(|(_, category)| category).into(),
        severities: SEVERITIES.map(|(_, severity)| severity).into(),
    }
}

/// Reads the lines below `policy`, lays them over the base, and checks what came out.
pub(super) fn read(mut policy: Policy, at: Position, lines: &[Line], found: &mut Vec<Diagnostic>) -> Policy {
    let below: Vec<Node> = lines.iter().filter_map(|line| Node::of(line, found)).collect();
    let mut context = Context {
        found,
        path: String::new(),
        places: BTreeMap::new(),
        said: BTreeSet::new(),
        flawed: BTreeSet::new(),
    };
    let key = super::line::Token { kind: super::line::Kind::Word, text: "policy".into(), at };
    policy.overlay(&Node { key, words: Vec::new(), end: at, below }, &mut context);
    let Context { places, flawed, .. } = context;
    for finding in policy.findings() {
        // What could not be read may be what the check would miss.
        if flawed.iter().any(|section| finding.path.starts_with(section.as_str())) {
            continue;
        }
        let place = nearest_place(&places, &finding.path).unwrap_or(at);
        found.push(Diagnostic::new(place, format!("{}: {}", finding.path, finding.message)));
    }
    policy
}

/// Where the field, or the nearest section around it, was said.
fn nearest_place(places: &BTreeMap<String, Position>, path: &str) -> Option<Position> {
    let mut path = path;
    loop {
        if let Some(at) = places.get(path) {
            return Some(*at);
        }
        let shorter = path.rfind(['.', '[']).map(|cut| &path[..cut])?;
        path = shorter;
    }
}

#[cfg(test)]
mod tests;
