//! Patches from what endpoints' own archives offer, with the words of an advisories file.
//!
//! apt's package lists say which version is newest, where it comes from, and its hash; they say nothing about
//! severity or CVE numbers. Those come from a JSON file beside the repository, or stay unknown: rules that read them
//! then hold.

use super::host::AptHost;
use super::record::deb;
use super::updates;
use crate::thread::on_thread;
use async_trait::async_trait;
use patchflow_core::catalog::{Category, Patch, RebootBehaviour, Relations, Severity, Target};
use patchflow_core::ids::PatchId;
use patchflow_core::inventory::AvailableUpdate;
use patchflow_core::sdk::{BackendError, Cursor, Manifest, Page, PatchSource, PluginKind, PublishedPatch};
use patchflow_core::time::Timestamp;
use semver::{Version, VersionReq};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One entry of an advisories file, a JSON list. Unknown fields are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Advisory {
    /// The vendor's number of it, such as `DSA-5678-1`.
    pub id: String,
    /// The package.
    pub package: String,
    /// The version that it is about.
    pub version: String,
    /// One line for people.
    #[serde(default)]
    pub title: Option<String>,
    /// `low`, `moderate`, `high` or `critical`; unknown when it is left out.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// `security`, `bugfix`, `feature`, `driver` or `firmware`; what the archive suggests when it is left out.
    #[serde(default)]
    pub category: Option<Category>,
    /// CVE numbers.
    #[serde(default)]
    pub cves: Vec<String>,
    /// When it was released, in RFC 3339; unknown when it is left out.
    #[serde(default)]
    pub released: Option<Timestamp>,
    /// Whether it asks for a reboot.
    #[serde(default)]
    pub reboot: bool,
    /// Patches that it replaces, as `package=version`.
    #[serde(default)]
    pub supersedes: Vec<PatchId>,
}

/// A record that could not be read, and was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Which record: `advisories[3]`, or `package=version`.
    pub record: String,
    /// Why.
    pub reason: String,
}

/// Reads what some endpoints are offered. It need not be all of a fleet: one endpoint for each set of archives will do.
///
/// A patch that no archive of these endpoints offers any more is withdrawn. Cursors are good for this process only;
/// after a restart everything is published again, which changes nothing for whoever has it.
#[derive(Debug)]
pub struct AptSource {
    hosts: Vec<AptHost>,
    advisories: Option<PathBuf>,
    shared: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Tells this process's cursors from others'.
    era: String,
    last: u64,
    /// When each patch last changed, and what it is; `None` when it was withdrawn.
    patches: BTreeMap<PatchId, (u64, Option<Patch>)>,
    unread: Vec<Unread>,
}

impl AptSource {
    /// A source over some endpoints, without advisories: every severity is then unknown.
    pub fn new(hosts: impl IntoIterator<Item = AptHost>) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let era = format!("{}-{}", since.as_nanos(), std::process::id());
        let shared = Arc::new(Mutex::new(Seen { era, ..Seen::default() }));
        Self { hosts: hosts.into_iter().collect(), advisories: None, shared }
    }

    /// With a file of advisories: a JSON list of [`Advisory`].
    #[must_use]
    pub fn with_advisories(mut self, file: impl Into<PathBuf>) -> Self {
        self.advisories = Some(file.into());
        self
    }

    /// Records that the last reading left out.
    #[must_use]
    pub fn unread(&self) -> Vec<Unread> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).unread.clone()
    }

    /// What the endpoints are offered now, blocking.
    ///
    /// # Errors
    /// When the advisories file is no JSON list, or no endpoint could be read.
    pub fn read(&self) -> Result<(Vec<Patch>, Vec<Unread>), BackendError> {
        read(&self.hosts, self.advisories.as_ref())
    }
}

