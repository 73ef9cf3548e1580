//! Plan making, beside a sort of as many 64-bit keys in the same run.

use patchflow_benches::{Names, Rig, Setup, sample};
use patchflow_core::ids::{EndpointId, EndpointIx};
use patchflow_core::inventory::Attributes;
use patchflow_core::plan::{RollbackPath, RolloutDraft, SpreadHash, Starter};
use patchflow_core::policy::{Policy, Selector};
use std::sync::Arc;

pub(crate) fn run(names: &Names, runs: usize) {
    let n = names.count();
    println!("\n### Plan making, {n} endpoints, rings 5/25/50/100\n");
    println!("| What | Median of {runs} | In sorts |");
    println!("|---|---|---|");
    let hash = SpreadHash::new(42);
    let keys = || (0..n).map(|i| hash.of(&[u64::from(i)])).collect::<Vec<u64>>();
    let sort = sample(runs, keys, |mut keys| {
        keys.sort_unstable();
        keys
    });
    println!("| sort of {n} 64-bit keys | {:.3} s | 1 |", sort.median.as_secs_f64());

    // One order at most: what is measured is the plan, not a million orders.
    let setup = Setup { in_flight_max: 1, rings: true, ..Setup::at_once(names) };
    let rig = Rig::approved(names, setup);
    let candidate = rig.candidate();
    let approved =
        rig.fleet.candidate(candidate).and_then(|candidate| candidate.approved()).expect("it is approved");
    let attributes = Attributes::default();
    let id = EndpointId::from("e");
    let present: Arc<str> = "3.0.21-1".into();
    let starters: Vec<Starter<'_>> = (0..n)
        .map(|i| Starter {
            endpoint: EndpointIx(i),
            id: &id,
            attributes: &attributes,
            present: Some(&present),
            path: RollbackPath::Reinstall,
        })
        .collect();
    let policy = Policy::standard("measured");
    let draft = RolloutDraft { candidate, select: Selector::All };
    let check = sample(
        runs,
        || (),
        |()| draft.check(approved, &policy, &starters, hash).expect("the draft is sound"),
    );
    println!(
        "| `RolloutDraft::check` | {:.3} s | {:.1} |",
        check.median.as_secs_f64(),
        check.ratio_to(&sort)
    );
    drop(rig);

    let start = sample(
        runs,
        || Rig::approved(names, setup),
        |mut rig| {
            rig.start();
            rig
        },
    );
    println!(
        "| the whole command `Start`, first order out | {:.3} s | {:.1} |",
        start.median.as_secs_f64(),
        start.ratio_to(&sort)
    );
}
