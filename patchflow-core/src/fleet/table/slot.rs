//! One endpoint, as far as decisions need it, in two parts: what every operation touches, and what it is.
//!
//! Operations come from anywhere in the fleet, and a core's caches hold four of the first parts in a line.

use crate::fleet::table::conditions::Bits;
use crate::ids::{Fence, MemberIx, RolloutId};
use crate::inventory::Environment;

const NOBODY: u32 = u32::MAX;

/// What an operation looks at and changes: 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    active_rollout: u32,
    active_member: u32,
    pub(crate) fence: u32,
    /// What stands against it, for a look without the table.
    pub(crate) conditions: Bits,
    pub(crate) environment: Environment,
    pub(crate) gone: bool,
    marks: u8,
}

/// It belongs to an availability group.
const GROUPED: u8 = 1;
/// It failed, or was rolled back, and was not verified since; kept only for endpoints of groups.
const BROKEN: u8 = 1 << 1;
/// It is broken only in that it was rolled back: its old level was seen.
const BACK: u8 = 1 << 2;

/// What an endpoint is, and what operations seldom look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Index into the table of attributes.
    pub(crate) attributes: u32,
    /// 1 + index into the table of calendars; 0 for the policy's own schedule.
    pub(crate) calendar: u32,
    /// 1 + index into the table of groups; 0 for none.
    pub(crate) group: u32,
    /// The fingerprint it reports under, in two halves so that a profile needs no padding; 0 when it told none.
    pub(super) fingerprint: [u32; 2],
    /// When it was last read because an order waited for that, in seconds since the fleet's epoch; 0 for never.
    pub(crate) read_at: u32,
}

/// How an endpoint fares, as its group counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It is available.
    Up,
    /// It was rolled back, and nobody has looked at it since: unavailable to whoever wants to start.
    Back,
    /// It is unavailable.
    Down,
}

const _: () = assert!(size_of::<Slot>() <= 16 && size_of::<Slot>() + size_of::<Profile>() <= 48);

/// How long an endpoint is in a baseline.
pub(in crate::fleet) const SLOT_BYTES: usize = 38;

impl Slot {
    /// One that just joined.
    pub(crate) fn new(environment: Environment) -> Self {
        Self {
            active_rollout: NOBODY,
            active_member: NOBODY,
            fence: 0,
            conditions: Bits::default(),
            environment,
            gone: false,
            marks: 0,
        }
    }

    const fn is_marked(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    fn mark(&mut self, mark: u8, marked: bool) {
        self.marks = if marked { self.marks | mark } else { self.marks & !mark };
    }

    /// Whether it belongs to an availability group.
    pub(crate) const fn is_grouped(&self) -> bool {
        self.is_marked(GROUPED)
    }

    pub(super) fn set_grouped(&mut self, grouped: bool) {
        self.mark(GROUPED, grouped);
    }

    /// Whether it failed, or was rolled back, and was not verified since; kept only for endpoints of groups.
    pub(crate) const fn is_broken(&self) -> bool {
        self.is_marked(BROKEN)
    }

    /// Whether it is broken only in that it was rolled back: its old level was seen.
    pub(crate) const fn is_back(&self) -> bool {
        self.is_marked(BACK)
    }

    pub(crate) fn set_broken(&mut self, broken: bool, back: bool) {
        self.mark(BROKEN, broken);
        self.mark(BACK, back);
    }

    /// Whether its group counts it as unavailable.
    pub(crate) fn is_down(&self) -> bool {
        self.is_broken() || self.active().is_some()
    }

    /// How its group counts it.
    pub(crate) fn health(&self) -> Health {
        match (self.is_down(), self.is_back() && self.active().is_none()) {
            (false, _) => Health::Up,
            (true, true) => Health::Back,
            (true, false) => Health::Down,
        }
    }

    /// The member whose operation has the endpoint.
    pub(crate) fn active(&self) -> Option<(RolloutId, MemberIx)> {
        (self.active_rollout != NOBODY)
            .then_some((RolloutId(self.active_rollout), MemberIx(self.active_member)))
    }

    pub(crate) fn set_active(&mut self, active: Option<(RolloutId, MemberIx)>) {
        (self.active_rollout, self.active_member) = active.map_or((NOBODY, NOBODY), |(r, m)| (r.0, m.0));
    }

    pub(crate) fn fence(&self) -> Fence {
        Fence(self.fence)
    }

    pub(crate) fn packed(&self, profile: &Profile) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        for (chunk, word) in bytes.chunks_exact_mut(4).zip([
            profile.attributes,
            self.active_rollout,
            self.active_member,
            self.fence,
            profile.calendar,
            profile.group,
            profile.fingerprint[0],
            profile.fingerprint[1],
            profile.read_at,
        ]) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes[36] = u8::from(self.environment == Environment::NonProduction);
        bytes[37] = u8::from(self.gone) | u8::from(self.is_broken()) << 1 | u8::from(self.is_back()) << 2;
        bytes
    }

    pub(crate) fn unpacked(bytes: &[u8; SLOT_BYTES]) -> (Self, Profile) {
        let word = |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        let environment = if bytes[36] == 1 { Environment::NonProduction } else { Environment::Production };
        let mut slot = Self {
            active_rollout: word(4),
            active_member: word(8),
            fence: word(12),
            gone: bytes[37] & 1 != 0,
            ..Self::new(environment)
        };
        slot.set_broken(bytes[37] & 2 != 0, bytes[37] & 4 != 0);
        let profile = Profile {
            attributes: word(0),
            calendar: word(16),
            group: word(20),
            fingerprint: [word(24), word(28)],
            read_at: word(32),
        };
        (slot, profile)
    }
}

impl Profile {
    /// The fingerprint it reports under.
    pub(crate) fn fingerprint(&self) -> Option<u64> {
        let [low, high] = self.fingerprint.map(u64::from);
        Some(high << 32 | low).filter(|fingerprint| *fingerprint != 0)
    }

    pub(super) fn set_fingerprint(&mut self, fingerprint: Option<u64>) {
        let fingerprint = fingerprint.unwrap_or(0);
        self.fingerprint = [fingerprint as u32, (fingerprint >> 32) as u32];
    }

    pub(crate) fn forget_fingerprint(&mut self) {
        self.fingerprint = [0; 2];
    }
}
