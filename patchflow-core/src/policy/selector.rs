//! Which endpoints are meant: by scope, by tag, and by any combination of both (semantics S1).

use super::Say;
use crate::inventory::{Attributes, ScopePath};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Which endpoints are meant.
///
/// ```
/// use patchflow_core::inventory::{Attributes, ScopePath};
/// use patchflow_core::policy::Selector;
/// let tag = |value: &str| Selector::Tag { name: "role".into(), value: value.into() };
/// let calm = Selector::AllOf {
///     of: vec![
///         Selector::Scope { within: ScopePath("acme".into()) },
///         Selector::Not { of: Box::new(Selector::AnyOf { of: vec![tag("db"), tag("dc")] }) },
///     ],
/// };
/// let web = Attributes { scope: ScopePath("acme/berlin".into()), tags: [("role".into(), "web".into())].into(), ..Attributes::default() };
/// let db = Attributes { tags: [("role".into(), "db".into())].into(), ..web.clone() };
/// assert!(calm.takes(&web) && !calm.takes(&db));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "select", rename_all = "snake_case")]
pub enum Selector {
    /// Every endpoint.
    #[default]
    All,
    /// Endpoints within a scope.
    Scope {
        /// The scope.
        within: ScopePath,
    },
    /// Endpoints that carry a tag with this value.
    Tag {
        /// The tag.
        name: String,
        /// Its value.
        value: String,
    },
    /// Endpoints that at least one of these takes; of none, nobody.
    AnyOf {
        /// The selectors; not empty.
        of: Vec<Selector>,
    },
    /// Endpoints that every one of these takes.
    AllOf {
        /// The selectors; not empty.
        of: Vec<Selector>,
    },
    /// Endpoints that this one does not take.
    Not {
        /// The selector.
        of: Box<Selector>,
    },
}

impl Selector {
    /// Whether the selector takes an endpoint with these attributes.
    #[must_use]
    pub fn takes(&self, attributes: &Attributes) -> bool {
        match self {
            Self::All => true,
            Self::Scope { within } => attributes.scope.is_within(within),
            Self::Tag { name, value } => attributes.tags.get(name) == Some(value),
            Self::AnyOf { of } => of.iter().any(|selector| selector.takes(attributes)),
            Self::AllOf { of } => of.iter().all(|selector| selector.takes(attributes)),
            Self::Not { of } => !of.takes(attributes),
        }
    }

    /// Says what in it can never be meant: an empty list, a tag without a name.
    pub(crate) fn check(&self, path: &str, say: &mut Say<'_>) {
        match self {
            Self::All | Self::Scope { .. } => {}
            Self::Tag { name, .. } if name.is_empty() => {
                say(format!("{path}.name"), "a tag has a name");
            }
            Self::Tag { .. } => {}
            Self::AnyOf { of } | Self::AllOf { of } => {
                if of.is_empty() {
                    say(format!("{path}.of"), "an empty list of selectors means nothing; name one at least");
                }
                for (i, selector) in of.iter().enumerate() {
                    selector.check(&format!("{path}.of[{i}]"), say);
                }
            }
            Self::Not { of } => of.check(&format!("{path}.of"), say),
        }
    }
}
