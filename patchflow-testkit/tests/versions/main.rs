//! The version orders against the real tools that define them: dpkg, rpm, libalpm, packaging, node-semver.
//!
//! Each scheme gets 100 000 generated pairs, most of them close relatives, since far ones are told apart by any order.
//! A tool that is missing makes its trials ignored, by name; with `PATCHFLOW_REQUIRE=all` they fail instead.

mod pairs;
mod tool;

use core::cmp::Ordering;
use libtest_mimic::{Arguments, Failed, Trial};
use patchflow_core::catalog::version::{NpmRange, Scheme};
use tool::Tool;

const PAIRS: usize = 100_000;

fn trial(name: &'static str, tool: Tool, check: fn(&Tool) -> Result<(), Failed>) -> Trial {
    let missing = tool.missing();
    let required = std::env::var("PATCHFLOW_REQUIRE").is_ok_and(|value| value == "all");
    let ignored = missing.is_some() && !required;
    Trial::test(name, move || match missing {
        Some(what) => Err(format!("{what} is missing, and PATCHFLOW_REQUIRE=all asks for it").into()),
        None => check(&tool),
    })
    .with_ignored_flag(ignored)
}

/// Both must take a pair, and then say the same.
fn agree(scheme: Scheme, seed: u64, tool: &Tool) -> Result<(), Failed> {
    let pairs = pairs::versions(scheme, seed, PAIRS);
    let answers = tool.ask(&pairs)?;
    let mut compared = 0;
    let mut wrong = Vec::new();
    for ((a, b), answer) in pairs.iter().zip(&answers) {
        let ours = scheme.compare(a, b).map(|order| order as i32);
        match (ours, answer.parse::<i32>()) {
            (Ok(ours), Ok(theirs)) => {
                compared += 1;
                if ours != theirs.signum() {
                    wrong.push(format!("{a} against {b}: ours {ours}, theirs {theirs}"));
                }
            }
            (Err(_), Err(_)) => {}
            (Ok(ours), Err(_)) => wrong.push(format!("{a} against {b}: ours {ours}, they say {answer}")),
            (Err(error), Ok(theirs)) => wrong.push(format!("{a} against {b}: {error}, theirs {theirs}")),
        }
    }
    if !wrong.is_empty() {
        return Err(format!(
            "{} of {} differ:\n{}",
            wrong.len(),
            pairs.len(),
            wrong[..wrong.len().min(20)].join("\n")
        )
        .into());
    }
    if compared < PAIRS * 9 / 10 {
        return Err(format!("only {compared} pairs were versions to both: the generator is at fault").into());
    }
    Ok(())
}

/// The command that people use, for fewer pairs: a process each.
fn agree_with_dpkg_itself(_: &Tool) -> Result<(), Failed> {
    for (a, b) in pairs::versions(Scheme::Deb, 77, 300) {
        let Ok(ours) = Scheme::Deb.compare(&a, &b) else { continue };
        let relation = match ours {
            Ordering::Less => "lt-nl",
            Ordering::Equal => "eq",
            Ordering::Greater => "gt-nl",
        };
        let status =
            std::process::Command::new("dpkg").args(["--compare-versions", &a, relation, &b]).status()?;
        if !status.success() {
            return Err(format!("dpkg does not say that {a} is {relation} {b}").into());
        }
    }
    Ok(())
}

fn agree_on_npm_ranges(tool: &Tool) -> Result<(), Failed> {
    let pairs = pairs::ranges(5, PAIRS);
    let answers = tool.ask(&pairs)?;
    let mut inside = 0;
    let mut wrong = Vec::new();
    for ((range, version), answer) in pairs.iter().zip(&answers) {
        let ours = range.parse::<NpmRange>().ok().and_then(|range| range.contains(version).ok());
        let theirs = match answer.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        inside += usize::from(ours == Some(true));
        if ours != theirs {
            wrong.push(format!("{version} in {range}: ours {ours:?}, they say {answer}"));
        }
    }
    if !wrong.is_empty() {
        return Err(format!(
            "{} of {} differ:\n{}",
            wrong.len(),
            pairs.len(),
            wrong[..wrong.len().min(20)].join("\n")
        )
        .into());
    }
    if !(PAIRS / 10..=PAIRS * 9 / 10).contains(&inside) {
        return Err(format!("{inside} of {PAIRS} are inside: the generator is at fault").into());
    }
    Ok(())
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("deb_as_dpkg", tool::dpkg(), |tool| agree(Scheme::Deb, 1, tool)),
        trial("deb_as_the_command_dpkg", tool::dpkg(), agree_with_dpkg_itself),
        trial("rpm_as_rpm", tool::rpm(), |tool| agree(Scheme::Rpm, 2, tool)),
        trial("arch_as_libalpm", tool::libalpm(), |tool| agree(Scheme::Arch, 3, tool)),
        trial("pep440_as_packaging", tool::packaging(), |tool| agree(Scheme::Pep440, 4, tool)),
        trial("semver_as_node", tool::node_semver(), |tool| agree(Scheme::Npm, 6, tool)),
        trial("npm_ranges_as_node", tool::node_ranges(), agree_on_npm_ranges),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}
