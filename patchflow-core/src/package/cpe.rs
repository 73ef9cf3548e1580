//! CPE names, version 2.3, as far as matching needs them.

use alloc::string::String;
use alloc::sync::Arc;
use serde::{Deserialize, Serialize};

/// A CPE 2.3 name in its formatted form, such as `cpe:2.3:a:7-zip:7-zip:23.01:*:*:*:*:*:*:*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cpe(Arc<str>);

/// A text that is no CPE name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a CPE 2.3 name: {why}")]
pub struct BadCpe {
    /// The text, cut after 80 characters.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Cpe {
    /// Reads a name.
    ///
    /// # Errors
    /// [`BadCpe`] when it does not begin as one.
    pub fn new(text: &str) -> Result<Self, BadCpe> {
        if text.starts_with("cpe:2.3:") {
            return Ok(Self(text.into()));
        }
        Err(BadCpe { text: text.chars().take(80).collect(), why: "it does not begin with `cpe:2.3:`" })
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
