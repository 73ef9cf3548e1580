//! Advisories by the names they speak of.

use crate::catalog::{Advisory, Product};
use crate::package::{Cpe, Ecosystem};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hashbrown::{Equivalent, HashMap};

/// Which advisory of an [`AdvisoryIndex`]: stands for one name for good, also when its content is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdvisoryIx(pub u32);

/// What an advisory may name a product by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    /// A package or a source of an ecosystem; the two are told apart when an advisory is judged.
    Package(Ecosystem, Arc<str>),
    /// Vendor and product of a CPE name, as [`Cpe::product_key`] has them.
    Cpe(Arc<str>),
}

/// A [`Name`] that is only looked up.
#[derive(Hash)]
enum Lookup<'a> {
    Package(Ecosystem, &'a str),
    Cpe(&'a str),
}

impl Equivalent<Name> for Lookup<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        match (self, name) {
            (Self::Package(ecosystem, asked), Name::Package(theirs, name)) => {
                ecosystem == theirs && **asked == **name
            }
            (Self::Cpe(asked), Name::Cpe(name)) => **asked == **name,
            (Self::Package(..), Name::Cpe(_)) | (Self::Cpe(_), Name::Package(..)) => false,
        }
    }
}

/// Many advisories, found by the names they speak of.
///
/// ```
/// use patchflow_core::{catalog::Advisory, identify::AdvisoryIndex};
/// let mut advisories = AdvisoryIndex::new();
/// let ix = advisories.put(Advisory::new("CVE-2024-3094"));
/// assert_eq!(advisories.put(Advisory::new("CVE-2024-3094")), ix, "the same name again replaces");
/// assert_eq!(advisories.find("CVE-2024-3094"), Some(ix));
/// assert_eq!(advisories.len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct AdvisoryIndex {
    /// By [`AdvisoryIx`]; `None` where one was removed.
    advisories: Vec<Option<Arc<Advisory>>>,
    by_id: BTreeMap<Arc<str>, AdvisoryIx>,
    by_name: HashMap<Name, Vec<AdvisoryIx>>,
    /// Those with a CPE name whose vendor or product is a pattern: everything that has a CPE name must ask them.
    by_pattern: Vec<AdvisoryIx>,
    held: usize,
}

impl AdvisoryIndex {
    /// An index of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes an advisory in, in the place of the one of the same name if there was one.
    pub fn put(&mut self, advisory: Advisory) -> AdvisoryIx {
        let ix = match self.by_id.get(&advisory.id) {
            Some(&ix) => {
                self.forget(ix);
                ix
            }
            None => {
                let ix = AdvisoryIx(u32::try_from(self.advisories.len()).unwrap_or(u32::MAX));
                self.advisories.push(None);
                self.by_id.insert(advisory.id.clone(), ix);
                ix
            }
        };
        self.learn(ix, &advisory);
        self.advisories[ix.0 as usize] = Some(Arc::new(advisory));
        self.held += 1;
        ix
    }

    /// Drops an advisory; its place is kept for its name.
    pub fn remove(&mut self, id: &str) -> Option<AdvisoryIx> {
        let ix = *self.by_id.get(id)?;
        self.forget(ix).then_some(ix)
    }

    /// The place of a name, also when what stood there was removed.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<AdvisoryIx> {
        self.by_id.get(id).copied()
    }

    /// What stands at a place.
    #[must_use]
    pub fn get(&self, ix: AdvisoryIx) -> Option<&Arc<Advisory>> {
        self.advisories.get(ix.0 as usize)?.as_ref()
    }

    /// All of them, by the order in which their names were first seen.
    pub fn iter(&self) -> impl Iterator<Item = (AdvisoryIx, &Arc<Advisory>)> {
        let placed = self.advisories.iter().enumerate();
        placed.filter_map(|(at, advisory)| Some((AdvisoryIx(at as u32), advisory.as_ref()?)))
    }

    /// Those that may concern a package, its source, or a product with this CPE name; each once, in order.
    pub fn that_name(
        &self,
        ecosystem: Ecosystem,
        package: &str,
        source: &str,
        cpe: Option<&Cpe>,
    ) -> impl Iterator<Item = AdvisoryIx> {
        let named = |name: Lookup<'_>| self.by_name.get(&name).map_or(&[][..], Vec::as_slice);
        let by_package = named(Lookup::Package(ecosystem, package));
        let by_source = if source == package { &[] } else { named(Lookup::Package(ecosystem, source)) };
        let by_cpe = cpe.and_then(Cpe::product_key).map_or(&[][..], |key| named(Lookup::Cpe(key)));
        let by_pattern = if cpe.is_some() { &self.by_pattern[..] } else { &[] };
        let mut found = [by_package, by_source, by_cpe, by_pattern].concat();
        found.sort_unstable();
        found.dedup();
        found.into_iter()
    }

    fn learn(&mut self, ix: AdvisoryIx, advisory: &Advisory) {
        for affected in &advisory.affected {
            let place = match &affected.product {
                Product::Package { package, .. } => {
                    self.by_name.entry(Name::Package(package.ecosystem, package.name.as_str().into())).or_default()
                }
                Product::Cpe(cpe) => match cpe.product_key() {
                    Some(key) => self.by_name.entry(Name::Cpe(key.into())).or_default(),
                    None => &mut self.by_pattern,
                },
            };
            if place.last() != Some(&ix) {
                place.push(ix);
            }
        }
    }

    fn forget(&mut self, ix: AdvisoryIx) -> bool {
        let Some(advisory) = self.advisories.get_mut(ix.0 as usize).and_then(Option::take) else { return false };
        for affected in &advisory.affected {
            let name = match &affected.product {
                Product::Package { package, .. } => Lookup::Package(package.ecosystem, &package.name),
                Product::Cpe(cpe) => match cpe.product_key() {
                    Some(key) => Lookup::Cpe(key),
                    None => {
                        self.by_pattern.retain(|held| *held != ix);
                        continue;
                    }
                },
            };
            if let Some(places) = self.by_name.get_mut(&name) {
                places.retain(|held| *held != ix);
                if places.is_empty() {
                    self.by_name.remove(&name);
                }
            }
        }
        self.held -= 1;
        true
    }
}
