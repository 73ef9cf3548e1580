//! From a journal back to a fleet.

use crate::millions;
use patchflow_benches::{Names, Order, Rig, Setup, sample};
use patchflow_core::fleet::{Fact, Fleet, Recorded};
use patchflow_core::ids::FleetId;
use patchflow_core::journal::{Tail, decode};

pub(crate) fn run(names: &Names, runs: usize) {
    let n = names.count();
    let setup = Setup { keep: true, ..Setup::at_once(names) };
    let mut rig = Rig::started(names, setup);
    let members = rig.members(Order::Random);
    rig.acknowledge(&members);
    rig.report(&members);
    rig.inspect(&members);
    let facts: Vec<Recorded> = decode(FleetId(7), Tail::EMPTY, &rig.records)
        .collect::<Result<_, _>>()
        .expect("the journal is whole");
    // The rich facts of a million endpoints (their names, the plan) come first and are another matter.
    let rich =
        facts.iter().position(|recorded| matches!(recorded.fact, Fact::Endpoint(_))).unwrap_or(facts.len());
    let small = (facts.len() - rich) as u64;
    println!(
        "\n### Replay, {n} endpoints, {small} endpoint facts after {rich} rich ones, members in random order\n"
    );
    println!("| What | Median of {runs} | Endpoint facts a second |");
    println!("|---|---|---|");

    let replayed = |facts: &[Recorded]| {
        sample(runs, || facts.to_vec(), |facts| Fleet::replay(facts).expect("the journal is sound"))
    };
    let head = replayed(&facts[..rich]);
    let whole = replayed(&facts);
    let net = whole.median.saturating_sub(head.median);
    println!("| the rich facts alone | {:.3} s | |", head.median.as_secs_f64());
    println!("| all facts, decoded before | {:.3} s | |", whole.median.as_secs_f64());
    println!(
        "| the difference: endpoint facts | {:.3} s | {} |",
        net.as_secs_f64(),
        millions(small as f64 / net.as_secs_f64())
    );

    let seq = facts.get(rich).map_or(facts.len() as u64 + 1, |recorded| recorded.seq.0);
    let frames = rig.records.partition_point(|record| record.first.0 < seq);
    let start = rig.records[..frames]
        .last()
        .map_or(Tail::EMPTY, |last| Tail { next: last.last.next(), head: last.head });
    let read = sample(
        runs,
        || (),
        |()| decode(FleetId(7), start, &rig.records[frames..]).map(Result::unwrap).count(),
    );
    println!(
        "| reading frames, chain verified | {:.3} s | {} |",
        read.median.as_secs_f64(),
        millions(read.per_second(small))
    );
    let both = net + read.median;
    println!(
        "| chain verified, then evolved | {:.3} s | {} |",
        both.as_secs_f64(),
        millions(small as f64 / both.as_secs_f64())
    );
}
