//! `patchflow-lab scenario`: stories in plain text, told and checked.

use clap::{Args, Subcommand};
use patchflow_testkit::scenario;
use std::path::PathBuf;
use std::process::ExitCode;

/// Stories in plain text.
#[derive(Args, Debug)]
pub(crate) struct Scenario {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Tells stories and checks what they expect. Ends with 0 when all of it holds, 1 when something does not, 2 when a
    /// file is wrong.
    Run(Run),
}

#[derive(Args, Debug)]
struct Run {
    /// The files; `docs/scenarios.md` describes them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Prints differences, final state and timeline as JSON, one object a file.
    #[arg(long)]
    json: bool,
    /// Prints everything that happened, before the outcome.
    #[arg(long, conflicts_with = "json")]
    timeline: bool,
}

impl Scenario {
    pub(crate) fn run(&self) -> ExitCode {
        let What::Run(run) = &self.what;
        let mut worst = 0;
        for file in &run.files {
            worst = worst.max(run.tell(file));
        }
        ExitCode::from(worst)
    }
}

impl Run {
    fn tell(&self, file: &std::path::Path) -> u8 {
        let name = file.display().to_string();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                eprintln!("{name}: cannot be read: {error}");
                return 2;
            }
        };
        let outcome = scenario::run(&text);
        if self.json {
            println!("{}", outcome.json(&name));
            return outcome.exit_code();
        }
        if let (true, scenario::Outcome::Told(told)) = (self.timeline, &outcome) {
            for line in &told.timeline {
                println!("{line}");
            }
        }
        if outcome.exit_code() == 0 {
            print!("{}", outcome.report(&name));
        } else {
            eprint!("{}", outcome.report(&name));
        }
        outcome.exit_code()
    }
}
