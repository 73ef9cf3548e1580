//! Can the comparison fail? Every wrong rule on the list must be found within a few histories.

use crate::histories::live;
use crate::knobs::{Knobs, knobs};
use crate::pair::{Happens, calm, happens, machines, replacing};
use patchflow_testkit::model::Mutation;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Wrong rules that take more histories than an ordinary run has: they need a rare meeting of circumstances.
const RARE: &[Mutation] = &[
    Mutation::CountsSkipped,
    Mutation::RollsNobodyBack,
    Mutation::PauseStopsNothing,
    Mutation::StartsWithoutAWayBack,
    Mutation::SharesEndpoints,
    Mutation::RevisionsKeepTheGates,
    Mutation::NewcomersNeverWait,
    Mutation::NewcomersDoNotReopen,
    Mutation::OldStagingsCount,
    Mutation::TakesBackWhatWasReplaced,
    Mutation::OtherContentIsNotHeld,
];

/// Turns a fleet into one in which a rule matters, so that few histories are needed to see it broken.
fn focus(mutation: Mutation, knobs: &mut Knobs) {
    use Mutation as M;
    // Everybody may start at any time, at once, without a question to people.
    let plain = |knobs: &mut Knobs| {
        (knobs.schedule, knobs.approval, knobs.trial, knobs.start, knobs.rings) = (0, 0, 0, 0, 0);
        (knobs.deploy, knobs.more, knobs.staging) = ([0; 4], [0; 12], [0; 4]);
        (knobs.later, knobs.replaced) = ([0; 2], 0);
    };
    match mutation {
        M::ShareIsAlwaysOfTheMembers => {
            plain(knobs);
            (knobs.more[1], knobs.limits, knobs.production) = (3, [0, 1, 0, 0, 1, 0, 0, 0], 6);
            knobs.deploy[0] = 2;
        }
        M::ScopeIsAlwaysTheRing => {
            plain(knobs);
            (knobs.more[1], knobs.limits, knobs.retry) = (6, [2, 0, 0, 0, 1, 0, 0, 0], [0; 3]);
        }
        M::UnknownAlertsPass => {
            plain(knobs);
            knobs.limits = [0, 0, 0, 0, 0, 2, 0, 0];
        }
        M::NewcomersNeverWait
        | M::NewcomersDoNotReopen
        | M::TakenOutComesBack
        | M::CatchUpIsAlwaysOn
        | M::DeferredStayBehind
        | M::CatchUpNeverStops
        | M::NobodyAttaches
        | M::SkipsTheOnlyRing
        | M::RevisionsKeepTheGates => {
            let off = mutation == M::CatchUpIsAlwaysOn;
            plain(knobs);
            (knobs.limits, knobs.production) = ([0, 0, 0, 0, 1, 0, knobs.limits[6] % 2, 0], 1);
            (knobs.more[0], knobs.rollback) = (if off { 3 } else { 0 }, [0; 3]);
            knobs.rings = if mutation == M::NewcomersDoNotReopen { 5 } else { 0 };
            knobs.deploy[1] = 1;
        }
        M::StartsWithoutContent | M::AnyContentWillDo | M::NothingIsThrownAway => {
            (plain(knobs), knobs.staging = [4, 0, 0, 0]).0
        }
        M::OldContentIsGood | M::StagesTheNextRing => {
            plain(knobs);
            let next = u8::from(mutation == M::OldContentIsGood);
            (knobs.staging, knobs.limits) = ([4, 1, 4, next], [0, 0, 0, 0, 0, 0, 2, 0]);
        }
        M::OldStagingsCount => (plain(knobs), knobs.staging = [4, 0, 0, 2]).0,
        M::NoLead => (plain(knobs), knobs.schedule = 2, knobs.staging = [4, 1, 0, 0]).0,
        M::NoBoundOnStagings | M::NoBoundOnLines | M::AnyNumberIsStaged => {
            plain(knobs);
            let bound = match mutation {
                M::NoBoundOnStagings => 3,
                M::NoBoundOnLines => 5,
                _ => 4,
            };
            (knobs.staging, knobs.production) = ([4, bound, 0, 0], 6);
        }
        M::RevocationTakesNothingBack | M::TakesBackWhatWasReplaced => (plain(knobs), knobs.later = [0, 3]).0,
        M::AdoptedFreezesWait | M::AdoptedFreezesRecallNothing => (plain(knobs), knobs.later = [3, 0]).0,
        M::EndedPathsPass => (plain(knobs), knobs.limits = [0, 0, 0, 0, 0, 0, 2, 0]).0,
        M::StartsOnEndedPaths => {
            plain(knobs);
            // Those that wait for the end of a freeze wait long enough for a way back to end.
            (knobs.deploy, knobs.limits, knobs.schedule, knobs.rings) = ([1, 2, 0, 0], [0; 8], 1, 5);
        }
        M::InstallsOverTheNewer => (plain(knobs), knobs.patch = 3).0,
        M::OtherContentIsNotHeld => {
            plain(knobs);
            (knobs.limits, knobs.rollback, knobs.retry) = ([0; 8], [1, 0, 0], [0; 3]);
        }
        M::NoBudgetOfTheFleet => (plain(knobs), knobs.more[4] = 4, knobs.production = 4).0,
        M::NoBudgetOfScopes => (plain(knobs), knobs.more[5] = 6, knobs.production = 6).0,
        M::NoBudgetOfRings => (plain(knobs), knobs.more[2] = 3, knobs.production = 4).0,
        M::ProbesGoTogether => (plain(knobs), knobs.more[3] = 5, knobs.production = 4).0,
        M::AnyNumberStarts => (plain(knobs), knobs.more[6] = 6, knobs.production = 4).0,
        M::GroupsGoTogether => (plain(knobs), knobs.more[7] = 6, knobs.production = 6).0,
        M::FailedIsAvailable => {
            plain(knobs);
            (knobs.more[7], knobs.production, knobs.rings) = (6, 6, 5);
            (knobs.limits, knobs.retry) = ([0; 8], [0; 3]);
        }
        M::FailedHooksStart => (plain(knobs), knobs.more[8] = 1).0,
        M::NobodyIsResumed => (plain(knobs), knobs.more[8] = 2).0,
        M::LateReportsTakeAPlace | M::UnknownKeepsItsPlace => {
            plain(knobs);
            (knobs.deploy, knobs.limits, knobs.production, knobs.rings) = ([1, 2, 0, 0], [0; 8], 6, 5);
        }
        M::PauseStopsNothing => (plain(knobs), knobs.deploy[0] = 1).0,
        M::NoHoldAfterRollback | M::RollsNobodyBack => {
            plain(knobs);
            (knobs.limits, knobs.rollback, knobs.retry) =
                ([1, 0, 0, 0, 0, 0, 0, 0], [u8::from(mutation == M::NoHoldAfterRollback), 1, 0], [0; 3]);
        }
        M::StartsWithoutAWayBack => (plain(knobs), knobs.rollback = [0; 3], knobs.start = 2).0,
        M::OrdersTheUnread => (plain(knobs), knobs.deploy[0] = 1).0,
        M::ProgressExtendsForEver => {
            plain(knobs);
            (knobs.more[9], knobs.limits) = (3, [0; 8]);
        }
        M::RebootsForEver => {
            plain(knobs);
            (knobs.more[10], knobs.patch, knobs.limits, knobs.rings) = (5, 2, [0; 8], 5);
        }
        M::EmergenciesWait => {
            plain(knobs);
            (knobs.schedule, knobs.more[11], knobs.start) = (2, 1, 2);
        }
        M::EmergenciesBake => {
            plain(knobs);
            (knobs.limits, knobs.more[11], knobs.start) = ([0, 0, 0, 0, 0, 0, 2, 0], 4, 2);
        }
        M::RebootsAtAnyTime => (plain(knobs), knobs.schedule = 1, knobs.patch = 2).0,
        M::CountsSkipped => {
            plain(knobs);
            (knobs.limits, knobs.rings, knobs.production) = ([0, 1, 0, 0, 1, 0, 0, 0], 5, 1);
            (knobs.deploy[0], knobs.retry) = (1, [0; 3]);
        }
        M::BackoffStaysTheSame => {
            plain(knobs);
            (knobs.retry, knobs.limits, knobs.rings, knobs.production) = ([1, 0, 0], [0; 8], 5, 0);
        }
        M::LeavesTheSuperseded
        | M::HidesBeforeApproval
        | M::ReplacesOnlyWhatItNames
        | M::TheReplacedStaysAway
        | M::NobodyFinishes
        | M::NobodyMoves
        | M::PutsBackWhatWasReplaced => {
            let of = match mutation {
                M::NobodyFinishes | M::PutsBackWhatWasReplaced => 1,
                M::NobodyMoves => 2,
                _ => 0,
            };
            let approval = knobs.approval;
            plain(knobs);
            knobs.replaced = of;
            knobs.deploy[0] = 1;
            knobs.approval = if mutation == M::HidesBeforeApproval { approval.max(2) } else { 0 };
        }
        M::ClonesAreOrdered
        | M::EveryCloneIsAReimage
        | M::ReimagesKeepWhatWasVerified
        | M::ManagersHoldNothing
        | M::PendingRebootsBlockNothing => (plain(knobs), knobs.deploy[0] = 1, knobs.limits = [0; 8]).0,
        M::RulesApproveWhatWasTurnedDown => plain(knobs),
        M::RingsGoByTheirPlace => (plain(knobs), knobs.later = [1, 0], knobs.production = 6).0,
        M::OnePersonIsAQuorum => (plain(knobs), knobs.approval = 2).0,
        _ => {}
    }
}

