//! Times, durations and names as people read them.

use patchflow_core::gate::Counts;
use patchflow_core::time::Timestamp;

/// `2026-11-21 08:30:00`; the page says once that all times are UTC.
pub(super) fn instant(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).map_or_else(|| text.clone(), |cut| cut.replace('T', " "))
}

/// The time of the day alone.
pub(super) fn time_of_day(at: Timestamp) -> String {
    instant(at).split(' ').next_back().unwrap_or("").to_owned()
}

/// The two greatest units: `42 s`, `3 min 20 s`, `5 h 12 min`, `3 d 4 h`.
pub(super) fn duration(secs: u64) -> String {
    let (minutes, hours, days) = (secs / 60, secs / 3600, secs / 86_400);
    let two = |n: u64, unit: &str, rest: u64, small: &str| {
        if rest == 0 { format!("{n} {unit}") } else { format!("{n} {unit} {rest} {small}") }
    };
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => two(minutes, "min", secs % 60, "s"),
        3600..86_400 => two(hours, "h", minutes % 60, "min"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

/// Below ten seconds with a decimal place, for accelerated runs.
pub(super) fn span(from: Timestamp, until: Timestamp) -> String {
    let millis = until.since(from).as_millis();
    if millis < 10_000 {
        format!("{}.{} s", millis / 1000, millis % 1000 / 100)
    } else {
        duration(until.since(from).as_secs())
    }
}

/// The classes of a count that are not empty, with the name that is also their style.
pub(super) fn classes(counts: &Counts) -> Vec<(&'static str, u32)> {
    let Counts { waiting, in_flight, verified, failed, unknown, deferred, skipped, cancelled, held, removed } =
        *counts;
    [
        ("verified", verified),
        ("failed", failed),
        ("unknown", unknown),
        ("in flight", in_flight),
        ("held", held),
        ("waiting", waiting),
        ("deferred", deferred),
        ("cancelled", cancelled),
        ("skipped", skipped),
        ("removed", removed),
    ]
    .into_iter()
    .filter(|(_, n)| *n > 0)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_two_units() {
        for (secs, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (200, "3 min 20 s"),
            (3599, "59 min 59 s"),
            (3600, "1 h"),
            (18_720, "5 h 12 min"),
            (86_400, "1 d"),
            (273_600, "3 d 4 h"),
        ] {
            assert_eq!(duration(secs), text);
        }
        let t = Timestamp::from_millis(0);
        assert_eq!(span(t, Timestamp::from_millis(1550)), "1.5 s");
        assert_eq!(span(t, Timestamp::from_millis(61_000)), "1 min 1 s");
        assert_eq!(instant("2026-11-21T08:30:00.123Z".parse().unwrap()), "2026-11-21 08:30:00");
        assert_eq!(time_of_day("2026-11-21T08:30:00.123Z".parse().unwrap()), "08:30:00");
    }
}
