//! The host's names of endpoints by their indices: appended to, never changed, and shared in pieces.

use crate::ids::{EndpointId, EndpointIx};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// How many names a piece holds; a piece that is shared is copied when a name is added to it.
const PIECE: usize = 256;

/// Names by index. A copy shares its pieces and can be brought up to date by what was added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pieces: Vec<Arc<Vec<EndpointId>>>,
    len: usize,
    /// The same for a table and its copies only.
    table: Arc<()>,
}

impl Names {
    #[inline]
    pub(crate) fn get(&self, ix: EndpointIx) -> Option<&EndpointId> {
        self.pieces.get(ix.index() / PIECE)?.get(ix.index() % PIECE)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, id: EndpointId) {
        if self.len.is_multiple_of(PIECE) {
            self.pieces.push(Arc::new(Vec::new()));
        }
        if let Some(last) = self.pieces.last_mut() {
            Arc::make_mut(last).push(id);
            self.len += 1;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &EndpointId> + '_ {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    /// Whether this is a copy of `of`, whatever was added to that since.
    pub(crate) fn is_copy_of(&self, of: &Self) -> bool {
        Arc::ptr_eq(&self.table, &of.table)
    }

    /// Takes over what was added to the table that this is a copy of.
    pub(crate) fn catch_up(&mut self, of: &Self) {
        self.pieces.truncate(self.len / PIECE);
        self.pieces.extend_from_slice(&of.pieces[self.pieces.len()..]);
        self.len = of.len;
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
