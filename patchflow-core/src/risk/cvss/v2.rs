//! CVSS 2.0: the equations of "A Complete Guide to the Common Vulnerability Scoring System", section 3.2.
//!
//! Every weight is a decimal with at most three places, so every product is exact in whole numbers.

use super::Values;

const CIA: [i128; 3] = [0, 275, 660];
/// Without a value a requirement is medium.
const REQUIREMENT: [i128; 4] = [100, 50, 100, 151];

/// A product of decimals, rounded half up to tenths; what would be below nothing is nothing.
fn tenths(value: i128, per_tenth: i128) -> i128 {
    (value.max(0) + per_tenth / 2) / per_tenth
}

/// The base score in tenths, with the requirements in hundredths. `cap` holds the impact at 10, as the adjusted one is.
fn base_of(v: &Values, requirements: [i128; 3], cap: bool) -> i128 {
    // 1 - (1 - C)(1 - I)(1 - A), in 10^-15.
    let spared = (0..3).fold(1, |all, i| all * (100_000 - CIA[v.at(3 + i)] * requirements[i]));
    let impact = 1041 * (1_000_000_000_000_000 - spared); // 10^-17
    let impact = if cap { impact.min(10 * 10_i128.pow(17)) } else { impact };
    if impact == 0 {
        return 0;
    }
    let vector = [395, 646, 1000][v.at(0)];
    let complexity = [35, 61, 71][v.at(1)];
    let authentication = [450, 560, 704][v.at(2)];
    let exploitability: i128 = 20 * vector * complexity * authentication; // 10^-8
    // (0.6 impact + 0.4 exploitability - 1.5) 1.176, in 10^-21.
    let sum = 6 * impact + 4 * exploitability * 10_i128.pow(9) - 15 * 10_i128.pow(17);
    tenths(sum * 1176, 10_i128.pow(20)).min(100)
}

fn temporal_of(v: &Values, base: i128) -> i128 {
    let exploitability = [100, 85, 90, 95, 100][v.at(6)];
    let remediation = [100, 87, 90, 95, 100][v.at(7)];
    let confidence = [100, 90, 95, 100][v.at(8)];
    tenths(base * exploitability * remediation * confidence, 1_000_000)
}

pub(super) fn base(v: &Values) -> i128 {
    base_of(v, [100; 3], false)
}

pub(super) fn temporal(v: &Values) -> i128 {
    temporal_of(v, base(v))
}

pub(super) fn environmental(v: &Values) -> i128 {
    let requirements = [11, 12, 13].map(|at| REQUIREMENT[v.at(at)]);
    let adjusted = temporal_of(v, base_of(v, requirements, true));
    let damage = [0, 0, 1, 3, 4, 5][v.at(9)];
    let distribution = [100, 0, 25, 75, 100][v.at(10)];
    tenths((adjusted * 10 + (100 - adjusted) * damage) * distribution, 1000)
}
