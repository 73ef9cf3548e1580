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
    Standing { counts, settled_at: Some(Timestamp::default()), ..Standing::default() }
}

fn broken(limits: &Limits, counts: Counts, alerts: u32) -> Option<Rule> {
    breached(limits, &Standing { counts, alerts, ..Standing::default() })
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
    assert_eq!(broken(&ten, of(5), 0), None);
    assert_eq!(broken(&ten, of(6), 0), Some(Rule::MaxFailurePercent), "10 % of 50 halts on the sixth");
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
fn success_is_inclusive_and_halts_as_soon_as_it_cannot_be_reached() {
    let of = |verified, failed, waiting| Counts { verified, failed, waiting, ..Counts::default() };
    assert_eq!(
        decide(&limits(80, 100), of(4, 1, 0)),
        (Decision::Promote, Rule::AllMet),
        "80 of 100 is enough"
    );
    assert_eq!(decide(&limits(81, 100), of(4, 1, 0)), (Decision::Halt, Rule::MinSuccessPercent));
    // Nobody has to wait for those who cannot change it any more, the bake neither.
    assert_eq!(broken(&limits(80, 100), of(0, 1, 4), 0), None, "four of five can still be verified");
    assert_eq!(broken(&limits(80, 100), of(0, 2, 3), 0), Some(Rule::MinSuccessPercent));
    let out = Counts { deferred: 1, skipped: 1, cancelled: 1, held: 1, removed: 1, ..of(4, 1, 0) };
    assert_eq!(decide(&limits(80, 100), out), (Decision::Promote, Rule::AllMet), "over the same members");
}

#[test]
fn a_count_limit_halts_on_the_next_failure() {
    let counts = |failed| Counts { waiting: 100, failed, ..Counts::default() };
    for max in [0, 3] {
        let limits = Limits { max_failures: Some(max), max_failure_percent: None, ..limits(0, 100) };
        assert_eq!(broken(&limits, counts(max), 0), None);
        assert_eq!(broken(&limits, counts(max + 1), 0), Some(Rule::MaxFailures));
    }
}

#[test]
fn min_started_delays_the_percent_rule_but_not_the_count_rule() {
    let early = Counts { waiting: 9, failed: 1, ..Counts::default() };
    let delayed = Limits { min_started: 5, ..limits(0, 5) };
    assert_eq!(broken(&limits(0, 5), early, 0), Some(Rule::MaxFailurePercent));
    assert_eq!(broken(&delayed, early, 0), None);
    let counted = Limits { max_failures: Some(0), ..delayed };
    assert_eq!(broken(&counted, early, 0), Some(Rule::MaxFailures));
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
    assert_eq!(broken(&none, Counts::default(), 1), Some(Rule::MaxAlerts));
    assert_eq!(broken(&limits(0, 100), Counts::default(), 1), None);
}

#[test]
fn bake_runs_from_settling() {
    let limits = Limits { bake_secs_min: 3600, ..limits(50, 50) };
    let counts = Counts { verified: 4, ..Counts::default() };
    let at = |secs| judge(&limits, &ended(counts), Timestamp::default().plus_secs(secs)).decision;
    assert_eq!(at(3599), Decision::Hold { until: Some(Timestamp::default().plus_secs(3600)) });
    assert_eq!(at(3600), Decision::Promote);
}

#[test]
fn a_share_of_the_started_is_judged_before_the_rest_has_begun() {
    let counts = Counts { waiting: 90, in_flight: 6, failed: 2, verified: 2, ..Counts::default() };
    let members = limits(0, 15);
    assert_eq!(broken(&members, counts, 0), None, "2 of 100");
    let started = Limits { of: ShareOf::Started, min_started: 10, ..members.clone() };
    assert_eq!(broken(&started, counts, 0), Some(Rule::MaxFailurePercent), "2 of 10");
    let early = Counts { in_flight: 5, ..counts };
    assert_eq!(broken(&started, early, 0), None, "9 have started");
    let unknown = Counts { failed: 1, unknown: 1, ..counts };
    assert_eq!(broken(&started, unknown, 0), Some(Rule::MaxFailurePercent), "an unknown weighs the same");
    let mut found = alloc::vec![];
    Limits { min_started: 0, ..started.clone() }.check("gate", &mut |path, _| found.push(path));
    started.check("gate", &mut |path, _| found.push(path));
    assert_eq!(found, ["gate.min_started"]);
    let verdict = judge(&started, &Standing { counts, ..Standing::default() }, Timestamp::default());
    assert_eq!(
        verdict.sentence(&started),
        "2 failed and 0 unknown of 10 started, more than the 15 % allowed"
    );
}

#[test]
fn a_limit_over_the_rollout_counts_all_rings_so_far() {
    let before = Counts { verified: 8, failed: 2, ..Counts::default() };
    let counts = Counts { waiting: 8, verified: 1, failed: 1, ..Counts::default() };
    let standing = Standing { counts, before, ..Standing::default() };
    let ring = Limits { max_failures: Some(2), ..limits(0, 100) };
    assert_eq!(breached(&ring, &standing), None, "one failed in this ring");
    let rollout = Limits { scope: LimitScope::Rollout, ..ring };
    assert_eq!(breached(&rollout, &standing), Some(Rule::MaxFailures), "three failed in the rollout");
    let verdict = judge(&rollout, &standing, Timestamp::default());
    assert_eq!(
        (verdict.scope, verdict.counts),
        (LimitScope::Rollout, before.plus(counts)),
        "what was judged"
    );
    assert_eq!(
        verdict.sentence(&rollout),
        "3 failed and 0 unknown of 20 in the rollout so far, more than the 2 allowed"
    );
    // A share over the rollout may also be milder than one over the ring: 3 of 20 against 1 of 2.
    let small = Standing { counts: Counts { waiting: 0, ..counts }, ..standing };
    let share = Limits { max_failures: None, ..limits(0, 40) };
    assert_eq!(breached(&share, &small), Some(Rule::MaxFailurePercent));
    assert_eq!(breached(&Limits { scope: LimitScope::Rollout, ..share }, &small), None);
    // Success is the ring's own: what the pilot verified does not vouch for this ring.
    let success = Limits { scope: LimitScope::Rollout, ..limits(80, 100) };
    assert_eq!(breached(&success, &small), Some(Rule::MinSuccessPercent));
    let verdict = judge(&success, &small, Timestamp::default());
    assert_eq!((verdict.scope, verdict.counts), (LimitScope::Ring, small.counts));
}

#[test]
fn alerts_that_nobody_can_tell_hold_and_never_pass() {
    let asked = Limits { max_alerts: Some(5), hold_secs_max: 60, ..limits(0, 100) };
    let counts = Counts { verified: 4, ..Counts::default() };
    assert_eq!(decide(&limits(0, 100), counts).0, Decision::Promote, "nobody asked for alerts");
    let (decision, rule) = decide(&asked, counts);
    assert_eq!(rule, Rule::AlertsUnknown);
    assert!(matches!(decision, Decision::Hold { until: Some(_) }));
    let at = Timestamp::default().plus_secs(u64::from(asked.bake_secs_min));
    let known = Standing { alerts_known: true, alerts: 5, ..ended(counts) };
    assert_eq!(judge(&asked, &known, at).decision, Decision::Promote);
    let over = judge(&asked, &ended(counts), at.plus_secs(60));
    assert_eq!((over.decision, over.rule), (Decision::Halt, Rule::MaxHold));
    assert_eq!(
        over.sentence(&asked),
        "4 verified, and nobody can tell whether they raised alerts, and the longest hold is over"
    );
    // What was seen before the source fell silent still counts.
    let seen = Standing { alerts: 6, ..ended(counts) };
    assert_eq!(judge(&asked, &seen, at).rule, Rule::MaxAlerts);
    let all_there = Counts { skipped: 3, ..Counts::default() };
    assert_eq!(
        decide(&asked, all_there).0,
        Decision::Promote,
        "nothing was started: nobody to raise an alert"
    );
}
