//! What goes wrong in a story. Each kind is on or off.

use super::{fleet, happens};
use crate::sim::{Chance, Change, Deed, Happening, Machine, Network, Purpose, Step, StoreFault, Story};
use patchflow_core::inventory::Environment;

pub(super) fn faults(seed: u64, within: u64, machines: &[Machine], steps: &mut Vec<(u64, Step)>) {
    let mut chance = Story::chance(seed, Purpose::Faults);
    let chance = &mut chance;
    let on = chance.number();
    let is_on = |kind: u32| on >> kind & 1 == 1;
    if is_on(0) {
        let share = |chance: &mut Chance| *chance.pick(&[0, 50, 200, 500]);
        let network = Network {
            lost_permille: share(chance),
            doubled_permille: share(chance),
            late_permille: share(chance),
            late_secs_max: *chance.pick(&[10, 600, 20_000, 200_000]),
        };
        let from = chance.below(within / 2);
        steps.push(happens(from, Happening::Network(network)));
        if chance.one_in(2) {
            steps.push(happens(chance.between(from, within), Happening::Network(Network::default())));
        }
    }
    if is_on(1) {
        for _ in 0..chance.between(1, 4) {
            steps.push((
                chance.below(within),
                Step::Does(Deed::CrashSoon, chance.below(40) as u32, chance.below(40) as u32),
            ));
        }
    }
    if is_on(2) {
        for _ in 0..chance.between(1, 2) {
            let secs = *chance.pick(&[60, 1000, 3600, 86_400, 3 * 86_400]);
            let (crashed, loses_mail) = (chance.one_in(2), chance.one_in(2));
            let at = chance.below(within);
            steps.push(happens(at, Happening::HostAway { secs, crashed, loses_mail }));
        }
    }
    if is_on(3) {
        for _ in 0..chance.between(1, 3) {
            let millis = *chance.pick(&[-500, -5000, -3_600_000, 700, 60_000, 3_600_000, 200_000_000]);
            let at = chance.below(within);
            steps.push(happens(at, Happening::ClockSkew(millis)));
            if chance.one_in(2) {
                steps.push(happens(chance.between(at, within), Happening::ClockSkew(0)));
            }
        }
    }
    if is_on(4) {
        for _ in 0..chance.between(1, 5) {
            let fault = *chance.pick(&[StoreFault::Failed, StoreFault::Ambiguous]);
            steps.push(happens(
                chance.below(within),
                Happening::StoreFails(vec![fault; chance.between(1, 3) as usize]),
            ));
        }
    }
    if is_on(5) {
        for _ in 0..chance.between(1, 3) {
            steps.push(happens(chance.below(within), Happening::Baseline));
        }
    }
    if is_on(6) {
        steps.push(happens(chance.below(within), Happening::Crash));
    }
    endpoint_faults(chance, on, within, machines, steps);
    condition_faults(chance, on, within, machines, steps);
}

