//! Content for hosts that no line reaches: a directory that is carried there, and says what is in it.
//!
//! ```text
//! bundle/bundle.json       what it holds, in the order of installing: files, sizes, digests, for whom
//! bundle/index.json        the repository's own index, and its signature when it has one
//! bundle/shop-1.2.0.tar.gz
//! ```
//!
//! A bundle is a repository of its own, so a signed index stays signed.

use super::bounded::read_bounded;
use super::index::INDEX_BYTES_MAX;
use super::io_failure;
use super::repository::Repository;
use crate::local::{digest_of, replace_file};
use patchflow_core::digest::Digest;
use patchflow_core::report::{BundleItem, StagingBundle};
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleFile {
    /// Its name in the bundle's directory.
    pub file: String,
    /// Its size, in bytes.
    pub bytes: u64,
    /// What it is, and for whom.
    pub item: BundleItem,
}

/// What is wrong with a bundle, by the name of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleFlaw {
    /// A file cannot be read, or is not there.
    #[error("`{file}` cannot be read: {why}")]
    Missing {
        /// The file.
        file: String,
        /// What the system says.
        why: String,
    },
    /// A file is not what was written.
    #[error("`{file}` was changed: {found} instead of {wanted}")]
    Changed {
        /// The file.
        file: String,
        /// What it should be.
        wanted: Digest,
        /// What it is.
        found: Digest,
    },
    /// The list of its files cannot be read.
    #[error("`bundle.json`: {0}")]
    Unreadable(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BundleText {
    format: u32,
    files: Vec<BundleFile>,
}

/// A bundle that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    dir: PathBuf,
    files: Vec<BundleFile>,
}

impl Bundle {
    /// Writes what is wanted into a directory, each file checked as it is copied. The list comes last: a directory
    /// without it is no bundle.
    ///
    /// # Errors
    /// Content that the repository does not have or that is not what was approved, the file system.
    pub fn write(
        wanted: &StagingBundle,
        from: &Repository,
        into: impl Into<PathBuf>,
    ) -> Result<Self, Failure<'static>> {
        let dir = into.into();
        let writing = |error: io::Error| io_failure("writing the bundle", &error);
        fs::create_dir_all(&dir).map_err(writing)?;
        let mut files = Vec::with_capacity(wanted.items.len());
        for item in &wanted.items {
            let release = from.find(&item.target.package.name, &item.target.version)?;
            if release.sha256 != item.content {
                let detail = format!("{}: the repository has other content than was approved", item.target);
                return Err(Failure::new(FailureKind::Corrupt, detail));
            }
            let mut file = File::create(dir.join(&release.file)).map_err(writing)?;
            from.fetch(&release, &mut file)?;
            file.sync_all().map_err(writing)?;
            files.push(BundleFile { file: release.file, bytes: release.archive_bytes, item: item.clone() });
        }
        for name in ["index.json", "index.json.sig"] {
            match read_bounded(&from.dir().join(name), INDEX_BYTES_MAX) {
                Ok(text) => replace_file(&dir.join(name), &text).map_err(writing)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(writing(error)),
            }
        }
        let text = BundleText { format: FORMAT, files };
        let bytes = serde_json::to_vec_pretty(&text).map_err(|error| writing(io::Error::other(error)))?;
        replace_file(&dir.join("bundle.json"), &bytes).map_err(writing)?;
        Ok(Self { dir, files: text.files })
    }

    /// Reads a bundle and checks every file of it.
    ///
    /// # Errors
    /// Every file that is missing or was changed, by its name.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, Vec<BundleFlaw>> {
        let dir = dir.into();
        let unreadable = |why: String| vec![BundleFlaw::Unreadable(why)];
        let text = read_bounded(&dir.join("bundle.json"), INDEX_BYTES_MAX)
            .map_err(|error| unreadable(error.to_string()))?;
        let text: BundleText =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if text.format != FORMAT {
            return Err(unreadable(format!("format {}, this program reads {FORMAT}", text.format)));
        }
        let flaws: Vec<_> = text.files.iter().filter_map(|file| flaw_of(&dir, file)).collect();
        if flaws.is_empty() { Ok(Self { dir, files: text.files }) } else { Err(flaws) }
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its files, in the order of installing.
    #[must_use]
    pub fn files(&self) -> &[BundleFile] {
        &self.files
    }

    /// It as a repository, for [`ArtifactBackend::stage_from`](super::ArtifactBackend::stage_from).
    #[must_use]
    pub fn repository(&self) -> Repository {
        Repository::open(&self.dir)
    }
}

fn flaw_of(dir: &Path, BundleFile { file, item, .. }: &BundleFile) -> Option<BundleFlaw> {
    let missing = |why: String| Some(BundleFlaw::Missing { file: file.clone(), why });
    if !super::is_plain_name(file) {
        return missing("its name is no plain name of a file".into());
    }
    match digest_of(&dir.join(file)) {
        Err(error) => missing(error.to_string()),
        Ok(found) if found == item.content => None,
        Ok(found) => Some(BundleFlaw::Changed { file: file.clone(), wanted: item.content, found }),
    }
}
