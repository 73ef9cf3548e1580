//! What is missing where?

#![expect(clippy::print_stderr, reason = "a program for people at a terminal")]

use crate::install::Installs;
use clap::Args;
use patchflow_backends::advisory::{Collected, Feed, Limits, read_ends, read_path};
use patchflow_backends::inventory::read_document;
use patchflow_core::catalog::{Advisory, Authorities, Fix, Patch, Product, merge};
use patchflow_core::identify::{AdvisoryIndex, AdvisoryIx, Matches, Missing, Rates, Survey};
use patchflow_core::inventory::{EndOfLife, EndpointRecord, EndpointView, InventoryIndex};
use patchflow_core::package::Platform;
use patchflow_core::risk::{Catalogues, DueLimits, Priority, RiskRules};
use patchflow_core::time::Timestamp;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// So many complaints of one kind are printed; the others are counted.
const TOLD_MAX: usize = 10;
/// So many names of advisories stand in a line for people.
const NAMES_MAX: usize = 5;

/// Matches an inventory against advisories, and prints for each endpoint the missing patches, the most urgent first.
/// What could not be read is told on the standard error. Exits with 2 when the inventory or an advisory source could not be
/// read at all.
#[derive(Args, Debug)]
pub(crate) struct Match {
    /// An inventory document, one endpoint a line, as docs/inventory.md describes it.
    #[arg(long)]
    inventory: PathBuf,
    /// Advisories: files, zip archives or folders of any format that is read. A source is called by the name of its file.
    #[arg(long, num_args = 1.., required = true)]
    advisories: Vec<PathBuf>,
    /// Patches that could be installed: files, archives or folders of patches (docs/feeds.md), of updateinfo or of updates of
    /// Windows. Says then what to install on each endpoint, in which order, and what replaces or keeps out what.
    #[arg(long, num_args = 1..)]
    patches: Vec<PathBuf>,
    /// Platforms whose support ends: a JSON list of `{"platform", "since", "mitigation"}`, as docs/feeds.md describes it.
    #[arg(long)]
    end_of_life: Option<PathBuf>,
    /// The platform of advisories that do not name one themselves, such as `almalinux 9`.
    #[arg(long)]
    platform: Option<String>,
    /// The instant that counts as now, RFC 3339; the machine's clock unless given.
    #[arg(long)]
    now: Option<String>,
    /// Prints a line of JSON for each piece of software that misses a patch, and with `--patches` one with `install` for each
    /// endpoint where something is to be installed or waits.
    #[arg(long)]
    json: bool,
}

