//! The suite can fail: deliberately wrong stores, each caught by the clauses that it breaks and by no others.

use crate::model_store::{Fault, Models};
use patchflow_testkit::conformance::store::{check, check_all, clauses};
use pollster::block_on;
use std::collections::BTreeSet;

/// A fault, the clause that forbids it, and the clauses that it cannot but break besides.
const FAULTS: &[(Fault, &str, &[&str])] = &[
    (Fault::ManifestOfAnInstaller, "J1", &[]),
    (Fault::EmptyTailAtZero, "J2", &["J23", "J26"]),
    (Fault::ReceiptOneShort, "J3", &[]),
    (Fault::HeadIgnored, "J4", &["J6"]),
    (Fault::ConflictNamesExpected, "J5", &["J6", "J29", "J30"]),
    (Fault::RepeatAcknowledged, "J6", &[]),
    (Fault::RepeatStoredTwice, "J6", &["J29"]),
    (Fault::StoredInPart, "J7", &["J6"]),
    (Fault::GapsTaken, "J8", &[]),
    (Fault::ResultsByFleet, "J9", &["J11"]),
    (Fault::EmptyBatchAnswered, "J9", &[]),
    (Fault::StopsAtRefusal, "J10", &[]),
    (Fault::BatchAgainstItsStart, "J11", &[]),
    (Fault::FleetsCutTo32Bits, "J12", &["J20", "J21"]),
    (Fault::TimesSince1970Only, "J13", &[]),
    (Fault::ReadsFromNextRecord, "J14", &[]),
    (Fault::BytesMaxIgnored, "J15", &[]),
    (Fault::NothingWhenTooLong, "J15", &["J16"]),
    (Fault::PagesPartBaselines, "J16", &[]),
    (Fault::TailWithoutBaselines, "J17", &["J23", "J25", "J26"]),
    (Fault::FirstBaseline, "J18", &["J12", "J24"]),
    (Fault::HeadOfBaselineItself, "J18", &[]),
    (Fault::OneBaselineAtAPlace, "J19", &["J3", "J14", "J16", "J18", "J23", "J24", "J25", "J26"]),
    (Fault::FleetsDescending, "J20", &["J21"]),
    (Fault::ConflictMakesStream, "J20", &[]),
    (Fault::FleetsFromInclusive, "J21", &[]),
    (Fault::PruneTakesRecords, "J22", &["J26"]),
    (Fault::PruneCountsAgain, "J22", &[]),
    (Fault::PruneWithoutBaseline, "J23", &[]),
    (Fault::PruneTakesBaselineAtBefore, "J24", &["J22", "J26"]),
    (Fault::PruneEverywhere, "J25", &["J26"]),
    (Fault::ForgottenWhenClosed, "J26", &[]),
    (Fault::CheckedBeforeWaiting, "J27", &[]),
    (Fault::BusyRefused, "J28", &["J27"]),
    (Fault::OneVersionForAll, "J28", &[]),
    (Fault::HalfStoredWhenDropped, "J29", &[]),
    (Fault::SecondHandleBlind, "J30", &[]),
    (Fault::SecondHandleRefusedForNow, "J30", &[]),
];

#[test]
fn a_right_store_passes() {
    block_on(check_all(&Models::new(None))).assert();
}

#[test]
fn each_wrong_store_is_caught_by_the_clauses_that_it_breaks() {
    let mut wrong = String::new();
    for (fault, clause, besides) in FAULTS {
        let report = block_on(check_all(&Models::new(Some(*fault))));
        let seen: BTreeSet<&str> =
            report.violations.iter().map(|violation| violation.clause.number).collect();
        let expected: BTreeSet<&str> = besides.iter().copied().chain([*clause]).collect();
        if seen != expected {
            wrong += &format!("\n{fault:?} should break {expected:?}: {report}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_clause_has_a_store_that_breaks_it() {
    let broken: BTreeSet<&str> = FAULTS.iter().map(|(_, clause, _)| *clause).collect();
    let left: Vec<&str> =
        clauses().map(|clause| clause.number).filter(|number| !broken.contains(number)).collect();
    assert!(left.is_empty(), "no wrong store breaks {left:?}");
}

#[test]
#[should_panic(expected = "1 of 30 clauses violated\nJ23: Pruning is refused for good")]
fn a_report_names_the_clause_and_what_was_seen() {
    block_on(check_all(&Models::new(Some(Fault::PruneWithoutBaseline)))).assert();
}

#[test]
fn a_misspelled_clause_is_not_passed_over() {
    let violation = block_on(check("J99", &Models::new(None))).unwrap_err();
    assert!(violation.seen.contains("`J99`"), "{violation}");
}
