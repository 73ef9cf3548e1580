//! Records of many feeds, merged as they change: a record that is new, changed or taken back costs what hangs together
//! with it by names, and what comes out is the same as merging everything anew.

use super::join::source;
use super::{Authorities, Merged, merge};
use crate::catalog::{Advisory, Provenance};
use crate::error::Finding;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Feed, record, and the name of the weakness.
type Key = (Arc<str>, Arc<str>, Arc<str>);

/// The records of all feeds, and the advisories that were made of them.
///
/// ```
/// use patchflow_core::catalog::{Advisory, Authorities, Merging, Provenance, Severity};
/// let record = |feed: &str, id: &str, severity| {
///     let provenance = vec![Provenance { feed: feed.into(), record: id.into(), modified: None }];
///     Advisory { severity, provenance, ..Advisory::new(id) }
/// };
/// let mut all = Merging::new(Authorities::default());
/// let remade = all.put([record("nvd", "CVE-2026-1", Severity::Low), record("nvd", "CVE-2026-2", Severity::Low)], []);
/// assert_eq!(remade.made.len(), 2);
/// // Another feed speaks of one of them: the other is not touched.
/// let remade = all.put([record("vendor", "CVE-2026-1", Severity::High)], []);
/// assert_eq!((remade.made.len(), remade.made[0].advisory.severity), (1, Severity::High));
/// let remade = all.put([] as [Advisory; 0], [("nvd".into(), "CVE-2026-2".into())]);
/// assert_eq!((remade.made.len(), &*remade.gone[0]), (0, "CVE-2026-2"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Merging {
    authorities: Authorities,
    /// Shared with whoever hands them in: feeds hold a hundred thousand.
    records: BTreeMap<Key, Vec<Arc<Advisory>>>,
    /// How many of them say that something is exploited.
    exploited: usize,
    bearing: BTreeMap<Arc<str>, BTreeSet<Key>>,
    /// The names of the advisories that stand.
    made: BTreeSet<Arc<str>>,
}

/// What a change of records made anew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remade {
    /// Advisories that hang together with the changed records, in the order of their names; some may be as before.
    pub made: Vec<Merged>,
    /// Names under which no advisory stands any more, in order.
    pub gone: Vec<Arc<str>>,
    /// What people should look at, of these.
    pub findings: Vec<Finding>,
}

impl Merging {
    /// No record yet.
    #[must_use]
    pub fn new(authorities: Authorities) -> Self {
        Self { authorities, ..Self::default() }
    }

    /// By whose word of which feed it goes.
    #[must_use]
    pub fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether any record says that something is exploited, as only somebody does who has read a catalogue of that.
    #[must_use]
    pub fn lists_exploited(&self) -> bool {
        self.exploited > 0
    }

    /// Takes in records that a feed has published or changed, and drops those that it took out, by feed and record. A
    /// record replaces what the same feed said under the same name before, unless it is older; of records that come
    /// together under one name all count, as [`merge`] has it.
    pub fn put(
        &mut self,
        published: impl IntoIterator<Item = impl Into<Arc<Advisory>>>,
        gone: impl IntoIterator<Item = (Arc<str>, Arc<str>)>,
    ) -> Remade {
        let mut touched: BTreeSet<Arc<str>> = BTreeSet::new();
        for (feed, record) in gone {
            let from = (feed.clone(), record.clone(), Arc::from(""));
            let keys: Vec<Key> = self.records.range(from..).map(|(key, _)| key.clone()).collect();
            for key in keys.into_iter().take_while(|key| key.0 == feed && key.1 == record) {
                self.drop_record(&key, &mut touched);
            }
        }
        let mut fresh: BTreeMap<Key, Vec<Arc<Advisory>>> = BTreeMap::new();
        for record in published {
            let record: Arc<Advisory> = record.into();
            let Provenance { feed, record: name, .. } = source(&record);
            fresh.entry((feed, name, record.id.clone())).or_default().push(record);
        }
        for (key, same) in fresh {
            let newest =
                |all: &[Arc<Advisory>]| all.iter().map(|record| source(record).modified).max().flatten();
            if self.records.get(&key).is_some_and(|known| *known == same || newest(known) > newest(&same)) {
                continue;
            }
            self.drop_record(&key, &mut touched);
            self.exploited += same.iter().filter(|record| record.exploited.is_some()).count();
            for name in same.iter().flat_map(|record| names(record)) {
                touched.insert(name.clone());
                self.bearing.entry(name.clone()).or_default().insert(key.clone());
            }
            self.records.insert(key, same);
        }
        self.remake(touched)
    }

