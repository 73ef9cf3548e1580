//! The inventory of an endpoint: what is installed, what its archives offer, how far it is patched.

use super::database::{self, check_words};
use super::host::AptHost;
use super::intent;
use super::updates::{self, Step};
use patchflow_core::inventory::{AvailableUpdate, EndpointRecord, InstalledSoftware, PatchLevel};
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::rollout::{Failure, Level};
use patchflow_core::time::Timestamp;
use std::fs;
use std::time::UNIX_EPOCH;

impl AptHost {
    /// Everything about the endpoint, read now.
    ///
    /// # Errors
    /// When the package lists could not be refreshed (with [`AptHost::refresh`]), or the database or the offered
    /// updates could not be read: a record without its updates would look like one that needs none.
    pub fn read_record(&self, now: Timestamp) -> Result<EndpointRecord, Failure<'static>> {
        if self.refresh {
            self.refresh_lists()?;
        }
        let rows = database::rows(self)?;
        let available = self.available()?;
        let security = available.iter().filter(|update| update.security).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let broken = rows.iter().filter(|row| !self.is_whole(row)).map(|row| deb(&row.name)).collect();
        let patch_level = PatchLevel {
            pending_security: count(security),
            pending_other: count(available.len() - security),
            last_updated: database::last_unpacked(self).and_then(|at| {
                let since = at.duration_since(UNIX_EPOCH).ok()?;
                Some(Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?))
            }),
            broken,
        };
        Ok(EndpointRecord {
            os: self.os(),
            scope: self.scope.clone(),
            tags: self.tags.clone(),
            fingerprint: self.machine_id(),
            installed: self.software(rows),
            available,
            patch_level,
            reboot_required: self.waits_for_reboot(),
            ..EndpointRecord::new(self.id.clone(), self.environment, now)
        })
    }

    /// What is installed, whole or not, without asking for updates.
    ///
    /// # Errors
    /// When the package database cannot be read.
    pub fn installed(&self) -> Result<Vec<InstalledSoftware>, Failure<'static>> {
        Ok(self.software(database::rows(self)?))
    }

    fn software(&self, rows: Vec<database::Row>) -> Vec<InstalledSoftware> {
        let software = rows.into_iter().map(|row| InstalledSoftware {
            intact: self.is_whole(&row),
            held: row.is_held(),
            built_from: row.built_from(),
            arch: row.arch,
            ..InstalledSoftware::new(deb(&row.name), row.version)
        });
        software.collect()
    }

    /// Updates that the endpoint's archives offer to packages that are there. What would be new is not an update.
    ///
    /// # Errors
    /// What the simulation said.
    pub fn available(&self) -> Result<Vec<AvailableUpdate>, Failure<'static>> {
        let plan = updates::simulate(self, &["dist-upgrade"])?;
        let updates = plan.steps.into_iter().filter(|step| step.from.is_some());
        Ok(updates.map(|step| self.update(step)).collect())
    }

    fn update(&self, step: Step) -> AvailableUpdate {
        let is_security = |(label, suite): &&(String, String)| {
            let text = format!("{label} {suite}").to_lowercase();
            self.security_words.iter().any(|word| text.contains(&word.to_lowercase()))
        };
        let security = step.archives.iter().find(is_security);
        // Offered by several archives: the one that makes it urgent is named.
        let (origin, suite) = security.or(step.archives.first()).cloned().unwrap_or_default();
        let security = security.is_some();
        AvailableUpdate { package: deb(&step.name), from: step.from, to: step.to, suite, origin, security }
    }

    /// The level of one package, from the database.
    #[must_use]
    pub fn read_level(&self, name: &str) -> Level<'static> {
        match check_words(name, None).and_then(|()| database::row(self, name)) {
            Ok(Some(row)) => Level::Version { intact: self.is_whole(&row), version: row.version.into() },
            Ok(None) => Level::Absent,
            Err(failure) => Level::Unreadable { detail: failure.detail },
        }
    }

    /// Whether dpkg calls a package installed, and nothing is known that speaks against it.
    fn is_whole(&self, row: &database::Row) -> bool {
        row.is_intact() && !intent::is_doubted(self, &row.name, &row.version)
    }

    /// What systemd drew when the machine was installed, in 32 hexadecimal digits; an image that is to be cloned has none.
    pub(crate) fn machine_id(&self) -> Option<String> {
        let text = fs::read_to_string(self.path("etc/machine-id")).ok()?;
        let id = text.trim();
        let is_one = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| id.to_owned())
    }

    /// Such as `debian 12`; empty when the endpoint does not say.
    pub(crate) fn os(&self) -> String {
        let files = ["etc/os-release", "usr/lib/os-release"];
        let text = files.iter().find_map(|file| fs::read_to_string(self.path(file)).ok()).unwrap_or_default();
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
        };
        format!("{} {}", field("ID"), field("VERSION_ID")).trim().to_owned()
    }
}

/// A Debian package.
pub(super) fn deb(name: &str) -> PackageName {
    PackageName::new(Ecosystem::Deb, name)
}
