//! Scores of real records: every published score that stands beside a vector is computed again.
//!
//! The folder that `PATCHFLOW_ADVISORIES` names holds records as `NAME.tar.xz`; where it is not set the trials are ignored
//! by name.

#![expect(clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "the counts are shown by those who ask for the output of tests")]

use libtest_mimic::{Arguments, Failed, Trial};
use patchflow_core::risk::{CvssVersion, Vector};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that is removed in the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn unpack(archive: &Path) -> Scratch {
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = std::env::temp_dir().join(format!("patchflow-records-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let scratch = Scratch(folder);
    let status = Command::new("tar").arg("-xJf").arg(archive).arg("-C").arg(&scratch.0).status();
    assert!(status.is_ok_and(|status| status.success()), "tar cannot unpack {}", archive.display());
    scratch
}

fn documents(folder: &Path, each: &mut dyn FnMut(&Path, &Value)) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            documents(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "json")
            && let Ok(text) = std::fs::read(&path)
            && let Ok(document) = serde_json::from_slice(&text)
        {
            each(&path, &document);
        }
    }
}

/// Every object with a vector in a document.
fn scored<'a>(value: &'a Value, found: &mut Vec<&'a serde_json::Map<String, Value>>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("vectorString") {
                found.push(fields);
            }
            fields.values().for_each(|value| scored(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| scored(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// How many scores of each version agreed; fails with those that did not and are not explained.
fn scores(archive: &Path) -> Result<(), Failed> {
    let scratch = unpack(archive);
    let mut agreed: BTreeMap<CvssVersion, u32> = BTreeMap::new();
    let (mut differing, mut unread, mut explained) = (Vec::new(), Vec::new(), BTreeMap::<&str, u32>::new());
    documents(&scratch.0, &mut |path, document| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let mut found = Vec::new();
        scored(document, &mut found);
        for fields in found {
            let text = fields["vectorString"].as_str().unwrap_or_default();
            let vector: Vector = match text.parse() {
                Ok(vector) => vector,
                Err(bad) => {
                    unread.push(format!("{file}: {bad}"));
                    continue;
                }
            };
            let tenths = |name: &str| {
                // Some publishers write numbers as texts.
                let said = fields.get(name)?;
                let said = said.as_f64().or_else(|| said.as_str()?.parse().ok())?;
                Some((said * 10.0).round() as u8)
            };
            let ours = [
                ("baseScore", Some(vector.base_score())),
                ("temporalScore", vector.temporal_score()),
                ("environmentalScore", vector.environmental_score()),
            ];
            for (name, ours) in ours {
                let (Some(theirs), Some(ours)) = (tenths(name), ours) else { continue };
                if ours.tenths() == theirs {
                    *agreed.entry(vector.version()).or_default() += 1;
                } else if let Some(why) = explanation(&vector, theirs) {
                    *explained.entry(why).or_default() += 1;
                } else {
                    differing.push(format!("{file}: {name} {theirs} is {} for {text}", ours.tenths()));
                }
            }
        }
    });
    eprintln!("{}: agreed {agreed:?}, explained {explained:?}, not vectors {unread:?}", archive.display());
    if differing.is_empty() && !agreed.is_empty() {
        return Ok(());
    }
    Err(differing.join("\n").into())
}

/// Why a published base score is not the base score of its vector.
fn explanation(vector: &Vector, theirs: u8) -> Option<&'static str> {
    if vector.score().tenths() == theirs {
        return Some("the score of all metrics stands as the base score");
    }
    // "Medium" changes no weight, but makes it the equation of the environment, which has another power in 3.1.
    let environment = format!("{vector}/CR:M").parse::<Vector>().ok()?.environmental_score()?;
    (environment.tenths() == theirs)
        .then_some("the base score was computed by the equation of the environment")
}

fn main() {
    let arguments = Arguments::from_args();
    let folder = std::env::var_os("PATCHFLOW_ADVISORIES").map(PathBuf::from);
    let trials = ["cve5", "csaf-cisa"].map(|name| {
        let archive = folder.as_ref().map(|folder| folder.join(format!("{name}.tar.xz")));
        let absent = archive.is_none();
        let test = move || scores(&archive.unwrap_or_default());
        Trial::test(format!("published_scores_of_{name}_agree"), test).with_ignored_flag(absent)
    });
    libtest_mimic::run(&arguments, trials.into()).exit();
}
