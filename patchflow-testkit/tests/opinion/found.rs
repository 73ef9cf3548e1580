//! Histories in which the engine and the model once parted and the engine was wrong, as short as they were found.

use crate::histories::live;
use crate::knobs::Knobs;
use crate::pair::Happens::{self, *};

fn agree(knobs: &Knobs, story: &[Happens]) {
    if let Err(difference) = live(knobs, story, None) {
        panic!("{difference}");
    }
}

/// Content that was carried over grew too old before its ring had opened, and was asked for at once.
#[test]
fn content_that_grew_old_before_its_ring_opened_waits_for_its_ring() {
    let knobs = Knobs { limits: [0, 0, 0, 0, 0, 0, 0, 2], staging: [4, 0, 2, 2], ..Knobs::default() };
    agree(&knobs, &[AdoptsPolicy(false), CarriesOver(0, 60), Passes(9_000)]);
}

/// Content grew too old a second before the retry that needs it was due, while no start was allowed.
#[test]
fn a_retry_has_its_content_brought_when_it_is_due_and_not_when_it_may_start() {
    let mut more = [0; 12];
    (more[6], more[8]) = (6, 4);
    let knobs = Knobs {
        production: 5,
        non_production: 2,
        deploy: [0, 2, 0, 0],
        retry: [1, 0, 0],
        trial: 1,
        more,
        staging: [4, 0, 4, 0],
        ..Knobs::default()
    };
    agree(&knobs, &[GoesWell(1), Passes(2_701), Fails(2, 1), Passes(300)]);
}

/// The fact after the one that let it be resumed had it resumed once more.
#[test]
fn an_endpoint_is_resumed_once_though_content_is_asked_for_in_the_same_breath() {
    let more = [0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0];
    let knobs = Knobs { seed: 1, production: 1, rings: 1, more, staging: [4, 0, 0, 5], ..Knobs::default() };
    agree(&knobs, &[Publishes(1), StagesAll, Passes(600)]);
}

/// Who had failed before the rollout completed recovered after it, and made up for somebody else's failure.
#[test]
fn a_recovery_of_who_failed_before_completion_makes_up_for_nobody_in_catch_up() {
    let knobs = Knobs {
        production: 1,
        rings: 5,
        limits: [2, 0, 0, 0, 0, 0, 0, 2],
        deploy: [1, 0, 0, 1],
        start: 2,
        more: [3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0],
        ..Knobs::default()
    };
    let begins = [Asks(7, 0, 0), Sleeps(6_600), GoesWell(112), Passes(600), Asks(15, 0, 0)];
    let rest = [Acknowledges(144), Passes(600), GoesWell(106)];
    agree(&knobs, &[&begins[..], &rest[..]].concat());
}

/// The same version was published with other content before the rollback had ended, and was not held.
#[test]
fn a_hold_holds_what_was_published_anew_while_the_rollback_was_under_way() {
    let knobs = Knobs { production: 2, rollback: [1, 0, 0], ..Knobs::default() };
    let story = [Acknowledges(0), Fails(0, 0), Publishes(6), Done(0), Inspects(0, 2)];
    for order in 0..5 {
        let mut story = story.to_vec();
        story.extend([Done(order), Inspects(order, 2), Passes(600)]);
        agree(&knobs, &story);
    }
}

/// A trial that a gate had halted and a person cancelled rolled back who was verified later, if the host crashed.
#[test]
fn a_halted_trial_that_a_person_cancels_leaves_what_is_done() {
    let knobs = Knobs {
        production: 2,
        non_production: 1,
        limits: [0, 0, 0, 1, 0, 2, 0, 2],
        retry: [1, 0, 0],
        rollback: [0, 2, 0],
        trial: 1,
        more: [0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0],
        ..Knobs::default()
    };
    let begins = [GoesWell(64), Passes(4_000), Passes(0), VendorPulls(0), Asks(21, 0, 0)];
    agree(&knobs, &[&begins[..], &[GoesWell(224)]].concat());
}

