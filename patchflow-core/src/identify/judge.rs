//! One installed version against one advisory.

use crate::catalog::version::{BadVersion, Version};
use crate::catalog::{Advisory, Affected, Fix, Product, Status, Versions};
use crate::inventory::InstalledSoftware;
use crate::package::{Cpe, Ecosystem, Platform};
use core::cmp::Ordering;

/// One installed version, as far as advisories look at it.
#[derive(Clone, Copy, Debug)]
pub struct Installed<'a> {
    /// Where it is installed; packages that belong to no platform are judged without it. A package of an operating
    /// system whose release nobody knows is named by no advisory.
    pub platform: Option<&'a Platform>,
    /// Whose names and versions these are.
    pub ecosystem: Ecosystem,
    /// The package.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Name and version of the source it was built from; those of the package where nothing else is known.
    pub source: (&'a str, &'a str),
    /// Its CPE name.
    pub cpe: Option<&'a Cpe>,
}

impl<'a> Installed<'a> {
    /// A piece of software that stands on a platform.
    #[must_use]
    pub fn on(platform: Option<&'a Platform>, software: &'a InstalledSoftware) -> Self {
        let (name, version) = (&*software.package.name, &*software.version);
        let built_from = software.built_from.as_ref();
        Self {
            platform,
            ecosystem: software.package.ecosystem,
            name,
            version,
            source: built_from.map_or((name, version), |source| (&*source.name, &*source.version)),
            cpe: software.cpe.as_ref(),
        }
    }
}

/// What an advisory says of one installed version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It has the weakness.
    Affected,
    /// Its vendor is still looking; counts as affected without a fix.
    UnderInvestigation,
    /// Its version, or a bound of the advisory, cannot be read by the rules of its ecosystem: nobody can say. Counts as
    /// affected until somebody does (fail closed).
    Unreadable,
}

/// How exactly a product was named: a statement of the same or a more exact naming may clear what a less exact one says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Naming {
    Cpe,
    Source,
    Package,
}

/// What an advisory says of one installed version: how it stands, and which of its
/// statements ([`Advisory::affected`]) decided; `None` when the
/// advisory does not concern it, clears it, or was withdrawn.
///
/// Statements are weighed by how exactly they name the product: the package before its source before a CPE name. `Fixed`
/// and `NotAffected` beat `Affected` of the same or a less exact naming; `Affected` beats `UnderInvestigation`. Of several
/// that remain the most exact decides, and of those the one with the highest fix.
///
/// ```
/// use patchflow_core::identify::{judge, Installed, Standing};
/// use patchflow_core::catalog::version::{Range, Scheme};
/// use patchflow_core::catalog::{Advisory, Affected, Fix, Product, Status, Versions};
/// use patchflow_core::inventory::InstalledSoftware;
/// use patchflow_core::package::{Ecosystem, PackageName, Platform};
///
/// let requests = PackageName::new(Ecosystem::Pypi, "requests");
/// let advisory = Advisory {
///     affected: vec![Affected::of(
///         Product::Package { package: requests.clone(), platform: None, of_source: false },
///         Versions::Some { range: Range::new(Scheme::Pep440).below("2.31").unwrap(), exact: vec![] },
///     )],
///     ..Advisory::new("CVE-2023-32681")
/// };
/// let here = Platform::named("debian 12");
/// let judged = |version: &str| {
///     let software = InstalledSoftware::new(requests.clone(), version);
///     judge(&advisory, Installed::on(Some(&here), &software)).map(|(standing, _)| standing)
/// };
/// assert_eq!(judged("2.30.0"), Some(Standing::Affected));
/// assert_eq!(judged("2.31.0"), None);
/// assert_eq!(judged("two"), Some(Standing::Unreadable));
/// ```
#[must_use]
pub fn judge(advisory: &Advisory, installed: Installed<'_>) -> Option<(Standing, usize)> {
    if advisory.withdrawn.is_some() {
        return None;
    }
    let concerned = || {
        advisory.affected.iter().enumerate().filter_map(|(at, affected)| {
            let (naming, version) = affected.names(installed)?;
            Some((naming, affected.versions.meant(version)?, (at, affected)))
        })
    };
    let cleared = concerned()
        .filter(|(_, meant, affected)| *meant == Meant::Yes && affected.1.status.clears())
        .map(|(naming, ..)| naming)
        .max();
    concerned()
        .filter(|(naming, _, affected)| cleared.is_none_or(|by| *naming > by) && !affected.1.status.clears())
        .map(|(naming, meant, affected)| (naming, standing(meant, &affected.1.status), affected))
        .max_by(|(a_naming, a, x), (b_naming, b, y)| {
            // The earlier standing is the stronger one.
            a_naming.cmp(b_naming).then(b.cmp(a)).then_with(|| x.1.fix.reach(&y.1.fix)).then(y.0.cmp(&x.0))
        })
        .map(|(_, standing, (at, _))| (standing, at))
}