/// Wrong rules about what replaces what.
fn is_about_kin(mutation: Mutation) -> bool {
    use Mutation as M;
    [
        M::LeavesTheSuperseded,
        M::HidesBeforeApproval,
        M::ReplacesOnlyWhatItNames,
        M::TheReplacedStaysAway,
        M::NobodyFinishes,
        M::NobodyMoves,
        M::PutsBackWhatWasReplaced,
        M::RulesApproveWhatWasTurnedDown,
    ]
    .contains(&mutation)
}

/// Wrong rules about what the host knows of endpoints and their machines.
fn is_about_contact(mutation: Mutation) -> bool {
    use Mutation as M;
    [
        M::OrdersTheUnread,
        M::ClonesAreOrdered,
        M::EveryCloneIsAReimage,
        M::ReimagesKeepWhatWasVerified,
        M::ManagersHoldNothing,
        M::PendingRebootsBlockNothing,
    ]
    .contains(&mutation)
}

/// `PATCHFLOW_HISTORIES=n` looks for all of them, the rare ones included, in n histories each; `PATCHFLOW_MUTATION=name`
/// for that one alone.
#[test]
fn every_wrong_rule_is_found() {
    let wanted = std::env::var("PATCHFLOW_HISTORIES").ok().and_then(|n| n.parse::<u32>().ok());
    let histories = wanted.unwrap_or(400);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let story = |it| prop::collection::vec(it, 1..80usize);
    let mut some = |kind: BoxedStrategy<Happens>, n: u32| -> Vec<(Knobs, Vec<Happens>)> {
        let strategy = (knobs(), story(kind));
        (0..n).map(|_| strategy.new_tree(&mut runner).expect("a history").current()).collect()
    };
    // Every other one is calm.
    let (wild, calm) = (some(happens().boxed(), histories / 2), some(calm().boxed(), histories / 2));
    let usual: Vec<_> = wild.into_iter().zip(calm).flat_map(|(wild, calm)| [wild, calm]).collect();
    let (replacing, machines) = (some(replacing().boxed(), histories), some(machines().boxed(), histories));
    let alone = std::env::var("PATCHFLOW_MUTATION").ok();
    let (mut alive, mut found) = (Vec::new(), Vec::new());
    for mutation in Mutation::ALL {
        let other = alone.as_ref().is_some_and(|alone| *alone != format!("{mutation:?}"));
        if other || alone.is_none() && wanted.is_none() && RARE.contains(mutation) {
            continue;
        }
        // Only a history on which the right model agrees says something about a wrong one.
        let finds = |(knobs, story): &(Knobs, Vec<Happens>)| {
            let mut knobs = knobs.clone();
            focus(*mutation, &mut knobs);
            // Endpoints that nobody reads are ordered nothing, and show nothing of the other rules.
            let about_contact = is_about_contact(*mutation);
            let tells = |it: &&Happens| {
                about_contact
                    || !matches!(it, Happens::Keeps(..) | Happens::Reports(..) | Happens::RebootsPend(..))
            };
            let story: Vec<Happens> = story.iter().filter(tells).cloned().collect();
            live(&knobs, &story, Some(*mutation)).is_err() && live(&knobs, &story, None).is_ok()
        };
        let about_kin = is_about_kin(*mutation);
        let all = match (about_kin, is_about_contact(*mutation)) {
            (true, _) => &replacing,
            (_, true) => &machines,
            _ => &usual,
        };
        match all.iter().position(finds) {
            Some(n) => found.push((n, *mutation)),
            None => alive.push(*mutation),
        }
    }
    found.sort();
    let text = format!(
        "{} wrong rules, {} found; the slowest: {:?}\n",
        Mutation::ALL.len(),
        found.len(),
        &found[found.len().saturating_sub(12)..]
    );
    std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).expect("stderr takes it");
    assert!(alive.is_empty(), "not found in {histories} histories each: {alive:?}");
}
