//! `patchflow-lab soak`: simulations with faults.

use clap::Args;
use std::process::ExitCode;

/// Which seeds to run.
#[derive(Args, Debug)]
pub(crate) struct Soak {
    /// How many seeds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
}

impl Soak {
    pub(crate) fn run(&self) -> ExitCode {
        println!("{} seeds from {}", self.seeds, self.from);
        ExitCode::SUCCESS
    }
}