    fn drop_record(&mut self, key: &Key, touched: &mut BTreeSet<Arc<str>>) {
        for record in self.records.remove(key).into_iter().flatten() {
            self.exploited -= usize::from(record.exploited.is_some());
            for name in names(&record) {
                touched.insert(name.clone());
                if let Some(bearing) = self.bearing.get_mut(name) {
                    bearing.remove(key);
                    if bearing.is_empty() {
                        self.bearing.remove(name);
                    }
                }
            }
        }
    }

    /// Merges all that hangs together with some names.
    fn remake(&mut self, touched: BTreeSet<Arc<str>>) -> Remade {
        let mut open: Vec<Arc<str>> = touched.iter().cloned().collect();
        let (mut named, mut keys) = (touched, BTreeSet::<&Key>::new());
        while let Some(name) = open.pop() {
            for key in self.bearing.get(&name).into_iter().flatten() {
                if keys.insert(key) {
                    let of = self.records.get(key).into_iter().flatten().flat_map(|record| names(record));
                    open.extend(of.filter(|name| named.insert((*name).clone())).cloned());
                }
            }
        }
        let records = keys.into_iter().filter_map(|key| self.records.get(key)).flatten();
        let records = records.map(|record| Advisory::clone(record));
        let merged = merge(records, &self.authorities);
        let now: BTreeSet<Arc<str>> = merged.advisories.iter().map(|m| m.advisory.id.clone()).collect();
        let gone: Vec<_> =
            named.iter().filter(|name| self.made.contains(*name) && !now.contains(*name)).cloned().collect();
        self.made.retain(|name| !gone.contains(name));
        self.made.extend(now);
        Remade { made: merged.advisories, gone, findings: merged.findings }
    }
}

fn names(record: &Advisory) -> impl Iterator<Item = &Arc<str>> {
    core::iter::once(&record.id).chain(&record.aliases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Severity;
    use proptest::prelude::*;

    /// Few names, so that records hang together and fall apart.
    fn record() -> impl Strategy<Value = Advisory> {
        let name = || prop_oneof![4 => "CVE-[1-6]", 2 => "GHSA-[1-3]", 1 => "DSA-[1-2]"];
        let of = (0..3_u8, name(), proptest::collection::vec(name(), 0..3), 0..4_i64, 0..4_u8);
        of.prop_map(|(feed, id, aliases, modified, severity)| {
            let feed: Arc<str> = alloc::format!("f{feed}").into();
            let modified = (modified > 0).then(|| crate::time::Timestamp::from_secs(modified));
            let severity =
                [Severity::Unknown, Severity::Low, Severity::High, Severity::Critical][usize::from(severity)];
            Advisory {
                severity,
                aliases: aliases.into_iter().filter(|alias| *alias != id).map(Into::into).collect(),
                provenance: Vec::from([Provenance { feed, record: id.clone().into(), modified }]),
                ..Advisory::new(id)
            }
        })
    }

    proptest! {
        #[test]
        fn merged_as_they_change_records_come_to_the_same_as_all_at_once(
            steps in proptest::collection::vec((proptest::collection::vec(record(), 0..4), proptest::option::of((0..3_u8, 1..7_u8))), 1..12)
        ) {
            let mut kept = Merging::default();
            let mut standing: BTreeMap<Arc<str>, Merged> = BTreeMap::new();
            for (records, gone) in steps {
                let gone = gone.map(|(feed, n)| (alloc::format!("f{feed}").into(), alloc::format!("CVE-{n}").into()));
                let remade = kept.put(records, gone);
                for name in &remade.gone {
                    prop_assert!(standing.remove(name).is_some());
                }
                standing.extend(remade.made.into_iter().map(|merged| (merged.advisory.id.clone(), merged)));
                let whole = merge(kept.records.values().flatten().map(|record| Advisory::clone(record)), &Authorities::default());
                let at_once: BTreeMap<_, _> =
                    whole.advisories.into_iter().map(|merged| (merged.advisory.id.clone(), merged)).collect();
                prop_assert_eq!(&standing, &at_once);
            }
        }
    }
}
