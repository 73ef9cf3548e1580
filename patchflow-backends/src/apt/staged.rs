//! Package files that lie on an endpoint before their order (semantics S4): one version with what it needs, fetched
//! and hashed beforehand, and installed from there without the archive.
//!
//! One folder for each content that was approved, named by its digest: the files under apt's own names, and a list of
//! them. It is made aside, under a lock, and gets its name when it is whole on the disk, so a crash leaves nothing
//! that is taken for staged. What a folder holds is hashed anew each time it is told of or installed from.
//!
//! Installing from it, apt is shown these files and what is installed, and no package lists: it can choose nothing
//! else, also when the archive has moved on since.

use super::database::{self, check_words};
use super::failure::read_failure;
use super::host::AptHost;
use super::updates::{self, Offer, bare};
use super::{lock, saved};
use crate::local::{digest_of, sync_dir};
use patchflow_core::digest::Digest;
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The list of files in a folder, one a line: digest, bytes installed, name, version, file. The first is what was
/// approved.
const LIST: &str = "packages";

/// How names of folders begin that are not whole, or are going.
const ASIDE: &str = ".aside-";

/// Space that must stay free beside what a package says it needs, in bytes: for dpkg's own database and logs.
pub(super) const SPARE_BYTES: u64 = 4 << 20;

/// Content that was approved, and where it was staged.
pub(super) struct Approved {
    pub(super) content: Digest,
    pub(super) staged: Option<Staged>,
}

/// A folder of staged content.
#[derive(Clone, Debug)]
pub(super) struct Staged {
    folder: PathBuf,
    /// Without package lists, apt looks here for them.
    no_lists: PathBuf,
    files: Vec<StagedFile>,
}

#[derive(Clone, Debug)]
struct StagedFile {
    digest: Digest,
    installed_bytes: u64,
    name: String,
    version: String,
    path: PathBuf,
}

impl StagedFile {
    fn parse(folder: &Path, line: &str) -> Option<Self> {
        let mut words = line.split('\t');
        let (digest, installed_bytes) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (name, version, file) = (words.next()?.to_owned(), words.next()?.to_owned(), words.next()?);
        let is_plain = !file.starts_with('.') && !file.contains('/') && file.ends_with(".deb");
        is_plain.then(|| Self { digest, installed_bytes, name, version, path: folder.join(file) })
    }
}

impl Staged {
    /// What was staged for this version under this content; whether it is still whole, [`Staged::check`] says.
    pub(super) fn find(host: &AptHost, name: &str, version: &str, content: Digest) -> Option<Self> {
        let folder = host.staged_dir().join(content.to_string());
        let list = fs::read_to_string(folder.join(LIST)).ok()?;
        let files: Option<Vec<_>> = list.lines().map(|line| StagedFile::parse(&folder, line)).collect();
        let no_lists = host.staged_dir().join("no-lists");
        let staged = Self { folder, no_lists, files: files? };
        let first = staged.files.first()?;
        (first.digest == content && first.name == bare(name) && first.version == version).then_some(staged)
    }

    /// Hashes every file anew, and gives the digest of the one that was approved.
    ///
    /// # Errors
    /// [`FailureKind::Corrupt`] for a file that is not as it was staged.
    pub(super) fn check(&self) -> Result<Digest, Failure<'static>> {
        let corrupt = |detail: String| Failure::new(FailureKind::Corrupt, detail);
        for file in &self.files {
            let shown = file.path.file_name().unwrap_or_default().to_string_lossy();
            let found = digest_of(&file.path)
                .map_err(|error| corrupt(format!("the staged `{shown}` cannot be read: {error}")))?;
            if found != file.digest {
                return Err(corrupt(format!("the staged `{shown}` has changed since it was staged")));
            }
        }
        let first = self.files.first().map(|file| file.digest);
        first.ok_or_else(|| corrupt("nothing was staged".to_owned()))
    }

    /// Options under which apt knows these files and what is installed, and nothing else.
    pub(super) fn options(&self) -> Vec<String> {
        let lists = format!("Dir::State::Lists={}/", self.no_lists.display());
        let fixed = [
            lists.as_str(),
            "Dir::Etc::SourceList=/dev/null",
            "Dir::Etc::SourceParts=/dev/null",
            // Its caches speak of the lists: they are neither read nor written.
            "Dir::Cache::pkgcache=",
            "Dir::Cache::srcpkgcache=",
        ];
        let fixed = fixed.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]);
        let files = self.files.iter().map(|file| file.path.display().to_string());
        fixed.chain(files.flat_map(|file| ["--with-source".to_owned(), file])).collect()
    }

    /// What the packages take when they are unpacked, in bytes.
    pub(super) fn installed_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.installed_bytes).fold(0, u64::saturating_add)
    }

    pub(super) fn discard(&self) {
        discard(&self.folder);
    }
}

