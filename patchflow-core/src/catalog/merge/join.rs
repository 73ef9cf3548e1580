//! Which records speak of the same weakness.

use crate::catalog::{Advisory, Provenance};
use crate::error::Finding;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Records about one weakness, or those of one bulletin.
pub(super) struct Group {
    /// Its name.
    pub(super) id: Arc<str>,
    /// Its records, by their place.
    pub(super) records: Vec<usize>,
    /// Whether it names several weaknesses.
    pub(super) bulletin: bool,
}

/// Where a record came from, for people and for ties.
pub(super) fn source(record: &Advisory) -> Provenance {
    record.provenance.iter().min().cloned().unwrap_or_else(|| Provenance {
        feed: "".into(),
        record: record.id.clone(),
        modified: None,
    })
}

/// What a record says, as a text that is the same for the same content whatever its order in a feed.
fn content(record: &Advisory) -> String {
    let mut sorted = record.clone();
    sorted.provenance.clear();
    sorted.aliases.sort();
    sorted.cvss.sort();
    let mut affected: Vec<String> = sorted.affected.iter().map(|affected| format!("{affected:?}")).collect();
    affected.sort();
    sorted.affected.clear();
    format!("{sorted:?} {affected:?}")
}

/// The records without repetitions and without what a feed has replaced by a newer one, in an order that does not
/// depend on the order of reading. One name of one feed with two contents is told.
pub(super) fn newest(
    records: impl IntoIterator<Item = Advisory>,
    findings: &mut Vec<Finding>,
) -> Vec<Advisory> {
    // By feed, record and name.
    type Named = (Arc<str>, Arc<str>, Arc<str>);
    let mut named: BTreeMap<Named, Vec<Advisory>> = BTreeMap::new();
    for record in records {
        let Provenance { feed, record: name, .. } = source(&record);
        named.entry((feed, name, record.id.clone())).or_default().push(record);
    }
    let mut kept = Vec::new();
    for ((feed, name, id), mut same) in named {
        if same.len() > 1 {
            let mut contents: BTreeMap<String, Advisory> = BTreeMap::new();
            for record in same {
                let text = content(&record);
                match contents.get_mut(&text) {
                    // The same words twice: the later date of the two.
                    Some(first) if source(first).modified >= source(&record).modified => {}
                    Some(first) => *first = record,
                    None => drop(contents.insert(text, record)),
                }
            }
            let newest = contents.values().map(|record| source(record).modified).max().flatten();
            let (left, old): (Vec<_>, Vec<_>) =
                contents.into_values().partition(|record| source(record).modified == newest);
            let path = format!("{feed} {name}");
            if left.len() > 1 {
                let message = format!(
                    "{id} stands there {} times with different content and the same date; all of it counts",
                    left.len()
                );
                findings.push(Finding::new(path.clone(), message));
            }
            if !old.is_empty() {
                let message =
                    format!("{id} stands there with different content; the one changed last counts");
                findings.push(Finding::new(path, message));
            }
            same = left;
        }
        kept.extend(same);
    }
    kept
}

fn names(record: &Advisory) -> impl Iterator<Item = &Arc<str>> {
    core::iter::once(&record.id).chain(&record.aliases)
}

fn is_cve(name: &str) -> bool {
    name.starts_with("CVE-")
}

/// The records by weakness.
pub(super) fn groups(records: &[Advisory]) -> Vec<Group> {
    let mut by_number: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
    let mut bulletins: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
    let mut without: Vec<usize> = Vec::new();
    // Where a name leads: to the numbers of the records that bear it.
    let mut leads: BTreeMap<&Arc<str>, BTreeSet<&Arc<str>>> = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        let numbers: BTreeSet<&Arc<str>> = names(record).filter(|name| is_cve(name)).collect();
        match (numbers.len(), numbers.first()) {
            (1, Some(number)) => {
                by_number.entry(number).or_default().push(at);
                for name in names(record) {
                    leads.entry(name).or_default().insert(number);
                }
            }
            (0, _) => without.push(at),
            // A number that itself lists others is about itself; the others are related.
            (_, _) if is_cve(&record.id) => by_number.entry(&record.id).or_default().push(at),
            (_, _) => bulletins.entry(&record.id).or_default().push(at),
        }
    }
    // Records without a number hang together by their names, in sets that grow until they touch no other.
    let mut open: BTreeSet<usize> = without.iter().copied().collect();
    let mut bearing: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
    for at in &without {
        names(&records[*at]).for_each(|name| bearing.entry(name).or_default().push(*at));
    }
    let mut unnumbered: Vec<Group> = Vec::new();
    while let Some(first) = open.pop_first() {
        let (mut members, mut grow) = (Vec::new(), Vec::from([first]));
        while let Some(at) = grow.pop() {
            members.push(at);
            for other in names(&records[at]).filter_map(|name| bearing.get(name)).flatten() {
                if open.remove(other) {
                    grow.push(*other);
                }
            }
        }
        let numbers_of = |members: &[usize]| -> BTreeSet<&Arc<str>> {
            let all = members.iter().flat_map(|at| names(&records[*at]));
            all.filter_map(|name| leads.get(name)).flatten().copied().collect()
        };
        let numbers = numbers_of(&members);
        match (numbers.len(), numbers.first()) {
            (0, _) => {
                let id = members.iter().flat_map(|at| names(&records[*at])).min().cloned();
                if let Some(id) = id {
                    unnumbered.push(Group { id, records: members, bulletin: false });
                }
            }
            (1, Some(number)) => by_number.entry(number).or_default().extend(members),
            // They lead to several: each of them by itself.
            (..) => {
                for at in members {
                    let own = numbers_of(&[at]);
                    match (own.len(), own.first()) {
                        (1, Some(number)) => by_number.entry(number).or_default().push(at),
                        (..) => bulletins.entry(&records[at].id).or_default().push(at),
                    }
                }
            }
        }
    }
    // A record may bear the name of a bulletin without naming what it closes.
    let mut groups: BTreeMap<Arc<str>, Group> = BTreeMap::new();
    let numbered =
        by_number.into_iter().map(|(id, records)| Group { id: id.clone(), records, bulletin: false });
    let closing =
        bulletins.into_iter().map(|(id, records)| Group { id: id.clone(), records, bulletin: true });
    for group in numbered.chain(closing).chain(unnumbered) {
        match groups.get_mut(&group.id) {
            Some(same) => {
                same.records.extend(group.records);
                same.bulletin |= group.bulletin;
            }
            None => drop(groups.insert(group.id.clone(), group)),
        }
    }
    for group in groups.values_mut() {
        group.records.sort_unstable();
    }
    groups.into_values().collect()
}
