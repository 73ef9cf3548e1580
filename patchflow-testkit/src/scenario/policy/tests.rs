use super::super::line::lines;
use super::overlay::Fields;
use super::*;
use patchflow_core::policy::{
    Amount, DeployPolicy, PersonApproval, RetryPolicy, RingSize, RollbackPolicy, StartsMax, WaiverByName,
};
use serde::Serialize;
use std::collections::BTreeSet;

fn read_over(base: Policy, text: &str) -> (Policy, Vec<String>) {
    let mut found = Vec::new();
    let lines = lines(text, &mut found);
    let policy = read(base, Position { line: 0, column: 0 }, &lines, &mut found);
    (policy, found.iter().map(ToString::to_string).collect())
}

fn keys(value: &impl Serialize) -> BTreeSet<String> {
    let serde_json::Value::Object(object) = serde_json::to_value(value).unwrap() else {
        panic!("no section")
    };
    object.keys().cloned().collect()
}

fn named<T: Fields + Serialize>(value: &T) {
    let named: BTreeSet<String> = T::FIELDS.iter().map(|field| (*field).to_owned()).collect();
    assert_eq!(named, keys(value), "a story must be able to say every field of the model");
}

#[test]
fn every_field_of_the_model_can_be_said() {
    let policy = Policy::standard("all");
    named(&policy);
    named(&policy.calendars);
    named(&policy.catch_up);
    named(&policy.clock);
    named(&policy.clock.limits);
    named(&policy.emergency);
    named(&policy.relations);
    named(&policy.trial);
    named(&policy.trial.gate);
    named::<PersonApproval>(&policy.otherwise);
    named::<DeployPolicy>(&policy.deploy);
    named(&policy.deploy.hooks);
    named(&policy.budgets);
    named(&policy.endpoints);
    named(&policy.reboot);
    named::<RetryPolicy>(&policy.retry);
    named::<RollbackPolicy>(&policy.rollback);
    named(&WaiverByName { by: "ada".into(), reason: "two machines".into() });
    named(&policy.risk);
    let mut rule = keys(&policy.risk.rules[0]);
    rule.remove("name");
    assert_eq!(rule, risk::RULE_FIELDS.map(String::from).into());
    let mut ring: BTreeSet<String> = shapes::RING_FIELDS.map(String::from).into();
    ring.extend(["name".into(), "size".into()]);
    assert_eq!(ring, keys(&policy.rings[0]));
}

#[test]
fn the_bases_are_sound() {
    assert_eq!(bare("bare").findings(), []);
    assert_eq!(Policy::standard("standard").findings(), []);
}

