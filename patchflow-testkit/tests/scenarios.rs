//! Every story in `tests/scenarios` is a test of its own; wrong files get their exact errors; and no story is told that
//! could not fail: each is told again with its expectations changed, and each time the change must be noticed.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use libtest_mimic::{Arguments, Failed, Trial};
use patchflow_testkit::scenario::{Outcome, run};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// The stories of a folder, by name.
fn stories(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "scenario"))
        .map(|path| (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), path))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{} holds no stories", folder.display());
    found
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A story holds, twice with the same trace, and begins as all of them do.
fn holds(path: &Path) -> Result<(), Failed> {
    let story = text(path);
    let head: Vec<&str> = story.lines().take(3).filter_map(|line| line.split(' ').next()).collect();
    if head != ["scenario", "why", "why"] {
        return Err("a story begins with its title and two lines that say why it matters".into());
    }
    let outcome = run(&story);
    if outcome.exit_code() != 0 {
        return Err(outcome.report(&path.display().to_string()).into());
    }
    if let (Outcome::Told(first), Outcome::Told(again)) = (&outcome, run(&story))
        && first.trace != again.trace
    {
        return Err("told twice, it went two ways".into());
    }
    Ok(())
}

/// Words whose exchange makes an expectation about a ring wrong.
const OF_RINGS: [(&str, &str); 8] = [
    (" all verified", " all reverting"),
    (" promoted", " pending"),
    (" halted", " pending"),
    (" skipped", " halted"),
    (" open", " halted"),
    (" settled", " promoted"),
    (" held", " promoted"),
    (" pending", " halted"),
];

/// The same for rollouts.
const OF_ROLLOUTS: [(&str, &str); 6] = [
    (" completed", " paused"),
    (" halted", " paused"),
    (" running", " cancelled"),
    (" cancelled", " running"),
    (" ended", " running"),
    (" paused", " running"),
];

/// The same for everything else.
const OF_OTHERS: [(&str, &str); 27] = [
    ("expect hold on ", "expect no hold on "),
    ("question to ", "question to somebody-else-than-"),
    (" attached", " reverting"),
    (" draining", " reverting"),
    (" ordered", " reverting"),
    (" rebooting", " reverting"),
    (" reboot_pending", " reverting"),
    (" rejected", " withdrawn"),
    (" not ", " "),
    (" verified", " reverting"),
    (" silent", " rebooting"),
    (" unknown", " rebooting"),
    (" failed", " rebooting"),
    (" rolled_back", " removed"),
    (" deferred", " reverting"),
    (" skipped", " reverting"),
    (" held", " reverting"),
    (" approved", " rejected"),
    (" superseded", " rejected"),
    (" withdrawn", " approved"),
    (" identified", " approved"),
    (" waiting_for_approval", " rejected"),
    (" running", " reverting"),
    (" waiting", " reverting"),
    (" backoff", " reverting"),
    (" needs_operator", " reverting"),
    ("expect no ", "expect "),
];

/// The line with its expectation made wrong, when a way to do that is known.
fn made_wrong(line: &str) -> Option<String> {
    let expectation = line.find("expect ")?;
    let (before, sentence) = line.split_at(expectation);
    if sentence.starts_with("expect refusal of:") {
        return Some(line.replacen(
            "expect refusal of:",
            "expect refusal contains \"nobody says this\" of:",
            1,
        ));
    }
    if sentence.starts_with("expect refusal") {
        return Some(line.replacen("contains \"", "contains \"nobody says this: ", 1));
    }
    // What never happens does not happen in other words either.
    if let Some(rest) = sentence.strip_prefix("expect never") {
        return Some(format!("{before}expect always{rest}"));
    }
    if let Some(rest) = sentence.strip_prefix("expect always") {
        return Some(format!("{before}expect never{rest}"));
    }
    if sentence.starts_with("expect within") {
        let (span, _) = sentence.split_once(": ")?;
        return Some(format!("{before}{span}: fact that_nobody_knows"));
    }
    if let Some((first, then)) = sentence.split_once(" before ") {
        let first = first.strip_prefix("expect ")?;
        return Some(format!("{before}expect {then} before {first}"));
    }
    // At one moment; over a span it is `always` that turns to `never`.
    if let Some(rest) = sentence.strip_prefix("expect at most ") {
        let (_, rest) = rest.split_once(' ')?;
        return Some(format!("{before}expect at least 4999 {rest}"));
    }
    if let Some((of, _)) = sentence.rsplit_once(": at ") {
        return Some(format!("{before}{of}: at least 4999"));
    }
    for has in [" has ", " have "] {
        if let Some((who, what)) = sentence.split_once(has) {
            return Some(match what.split_once('=') {
                Some((package, _)) => format!("{before}{who}{has}{package}=4999"),
                None => format!("{before}{who} has 4999 endpoints"),
            });
        }
    }
    if let Some((who, package)) = sentence.split_once(" lacks ") {
        return Some(format!("{before}{who} has {package}=4999"));
    }
    if let Some(colon) = sentence.rfind(": ") {
        let rest = &sentence[colon + 2..];
        // `orders to e1: 3`, `counts: verified 3, failed 1`: one more than there are.
        let digits = rest.find(|c: char| c.is_ascii_digit());
        let counted = sentence.contains("counts") || rest.chars().all(|c| c.is_ascii_digit());
        if let (Some(digits), true) = (digits, counted) {
            let number: String = rest[digits..].chars().take_while(char::is_ascii_digit).collect();
            let more = number.parse::<u32>().ok()? + 1;
            let after = &rest[digits + number.len()..];
            return Some(format!("{before}{}: {}{more}{after}", &sentence[..colon], &rest[..digits]));
        }
    }
    if sentence.starts_with("expect no rollout") || sentence.starts_with("expect no trial") {
        return Some(format!("{before}{} running", sentence.replacen("no ", "", 1)));
    }
    if sentence.contains("contains \"") && !sentence.starts_with("expect no ") {
        return Some(line.replacen("contains \"", "contains \"nobody says this: ", 1));
    }
    if let Some((ring, _)) = sentence.split_once(" holds ") {
        return Some(format!("{before}{ring} has 4999 endpoints"));
    }
    let has = |word: &str| sentence.split(' ').any(|other| other == word);
    let table: &[(&str, &str)] = match () {
        () if has("ring") => &OF_RINGS,
        () if has("rollout") || has("trial") => &OF_ROLLOUTS,
        () => &OF_OTHERS,
    };
    if (has("fact") || has("notice")) && !has("no") {
        return Some(format!("{line}: 4999"));
    }
    let (old, new) = table.iter().find(|(old, _)| sentence.contains(old))?;
    Some(format!("{before}{}", sentence.replacen(old, new, 1)))
}

