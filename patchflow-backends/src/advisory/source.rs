//! Feeds for the driver: files that are read again when they change, and records that the host hands over itself.
//!
//! Both keep what they handed on, so that a cursor asks for what is new since. Cursors are good for one process; after a
//! restart everything is handed on again, which changes nothing for whoever has it.

use super::{Collected, Feed, Limits, Note, read_path};
use crate::thread::on_thread;
use async_trait::async_trait;
use patchflow_core::catalog::{Advisory, Patch, Provenance};
use patchflow_core::ids::PatchId;
use patchflow_core::package::Platform;
use patchflow_core::sdk::{
    AdvisorySource, BackendError, Clock, Cursor, Manifest, Page, PatchSource, PluginKind, PublishedAdvisory,
    PublishedPatch,
};
use semver::{Version, VersionReq};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Feed and record.
type RecordKey = (Arc<str>, Arc<str>);

/// Items by their keys, each with the number of its last change; `None` where it is gone.
#[derive(Debug)]
struct Kept<K, V> {
    /// Tells this process's cursors from others'.
    era: String,
    last: u64,
    items: BTreeMap<K, (u64, Option<V>)>,
    /// Keys by the numbers of their last changes: a page costs what it holds.
    changes: BTreeMap<u64, K>,
}

impl<K: Ord + Clone, V: PartialEq + Clone> Kept<K, V> {
    fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let era = format!("{}-{}", since.as_nanos(), std::process::id());
        Self { era, last: 0, items: BTreeMap::new(), changes: BTreeMap::new() }
    }

    fn set(&mut self, key: K, item: Option<V>) {
        if self.items.get(&key).map(|(_, known)| known.as_ref()) == Some(item.as_ref()) {
            return;
        }
        self.last += 1;
        self.changes.insert(self.last, key.clone());
        if let Some((before, _)) = self.items.insert(key, (self.last, item)) {
            self.changes.remove(&before);
        }
    }

    /// Takes in all there is: what is not among it is gone.
    fn set_all(&mut self, all: BTreeMap<K, V>) {
        let standing = self.items.iter().filter(|(_, (_, item))| item.is_some()).map(|(key, _)| key);
        let gone: Vec<K> = standing.filter(|key| !all.contains_key(*key)).cloned().collect();
        gone.into_iter().for_each(|key| self.set(key, None));
        all.into_iter().for_each(|(key, item)| self.set(key, Some(item)));
    }

    /// Whether a cursor stands in the middle of a pass.
    fn is_behind(&self, cursor: Option<&Cursor>) -> bool {
        cursor.is_some() && self.place(cursor) < self.last
    }

    /// The change that a cursor of this process stands for.
    fn place(&self, cursor: Option<&Cursor>) -> u64 {
        let own = cursor.and_then(|cursor| cursor.0.strip_prefix(&self.era)?.strip_prefix('.')?.parse().ok());
        own.unwrap_or(0)
    }

    fn page<T>(
        &self,
        since: Option<&Cursor>,
        limit: usize,
        told: impl Fn(&K, Option<&V>) -> Vec<T>,
    ) -> Page<T> {
        let since = self.place(since);
        let mut newer = self.changes.range(since.saturating_add(1)..);
        let (mut items, mut next) = (Vec::new(), since);
        for (at, key) in newer.by_ref().take(limit.max(1)) {
            next = *at;
            items.extend(self.items.get(key).map(|(_, item)| told(key, item.as_ref())).into_iter().flatten());
        }
        let more = newer.next().is_some();
        Page { items, next: Cursor(format!("{}.{next}", self.era)), more }
    }
}

