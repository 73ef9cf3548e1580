//! Names in the form in which their ecosystem compares them, and ecosystems as feeds name them.

use super::{Ecosystem, PackageName, Platform};
use alloc::string::String;

/// PEP 503: case does not count, and runs of `-`, `_` and `.` are one `-`.
pub(super) fn pypi(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        let c = if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() };
        if c != '-' || !normal.ends_with('-') {
            normal.push(c);
        }
    }
    normal
}

impl PackageName {
    /// The name in the form in which its ecosystem compares names: two spellings of one package are equal afterwards.
    ///
    /// ```
    /// use patchflow_core::package::{Ecosystem, PackageName};
    /// let spelled = |name| PackageName::new(Ecosystem::Pypi, name).canonical();
    /// assert_eq!(spelled("Zope.Interface"), spelled("zope_interface"));
    /// assert_eq!(PackageName::new(Ecosystem::Nuget, "Newtonsoft.Json").canonical().name, "newtonsoft.json");
    /// assert_eq!(PackageName::new(Ecosystem::Cargo, "serde_json").canonical().name, "serde_json", "another crate");
    /// ```
    #[must_use]
    pub fn canonical(self) -> Self {
        let name = match self.ecosystem {
            Ecosystem::Pypi => pypi(&self.name),
            // NuGet's identifiers and Windows' list of programs know no case, and package URLs write Go's modules without.
            Ecosystem::Nuget | Ecosystem::Windows | Ecosystem::Go
                if self.name.chars().any(char::is_uppercase) =>
            {
                self.name.to_lowercase()
            }
            Ecosystem::Nuget
            | Ecosystem::Windows
            | Ecosystem::Go
            | Ecosystem::Npm
            | Ecosystem::Deb
            | Ecosystem::Rpm
            | Ecosystem::Apk
            | Ecosystem::Pacman
            | Ecosystem::Cargo
            | Ecosystem::Maven
            | Ecosystem::Gem
            | Ecosystem::Artifact
            | Ecosystem::Other => self.name,
        };
        Self { name, ..self }
    }

    /// Whether a name of the same ecosystem means this package, however either is spelled.
    ///
    /// ```
    /// use patchflow_core::package::{Ecosystem, PackageName};
    /// assert!(PackageName::new(Ecosystem::Pypi, "Zope.Interface").is_called("zope_interface"));
    /// assert!(!PackageName::new(Ecosystem::Deb, "Curl").is_called("curl"));
    /// ```
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        use Ecosystem::{Go, Nuget, Pypi, Windows};
        let spelled_otherwise = || {
            Self::new(self.ecosystem, self.name.as_str()).canonical().name
                == Self::new(self.ecosystem, name).canonical().name
        };
        self.name == name || matches!(self.ecosystem, Pypi | Nuget | Windows | Go) && spelled_otherwise()
    }
}

/// Whose packages a record speaks of: what stands behind an ecosystem's name in OSV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Whose names and version order are meant.
    pub ecosystem: Ecosystem,
    /// The release; `None` where the ecosystem has none, or the record names none.
    pub platform: Option<Platform>,
    /// Whether its names are those of sources.
    pub of_source: bool,
}

impl Home {
    /// Reads an ecosystem as the OSV schema defines it; `None` for those that patchflow has no name for.
    ///
    /// ```
    /// use patchflow_core::package::{Ecosystem, Home, Platform};
    /// let home = Home::of_osv("Ubuntu:22.04:LTS").unwrap();
    /// assert_eq!((home.ecosystem, home.of_source), (Ecosystem::Deb, true));
    /// assert_eq!(home.platform, Some(Platform::new("ubuntu", "22.04")));
    /// assert_eq!(Home::of_osv("AlmaLinux:9").unwrap().platform, Some(Platform::new("almalinux", "9")));
    /// assert_eq!(Home::of_osv("Debian").unwrap().platform, None, "no release is named");
    /// assert_eq!(Home::of_osv("Hex"), None);
    /// ```
    #[must_use]
    pub fn of_osv(text: &str) -> Option<Self> {
        let (family, _) = text.split_once(':').unwrap_or((text, ""));
        let (ecosystem, of_source) = match family {
            "PyPI" => (Ecosystem::Pypi, false),
            "npm" => (Ecosystem::Npm, false),
            "crates.io" => (Ecosystem::Cargo, false),
            "Go" => (Ecosystem::Go, false),
            "Maven" => (Ecosystem::Maven, false),
            "NuGet" => (Ecosystem::Nuget, false),
            "RubyGems" => (Ecosystem::Gem, false),
            // Of our own, for advisories about versioned artifacts; the schema leaves room for such names.
            "Artifact" => (Ecosystem::Artifact, false),
            "Debian" | "Ubuntu" => (Ecosystem::Deb, true),
            "Alpine" | "Alpaquita" => (Ecosystem::Apk, true),
            "Wolfi" | "Chainguard" | "MinimOS" => (Ecosystem::Apk, false),
            "AlmaLinux" | "Rocky Linux" | "Red Hat" | "SUSE" | "openSUSE" | "Mageia" | "openEuler"
            | "Photon OS" | "Azure Linux" => (Ecosystem::Rpm, false),
            _ => return None,
        };
        let platform = ecosystem.is_of_a_platform().then(|| Platform::of_osv(text)).flatten();
        Some(Self { ecosystem, platform, of_source })
    }
}
