//! The numbers a host runs under. Each has a default with its reason; zero is refused where it would stop the work.

use std::time::Duration;

/// Limits and time-outs of one [`Host`](super::Host).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLimits {
    /// Messages from handles that wait to be looked at; callers beyond wait.
    pub inbox_messages_max: usize,
    /// Observations of one fleet that wait to be taken in; above it the sources of that fleet are not read.
    pub queued_observations_max: usize,
    /// Facts of one fleet that wait to be stored; above it the fleet takes nothing more in.
    pub unstored_facts_max: usize,
    /// Effects of one fleet that wait or are under way; above it the fleet takes requests in but no observations.
    pub open_effects_max: usize,
    /// Fleets that are kept in memory; idle ones above it are dropped and loaded again when something is due.
    pub loaded_fleets_max: usize,
    /// Fleets that are loaded at the same time.
    pub loads_in_flight_max: usize,
    /// Payload bytes asked of the store in one read.
    pub read_bytes_max: usize,
    /// Fleets whose appends share one commit.
    pub commit_fleets_max: usize,
    /// How long the first append waits for others to share its commit. Without it they share the time in which the
    /// commit before is under way, which is enough wherever a commit takes longer than a decision.
    pub commit_linger: Duration,
    /// Tries of one append before its fleet is dropped from memory and replayed from the store.
    pub append_tries_max: u32,
    /// How often within ten minutes another writer may get in between before the fleet is left to it.
    pub conflicts_max: u32,
    /// Facts between two baselines.
    pub baseline_every_facts: u64,
    /// Orders in one call of an installer.
    pub orders_batch_max: usize,
    /// Queries in one call of an installer.
    pub queries_batch_max: usize,
    /// Endpoints in one call of an inventory and its probes.
    pub inspections_batch_max: usize,
    /// Notices in one call of a notifier.
    pub notices_batch_max: usize,
    /// Calls of one kind (submit, recall, query, inspect, ask, notify) under way at the same time, for each set of
    /// backends.
    pub calls_in_flight_max: usize,
    /// How long an append may take before its outcome counts as not known.
    pub append_timeout: Duration,
    /// How long a read of the store may take.
    pub read_timeout: Duration,
    /// How long an installer may take to take orders, recalls or queries; an approver or notifier to answer.
    pub call_timeout: Duration,
    /// How long an inventory and its probes may take for one batch.
    pub inspect_timeout: Duration,
    /// How often new alerts of an open ring are asked for.
    pub alerts_every: Duration,
    /// Rounds of identification under way at the same time, of different fleets.
    pub rounds_in_flight_max: usize,
    /// How long a round may take before it is given up; what it read is kept.
    pub round_timeout: Duration,
    /// The first wait after a failure; doubled for each further one.
    pub backoff: Duration,
    /// The longest wait after a failure.
    pub backoff_max: Duration,
    /// How long a graceful stop waits for calls that are under way.
    pub stop_grace: Duration,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            inbox_messages_max: 1024,
            // Some seconds of reports of a large fleet.
            queued_observations_max: 16_384,
            // 1 MiB of facts of endpoints.
            unstored_facts_max: 65_536,
            open_effects_max: 16_384,
            loaded_fleets_max: 20_000,
            // More only compete for the same disk.
            loads_in_flight_max: 4,
            read_bytes_max: 4 << 20,
            commit_fleets_max: 1024,
            commit_linger: Duration::ZERO,
            // With the waits below about two minutes.
            append_tries_max: 10,
            conflicts_max: 3,
            // About a megabyte of journal, replayed in a few milliseconds.
            baseline_every_facts: 100_000,
            orders_batch_max: 256,
            queries_batch_max: 1024,
            inspections_batch_max: 64,
            notices_batch_max: 64,
            calls_in_flight_max: 8,
            append_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(60),
            call_timeout: Duration::from_secs(60),
            // Smoke tests of applications take their time.
            inspect_timeout: Duration::from_secs(600),
            // Often enough for the shortest bakes, seldom enough for the systems that are asked.
            alerts_every: Duration::from_secs(300),
            // They share one future with everything else, and the memory of what they compare.
            rounds_in_flight_max: 4,
            // A first reading of a hundred thousand endpoints over a slow line.
            round_timeout: Duration::from_secs(3600),
            backoff: Duration::from_millis(250),
            backoff_max: Duration::from_secs(30),
            stop_grace: Duration::from_secs(30),
        }
    }
}

impl HostLimits {
    /// The wait after so many failures in a row, from 1.
    pub(super) fn wait_after(&self, failures: u32) -> Duration {
        let doubled = self.backoff.saturating_mul(1_u32 << failures.saturating_sub(1).min(16));
        doubled.min(self.backoff_max)
    }

    /// The first limit that would stop all work.
    pub(super) fn zero(&self) -> Option<&'static str> {
        let counts = [
            (self.inbox_messages_max, "inbox_messages_max"),
            (self.queued_observations_max, "queued_observations_max"),
            (self.unstored_facts_max, "unstored_facts_max"),
            (self.open_effects_max, "open_effects_max"),
            (self.loaded_fleets_max, "loaded_fleets_max"),
            (self.loads_in_flight_max, "loads_in_flight_max"),
            (self.read_bytes_max, "read_bytes_max"),
            (self.commit_fleets_max, "commit_fleets_max"),
            (self.append_tries_max as usize, "append_tries_max"),
            (self.conflicts_max as usize, "conflicts_max"),
            (usize::from(self.baseline_every_facts != 0), "baseline_every_facts"),
            (self.orders_batch_max, "orders_batch_max"),
            (self.queries_batch_max, "queries_batch_max"),
            (self.inspections_batch_max, "inspections_batch_max"),
            (self.notices_batch_max, "notices_batch_max"),
            (self.calls_in_flight_max, "calls_in_flight_max"),
            (self.rounds_in_flight_max, "rounds_in_flight_max"),
        ];
        let times = [
            (self.append_timeout, "append_timeout"),
            (self.read_timeout, "read_timeout"),
            (self.call_timeout, "call_timeout"),
            (self.inspect_timeout, "inspect_timeout"),
            (self.alerts_every, "alerts_every"),
            (self.round_timeout, "round_timeout"),
            (self.backoff, "backoff"),
            (self.backoff_max, "backoff_max"),
        ];
        let count = counts.iter().find(|(count, _)| *count == 0).map(|(_, name)| *name);
        // The clock counts milliseconds: less than one would be none.
        let time = times.iter().find(|(time, _)| time.as_millis() == 0).map(|(_, name)| *name);
        count.or(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let limits = HostLimits::default();
        let waits: Vec<_> = (1..=9).map(|n| limits.wait_after(n).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(limits.wait_after(u32::MAX), limits.backoff_max);
    }

    #[test]
    fn a_limit_of_zero_is_named() {
        assert_eq!(HostLimits::default().zero(), None);
        assert_eq!(HostLimits { orders_batch_max: 0, ..Default::default() }.zero(), Some("orders_batch_max"));
        let timeout = Duration::from_micros(10);
        assert_eq!(HostLimits { call_timeout: timeout, ..Default::default() }.zero(), Some("call_timeout"));
    }
}
