//! Every history of small fleets, as far as an ordinary run has time for. `patchflow-lab explore` goes further.

use patchflow_testkit::explore::{Bounds, Small, explore};

/// `PATCHFLOW_STATES=n` visits so many states of each fleet.
#[test]
fn every_history_of_a_small_fleet_keeps_the_promises_and_comes_to_rest() {
    let asked = std::env::var("PATCHFLOW_STATES").ok().and_then(|n| n.parse().ok());
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let states = asked.unwrap_or(800);
    let bounds = Bounds { depth: 40, disturbances: 2, states, jobs, rest_one_in: 50 };
    let mut all = 0;
    for small in Small::ALL {
        match explore(*small, bounds) {
            Ok(sum) => {
                // Said whether or not anybody captures the output.
                let text = format!("{}: {sum}\n", small.name());
                std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).expect("stderr takes it");
                all += sum.states;
            }
            Err(broken) => panic!("{}: {broken}", small.name()),
        }
    }
    assert!(all >= 5_000, "{all} states are too few");
}
