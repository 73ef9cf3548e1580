//! What endpoints' own sources offer: few distinct lists, each kept once with the endpoints that have it.

use patchflow_core::catalog::Target;
use patchflow_core::ids::RecordIx;
use patchflow_core::inventory::AvailableUpdate;
use patchflow_core::package::PackageName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Packages with the version that is offered.
type List = BTreeSet<(PackageName, String)>;

#[derive(Debug, Default)]
pub(super) struct Offers {
    lists: BTreeMap<Arc<List>, BTreeSet<RecordIx>>,
    of: BTreeMap<RecordIx, Arc<List>>,
}

impl Offers {
    /// Takes in what an endpoint is offered now; the packages for which that changed.
    pub(super) fn put(&mut self, endpoint: RecordIx, offered: &[AvailableUpdate]) -> BTreeSet<PackageName> {
        let new: List = offered.iter().map(|update| (update.package.clone(), update.to.clone())).collect();
        let old = self.of.remove(&endpoint).unwrap_or_default();
        let changed = old.symmetric_difference(&new).map(|(package, _)| package.clone()).collect();
        if let Some(holders) = self.lists.get_mut(&old) {
            holders.remove(&endpoint);
            if holders.is_empty() {
                self.lists.remove(&old);
            }
        }
        if !new.is_empty() {
            let known = self.lists.get_key_value(&new).map(|(list, _)| list.clone());
            let list = known.unwrap_or_else(|| Arc::new(new));
            self.lists.entry(list.clone()).or_default().insert(endpoint);
            self.of.insert(endpoint, list);
        }
        changed
    }

    /// Whether an endpoint is offered exactly this.
    pub(super) fn has(&self, endpoint: RecordIx, target: &Target) -> bool {
        let of = |list: &Arc<List>| list.contains(&(target.package.clone(), target.version.clone()));
        self.of.get(&endpoint).is_some_and(of)
    }

    /// What an endpoint is offered, in order.
    pub(super) fn of(&self, endpoint: RecordIx) -> impl Iterator<Item = &PackageName> {
        self.of.get(&endpoint).into_iter().flat_map(|list| list.iter().map(|(package, _)| package))
    }

    /// Who is offered exactly this.
    pub(super) fn holders(&self, target: &Target) -> BTreeSet<RecordIx> {
        let wanted = (target.package.clone(), target.version.clone());
        let lists = self.lists.iter().filter(|(list, _)| list.contains(&wanted));
        lists.flat_map(|(_, holders)| holders.iter().copied()).collect()
    }
}
