//! The package database, read: what is installed, in which state, and whether an operation was cut off.

use super::failure::read_failure;
use super::host::AptHost;
use patchflow_core::inventory::BuiltFrom;
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use std::fs;
use std::time::SystemTime;

/// One package as dpkg has it. The letters are those of `${db:Status-Abbrev}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) arch: String,
    /// The source it was built from, and its version; dpkg tells them for every package.
    pub(super) source: Option<(String, String)>,
    /// What is wanted: `i`nstall, `h`old, `r`emove, `p`urge, `u`nknown.
    want: char,
    /// What is: `n`ot installed, `c`onfiguration files only, half-installed `H`, `U`npacked, half-configured `F`,
    /// triggers a`W`aited, `t`riggers pending, `i`nstalled.
    state: char,
    /// `R` when dpkg demands a reinstallation.
    flag: char,
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut next = || fields.next().map(str::to_owned);
        let (name, version, arch, status) = (next()?, next()?, next()?, next()?);
        let source = next().zip(next()).filter(|(name, version)| !name.is_empty() && !version.is_empty());
        let mut letters = status.chars();
        let (want, state) = (letters.next()?, letters.next()?);
        Some(Self { name, version, arch, source, want, state, flag: letters.next().unwrap_or(' ') })
    }

    /// Whether there is more of it than configuration files.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self.state, 'n' | 'c')
    }

    /// The source it was built from, when that has another name or version.
    pub(super) fn built_from(&self) -> Option<BuiltFrom> {
        let (name, version) = self.source.as_ref()?;
        let differs = *name != self.name || *version != self.version;
        differs.then(|| BuiltFrom { name: name.clone(), version: version.clone() })
    }

    /// Whether dpkg calls it installed, without reserve.
    pub(super) fn is_intact(&self) -> bool {
        self.state == 'i' && self.flag == ' '
    }

    pub(super) fn is_held(&self) -> bool {
        self.want == 'h'
    }

    /// Whether only a new unpacking mends it: `dpkg --configure -a` passes it over without a word.
    pub(super) fn needs_reinstall(&self) -> bool {
        self.flag == 'R' || self.state == 'H'
    }
}

const FORMAT: &str =
    "-f=${Package}\t${Version}\t${Architecture}\t${db:Status-Abbrev}\t${source:Package}\t${source:Version}\n";

/// All packages that are there, whole or not.
pub(super) fn rows(host: &AptHost) -> Result<Vec<Row>, Failure<'static>> {
    let ran = host.read(&["dpkg-query", "-W", FORMAT])?;
    // An empty database is rc 1 and "no packages found".
    if !ran.succeeded() && !ran.stderr_text().contains("no packages found") {
        return Err(read_failure(&ran));
    }
    Ok(ran.stdout_text().lines().filter_map(Row::parse).filter(Row::is_there).collect())
}

/// One package. Of a package in several architectures the one that is not whole is told, else the first.
pub(super) fn row(host: &AptHost, name: &str) -> Result<Option<Row>, Failure<'static>> {
    let ran = host.read(&["dpkg-query", "-W", FORMAT, name])?;
    if !ran.succeeded() && !ran.stderr_text().contains("no packages found") {
        return Err(read_failure(&ran));
    }
    let rows: Vec<_> = ran.stdout_text().lines().filter_map(Row::parse).filter(Row::is_there).collect();
    Ok(rows.iter().find(|row| !row.is_intact()).or(rows.first()).cloned())
}

/// Whether dpkg was cut off: its journal is not empty. Every apt refuses to work then.
pub(super) fn is_interrupted(host: &AptHost) -> bool {
    let entries = fs::read_dir(host.admin_dir.join("updates")).into_iter().flatten().filter_map(Result::ok);
    entries.into_iter().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        !name.is_empty() && name.chars().all(|c| c.is_ascii_digit())
    })
}

/// When a package was last unpacked or configured: the newest of the file lists that dpkg writes at each unpacking.
/// (Its log has local times without a zone, and lines for what changed nothing.)
pub(super) fn last_unpacked(host: &AptHost) -> Option<SystemTime> {
    let entries = fs::read_dir(host.admin_dir.join("info")).ok()?.filter_map(Result::ok);
    let lists = entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "list"));
    lists.filter_map(|entry| entry.metadata().ok()?.modified().ok()).max()
}

/// Refuses what is no package name or version, before it can be read as an option or a pattern by a tool.
pub(super) fn check_words(name: &str, version: Option<&str>) -> Result<(), Failure<'static>> {
    let name_fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.:".contains(c);
    let version_fits = |c: char| c.is_ascii_alphanumeric() || ".+-~:".contains(c);
    let starts = |text: &str| text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !(starts(name) && name.chars().all(name_fits) && name.len() <= 200) {
        let cut: String = name.chars().take(60).collect();
        return Err(Failure::new(
            FailureKind::NotFound,
            format!("`{cut}` is not a name of a Debian package"),
        ));
    }
    match version {
        Some(v) if !(starts(v) && v.chars().all(version_fits) && v.len() <= 200) => {
            let cut: String = v.chars().take(60).collect();
            Err(Failure::new(FailureKind::NotFound, format!("`{cut}` is not a version of a Debian package")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_by_their_letters() {
        let row = |status: &str| Row::parse(&format!("lab-x\t1:2.0-1\tall\t{status}")).unwrap();
        for (status, there, intact, held, reinstall) in [
            ("ii ", true, true, false, false),
            ("hi ", true, true, true, false),
            ("iF ", true, false, false, false),
            ("iU ", true, false, false, false),
            ("iHR", true, false, false, true),
            ("iH ", true, false, false, true),
            ("iW ", true, false, false, false),
            ("rc ", false, false, false, false),
            ("un ", false, false, false, false),
        ] {
            let row = row(status);
            let got = (row.is_there(), row.is_intact(), row.is_held(), row.needs_reinstall());
            assert_eq!(got, (there, intact, held, reinstall), "{status}");
        }
        assert_eq!(Row::parse("lab-x\t1"), None);
        let from =
            |rest: &str| Row::parse(&format!("lab-x\t1-1+b2\tamd64\tii \t{rest}")).unwrap().built_from();
        assert_eq!(from("lab-x\t1-1+b2"), None, "it is its own source");
        assert_eq!(from("lab\t1-1"), Some(BuiltFrom { name: "lab".into(), version: "1-1".into() }));
        assert_eq!(
            from("lab-x\t1-1"),
            Some(BuiltFrom { name: "lab-x".into(), version: "1-1".into() }),
            "built again"
        );
        assert_eq!(from("\t"), None, "an old dpkg does not say");
    }

    #[test]
    fn words_that_a_tool_would_misread_are_refused() {
        assert!(check_words("libstdc++6", Some("1:2.0~rc1-1+b2")).is_ok());
        for name in ["-o", "", "lab x", "lab*", "../x", "lab/stable", "lab=1"] {
            assert!(check_words(name, None).is_err(), "{name}");
        }
        for version in ["", "-1", "1 2", "1/2", "1=2"] {
            assert!(check_words("lab", Some(version)).is_err(), "{version}");
        }
    }
}
