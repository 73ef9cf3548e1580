//! The main job, killed at many moments and started again: it goes on where it was, and nothing is installed twice.
//!
//! Trials whose tools are missing on this machine are ignored by name; with `PATCHFLOW_REQUIRE=all` they run, and fail.
//! `PATCHFLOW_KILLS` sets how often a process is killed (8 unless set), `PATCHFLOW_SEED` when.

#[cfg(unix)]
fn main() {
    let arguments = libtest_mimic::Arguments::from_args();
    let all_required = std::env::var("PATCHFLOW_REQUIRE").is_ok_and(|required| required == "all");
    let apt_missing = !patchflow_testkit::lab::apt::AptLab::missing_tools().is_empty();
    let trials = vec![
        libtest_mimic::Trial::test("artifact_hosts_bear_kills", || unix::bears_kills("artifact")),
        libtest_mimic::Trial::test("apt_hosts_bear_kills", || unix::bears_kills("apt"))
            .with_ignored_flag(apt_missing && !all_required),
        libtest_mimic::Trial::test("without_a_kill_everything_goes_as_told", unix::goes_as_told),
        libtest_mimic::Trial::test("ctrl_c_stops_in_order", unix::ctrl_c_stops_in_order),
        libtest_mimic::Trial::test("a_second_process_is_refused", unix::a_second_process_is_refused),
        libtest_mimic::Trial::test("other_choices_are_refused", unix::other_choices_are_refused),
        libtest_mimic::Trial::test("a_foreign_directory_is_refused", unix::a_foreign_directory_is_refused),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use libtest_mimic::Failed;
    use std::collections::BTreeMap;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::path::Path;
    use std::process::{Child, Command, ExitStatus, Output, Stdio};
    use std::time::{Duration, Instant};

    type Result<T = ()> = std::result::Result<T, Failed>;

    /// Far above what a loaded machine needs; beyond it the job hangs.
    const HANGS: Duration = Duration::from_secs(300);

    fn quickstart(out: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
        command.arg("--plain").arg("--out").arg(out).args(more).stdin(Stdio::null());
        command
    }

    fn wait(child: &mut Child, at_most: Duration) -> Result<Option<ExitStatus>> {
        let until = Instant::now() + at_most;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs it to its end and returns what it said.
    fn finish(out: &Path, more: &[&str]) -> Result<Output> {
        let log = out.with_extension("log");
        let file = fs::File::create(&log)?;
        let mut child = quickstart(out, more).stdout(file.try_clone()?).stderr(file).spawn()?;
        let Some(status) = wait(&mut child, HANGS)? else {
            child.kill()?;
            child.wait()?;
            return Err(format!("it did not end; it said:\n{}", fs::read_to_string(&log)?).into());
        };
        Ok(Output { status, stdout: fs::read(&log)?, stderr: Vec::new() })
    }

    fn number(variable: &str, otherwise: u64) -> u64 {
        std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }

    /// xorshift64*; enough to choose moments.
    fn random(state: &mut u64) -> u64 {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }

    pub(super) fn bears_kills(kind: &str) -> Result {
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("run");
        let ended = killed_again_and_again(&out, kind);
        if ended.is_err() {
            // Somebody will want to look at what led to it.
            drop(folder.keep());
        }
        ended
    }

    fn killed_again_and_again(out: &Path, kind: &str) -> Result {
        let choices = ["--kind", kind, "--endpoints", "8", "--speed", "fast"];
        let seed = number("PATCHFLOW_SEED", 1);
        let mut state = seed.wrapping_mul(2) + 1;
        let mut moments = Vec::new();
        for _ in 0..number("PATCHFLOW_KILLS", 8) {
            let log = fs::File::create(out.with_extension("killed.log"))?;
            let mut child = quickstart(out, &choices).stdout(log.try_clone()?).stderr(log).spawn()?;
            let moment = Duration::from_millis(100 + random(&mut state) % 3000);
            moments.push(moment.as_millis());
            if let Some(status) = wait(&mut child, moment)? {
                if !status.success() {
                    let said = fs::read_to_string(out.with_extension("killed.log"))?;
                    return Err(format!("seed {seed}, kills {moments:?}: {status}\n{said}").into());
                }
                break;
            }
            child.kill()?;
            child.wait()?;
        }
        let ended = finish(out, &choices)?;
        let said = String::from_utf8_lossy(&ended.stdout);
        if !ended.status.success() {
            return Err(format!("seed {seed}, kills {moments:?}: {}\n{said}", ended.status).into());
        }
        nothing_twice(out, kind)?;
        for file in ["journal.redb", "report.json", "report.html"] {
            if fs::metadata(out.join(file))?.len() == 0 {
                return Err(format!("{file} is empty").into());
            }
        }
        // Over is over: another start changes nothing and says the same.
        let before = logs(out, kind)?;
        let again = finish(out, &choices)?;
        if !again.status.success() || logs(out, kind)? != before {
            return Err(format!("a start after the end: {}", String::from_utf8_lossy(&again.stdout)).into());
        }
        Ok(())
    }

    pub(super) fn goes_as_told() -> Result {
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("run");
        let ended = finish(&out, &["--kind", "artifact", "--endpoints", "12", "--speed", "fast"])?;
        if !ended.status.success() {
            return Err(String::from_utf8_lossy(&ended.stdout).into_owned().into());
        }
        let report: serde_json::Value = serde_json::from_slice(&fs::read(out.join("report.json"))?)?;
        let faults: serde_json::Value = serde_json::from_slice(&fs::read(out.join("faults.json"))?)?;
        let summary = &report["summary"];
        let once = faults["once"].as_array().map_or(0, Vec::len) as u64;
        if once == 0 || summary["kpis"]["retried"].as_u64() != Some(once) {
            return Err(format!(
                "{once} failed once, {} were retried with success",
                summary["kpis"]["retried"]
            )
            .into());
        }
        let scripts =
            summary["failures"].as_array().and_then(|all| all.iter().find(|f| f["kind"] == "script_failed"));
        let recovered = scripts.and_then(|failure| failure["recovered"].as_u64());
        let asked = report["explanations"].as_array().map_or(0, Vec::len);
        if recovered != Some(once) || asked != 3 {
            return Err(format!("recovered {recovered:?}, {asked} explanations").into());
        }
        // The archive said nothing of it: the feed's advisory made it urgent, and the report says who told.
        let found = summary["candidates"].as_array().and_then(|all| {
            all.iter().find(|c| c["closes"] == serde_json::json!(["CVE-2026-90001 (osv LSA-2026-1)"]))
        });
        let priority = found.and_then(|candidate| candidate["priority"].as_str());
        let page = fs::read_to_string(out.join("report.html"))?;
        if priority != Some("critical") || !page.contains("LSA-2026-1") {
            return Err(format!("found by an advisory: {found:?}").into());
        }
        Ok(())
    }

    /// What each host's own log says was installed, by `package version`.
    fn logs(out: &Path, kind: &str) -> Result<BTreeMap<String, Vec<String>>> {
        let log = if kind == "apt" { "root/var/log/lab-installs.log" } else { "log/switches.log" };
        let mut found = BTreeMap::new();
        for host in fs::read_dir(out.join("hosts"))? {
            let host = host?;
            let text = fs::read_to_string(host.path().join(log))?;
            found.insert(
                host.file_name().to_string_lossy().into_owned(),
                text.lines().map(Into::into).collect(),
            );
        }
        Ok(found)
    }

    fn nothing_twice(out: &Path, kind: &str) -> Result {
        let logs = logs(out, kind)?;
        if logs.len() != 8 {
            return Err(format!("there are {} hosts", logs.len()).into());
        }
        for (host, lines) in &logs {
            for update in ["tls-lib 3.0.22-1", "agent-tools 5.2-1", "shop-api 2.4-1"] {
                let times = lines.iter().filter(|line| *line == update).count();
                if times > 1 {
                    return Err(format!("{update} was installed {times} times on {host}").into());
                }
            }
            if !lines.iter().any(|line| line == "tls-lib 3.0.22-1") {
                return Err(format!("the good update was not installed on {host}").into());
            }
        }
        Ok(())
    }

    /// Starts it and waits until it has said something that holds `word`.
    fn started(out: &Path, word: &str) -> Result<(Child, BufReader<std::process::ChildStdout>)> {
        let choices = ["--kind", "artifact", "--endpoints", "8", "--speed", "fast"];
        let mut child = quickstart(out, &choices).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let mut said = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            if said.read_line(&mut line)? == 0 {
                return Err(format!("it ended before it said `{word}`").into());
            }
        }
        Ok((child, said))
    }

    pub(super) fn ctrl_c_stops_in_order() -> Result {
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("run");
        let (mut child, said) = started(&out, "ring pilot opened")?;
        if !Command::new("kill").args(["-INT", &child.id().to_string()]).status()?.success() {
            return Err("no signal was sent".into());
        }
        let rest: Vec<String> = said.lines().collect::<std::io::Result<_>>()?;
        let status = wait(&mut child, HANGS)?.ok_or("it did not stop")?;
        if status.code() != Some(130) || !rest.iter().any(|line| line.contains("goes on where it was")) {
            return Err(format!("{status}: {rest:#?}").into());
        }
        let ended = finish(&out, &[])?;
        if !ended.status.success() {
            return Err(String::from_utf8_lossy(&ended.stdout).into_owned().into());
        }
        nothing_twice(&out, "artifact")
    }

    pub(super) fn a_second_process_is_refused() -> Result {
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("run");
        let (mut first, _said) = started(&out, "trial started")?;
        let second = finish(&out, &[])?;
        first.kill()?;
        first.wait()?;
        let said = String::from_utf8_lossy(&second.stdout);
        if second.status.code() == Some(1) && said.contains("could not open the journal") {
            Ok(())
        } else {
            Err(format!("{}: {said}", second.status).into())
        }
    }

    pub(super) fn other_choices_are_refused() -> Result {
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("run");
        let (mut child, _said) = started(&out, "Making")?;
        child.kill()?;
        child.wait()?;
        for (choice, value) in [("--endpoints", "9"), ("--seed", "2"), ("--speed", "calm"), ("--kind", "apt")]
        {
            let refused = finish(&out, &[choice, value])?;
            let said = String::from_utf8_lossy(&refused.stdout);
            if refused.status.code() != Some(1) || !said.contains("this directory was begun with") {
                return Err(format!("{choice} {value}: {}: {said}", refused.status).into());
            }
        }
        Ok(())
    }

    pub(super) fn a_foreign_directory_is_refused() -> Result {
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("run");
        fs::create_dir(&out)?;
        fs::write(out.join("letters"), "mine")?;
        let refused = finish(&out, &[])?;
        let said = String::from_utf8_lossy(&refused.stdout);
        let left: Vec<_> = fs::read_dir(&out)?.flatten().map(|entry| entry.file_name()).collect();
        if refused.status.code() == Some(1) && said.contains("holds `letters`") && left == ["letters"] {
            Ok(())
        } else {
            Err(format!("{}: {said} {left:?}", refused.status).into())
        }
    }
}
