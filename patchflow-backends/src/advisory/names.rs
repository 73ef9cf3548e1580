//! Names of ecosystems and releases as feeds write them.

use patchflow_core::package::{Ecosystem, PackageName, Platform};

/// Whose packages a feed speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) ecosystem: Ecosystem,
    pub(super) platform: Option<Platform>,
    /// Names are names of sources.
    pub(super) of_source: bool,
    /// For ecosystems that patchflow has no name for: theirs, which then stands before the names of packages.
    pub(super) other: Option<String>,
}

impl Home {
    fn of(ecosystem: Ecosystem) -> Self {
        Self { ecosystem, platform: None, of_source: false, other: None }
    }

    fn on(ecosystem: Ecosystem, platform: Option<Platform>) -> Self {
        Self { platform, ..Self::of(ecosystem) }
    }

    fn of_sources(self) -> Self {
        Self { of_source: true, ..self }
    }

    /// The name of one of its packages.
    pub(super) fn package(&self, name: &str) -> PackageName {
        match &self.other {
            Some(other) => PackageName::new(self.ecosystem, format!("{other}/{name}")),
            None => package(self.ecosystem, name),
        }
    }

    /// Whether a release would have to be named and is not.
    pub(super) fn lacks_release(&self) -> bool {
        self.ecosystem.is_of_a_platform() && self.platform.is_none()
    }
}

/// A package, its name in the form in which its ecosystem compares names.
pub(super) fn package(ecosystem: Ecosystem, name: &str) -> PackageName {
    let name = name.trim();
    if ecosystem != Ecosystem::Pypi {
        return PackageName::new(ecosystem, name);
    }
    // PEP 503: case does not count, and runs of `-`, `_` and `.` are one `-`.
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        let c = if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() };
        if c != '-' || !normal.ends_with('-') {
            normal.push(c);
        }
    }
    PackageName::new(ecosystem, normal)
}

/// An ecosystem as OSV names it, such as `Debian:12`, `Ubuntu:22.04:LTS`, `PyPI`.
pub(super) fn osv(text: &str) -> Home {
    let (family, release) = text.split_once(':').unwrap_or((text, ""));
    let on = |ecosystem, family: &str, release: &str| {
        let platform = (!release.is_empty()).then(|| Platform::new(family, release));
        Home::on(ecosystem, platform)
    };
    match family {
        "PyPI" => Home::of(Ecosystem::Pypi),
        "npm" => Home::of(Ecosystem::Npm),
        "crates.io" => Home::of(Ecosystem::Cargo),
        "Go" => Home::of(Ecosystem::Go),
        "Maven" => Home::of(Ecosystem::Maven),
        "NuGet" => Home::of(Ecosystem::Nuget),
        "RubyGems" => Home::of(Ecosystem::Gem),
        "Debian" => on(Ecosystem::Deb, "debian", release).of_sources(),
        "Ubuntu" => Home::on(Ecosystem::Deb, ubuntu(release)).of_sources(),
        "Alpine" => on(Ecosystem::Apk, "alpine", release.trim_start_matches('v')).of_sources(),
        "AlmaLinux" => on(Ecosystem::Rpm, "almalinux", release),
        "Rocky Linux" => on(Ecosystem::Rpm, "rocky", release),
        "Mageia" => on(Ecosystem::Rpm, "mageia", release),
        "openEuler" => on(Ecosystem::Rpm, "openeuler", release),
        "Photon OS" => on(Ecosystem::Rpm, "photon", release),
        "Azure Linux" => on(Ecosystem::Rpm, "azurelinux", release),
        "Red Hat" => Home::on(Ecosystem::Rpm, red_hat(release)),
        "SUSE" | "openSUSE" => Home::on(Ecosystem::Rpm, suse(release)),
        // Rolling: no release can be named, and none is missing.
        "Wolfi" | "Chainguard" => Home::on(Ecosystem::Apk, Some(Platform::new(family, ""))),
        _ => Home { other: Some(family.to_lowercase()), ..Home::of(Ecosystem::Other) },
    }
}

/// `22.04:LTS`, `Pro:18.04:LTS`, `Pro:FIPS:20.04:LTS`: what only subscribers get is a platform of its own, because other
/// versions repair it there.
fn ubuntu(text: &str) -> Option<Platform> {
    let mut family = "ubuntu".to_owned();
    for part in text.split(':') {
        if part.starts_with(|c: char| c.is_ascii_digit()) {
            return Some(Platform::new(&family, part));
        }
        family = format!("{family} {part}");
    }
    None
}

/// `enterprise_linux:9::appstream`, the end of a CPE name of Red Hat. Streams of extended support are platforms of
/// their own, because other versions repair them.
pub(super) fn red_hat(text: &str) -> Option<Platform> {
    let mut parts = text.split(':');
    let (product, release) = (parts.next()?, parts.next()?);
    if release.is_empty() || release == "*" {
        return None;
    }
    Some(match product {
        "enterprise_linux" | "enterprise_linux_eus" => Platform::new("rhel", release),
        _ => Platform::new(&product.replace('_', " "), release),
    })
}

