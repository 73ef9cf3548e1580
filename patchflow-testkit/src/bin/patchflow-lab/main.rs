//! The laboratory at the command line: stories and simulations around a real fleet.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod explore;
mod install;
mod inventory;
mod match_;
mod scenario;
mod soak;
mod versions;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Stories and simulations around a real fleet.
#[derive(Parser, Debug)]
#[command(name = "patchflow-lab", version)]
struct Lab {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Reads an inventory.
    Inventory(inventory::Inventory),
    /// Says what is missing where: an inventory against advisories.
    Match(match_::Match),
    /// Lives through every history of small fleets, as far as a bound, and watches what must never happen.
    Explore(explore::Explore),
    /// Tells stories in plain text and checks what they expect.
    Scenario(scenario::Scenario),
    /// Runs simulations with faults, one for each seed, and watches what must never happen.
    Soak(soak::Soak),
    /// Says which of two versions is newer, by the rules of a package manager.
    Versions(versions::Versions),
}

fn main() -> ExitCode {
    match Lab::parse().what {
        What::Inventory(inventory) => inventory.run(),
        What::Match(asked) => asked.run(),
        What::Explore(explore) => explore.run(),
        What::Scenario(scenario) => scenario.run(),
        What::Soak(soak) => soak.run(),
        What::Versions(versions) => versions.run(),
    }
}
