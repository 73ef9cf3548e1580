//! What can go wrong while a laboratory is made or changed.

use std::io;
use std::path::{Path, PathBuf};

/// Why a laboratory could not be made, opened or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// A finished laboratory is there already.
    #[error("`{0}` holds a laboratory already")]
    AlreadyMade(PathBuf),
    /// There is no finished laboratory.
    #[error("`{0}` holds no finished laboratory")]
    NotMade(PathBuf),
    /// Something of that name is not in the laboratory.
    #[error("the laboratory has no {0}")]
    NoSuch(String),
    /// A name, version or path that cannot be one.
    #[error("{0}")]
    Unsound(String),
    /// A tool failed.
    #[error("`{command}` failed: {said}")]
    Tool {
        /// The command line.
        command: String,
        /// The last of what it said.
        said: String,
    },
    /// A file could not be read or written.
    #[error("could not {doing} `{path}`")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl LabError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