/// The list goes first: without it nothing is staged.
fn discard(folder: &Path) {
    for removed in [fs::remove_file(folder.join(LIST)), fs::remove_dir_all(folder)] {
        match removed {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %folder.display(), %error, "staged content could not be thrown away");
            }
        }
    }
}

/// A version with what it needs, by name and version, and what the package lists state of them.
struct Wanted {
    packages: Vec<(String, String)>,
    offers: Vec<Offer>,
}

fn unwritten(error: &io::Error) -> Failure<'static> {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FailureKind::Disk,
        io::ErrorKind::PermissionDenied => FailureKind::Denied,
        _ => FailureKind::Other,
    };
    Failure::new(kind, format!("the content could not be put in place: {error}"))
}

impl AptHost {
    /// Fetches a version and what it needs beyond what is installed, puts the files aside on the endpoint, and
    /// returns the digest of the version's own file, read from the disk. Installs nothing and locks nothing of apt's.
    /// Files that lie there already are read and not fetched again. The file of the version that is there now is kept
    /// for the way back.
    ///
    /// `content` is the SHA-256 of the approved package file. Each file must have a digest that the endpoint's
    /// (signed) package lists state for it.
    ///
    /// # Errors
    /// [`FailureKind::NotFound`] (no such version), [`FailureKind::Corrupt`] (the archive has other content than was
    /// approved, or than its lists say), [`FailureKind::Network`], [`FailureKind::Disk`],
    /// [`FailureKind::Dependency`], [`FailureKind::Denied`] (a downgrade), and [`FailureKind::Busy`] when it cannot be
    /// told what is needed, since an operation is at work or was cut off.
    pub fn stage_version(
        &self,
        name: &str,
        version: &str,
        content: Digest,
    ) -> Result<Digest, Failure<'static>> {
        check_words(name, Some(version))?;
        let _one_at_a_time = self.staging_lock().map_err(|error| unwritten(&error))?;
        if let Some(staged) = Staged::find(self, name, version, content) {
            match staged.check() {
                Ok(digest) => return Ok(digest),
                Err(failure) => {
                    tracing::warn!(endpoint = %self.id, %failure, "staged content is brought anew");
                }
            }
        }
        discard(&self.staged_dir().join(content.to_string()));
        self.fetch_staged(name, version, content)
    }

    /// Throws staged content away, when it is there. One that is on its way has come to its end before.
    pub fn unstage_content(&self, content: Digest) {
        let folder = self.staged_dir().join(content.to_string());
        if !self.staged_dir().exists() {
            return;
        }
        match self.staging_lock() {
            Ok(_one_at_a_time) => discard(&folder),
            Err(error) => {
                tracing::warn!(path = %folder.display(), %error, "staged content could not be thrown away");
            }
        }
    }

    /// One staging at a time on an endpoint, also between processes. What an earlier one left unfinished is thrown
    /// away.
    fn staging_lock(&self) -> io::Result<File> {
        let dir = self.staged_dir();
        fs::create_dir_all(dir.join("no-lists"))?;
        let lock = File::options().create(true).truncate(false).write(true).open(dir.join("lock"))?;
        lock.lock()?;
        for entry in fs::read_dir(&dir)?.filter_map(Result::ok) {
            if entry.file_name().to_string_lossy().starts_with(ASIDE) {
                discard(&entry.path());
            }
        }
        Ok(lock)
    }

    fn fetch_staged(&self, name: &str, version: &str, content: Digest) -> Result<Digest, Failure<'static>> {
        let wanted = self.wanted(name, version, content)?;
        self.check_room(wanted.offers.iter().map(|offer| offer.size_bytes).fold(0, u64::saturating_add))?;
        let folder = self.staged_dir().join(content.to_string());
        let aside = self.staged_dir().join(format!("{ASIDE}{content}"));
        fs::create_dir(&aside).map_err(|error| unwritten(&error))?;
        let fetched = self.fetch_aside(&aside, &wanted, content).and_then(|()| {
            let named = fs::rename(&aside, &folder).and_then(|()| sync_dir(&self.staged_dir()));
            named.map_err(|error| unwritten(&error))
        });
        if let Err(failure) = fetched {
            discard(&aside);
            return Err(failure);
        }
        for (name, _) in &wanted.packages {
            // For the way back, when the archive is out of reach later. Whether there is one is asked before the
            // install.
            if let Ok(Some(row)) = database::row(self, name) {
                let _ = saved::keep(self, name, &row.version);
            }
        }
        // What lies there now, and not what was to be fetched.
        let gone = || Failure::new(FailureKind::Interrupted, "the staged content was thrown away meanwhile");
        Staged::find(self, name, version, content).ok_or_else(gone)?.check()
    }

    /// The version and what it needs, and what the lists say of them.
    fn wanted(&self, name: &str, version: &str, content: Digest) -> Result<Wanted, Failure<'static>> {
        let approved = Approved { content, staged: None };
        let plan = self.plan(name, version, Some(&approved)).map_err(|failure| self.busy_or(failure))?;
        let mut wanted = vec![(name.to_owned(), version.to_owned())];
        let others = plan.simulated.steps.into_iter().filter(|step| bare(&step.name) != bare(name));
        wanted.extend(others.map(|step| (step.name, step.to)));
        let asked: Vec<_> = wanted.iter().map(|(name, version)| (name.as_str(), version.as_str())).collect();
        let offers = updates::offers(self, &asked)?;
        Ok(Wanted { packages: wanted, offers })
    }

    /// What stands in the way of a plan while an operation is under way is that operation.
    fn busy_or(&self, failure: Failure<'static>) -> Failure<'static> {
        let at_work = lock::lock_holder(self).is_some() || database::is_interrupted(self);
        if at_work && matches!(failure.kind, FailureKind::Dependency | FailureKind::Interrupted) {
            let detail = format!("an operation is under way or was cut off: {}", failure.detail);
            return Failure::new(FailureKind::Busy, detail);
        }
        failure
    }

    fn check_room(&self, bytes: u64) -> Result<(), Failure<'static>> {
        let needed = bytes.saturating_add(SPARE_BYTES);
        match rustix::fs::statvfs(&self.state_dir).map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize)) {
            Ok(free) if free < needed => Err(Failure::new(
                FailureKind::Disk,
                format!("staging needs {} KiB of space, {} KiB are free", needed >> 10, free >> 10),
            )),
            // A file system that does not say counts as roomy; the writing shows.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Fetches the files into a folder, compares each with what the lists state, and writes the list of them.
    fn fetch_aside(&self, aside: &Path, wanted: &Wanted, content: Digest) -> Result<(), Failure<'static>> {
        let Wanted { packages, offers } = wanted;
        let words: Vec<_> = packages.iter().map(|(name, version)| format!("{name}={version}")).collect();
        let fixed = ["apt-get", "-q", "-o", "Acquire::Retries=1", "download"];
        let argv: Vec<_> = fixed.into_iter().chain(words.iter().map(String::as_str)).collect();
        let ran = self.run_in(aside, &argv)?;
        let mut lines = Vec::new();
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(aside).map_err(|error| unwritten(&error))?.filter_map(Result::ok) {
            let (path, file) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if !file.ends_with(".deb") {
                continue;
            }
            File::open(&path).and_then(|file| file.sync_all()).map_err(|error| unwritten(&error))?;
            let digest = digest_of(&path).map_err(|error| unwritten(&error))?;
            let Some(offer) = offers.iter().find(|offer| offer.sha256 == Some(digest)) else {
                let detail = format!("`{file}` has a digest that the package lists do not state for it");
                return Err(Failure::new(FailureKind::Corrupt, detail));
            };
            found.insert((offer.name.as_str(), offer.version.as_str()));
            let Offer { name, version, installed_bytes, .. } = offer;
            // What was approved comes first.
            let line = format!("{digest}\t{installed_bytes}\t{name}\t{version}\t{file}\n");
            lines.push((digest != content, line));
        }
        let is_found = |(name, version): &(String, String)| found.contains(&(bare(name), version.as_str()));
        if !packages.iter().all(is_found) || !lines.iter().any(|(is_other, _)| !is_other) {
            let mut failure = read_failure(&ran);
            if ran.succeeded() {
                let detail = "apt-get reported success, but did not fetch what was approved";
                failure = Failure::new(FailureKind::Corrupt, detail);
            }
            return Err(failure);
        }
        lines.sort();
        let list: String = lines.into_iter().map(|(_, line)| line).collect();
        let write = || {
            let mut file = File::create(aside.join(LIST))?;
            file.write_all(list.as_bytes())?;
            file.sync_all()?;
            sync_dir(aside)
        };
        write().map_err(|error| unwritten(&error))
    }
}
