//! Each distinct version of each package once, with who has it, and where to find it by name, by source, by CPE name.

use super::hash::hash_of;
use super::pool::NONE;
use super::postings::Postings;
use crate::ids::SoftwareIx;
use crate::inventory::InstalledSoftware;
use crate::package::{Cpe, Ecosystem, PackageName};
use alloc::borrow::{Cow, ToOwned};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use hashbrown::HashTable;

/// One distinct version of one package on one platform.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The number of its platform; [`NONE`] where its ecosystem has none.
    pub(super) platform: u32,
    /// What it is; always intact and not held, which are the affair of each endpoint.
    pub(super) software: InstalledSoftware,
    pub(super) holders: Postings,
}

/// The table.
#[derive(Clone, Debug)]
pub(super) struct SoftwareTable {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    by_key: HashTable<u32>,
    by_name: BTreeMap<PackageName, Vec<SoftwareIx>>,
    by_source: BTreeMap<PackageName, Vec<SoftwareIx>>,
    by_product: BTreeMap<String, Vec<SoftwareIx>>,
    /// With a CPE name that an index cannot sort by.
    odd: Vec<SoftwareIx>,
    seed: u64,
}

/// What makes one entry another.
struct Key<'a> {
    platform: u32,
    name: &'a PackageName,
    software: &'a InstalledSoftware,
}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, into: &mut H) {
        into.write_u32(self.platform << 8 | self.name.ecosystem as u32);
        into.write(self.name.name.as_bytes());
        into.write(self.software.version.as_bytes());
        into.write(self.software.arch.as_bytes());
        if let Some(from) = &self.software.built_from {
            into.write(from.name.as_bytes());
            into.write(from.version.as_bytes());
        }
    }
}

impl Entry {
    fn is(&self, key: &Key<'_>) -> bool {
        let (own, other) = (&self.software, key.software);
        self.platform == key.platform
            && own.package == *key.name
            && own.version == other.version
            && own.arch == other.arch
            && own.built_from == other.built_from
            && own.cpe == other.cpe
    }
}