fn endpoint_faults(
    chance: &mut Chance,
    on: u64,
    within: u64,
    machines: &[Machine],
    steps: &mut Vec<(u64, Step)>,
) {
    let is_on = |kind: u32| on >> kind & 1 == 1;
    let name = |chance: &mut Chance| chance.pick(machines).id.as_str().to_owned();
    if is_on(10) {
        for _ in 0..chance.between(1, 4) {
            let (who, at) = (name(chance), chance.below(within));
            steps.push(happens(at, Happening::Changes(who.clone(), Change::Reachable(false))));
            if chance.one_in(3) {
                continue;
            }
            let back = at + chance.between(1, 2 * 86_400);
            steps.push(happens(back.min(within), Happening::Changes(who, Change::Reachable(true))));
        }
    }
    if is_on(11) {
        for _ in 0..chance.between(1, 4) {
            let behaviour = fleet::behaviour(chance, 700);
            let (who, at) = (name(chance), chance.below(within));
            steps.push(happens(at, Happening::Changes(who, Change::Behaves(Box::new(behaviour)))));
        }
    }
    if is_on(12) {
        let (who, at) = (name(chance), chance.below(within));
        steps.push(happens(at, Happening::Leaves(who.clone())));
        if chance.one_in(2) {
            let i = who.trim_start_matches('e').parse().unwrap_or(0);
            let back = Box::new(fleet::machine(chance, i, 100));
            steps.push(happens(chance.between(at, within), Happening::Joins(back)));
        }
    }
    if is_on(13) {
        for i in 0..chance.between(1, 3) {
            let new = Box::new(fleet::machine(chance, 100 + i, 200));
            steps.push(happens(chance.below(within), Happening::Joins(new)));
        }
    }
    if is_on(14) {
        for _ in 0..chance.between(1, 3) {
            let (who, at) = (name(chance), chance.below(within));
            let change = match chance.below(7) {
                0 => Change::PowerCut,
                1 => Change::Sick(Some("HTTP 500".into())),
                2 => Change::RebootPending(true),
                3 => {
                    Change::Environment(*chance.pick(&[Environment::Production, Environment::NonProduction]))
                }
                4 => Change::Level("lib".into(), chance.one_in(2).then(|| "1.2".into())),
                5 => Change::Calendar(chance.one_in(2).then(|| "night".into())),
                _ => Change::Tag("ring".into(), Some("pilot".into())),
            };
            steps.push(happens(at, Happening::Changes(who, change)));
        }
    }
    if is_on(15) {
        for _ in 0..chance.between(1, 3) {
            steps.push(happens(chance.below(within), Happening::Rescanned));
        }
    }
}

/// Endpoints of which something else becomes known than their packages.
fn condition_faults(
    chance: &mut Chance,
    on: u64,
    within: u64,
    machines: &[Machine],
    steps: &mut Vec<(u64, Step)>,
) {
    let is_on = |kind: u32| on >> kind & 1 == 1;
    let name = |chance: &mut Chance| chance.pick(machines).id.as_str().to_owned();
    if is_on(16) {
        for _ in 0..chance.between(1, 3) {
            // Another machine under its name: after a silence it is a re-image, else a clone.
            let (who, at) = (name(chance), chance.below(within));
            let silent = *chance.pick(&[0, 30, 5000, 100_000]);
            if silent > 0 {
                steps.push(happens(at, Happening::Changes(who.clone(), Change::Reachable(false))));
            }
            let back = (at + silent).min(within);
            let other = Some(format!("g{}", chance.below(3)));
            steps.push(happens(back, Happening::Changes(who.clone(), Change::Fingerprint(other))));
            steps.push(happens(back, Happening::Changes(who.clone(), Change::Reachable(true))));
            if chance.one_in(3) {
                let before = Some(who.replace('e', "f"));
                let at = chance.between(back, within);
                steps.push(happens(at, Happening::Changes(who, Change::Fingerprint(before))));
            }
        }
    }
    if is_on(17) {
        let (who, at) = (name(chance), chance.below(within));
        let other = Change::ManagedBy(Some("another".into()));
        steps.push(happens(at, Happening::Changes(who.clone(), other)));
        if chance.one_in(2) {
            steps.push(happens(chance.between(at, within), Happening::Changes(who, Change::ManagedBy(None))));
        }
    }
    for (kind, change) in
        [(18, Change::Stale), (19, Change::RebootPending(true)), (20, Change::Group(Some("db".into())))]
    {
        if is_on(kind) {
            for _ in 0..chance.between(1, 4) {
                let (who, at) = (name(chance), chance.below(within));
                steps.push(happens(at, Happening::Changes(who, change.clone())));
            }
        }
    }
}

/// Nothing but an absence of the host.
pub(super) fn absence(seed: u64, within: u64, steps: &mut Vec<(u64, Step)>) {
    let mut chance = Story::chance(seed, Purpose::Faults);
    for _ in 0..chance.between(1, 2) {
        let secs = *chance.pick(&[1200, 3600, 86_400, 3 * 86_400]);
        let crashed = chance.one_in(2);
        let loses_mail = chance.one_in(2);
        steps.push(happens(chance.below(within), Happening::HostAway { secs, crashed, loses_mail }));
    }
}