/// A rollout that was to come to its end although its patch was replaced was halted; after a crash, or when anything else
/// looked, it was cancelled, and whom its gate was to roll back stayed as they were.
#[test]
fn a_halt_is_no_end_of_a_rollout_that_is_to_finish() {
    let knobs = Knobs { approval: 3, replaced: 1, ..Knobs::default() };
    let begins = [Publishes(1), Passes(1_737), Passes(3_263), GoesWell(11), Fails(134, 0)];
    let rest = [Passes(0), Publishes(10), Passes(0), Passes(3_600), AdoptsPolicy(false)];
    agree(&knobs, &[&begins[..], &rest[..]].concat());
}

/// A revision took a rollout to a policy that does not let it come to its end, and nobody looked at it.
#[test]
fn a_revision_that_ends_the_finishing_lets_the_successor_take_its_place() {
    let knobs = Knobs { replaced: 1, later: [0, 1], ..Knobs::default() };
    agree(&knobs, &[Publishes(9), AdoptsPolicy(true), Revises(0, 0, 0)]);
}

/// The successor's rollout over the rings of its predecessor's left out who was in none of them, until a crash.
#[test]
fn who_is_in_no_ring_of_what_moves_joins_the_last_one() {
    let knobs = Knobs { approval: 4, replaced: 2, ..Knobs::default() };
    let story = [Publishes(15), Asks(2, 0, 0), Moves(2, true), Publishes(7), Publishes(12), Asks(2, 51, 69)];
    agree(&knobs, &story);
}

/// A successor that had been published before what it replaces started over rings of its own.
#[test]
fn a_rollout_moves_to_a_successor_that_was_published_before_it() {
    let knobs = Knobs { production: 4, approval: 4, replaced: 2, ..Knobs::default() };
    let begins = [Publishes(3), Publishes(14), Publishes(17), Publishes(2), Publishes(1), Publishes(4)];
    let rest = [Publishes(5), Asks(2, 75, 81), Publishes(6), Asks(2, 164, 45)];
    agree(&knobs, &[&begins[..], &rest[..]].concat());
}

/// What was only identified began its trial when something that replaces it was published, before any comparison.
#[test]
fn what_is_only_identified_waits_for_the_comparison_whatever_is_published() {
    let knobs = Knobs { production: 1, trial: 1, ..Knobs::default() };
    agree(&knobs, &[Publishes(9), Moves(60, false), Publishes(12)]);
}

/// What had replaced it was published with other content, and that was withdrawn: it never came back.
#[test]
fn a_predecessor_comes_back_when_the_latest_content_of_what_replaced_it_is_withdrawn() {
    agree(&Knobs::default(), &[Publishes(9), Publishes(15), VendorPulls(15)]);
}

/// Content that had been replaced by other content of the same patch was opened again beside it.
#[test]
fn only_the_latest_content_of_a_patch_comes_back() {
    let story = [Publishes(16), Publishes(2), Publishes(8), VendorPulls(16), AdoptsPolicy(false)];
    agree(&Knobs::default(), &story);
}

/// Another rollout's order there was asked after in vain, and nobody brought the content that this one needs now.
#[test]
fn what_was_asked_after_in_vain_keeps_nobody_elses_content_away() {
    let knobs =
        Knobs { rings: 1, limits: [0, 0, 0, 0, 3, 0, 0, 2], staging: [4, 0, 0, 1], ..Knobs::default() };
    agree(&knobs, &[Asks(7, 0, 10), GoesWell(193), GoesWell(202), Passes(0), Passes(2_400)]);
}

/// Its approval had expired while stagings waited for a place, and was given again: nobody asked for them any more.
#[test]
fn stagings_that_waited_for_a_place_go_on_under_a_new_approval() {
    let knobs = Knobs {
        seed: 1,
        production: 3,
        non_production: 2,
        deploy: [0, 2, 0, 0],
        approval: 1,
        staging: [4, 5, 2, 0],
        ..Knobs::default()
    };
    let begins = [Asks(2, 0, 45), Passes(1_808), Passes(3_883), Passes(909), Asks(15, 0, 8)];
    agree(&knobs, &[&begins[..], &[Passes(1_463), Passes(937), Asks(2, 0, 0)]].concat());
}
