//! From package URLs to what stands on an endpoint, and back.

use super::{Ecosystem, PackageName, Platform, Purl};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What a package URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The package, its name in canonical form.
    pub package: PackageName,
    /// The release it is built for, where its ecosystem has releases and the URL names one.
    pub platform: Option<Platform>,
    /// Whether the name is that of a source: `arch=source` (Debian) or `arch=src` (RPM).
    pub of_source: bool,
    /// The version, an RPM's epoch in front.
    pub version: Option<String>,
    /// The architecture of a binary package; empty where none is named.
    pub arch: String,
    /// The source it was built from and its version: the qualifier `upstream`, as inventory tools write it.
    pub built_from: Option<(String, Option<String>)>,
}

impl Purl {
    /// The package it names; `None` for types that patchflow has no ecosystem for, and for a name with a coded slash.
    ///
    /// ```
    /// use patchflow_core::package::{Platform, Purl};
    /// let purl: Purl = "pkg:rpm/almalinux/openssl@3.0.7-27.el9?epoch=1&distro=almalinux-9.4".parse().unwrap();
    /// let openssl = purl.identity().unwrap();
    /// assert_eq!(openssl.package.to_string(), "rpm:openssl");
    /// assert_eq!(openssl.version.as_deref(), Some("1:3.0.7-27.el9"));
    /// assert_eq!(openssl.platform, Some(Platform::new("almalinux", "9")));
    /// ```
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        // Where names are paths, one with a coded slash could not be told from a name in a namespace.
        if self.name().contains('/') {
            return None;
        }
        let joined = |between: &str| match self.namespace() {
            "" => self.name().to_owned(),
            namespace => format!("{namespace}{between}{}", self.name()),
        };
        let (ecosystem, name) = match self.kind() {
            "deb" => (Ecosystem::Deb, self.name().to_owned()),
            "rpm" => (Ecosystem::Rpm, self.name().to_owned()),
            "apk" => (Ecosystem::Apk, self.name().to_owned()),
            "alpm" => (Ecosystem::Pacman, self.name().to_owned()),
            "pypi" => (Ecosystem::Pypi, self.name().to_owned()),
            "npm" => (Ecosystem::Npm, joined("/")),
            "cargo" => (Ecosystem::Cargo, self.name().to_owned()),
            "golang" => (Ecosystem::Go, joined("/")),
            "maven" => (Ecosystem::Maven, joined(":")),
            "nuget" => (Ecosystem::Nuget, self.name().to_owned()),
            "gem" => (Ecosystem::Gem, self.name().to_owned()),
            _ => return None,
        };
        let arch = self.qualifier("arch").unwrap_or_default();
        let of_source = matches!(arch, "source" | "src");
        let platform = if ecosystem == Ecosystem::Pacman {
            // Arch and its kin are rolling: the namespace says it all.
            Some(Platform::new(self.namespace(), "")).filter(|on| !on.family.is_empty())
        } else if ecosystem.is_of_a_platform() {
            self.qualifier("distro").and_then(|distro| Platform::of_distro(self.namespace(), distro))
        } else {
            None
        };
        let epoch = self.qualifier("epoch").filter(|epoch| ecosystem == Ecosystem::Rpm && *epoch != "0");
        let version = self.version().map(|version| match epoch {
            Some(epoch) => format!("{epoch}:{version}"),
            None => version.to_owned(),
        });
        let built_from = self.qualifier("upstream").filter(|_| ecosystem.is_of_a_platform()).map(
            |upstream| match upstream.split_once('@') {
                Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
                None => (upstream.strip_suffix(".src.rpm").unwrap_or(upstream).to_owned(), None),
            },
        );
        let package = PackageName::new(ecosystem, name).canonical();
        let arch = if of_source { String::new() } else { arch.to_owned() };
        Some(Identity { package, platform, of_source, version, arch, built_from })
    }
}

impl Identity {
    /// The package URL of it; `None` for ecosystems that have no type of their own.
    ///
    /// ```
    /// use patchflow_core::package::Purl;
    /// let text = "pkg:deb/debian/libcurl4@7.88.1-10?arch=amd64&distro=debian-12&upstream=curl%407.88.1-10";
    /// let purl: Purl = text.parse().unwrap();
    /// assert_eq!(purl.identity().unwrap().purl().unwrap().to_string(), text);
    /// ```
    #[must_use]
    pub fn purl(&self) -> Option<Purl> {
        let name = self.package.name.as_str();
        let family = self.platform.as_ref().map_or_else(String::new, |on| on.family.replace(' ', "-"));
        let (kind, namespace, name) = match self.package.ecosystem {
            Ecosystem::Deb => ("deb", family.as_str(), name),
            Ecosystem::Rpm => ("rpm", family.as_str(), name),
            Ecosystem::Apk => ("apk", family.as_str(), name),
            Ecosystem::Pacman => ("alpm", family.as_str(), name),
            Ecosystem::Pypi => ("pypi", "", name),
            Ecosystem::Cargo => ("cargo", "", name),
            Ecosystem::Nuget => ("nuget", "", name),
            Ecosystem::Gem => ("gem", "", name),
            Ecosystem::Npm => {
                name.rsplit_once('/').map_or(("npm", "", name), |(scope, name)| ("npm", scope, name))
            }
            Ecosystem::Go => {
                name.rsplit_once('/').map_or(("golang", "", name), |(path, name)| ("golang", path, name))
            }
            Ecosystem::Maven => {
                name.split_once(':').map_or(("maven", "", name), |(group, name)| ("maven", group, name))
            }
            Ecosystem::Windows | Ecosystem::Artifact | Ecosystem::Other => return None,
        };
        let (epoch, version) = match &self.version {
            Some(version) if self.package.ecosystem == Ecosystem::Rpm => match version.split_once(':') {
                Some((epoch, version)) => (epoch, Some(version)),
                None => ("", Some(version.as_str())),
            },
            version => ("", version.as_deref()),
        };
        let arch = match (self.of_source, self.package.ecosystem) {
            (true, Ecosystem::Rpm) => "src",
            (true, _) => "source",
            (false, _) => self.arch.as_str(),
        };
        let distro = match &self.platform {
            Some(on) if !on.release.is_empty() => format!("{family}-{}", on.release),
            Some(_) | None => String::new(),
        };
        let upstream = match &self.built_from {
            Some((name, Some(version))) => format!("{name}@{version}"),
            Some((name, None)) => name.clone(),
            None => String::new(),
        };
        let qualifiers: Vec<_> =
            [("arch", arch), ("distro", distro.as_str()), ("epoch", epoch), ("upstream", upstream.as_str())]
                .into();
        Purl::with(kind, namespace, name, version, qualifiers).ok()
    }
}
