//! `patchflow-lab soak`: simulations with faults, one for each seed.

use clap::Args;
use patchflow_testkit::sim::{Ending, Story, generate};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Failing seeds beyond this many are counted and not printed.
const PRINTED_MAX: usize = 20;

/// Which seeds to run, and how.
#[derive(Args, Debug)]
pub(crate) struct Soak {
    /// How many seeds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many at a time; as many as there are cores unless said otherwise.
    #[arg(long)]
    jobs: Option<usize>,
    /// Print what happens in each seed.
    #[arg(long)]
    trace: bool,
    /// Make a failing seed's story as small as it still fails, and print what is left of it.
    #[arg(long)]
    shrink: bool,
    /// Print in how many stories each thing happened at all.
    #[arg(long)]
    reach: bool,
}

#[derive(Debug, Default)]
struct Sum {
    failing: Vec<(u64, Ending)>,
    more: u64,
    reached: BTreeMap<String, u32>,
}

impl Soak {
    pub(crate) fn run(&self) -> ExitCode {
        let started = Instant::now();
        let jobs = if self.trace || self.shrink { 1 } else { self.jobs() };
        let next = AtomicU64::new(0);
        let (facts, orders, crashes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let sum = Mutex::new(Sum::default());
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= self.seeds {
                            return;
                        }
                        let seed = self.from.wrapping_add(at);
                        let ending = self.play(seed);
                        facts.fetch_add(ending.facts, Ordering::Relaxed);
                        orders.fetch_add(ending.orders as u64, Ordering::Relaxed);
                        crashes.fetch_add(ending.crashes.into(), Ordering::Relaxed);
                        if self.reach
                            && let Ok(mut sum) = sum.lock()
                        {
                            for name in ending.reached.keys() {
                                *sum.reached.entry(name.clone()).or_default() += 1;
                            }
                        }
                        if !ending.violations.is_empty()
                            && let Ok(mut sum) = sum.lock()
                        {
                            report(seed, &ending, &mut sum);
                        }
                    }
                });
            }
        });
        let took = started.elapsed().as_secs_f64();
        let sum = sum.into_inner().unwrap_or_default();
        for (name, n) in &sum.reached {
            println!("{n} of {} stories reach {name}", self.seeds);
        }
        let failing = sum.failing.len() as u64 + sum.more;
        println!(
            "{} seeds from {} in {took:.1} s: {:.0} a second on {jobs} thread(s); {} facts, {} orders, {} crashes; {failing} failing",
            self.seeds,
            self.from,
            self.seeds as f64 / took,
            facts.into_inner(),
            orders.into_inner(),
            crashes.into_inner(),
        );
        if failing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.unwrap_or_else(cores).max(1)
    }

    fn play(&self, seed: u64) -> Ending {
        let story = generate(seed);
        if !self.trace && !self.shrink {
            return story.play(false);
        }
        let mut ending = story.play(self.trace && !self.shrink);
        if self.shrink && !ending.violations.is_empty() {
            let names: Vec<_> = ending.violations.iter().take(1).map(|found| found.oracle).collect();
            let smaller = story.shrunk(&names, 5000);
            ending = smaller.play(true);
            tell(&smaller);
        }
        for line in &ending.lines {
            println!("{line}");
        }
        println!("seed {seed}: hash {:016x}", ending.hash);
        ending
    }
}

fn tell(story: &Story) {
    for policy in &story.policies {
        println!("policy: {policy:?}");
    }
    for machine in &story.machines {
        println!("endpoint {}: {:?} {:?}", machine.id, machine.environment, machine.behaviour);
    }
    for (at, step) in &story.steps {
        println!("step at {at}: {}", format!("{step:?}").chars().take(240).collect::<String>());
    }
}

fn report(seed: u64, ending: &Ending, sum: &mut Sum) {
    if sum.failing.len() >= PRINTED_MAX {
        sum.more += 1;
        return;
    }
    println!("seed {seed} fails; repeat it with: patchflow-lab soak --seeds 1 --from {seed} --trace");
    for violation in ending.violations.iter().take(3) {
        println!("  {violation}");
    }
    sum.failing.push((seed, ending.clone()));
}