impl Match {
    pub(crate) fn run(&self) -> ExitCode {
        match self.tell() {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                eprintln!("{message}");
                ExitCode::from(2)
            }
        }
    }

    fn tell(&self) -> Result<(), String> {
        let now = match &self.now {
            Some(text) => text.parse().map_err(|error| format!("--now {text}: {error}"))?,
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
        };
        let (inventory, records) = self.read_inventory()?;
        let Feeds { advisories, catalogues, told, mut patches } = self.read_advisories(now)?;
        for path in &self.patches {
            patches.append(&mut self.read_feed("--patches", path, now)?.patches);
        }
        let installs = (!self.patches.is_empty()).then(|| Installs::new(records, told, patches));
        let matches = Matches::of(&inventory, &advisories);
        let (rules, limits) = (RiskRules::default(), DueLimits::default());
        let ends = self.read_ends()?;
        let rates = Rates { rules: &rules, limits: &limits, catalogues, ends: &ends, now };
        let out = BufWriter::new(io::stdout().lock());
        let desk = Desk { inventory: &inventory, advisories: &advisories, installs: installs.as_ref(), out };
        match desk.print(&matches, &rates, self.json) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            told => told.map_err(|error| format!("the standard output: {error}")),
        }
    }

    fn read_ends(&self) -> Result<Vec<EndOfLife>, String> {
        let Some(file) = &self.end_of_life else { return Ok(Vec::new()) };
        let told = |error: String| format!("--end-of-life {}: {error}", file.display());
        let text = std::fs::read(file).map_err(|error| told(error.to_string()))?;
        read_ends(&text).map_err(|error| told(error.to_string()))
    }

    /// The records as well, where they are asked for again.
    fn read_inventory(&self) -> Result<(InventoryIndex, Vec<EndpointRecord>), String> {
        let path = self.inventory.display();
        let file = File::open(&self.inventory).map_err(|error| format!("--inventory {path}: {error}"))?;
        let (mut inventory, mut records) = (InventoryIndex::new(), Vec::new());
        let mut bad = Complaints::default();
        let each = |record| {
            inventory.put(&record);
            if !self.patches.is_empty() {
                records.push(record);
            }
        };
        let read = read_document(BufReader::new(file), each, |line| bad.tell(&format!("{path}: {line}")))
            .map_err(|error| format!("--inventory {path}: {error}"))?;
        bad.end("lines of the inventory");
        eprintln!("{path}: {} endpoints, {} lines skipped", read.endpoints, read.skipped);
        if read.endpoints == 0 && read.skipped > 0 {
            return Err(format!("--inventory {path}: no line of it is an endpoint"));
        }
        Ok((inventory, records))
    }

    /// Reads a feed and tells what could not be read.
    fn read_feed(&self, of: &str, path: &Path, now: Timestamp) -> Result<Collected, String> {
        let mut feed = Feed::new(name_of(path), now);
        if let Some(platform) = &self.platform {
            feed = feed.on(Platform::named(platform));
        }
        let mut read = Collected::default();
        let summary = read_path(path, &feed, &Limits::default(), &mut read)
            .map_err(|error| format!("{of} {}: {error}", path.display()))?;
        let mut notes = Complaints::default();
        read.notes.iter().for_each(|note| notes.tell(note));
        notes.end("records");
        eprintln!(
            "{}: {} advisories and {} patches of {} records in {} files; {} records skipped, {} kept in part, {} files of no known format",
            path.display(),
            summary.advisories,
            summary.patches,
            summary.records,
            summary.files,
            summary.skipped,
            summary.partly,
            summary.passed_over
        );
        Ok(read)
    }

    fn read_advisories(&self, now: Timestamp) -> Result<Feeds, String> {
        let (mut records, mut patches): (Vec<Advisory>, Vec<Patch>) = (Vec::new(), Vec::new());
        for path in &self.advisories {
            let mut read = self.read_feed("--advisories", path, now)?;
            records.append(&mut read.advisories);
            patches.append(&mut read.patches);
        }
        let told = if self.patches.is_empty() { Vec::new() } else { records.clone() };
        let known_exploited = records.iter().any(|advisory| advisory.exploited.is_some());
        let merged = merge(records, &Authorities::default());
        let mut findings = Complaints::default();
        merged.findings.iter().for_each(|finding| findings.tell(finding));
        findings.end("contradictions");
        let mut advisories = AdvisoryIndex::new();
        for merged in merged.advisories {
            advisories.put(merged.advisory);
        }
        Ok(Feeds { advisories, catalogues: Catalogues { known_exploited }, told, patches })
    }
}

/// What the sources of advisories say.
struct Feeds {
    /// After merging.
    advisories: AdvisoryIndex,
    catalogues: Catalogues,
    /// As they were read, where they are asked for again.
    told: Vec<Advisory>,
    patches: Vec<Patch>,
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The first complaints of a kind in full, of the others how many.
#[derive(Default)]
struct Complaints(usize);

impl Complaints {
    fn tell(&mut self, what: &impl std::fmt::Display) {
        self.0 += 1;
        if self.0 <= TOLD_MAX {
            eprintln!("{what}");
        }
    }

    fn end(&self, of_what: &str) {
        if let Some(more @ 1..) = self.0.checked_sub(TOLD_MAX) {
            eprintln!("and {more} more such {of_what}");
        }
    }
}

/// One piece of software that misses a patch, as JSON.
#[derive(Serialize)]
struct Line<'a> {
    endpoint: &'a str,
    package: String,
    installed: &'a str,
    /// A version, or the name of an update; nothing when none is named.
    fix: Option<&'a str>,
    /// The source whose versions `installed` and `fix` are.
    source: Option<&'a str>,
    advisories: Vec<&'a str>,
    unrepaired: Vec<&'a str>,
    mitigations: &'a [String],
    /// Since when its platform gets no repairs any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsupported_since: Option<Timestamp>,
    priority: Priority,
    exposed_since: Timestamp,
    clock_started: Timestamp,
    due: Option<Timestamp>,
    why: &'a str,
}

struct Desk<'a, W: Write> {
    inventory: &'a InventoryIndex,
    advisories: &'a AdvisoryIndex,
    installs: Option<&'a Installs>,
    out: W,
}

