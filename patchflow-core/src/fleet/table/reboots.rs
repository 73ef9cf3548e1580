//! When endpoints were last ordered to reboot: what the breaker counts.

use crate::ids::EndpointIx;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

const DAY_SECS: u32 = 24 * 60 * 60;
/// As many as a policy may allow in 24 hours.
const KEPT: usize = crate::policy::REBOOTS_MAX as usize;

/// The last reboots of each endpoint, the latest first, in seconds since the fleet's epoch plus 1; 0 for none.
#[derive(Debug, Default)]
pub(crate) struct RebootLog {
    of: BTreeMap<EndpointIx, [u32; KEPT]>,
}

impl RebootLog {
    /// Notes a reboot. What is older than a day is dropped whenever the log has doubled.
    pub(crate) fn note(&mut self, endpoint: EndpointIx, secs: u32) {
        let known = self.of.entry(endpoint).or_default();
        known.rotate_right(1);
        known[0] = secs.saturating_add(1);
        if self.of.len().is_power_of_two() {
            self.of.retain(|_, times| is_recent(times[0], secs));
        }
    }

    /// How many there were within the 24 hours before an instant.
    pub(crate) fn within_a_day(&self, endpoint: EndpointIx, secs: u32) -> usize {
        self.of.get(&endpoint).map_or(0, |times| times.iter().filter(|time| is_recent(**time, secs)).count())
    }

    pub(crate) fn all(&self) -> Vec<(EndpointIx, [u32; KEPT])> {
        self.of.iter().map(|(ix, times)| (*ix, *times)).collect()
    }

    pub(crate) fn restored(all: Vec<(EndpointIx, [u32; KEPT])>) -> Self {
        Self { of: all.into_iter().collect() }
    }
}

/// Exactly 24 hours ago is no longer within them.
fn is_recent(time: u32, now: u32) -> bool {
    time != 0 && now - now.min(time - 1) < DAY_SECS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reboot_counts_for_24_hours_and_not_a_second_longer() {
        let mut log = RebootLog::default();
        log.note(EndpointIx(1), 0);
        log.note(EndpointIx(1), 100);
        assert_eq!(log.within_a_day(EndpointIx(1), DAY_SECS - 1), 2);
        assert_eq!(log.within_a_day(EndpointIx(1), DAY_SECS), 1);
        assert_eq!(log.within_a_day(EndpointIx(1), DAY_SECS + 100), 0);
        assert_eq!(log.within_a_day(EndpointIx(2), 100), 0);
    }

    #[test]
    fn what_is_old_is_dropped() {
        let mut log = RebootLog::default();
        (0..200).for_each(|i| log.note(EndpointIx(i), i * DAY_SECS));
        assert!(log.all().len() <= 2, "{}", log.all().len());
    }
}
