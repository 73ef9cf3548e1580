//! Advisories by the names they speak of.

use crate::catalog::{Advisory, Product};
use crate::package::{Cpe, Ecosystem, PackageName};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Which advisory of an [`AdvisoryIndex`]: stands for one name for good, also when its content is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdvisoryIx(pub u32);

type Places = BTreeMap<Arc<str>, Vec<AdvisoryIx>>;

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
    /// By the canonical name of a package or a source; which of the two is meant is seen when an advisory is judged.
    by_name: BTreeMap<Ecosystem, Places>,
    /// By vendor and product, as [`Cpe::product_key`] has them.
    by_product: Places,
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
        let at = |places: &'_ Places, name: &str| places.get(name).cloned().unwrap_or_default();
        let named =
            |places: &'_ Places, name: &str| at(places, &PackageName::new(ecosystem, name).canonical().name);
        let mut found = Vec::new();
        if let Some(places) = self.by_name.get(&ecosystem) {
            found = named(places, package);
            if source != package {
                found.extend(named(places, source));
            }
        }
        if let Some(cpe) = cpe {
            found.extend(cpe.product_key().map(|key| at(&self.by_product, key)).unwrap_or_default());
            found.extend(&self.by_pattern);
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter()
    }

    /// Where the advisories that name a product stand.
    fn places(&mut self, product: &Product) -> &mut Vec<AdvisoryIx> {
        match product {
            Product::Package { package, .. } => {
                let names = self.by_name.entry(package.ecosystem).or_default();
                names.entry(package.clone().canonical().name.into()).or_default()
            }
            Product::Cpe(cpe) => match cpe.product_key() {
                Some(key) => self.by_product.entry(key.into()).or_default(),
                None => &mut self.by_pattern,
            },
        }
    }

    fn learn(&mut self, ix: AdvisoryIx, advisory: &Advisory) {
        for affected in &advisory.affected {
            let places = self.places(&affected.product);
            if let Err(at) = places.binary_search(&ix) {
                places.insert(at, ix);
            }
        }
    }

    fn forget(&mut self, ix: AdvisoryIx) -> bool {
        let Some(advisory) = self.advisories.get_mut(ix.0 as usize).and_then(Option::take) else {
            return false;
        };
        for affected in &advisory.affected {
            self.places(&affected.product).retain(|held| *held != ix);
        }
        self.held -= 1;
        true
    }
}
