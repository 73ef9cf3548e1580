//! The ways back (semantics S10).

use serde::{Deserialize, Serialize};

/// How an endpoint can be brought back to the level it had before a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum RollbackPath {
    /// None is known: such an endpoint does not start unless the policy waives it by name.
    None,
    /// Install the recorded previous version; its artefact is at hand.
    Reinstall,
    /// Remove what was not there before.
    Uninstall,
    /// Switch back to the previous versioned directory or image.
    Switch,
    /// Restore a snapshot taken before the install.
    Snapshot,
}

impl RollbackPath {
    /// In words, as the subject of a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::None => "no way back",
            Self::Reinstall => "installing the previous version",
            Self::Uninstall => "uninstalling",
            Self::Switch => "switching back",
            Self::Snapshot => "restoring a snapshot",
        }
    }

    /// The path with this number in a packed member.
    pub(crate) const fn from_code(code: u16) -> Self {
        match code {
            1 => Self::Reinstall,
            2 => Self::Uninstall,
            3 => Self::Switch,
            4 => Self::Snapshot,
            // Three bits have room for more; what is not known is no way back.
            _ => Self::None,
        }
    }
}
