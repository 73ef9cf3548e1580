//! Reports through the front door, packed into the journal's buffer.

use crate::millions;
use patchflow_benches::{Lap, Names, Order, Rig, Sample, Setup};
use std::time::Duration;

pub(crate) fn run(names: &Names, runs: usize) {
    let n = names.count();
    println!("\n### Observing, {n} endpoints in one rollout, everything on its way at once\n");
    println!(
        "| Reports | Order of members | Facts | Median of {runs} | Facts a second | Journal, bytes a fact |"
    );
    println!("|---|---|---|---|---|---|");
    for order in [Order::ByIndex, Order::Random] {
        let mut took: [Vec<Duration>; 4] = Default::default();
        let mut facts = [0; 4];
        let mut bytes = [0; 4];
        for _ in 0..runs {
            let setup = Setup::at_once(names);
            let mut rig = Rig::started(names, setup);
            let members = rig.members(order);
            let sweeps: [fn(&mut Rig, &[u32]); 3] = [Rig::acknowledge, Rig::report, Rig::inspect];
            let mut all = Duration::ZERO;
            let begun = (rig.facts, rig.journal_bytes);
            for (i, sweep) in sweeps.into_iter().enumerate() {
                let before = (rig.facts, rig.journal_bytes);
                let start = Lap::start();
                sweep(&mut rig, &members);
                let elapsed = start.elapsed();
                all += elapsed;
                took[i].push(elapsed);
                (facts[i], bytes[i]) = (rig.facts - before.0, rig.journal_bytes - before.1);
            }
            took[3].push(all);
            (facts[3], bytes[3]) = (rig.facts - begun.0, rig.journal_bytes - begun.1);
        }
        for (i, name) in ["acknowledged", "done", "inspected", "all three"].into_iter().enumerate() {
            let sample = Sample::of(std::mem::take(&mut took[i]));
            println!(
                "| {name} | {} | {} | {:.3} s | {} | {:.2} |",
                match order {
                    Order::ByIndex => "by index",
                    Order::Random => "random",
                },
                facts[i],
                sample.median.as_secs_f64(),
                millions(sample.per_second(facts[i])),
                bytes[i] as f64 / facts[i].max(1) as f64,
            );
        }
    }
}
