//! Names of things: small integer indices inside a fleet, interned text at its edge.
//!
//! A fleet hands out dense indices ([`EndpointIx`], [`CandidateId`], [`RolloutId`], [`MemberIx`]) and everything
//! hot is keyed by them; the host's own names ([`EndpointId`]) stand beside and are looked up only at the edge.
//! This module holds no state and mints nothing: the fleet does.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The index as a `usize`, for slices.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

index!(
    /// One fleet: the unit of consistency, with one writer and one journal stream. Chosen by the host.
    FleetId(u64), "fleet-"
);
index!(
    /// An endpoint's dense slot in its fleet. Never used again for another endpoint within one [`Generation`].
    EndpointIx(u32), "e"
);
index!(
    /// A candidate of a fleet: one patch in one content revision on its way through the pipeline.
    CandidateId(u32), "c"
);
index!(
    /// A rollout (or a trial, which is a rollout over non-production endpoints) of a fleet.
    RolloutId(u32), "r"
);
index!(
    /// A member of a rollout: the position of an endpoint in the rollout's plan.
    MemberIx(u32), "m"
);
index!(
    /// A question to an approver; the answer names it.
    AskId(u32), "ask-"
);
index!(
    /// An endpoint's slot in an inventory index; used again once its endpoint is gone.
    RecordIx(u32), "i"
);
index!(
    /// One distinct version of one package on one platform, in an inventory index; used again once nobody has it.
    SoftwareIx(u32), "s"
);
index!(
    /// How often the indices of a fleet have been dealt anew; rises only with a baseline that drops slots.
    Generation(u16), "g"
);
index!(
    /// The position of a fact in its fleet's journal, from 1. `Seq(0)` stands before the first fact.
    Seq(u64), "#"
);
index!(
    /// How often the thing a request names (a candidate, a rollout, the fleet) has been changed by a rich fact.
    Revision(u32), "rev-"
);
index!(
    /// A fence: orders for one endpoint carry rising fences, and an installer refuses a lower one.
    Fence(u32), "fence-"
);

impl Seq {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The identity of one order: derived from what it is for, never drawn.
///
/// It carries indices, so a report needs no string look-up, and the same decision taken twice has the same id.
///
/// ```
/// use patchflow_core::ids::{FleetId, Generation, MemberIx, OrderId, RolloutId};
/// let id = OrderId { fleet: FleetId(7), generation: Generation(0), rollout: RolloutId(2), member: MemberIx(15), operation: 1 };
/// assert_eq!(id.to_string(), "7.0.2.15.1");
/// assert_eq!("7.0.2.15.1".parse::<OrderId>().unwrap(), id);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId {
    /// The fleet that decided.
    pub fleet: FleetId,
    /// The generation of the indices below.
    pub generation: Generation,
    /// The rollout or trial.
    pub rollout: RolloutId,
    /// The member of the rollout.
    pub member: MemberIx,
    /// The how-manieth order for this member, from 1 to 255.
    pub operation: u8,
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fleet, generation, rollout, member, operation } = self;
        write!(f, "{}.{}.{}.{}.{operation}", fleet.0, generation.0, rollout.0, member.0)
    }
}

/// A text that is not an [`OrderId`]: five whole numbers joined by dots were expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an order id: expected fleet.generation.rollout.member.operation, five whole numbers")]
pub struct BadOrderId(pub String);

impl FromStr for OrderId {
    type Err = BadOrderId;

    fn from_str(text: &str) -> Result<Self, BadOrderId> {
        let bad = || BadOrderId(text.chars().take(80).collect());
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or_else(bad);
        let id = Self {
            fleet: FleetId(next()?.parse().map_err(|_| bad())?),
            generation: Generation(next()?.parse().map_err(|_| bad())?),
            rollout: RolloutId(next()?.parse().map_err(|_| bad())?),
            member: MemberIx(next()?.parse().map_err(|_| bad())?),
            operation: next()?.parse().map_err(|_| bad())?,
        };
        if parts.next().is_some() { Err(bad()) } else { Ok(id) }
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident($text:ty)) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($text);

        impl $name {
            /// Takes a name over from the host.
            #[must_use]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(<$text>::from(text.into()))
            }

            /// The text as the host wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(<$text>::from(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(<$text>::from(text))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// The host's own name of an endpoint, unique within its fleet. Up to 23 bytes stand in the value itself; a longer
    /// one is shared.
    EndpointId(SmolStr)
);

/// Three words: the engine keeps one for each endpoint.
const _: () = assert!(size_of::<EndpointId>() <= 24);

impl EndpointId {
    /// Its first byte, so that whoever asks has fetched it.
    #[inline]
    pub(crate) fn first(&self) -> u8 {
        self.0.as_bytes().first().copied().unwrap_or(0)
    }
}

text_id!(
    /// The id of a request; the same id again returns the first result and does nothing.
    RequestId(Arc<str>)
);
text_id!(
    /// The host's own name of a patch (an advisory number, a KB number, `package=version`), unique in its source.
    PatchId(Arc<str>)
);

/// Who asks: a name for the record and the roles under which this person or service acts.
///
/// The host authenticates; the engine only compares names and roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The name that stands in the journal.
    pub name: Arc<str>,
    /// Roles held at the time of the request, as the host's directory says.
    pub roles: alloc::vec::Vec<Arc<str>>,
}

impl Actor {
    /// An actor with some roles.
    ///
    /// ```
    /// use patchflow_core::ids::Actor;
    /// assert!(Actor::new("ada", ["change-manager"]).has_role("change-manager"));
    /// ```
    pub fn new<'a>(name: impl Into<Arc<str>>, roles: impl IntoIterator<Item = &'a str>) -> Self {
        Self { name: name.into(), roles: roles.into_iter().map(Arc::from).collect() }
    }

    /// Whether the actor held this role when asking.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| &**held == role)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
