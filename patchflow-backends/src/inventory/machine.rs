//! The machine this runs on, read through the package managers that are there.

use super::managers;
use crate::apt::AptHost;
use crate::local::CommandRunner;
use patchflow_core::ids::EndpointId;
use patchflow_core::inventory::{EndpointRecord, InstalledSoftware};
use patchflow_core::rollout::Failure;
use patchflow_core::time::Timestamp;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// This machine, or a folder with a dpkg database that is read as if it were one.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What it is called.
    pub id: EndpointId,
    /// Its file system.
    pub root: PathBuf,
    /// Whether the updates that its own archives offer are read too, which takes apt some seconds.
    pub updates: bool,
    /// Whether rpm, pip and npm are asked beside dpkg. They always speak of the machine this runs on.
    pub others: bool,
    /// How commands are run.
    pub runner: CommandRunner,
}

/// A package manager that could not be read; its packages are missing from the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Which: `dpkg`, `apt`, `rpm`, `pip`, `npm`.
    pub manager: &'static str,
    /// What it said.
    pub why: String,
}

/// What was read of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The endpoint.
    pub record: EndpointRecord,
    /// What is missing in it. A package manager that is not installed is none of it.
    pub unread: Vec<Unread>,
    /// The package managers that were there.
    pub managers: Vec<&'static str>,
}

impl Machine {
    /// The machine this runs on, under its host name.
    #[must_use]
    pub fn local() -> Self {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = if name.trim().is_empty() { "localhost" } else { name.trim() };
        // An inventory has some megabytes, and the last of an output is kept.
        let runner = CommandRunner {
            output_bytes_max: 64 << 20,
            timeout: Duration::from_secs(120),
            env: vec![("LC_ALL".into(), "C.UTF-8".into())],
            ..CommandRunner::default()
        };
        Self { id: name.into(), root: PathBuf::from("/"), updates: false, others: true, runner }
    }

    /// Reads it.
    #[must_use]
    pub fn read(&self, now: Timestamp) -> Reading {
        let mut reading = Reading {
            record: EndpointRecord::new(self.id.clone(), Default::default(), now),
            unread: Vec::new(),
            managers: Vec::new(),
        };
        self.read_dpkg(now, &mut reading);
        if self.others {
            let rpm = ["rpm", "-qa", "--qf", managers::RPM_FORMAT];
            self.ask("rpm", &rpm, true, &mut reading, |output| {
                Ok(managers::rpm(&String::from_utf8_lossy(output)))
            });
            let pip = [
                "python3",
                "-m",
                "pip",
                "list",
                "--verbose",
                "--format",
                "json",
                "--disable-pip-version-check",
            ];
            self.ask("pip", &pip, true, &mut reading, |output| {
                managers::pip(output).map_err(|error| error.to_string())
            });
            // npm ends with 1 when a package misses a wish of another, and has printed everything all the same.
            let npm = ["npm", "ls", "--global", "--all", "--json"];
            self.ask("npm", &npm, false, &mut reading, |output| {
                managers::npm(output).map_err(|error| error.to_string())
            });
        }
        reading.record.installed.sort();
        reading.record.installed.dedup();
        reading
    }

    fn read_dpkg(&self, now: Timestamp, reading: &mut Reading) {
        let mut env: Vec<(OsString, OsString)> = Vec::new();
        if self.root.as_os_str() != "/" {
            env.push(("DPKG_ROOT".into(), self.root.clone().into()));
            env.push(("DPKG_ADMINDIR".into(), self.root.join("var/lib/dpkg").into()));
        }
        let mut host =
            AptHost::isolated(self.id.clone(), &self.root, env, self.root.join("var/lib/patchflow"));
        host.refresh = false;
        reading.record.os = host.os();
        reading.record.fingerprint = host.machine_id();
        reading.record.reboot_required = host.root.join("run/reboot-required").exists();
        if !host.admin_dir.join("status").exists() {
            return;
        }
        reading.managers.push("dpkg");
        let mut missing = |manager, failure: Failure<'_>| {
            reading.unread.push(Unread { manager, why: failure.detail.to_string() })
        };
        match self.updates {
            true => match host.read_record(now) {
                Ok(record) => reading.record = record,
                Err(failure) => {
                    missing("apt", failure);
                    match host.installed() {
                        Ok(installed) => reading.record.installed = installed,
                        Err(failure) => missing("dpkg", failure),
                    }
                }
            },
            false => match host.installed() {
                Ok(installed) => reading.record.installed = installed,
                Err(failure) => missing("dpkg", failure),
            },
        }
    }

    fn ask(
        &self,
        manager: &'static str,
        argv: &[&str],
        must_succeed: bool,
        reading: &mut Reading,
        read: impl FnOnce(&[u8]) -> Result<Vec<InstalledSoftware>, String>,
    ) {
        let why = match self.runner.run(argv) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => return,
            Err(error) => format!("{error}: {}", error.source),
            Ok(ran) if ran.stderr_text().contains("No module named pip") => return,
            Ok(ran) if ran.timed_out => "it took too long".to_owned(),
            Ok(ran) if must_succeed && !ran.succeeded() => {
                let said = ran.stderr_text();
                format!("it ended with {:?}: {}", ran.code, said.lines().last().unwrap_or_default())
            }
            Ok(ran) => match read(&ran.stdout) {
                Ok(installed) => {
                    reading.managers.push(manager);
                    reading.record.installed.extend(installed);
                    return;
                }
                Err(why) => format!("what it printed cannot be read: {why}"),
            },
        };
        reading.unread.push(Unread { manager, why });
    }
}