fn read(hosts: &[AptHost], file: Option<&PathBuf>) -> Result<(Vec<Patch>, Vec<Unread>), BackendError> {
    let mut unread = Vec::new();
    let advisories = match file {
        Some(file) => read_advisories(file, &mut unread)?,
        None => BTreeMap::new(),
    };
    let mut patches: BTreeMap<PatchId, Patch> = BTreeMap::new();
    let mut failures = Vec::new();
    for host in hosts {
        let refreshed = if host.refresh { host.refresh_lists() } else { Ok(()) };
        let offered = match refreshed.and_then(|()| host.available()) {
            Ok(offered) => offered,
            Err(failure) => {
                failures.push(failure.to_string());
                unread.push(Unread { record: host.id.to_string(), reason: failure.to_string() });
                continue;
            }
        };
        let versions: Vec<_> = offered.iter().map(|u| (u.package.name.as_str(), u.to.as_str())).collect();
        let offers = match updates::offers(host, &versions) {
            Ok(offers) => offers,
            Err(failure) => {
                failures.push(failure.to_string());
                unread.push(Unread { record: host.id.to_string(), reason: failure.to_string() });
                continue;
            }
        };
        for update in offered {
            let name = update.package.name.split(':').next().unwrap_or_default().to_owned();
            let id = PatchId::from(format!("{name}={}", update.to));
            if patches.contains_key(&id) {
                continue;
            }
            let offer = offers.iter().find(|offer| offer.name == name && offer.version == update.to);
            let content = offer.and_then(|offer| offer.sha256);
            let Some(content) = content else {
                let reason =
                    "its archive states no SHA-256 of it, so no approval could be bound to it".to_owned();
                unread.push(Unread { record: id.to_string(), reason });
                continue;
            };
            let advisory = advisories.get(&(name.clone(), update.to.clone()));
            patches.insert(id.clone(), patch(id, &name, update, advisory, content));
        }
    }
    match failures.into_iter().next() {
        Some(first) if failures_are_all(hosts, &unread) => Err(BackendError::retryable(
            format!("no endpoint could be read: {first}"),
            Duration::from_secs(60),
        )),
        _ => Ok((patches.into_values().collect(), unread)),
    }
}

fn failures_are_all(hosts: &[AptHost], unread: &[Unread]) -> bool {
    hosts.iter().all(|host| unread.iter().any(|record| record.record == host.id.as_str()))
}

fn patch(
    id: PatchId,
    name: &str,
    update: AvailableUpdate,
    advisory: Option<&Advisory>,
    content: patchflow_core::digest::Digest,
) -> Patch {
    let suggested = if update.security { Category::Security } else { Category::Bugfix };
    let said = |title: &str| format!("{}: {title}", advisory.map_or("", |advisory| &advisory.id));
    let title = advisory.and_then(|advisory| advisory.title.as_deref());
    Patch {
        title: title.map_or_else(|| format!("{name} {}", update.to), said),
        id,
        category: advisory.and_then(|advisory| advisory.category).unwrap_or(suggested),
        severity: advisory.and_then(|advisory| advisory.severity).unwrap_or(Severity::Unknown),
        cves: advisory.map(|advisory| advisory.cves.clone()).unwrap_or_default(),
        released: advisory.and_then(|advisory| advisory.released),
        disclosed: None,
        exploited: None,
        closes: Vec::new(),
        platform: None,
        reboot: match advisory {
            Some(advisory) if advisory.reboot => RebootBehaviour::Required,
            _ => RebootBehaviour::Possible,
        },
        relations: Relations {
            supersedes: advisory.map(|advisory| advisory.supersedes.clone()).unwrap_or_default(),
            ..Relations::default()
        },
        content,
        source: format!("apt {}", update.suite),
        target: Target { package: deb(name), version: update.to },
    }
}

type Advisories = BTreeMap<(String, String), Advisory>;

fn read_advisories(file: &PathBuf, unread: &mut Vec<Unread>) -> Result<Advisories, BackendError> {
    let text = std::fs::read(file).map_err(|error| {
        let doing = format!("read the advisories `{}`", file.display());
        BackendError::retryable(doing, Duration::from_secs(60)).because(error)
    })?;
    let records: Vec<serde_json::Value> = serde_json::from_slice(&text).map_err(|error| {
        BackendError::lasting(format!("read the advisories `{}` as a JSON list", file.display()))
            .because(error)
    })?;
    let mut advisories = BTreeMap::new();
    for (index, record) in records.into_iter().enumerate() {
        match serde_json::from_value::<Advisory>(record) {
            Ok(advisory) => {
                advisories.insert((advisory.package.clone(), advisory.version.clone()), advisory);
            }
            Err(error) => {
                unread.push(Unread { record: format!("advisories[{index}]"), reason: error.to_string() })
            }
        }
    }
    Ok(advisories)
}

