//! How endpoints stand to one candidate: 8 bytes each, in the order of their indices.

use crate::fleet::message::observation::Standing;
use crate::ids::EndpointIx;
use crate::plan::RollbackPath;
use alloc::vec::Vec;

/// How one endpoint stands to one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) standing: Standing,
    pub(crate) path: RollbackPath,
    /// 1 + index into the candidate's table of versions, or 0 when nothing is installed; at most [`LEVELS_MAX`].
    pub(crate) level: u16,
    /// 1 + the day since the fleet's epoch on which it was first needed there, or 0 when it never was.
    pub(crate) day: u16,
}

/// Distinct versions kept for one candidate, as many as a member of a rollout can name.
pub(crate) const LEVELS_MAX: u16 = 8_191;
/// Days that can be told apart, almost 45 years.
pub(crate) const DAYS_MAX: u16 = 16_383;

/// A need in 4 bytes: 13 bits of level, 14 of day, 2 of standing, 3 of path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed(u32);

impl Packed {
    fn new(need: Need) -> Self {
        let level = u32::from(need.level.min(LEVELS_MAX));
        let day = u32::from(need.day.min(DAYS_MAX));
        Self(level << 19 | day << 5 | (need.standing as u32) << 3 | need.path as u32)
    }

    fn need(self) -> Need {
        let standing = match self.0 >> 3 & 3 {
            0 => Standing::Needs,
            1 => Standing::Has,
            // Two bits have room for more; only these three are ever written.
            _ => Standing::NotApplicable,
        };
        Need {
            standing,
            path: RollbackPath::from_code((self.0 & 7) as u16),
            level: (self.0 >> 19) as u16,
            day: (self.0 >> 5 & 0x3fff) as u16,
        }
    }

    /// The later word about an endpoint counts; the day on which it was first needed there stays.
    fn then(self, later: Self) -> Self {
        let first = self.need().day;
        let need = later.need();
        Self::new(Need { day: if first == 0 { need.day } else { first }, ..need })
    }
}

/// A sorted list: inventories tell endpoints in batches and mostly in order, so that appending is the common case.
#[derive(Debug, Default)]
pub(crate) struct Needs(Vec<(EndpointIx, Packed)>);

const _: () = assert!(size_of::<(EndpointIx, Packed)>() == 8);

impl Needs {
    pub(crate) fn get(&self, endpoint: EndpointIx) -> Option<Need> {
        let at = self.0.binary_search_by_key(&endpoint, |(ix, _)| *ix).ok()?;
        Some(self.0[at].1.need())
    }

    pub(crate) fn remove(&mut self, endpoint: EndpointIx) {
        if let Ok(at) = self.0.binary_search_by_key(&endpoint, |(ix, _)| *ix) {
            self.0.remove(at);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (EndpointIx, Need)> + '_ {
        self.0.iter().map(|(ix, need)| (*ix, need.need()))
    }

    /// Everybody of whom anything is known.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = EndpointIx> + '_ {
        self.0.iter().map(|(ix, _)| *ix)
    }

    /// Takes a batch over; the last word about an endpoint counts. One pass over the list when the batch does not
    /// simply follow it.
    pub(crate) fn extend(&mut self, batch: impl IntoIterator<Item = (EndpointIx, Need)>) {
        let before = self.0.len();
        self.0.extend(batch.into_iter().map(|(ix, need)| (ix, Packed::new(need))));
        self.0.shrink_to(self.0.len() + self.0.len() / 8);
        let from = before.saturating_sub(1);
        if !self.0[from..].is_sorted_by(|a, b| a.0 < b.0) {
            // Stable: among equals the later word stays behind the earlier, and is the one that is kept.
            self.0.sort_by_key(|(ix, _)| *ix);
            self.0.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    kept.1 = kept.1.then(later.1);
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
        Need { standing: Standing::Needs, path: RollbackPath::None, level, day: 0 }
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
        assert_eq!((needs.get(EndpointIx(5)), needs.get(EndpointIx(7))), (None, Some(need(6))));
    }

    #[test]
    fn every_need_survives_being_packed_and_the_first_day_stays() {
        for standing in [Standing::Needs, Standing::Has, Standing::NotApplicable] {
            for path in (0..5).map(RollbackPath::from_code) {
                for (level, day) in [(0, 0), (1, 2), (LEVELS_MAX, DAYS_MAX)] {
                    let need = Need { standing, path, level, day };
                    assert_eq!(Packed::new(need).need(), need);
                }
            }
        }
        let mut needs = Needs::default();
        needs.extend([(EndpointIx(5), Need { day: 3, ..need(1) })]);
        needs.extend([(EndpointIx(5), Need { standing: Standing::Has, ..need(2) })]);
        needs.extend([(EndpointIx(5), Need { day: 9, ..need(1) })]);
        assert_eq!(needs.get(EndpointIx(5)), Some(Need { day: 3, ..need(1) }), "its clock does not restart");
    }
}
