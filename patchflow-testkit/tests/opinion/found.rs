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
    let begins = [GoesWell(64), Passes(4_000), Passes(0), VendorPulls(0), Asks(20, 0, 0)];
    agree(&knobs, &[&begins[..], &[GoesWell(224)]].concat());
}
