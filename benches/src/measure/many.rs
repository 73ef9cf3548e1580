//! Two hundred rollouts at once, over endpoints that go by thousands of calendars: a day of it.

use crate::millions;
use patchflow_benches::{Crowd, Lap, Names};
use std::time::Duration;

const ROLLOUTS: u32 = 200;
const CALENDARS: u32 = 10_000;
const LOOKS: u32 = 1_000_000;

pub(crate) fn run(names: &Names) {
    let n = names.count();
    println!("\n### {ROLLOUTS} rollouts over {n} endpoints that go by {CALENDARS} calendars, for a day\n");
    let mut crowd = Crowd::started(names, ROLLOUTS, CALENDARS);
    let members = crowd.members();
    let until = crowd.now().plus_secs(86_400);
    let (mut ticks, mut facts) = (0_u64, 0);
    let start = Lap::start();
    while let Some(next) = crowd.next_deadline().filter(|next| *next <= until) {
        crowd.pass_to(next);
        ticks += 1;
        facts += crowd.carry_out();
    }
    let took = start.elapsed();
    let idle = {
        let start = Lap::start();
        for _ in 0..LOOKS {
            let later = crowd.now().plus(Duration::from_millis(1));
            crowd.pass_to(later);
        }
        start.elapsed() / LOOKS
    };
    println!("| What | |\n|---|---|");
    println!("| memberships | {members} |");
    println!("| looks at the clock, each of which had something due | {ticks} |");
    println!("| facts | {facts} |");
    println!(
        "| facts a second, windows and looks included | {} |",
        millions(facts as f64 / took.as_secs_f64())
    );
    println!("| a look at the clock with nothing due | {} ns |", idle.as_nanos());
}
