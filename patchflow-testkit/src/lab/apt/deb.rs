//! Builds one package file, the same bytes each time.

use super::{LabError, PATH, PackageSpec, Step};
use patchflow_core::digest::Digest;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// 2026-01-01: every time stamp in packages and indices.
const EPOCH_SECS: &str = "1767225600";

/// The file name of a version: an epoch's colon is written `%3a`, as apt writes it.
pub(super) fn file_name(name: &str, version: &str) -> String {
    format!("{name}_{}_all.deb", version.replace(':', "%3a"))
}

/// Builds a package into `into`, and writes its stanza for the index beside it, less the line `Filename`.
pub(super) fn build(spec: &PackageSpec, scratch: &Path, into: &Path) -> Result<PathBuf, LabError> {
    check(spec)?;
    let tree = scratch.join(format!("{}_{}", spec.name, spec.version.replace(':', "%3a")));
    if tree.exists() {
        fs::remove_dir_all(&tree).map_err(LabError::io("remove", &tree))?;
    }
    let control = tree.join("DEBIAN");
    make_dir(&control)?;
    for (path, content) in spec.files.iter().chain(&spec.conffiles) {
        write(&tree.join(path.trim_start_matches('/')), content, 0o644)?;
    }
    let stanza = stanza(spec);
    write(&control.join("control"), &stanza, 0o644)?;
    if !spec.conffiles.is_empty() {
        let paths: String = spec.conffiles.iter().map(|(path, _)| format!("{path}\n")).collect();
        write(&control.join("conffiles"), &paths, 0o644)?;
    }
    for (script, steps) in [("preinst", &spec.preinst), ("postinst", &spec.postinst), ("prerm", &spec.prerm)]
    {
        if !steps.is_empty() {
            write(&control.join(script), &script_text(spec, script, steps), 0o755)?;
        }
    }
    let deb = into.join(file_name(&spec.name, &spec.version));
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Zgzip", "-z1", "-b"])
        .arg(&tree)
        .arg(&deb)
        .env("SOURCE_DATE_EPOCH", EPOCH_SECS))?;
    fs::remove_dir_all(&tree).map_err(LabError::io("remove", &tree))?;
    let bytes = fs::read(&deb).map_err(LabError::io("read", &deb))?;
    let index = format!("{stanza}Size: {}\nSHA256: {}\n", bytes.len(), Digest::of(&bytes));
    write(&deb.with_extension("stanza"), &index, 0o644)?;
    Ok(deb)
}

fn check(spec: &PackageSpec) -> Result<(), LabError> {
    let name_fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    let version_fits = |c: char| c.is_ascii_alphanumeric() || ".+-~:".contains(c);
    let (name, version) = (&spec.name, &spec.version);
    if name.len() < 2
        || !name.chars().all(name_fits)
        || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        return Err(LabError::Unsound(format!("`{name}` is not a package name")));
    }
    if !version.starts_with(|c: char| c.is_ascii_digit()) || !version.chars().all(version_fits) {
        return Err(LabError::Unsound(format!("`{version}` is not a version")));
    }
    let steps = spec.preinst.iter().chain(&spec.postinst).chain(&spec.prerm).filter_map(|step| match step {
        Step::FailCounted(file) | Step::SleepFrom(file) | Step::Append { file, .. } => Some(file),
        Step::Fail | Step::RequireReboot => None,
    });
    for path in spec.files.iter().chain(&spec.conffiles).map(|(path, _)| path).chain(steps) {
        check_path(path)?;
    }
    if spec.postinst.iter().chain(&spec.preinst).chain(&spec.prerm).any(|step| match step {
        Step::Append { line, .. } => !line.chars().all(|c| c.is_ascii_alphanumeric() || " ._-=".contains(c)),
        _ => false,
    }) {
        return Err(LabError::Unsound(
            "a line to append has letters, digits, blanks and `._-=` only".to_owned(),
        ));
    }
    Ok(())
}