/// `Leap 15.5`, `Tumbleweed`, `Linux Enterprise Server 15 SP5`, `Linux Enterprise Module for Basesystem 15 SP5`.
pub(super) fn suse(text: &str) -> Option<Platform> {
    let text = text.trim();
    if let Some(release) = text.strip_prefix("Leap ") {
        return Some(Platform::new("opensuse leap", release));
    }
    if text == "Tumbleweed" {
        return Some(Platform::new("opensuse tumbleweed", ""));
    }
    let rest = text.strip_prefix("Linux Enterprise ")?;
    let at = rest.find(|c: char| c.is_ascii_digit())?;
    let (product, release) = (rest[..at].trim(), &rest[at..]);
    let family = match product {
        "Desktop" => "sled".to_owned(),
        "Micro" => "sle micro".to_owned(),
        _ if release.contains("LTSS") => "sles ltss".to_owned(),
        _ => "sles".to_owned(),
    };
    let (major, pack) = release.split_once(" SP").unwrap_or((release, ""));
    let digits =
        |text: &str| text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect::<String>();
    let (major, pack) = (digits(major), digits(pack));
    Some(Platform::new(&family, &if pack.is_empty() { major } else { format!("{major}.{pack}") }))
}

/// A release of Debian by its code name, its suite or its number.
pub(super) fn debian(name: &str) -> Option<Platform> {
    let base = name.split(['-', '/']).next().unwrap_or(name);
    let release = match base {
        "wheezy" => "7",
        "jessie" => "8",
        "stretch" => "9",
        "buster" => "10",
        "bullseye" => "11",
        "bookworm" => "12",
        "trixie" => "13",
        "forky" => "14",
        "duke" => "15",
        "sid" | "unstable" => "",
        _ if base.starts_with(|c: char| c.is_ascii_digit()) => base,
        _ => return None,
    };
    Some(Platform::new("debian", release))
}

/// A release of Ubuntu by its code name or number.
pub(super) fn ubuntu_release(name: &str) -> Option<Platform> {
    let base = name.split(['-', '/']).next().unwrap_or(name);
    let release = match base {
        "trusty" => "14.04",
        "xenial" => "16.04",
        "bionic" => "18.04",
        "focal" => "20.04",
        "jammy" => "22.04",
        "noble" => "24.04",
        "oracular" => "24.10",
        "plucky" => "25.04",
        "questing" => "25.10",
        "resolute" => "26.04",
        _ if base.starts_with(|c: char| c.is_ascii_digit()) => base,
        _ => return None,
    };
    Some(Platform::new("ubuntu", release))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecosystems_of_osv_are_known() {
        let shown = |text| {
            let home = osv(text);
            let platform = home.platform.as_ref().map_or("-".to_owned(), ToString::to_string);
            format!("{} {platform}{}", home.package("X_y"), if home.of_source { " source" } else { "" })
        };
        for (text, wanted) in [
            ("Debian:12", "deb:X_y debian 12 source"),
            ("Debian", "deb:X_y - source"),
            ("Ubuntu:22.04:LTS", "deb:X_y ubuntu 22.04 source"),
            ("Ubuntu:Pro:18.04:LTS", "deb:X_y ubuntu pro 18.04 source"),
            ("Ubuntu:Pro:FIPS:20.04:LTS", "deb:X_y ubuntu pro fips 20.04 source"),
            ("Alpine:v3.18", "apk:X_y alpine 3.18 source"),
            ("AlmaLinux:9", "rpm:X_y almalinux 9"),
            ("Rocky Linux:9", "rpm:X_y rocky 9"),
            ("Red Hat:enterprise_linux:9::appstream", "rpm:X_y rhel 9"),
            ("Red Hat:rhel_eus:8.6::baseos", "rpm:X_y rhel eus 8.6"),
            ("SUSE:Linux Enterprise Server 15 SP5", "rpm:X_y sles 15.5"),
            ("SUSE:Linux Enterprise Module for Basesystem 15 SP5", "rpm:X_y sles 15.5"),
            ("SUSE:Linux Enterprise Server 15 SP3-LTSS", "rpm:X_y sles ltss 15.3"),
            ("openSUSE:Leap 15.6", "rpm:X_y opensuse leap 15.6"),
            ("openSUSE:Tumbleweed", "rpm:X_y opensuse tumbleweed"),
            ("Wolfi", "apk:X_y wolfi"),
            ("PyPI", "pypi:x-y -"),
            ("Hex", "other:hex/X_y -"),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
        assert!(osv("Debian").lacks_release() && !osv("Wolfi").lacks_release());
    }
}
