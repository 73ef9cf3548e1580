//! A choice that mirrors whom it is made from (semantics S1).
//!
//! Endpoints that are the same in all given traits are of one kind. Of `k` places over `n` endpoints, a kind with `w`
//! of them gets floor(k*w/n) places, and the places that are left go to the greatest remainders of k*w by n (Hamilton's
//! method of largest remainders, in exact integers); among equal remainders to the kind whose first endpoint comes first
//! in the order of the stable hash. So every kind is off by less than one place from its exact share, and inside a kind
//! the stable hash decides.

use super::Starter;
use crate::inventory::Attributes;
use crate::policy::Trait;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;
use serde::{Deserialize, Serialize};

/// How well a choice mirrors whom it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    /// Kinds of endpoints that it stands for.
    pub kinds: u32,
    /// Those of which it has at least one.
    pub kinds_met: u32,
    /// Endpoints that it stands for.
    pub endpoints: u32,
    /// Those for whom it has at least one of their kind.
    pub endpoints_met: u32,
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kinds, kinds_met, endpoints, endpoints_met } = self;
        write!(
            f,
            "it has one of the kind of {endpoints_met} of {endpoints} endpoints, {kinds_met} of {kinds} kinds"
        )
    }
}

/// Who is chosen.
pub(super) struct Choice {
    /// For each of those to choose from; empty when the first ones are.
    chosen: Vec<bool>,
    pub(super) mirror: Option<Mirror>,
}

impl Choice {
    const FIRST: Self = Self { chosen: Vec::new(), mirror: None };

    /// The chosen and the rest, both in the order they had.
    pub(super) fn split(&self, mut left: Vec<usize>, size: usize) -> (Vec<usize>, Vec<usize>) {
        if self.chosen.is_empty() {
            // The rest stays where it is in memory: fresh pages cost more than a move.
            let chosen = left.drain(..size).collect();
            return (chosen, left);
        }
        let mut at = self.chosen.iter();
        left.into_iter().partition(|_| at.next().copied().unwrap_or(false))
    }
}

