//! CVSS 3.0 and 3.1: the equations of section 8 (3.0) and 7 (3.1) of their specifications.
//!
//! All weights are decimals, so everything but one power is exact in whole numbers; the power is taken to 22 places, far
//! more than the five that rounding looks at. The specification of 3.1 rounds to five places first, because computers'
//! fractions differ (its appendix A); 3.0 does not, and is rounded up from its exact value.

use super::Values;

/// One, in the unit of a sum before it is rounded: 10^-26.
const ONE: i128 = 10_i128.pow(26);

/// Weights in hundredths.
const IMPACT: [i128; 3] = [56, 22, 0];
const REQUIREMENT: [i128; 4] = [100, 150, 100, 50];

/// What a score looks at, after modified values have taken the place of base values.
struct Metrics {
    vector: usize,
    complexity: usize,
    privileges: usize,
    interaction: usize,
    changed: bool,
    /// Confidentiality, integrity, availability.
    impact: [usize; 3],
    requirements: [i128; 3],
}

impl Metrics {
    fn base(v: &Values) -> Self {
        Self {
            vector: v.at(0),
            complexity: v.at(1),
            privileges: v.at(2),
            interaction: v.at(3),
            changed: v.at(4) == 1,
            impact: [5, 6, 7].map(|at| v.at(at)),
            requirements: [100; 3],
        }
    }

    fn modified(v: &Values) -> Self {
        // A modified metric has one value more, its first, which leaves the base value in force.
        let now = |base: usize, modified: usize| v.at(modified).checked_sub(1).unwrap_or(v.at(base));
        Self {
            vector: now(0, 14),
            complexity: now(1, 15),
            privileges: now(2, 16),
            interaction: now(3, 17),
            changed: now(4, 18) == 1,
            impact: [now(5, 19), now(6, 20), now(7, 21)],
            requirements: [11, 12, 13].map(|at| REQUIREMENT[v.at(at)]),
        }
    }

    /// 8.22 AV AC PR UI, in 10^-26.
    fn exploitability(&self) -> i128 {
        let vector = [85, 62, 55, 20][self.vector];
        let complexity = [77, 44][self.complexity];
        let privileges = if self.changed { [85, 68, 50] } else { [85, 62, 27] }[self.privileges];
        let interaction = [85, 62][self.interaction];
        822 * vector * complexity * privileges * interaction * 10_i128.pow(16)
    }

    /// The share of the impact that is not spared, at most 0.915, in 10^-12.
    fn lost(&self) -> i128 {
        let spared = (0..3).fold(1, |all, i| all * (10_000 - IMPACT[self.impact[i]] * self.requirements[i]));
        (10_i128.pow(12) - spared).min(915_000_000_000)
    }

    /// The sum before it is rounded, in 10^-26. `env31` is the equation of the environmental score of 3.1.
    fn sum(&self, env31: bool) -> i128 {
        let lost = self.lost();
        if lost <= 0 {
            return 0;
        }
        if !self.changed {
            return (642 * lost * 10_i128.pow(12) + self.exploitability()).min(10 * ONE);
        }
        let (x, exponent) = if env31 {
            (lost * 9731 - 200_000_000_000_000, 13) // 0.9731 lost - 0.02, in 10^-16
        } else {
            ((lost - 20_000_000_000) * 10_000, 15)
        };
        let power = (0..exponent).fold(10_i128.pow(22), |power, _| power * x / 10_i128.pow(16));
        let impact = 752 * (lost - 29_000_000_000) * 10_i128.pow(10) - 325 * power; // 10^-24
        (108 * (impact + self.exploitability() / 100)).min(10 * ONE)
    }
}

/// Up to tenths, as the version says.
fn roundup(sum: i128, minor: u8) -> i128 {
    if minor == 0 {
        let tenth = ONE / 10;
        return (sum + tenth - 1) / tenth;
    }
    let unit = ONE / 100_000;
    let five = (sum + unit / 2) / unit;
    if five % 10_000 == 0 { five / 10_000 } else { five / 10_000 + 1 }
}

fn with_temporal(v: &Values, score: i128, minor: u8) -> i128 {
    let maturity = [100, 100, 97, 94, 91][v.at(8)];
    let remediation = [100, 100, 97, 96, 95][v.at(9)];
    let confidence = [100, 100, 96, 92][v.at(10)];
    roundup(score * maturity * remediation * confidence * (ONE / 10_000_000), minor)
}

pub(super) fn base(v: &Values, minor: u8) -> i128 {
    roundup(Metrics::base(v).sum(false), minor)
}

pub(super) fn temporal(v: &Values, minor: u8) -> i128 {
    with_temporal(v, base(v, minor), minor)
}

pub(super) fn environmental(v: &Values, minor: u8) -> i128 {
    with_temporal(v, roundup(Metrics::modified(v).sum(minor == 1), minor), minor)
}
