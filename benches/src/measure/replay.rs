//! From a journal back to a fleet.

use crate::millions;
use patchflow_benches::{Names, Order, Rig, Setup, sample};
use patchflow_core::digest::Digest;
use patchflow_core::fleet::{Fact, Fleet, Recorded};
use patchflow_core::ids::FleetId;
use patchflow_core::journal::{self, Tail, decode};

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
    let through =
        || journal::replay(FleetId(7), Tail::EMPTY, None, &rig.records).expect("the journal is sound").0;
    let both = sample(runs, || (), |()| through());
    let rich_too = sample(
        runs,
        || (),
        |()| journal::replay(FleetId(7), Tail::EMPTY, None, &rig.records[..frames]).expect("it is sound").0,
    );
    let net = both.median.saturating_sub(rich_too.median);
    println!(
        "| frames, chain verified, and evolved | {:.3} s | {} |",
        net.as_secs_f64(),
        millions(small as f64 / net.as_secs_f64())
    );
    let hashed = sample(
        runs,
        || (),
        |()| {
            let digests = rig.records[frames..].iter().filter_map(|record| record.payload.as_deref());
            digests.map(|payload| Digest::of(payload).0[0]).fold(0, |all, one| all ^ one)
        },
    );
    println!(
        "| SHA-256 of the same frames and nothing else | {:.3} s | {} |",
        hashed.median.as_secs_f64(),
        millions(hashed.per_second(small))
    );
    println!(
        "| verified and evolved, in hashes of the same bytes | {:.2} | |",
        net.as_secs_f64() / hashed.median.as_secs_f64()
    );
}
