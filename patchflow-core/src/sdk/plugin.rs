//! Plugins introduce themselves; the registry refuses, with a reason, what does not match.

use alloc::string::String;
use alloc::vec::Vec;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

/// The version of these traits. A backend's requirement is matched against it.
pub const SDK_VERSION: Version = Version::new(0, 1, 0);

/// Which trait a plugin implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PluginKind {
    /// [`super::Inventory`].
    Inventory,
    /// [`super::PatchSource`].
    PatchSource,
    /// [`super::AdvisorySource`].
    AdvisorySource,
    /// [`super::Installer`].
    Installer,
    /// [`super::HealthSource`].
    HealthSource,
    /// [`super::Probe`].
    Probe,
    /// [`super::HookRunner`].
    HookRunner,
    /// [`super::Waker`].
    Waker,
    /// [`super::Approver`].
    Approver,
    /// [`super::Notifier`].
    Notifier,
    /// [`super::JournalStore`].
    JournalStore,
}

/// How a plugin introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: Version,
    /// The versions of the SDK it works with.
    pub sdk: VersionReq,
    /// The traits it implements.
    pub kinds: Vec<PluginKind>,
    /// What it can do beyond the least, by names that its trait documents.
    pub capabilities: Vec<String>,
    /// The JSON schema of its configuration, when it takes one.
    pub configuration_schema: Option<serde_json::Value>,
}

/// Why a plugin is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// It was written for other versions of the traits.
    #[error(
        "plugin `{plugin}` works with SDK {wants}, this is {is}; use a version of the plugin built for {is}"
    )]
    Sdk {
        /// The plugin.
        plugin: String,
        /// What it asks for.
        wants: VersionReq,
        /// What there is.
        is: Version,
    },
    /// It does not implement the trait it is registered for.
    #[error("plugin `{plugin}` is registered as {wanted:?}, and its manifest does not list that")]
    Kind {
        /// The plugin.
        plugin: String,
        /// What it was registered as.
        wanted: PluginKind,
    },
    /// It lacks something the host needs.
    #[error("plugin `{plugin}` lacks the capability `{capability}` that the host needs")]
    Capability {
        /// The plugin.
        plugin: String,
        /// What is missing.
        capability: String,
    },
}

/// Whether a plugin fits: its SDK requirement, the trait it is registered for, the capabilities the host needs.
///
/// # Errors
/// The first mismatch, with what would mend it.
///
/// ```
/// use patchflow_core::sdk::{negotiate, Manifest, PluginKind};
/// let manifest = Manifest {
///     name: "acme-rmm".into(), version: "2.1.0".parse().unwrap(), sdk: "^0.1".parse().unwrap(),
///     kinds: vec![PluginKind::Installer], capabilities: vec!["rollback".into()], configuration_schema: None,
/// };
/// assert!(negotiate(&manifest, PluginKind::Installer, &["rollback"]).is_ok());
/// let refused = negotiate(&manifest, PluginKind::Installer, &["snapshot"]).unwrap_err();
/// assert_eq!(refused.to_string(), "plugin `acme-rmm` lacks the capability `snapshot` that the host needs");
/// ```
pub fn negotiate(manifest: &Manifest, wanted: PluginKind, needs: &[&str]) -> Result<(), Mismatch> {
    let plugin = || manifest.name.clone();
    if !manifest.sdk.matches(&SDK_VERSION) {
        return Err(Mismatch::Sdk { plugin: plugin(), wants: manifest.sdk.clone(), is: SDK_VERSION });
    }
    if !manifest.kinds.contains(&wanted) {
        return Err(Mismatch::Kind { plugin: plugin(), wanted });
    }
    match needs.iter().find(|need| !manifest.capabilities.iter().any(|has| has == *need)) {
        Some(missing) => Err(Mismatch::Capability { plugin: plugin(), capability: (*missing).into() }),
        None => Ok(()),
    }
}