fn manifest(name: &str, kinds: Vec<PluginKind>) -> Manifest {
    Manifest {
        name: name.to_owned(),
        version: Version::new(0, 1, 0),
        sdk: VersionReq::parse("^0.1").unwrap_or_default(),
        kinds,
        capabilities: Vec::new(),
        configuration_schema: None,
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A record's advisories: a CSAF document speaks of several weaknesses.
type Records = Kept<RecordKey, Vec<Arc<Advisory>>>;

fn key_of(advisory: &Advisory) -> RecordKey {
    match advisory.provenance.iter().min() {
        Some(Provenance { feed, record, .. }) => (feed.clone(), record.clone()),
        None => ("".into(), advisory.id.clone()),
    }
}

fn page_of(kept: &Records, since: Option<&Cursor>, limit: usize) -> Page<PublishedAdvisory> {
    kept.page(since, limit, |(feed, record), advisories| match advisories {
        Some(advisories) => {
            // What the record said before and says no more is gone with it.
            let gone = PublishedAdvisory::Gone { feed: feed.clone(), record: record.clone() };
            let published = advisories.iter().map(|one| PublishedAdvisory::Published(one.clone()));
            core::iter::once(gone).chain(published).collect()
        }
        None => vec![PublishedAdvisory::Gone { feed: feed.clone(), record: record.clone() }],
    })
}

/// A file, an archive or a folder of advisories, in any format that [`read_path`] knows; read again when a file of it
/// has changed. Where the format speaks of patches too (updateinfo, updates of Windows), it is a source of patches.
///
/// A path that is not there, or that cannot be read to its end, is an error of the page: what was read before stands.
pub struct FeedFiles {
    name: Arc<str>,
    path: PathBuf,
    platform: Option<Platform>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    shared: Arc<Mutex<Files>>,
}

struct Files {
    advisories: Records,
    patches: Kept<PatchId, Patch>,
    /// Names, sizes and times of the files when they were read.
    print: Option<BTreeSet<(PathBuf, u64, Option<SystemTime>)>>,
    notes: Vec<Note>,
}

impl FeedFiles {
    /// A feed under a name, which stands in every provenance. Dates after the clock's now are not believed.
    pub fn new(name: impl Into<Arc<str>>, path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        let files = Files { advisories: Kept::new(), patches: Kept::new(), print: None, notes: Vec::new() };
        Self {
            name: name.into(),
            path: path.into(),
            platform: None,
            limits: Limits::default(),
            clock,
            shared: Arc::new(Mutex::new(files)),
        }
    }

    /// With the platform of its packages, for formats that do not say it themselves.
    #[must_use]
    pub fn on(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What the last reading told of records that it could not read as they stand.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        locked(&self.shared).notes.clone()
    }

    /// Reads again what has changed, on a thread of its own.
    async fn refresh(&self) -> Result<(), BackendError> {
        let mut feed = Feed::new(self.name.clone(), self.clock.now());
        feed.platform.clone_from(&self.platform);
        let (path, limits, shared) = (self.path.clone(), self.limits.clone(), Arc::clone(&self.shared));
        on_thread("patchflow-feed", move || read_again(&path, &feed, &limits, &shared)).await?
    }
}

fn read_again(path: &Path, feed: &Feed, limits: &Limits, shared: &Mutex<Files>) -> Result<(), BackendError> {
    let failed = || {
        let doing = format!("read the feed `{}` from `{}`", feed.name, path.display());
        BackendError::retryable(doing, Duration::from_secs(60))
    };
    let print = print_of(path, limits.files_max).map_err(|error| failed().because(error))?;
    if locked(shared).print.as_ref() == Some(&print) {
        return Ok(());
    }
    let mut read = Collected::default();
    read_path(path, feed, limits, &mut read).map_err(|error| failed().because(error))?;
    let mut advisories: BTreeMap<RecordKey, Vec<Arc<Advisory>>> = BTreeMap::new();
    for advisory in read.advisories {
        advisories.entry(key_of(&advisory)).or_default().push(Arc::new(advisory));
    }
    let patches = read.patches.into_iter().map(|patch| (patch.id.clone(), patch)).collect();
    let mut files = locked(shared);
    files.advisories.set_all(advisories);
    files.patches.set_all(patches);
    files.notes = read.notes;
    files.print = Some(print);
    Ok(())
}

/// What tells whether a file, or one of a folder, has changed.
fn print_of(path: &Path, files_max: usize) -> std::io::Result<BTreeSet<(PathBuf, u64, Option<SystemTime>)>> {
    let mut found = BTreeSet::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let about = fs::metadata(&path)?;
        if about.is_dir() && found.len() < files_max {
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                // Links are not followed, as in reading.
                if !entry.file_type()?.is_symlink() {
                    open.push(entry.path());
                }
            }
        } else if about.is_file() {
            found.insert((path, about.len(), about.modified().ok()));
        }
    }
    Ok(found)
}

