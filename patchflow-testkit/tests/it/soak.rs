//! Simulations with faults, some hundreds of them: more are run with `patchflow-lab soak`.

use patchflow_testkit::sim::{Ending, generate};
use std::collections::BTreeMap;
use std::sync::OnceLock;

const SEEDS: u64 = 400;

/// Every seed is played once, for all tests.
fn endings() -> &'static [Ending] {
    static ENDINGS: OnceLock<Vec<Ending>> = OnceLock::new();
    ENDINGS.get_or_init(|| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8) as u64;
        let parts: Vec<Vec<(u64, Ending)>> = std::thread::scope(|scope| {
            let run = |part: u64| {
                move || {
                    let seeds = (0..SEEDS).filter(move |seed| seed % threads == part);
                    seeds.map(|seed| (seed, generate(seed).play(false))).collect()
                }
            };
            let parts: Vec<_> = (0..threads).map(|part| scope.spawn(run(part))).collect();
            parts.into_iter().map(|part| part.join().unwrap()).collect()
        });
        let by_seed: BTreeMap<u64, Ending> = parts.into_iter().flatten().collect();
        by_seed.into_values().collect()
    })
}

#[test]
fn hundreds_of_stories_with_faults_end_without_a_violation() {
    let failing: Vec<String> = (0_u64..)
        .zip(endings())
        .filter_map(|(seed, ending)| {
            let found = ending.violations.first()?;
            Some(format!("{found}\n  patchflow-lab soak --seeds 1 --from {seed} --trace"))
        })
        .collect();
    assert!(failing.is_empty(), "{} of {SEEDS} seeds fail:\n{}", failing.len(), failing.join("\n"));
}

/// Seeds that once found something: a cancelled rollout that waited for a reboot without a window, and an endpoint that
/// left while the host was away; and later a hook and an order that shared the last number of a member.
#[test]
fn seeds_that_found_something_end_without_a_violation() {
    for seed in [700_214, 1_002_666, 7_097_586, 7_119_323, 8_333_082, 9_025_114] {
        let ending = generate(seed).play(false);
        assert!(ending.violations.is_empty(), "seed {seed}: {:?}", ending.violations.first());
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let (one, again) = (generate(seed).play(false), generate(seed).play(true));
        assert_eq!(one.hash, again.hash, "seed {seed}: keeping the transcript changes nothing");
        assert_eq!((one.facts, one.orders, one.crashes), (again.facts, again.orders, again.crashes));
        hashes.insert(one.hash);
    }
    assert_eq!(hashes.len(), 40, "different seeds give different traces");
}

/// What stories must reach, so that their end without a violation says something, and in how many of 400 at least.
const REACHED: [(&str, usize); 60] = [
    // Budgets that were used up.
    ("full_fleet", 10),
    ("full_scope", 10),
    ("full_ring", 10),
    ("full_starts", 5),
    ("full_group", 10),
    ("full_rollout", 20),
    ("probe_first", 20),
    // Hooks.
    ("HookAsked", 10),
    ("HookFailed", 5),
    ("hook_ended", 10),
    // Content before the window.
    ("StageAsked", 20),
    ("Staged", 20),
    ("StageFailed", 5),
    ("StageGaveUp", 5),
    ("wrong_content_seen", 2),
    // Two rollouts of one patch.
    ("Attached", 3),
    ("Detached", 1),
    // Conditions of endpoints.
    ("endpoints_went_unreachable", 20),
    ("endpoints_came_back", 20),
    ("endpoints_went_stale", 20),
    ("scans_asked", 50),
    ("scan_turn_asked", 20),
    ("scans_given_up", 10),
    ("endpoints_read", 50),
    ("endpoint_reimaged", 5),
    ("endpoint_quarantined", 20),
    ("quarantine_cleared", 10),
    ("ownership_declared", 3),
    // Reboots and those who put off.
    ("RebootOrdered", 10),
    ("reboots_pending_seen", 20),
    ("reboot_breaker", 2),
    ("reboots_allowed", 2),
    ("operation_put_off", 3),
    // Relations.
    ("candidate_superseded", 20),
    ("candidate_held", 3),
    ("candidate_reopened", 3),
    ("candidate_rerated", 20),
    // Due dates and emergencies.
    ("deadline_neared", 20),
    ("deadline_passed", 50),
    ("emergency", 20),
    ("window_passed", 2),
    // Operators and drills.
    ("operator_called", 5),
    ("operator_acknowledged", 5),
    ("drill_started", 2),
    ("drill_done", 2),
    ("drill_overdue", 20),
    // Newcomers and plans that change.
    ("members_joined", 20),
    ("catch_up_stopped", 2),
    ("rollout_revised", 2),
    ("ring_passed_over", 2),
    // Rollouts as such.
    ("Ordered", 150),
    ("Verified", 100),
    ("RetryScheduled", 5),
    ("WentSilent", 20),
    ("RolledBack", 20),
    ("rollout_halted", 50),
    ("trial_failed", 10),
    ("endpoint_left", 50),
    ("resync_started", 5),
    ("clock_stepped_back", 10),
];

#[test]
fn stories_reach_what_they_are_to_test() {
    let share = |reached: &dyn Fn(&Ending) -> bool| endings().iter().filter(|e| reached(e)).count();
    assert!(share(&|ending| ending.crashes > 0) > 100, "many stories crash");
    assert!(share(&|ending| ending.rollouts > 1) > 100, "several rollouts meet");
    let missed: Vec<String> = REACHED
        .into_iter()
        .map(|(name, least)| (name, least, share(&|ending| ending.reached.contains_key(name))))
        .filter(|(_, least, found)| found < least)
        .map(|(name, least, found)| format!("{name}: {found} of {SEEDS} stories, {least} are wanted"))
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
