//! CVSS 4.0: section 8 of its specification, with the tables that FIRST publishes beside it (`cvss_lookup.js`,
//! `max_composed.js`, `max_severity.js`).
//!
//! A vector belongs to one of 270 macro vectors, each with a score given by experts. Within it the score falls by the
//! mean over the equivalence sets of (distance to the next lower macro vector's score) x (steps down from the highest
//! vector of the set) / (steps that the set has). All of these are whole numbers of tenths, so the mean is a fraction
//! that is rounded exactly, half up.

use super::Values;

/// Steps down from the highest vector of its set, by metric: confidentiality and so on are `H L N`, 0 the highest.
struct Levels {
    /// AV, PR, UI.
    reach: [i32; 3],
    /// AC, AT.
    hurdles: [i32; 2],
    /// VC, VI, VA, CR, IR, AR.
    system: [i32; 6],
    /// SC, SI, SA: safety is 0, high is 1.
    beyond: [i32; 3],
    /// 0 attacked, 1 proof of concept, 2 unreported.
    maturity: usize,
}

impl Levels {
    fn of(v: &Values, base_only: bool) -> Self {
        let level = |at: usize| i32::try_from(v.at(at)).unwrap_or(0);
        // A modified metric has one value more, its first, which leaves the base value in force.
        let now = |base: usize, modified: usize| match level(modified) {
            0 => level(base),
            _ if base_only => level(base),
            modified => modified - 1,
        };
        // Not defined is the worst.
        let else_worst = |at: usize| if base_only { 0 } else { (level(at) - 1).max(0) };
        // Modified SI and SA have safety as their last value.
        let beyond = |base: usize, modified: usize| match now(base, modified) {
            3 => 0,
            level => level + 1,
        };
        Self {
            reach: [now(0, 15), now(3, 18), now(4, 19)],
            hurdles: [now(1, 16), now(2, 17)],
            system: [now(5, 20), now(6, 21), now(7, 22), else_worst(12), else_worst(13), else_worst(14)],
            beyond: [beyond(8, 23), beyond(9, 24), beyond(10, 25)],
            maturity: usize::try_from(else_worst(11)).unwrap_or(0),
        }
    }

    /// The macro vector: EQ1, EQ2, EQ3 with EQ6, EQ4, EQ5.
    fn macro_vector(&self) -> [usize; 5] {
        let reach = match self.reach {
            [0, 0, 0] => 0,
            [3, ..] => 2,
            [av, pr, ui] if av == 0 || pr == 0 || ui == 0 => 1,
            [..] => 2,
        };
        let hurdles = usize::from(self.hurdles != [0, 0]);
        let [vc, vi, va, cr, ir, ar] = self.system;
        let asked = (cr == 0 && vc == 0) || (ir == 0 && vi == 0) || (ar == 0 && va == 0);
        let system = match (vc, vi, va) {
            (0, 0, _) => usize::from(!asked),
            (0, _, _) | (_, 0, _) | (_, _, 0) => 2 + usize::from(!asked),
            (..) => 4,
        };
        let [sc, si, sa] = self.beyond;
        let beyond = if si == 0 || sa == 0 {
            0
        } else if sc == 1 || si == 1 || sa == 1 {
            1
        } else {
            2
        };
        [reach, hurdles, system, beyond, self.maturity]
    }
}

/// Steps below the first of the highest vectors that is nowhere below this one.
fn steps<const N: usize>(levels: [i32; N], highest: &[[i32; N]]) -> i32 {
    let fits = |top: &&[i32; N]| top.iter().zip(levels).all(|(top, level)| *top <= level);
    let top = highest.iter().find(fits).or(highest.last()).copied().unwrap_or(levels);
    top.iter().zip(levels).map(|(top, level)| level - top).sum()
}

const REACH: [&[[i32; 3]]; 3] = [&[[0, 0, 0]], &[[1, 0, 0], [0, 1, 0], [0, 0, 1]], &[[3, 0, 0], [1, 1, 1]]];
const HURDLES: [&[[i32; 2]]; 2] = [&[[0, 0]], &[[1, 0], [0, 1]]];
const SYSTEM: [&[[i32; 6]]; 5] = [
    &[[0, 0, 0, 0, 0, 0]],
    &[[0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1]],
    &[[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]],
    &[[1, 0, 1, 0, 1, 0], [1, 0, 0, 0, 1, 1], [0, 1, 0, 1, 0, 1], [0, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 1]],
    &[[1, 1, 1, 0, 0, 0]],
];
const BEYOND: [&[[i32; 3]]; 3] = [&[[1, 0, 0]], &[[1, 1, 1]], &[[2, 2, 2]]];

/// How many steps each set has, by its place in the macro vector.
const REACH_STEPS: [i32; 3] = [1, 4, 5];
const HURDLES_STEPS: [i32; 2] = [1, 2];
const SYSTEM_STEPS: [i32; 5] = [7, 6, 8, 8, 10];
const BEYOND_STEPS: [i32; 3] = [6, 5, 4];

