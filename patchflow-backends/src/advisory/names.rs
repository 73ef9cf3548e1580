//! Names of ecosystems and releases as feeds write them, in the core's words.

use patchflow_core::catalog::Product;
use patchflow_core::package::{self, Ecosystem, PackageName, Platform, Purl};

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
    PackageName::new(ecosystem, name.trim()).canonical()
}

/// An ecosystem as OSV names it, such as `Debian:12`, `Ubuntu:22.04:LTS`, `PyPI`.
pub(super) fn osv(text: &str) -> Home {
    match package::Home::of_osv(text) {
        Some(package::Home { ecosystem, platform, of_source }) => {
            Home { ecosystem, platform, of_source, other: None }
        }
        None => {
            let family = text.split(':').next().unwrap_or(text);
            let other = Some(family.to_lowercase());
            Home { ecosystem: Ecosystem::Other, platform: None, of_source: false, other }
        }
    }
}

/// `enterprise_linux:9::appstream`, the end of a CPE name of Red Hat.
pub(super) fn red_hat(text: &str) -> Option<Platform> {
    Platform::of_osv(&format!("Red Hat:{text}"))
}

/// `Linux Enterprise Server 15 SP5`, `Leap 15.6`: a product of SUSE as its documents name it.
pub(super) fn suse(text: &str) -> Option<Platform> {
    Platform::of_osv(&format!(
        "SUSE:{}",
        text.trim().trim_start_matches("SUSE ").trim_start_matches("openSUSE ")
    ))
}

/// What a package URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) ecosystem: Ecosystem,
    pub(super) product: Product,
    pub(super) version: Option<String>,
}

/// Reads a package URL. One of a type that patchflow has no name for is a package of no ecosystem, its type in front.
///
/// # Errors
/// What is wrong with it.
pub(super) fn purl(text: &str) -> Result<Named, String> {
    let purl: Purl = text.trim().parse().map_err(|bad: package::BadPurl| bad.to_string())?;
    if let Some(identity) = purl.identity() {
        let package::Identity { package, platform, of_source, version, .. } = identity;
        let ecosystem = package.ecosystem;
        return Ok(Named { ecosystem, product: Product::Package { package, platform, of_source }, version });
    }
    let between = if purl.namespace().is_empty() { "" } else { "/" };
    let name = format!("{}/{}{between}{}", purl.kind(), purl.namespace(), purl.name());
    let ecosystem = Ecosystem::Other;
    let package = PackageName::new(ecosystem, name);
    let product = Product::Package { package, platform: None, of_source: false };
    Ok(Named { ecosystem, product, version: purl.version().map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_of_ours_keeps_its_own() {
        let hex = osv("Hex");
        assert_eq!(
            (hex.package("Phoenix").to_string().as_str(), hex.lacks_release()),
            ("other:hex/Phoenix", false)
        );
        assert!(osv("Debian").lacks_release() && !osv("Wolfi").lacks_release());
        let named = purl("pkg:hex/phoenix@1.2").unwrap();
        let package = PackageName::new(Ecosystem::Other, "hex/phoenix");
        assert_eq!(named.product, Product::Package { package, platform: None, of_source: false });
        assert_eq!(named.version.as_deref(), Some("1.2"));
        assert!(purl("curl").unwrap_err().starts_with("`curl` is not a package URL: "));
    }

    #[test]
    fn releases_of_documents_are_the_releases_of_feeds() {
        assert_eq!(
            red_hat("enterprise_linux:9::baseos"),
            osv("Red Hat:enterprise_linux:9::appstream").platform
        );
        assert_eq!(suse("SUSE Linux Enterprise Server 15 SP5"), Some(Platform::new("sles", "15.5")));
        assert_eq!(suse("openSUSE Leap 15.6"), Some(Platform::new("opensuse leap", "15.6")));
        assert_eq!(suse("Windows 11"), None);
    }
}