/// Changes one expectation after the other; the story must fail each time, and on that line.
fn can_fail(path: &Path) -> Result<(), Failed> {
    let story = text(path);
    let lines: Vec<&str> = story.lines().collect();
    let mut changed = 0;
    let mut unchanged = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some(wrong) = made_wrong(line) else {
            if line.contains("expect ") && !line.trim_start().starts_with('#') {
                unchanged.push(format!("no way is known to make line {} wrong: `{}`", i + 1, line.trim()));
            }
            continue;
        };
        changed += 1;
        let mut lines = lines.clone();
        lines[i] = &wrong;
        match run(&lines.join("\n")) {
            Outcome::Told(told) => {
                let number = u32::try_from(i + 1).unwrap_or(0);
                if !told.differences.iter().any(|difference| difference.place.line == number) {
                    return Err(format!("line {number} cannot fail: `{}` holds as well", wrong.trim()).into());
                }
            }
            Outcome::Wrong(found) => {
                return Err(format!("`{}` cannot be read: {}", wrong.trim(), found[0]).into());
            }
        }
    }
    if changed == 0 {
        unchanged.push("it expects nothing".into());
    }
    if unchanged.is_empty() { Ok(()) } else { Err(unchanged.join("\n").into()) }
}

/// The story that the page on the language shows.
fn the_page_is_right() -> Result<(), Failed> {
    let page = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios.md"));
    let mut shown =
        page.split("```scenario\n").skip(1).filter_map(|rest| rest.split("```").next()).peekable();
    if shown.peek().is_none() {
        return Err("docs/scenarios.md shows no story".into());
    }
    for story in shown {
        let outcome = run(story);
        if outcome.exit_code() != 0 {
            return Err(outcome.report("docs/scenarios.md").into());
        }
    }
    Ok(())
}

/// A file with its expected report beside it; `PATCHFLOW_BLESS=1` writes the report anew.
fn reports(path: &Path, code: u8) -> Result<(), Failed> {
    let outcome = run(&text(path));
    if outcome.exit_code() != code {
        return Err(format!("exit code {} instead of {code}", outcome.exit_code()).into());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let report = outcome.report(&name);
    let golden = path.with_extension("expected");
    if std::env::var_os("PATCHFLOW_BLESS").is_some() {
        return std::fs::write(&golden, report).map_err(|error| error.to_string().into());
    }
    let expected = text(&golden);
    if report == expected { Ok(()) } else { Err(format!("it says\n{report}\ninstead of\n{expected}").into()) }
}

fn main() {
    let mut trials = Vec::new();
    for (name, path) in stories(&folder()) {
        let again = path.clone();
        trials.push(Trial::test(name.clone(), move || holds(&path)));
        trials.push(Trial::test(format!("{name}::can_fail"), move || can_fail(&again)));
    }
    for (name, path) in stories(&folder().join("wrong")) {
        trials.push(Trial::test(format!("wrong::{name}"), move || reports(&path, 2)));
    }
    for (name, path) in stories(&folder().join("untrue")) {
        trials.push(Trial::test(format!("untrue::{name}"), move || reports(&path, 1)));
    }
    trials.push(Trial::test("the_page_is_right", the_page_is_right));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
