//! What people do in a story.

use crate::sim::{Deed, Purpose, Step, Story};

const DEEDS: [Deed; 28] = [
    Deed::Answer { yes: true },
    Deed::Answer { yes: false },
    Deed::Waive,
    Deed::RepeatTrial,
    Deed::Reject,
    Deed::Revoke,
    Deed::Withdraw,
    Deed::Start,
    Deed::Pause,
    Deed::Resume,
    Deed::Halt,
    Deed::LiftHalt,
    Deed::Cancel,
    Deed::Promote,
    Deed::SkipRing,
    Deed::Revise,
    Deed::Retry,
    Deed::Remove,
    Deed::ClearHold,
    Deed::Reconsider,
    Deed::StartEmergency,
    Deed::Acknowledge,
    Deed::Drill,
    Deed::ClearQuarantine,
    Deed::DeclareOwnership,
    Deed::CancelReboot,
    Deed::AllowReboots,
    Deed::Adopt,
];

pub(super) fn people(seed: u64, within: u64, calm: bool, steps: &mut Vec<(u64, Step)>) {
    let mut chance = Story::chance(seed, Purpose::People);
    // Somebody looks at open questions now and then; sometimes nobody does.
    if calm || !chance.one_in(20) {
        for i in 0..10 {
            let at = 90 + within * i / 10;
            steps.push((at, Step::Does(Deed::ApproveAll, 0, 0)));
        }
    }
    if calm || chance.one_in(2) {
        let starts = chance.between(1, 3);
        for _ in 0..starts {
            let at = chance.between(120, within);
            let deed = if calm || !chance.one_in(4) { Deed::Start } else { Deed::StartEmergency };
            steps.push((at, Step::Does(deed, chance.below(4) as u32, 2)));
        }
    }
    if !calm && chance.one_in(3) {
        for _ in 0..8 {
            let at = chance.between(120, within);
            let deed = *chance.pick(&[Deed::CancelReboot, Deed::AllowReboots, Deed::Acknowledge]);
            steps.push((at, Step::Does(deed, chance.below(4) as u32, chance.below(60) as u32)));
        }
    }
    if !calm && chance.one_in(4) {
        for _ in 0..6 {
            let at = chance.between(120, within / 2);
            let b = *chance.pick(&[6, 12, 7, 9, 11, 13]);
            steps.push((at, Step::Does(Deed::Revise, chance.below(3) as u32, b)));
        }
    }
    if !calm && chance.one_in(4) {
        // Drills need a trial behind them, so they are tried again and again.
        let endpoint = chance.below(12) as u32;
        for i in 0..12 {
            let at = 200 + within * i / 12;
            steps.push((at, Step::Does(Deed::Drill, chance.below(2) as u32, endpoint + i as u32)));
        }
    }
    let busy = if calm { 0 } else { *chance.pick(&[0, 3, 8, 20]) };
    for _ in 0..busy {
        let at = chance.between(60, within);
        let deed = *chance.pick(&DEEDS);
        steps.push((at, Step::Does(deed, chance.below(6) as u32, chance.below(60) as u32)));
        if chance.one_in(6) {
            steps.push((at, Step::Does(Deed::AskAgain, 0, 0)));
        }
    }
    if !calm && chance.one_in(6) {
        for _ in 0..chance.between(1, 6) {
            let at = chance.between(120, within);
            steps.push((at, Step::Does(Deed::Alert, chance.below(4) as u32, chance.below(12) as u32)));
        }
    }
}
