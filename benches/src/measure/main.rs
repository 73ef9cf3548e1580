//! Prints the tables of `benches/README.md`.
//!
//! `cargo measure [SECTION..] [--endpoints N] [--runs N] [--folder DIR]`; sections: `observe`, `replay`, `plan`,
//! `store`, `many`, `inventory`, `inventory-worst`, `match`, `identify`, `cost`. The folder is where stores are made, on the disk that is to be measured, and where the plot of
//! `cost` goes; the current one unless given.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this program's purpose is a printed table")]

mod cost;
mod identify;
mod inventory;
mod many;
mod matching;
mod observe;
mod plan;
mod plot;
mod replay;
mod store;
mod stores;

use patchflow_benches::{Names, Sharing};
use std::path::PathBuf;
use std::process::ExitCode;

/// What was asked for on the command line.
struct Options {
    sections: Vec<String>,
    endpoints: u32,
    runs: usize,
    folder: PathBuf,
}

const SECTIONS: [&str; 10] = [
    "observe",
    "replay",
    "plan",
    "store",
    "many",
    "inventory",
    "inventory-worst",
    "match",
    "identify",
    "cost",
];

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options =
            Self { sections: Vec::new(), endpoints: 1_000_000, runs: 5, folder: PathBuf::from(".") };
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let value = arguments.next().ok_or(format!("{argument} wants a number"))?;
                value.replace('_', "").parse::<u32>().map_err(|error| format!("{argument} {value}: {error}"))
            };
            match argument.as_str() {
                "--endpoints" => options.endpoints = number()?.max(1),
                "--runs" => options.runs = number()?.max(1) as usize,
                "--folder" => options.folder = arguments.next().ok_or("--folder wants a folder")?.into(),
                section if SECTIONS.contains(&section) => options.sections.push(argument),
                other => return Err(format!("`{other}` is none of {}", SECTIONS.join(", "))),
            }
        }
        if options.sections.is_empty() {
            options.sections = SECTIONS.map(str::to_owned).into();
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let names = Names::new(options.endpoints);
    for section in &options.sections {
        match section.as_str() {
            "observe" => observe::run(&names, options.runs),
            "replay" => replay::run(&names, options.runs),
            "plan" => plan::run(&names, options.runs),
            "many" => many::run(&Names::new(options.endpoints.min(100_000))),
            "inventory" => inventory::run(options.endpoints, Sharing::Images),
            "inventory-worst" => inventory::run(options.endpoints, Sharing::None),
            "match" => matching::run(options.endpoints, options.runs),
            "identify" => identify::run(options.endpoints.min(10_000)),
            "cost" => cost::run(options.endpoints, options.runs, &options.folder),
            _ => store::run(&options.folder, options.runs),
        }
    }
    ExitCode::SUCCESS
}

/// A number of things a second, in millions.
fn millions(per_second: f64) -> String {
    format!("{:.2} M/s", per_second / 1e6)
}
