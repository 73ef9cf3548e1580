//! How endpoints stand to one candidate: 8 bytes each, in the order of their indices.

use super::observation::Standing;
use crate::ids::EndpointIx;
use crate::plan::RollbackPath;
use alloc::vec::Vec;

/// How one endpoint stands to one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) standing: Standing,
    pub(crate) path: RollbackPath,
    /// 1 + index into the candidate's table of versions, or 0 when nothing is installed.
    pub(crate) level: u16,
}

/// A sorted list: inventories tell endpoints in batches and mostly in order, so that appending is the common case.
#[derive(Debug, Default)]
pub(crate) struct Needs(Vec<(EndpointIx, Need)>);

const _: () = assert!(size_of::<(EndpointIx, Need)>() == 8);

impl Needs {
    pub(crate) fn get(&self, endpoint: EndpointIx) -> Option<&Need> {
        let at = self.0.binary_search_by_key(&endpoint, |(ix, _)| *ix).ok()?;
        Some(&self.0[at].1)
    }

    pub(crate) fn remove(&mut self, endpoint: EndpointIx) {
        if let Ok(at) = self.0.binary_search_by_key(&endpoint, |(ix, _)| *ix) {
            self.0.remove(at);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (EndpointIx, &Need)> + '_ {
        self.0.iter().map(|(ix, need)| (*ix, need))
    }

    /// Takes a batch over; the last word about an endpoint counts. One pass over the list when the batch does not
    /// simply follow it.
    pub(crate) fn extend(&mut self, batch: impl IntoIterator<Item = (EndpointIx, Need)>) {
        let before = self.0.len();
        self.0.extend(batch);
        self.0.shrink_to(self.0.len() + self.0.len() / 8);
        let from = before.saturating_sub(1);
        if !self.0[from..].is_sorted_by(|a, b| a.0 < b.0) {
            // Stable: among equals the later word stays behind the earlier, and is the one that is kept.
            self.0.sort_by_key(|(ix, _)| *ix);
            self.0.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    *kept = *later;
                }
                same
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(level: u16) -> Need {
        Need { standing: Standing::Needs, path: RollbackPath::None, level }
    }

    #[test]
    fn the_last_word_about_an_endpoint_counts() {
        let mut needs = Needs::default();
        needs.extend([(EndpointIx(5), need(1)), (EndpointIx(7), need(2))]);
        needs.extend([(EndpointIx(9), need(3))]);
        needs.extend([(EndpointIx(7), need(4)), (EndpointIx(1), need(5)), (EndpointIx(7), need(6))]);
        let all: Vec<_> = needs.iter().map(|(ix, need)| (ix.0, need.level)).collect();
        assert_eq!(all, [(1, 5), (5, 1), (7, 6), (9, 3)]);
        needs.remove(EndpointIx(5));
        needs.remove(EndpointIx(6));
        assert_eq!((needs.get(EndpointIx(5)), needs.get(EndpointIx(7))), (None, Some(&need(6))));
    }
}
