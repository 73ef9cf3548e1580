//! What package managers say is installed, read from what they print.

use patchflow_core::inventory::{BuiltFrom, InstalledSoftware};
use patchflow_core::package::{Ecosystem, PackageName};
use serde::Deserialize;
use serde_json::Value;

/// What `rpm -qa` is asked to print: a line a package.
pub(super) const RPM_FORMAT: &str =
    "%{NAME}\\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\t%{SOURCERPM}\\n";

/// The lines of `rpm -qa`. Keys of signatures (`gpg-pubkey`) are no software.
pub(super) fn rpm(output: &str) -> Vec<InstalledSoftware> {
    let read = |line: &str| {
        let mut fields = line.split('\t');
        let (name, version, arch) = (fields.next()?, fields.next()?, fields.next()?);
        if name.is_empty() || name == "gpg-pubkey" {
            return None;
        }
        let source = fields.next().and_then(source_rpm);
        let package = PackageName::new(Ecosystem::Rpm, name);
        let built_from = source.filter(|source| source.name != name || !version.ends_with(&source.version));
        Some(InstalledSoftware { arch: arch.into(), built_from, ..InstalledSoftware::new(package, version) })
    };
    output.lines().filter_map(read).collect()
}

/// `openssl-3.0.7-27.el9.src.rpm`: name, version, release.
fn source_rpm(file: &str) -> Option<BuiltFrom> {
    let stem = file.strip_suffix(".rpm")?.rsplit_once('.')?.0;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(BuiltFrom { name: name.into(), version: format!("{version}-{release}") })
}

#[derive(Deserialize)]
struct PipPackage {
    name: String,
    version: String,
    #[serde(default)]
    location: String,
}

/// The list of `pip list --verbose --format json`. What the operating system's own packages brought is left out: it is
/// patched by them, and stands in their database under their names and versions.
pub(super) fn pip(output: &[u8]) -> Result<Vec<InstalledSoftware>, serde_json::Error> {
    let packages: Vec<PipPackage> = serde_json::from_slice(output)?;
    let own = packages.into_iter().filter(|package| {
        !package.location.ends_with("/dist-packages") || package.location.starts_with("/usr/local/")
    });
    Ok(own
        .map(|package| {
            InstalledSoftware::new(
                PackageName::new(Ecosystem::Pypi, package.name).canonical(),
                package.version,
            )
        })
        .collect())
}

/// The tree of `npm ls --global --all --json`, each package once; serde_json bounds its depth. `linked` says whether a
/// package of that name and version comes from the operating system.
pub(super) fn npm(output: &[u8]) -> Result<Vec<InstalledSoftware>, serde_json::Error> {
    let tree: Value = serde_json::from_slice(output)?;
    let mut found = Vec::new();
    let mut open = vec![&tree];
    while let Some(node) = open.pop() {
        let Some(dependencies) = node.get("dependencies").and_then(Value::as_object) else { continue };
        for (name, node) in dependencies {
            // What is missing, or only an optional wish, has no version.
            if let Some(version) = node.get("version").and_then(Value::as_str) {
                found.push(InstalledSoftware::new(PackageName::new(Ecosystem::Npm, name.as_str()), version));
            }
            open.push(node);
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_rpm_are_read() {
        let output = "openssl-libs\t1:3.0.7-27.el9\tx86_64\topenssl-3.0.7-27.el9.src.rpm\n\
                      bash\t5.1.8-9.el9\tx86_64\tbash-5.1.8-9.el9.src.rpm\n\
                      gpg-pubkey\tfd431d51-4ae0493b\t(none)\t(none)\n\
                      broken\n\
                      python3-libs\t3.9.18-3.el9\tx86_64\tpython3.9-3.9.18-3.el9.src.rpm\n";
        let from = |software: &InstalledSoftware| {
            software
                .built_from
                .as_ref()
                .map_or_else(String::new, |from| format!("{} {}", from.name, from.version))
        };
        let read = rpm(output);
        let shown: Vec<_> =
            read.iter().map(|s| (s.package.name.as_str(), s.version.as_str(), from(s))).collect();
        assert_eq!(
            shown,
            [
                ("openssl-libs", "1:3.0.7-27.el9", "openssl 3.0.7-27.el9".to_owned()),
                ("bash", "5.1.8-9.el9", String::new()),
                ("python3-libs", "3.9.18-3.el9", "python3.9 3.9.18-3.el9".to_owned()),
            ]
        );
    }

    #[test]
    fn what_the_system_brought_is_not_pips() {
        let output = br#"[
            {"name": "Django", "version": "4.2", "location": "/opt/venv/lib/python3.11/site-packages", "installer": "pip"},
            {"name": "apt", "version": "2.6", "location": "/usr/lib/python3/dist-packages", "installer": ""},
            {"name": "zope.interface", "version": "6.0", "location": "/usr/local/lib/python3.11/dist-packages"}
        ]"#;
        let read: Vec<_> =
            pip(output).unwrap().into_iter().map(|s| format!("{} {}", s.package, s.version)).collect();
        assert_eq!(read, ["pypi:django 4.2", "pypi:zope-interface 6.0"]);
        assert!(pip(b"WARNING: no").is_err());
    }

    #[test]
    fn the_tree_of_npm_is_read_whole() {
        let output = br#"{"name": "lib", "dependencies": {
            "npm": {"version": "11.1.0", "dependencies": {"@isaacs/cliui": {"version": "8.0.2"}, "absent": {"missing": true}}},
            "corepack": {"version": "0.3", "dependencies": {"@isaacs/cliui": {"version": "8.0.2"}}}
        }}"#;
        let read: Vec<_> =
            npm(output).unwrap().into_iter().map(|s| format!("{} {}", s.package, s.version)).collect();
        assert_eq!(read, ["npm:@isaacs/cliui 8.0.2", "npm:corepack 0.3", "npm:npm 11.1.0"]);
        let deep = format!("{}{{}}{}", "{\"dependencies\":{\"a\":".repeat(200), "}}".repeat(200));
        assert!(npm(deep.as_bytes()).unwrap_err().to_string().starts_with("recursion limit exceeded"));
    }
}
