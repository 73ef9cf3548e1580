//! Operations on plain data: look ahead, install an exact version, bring one back, hold, reboot.
//!
//! Each decides by the package database afterwards; exit codes and messages only tell why something failed.

use super::database::{self, check_words};
use super::failure::read_failure;
use super::host::AptHost;
use super::intent::{self, Change};
use super::staged::{Approved, SPARE_BYTES, Staged};
use super::updates::{self, Simulation};
use super::{lock, repair, saved};
use patchflow_core::digest::Digest;
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use std::ffi::OsString;
use std::sync::PoisonError;

/// What apt would do, and how it is told to.
pub(super) struct Plan {
    pub(super) simulated: Simulation,
    /// Options of `apt-get`, so that it sees what it saw when it planned.
    options: Vec<String>,
    /// What staged packages take when they are unpacked, in bytes; `None` when the archive is used.
    staged_bytes: Option<u64>,
}

impl AptHost {
    /// Looks whether an install of this version would begin, and which way back there is. The file of the version
    /// that is there now is fetched for the way back, into the state directory, and package lists that do not know
    /// the new one are refreshed; nothing else changes.
    ///
    /// # Errors
    /// What stands in its way: [`FailureKind::Busy`] (a lock), [`FailureKind::Denied`] (held back, or a downgrade),
    /// [`FailureKind::Disk`], [`FailureKind::NotFound`], [`FailureKind::Dependency`] (also when packages would have to
    /// be removed), or what the dry run said. An operation that was cut off is no obstacle: an install repairs first.
    pub fn preflight_version(&self, name: &str, version: &str) -> Result<RollbackPath, Failure<'static>> {
        check_words(name, Some(version))?;
        self.look_ahead(name, version, None)
    }

    /// The same before an install of approved content, which needs no archive where it was staged.
    ///
    /// # Errors
    /// Those of [`AptHost::preflight_version`], and [`FailureKind::Corrupt`] when what was staged has changed since, or
    /// the archive has other content than was approved.
    pub fn preflight_content(
        &self,
        name: &str,
        version: &str,
        content: Digest,
    ) -> Result<RollbackPath, Failure<'static>> {
        check_words(name, Some(version))?;
        let approved = Approved { content, staged: Staged::find(self, name, version, content) };
        if let Some(staged) = &approved.staged {
            staged.check()?;
        }
        self.look_ahead(name, version, Some(&approved))
    }

    fn look_ahead(
        &self,
        name: &str,
        version: &str,
        approved: Option<&Approved>,
    ) -> Result<RollbackPath, Failure<'static>> {
        if let Some(pid) = lock::lock_holder(self) {
            return Err(Failure::new(
                FailureKind::Busy,
                format!("the package manager's lock is held by process {pid}"),
            ));
        }
        let row = database::row(self, name)?;
        if let Some(row) = &row {
            check_hold(row)?;
        }
        let already = row.as_ref().is_some_and(|row| row.version == version && row.is_intact());
        // apt does not plan over a database that is not whole.
        let whole = !database::is_interrupted(self) && repair::broken(self)?.is_empty();
        if whole && !already {
            let plan = self.plan(name, version, approved)?;
            self.check_space(&plan)?;
        }
        match row {
            None => Ok(RollbackPath::Uninstall),
            Some(row) => Ok(match saved::keep(self, name, &row.version)? {
                Some(_) => RollbackPath::Reinstall,
                None => RollbackPath::None,
            }),
        }
    }

    /// Installs exactly this version. Repairs first what an earlier operation left behind. Already there and whole is
    /// done. After a failure the packages that it touched are brought back to where they were, so that neither a
    /// retry nor other packages are blocked; after [`FailureKind::Interrupted`] the next operation does that.
    ///
    /// # Errors
    /// Why the version is not there now, by the package database. [`FailureKind::WrongLevel`] when the tools reported
    /// success and it is not.
    pub fn install_version(&self, name: &str, version: &str) -> Result<(), Failure<'static>> {
        check_words(name, Some(version))?;
        self.install_from(name, version, None)
    }

    /// The same from approved content where it was staged: the archive is not asked then. What was staged is thrown
    /// away once it is installed, and when it has changed since: the next attempt fetches anew.
    ///
    /// # Errors
    /// Those of [`AptHost::install_version`], and [`FailureKind::Corrupt`] when what was staged has changed since, or
    /// the archive has other content than was approved.
    pub fn install_content(
        &self,
        name: &str,
        version: &str,
        content: Digest,
    ) -> Result<(), Failure<'static>> {
        check_words(name, Some(version))?;
        let approved = Approved { content, staged: Staged::find(self, name, version, content) };
        if let Some(staged) = &approved.staged {
            staged.check().inspect_err(|_| staged.discard())?;
        }
        self.install_from(name, version, Some(&approved))?;
        if let Some(staged) = approved.staged {
            staged.discard();
        }
        Ok(())
    }

    fn install_from(
        &self,
        name: &str,
        version: &str,
        approved: Option<&Approved>,
    ) -> Result<(), Failure<'static>> {
        self.settle()?;
        let doubted = intent::is_doubted(self, name, version);
        if let Some(row) = database::row(self, name)? {
            check_hold(&row)?;
            if row.version == version && row.is_intact() && !doubted {
                return Ok(());
            }
            // Without a way back it goes on: whether that is allowed was decided at preflight.
            let _ = saved::keep(self, name, &row.version);
        }
        let plan = self.plan(name, version, approved)?;
        self.check_space(&plan)?;
        for step in plan.simulated.steps.iter().filter(|step| step.name != name) {
            if let Some(from) = &step.from {
                let _ = saved::keep(self, &step.name, from);
            }
        }
        let about = [OsString::from(format!("{name}={version}"))];
        let verb: &[&str] =
            if doubted { &["--no-remove", "--reinstall", "install"] } else { &["--no-remove", "install"] };
        let verb: Vec<_> = plan.options.iter().map(String::as_str).chain(verb.iter().copied()).collect();
        self.operate(&Change::of(&plan.simulated.steps), &verb, &about, name, Some(version))
    }

    /// Brings a package back to a version, from the package lists or the kept file; downgrades are what it is for.
    /// `None` removes it (its configuration files stay, as `apt-get remove` leaves them).
    ///
    /// # Errors
    /// Why the package database does not show that level now. [`FailureKind::NotFound`] when the version is neither
    /// offered nor kept; [`FailureKind::Denied`] on a hold; [`FailureKind::Dependency`] when others would have to go.
    pub fn revert_to(&self, name: &str, version: Option<&str>) -> Result<(), Failure<'static>> {
        check_words(name, version)?;
        self.settle()?;
        let row = database::row(self, name)?;
        if row.as_ref().map(|row| (row.version.as_str(), row.is_intact())) == version.map(|v| (v, true)) {
            return Ok(());
        }
        if let Some(row) = &row {
            check_hold(row)?;
        }
        let before = row.map(|row| row.version);
        let change = |from: Option<String>| vec![Change { name: name.to_owned(), from }];
        let Some(version) = version else {
            let plan = updates::simulate(self, &["remove", name])?;
            if let Some(other) = plan.removed.iter().find(|removed| *removed != name) {
                let detail = format!("`{other}` needs it and would be removed as well");
                return Err(Failure::new(FailureKind::Dependency, detail));
            }
            return self.operate(&change(before), &["remove"], &[name.into()], name, None);
        };
        let Some(word) = repair::source(self, name, version)? else {
            let detail = format!("{name} {version} is neither offered any more nor kept");
            return Err(Failure::new(FailureKind::NotFound, detail));
        };
        let verb = ["--no-remove", "--allow-downgrades", "install"];
        self.operate(&change(before), &verb, &[word], name, Some(version))
    }

    /// Holds a package at its version on the endpoint, or lets it go.
    ///
    /// # Errors
    /// When apt-mark failed, or the database shows otherwise; [`FailureKind::NotFound`] when it is not installed.
    pub fn mark_held(&self, name: &str, held: bool) -> Result<(), Failure<'static>> {
        check_words(name, None)?;
        if database::row(self, name)?.is_none() {
            return Err(Failure::new(FailureKind::NotFound, format!("{name} is not installed")));
        }
        let ran = self.run(&["apt-mark", if held { "hold" } else { "unhold" }, name])?;
        match database::row(self, name)? {
            Some(row) if row.is_held() == held => Ok(()),
            _ => Err(read_failure(&ran)),
        }
    }

    /// Reboots the endpoint by its command, and looks whether it still waits for one.
    ///
    /// # Errors
    /// [`FailureKind::Unsupported`] without a command; [`FailureKind::Other`] when it still waits for a reboot.
    pub fn reboot_now(&self) -> Result<(), Failure<'static>> {
        if self.reboot_command.is_empty() {
            return Err(Failure::new(
                FailureKind::Unsupported,
                "no reboot command is set up for this endpoint",
            ));
        }
        let ran = self.run(&self.reboot_command)?;
        if !ran.succeeded() {
            return Err(read_failure(&ran));
        }
        if self.waits_for_reboot() {
            return Err(Failure::new(FailureKind::Other, "it still waits for a reboot after its reboot"));
        }
        Ok(())
    }

    /// Whether a package has asked for a reboot that has not happened.
    #[must_use]
    pub fn waits_for_reboot(&self) -> bool {
        ["run/reboot-required", "var/run/reboot-required"].iter().any(|flag| self.path(flag).exists())
    }

    /// Refreshes the endpoint's package lists.
    ///
    /// # Errors
    /// When any list could not be fetched; apt alone would call that a success.
    pub fn refresh_lists(&self) -> Result<(), Failure<'static>> {
        let _one_at_a_time = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let ran = self.run(&[
            "apt-get",
            "-q",
            "-o",
            "APT::Update::Error-Mode=any",
            "-o",
            "Acquire::Retries=1",
            "update",
        ])?;
        if ran.succeeded() { Ok(()) } else { Err(read_failure(&ran)) }
    }

    /// Makes sure that nobody works on the endpoint, and mends what was left behind. What cannot be mended does not
    /// stand in the way of other packages; the operation then shows whether it worked.
    fn settle(&self) -> Result<(), Failure<'static>> {
        if let Some(pid) = lock::left_behind(self).first() {
            let detail = format!("process {pid} of an earlier operation is still at work");
            return Err(Failure::new(FailureKind::Busy, detail));
        }
        if lock::lock_holder(self).is_some() {
            // apt waits for the lock, and says who has it.
            return Ok(());
        }
        if database::is_interrupted(self) || !repair::broken(self)?.is_empty() {
            let mended = repair::finish(self);
            if let Err(failure) = mended {
                tracing::warn!(endpoint = %self.id, %failure, "the package database could not be made whole");
            }
        }
        Ok(())
    }

    /// What apt would do to install this version: from what was staged, or from the package lists when that alone
    /// does not do, since the endpoint has changed. A version that its lists do not know may be newer than they are.
    pub(super) fn plan(
        &self,
        name: &str,
        version: &str,
        approved: Option<&Approved>,
    ) -> Result<Plan, Failure<'static>> {
        if let Some(staged) = approved.and_then(|approved| approved.staged.as_ref()) {
            let options = staged.options();
            match self.plan_once(name, version, &options) {
                Ok(simulated) => {
                    return Ok(Plan { simulated, options, staged_bytes: Some(staged.installed_bytes()) });
                }
                Err(failure) if failure.kind == FailureKind::Dependency => {
                    tracing::info!(endpoint = %self.id, %failure, "what was staged does not do any more");
                }
                Err(failure) => return Err(failure),
            }
        }
        let from_lists = || -> Result<Plan, Failure<'static>> {
            let simulated = self.plan_once(name, version, &[])?;
            match approved {
                Some(approved) if simulated.step_of(name).is_some() => {
                    self.check_offered(name, version, approved.content)?;
                }
                Some(_) | None => {}
            }
            Ok(Plan { simulated, options: Vec::new(), staged_bytes: None })
        };
        match from_lists() {
            Err(failure)
                if matches!(failure.kind, FailureKind::NotFound | FailureKind::Corrupt) && self.refresh =>
            {
                self.refresh_lists()?;
                from_lists()
            }
            other => other,
        }
    }

    /// Whether every archive that offers this version states the approved content for it. What is fetched then is held
    /// against the lists by apt.
    fn check_offered(&self, name: &str, version: &str, content: Digest) -> Result<(), Failure<'static>> {
        let offers = updates::offers(self, &[(name, version)])?;
        let mut of_it = offers.iter().filter(|offer| offer.version == version).peekable();
        if of_it.peek().is_some() && of_it.all(|offer| offer.sha256 == Some(content)) {
            return Ok(());
        }
        let detail = format!("{name} {version}: the archive has other content than was approved");
        Err(Failure::new(FailureKind::Corrupt, detail))
    }

    fn plan_once(
        &self,
        name: &str,
        version: &str,
        options: &[String],
    ) -> Result<Simulation, Failure<'static>> {
        let about = format!("{name}={version}");
        let options = options.iter().map(String::as_str);
        let what: Vec<_> = options.chain(["--no-remove", "install", &about]).collect();
        let plan = updates::simulate(self, &what)?;
        let Some(step) = plan.step_of(name) else {
            // Its version is there already and only its configuration is not, or it is to be reinstalled.
            return Ok(plan);
        };
        if step.to != version {
            let detail = format!("apt would install {} instead of {version}", step.to);
            return Err(Failure::new(FailureKind::NotFound, detail));
        }
        if let Some(from) = &step.from {
            let is_lower = self.read(&["dpkg", "--compare-versions", version, "lt", from])?.succeeded();
            if is_lower {
                let detail =
                    format!("{version} is lower than {from}, which is there; a patch never goes back");
                return Err(Failure::new(FailureKind::Denied, detail));
            }
        }
        if let Some(removed) = plan.removed.first() {
            let detail = format!("`{removed}` would have to be removed");
            return Err(Failure::new(FailureKind::Dependency, detail));
        }
        Ok(plan)
    }

    fn check_space(&self, plan: &Plan) -> Result<(), Failure<'static>> {
        let steps = &plan.simulated.steps;
        let versions: Vec<_> = steps.iter().map(|step| (step.name.as_str(), step.to.as_str())).collect();
        // dpkg unpacks the new files beside the old ones.
        let needs = |offer: &updates::Offer| offer.size_bytes.saturating_add(offer.installed_bytes);
        let needed_bytes = match plan.staged_bytes {
            Some(bytes) => SPARE_BYTES.saturating_add(bytes),
            None => {
                let offers = updates::offers(self, &versions)?;
                offers.iter().map(needs).fold(SPARE_BYTES, u64::saturating_add)
            }
        };
        let free = rustix::fs::statvfs(&self.root).map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize));
        match free {
            Ok(free_bytes) if free_bytes < needed_bytes => Err(Failure::new(
                FailureKind::Disk,
                format!("needs {} KiB of space, {} KiB are free", needed_bytes >> 10, free_bytes >> 10),
            )),
            // A file system that does not say counts as roomy; apt and dpkg look again.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Runs one apt operation and reads what became of it.
    fn operate(
        &self,
        changes: &[Change],
        verb: &[&str],
        about: &[OsString],
        name: &str,
        version: Option<&str>,
    ) -> Result<(), Failure<'static>> {
        intent::note(self, changes)?;
        let ran = self.change(verb, about)?;
        let row = database::row(self, name)?;
        let reached = match (&row, version) {
            (Some(row), Some(version)) => row.version == version && row.is_intact(),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        // Of a package in doubt the database alone proves nothing.
        let doubted = version.is_some_and(|version| intent::is_doubted(self, name, version));
        if reached && !database::is_interrupted(self) && (!doubted || ran.succeeded()) {
            intent::trust(self, name);
            intent::forget(self);
            return Ok(());
        }
        if ran.succeeded() {
            intent::forget(self);
            let is = row.map_or("is not installed".to_owned(), |row| format!("is at {}", row.version));
            return Err(Failure::new(
                FailureKind::WrongLevel,
                format!("apt-get reported success, but {name} {is}"),
            ));
        }
        let mut failure = read_failure(&ran);
        if failure.kind == FailureKind::Interrupted {
            // Something of it may still run. The note stays, and the next operation mends it.
            return Err(failure);
        }
        if let Err(rest) = repair::take_back(self, changes) {
            failure.detail = format!("{}; {}", failure.detail, rest.detail).into();
        }
        Err(failure)
    }
}

/// An install never breaks a hold: apt would, and drop it.
fn check_hold(row: &database::Row) -> Result<(), Failure<'static>> {
    if row.is_held() {
        let detail = format!("{} is held at {} on the endpoint", row.name, row.version);
        return Err(Failure::new(FailureKind::Denied, detail));
    }
    Ok(())
}
