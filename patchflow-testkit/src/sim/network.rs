//! What happens to messages on their way between host and endpoints.

/// Shares are in thousandths; everything zero is a network without faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Messages that never arrive.
    pub lost_permille: u32,
    /// Messages that arrive twice, the second time late.
    pub doubled_permille: u32,
    /// Messages that arrive late, and so perhaps after others that left later.
    pub late_permille: u32,
    /// How late at most, in seconds.
    pub late_secs_max: u32,
}

impl Network {
    /// Whether every message arrives once and at once.
    #[must_use]
    pub const fn is_faultless(&self) -> bool {
        self.lost_permille == 0 && self.doubled_permille == 0 && self.late_permille == 0
    }
}