impl Seen {
    /// Takes a reading in: what is new or changed, and what is gone, gets a number above all before.
    fn take(&mut self, patches: Vec<Patch>, unread: Vec<Unread>, complete: bool) {
        self.unread = unread;
        let offered: BTreeMap<PatchId, Patch> =
            patches.into_iter().map(|patch| (patch.id.clone(), patch)).collect();
        let known: Vec<PatchId> = self.patches.keys().cloned().collect();
        for id in known.into_iter().filter(|id| complete && !offered.contains_key(id)) {
            self.change(id, None);
        }
        for (id, patch) in offered {
            self.change(id, Some(patch));
        }
    }

    fn change(&mut self, id: PatchId, patch: Option<Patch>) {
        if self.patches.get(&id).is_some_and(|(_, known)| *known == patch) {
            return;
        }
        self.last += 1;
        self.patches.insert(id, (self.last, patch));
    }

    fn page(&self, since: Option<&Cursor>, limit: usize) -> Page<PublishedPatch> {
        let own =
            since.and_then(|cursor| cursor.0.strip_prefix(&self.era)?.strip_prefix('.')?.parse::<u64>().ok());
        let since = own.unwrap_or(0);
        let mut newer: Vec<_> = self.patches.iter().filter(|(_, (at, _))| *at > since).collect();
        newer.sort_by_key(|(_, (at, _))| *at);
        let more = newer.len() > limit.max(1);
        newer.truncate(limit.max(1));
        let next = newer.last().map_or(since, |(_, (at, _))| *at);
        let item = |(id, (_, patch)): (&PatchId, &(u64, Option<Patch>))| match patch {
            Some(patch) => PublishedPatch::Published(Box::new(patch.clone())),
            None => {
                let reason = "no archive of these endpoints offers it any more".to_owned();
                PublishedPatch::Withdrawn { id: id.clone(), reason }
            }
        };
        Page {
            items: newer.into_iter().map(item).collect(),
            next: Cursor(format!("{}.{next}", self.era)),
            more,
        }
    }
}

#[async_trait]
impl PatchSource for AptSource {
    fn manifest(&self) -> Manifest {
        Manifest {
            name: "apt".to_owned(),
            version: Version::new(0, 1, 0),
            sdk: VersionReq::parse("^0.1").unwrap_or_default(),
            kinds: vec![PluginKind::PatchSource],
            capabilities: Vec::new(),
            configuration_schema: None,
        }
    }

    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<PublishedPatch>, BackendError> {
        let (hosts, advisories) = (self.hosts.clone(), self.advisories.clone());
        let shared = Arc::clone(&self.shared);
        let since = since.cloned();
        let known: Vec<Patch> = {
            let seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
            seen.patches.values().filter_map(|(_, patch)| patch.clone()).collect()
        };
        on_thread("patchflow-apt-source", move || {
            let (mut patches, unread) = read(&hosts, advisories.as_ref())?;
            let complete =
                !hosts.iter().any(|host| unread.iter().any(|record| record.record == host.id.as_str()));
            // Every endpoint may have it already: then it is offered as an update to none, and still there.
            for patch in known {
                if !patches.iter().any(|offered| offered.id == patch.id) && still_offered(&hosts, &patch) {
                    patches.push(patch);
                }
            }
            let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
            seen.take(patches, unread, complete);
            Ok(seen.page(since.as_ref(), limit))
        })
        .await?
    }
}

fn still_offered(hosts: &[AptHost], patch: &Patch) -> bool {
    let Target { package, version } = &patch.target;
    // What cannot be asked is not taken for an answer.
    hosts
        .iter()
        .any(|host| updates::offer(host, &package.name, version).map_or(true, |offer| offer.is_some()))
}