#[test]
fn a_policy_is_read_over_its_base() {
    let text = "\
rings
  every
    gate
      bake_secs_min 10m
  pilot tag ring=pilot
    gate.max_failures 0
  early 2 endpoints
  half 12.5 %
  broad 100%
    in_flight_max 2
    probe_first 1
deploy.report_within_secs 20m
deploy.hooks
  pre drain
  pre_secs_max 5m
budgets
  in_flight_max 10 %
  scopes
    acme/berlin 3
    acme/rome 12.5 %
  starts_max 10 per 1h
  unavailable_max 2
retry
  on busy, network
operators on-call 20m, owner 2h
clock.limits.critical_secs 3d
relations.superseded move
approval
  quick
    when critical high security
    automatic
      requires_trial yes
  slow
    person.role change-manager
single_ring.by ada
single_ring.reason \"two machines\"
schedule weekly
  window sunday 23:00 for 2h
  freeze 2026-12-20T00:00:00Z until 2026-12-27T00:00:00Z
";
    let (policy, found) = read_over(bare("story"), text);
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(policy.rings.len(), 4);
    assert!(policy.rings.iter().all(|ring| ring.gate.bake_secs_min == 600));
    assert_eq!(policy.rings[0].gate.max_failures, Some(0));
    assert_eq!(policy.rings[1].size, RingSize::Count { endpoints: 2 });
    assert_eq!(policy.deploy.report_within_secs, 1200);
    assert_eq!(policy.rings[3].in_flight_max, Some(Amount::Count { n: 2 }));
    assert_eq!((policy.rings[0].probe_first, policy.rings[3].probe_first), (0, 1));
    assert_eq!(policy.deploy.hooks.pre.as_deref(), Some("drain"));
    assert_eq!(policy.deploy.hooks.pre_secs_max, 300);
    let tenth = Amount::Percent { percent: Percent::whole(10) };
    assert_eq!(policy.budgets.in_flight_max, Some(tenth));
    assert_eq!(policy.budgets.scopes[0].in_flight_max, Amount::Count { n: 3 });
    assert_eq!(policy.budgets.scopes[1].within.to_string(), "acme/rome");
    assert_eq!(policy.budgets.starts_max, Some(StartsMax { n: 10, per_secs: 3600 }));
    assert_eq!(policy.budgets.unavailable_max, Amount::Count { n: 2 });
    assert_eq!(policy.retry.on.len(), 2);
    assert_eq!(policy.operators[1].acknowledge_within_secs, 7200);
    assert_eq!(policy.clock.limits.critical_secs, 3 * 86_400);
    assert_eq!(policy.approval.len(), 2);
    assert_eq!(policy.approval[0].when.severities, [Severity::Critical, Severity::High]);
    assert_eq!(policy.single_ring.map(|waiver| waiver.reason).as_deref(), Some("two machines"));
}

#[test]
fn every_flaw_is_told_at_once_with_its_place() {
    let text = "\
rings
  pilot 5
  every
    gate.max_failuers 3
  early 101 %
deploy
  report_within_secs soon
  in_flight_max 20m
  start at_once
rollback.on_halt everybody
retry.on busy, tired
ringz
deploy.in_flight_max 3
budgets
  in_flight_max 120 %
  scopes
    acme/berlin many
  starts_max 10 each 1h
deploy.hooks.before drain
";
    let (_, found) = read_over(bare("story"), text);
    assert_eq!(
        found,
        [
            "2:9: `5` says no unit; say `5 %` or `5 endpoints`",
            "5:9: `101` is not a percentage: expected 0 to 100 with at most three decimal places, such as 12.5",
            "7:22: `soon` is not a length of time; say it as 90s, 20m, 1h30m or 2d",
            "8:17: `20m` is not a whole number",
            "9:9: unknown value of `start` `at_once`; one of: when_approved, on_request",
            "10:18: unknown value of `on_halt` `everybody`; one of: nobody, failed, ring, rollout",
            "11:16: unknown value of `on` `tired`; one of: busy, network, disk, timeout, interrupted, \
             script_failed, dependency, not_found, corrupt, denied, broken, unsupported, wrong_level, unhealthy, \
             no_rollback_path, silent, stopped, other",
            "12:1: unknown field `ringz`; did you mean `rings`?",
            "13:8: `in_flight_max` is said twice",
            "15:17: `120` is not a percentage: expected 0 to 100 with at most three decimal places, such as 12.5",
            "17:17: `many` is not a whole number",
            "18:17: expected `per`, and `each` stands here",
            "19:14: unknown field `before`; one of: pre, pre_secs_max, post, post_secs_max",
        ]
    );
}

#[test]
fn what_contradicts_itself_points_into_the_file() {
    let text = "rings\n  pilot 50 %\n  early 30 %\n  broad 70 %\ndeploy.in_flight_max 0\n";
    let (_, found) = read_over(bare("story"), text);
    assert_eq!(
        found,
        [
            "3:9: rings[1].size: percentages are cumulative and strictly rising, from above 0",
            "1:1: rings: percentages end at 70; the last one must be 100",
            "5:8: deploy.in_flight_max: 0 lets nothing happen; 1 is the least",
        ]
    );
}