fn score_of([reach, hurdles, system, beyond, maturity]: [usize; 5]) -> Option<i32> {
    let row = SCORES.get(reach)?.get(hurdles)?.get(system)?;
    (beyond < 3 && maturity < 3).then(|| row[beyond * 3 + maturity].into())
}

/// The score in tenths; `base_only` takes threat and environment for not defined.
pub(super) fn score(v: &Values, base_only: bool) -> i128 {
    let levels = Levels::of(v, base_only);
    let [vc, vi, va, ..] = levels.system;
    if [vc, vi, va] == [2; 3] && levels.beyond == [3; 3] {
        return 0;
    }
    let at = levels.macro_vector();
    let Some(value) = score_of(at) else { return 0 };
    let lower = |set: usize, by: usize| {
        let mut lower = at;
        lower[set] += by;
        score_of(lower)
    };
    // EQ3 and EQ6 go down together: one of them, and where both can, the way that falls less.
    let system_lower = match at[2] {
        0 => lower(2, 1).max(lower(2, 2)),
        1 => lower(2, 2),
        2 | 3 => lower(2, 1),
        _ => None,
    };
    let falls = [
        (lower(0, 1), steps(levels.reach, REACH[at[0]]), REACH_STEPS[at[0]]),
        (lower(1, 1), steps(levels.hurdles, HURDLES[at[1]]), HURDLES_STEPS[at[1]]),
        (system_lower, steps(levels.system, SYSTEM[at[2]]), SYSTEM_STEPS[at[2]]),
        (lower(3, 1), steps(levels.beyond, BEYOND[at[3]]), BEYOND_STEPS[at[3]]),
        // Each value of the maturity is a set of its own: it has a next lower one, and no step towards it.
        (lower(4, 1), 0, 1),
    ];
    // 840 is divided by every number of steps.
    const COMMON: i32 = 840;
    let ways = falls.iter().filter(|(lower, ..)| lower.is_some()).count();
    let fall: i32 = falls
        .iter()
        .map(|(lower, done, of)| lower.map_or(0, |lower| (value - lower) * done * (COMMON / of)))
        .sum();
    let parts = COMMON * i32::try_from(ways.max(1)).unwrap_or(1);
    // Half up: the fall is taken off, and half a tenth put on.
    let rounded = (2 * (value * parts - fall) + parts).div_euclid(2 * parts);
    rounded.clamp(0, 100).into()
}

/// Scores of the macro vectors in tenths: by EQ1, EQ2, EQ3 with EQ6 (00, 01, 10, 11, 21), then EQ4 and EQ5.
#[rustfmt::skip]
const SCORES: [[[[u8; 9]; 5]; 2]; 3] = [
    [
        // EQ1 0, EQ2 0
        [
            [100, 98, 95, 100, 93, 91, 93, 89, 81],
            [99, 95, 92, 96, 87, 81, 90, 80, 68],
            [98, 95, 90, 93, 89, 81, 88, 78, 69],
            [95, 92, 84, 92, 81, 65, 80, 70, 48],
            [92, 82, 72, 79, 69, 50, 69, 55, 27],
        ],
        // EQ1 0, EQ2 1
        [
            [99, 95, 92, 95, 90, 84, 92, 82, 72],
            [97, 92, 85, 91, 83, 71, 81, 71, 53],
            [95, 92, 85, 92, 80, 70, 84, 71, 50],
            [93, 85, 73, 82, 72, 59, 70, 52, 30],
            [86, 75, 52, 71, 52, 29, 63, 29, 17],
        ],
    ],
    [
        // EQ1 1, EQ2 0
        [
            [98, 94, 91, 94, 86, 77, 87, 74, 63],
            [95, 87, 81, 89, 74, 64, 75, 63, 49],
            [94, 88, 76, 86, 74, 59, 72, 57, 52],
            [89, 77, 67, 76, 58, 50, 57, 52, 25],
            [83, 70, 54, 65, 58, 26, 53, 21, 13],
        ],
        // EQ1 1, EQ2 1
        [
            [95, 88, 76, 90, 75, 61, 77, 68, 52],
            [90, 76, 70, 77, 62, 53, 66, 59, 30],
            [89, 76, 62, 74, 57, 47, 61, 57, 24],
            [78, 67, 58, 59, 57, 23, 52, 29, 16],
            [71, 59, 30, 58, 26, 15, 23, 13, 6],
        ],
    ],
    [
        // EQ1 2, EQ2 0
        [
            [93, 86, 75, 86, 74, 56, 70, 52, 40],
            [87, 72, 58, 74, 61, 34, 54, 40, 22],
            [85, 74, 62, 72, 55, 46, 53, 34, 19],
            [75, 55, 51, 57, 41, 19, 36, 19, 8],
            [64, 51, 20, 47, 21, 11, 24, 9, 4],
        ],
        // EQ1 2, EQ2 1
        [
            [88, 73, 60, 73, 59, 41, 54, 45, 20],
            [75, 53, 50, 55, 40, 20, 43, 22, 11],
            [75, 58, 40, 61, 48, 20, 46, 17, 8],
            [55, 45, 21, 51, 18, 9, 18, 7, 2],
            [53, 24, 14, 24, 12, 5, 10, 3, 1],
        ],
    ],
];
