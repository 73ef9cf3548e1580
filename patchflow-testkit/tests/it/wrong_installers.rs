//! The suite for installers can fail: for each clause there is an installer that breaks it, and is caught by it.

use crate::model_installer::{ModelBuilder, Wrong};
use patchflow_testkit::conformance::installer::{check, check_all, clauses};
use std::collections::BTreeSet;

/// Each wrong installer with the clause that must catch it.
const WRONG: &[(Wrong, &str)] = &[
    (Wrong::InstallerNotListed, "I1"),
    (Wrong::LosesAReceipt, "I2"),
    (Wrong::NeverAcknowledges, "I3"),
    (Wrong::InstallsEverywhere, "I4"),
    (Wrong::CarriesOutTwice, "I5"),
    (Wrong::TakesLowerFences, "I6"),
    (Wrong::StartsTooLate, "I7"),
    (Wrong::ClaimsWhatIsMissing, "I8"),
    (Wrong::SaysDoneOfTheUnseen, "I9"),
    (Wrong::SaysRunningOfWhatEnded, "I10"),
    (Wrong::ForgetsOrdersAtRestart, "I11"),
    (Wrong::ForgetsFencesAtRestart, "I12"),
    (Wrong::AnswersTwice, "I13"),
    (Wrong::FailsTheBatchOfAnUnknownEndpoint, "I14"),
    (Wrong::InstallsInPreflight, "I15"),
    (Wrong::SeesNoObstacle, "I16"),
    (Wrong::RecallsAnything, "I17"),
    (Wrong::CarriesOutTheRecalled, "I18"),
    (Wrong::StopsWhatIsAtWork, "I19"),
    (Wrong::WorksTwiceOnAnEndpoint, "I20"),
    (Wrong::WorksOnOneEndpointOnly, "I21"),
    (Wrong::LosesReports, "I22"),
    (Wrong::ReportsBoth, "I23"),
    (Wrong::RevertsNothing, "I24"),
    (Wrong::IgnoresHolds, "I25"),
    (Wrong::HoldsAnywhere, "I26"),
    (Wrong::OnlySaysThatItReboots, "I27"),
    (Wrong::InstallsWhenItStages, "I28"),
    (Wrong::AnswersForAStagingTwice, "I29"),
    (Wrong::EchoesTheContent, "I30"),
    (Wrong::ForgetsContentAtRestart, "I31"),
    (Wrong::InstallsWhatHasChanged, "I32"),
    (Wrong::ThrowsAwayEverywhere, "I33"),
    (Wrong::StagesAgainstItsWord, "I34"),
    (Wrong::InstallsOtherContent, "I35"),
    (Wrong::InventoryNotListed, "V1"),
    (Wrong::HidesAnEndpoint, "V2"),
    (Wrong::ShowsAllAlways, "V3"),
    (Wrong::ShowsNoChange, "V4"),
    (Wrong::SpendsCursors, "V5"),
    (Wrong::EchoesTheTarget, "V6"),
    (Wrong::UnknownIsAbsent, "V7"),
    (Wrong::AbsentIsUnreadable, "V8"),
    (Wrong::ForeignCursorIsTheEnd, "V9"),
];

#[test]
fn a_right_installer_passes_with_nothing_left_out() {
    let report = pollster::block_on(check_all(&ModelBuilder::new(None)));
    report.assert();
    assert_eq!(report.checked.len(), clauses().count());
    assert!(report.skipped.is_empty(), "{report}");
}

#[test]
fn one_that_does_not_stage_passes_and_the_report_says_what_it_does_not_offer() {
    let report = pollster::block_on(check_all(&ModelBuilder::without_staging()));
    report.assert();
    let left_out: Vec<_> = report.skipped.iter().map(|(clause, _)| clause.number).collect();
    assert_eq!(left_out, ["I28", "I29", "I30", "I31", "I32", "I33"], "{report}");
    assert!(report.to_string().contains("I28: not checked: the installer says that it does not stage"));
}

#[test]
fn each_wrong_installer_is_caught_by_its_clause() {
    for (wrong, number) in WRONG {
        let report = pollster::block_on(check(number, &ModelBuilder::new(Some(*wrong))));
        assert_eq!(report.checked.len(), 1, "{number}");
        assert!(!report.is_clean(), "{wrong:?} passes {number}: {report}");
    }
}

#[test]
fn every_clause_has_a_wrong_installer() {
    let caught: BTreeSet<_> = WRONG.iter().map(|(_, number)| *number).collect();
    let all: BTreeSet<_> = clauses().map(|clause| clause.number).collect();
    assert_eq!(caught, all);
}
