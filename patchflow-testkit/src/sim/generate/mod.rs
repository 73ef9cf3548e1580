//! From a seed to a story: fleet, patches, policy, people and faults, each from a stream of its own.
//!
//! A swarm: each kind of fault is either on or off in a story, and each field of the policy is either ordinary or
//! extreme, so that rare things meet often enough.

mod faults;
mod fleet;
mod people;
mod policy;
mod shared;

use super::{Chance, Happening, Purpose, Step, Story};

/// The story of a seed.
///
/// ```
/// use patchflow_testkit::sim::generate;
/// let (one, again) = (generate(7).play(false), generate(7).play(false));
/// assert_eq!(one.hash, again.hash);
/// assert!(one.violations.is_empty());
/// ```
#[must_use]
pub fn generate(seed: u64) -> Story {
    let mut chance = Chance::new(seed, Purpose::Fleet, 0);
    let only_absence = chance.one_in(8);
    let faults_secs = chance.between(4 * 3600, 6 * 86_400);
    let mut steps: Vec<(u64, Step)> = Vec::new();
    let senses = !only_absence && chance.one_in(2);
    let machines = fleet::machines(seed, only_absence);
    fleet::patches(seed, faults_secs, &mut steps);
    people::people(seed, faults_secs, only_absence, &mut steps);
    if only_absence {
        faults::absence(seed, faults_secs, &mut steps);
    } else {
        faults::faults(seed, faults_secs, &machines, &mut steps);
    }
    steps.sort_by_key(|(at, _)| *at);
    Story {
        seed,
        policies: policy::policies(seed, only_absence),
        machines,
        steps,
        inputs_per_store: if chance.one_in(3) { chance.between(2, 6) as u32 } else { 1 },
        encodes: seed.is_multiple_of(16),
        faults_secs,
        // Without faults nobody is deferred before thirty days are over, first in a trial and then in a rollout.
        rest_secs: if only_absence { 150 } else { 60 } * 86_400,
        only_absence,
        senses,
    }
}

fn happens(at: u64, what: Happening) -> (u64, Step) {
    (at, Step::Happens(Box::new(what)))
}