impl SoftwareTable {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            by_key: HashTable::new(),
            by_name: BTreeMap::new(),
            by_source: BTreeMap::new(),
            by_product: BTreeMap::new(),
            odd: Vec::new(),
            seed,
        }
    }

    /// The number of some software of an endpoint on a platform, and whether it was not there before.
    pub(super) fn take(&mut self, platform: u32, software: &InstalledSoftware) -> (SoftwareIx, bool) {
        let name = canonical(&software.package);
        let platform = if name.ecosystem.is_of_a_platform() { platform } else { NONE };
        let key = Key { platform, name: &name, software };
        let hash = hash_of(self.seed, &key);
        let entries = &self.entries;
        let same = |ix: &u32| entry_at(entries, *ix).is_some_and(|entry| entry.is(&key));
        if let Some(&ix) = self.by_key.find(hash, same) {
            return (SoftwareIx(ix), false);
        }
        let kept =
            InstalledSoftware { package: name.into_owned(), intact: true, held: false, ..software.clone() };
        let ix = self.free.pop().unwrap_or(self.entries.len() as u32);
        self.list(SoftwareIx(ix), &kept);
        let entry = Some(Entry { platform, software: kept, holders: Postings::default() });
        match self.entries.get_mut(ix as usize) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        let (entries, seed) = (&self.entries, self.seed);
        self.by_key.insert_unique(hash, ix, |ix| entry_at(entries, *ix).map_or(0, |entry| entry.hash(seed)));
        (SoftwareIx(ix), true)
    }

    /// Forgets what nobody has; returns the number of its platform.
    pub(super) fn forget(&mut self, ix: SoftwareIx) -> u32 {
        let Some(entry) = self.entries.get_mut(ix.index()).and_then(Option::take) else { return NONE };
        if let Ok(found) = self.by_key.find_entry(entry.hash(self.seed), |known| *known == ix.0) {
            found.remove();
        }
        let software = &entry.software;
        unlist(&mut self.by_name, &software.package, ix);
        unlist(&mut self.by_source, &source_of(software), ix);
        if let Some(cpe) = &software.cpe {
            match cpe.product_key() {
                Some(product) => unlist(&mut self.by_product, &product.to_owned(), ix),
                None => self.odd.retain(|known| *known != ix),
            }
        }
        self.free.push(ix.0);
        entry.platform
    }

    fn list(&mut self, ix: SoftwareIx, software: &InstalledSoftware) {
        let add = |list: &mut Vec<SoftwareIx>| {
            let at = list.partition_point(|known| *known < ix);
            list.insert(at, ix);
        };
        add(self.by_name.entry(software.package.clone()).or_default());
        add(self.by_source.entry(source_of(software)).or_default());
        match software.cpe.as_ref().map(|cpe| cpe.product_key()) {
            Some(Some(product)) => add(self.by_product.entry(product.to_owned()).or_default()),
            Some(None) => add(&mut self.odd),
            None => {}
        }
    }

    pub(super) fn get(&self, ix: SoftwareIx) -> Option<&Entry> {
        entry_at(&self.entries, ix.0)
    }

    pub(super) fn holders_mut(&mut self, ix: SoftwareIx) -> Option<&mut Postings> {
        self.entries.get_mut(ix.index())?.as_mut().map(|entry| &mut entry.holders)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SoftwareIx, &Entry)> {
        let numbered = self.entries.iter().enumerate();
        numbered.filter_map(|(ix, entry)| Some((SoftwareIx(ix as u32), entry.as_ref()?)))
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// All versions under a name, on all platforms.
    pub(super) fn named(&self, package: &PackageName) -> &[SoftwareIx] {
        self.by_name.get(&*canonical(package)).map_or(&[], Vec::as_slice)
    }

    /// All packages that were built from a source, on all platforms.
    pub(super) fn built_from(&self, source: &PackageName) -> &[SoftwareIx] {
        self.by_source.get(&*canonical(source)).map_or(&[], Vec::as_slice)
    }

    /// All names with their versions, sorted by name.
    pub(super) fn names(&self) -> impl Iterator<Item = (&PackageName, &[SoftwareIx])> {
        self.by_name.iter().map(|(name, versions)| (name, versions.as_slice()))
    }

    /// All software that a CPE name may match: of the same vendor and product, or with a name that could be any.
    pub(super) fn like(&self, pattern: &Cpe) -> impl Iterator<Item = SoftwareIx> + '_ {
        let product = pattern.product_key();
        let listed = product.and_then(|product| self.by_product.get(product)).into_iter().flatten();
        let all =
            product.is_none().then_some(&self.by_product).into_iter().flat_map(BTreeMap::values).flatten();
        listed.chain(all).chain(&self.odd).copied()
    }
}

impl Entry {
    fn hash(&self, seed: u64) -> u64 {
        hash_of(
            seed,
            &Key { platform: self.platform, name: &self.software.package, software: &self.software },
        )
    }

    /// The source it was built from, or what stands for it: itself.
    pub(super) fn source_version(&self) -> &str {
        self.software.built_from.as_ref().map_or(&self.software.version, |from| &from.version)
    }
}

fn entry_at(entries: &[Option<Entry>], ix: u32) -> Option<&Entry> {
    entries.get(ix as usize)?.as_ref()
}

/// A name as it is compared; most are already.
fn canonical(name: &PackageName) -> Cow<'_, PackageName> {
    match name.ecosystem {
        Ecosystem::Pypi | Ecosystem::Nuget | Ecosystem::Windows | Ecosystem::Go | Ecosystem::Npm => {
            Cow::Owned(name.clone().canonical())
        }
        Ecosystem::Deb
        | Ecosystem::Rpm
        | Ecosystem::Apk
        | Ecosystem::Pacman
        | Ecosystem::Cargo
        | Ecosystem::Maven
        | Ecosystem::Gem
        | Ecosystem::Artifact
        | Ecosystem::Other => Cow::Borrowed(name),
    }
}

fn source_of(software: &InstalledSoftware) -> PackageName {
    match &software.built_from {
        Some(from) => PackageName::new(software.package.ecosystem, from.name.clone()).canonical(),
        None => software.package.clone(),
    }
}

fn unlist<K: Ord>(lists: &mut BTreeMap<K, Vec<SoftwareIx>>, key: &K, ix: SoftwareIx) {
    let Some(list) = lists.get_mut(key) else { return };
    list.retain(|known| *known != ix);
    if list.is_empty() {
        lists.remove(key);
    }
}