impl<W: Write> Desk<'_, W> {
    fn print(mut self, matches: &Matches, rates: &Rates<'_>, json: bool) -> io::Result<()> {
        let mut endpoints: Vec<_> = self.inventory.endpoints().collect();
        endpoints.sort_by(|a, b| a.id().cmp(b.id()));
        let mut survey = Survey::new(matches, self.inventory, self.advisories, *rates);
        for endpoint in endpoints {
            let missing = survey.missing(endpoint.ix());
            if !json {
                let os = if endpoint.os().is_empty() { "an unknown operating system" } else { endpoint.os() };
                let count = missing.len();
                writeln!(
                    self.out,
                    "{} ({os}): {count} of {} packages are hit",
                    endpoint.id(),
                    endpoint.software_len()
                )?;
            }
            if let Some(end) =
                missing.iter().find_map(|missing| missing.end_of_life.as_ref()).filter(|_| !json)
            {
                let open = missing.iter().filter(|missing| !missing.can_be_patched()).count();
                writeln!(
                    self.out,
                    "  {} gets no repairs since {}; {open} of them cannot be patched: {}",
                    end.platform, end.since, end.mitigation
                )?;
            }
            for missing in &missing {
                let Some(line) = line(self.inventory, self.advisories, endpoint, missing) else { continue };
                if json {
                    serde_json::to_writer(&mut self.out, &line)?;
                    writeln!(self.out)?;
                } else {
                    line.print(&mut self.out)?;
                }
            }
            if let Some(install) = self.installs.and_then(|installs| installs.on(endpoint.id())) {
                if json {
                    serde_json::to_writer(&mut self.out, &install)?;
                    writeln!(self.out)?;
                } else {
                    install.print(&mut self.out)?;
                }
            }
        }
        self.out.flush()
    }
}

fn line<'a>(
    inventory: &'a InventoryIndex,
    advisories: &'a AdvisoryIndex,
    endpoint: EndpointView<'a>,
    missing: &'a Missing,
) -> Option<Line<'a>> {
    let software = inventory.software(missing.software)?.software;
    let names = |all: &mut dyn Iterator<Item = AdvisoryIx>| -> Vec<&'a str> {
        all.filter_map(|ix| advisories.get(ix)).map(|advisory| &*advisory.id).collect()
    };
    let decided =
        missing.hits.iter().filter_map(|hit| hit.affected(advisories)).find(|a| a.fix == missing.fix);
    let of_source = decided.is_some_and(|a| matches!(a.product, Product::Package { of_source: true, .. }));
    let source = software.built_from.as_ref().filter(|_| of_source);
    let assessment = &missing.rating.assessment;
    Some(Line {
        endpoint: endpoint.id().as_str(),
        package: software.package.to_string(),
        installed: source.map_or(&software.version, |source| &source.version),
        fix: match &missing.fix {
            Fix::From(version) => Some(version.as_str()),
            Fix::By(update) => Some(update),
            Fix::Never | Fix::NotNamed => None,
        },
        source: source.map(|source| source.name.as_str()),
        advisories: names(&mut missing.hits.iter().map(|hit| hit.advisory)),
        unrepaired: names(&mut missing.unrepaired.iter().copied()),
        mitigations: &missing.mitigations,
        unsupported_since: missing.end_of_life.as_ref().map(|end| end.since),
        priority: assessment.priority,
        exposed_since: assessment.exposed_since,
        clock_started: assessment.clock_started,
        due: assessment.due,
        why: &assessment.why,
    })
}

impl Line<'_> {
    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let fix = self.fix.unwrap_or("no fix is named");
        write!(out, "  {:<8} {} {} -> {fix}", self.priority, self.package, self.installed)?;
        if let Some(source) = self.source {
            write!(out, " (versions of its source {source})")?;
        }
        match self.due {
            Some(due) => writeln!(out, ", due {due}")?,
            None => writeln!(out, ", no due date")?,
        }
        writeln!(out, "           {}", some_of(&self.advisories))?;
        if !self.unrepaired.is_empty() && self.fix.is_some() {
            writeln!(out, "           not repaired by it: {}", some_of(&self.unrepaired))?;
        }
        for mitigation in self.mitigations {
            writeln!(out, "           instead: {mitigation}")?;
        }
        writeln!(out, "           {}", self.why)
    }
}

fn some_of(names: &[&str]) -> String {
    match names.len().checked_sub(NAMES_MAX) {
        Some(more @ 1..) => format!("{} and {more} more", names[..NAMES_MAX].join(", ")),
        Some(0) | None => names.join(", "),
    }
}
