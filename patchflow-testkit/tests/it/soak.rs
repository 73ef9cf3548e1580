//! Simulations with faults, some hundreds of them: more are run with `patchflow-lab soak`.

use patchflow_testkit::sim::generate;

const SEEDS: u64 = 400;

#[test]
fn hundreds_of_stories_with_faults_end_without_a_violation() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8) as u64;
    let failing: Vec<String> = std::thread::scope(|scope| {
        let run = |part: u64| {
            move || {
                let seeds = (0..SEEDS).filter(move |seed| seed % threads == part);
                seeds
                    .flat_map(|seed| {
                        let found = generate(seed).play(false).violations;
                        found.into_iter().take(1).map(move |found| {
                            format!("{found}\n  patchflow-lab soak --seeds 1 --from {seed} --trace")
                        })
                    })
                    .collect::<Vec<_>>()
            }
        };
        let parts: Vec<_> = (0..threads).map(|part| scope.spawn(run(part))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(failing.is_empty(), "{} of {SEEDS} seeds fail:\n{}", failing.len(), failing.join("\n"));
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

#[test]
fn stories_reach_what_they_are_to_test() {
    let endings: Vec<_> = (0..150).map(|seed| generate(seed).play(false)).collect();
    let share = |reached: &dyn Fn(&patchflow_testkit::sim::Ending) -> bool| {
        endings.iter().filter(|ending| reached(ending)).count()
    };
    assert!(share(&|ending| ending.orders > 0) > 80, "most stories order something");
    assert!(share(&|ending| ending.crashes > 0) > 40, "many stories crash");
    assert!(share(&|ending| ending.rollouts > 1) > 25, "several rollouts meet");
}