/// A path inside a host or package: from `/`, of plain characters (they stand in shell scripts), without `..`.
pub(super) fn check_path(path: &str) -> Result<(), LabError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if path.len() > 1
        && path.starts_with('/')
        && path.chars().all(plain)
        && !path.split('/').any(|p| p == "..")
    {
        return Ok(());
    }
    Err(LabError::Unsound(format!("`{path}` is not a plain path from `/`")))
}

fn stanza(spec: &PackageSpec) -> String {
    let bytes: usize = spec.files.iter().chain(&spec.conffiles).map(|(_, content)| content.len()).sum();
    let mut text = format!(
        "Package: {}\nVersion: {}\nArchitecture: all\nMaintainer: Patchflow Lab <lab@example.invalid>\n\
         Installed-Size: {}\nSection: utils\nPriority: optional\n",
        spec.name,
        spec.version,
        spec.installed_kib.unwrap_or(bytes.div_ceil(1024) as u64),
    );
    if !spec.depends.is_empty() {
        let _ = writeln!(text, "Depends: {}", spec.depends);
    }
    text.push_str("Description: package of a patchflow laboratory\n");
    text
}

/// The text of a maintainer script. It refuses to run without `DPKG_ROOT`, so that it can never reach the machine.
fn script_text(spec: &PackageSpec, script: &str, steps: &[Step]) -> String {
    let mut text = "#!/bin/sh\nset -e\nroot=${DPKG_ROOT:?}\n".to_owned();
    if script == "postinst" {
        text.push_str("[ \"$1\" = configure ] || exit 0\n");
    }
    for step in steps {
        let _ = match step {
            Step::Fail => writeln!(text, "echo '{} {script} fails on purpose' >&2\nexit 1", spec.name),
            Step::FailCounted(file) => writeln!(
                text,
                "if [ -s \"$root{file}\" ]; then\n  n=$(cat \"$root{file}\")\n  if [ \"$n\" -gt 0 ]; then\n    \
                 echo $((n - 1)) > \"$root{file}\"\n    echo '{} {script} fails for now' >&2\n    exit 1\n  fi\nfi",
                spec.name
            ),
            Step::SleepFrom(file) => {
                writeln!(text, "if [ -s \"$root{file}\" ]; then sleep \"$(cat \"$root{file}\")\"; fi")
            }
            Step::RequireReboot => writeln!(
                text,
                "mkdir -p \"$root/run\"\necho '*** System restart required ***' > \"$root/run/reboot-required\"\n\
                 echo '{}' >> \"$root/run/reboot-required.pkgs\"",
                spec.name
            ),
            Step::Append { file, line } => {
                writeln!(text, "mkdir -p \"$(dirname \"$root{file}\")\"\necho '{line}' >> \"$root{file}\"")
            }
        };
    }
    text
}

pub(super) fn make_dir(path: &Path) -> Result<(), LabError> {
    fs::create_dir_all(path).map_err(LabError::io("make", path))
}

/// Writes a file with its directories, in modes that do not depend on the caller's umask.
pub(super) fn write(path: &Path, content: &str, mode: u32) -> Result<(), LabError> {
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
        let _ = fs::set_permissions(parent, fs::Permissions::from_mode(0o755));
    }
    fs::write(path, content).map_err(LabError::io("write", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(LabError::io("write", path))
}

/// Runs a tool to its end, in a fixed environment; what it says is kept for the error.
pub(super) fn run(command: &mut Command) -> Result<Vec<u8>, LabError> {
    let fixed = [("PATH", PATH), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC"), ("DEBIAN_FRONTEND", "noninteractive")];
    let own: Vec<_> = command.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned()))).collect();
    let ran = command.env_clear().envs(fixed).envs(own).stdin(Stdio::null()).output();
    let line = || format!("{command:?}").chars().take(300).collect::<String>();
    let ran = ran.map_err(|error| LabError::Tool { command: line(), said: error.to_string() })?;
    if ran.status.success() {
        return Ok(ran.stdout);
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    Err(LabError::Tool { command: line(), said: said.trim().chars().take(1000).collect() })
}
