//! Every policy field acts: for each there is a story whose outcome changes when only that field changes.
//!
//! The list is held against the policy's own text, so a new field fails here until it has its story. Stories stand in
//! one file a subject.

mod budgets;
mod endpoints;
mod relations;
mod rings;
mod risk;
mod staging;
mod stories;

use crate::world::{World, policy};
use patchflow_core::fleet::Command;
use patchflow_core::gate::{OnMaxHold, Percent};
use patchflow_core::policy::{
    Approval, ApprovalRule, OnSuperseded, PersonApproval, Policy, RingSize, RiskFilter, WaiverByName,
};
use patchflow_core::risk::DueLimits;
use patchflow_core::schedule::Schedule;
use std::collections::BTreeSet;

/// A field by its path in the policy's text, a change of only that field, and what to look at.
struct Field {
    path: &'static str,
    change: fn(&mut Policy),
    look: fn(Policy) -> String,
}

const HOUR: u64 = 3600;

fn field(path: &'static str, change: fn(&mut Policy), look: fn(Policy) -> String) -> Field {
    Field { path, change, look }
}

fn fields() -> Vec<Field> {
    [
        stories::fields(),
        endpoints::fields(),
        rings::fields(),
        budgets::fields(),
        relations::fields(),
        risk::fields(),
        staging::fields(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn changing_one_field_changes_the_outcome() {
    for Field { path, change, look } in fields() {
        let mut changed = policy();
        change(&mut changed);
        assert_eq!(changed.findings(), [], "{path}: a policy that may be adopted");
        assert_ne!(look(policy()), look(changed), "{path} does not act");
    }
}

/// The fields of a policy's text, down to the leaves and without the positions in lists.
fn leaves(value: &serde_json::Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            leaves(value, &path, found);
        }),
        serde_json::Value::Array(items) if items.iter().any(serde_json::Value::is_object) => {
            items.iter().for_each(|item| leaves(item, path, found));
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn every_field_has_its_story() {
    let mut full = policy();
    full.approval.push(ApprovalRule {
        name: "people".into(),
        when: RiskFilter { categories: vec![], severities: vec![] },
        approval: Approval::Person(PersonApproval { role: "cab".into(), quorum: 1, expires_secs: 60 }),
    });
    full.calendars.named = [("own".into(), Schedule::anytime())].into();
    let mut found = BTreeSet::new();
    leaves(&serde_json::to_value(&full).unwrap(), "", &mut found);
    let told: Vec<_> = fields().iter().map(|field| field.path).collect();
    for leaf in &found {
        // A story about a whole part (a gate's one kind, a rule's filter) stands for its leaves.
        let has = told.iter().any(|path| leaf == path || leaf.starts_with(&format!("{path}.")));
        assert!(has, "the field `{leaf}` has no story");
    }
    assert!(found.len() > 40, "{found:?}");
}

#[test]
fn the_defaults_are_those_that_the_rules_name() {
    const HOUR: u32 = 3600;
    const DAY: u32 = 24 * HOUR;
    let policy = Policy::standard("defaults");
    assert_eq!(policy.findings(), [], "and they contradict nothing");
    assert_eq!(policy.deploy.start_within_secs, 72 * HOUR, "S3");
    assert!(policy.rings.iter().all(|ring| ring.gate.on_max_hold == OnMaxHold::Halt), "S3");
    assert_eq!(policy.deploy.resync_after_secs, HOUR / 4, "S6");
    let DueLimits { critical_secs, high_secs, .. } = policy.clock.limits;
    assert_eq!((critical_secs, high_secs), (7 * DAY, 30 * DAY), "S7");
    assert_eq!(policy.clock.first_install_within_secs, DAY, "S7");
    assert!(!policy.clock.enforce_at_deadline && !policy.emergency.passes_windows, "S7");
    assert!(!policy.emergency.overrides_freeze, "S4");
    assert_eq!(policy.relations.superseded, OnSuperseded::Stop, "S11");
    assert!(policy.single_ring.is_none() && policy.rollback.without_path.is_none(), "S1, S10");
}

#[test]
fn a_policy_that_contradicts_itself_is_refused_with_every_finding_at_once() {
    let mut bad = policy();
    bad.rings[1].size = RingSize::Percent { cumulative: Percent::whole(5) };
    bad.rings[3].size = RingSize::Percent { cumulative: Percent::whole(70) };
    bad.rings[2].name = "pilot".into();
    bad.deploy.in_flight_max = 0;
    bad.retry.attempts_max = 0;
    bad.otherwise.quorum = 0;
    bad.clock.limits.high_secs = 0;
    bad.rollback.without_path = Some(WaiverByName { by: String::new(), reason: "no".into() });
    let paths: Vec<_> = bad.findings().into_iter().map(|finding| finding.path).collect();
    let expected = [
        "rings[1].size",
        "rings[2].name",
        "rings",
        "rollback.without_path",
        "otherwise.quorum",
        "deploy.in_flight_max",
        "clock.limits.high_secs",
        "clock.limits",
        "retry.attempts_max",
    ];
    assert_eq!(paths, expected);
    let mut world = World::new(1, 0, policy());
    let refused = world.ask("ada", &[], Command::AdoptPolicy { policy: Box::new(bad) }).unwrap_err();
    assert!(refused.to_string().starts_with("9 finding(s): rings[1].size: "), "{refused}");
}
