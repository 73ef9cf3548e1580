//! Questions that go through many endpoints.

use super::postings::Postings;
use super::{InventoryIndex, Silent};
use crate::catalog::version::{BadVersion, Scheme, Version};
use crate::ids::{RecordIx, SoftwareIx};
use crate::package::{Cpe, Ecosystem, PackageName, Platform};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// Versions that a question was about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Those below the version asked for, the oldest first.
    pub software: Vec<SoftwareIx>,
    /// Those whose version its scheme cannot read: nobody can say whether they are below. By their numbers.
    pub unreadable: Vec<SoftwareIx>,
}

/// Why versions cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CannotCompare {
    /// The ecosystem's versions have no order.
    #[error("versions of the ecosystem {0} have no order: ask for exact versions")]
    NoOrder(Ecosystem),
    /// The version asked for is none.
    #[error(transparent)]
    BadVersion(#[from] BadVersion),
    /// Packages of the name stand on several platforms, whose versions must not be compared.
    #[error(
        "{package} is there on {platforms}: name one of them, since their versions have nothing to do with each other"
    )]
    WhichPlatform {
        /// The package.
        package: PackageName,
        /// The platforms, sorted and joined by commas.
        platforms: String,
    },
}

impl InventoryIndex {
    /// The versions of a package below a version: "who has P below V?" together with [`InventoryIndex::holders_of`].
    /// It takes as long as there are versions of the package.
    ///
    /// The platform may be left out when the package's ecosystem has none, or when only one platform has the package.
    ///
    /// # Errors
    /// [`CannotCompare`], which says what to name.
    pub fn below(
        &self,
        package: &PackageName,
        platform: Option<&Platform>,
        version: &str,
    ) -> Result<Found, CannotCompare> {
        self.older(self.named(package), package, platform, version, false)
    }

    /// The packages that were built from a source in a version below: as [`InventoryIndex::below`], by the versions of
    /// the source.
    ///
    /// # Errors
    /// As [`InventoryIndex::below`].
    pub fn built_from_below(
        &self,
        source: &PackageName,
        platform: Option<&Platform>,
        version: &str,
    ) -> Result<Found, CannotCompare> {
        self.older(self.built_from(source), source, platform, version, true)
    }

    /// All software under a name, on all platforms, rising.
    #[must_use]
    pub fn named(&self, package: &PackageName) -> &[SoftwareIx] {
        self.software.named(package)
    }

    /// All software that was built from a source, on all platforms, rising. What names no source was built from one of
    /// its own name.
    #[must_use]
    pub fn built_from(&self, source: &PackageName) -> &[SoftwareIx] {
        self.software.built_from(source)
    }

    /// All names of packages with their software, sorted by name.
    pub fn names(&self) -> impl Iterator<Item = (&PackageName, &[SoftwareIx])> {
        self.software.names()
    }

    /// All software that a CPE name, as a pattern, matches apart from the version, rising.
    #[must_use]
    pub fn matching(&self, pattern: &Cpe) -> Vec<SoftwareIx> {
        let fits = |ix: &SoftwareIx| {
            let cpe = self.software.get(*ix).and_then(|entry| entry.software.cpe.as_ref());
            cpe.is_some_and(|cpe| pattern.matches_product(cpe))
        };
        let mut found: Vec<_> = self.software.like(pattern).filter(fits).collect();
        found.sort_unstable();
        found
    }

    fn older(
        &self,
        among: &[SoftwareIx],
        package: &PackageName,
        platform: Option<&Platform>,
        version: &str,
        of_source: bool,
    ) -> Result<Found, CannotCompare> {
        let scheme = Scheme::of(package.ecosystem).ok_or(CannotCompare::NoOrder(package.ecosystem))?;
        let limit = Version::new(scheme, version)?;
        let platform = match platform {
            _ if !package.ecosystem.is_of_a_platform() => None,
            Some(platform) => match self.platforms.find(platform) {
                Some(number) => Some(number),
                None => return Ok(Found::default()),
            },
            None => self.only_platform(among, package)?,
        };
        let mut unreadable = Vec::new();
        let mut older: Vec<(Version, SoftwareIx)> = Vec::new();
        for ix in among {
            let Some(entry) = self.software.get(*ix) else { continue };
            if platform.is_some_and(|platform| platform != entry.platform) {
                continue;
            }
            let text = if of_source { entry.source_version() } else { &entry.software.version };
            match Version::new(scheme, text) {
                Ok(version) if version < limit => older.push((version, *ix)),
                Ok(_) => {}
                Err(_) => unreadable.push(*ix),
            }
        }
        older.sort_by(|(a, i), (b, j)| a.partial_cmp(b).unwrap_or(Ordering::Equal).then(i.cmp(j)));
        Ok(Found { software: older.into_iter().map(|(_, ix)| ix).collect(), unreadable })
    }

    fn only_platform(
        &self,
        among: &[SoftwareIx],
        package: &PackageName,
    ) -> Result<Option<u32>, CannotCompare> {
        let mut numbers: Vec<u32> =
            among.iter().filter_map(|ix| self.software.get(*ix)).map(|entry| entry.platform).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if let [] | [_] = numbers.as_slice() {
            return Ok(numbers.first().copied());
        }
        let mut names: Vec<&Platform> = numbers.iter().filter_map(|ix| self.platforms.get(*ix)).collect();
        names.sort_unstable();
        let mut platforms = String::new();
        for (i, name) in names.into_iter().enumerate() {
            let between = if i == 0 { "" } else { ", " };
            platforms = alloc::format!("{platforms}{between}{name}");
        }
        Err(CannotCompare::WhichPlatform { package: package.clone(), platforms })
    }

    /// Who has any of some software, in the order of their slots, each once.
    pub fn holders_of(&self, software: &[SoftwareIx]) -> impl Iterator<Item = RecordIx> + use<> {
        let all = software.iter().filter_map(|ix| self.software.get(*ix)).map(|entry| &entry.holders);
        Postings::union(&all.collect::<Vec<_>>()).into_iter()
    }

    /// Who has not reported since an instant, the longest silent first: all that were last read before it, and all that
    /// never reported and should have been there before it.
    pub fn not_reported_since(&self, since: Timestamp) -> impl Iterator<Item = Silent<'_>> {
        self.by_reading.range(..(since, RecordIx(0))).filter_map(|(at, ix)| {
            let slot = self.slot(*ix)?;
            let missed = self.missed.get(ix).map(|missed| (missed.at, missed.why.as_str()));
            Some(Silent { id: &slot.id, last: slot.reported.then_some(*at), since: *at, missed })
        })
    }
}
