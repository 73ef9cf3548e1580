//! What is installed here?

#![expect(clippy::print_stderr, reason = "a program for people at a terminal")]

use clap::{Args, Subcommand};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Inventory {
    #[command(subcommand)]
    of: Of,
}

#[derive(Subcommand, Debug)]
enum Of {
    /// Reads the package databases of this machine (dpkg, and rpm, pip and npm where they are there), and prints how much
    /// is installed; with --json one line of an inventory document. Exits with 1 when a database could not be read.
    Local(Local),
}

#[derive(Args, Debug)]
struct Local {
    /// Prints the endpoint as one line of JSON, as docs/inventory.md describes it.
    #[arg(long)]
    json: bool,
    /// Reads the updates that this machine's own archives offer too.
    #[arg(long)]
    updates: bool,
    /// What the endpoint is called; the host name unless given.
    #[arg(long)]
    id: Option<String>,
    /// The instant that counts as now, RFC 3339; the machine's clock unless given.
    #[arg(long)]
    now: Option<String>,
}

impl Inventory {
    pub(crate) fn run(&self) -> ExitCode {
        let Of::Local(local) = &self.of;
        match local.run() {
            Ok(code) => code,
            Err(message) => {
                eprintln!("{message}");
                ExitCode::from(2)
            }
        }
    }
}

#[cfg(not(unix))]
impl Local {
    fn run(&self) -> Result<ExitCode, String> {
        Err("package databases are read on Unix only".to_owned())
    }
}

#[cfg(unix)]
impl Local {
    fn run(&self) -> Result<ExitCode, String> {
        use patchflow_backends::inventory::{Machine, write_record};
        use patchflow_core::time::Timestamp;
        use std::time::{SystemTime, UNIX_EPOCH};

        let now = match &self.now {
            Some(text) => text.parse().map_err(|error| format!("--now {text}: {error}"))?,
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
        };
        let machine = Machine::local();
        let id = self.id.as_deref().map_or(machine.id.clone(), Into::into);
        let reading = Machine { id, updates: self.updates, ..machine }.read(now);
        for missing in &reading.unread {
            eprintln!("{} could not be read, its packages are missing: {}", missing.manager, missing.why);
        }
        if self.json {
            write_record(std::io::stdout().lock(), &reading.record).map_err(|error| error.to_string())?;
        } else {
            print(&reading.record, &reading.managers);
        }
        Ok(if reading.unread.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[cfg(unix)]
fn print(record: &patchflow_core::inventory::EndpointRecord, managers: &[&str]) {
    use std::collections::BTreeMap;

    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for software in &record.installed {
        *counts.entry(software.package.ecosystem.name()).or_default() += 1;
    }
    let os = if record.os.is_empty() { "an unknown operating system" } else { &record.os };
    println!(
        "{}: {os}, read through {}",
        record.id,
        if managers.is_empty() { "nothing".to_owned() } else { managers.join(", ") }
    );
    for (ecosystem, count) in counts {
        println!("{count:>7} {ecosystem}");
    }
    let count = |what: &dyn Fn(&patchflow_core::inventory::InstalledSoftware) -> bool| {
        record.installed.iter().filter(|software| what(software)).count()
    };
    println!("{:>7} not whole", count(&|software| !software.intact));
    println!("{:>7} held", count(&|software| software.held));
    if record.reboot_required {
        println!("it waits for a reboot");
    }
}