#[async_trait]
impl AdvisorySource for FeedFiles {
    fn manifest(&self) -> Manifest {
        manifest(&self.name, vec![PluginKind::AdvisorySource, PluginKind::PatchSource])
    }

    async fn page(
        &self,
        since: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<PublishedAdvisory>, BackendError> {
        // In the middle of a pass nothing is read again.
        let is_behind = locked(&self.shared).advisories.is_behind(since);
        if !is_behind {
            self.refresh().await?;
        }
        Ok(page_of(&locked(&self.shared).advisories, since, limit))
    }
}

#[async_trait]
impl PatchSource for FeedFiles {
    fn manifest(&self) -> Manifest {
        AdvisorySource::manifest(self)
    }

    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<PublishedPatch>, BackendError> {
        let is_behind = locked(&self.shared).patches.is_behind(since);
        if !is_behind {
            self.refresh().await?;
        }
        Ok(locked(&self.shared).patches.page(since, limit, |id, patch| {
            let gone = || PublishedPatch::Withdrawn {
                id: id.clone(),
                reason: "the feed does not publish it any more".to_owned(),
            };
            vec![patch.map_or_else(gone, |patch| PublishedPatch::Published(Box::new(patch.clone())))]
        }))
    }
}

/// Records that the host hands over itself, from wherever it has them.
///
/// ```
/// use patchflow_backends::advisory::FeedRecords;
/// use patchflow_core::catalog::{Advisory, Provenance};
/// let feed = FeedRecords::new("own analysis");
/// let provenance = vec![Provenance { feed: "own analysis".into(), record: "note 7".into(), modified: None }];
/// feed.publish(Advisory { provenance, ..Advisory::new("CVE-2026-1") });
/// feed.remove("note 7");
/// ```
#[derive(Debug)]
pub struct FeedRecords {
    name: Arc<str>,
    shared: Mutex<Records>,
}

impl FeedRecords {
    /// A feed under a name. Records without a provenance get it, and their own name as the record's.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), shared: Mutex::new(Kept::new()) }
    }

    /// Publishes a record, in the place of what it said before.
    pub fn publish(&self, mut advisory: Advisory) {
        if advisory.provenance.is_empty() {
            let (feed, record) = (self.name.clone(), advisory.id.clone());
            advisory.provenance.push(Provenance { feed, record, modified: None });
        }
        locked(&self.shared).set(key_of(&advisory), Some(vec![Arc::new(advisory)]));
    }

    /// Takes a record out, by its name.
    pub fn remove(&self, record: &str) {
        let mut records = locked(&self.shared);
        let named: Vec<RecordKey> = records.items.keys().filter(|key| *key.1 == *record).cloned().collect();
        named.into_iter().for_each(|key| records.set(key, None));
    }
}

#[async_trait]
impl AdvisorySource for FeedRecords {
    fn manifest(&self) -> Manifest {
        manifest(&self.name, vec![PluginKind::AdvisorySource])
    }

    async fn page(
        &self,
        since: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<PublishedAdvisory>, BackendError> {
        Ok(page_of(&locked(&self.shared), since, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_each_key_once_at_its_last_change() {
        let mut kept: Kept<&str, u8> = Kept::new();
        [("a", 1), ("b", 2), ("c", 3), ("a", 4)]
            .into_iter()
            .for_each(|(key, item)| kept.set(key, Some(item)));
        fn told(key: &&'static str, item: Option<&u8>) -> Vec<(&'static str, Option<u8>)> {
            vec![(*key, item.copied())]
        }
        let first = kept.page(None, 2, told);
        assert_eq!((first.items, first.more), (vec![("b", Some(2)), ("c", Some(3))], true));
        assert!(kept.is_behind(Some(&first.next)) && !kept.is_behind(None));
        let rest = kept.page(Some(&first.next), 2, told);
        assert_eq!((rest.items, rest.more), (vec![("a", Some(4))], false));
        assert!(!kept.is_behind(Some(&rest.next)));
        // The same again is no change; what is gone is told.
        kept.set("b", Some(2));
        assert!(kept.page(Some(&rest.next), 2, told).items.is_empty());
        kept.set_all([("a", 4)].into());
        assert_eq!(kept.page(Some(&rest.next), 9, told).items, [("b", None), ("c", None)]);
        assert_eq!(kept.page(Some(&Cursor("elsewhere.1".into())), 9, told).items.len(), 3);
    }
}
