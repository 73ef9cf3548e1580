use super::*;
use crate::gate::Percent;

fn limits(success: u32, failure: u32) -> Limits {
    Limits {
        max_failure_percent: Some(Percent::whole(failure)),
        min_success_percent: Percent::whole(success),
        ..crate::doc::limits()
    }
}

fn ended(counts: Counts) -> Standing {
    Standing { counts, alerts: 0, settled_at: Some(Timestamp::default()) }
}

fn decide(limits: &Limits, counts: Counts) -> (Decision, Rule) {
    let verdict = judge(limits, &ended(counts), Timestamp::default().plus_secs(limits.bake_secs_min.into()));
    (verdict.decision, verdict.rule)
}

#[test]
fn a_percent_limit_halts_on_strictly_more() {
    let of = |failed| Counts { verified: 5 - failed, failed, ..Counts::default() };
    assert_eq!(decide(&limits(0, 10), of(2)), (Decision::Halt, Rule::MaxFailurePercent));
    assert_eq!(decide(&limits(0, 20), of(1)), (Decision::Promote, Rule::AllMet), "exactly 20 is not more");
    assert_eq!(decide(&limits(0, 50), of(1)), (Decision::Promote, Rule::AllMet));
    let ten = limits(0, 10);
    let of = |failed| Counts { in_flight: 50 - failed, failed, ..Counts::default() };
    assert_eq!(breached(&ten, &of(5), 0), None);
    assert_eq!(breached(&ten, &of(6), 0), Some(Rule::MaxFailurePercent), "10 % of 50 halts on the sixth");
}

#[test]
fn failure_is_judged_before_success() {
    let counts = Counts { verified: 3, failed: 2, ..Counts::default() };
    assert_eq!(decide(&limits(50, 80), counts), (Decision::Promote, Rule::AllMet));
    assert_eq!(decide(&limits(50, 20), counts), (Decision::Halt, Rule::MaxFailurePercent));
    assert_eq!(decide(&limits(100, 50), counts), (Decision::Halt, Rule::MinSuccessPercent), "gate failed");
    let removed = Counts { verified: 3, failed: 1, removed: 1, ..Counts::default() };
    assert_eq!(
        decide(&limits(100, 23), removed),
        (Decision::Halt, Rule::MaxFailurePercent),
        "1 of 4 is 25 %"
    );
}

#[test]
fn a_count_limit_halts_on_the_next_failure() {
    let counts = |failed| Counts { waiting: 100, failed, ..Counts::default() };
    for max in [0, 3] {
        let limits = Limits { max_failures: Some(max), max_failure_percent: None, ..limits(0, 100) };
        assert_eq!(breached(&limits, &counts(max), 0), None);
        assert_eq!(breached(&limits, &counts(max + 1), 0), Some(Rule::MaxFailures));
    }
}

#[test]
fn min_started_delays_the_percent_rule_but_not_the_count_rule() {
    let early = Counts { waiting: 9, failed: 1, ..Counts::default() };
    let delayed = Limits { min_started: 5, ..limits(0, 5) };
    assert_eq!(breached(&limits(0, 5), &early, 0), Some(Rule::MaxFailurePercent));
    assert_eq!(breached(&delayed, &early, 0), None);
    let counted = Limits { max_failures: Some(0), ..delayed };
    assert_eq!(breached(&counted, &early, 0), Some(Rule::MaxFailures));
}

#[test]
fn no_data_is_never_a_pass() {
    let limits = Limits { hold_secs_max: 60, ..limits(0, 100) };
    let deferred = Counts { deferred: 2, ..Counts::default() };
    assert!(matches!(decide(&limits, deferred), (Decision::Hold { until: Some(_) }, Rule::MinVerified)));
    let late = Timestamp::default().plus_secs(u64::from(limits.bake_secs_min) + 60);
    assert_eq!(judge(&limits, &ended(deferred), late).decision, Decision::Halt);
    let asks = Limits { on_max_hold: OnMaxHold::Ask, ..limits };
    assert_eq!(judge(&asks, &ended(deferred), late).decision, Decision::Ask);
}

#[test]
fn enough_must_be_verified() {
    let counts = Counts { verified: 2, deferred: 3, ..Counts::default() };
    assert_eq!(decide(&limits(0, 100), counts).0, Decision::Promote);
    let three = Limits { min_verified: 3, ..limits(0, 100) };
    assert_eq!(decide(&three, counts).1, Rule::MinVerified);
    let all_there = Counts { skipped: 5, ..Counts::default() };
    assert_eq!(
        decide(&three, all_there).0,
        Decision::Promote,
        "a ring that is at the target needs no witness"
    );
}

#[test]
fn alerts_of_the_cohort_halt() {
    let none = Limits { max_alerts: Some(0), ..limits(0, 100) };
    assert_eq!(breached(&none, &Counts::default(), 1), Some(Rule::MaxAlerts));
    assert_eq!(breached(&limits(0, 100), &Counts::default(), 1), None);
}

#[test]
fn bake_runs_from_settling() {
    let limits = Limits { bake_secs_min: 3600, ..limits(50, 50) };
    let counts = Counts { verified: 4, ..Counts::default() };
    let at = |secs| judge(&limits, &ended(counts), Timestamp::default().plus_secs(secs)).decision;
    assert_eq!(at(3599), Decision::Hold { until: Some(Timestamp::default().plus_secs(3600)) });
    assert_eq!(at(3600), Decision::Promote);
}
