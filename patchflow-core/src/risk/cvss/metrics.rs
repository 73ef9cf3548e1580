//! The metrics of each version: names and values in the order of the specifications, which is the order of a vector.

use super::CvssVersion;

/// A metric.
pub(super) struct Metric {
    /// Its name in a vector.
    pub(super) name: &'static str,
    /// Its values; where it may be left out, the first is the one that stands for that.
    pub(super) values: &'static [&'static str],
    /// Whether a vector must have it.
    pub(super) required: bool,
}

const fn must(name: &'static str, values: &'static [&'static str]) -> Metric {
    Metric { name, values, required: true }
}

const fn may(name: &'static str, values: &'static [&'static str]) -> Metric {
    Metric { name, values, required: false }
}

/// Values of a metric, worst first, that several metrics share.
const HLN: &[&str] = &["H", "L", "N"];
const XHLN: &[&str] = &["X", "H", "L", "N"];
const XHML: &[&str] = &["X", "H", "M", "L"];

/// CVSS 2.0: base, temporal, environmental.
pub(super) const V2: &[Metric] = &[
    must("AV", &["L", "A", "N"]),
    must("AC", &["H", "M", "L"]),
    must("Au", &["M", "S", "N"]),
    must("C", &["N", "P", "C"]),
    must("I", &["N", "P", "C"]),
    must("A", &["N", "P", "C"]),
    may("E", &["ND", "U", "POC", "F", "H"]),
    may("RL", &["ND", "OF", "TF", "W", "U"]),
    may("RC", &["ND", "UC", "UR", "C"]),
    may("CDP", &["ND", "N", "L", "LM", "MH", "H"]),
    may("TD", &["ND", "N", "L", "M", "H"]),
    may("CR", &["ND", "L", "M", "H"]),
    may("IR", &["ND", "L", "M", "H"]),
    may("AR", &["ND", "L", "M", "H"]),
];

/// CVSS 3.0 and 3.1: base, temporal, environmental.
pub(super) const V3: &[Metric] = &[
    must("AV", &["N", "A", "L", "P"]),
    must("AC", &["L", "H"]),
    must("PR", &["N", "L", "H"]),
    must("UI", &["N", "R"]),
    must("S", &["U", "C"]),
    must("C", HLN),
    must("I", HLN),
    must("A", HLN),
    may("E", &["X", "H", "F", "P", "U"]),
    may("RL", &["X", "U", "W", "T", "O"]),
    may("RC", &["X", "C", "R", "U"]),
    may("CR", XHML),
    may("IR", XHML),
    may("AR", XHML),
    may("MAV", &["X", "N", "A", "L", "P"]),
    may("MAC", &["X", "L", "H"]),
    may("MPR", &["X", "N", "L", "H"]),
    may("MUI", &["X", "N", "R"]),
    may("MS", &["X", "U", "C"]),
    may("MC", XHLN),
    may("MI", XHLN),
    may("MA", XHLN),
];

/// CVSS 4.0: base, threat, environmental, supplemental.
pub(super) const V4: &[Metric] = &[
    must("AV", &["N", "A", "L", "P"]),
    must("AC", &["L", "H"]),
    must("AT", &["N", "P"]),
    must("PR", &["N", "L", "H"]),
    must("UI", &["N", "P", "A"]),
    must("VC", HLN),
    must("VI", HLN),
    must("VA", HLN),
    must("SC", HLN),
    must("SI", HLN),
    must("SA", HLN),
    may("E", &["X", "A", "P", "U"]),
    may("CR", XHML),
    may("IR", XHML),
    may("AR", XHML),
    may("MAV", &["X", "N", "A", "L", "P"]),
    may("MAC", &["X", "L", "H"]),
    may("MAT", &["X", "N", "P"]),
    may("MPR", &["X", "N", "L", "H"]),
    may("MUI", &["X", "N", "P", "A"]),
    may("MVC", XHLN),
    may("MVI", XHLN),
    may("MVA", XHLN),
    may("MSC", XHLN),
    may("MSI", &["X", "H", "L", "N", "S"]),
    may("MSA", &["X", "H", "L", "N", "S"]),
    may("S", &["X", "N", "P"]),
    may("AU", &["X", "N", "Y"]),
    may("R", &["X", "A", "U", "I"]),
    may("V", &["X", "D", "C"]),
    may("RE", &["X", "L", "M", "H"]),
    may("U", &["X", "Clear", "Green", "Amber", "Red"]),
];

/// The metrics of a version.
pub(super) const fn of(version: CvssVersion) -> &'static [Metric] {
    match version {
        CvssVersion::V2 => V2,
        CvssVersion::V3_0 | CvssVersion::V3_1 => V3,
        CvssVersion::V4 => V4,
    }
}
