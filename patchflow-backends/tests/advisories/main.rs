//! Every reader over whole public databases.
//!
//! The folder that `PATCHFLOW_ADVISORIES` names holds them as `NAME.tar.xz`; each is unpacked into a temporary folder.
//! Where the variable or an archive is missing the tests are ignored by name. With `PATCHFLOW_NOTES=FILE` everything
//! that was told is appended to a file.

use libtest_mimic::{Arguments, Failed, Trial};
use patchflow_backends::advisory::{Collected, Feed, Limits, What, read_path};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A database, the folder within it, and what reading it must come to.
struct Base {
    archive: &'static str,
    folder: &'static str,
    /// At least so many records; a newer copy may have more.
    records_min: u64,
    /// Records that may be skipped, and what of the reasons they are skipped for.
    skipped: &'static [&'static str],
    /// What may be told of records that are kept in part.
    partly: &'static [&'static str],
}

const BASES: [Base; 7] = [
    Base { archive: "osv-almalinux", folder: "", records_min: 5_000, skipped: &[], partly: &[] },
    Base { archive: "osv-go", folder: "", records_min: 4_000, skipped: &[], partly: &[] },
    Base { archive: "osv-rustsec", folder: "", records_min: 1_000, skipped: &[], partly: &[] },
    Base {
        archive: "cve5",
        folder: "",
        records_min: 1_000,
        skipped: &[],
        partly: &[
            "it names only Git commits",
            // Sentences, models and editions where a version should stand.
            "cannot be read as a range of versions",
            "it names no product",
            "it names no version and no default status",
        ],
    },
    Base {
        archive: "csaf-cisa",
        folder: "",
        records_min: 90,
        skipped: &[],
        partly: &["cannot be read as a range of versions"],
    },
    Base { archive: "kev", folder: "kev", records_min: 1_400, skipped: &[], partly: &[] },
    // Published as YAML, which is passed over; converted to JSON it is read.
    Base {
        archive: "osv-pypa",
        folder: "",
        records_min: 0,
        skipped: &[],
        partly: &[
            "is not a version of the scheme pep440",
            "it names no version; taken as affecting every one",
        ],
    },
];

fn main() {
    let arguments = Arguments::from_args();
    let folder = std::env::var_os("PATCHFLOW_ADVISORIES").map(PathBuf::from);
    let mut trials = Vec::new();
    for base in &BASES {
        let archive = folder.as_ref().map(|folder| folder.join(format!("{}.tar.xz", base.archive)));
        let is_there = archive.as_ref().is_some_and(|archive| archive.is_file()) && can_unpack();
        let trial = Trial::test(format!("whole_{}", base.archive.replace('-', "_")), move || {
            archive.map_or(Ok(()), |archive| read_whole(base, &archive))
        });
        trials.push(trial.with_ignored_flag(!is_there));
    }
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/advisories/written");
    let schema =
        folder.as_ref().map(|folder| folder.join("osv-schema.tar.xz")).filter(|schema| schema.is_file());
    let is_there = schema.is_some() && can_unpack() && can_validate();
    let records = data.join("osv.jsonl");
    let trial = Trial::test("written_osv_follows_the_schema", move || match schema {
        Some(archive) => {
            let unpacked = unpack(&archive)?;
            validate(&unpacked.path().join("osv-schema/validation/schema.json"), &records)
        }
        None => Ok(()),
    });
    trials.push(trial.with_ignored_flag(!is_there));
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/windows-updates.schema.json");
    let trial = Trial::test("written_windows_updates_follow_their_schema", move || {
        validate(&schema, &data.join("windows.json"))
    });
    trials.push(trial.with_ignored_flag(!can_validate()));
    libtest_mimic::run(&arguments, trials).exit();
}

/// Archives are packed with xz, which no library that is linked here unpacks.
fn can_unpack() -> bool {
    let version =
        |tool: &str| Command::new(tool).arg("--version").output().is_ok_and(|out| out.status.success());
    version("tar") && version("xz")
}

/// JSON Schema is checked by Python's library, where it is there; one in Rust would be larger than the readers.
fn can_validate() -> bool {
    Command::new("python3").args(["-c", "import jsonschema"]).output().is_ok_and(|out| out.status.success())
}

/// Checks a document, or each line of one, against a schema.
fn validate(schema: &Path, document: &Path) -> Result<(), Failed> {
    const SCRIPT: &str = "
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
validator = jsonschema.validators.validator_for(schema)(schema)
text = open(sys.argv[2]).read()
documents = [json.loads(line) for line in text.splitlines()] if sys.argv[2].endswith('.jsonl') else [json.loads(text)]
for number, document in enumerate(documents, 1):
    for error in validator.iter_errors(document):
        print(number, list(error.path), error.message[:300])
";
    let out = Command::new("python3").args(["-c", SCRIPT]).arg(schema).arg(document).output()?;
    if out.status.success() && out.stdout.is_empty() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)).into())
}

fn unpack(archive: &Path) -> Result<tempfile::TempDir, Failed> {
    let unpacked = tempfile::tempdir()?;
    let status = Command::new("tar").arg("-xJf").arg(archive).arg("-C").arg(unpacked.path()).status()?;
    if status.success() {
        Ok(unpacked)
    } else {
        Err(format!("{} cannot be unpacked", archive.display()).into())
    }
}

fn read_whole(base: &Base, archive: &Path) -> Result<(), Failed> {
    let unpacked = unpack(archive)?;
    let feed = Feed::new(base.archive, "2026-11-21T00:00:00Z".parse()?);
    let mut read = Collected::default();
    let summary = read_path(&unpacked.path().join(base.folder), &feed, &Limits::default(), &mut read)?;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for note in &read.notes {
        // Names and numbers aside, so that alike ones are counted together.
        let plain: String = note.why.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        *kinds.entry(format!("{}: {plain}", note.what)).or_default() += 1;
    }
    if let Some(file) = std::env::var_os("PATCHFLOW_NOTES") {
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        writeln!(file, "## {}: {summary:?}", base.archive)?;
        for note in &read.notes {
            writeln!(file, "{note}")?;
        }
    }
    if summary.records < base.records_min || summary.untold > 0 {
        return Err(format!("{summary:?}").into());
    }
    for note in &read.notes {
        let allowed = match note.what {
            What::Skipped => base.skipped,
            What::Partly => base.partly,
            What::Again => &[],
        };
        if !allowed.iter().any(|why| note.why.contains(why)) {
            return Err(format!("unexpected: {note}\n{kinds:#?}").into());
        }
    }
    Ok(())
}