/// Chooses `size` of `left` so that they mirror it.
pub(super) fn even(traits: &[Trait], starters: &[Starter<'_>], left: &[usize], size: usize) -> Choice {
    if traits.is_empty() || size == 0 {
        return Choice::FIRST;
    }
    let mut kinds = Kinds::new(traits);
    let of: Vec<u32> = left.iter().map(|i| kinds.of(starters[*i].attributes)).collect();
    let mut there = vec![0; kinds.len()];
    of.iter().for_each(|kind| there[*kind as usize] += 1);
    choose(&of, &there, &there, size)
}

/// Chooses `size` of `left` so that they mirror others. A kind that has too few gives what it has; its places go to the
/// others in the order of the hash.
pub(super) fn like(
    traits: &[Trait],
    starters: &[Starter<'_>],
    left: &[usize],
    others: &[Starter<'_>],
    size: usize,
) -> Choice {
    if traits.is_empty() || size == 0 {
        return Choice::FIRST;
    }
    if others.is_empty() {
        return even(traits, starters, left, size);
    }
    let mut kinds = Kinds::new(traits);
    let of: Vec<u32> = left.iter().map(|i| kinds.of(starters[*i].attributes)).collect();
    let others: Vec<u32> = others.iter().map(|other| kinds.of(other.attributes)).collect();
    let (mut there, mut wanted) = (vec![0; kinds.len()], vec![0; kinds.len()]);
    of.iter().for_each(|kind| there[*kind as usize] += 1);
    others.iter().for_each(|kind| wanted[*kind as usize] += 1);
    choose(&of, &there, &wanted, size)
}

fn choose(of: &[u32], there: &[u32], wanted: &[u32], size: usize) -> Choice {
    let mut places = places(wanted, size);
    places.iter_mut().zip(there).for_each(|(places, there)| *places = (*places).min(*there));
    let mut spare = size as u64 - places.iter().map(|n| u64::from(*n)).sum::<u64>();
    let met = |kind: usize| places[kind] > 0;
    let mut mirror = Mirror { kinds: 0, kinds_met: 0, endpoints: 0, endpoints_met: 0 };
    for (kind, wanted) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted > 0) {
        mirror.kinds += 1;
        mirror.endpoints += wanted;
        if met(kind) {
            mirror.kinds_met += 1;
            mirror.endpoints_met += wanted;
        }
    }
    let mut chosen: Vec<bool> = of
        .iter()
        .map(|kind| {
            let places = &mut places[*kind as usize];
            let takes = *places > 0;
            *places -= u32::from(takes);
            takes
        })
        .collect();
    for free in chosen.iter_mut().filter(|chosen| !**chosen) {
        if spare == 0 {
            break;
        }
        (*free, spare) = (true, spare - 1);
    }
    Choice { chosen, mirror: Some(mirror) }
}

/// How many of `size` places each kind gets, by largest remainders.
fn places(weights: &[u32], size: usize) -> Vec<u32> {
    let n: u128 = weights.iter().map(|w| u128::from(*w)).sum::<u128>().max(1);
    let exact = |w: u32| size as u128 * u128::from(w);
    let mut places: Vec<u32> =
        weights.iter().map(|w| u32::try_from(exact(*w) / n).unwrap_or(u32::MAX)).collect();
    let given: u128 = places.iter().map(|n| u128::from(*n)).sum();
    let mut order: Vec<usize> =
        (0..weights.len()).filter(|i| !exact(weights[*i]).is_multiple_of(n)).collect();
    order.sort_by_key(|i| (Reverse(exact(weights[*i]) % n), *i));
    let left = usize::try_from(size as u128 - given).unwrap_or(0);
    order.into_iter().take(left).for_each(|i| places[i] += 1);
    places
}

/// Numbers kinds in the order in which they are met.
struct Kinds<'a> {
    traits: &'a [Trait],
    known: BTreeMap<Vec<Option<&'a str>>, u32>,
    /// Endpoints share their attributes: looked at once for each place in memory.
    seen: BTreeMap<usize, u32>,
}

impl<'a> Kinds<'a> {
    fn new(traits: &'a [Trait]) -> Self {
        Self { traits, known: BTreeMap::new(), seen: BTreeMap::new() }
    }

    fn len(&self) -> usize {
        self.known.len()
    }

    fn of(&mut self, attributes: &'a Attributes) -> u32 {
        let Self { traits, known, seen } = self;
        *seen.entry(core::ptr::from_ref(attributes).addr()).or_insert_with(|| {
            let kind = traits.iter().map(|of| of.of(attributes)).collect();
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            *known.entry(kind).or_insert(next)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_add_up_and_each_is_off_by_less_than_one() {
        for weights in [&[5u32, 3, 2][..], &[1, 1, 1], &[7], &[1, 0, 99], &[10, 10, 10, 1], &[u32::MAX, 1]] {
            let n: u128 = weights.iter().map(|w| u128::from(*w)).sum();
            for size in 0..=n.min(120) as usize {
                let places = places(weights, size);
                assert_eq!(places.iter().map(|n| u128::from(*n)).sum::<u128>(), size as u128);
                for (got, weight) in places.iter().zip(weights) {
                    let (got, exact) = (u128::from(*got) * n, size as u128 * u128::from(*weight));
                    assert!(got.abs_diff(exact) < n, "{weights:?} {size}: {places:?}");
                    assert!(got <= u128::from(*weight) * n, "nobody gives more than it has");
                }
            }
        }
        assert_eq!(places(&[5, 3, 2], 4), [2, 1, 1], "2, 1.2 and 0.8");
        assert_eq!(places(&[1, 1, 1], 2), [1, 1, 0], "equal remainders: whose first comes first");
    }

    #[test]
    fn a_kind_that_has_too_few_gives_what_it_has() {
        // Two of kind 0, one of kind 1, three of kind 2, who is not wanted at all.
        let choice = choose(&[0, 2, 2, 1, 0, 2], &[2, 1, 3], &[10, 10, 0], 4);
        assert_eq!(
            choice.chosen,
            [true, true, false, true, true, false],
            "2 and 1, and one in the order of the hash"
        );
        let mirror = choice.mirror.unwrap();
        assert_eq!((mirror.kinds, mirror.kinds_met, mirror.endpoints, mirror.endpoints_met), (2, 2, 20, 20));
        let none = choose(&[2, 2], &[0, 0, 2], &[10, 30, 0], 1);
        assert_eq!(none.mirror.unwrap().endpoints_met, 0, "it mirrors nobody, and says so");
        assert_eq!(none.chosen, [true, false]);
    }
}
