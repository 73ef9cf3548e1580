//! When the last starts were, as many as a bound on their number in a time looks back on (semantics S12).

use crate::policy::StartsMax;
use crate::time::Timestamp;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// The last starts, in their order; none while nothing bounds them.
#[derive(Debug, Default)]
pub(crate) struct Pace(VecDeque<Timestamp>);

impl Pace {
    /// When the next start is allowed; `None` when it is allowed now.
    pub(crate) fn next_at(&self, max: Option<StartsMax>, now: Timestamp) -> Option<Timestamp> {
        let max = max?;
        let before = self.0.len().checked_sub(max.n as usize)?;
        let at = self.0.get(before)?.plus_secs(max.per_secs.into());
        (at > now).then_some(at)
    }

    /// Something started.
    pub(crate) fn note(&mut self, max: Option<StartsMax>, at: Timestamp) {
        if max.is_some() {
            self.0.push_back(at);
            self.keep(max);
        }
    }

    /// Forgets what the bound does not look back on.
    pub(crate) fn keep(&mut self, max: Option<StartsMax>) {
        let keep = max.map_or(0, |max| max.n as usize);
        self.0.drain(..self.0.len().saturating_sub(keep));
    }

    pub(crate) fn all(&self) -> Vec<Timestamp> {
        self.0.iter().copied().collect()
    }

    pub(crate) fn of(starts: Vec<Timestamp>) -> Self {
        Self(starts.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_any_stretch_and_no_more() {
        let at = |secs: i64| Timestamp::from_secs(1_800_000_000 + secs);
        let max = Some(StartsMax { n: 2, per_secs: 60 });
        let mut pace = Pace::default();
        for secs in [0, 10] {
            assert_eq!(pace.next_at(max, at(secs)), None);
            pace.note(max, at(secs));
        }
        assert_eq!(pace.next_at(max, at(10)), Some(at(60)), "the first of the two leaves the stretch");
        assert_eq!(pace.next_at(max, at(60)), None);
        pace.note(max, at(60));
        assert_eq!((pace.next_at(max, at(60)), pace.all().len()), (Some(at(70)), 2));
        assert_eq!(pace.next_at(None, at(60)), None, "nothing bounds them");
        pace.keep(None);
        pace.note(None, at(61));
        assert!(pace.all().is_empty());
    }
}
