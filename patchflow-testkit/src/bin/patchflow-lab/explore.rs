//! `patchflow-lab explore`: every history of small fleets, up to a bound.

use clap::Args;
use patchflow_testkit::explore::{Bounds, Event, Small, explore, repeat};
use std::process::ExitCode;

/// Which fleets, and how far.
#[derive(Args, Debug)]
pub(crate) struct Explore {
    /// Distinct states of each fleet at most.
    #[arg(long, default_value_t = 20_000)]
    states: usize,
    /// Events on a path at most.
    #[arg(long, default_value_t = 60)]
    depth: usize,
    /// Of these, at most so many that do not happen when all goes well: failures, people, crashes.
    #[arg(long, default_value_t = 2)]
    disturbances: u8,
    /// One in so many states at the rim is led to rest.
    #[arg(long, default_value_t = 20)]
    rest_one_in: usize,
    /// How many at a time; as many as there are cores unless said otherwise.
    #[arg(long)]
    jobs: Option<usize>,
    /// One fleet alone, by its name.
    #[arg(long)]
    only: Option<String>,
    /// Live through these events instead, as a broken path prints them, and say what happens.
    #[arg(long, requires = "only")]
    path: Option<String>,
}

impl Explore {
    pub(crate) fn run(&self) -> ExitCode {
        match self.go() {
            Ok(()) => ExitCode::SUCCESS,
            Err((code, text)) => {
                eprintln!("{text}");
                ExitCode::from(code)
            }
        }
    }

    fn go(&self) -> Result<(), (u8, String)> {
        let names = || Small::ALL.iter().map(|small| small.name()).collect::<Vec<_>>().join(", ");
        let only = match &self.only {
            Some(name) => Some(
                Small::named(name)
                    .ok_or_else(|| (2, format!("there is no fleet `{name}`; there are {}", names())))?,
            ),
            None => None,
        };
        if let (Some(small), Some(path)) = (only, &self.path) {
            let events = path.split(';').map(str::trim).filter(|event| !event.is_empty());
            let events: Result<Vec<Event>, String> = events.map(str::parse).collect();
            println!("{}", repeat(small, &events.map_err(|text| (2, text))?).map_err(|text| (1, text))?);
            return Ok(());
        }
        let jobs = self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let bounds = Bounds {
            depth: self.depth,
            disturbances: self.disturbances,
            states: self.states,
            jobs,
            rest_one_in: self.rest_one_in,
        };
        let (mut states, mut steps, mut secs) = (0, 0, 0.0);
        for small in Small::ALL.iter().filter(|small| only.is_none_or(|only| only == **small)) {
            let sum = explore(*small, bounds)
                .map_err(|broken| (1, format!("{} breaks a promise:\n{broken}", small.name())))?;
            println!("{}: {sum}", small.name());
            (states, steps, secs) = (states + sum.states, steps + sum.steps, secs + sum.took.as_secs_f64());
        }
        println!(
            "{states} states, {steps} steps in {secs:.1} s with up to {} disturbances",
            self.disturbances
        );
        Ok(())
    }
}