/// The statement by which an advisory clears an installed version that its other statements would call affected, such as
/// a vendor's "not affected" (VEX) beside a range that has the version in it. `None` when nothing is cleared.
///
/// ```
/// use patchflow_core::identify::{Installed, cleared, judge};
/// use patchflow_core::catalog::{Advisory, Affected, Product, Status, Versions};
/// use patchflow_core::inventory::InstalledSoftware;
/// use patchflow_core::package::{Ecosystem, PackageName};
///
/// let requests = PackageName::new(Ecosystem::Pypi, "requests");
/// let product = Product::Package { package: requests.clone(), platform: None, of_source: false };
/// let hit = Affected::of(product, Versions::All);
/// let vex = Affected { status: Status::NotAffected { why: "component_not_present".into() }, ..hit.clone() };
/// let advisory = Advisory { affected: vec![hit, vex], ..Advisory::new("CVE-2026-1") };
/// let software = InstalledSoftware::new(requests, "2.30");
/// let here = Installed::on(None, &software);
/// assert!(judge(&advisory, here).is_none());
/// assert!(matches!(cleared(&advisory, here).unwrap().status, Status::NotAffected { .. }));
/// ```
#[must_use]
pub fn cleared<'a>(advisory: &'a Advisory, installed: Installed<'_>) -> Option<&'a Affected> {
    if advisory.withdrawn.is_some() || judge(advisory, installed).is_some() {
        return None;
    }
    let meant = |affected: &&Affected| {
        affected.names(installed).and_then(|(_, version)| affected.versions.meant(version)).is_some()
    };
    let mut statements = advisory.affected.iter().filter(meant);
    let any_hit = statements.clone().any(|affected| !affected.status.clears());
    statements.find(|affected| affected.status.clears()).filter(|_| any_hit)
}

/// Whether an advisory calls any version of an installed piece of software affected, whichever is there.
#[must_use]
pub fn speaks_of(advisory: &Advisory, installed: Installed<'_>) -> bool {
    let mut hits = advisory.affected.iter().filter(|affected| !affected.status.clears());
    advisory.withdrawn.is_none() && hits.any(|affected| affected.names(installed).is_some())
}

fn standing(meant: Meant, status: &Status) -> Standing {
    match (meant, status) {
        (Meant::Unreadable, _) => Standing::Unreadable,
        (Meant::Yes, Status::UnderInvestigation) => Standing::UnderInvestigation,
        (Meant::Yes, Status::Affected | Status::NotAffected { .. } | Status::Fixed) => Standing::Affected,
    }
}

impl Status {
    fn clears(&self) -> bool {
        match self {
            Self::Fixed | Self::NotAffected { .. } => true,
            Self::Affected | Self::UnderInvestigation => false,
        }
    }
}

/// Whether a statement means a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meant {
    Yes,
    Unreadable,
}

impl Versions {
    fn meant(&self, version: &str) -> Option<Meant> {
        match self {
            Self::All => Some(Meant::Yes),
            Self::Exactly(texts) => texts.iter().any(|text| text == version).then_some(Meant::Yes),
            Self::Some { range, exact } => {
                if exact.iter().any(|text| text == version) {
                    return Some(Meant::Yes);
                }
                if range.intervals().is_empty() {
                    return None;
                }
                match Version::new(range.scheme(), version) {
                    Ok(version) => range.contains(&version).then_some(Meant::Yes),
                    Err(BadVersion { .. }) => Some(Meant::Unreadable),
                }
            }
        }
    }
}

impl Affected {
    /// How exactly this names an installed piece of software, and which of its versions is meant; `None` when it does
    /// not name it.
    fn names<'s>(&self, installed: Installed<'s>) -> Option<(Naming, &'s str)> {
        match &self.product {
            Product::Package { package, platform, of_source } => {
                if package.ecosystem != installed.ecosystem {
                    return None;
                }
                let of_platform = package.ecosystem.is_of_a_platform();
                let known = platform.as_ref().filter(|platform| !platform.family.is_empty());
                if of_platform && (known.is_none() || known != installed.platform) {
                    return None;
                }
                if !of_source {
                    return package.is_called(installed.name).then_some((Naming::Package, installed.version));
                }
                let (name, version) = installed.source;
                package.is_called(name).then_some((Naming::Source, version))
            }
            Product::Cpe(cpe) => {
                let own = installed.cpe?;
                let named = match self.versions {
                    Versions::All => cpe.matches(own),
                    Versions::Some { .. } | Versions::Exactly(_) => cpe.matches_product(own),
                };
                named.then_some((Naming::Cpe, installed.version))
            }
        }
    }
}

impl Fix {
    /// Which of two fixes brings an endpoint further: a version further than a lower one; anything named further than
    /// nothing. Fixes that cannot be compared are alike.
    #[must_use]
    pub fn reach(&self, other: &Self) -> Ordering {
        let rank = |fix: &Self| match fix {
            Self::From(_) => 3,
            Self::By(_) => 2,
            Self::NotNamed => 1,
            Self::Never => 0,
        };
        match (self, other) {
            (Self::From(a), Self::From(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Self::From(_) | Self::By(_) | Self::Never | Self::NotNamed, _) => rank(self).cmp(&rank(other)),
        }
    }
}
