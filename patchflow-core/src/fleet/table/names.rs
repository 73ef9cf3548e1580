//! The host's names of endpoints by their indices: appended to, never changed, and shared in pieces.

use crate::ids::{EndpointId, EndpointIx};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// How many names a piece holds.
const PIECE: usize = 256;

/// Names by index. A copy shares its pieces and can be brought up to date by what was added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Pieces that are full: whoever looks for a name waits for memory once.
    full: Vec<Arc<[EndpointId]>>,
    /// The names after them; copied when one is added while it is shared.
    rest: Arc<Vec<EndpointId>>,
    /// The same for a table and its copies only.
    table: Arc<()>,
}

impl Names {
    #[inline]
    pub(crate) fn get(&self, ix: EndpointIx) -> Option<&EndpointId> {
        match self.full.get(ix.index() / PIECE) {
            Some(piece) => piece.get(ix.index() % PIECE),
            None => self.rest.get(ix.index().checked_sub(self.full.len() * PIECE)?),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.full.len() * PIECE + self.rest.len()
    }

    pub(crate) fn push(&mut self, id: EndpointId) {
        let rest = Arc::make_mut(&mut self.rest);
        rest.push(id);
        if rest.len() == PIECE {
            self.full.push(rest.drain(..).collect());
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &EndpointId> + '_ {
        self.full.iter().flat_map(|piece| piece.iter()).chain(self.rest.iter())
    }

    /// Whether this is a copy of `of`, whatever was added to that since.
    pub(crate) fn is_copy_of(&self, of: &Self) -> bool {
        Arc::ptr_eq(&self.table, &of.table)
    }

    /// Takes over what was added to the table that this is a copy of.
    pub(crate) fn catch_up(&mut self, of: &Self) {
        self.full.extend_from_slice(of.full.get(self.full.len()..).unwrap_or_default());
        self.rest = of.rest.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_copy_keeps_its_names_and_catches_up() {
        let mut names = Names::default();
        let add = |names: &mut Names, n: usize| {
            let from = names.len();
            (from..from + n).for_each(|i| names.push(EndpointId::from(format!("e{i}"))));
        };
        add(&mut names, 300);
        let mut copy = names.clone();
        assert!(copy.is_copy_of(&names) && !Names::default().is_copy_of(&names));
        add(&mut names, 500);
        assert_eq!(copy.iter().count(), 300);
        assert_eq!(copy.get(EndpointIx(300)), None);
        copy.catch_up(&names);
        assert!(copy.iter().eq(names.iter()) && copy.len() == 800);
        assert_eq!(copy.get(EndpointIx(799)).map(|id| id.as_str()), Some("e799"));
    }
}
