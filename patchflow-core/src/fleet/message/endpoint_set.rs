//! Sets of endpoints in facts: runs of indices, so that a site that goes dark is a few numbers and not a long list.

use crate::ids::EndpointIx;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Endpoints in the order of their indices, as runs from a first to a last one.
///
/// ```
/// use patchflow_core::{fleet::EndpointSet, ids::EndpointIx};
/// let set: EndpointSet = [7, 3, 4, 5, 4].map(EndpointIx).into_iter().collect();
/// assert_eq!(serde_json::to_string(&set).unwrap(), "[[3,5],[7,7]]");
/// assert_eq!(set.iter().map(|ix| ix.0).collect::<Vec<_>>(), [3, 4, 5, 7]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EndpointSet(Vec<(EndpointIx, EndpointIx)>);

impl FromIterator<EndpointIx> for EndpointSet {
    fn from_iter<I: IntoIterator<Item = EndpointIx>>(endpoints: I) -> Self {
        let mut all: Vec<_> = endpoints.into_iter().collect();
        all.sort_unstable();
        let mut runs: Vec<(EndpointIx, EndpointIx)> = Vec::new();
        for ix in all {
            match runs.last_mut() {
                Some((_, last)) if ix.0 <= last.0.saturating_add(1) => *last = ix,
                Some(_) | None => runs.push((ix, ix)),
            }
        }
        Self(runs)
    }
}

impl EndpointSet {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|(first, last)| (last.0.saturating_sub(first.0)) as usize + 1).sum()
    }

    /// The endpoints, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = EndpointIx> + '_ {
        self.0.iter().flat_map(|(first, last)| (first.0..=last.0).map(EndpointIx))
    }

    /// Whether every endpoint of it is one of the first `n`: a set from a damaged journal may name anything.
    pub(crate) fn is_within(&self, n: usize) -> bool {
        self.0.iter().all(|(first, last)| first <= last && last.index() < n)
    }
}
