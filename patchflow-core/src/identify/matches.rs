//! Which installed versions are hit by which advisories, kept as both change.

use super::advisories::{AdvisoryIndex, AdvisoryIx};
use super::judge::{Installed, Standing, judge};
use crate::catalog::{Advisory, Affected, Product};
use crate::ids::{RecordIx, SoftwareIx};
use crate::inventory::{Change, InventoryIndex};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// One advisory that hits one installed version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// The advisory.
    pub advisory: AdvisoryIx,
    /// How the version stands to it.
    pub standing: Standing,
    /// Which of its statements decided.
    pub statement: u32,
}

impl Hit {
    /// The statement that decided.
    #[must_use]
    pub fn affected(self, advisories: &AdvisoryIndex) -> Option<&Affected> {
        advisories.get(self.advisory)?.affected.get(self.statement as usize)
    }
}

/// Which installed versions are hit by which advisories.
///
/// An inventory of a million endpoints holds some ten thousand distinct versions of software; advisories are judged
/// against those, once each. What stands on an endpoint, and who has what is hit, the inventory knows already.
///
/// Follow each [`Change`] of the inventory with [`Matches::follow`] and each advisory that was put or removed with
/// [`Matches::advisory_changed`]; the result is the same as [`Matches::of`] from scratch, which a test holds.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    /// By [`SoftwareIx`], each rising by advisory.
    hits: Vec<Vec<Hit>>,
}

/// Equal when the same software is hit by the same, whatever stood there before.
impl PartialEq for Matches {
    fn eq(&self, other: &Self) -> bool {
        let hit = |all: &Self| all.hits.iter().rposition(|hits| !hits.is_empty()).map_or(0, |last| last + 1);
        self.hits[..hit(self)] == other.hits[..hit(other)]
    }
}

impl Eq for Matches {}

impl Matches {
    /// Matches nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Judges all that is installed.
    #[must_use]
    pub fn of(inventory: &InventoryIndex, advisories: &AdvisoryIndex) -> Self {
        let mut all = Self::new();
        for (ix, _) in inventory.all_software() {
            all.judge_all(ix, inventory, advisories);
        }
        all
    }

    /// Takes in what a report changed: software nobody had before is judged, software nobody has any more is forgotten.
    /// Costs nothing for software that others have too.
    pub fn follow(&mut self, change: &Change, inventory: &InventoryIndex, advisories: &AdvisoryIndex) {
        for gone in &change.gone {
            if let Some(hits) = self.hits.get_mut(gone.0 as usize) {
                *hits = Vec::new();
            }
        }
        for seen in &change.seen {
            self.judge_all(*seen, inventory, advisories);
        }
    }

    /// Takes in an advisory that was put in the place of `before`, or removed. Costs what it and `before` name.
    ///
    /// Returns the software whose standing to it changed, rising: [`InventoryIndex::holders_of`] tells on which endpoints.
    pub fn advisory_changed(
        &mut self,
        ix: AdvisoryIx,
        before: Option<&Advisory>,
        inventory: &InventoryIndex,
        advisories: &AdvisoryIndex,
    ) -> Vec<SoftwareIx> {
        let now = advisories.get(ix).map(AsRef::as_ref);
        let mut named = BTreeSet::new();
        for affected in before.into_iter().chain(now).flat_map(|advisory| &advisory.affected) {
            named_by(&affected.product, inventory, &mut named);
        }
        let mut changed = Vec::new();
        for software in named {
            let hit = now.and_then(|advisory| hit(ix, advisory, software, inventory));
            if self.set(software, ix, hit) {
                changed.push(software);
            }
        }
        changed
    }

    /// The advisories that hit an installed version, rising.
    #[must_use]
    pub fn hits(&self, software: SoftwareIx) -> &[Hit] {
        self.hits.get(software.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// What stands on an endpoint and is hit.
    pub fn on<'a>(
        &'a self,
        endpoint: RecordIx,
        inventory: &'a InventoryIndex,
    ) -> impl Iterator<Item = (SoftwareIx, &'a [Hit])> {
        let software = inventory.at(endpoint).into_iter().flat_map(|endpoint| endpoint.software());
        software.map(|software| (software, self.hits(software))).filter(|(_, hits)| !hits.is_empty())
    }

    /// How many distinct installed versions are hit.
    #[must_use]
    pub fn software_hit(&self) -> usize {
        self.hits.iter().filter(|hits| !hits.is_empty()).count()
    }

    fn judge_all(&mut self, ix: SoftwareIx, inventory: &InventoryIndex, advisories: &AdvisoryIndex) {
        let Some(view) = inventory.software(ix) else { return };
        let installed = Installed::on(view.platform, view.software);
        let naming =
            advisories.that_name(installed.ecosystem, installed.name, installed.source.0, installed.cpe);
        let found = naming.filter_map(|advisory| {
            let (standing, statement) = judge(advisories.get(advisory)?, installed)?;
            Some(Hit { advisory, standing, statement: statement as u32 })
        });
        let found: Vec<_> = found.collect();
        *self.place(ix) = found;
    }

    /// Whether that was something new.
    fn set(&mut self, software: SoftwareIx, advisory: AdvisoryIx, hit: Option<Hit>) -> bool {
        if hit.is_none() && self.hits(software).is_empty() {
            return false;
        }
        let hits = self.place(software);
        match (hits.binary_search_by_key(&advisory, |hit| hit.advisory), hit) {
            (Ok(at), Some(hit)) => core::mem::replace(&mut hits[at], hit) != hit,
            (Ok(at), None) => {
                hits.remove(at);
                true
            }
            (Err(at), Some(hit)) => {
                hits.insert(at, hit);
                true
            }
            (Err(_), None) => false,
        }
    }

    fn place(&mut self, ix: SoftwareIx) -> &mut Vec<Hit> {
        let at = ix.0 as usize;
        if self.hits.len() <= at {
            self.hits.resize_with(at + 1, Vec::new);
        }
        &mut self.hits[at]
    }
}

fn hit(ix: AdvisoryIx, advisory: &Advisory, software: SoftwareIx, inventory: &InventoryIndex) -> Option<Hit> {
    let view = inventory.software(software)?;
    let (standing, statement) = judge(advisory, Installed::on(view.platform, view.software))?;
    Some(Hit { advisory: ix, standing, statement: statement as u32 })
}

fn named_by(product: &Product, inventory: &InventoryIndex, named: &mut BTreeSet<SoftwareIx>) {
    match product {
        Product::Package { package, of_source: false, .. } => named.extend(inventory.named(package)),
        Product::Package { package, of_source: true, .. } => named.extend(inventory.built_from(package)),
        Product::Cpe(pattern) => named.extend(inventory.matching(pattern)),
    }
}
