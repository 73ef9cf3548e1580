//! A virtual endpoint: what it is, what stands on it, and what it will do.

use super::{Agent, Behaviour, Operation};
use patchflow_core::fleet::{EndpointSeen, NeedSeen, Standing};
use patchflow_core::ids::{EndpointId, EndpointIx};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{Health, Level};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One virtual endpoint.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The host's name.
    pub id: EndpointId,
    /// Production unless said otherwise.
    pub environment: Environment,
    /// Where it belongs.
    pub scope: ScopePath,
    /// Attributes.
    pub tags: BTreeMap<String, String>,
    /// The calendar of the policy that it goes by, when it names one.
    pub calendar: Option<Arc<str>>,
    /// The availability group it belongs to.
    pub group: Option<Arc<str>>,
    /// What tells the machine itself from another one under its name.
    pub fingerprint: Option<String>,
    /// Another patch manager that is active there.
    pub managed_by: Option<String>,
    /// Whether it is not in service yet.
    pub onboarding: bool,
    /// What is installed, by package name.
    pub levels: BTreeMap<String, String>,
    /// Packages that are not there and should be: a patch of one is missing, not inapplicable.
    pub wants: BTreeSet<String>,
    /// Packages that are half installed.
    pub broken: BTreeSet<String>,
    /// The way back that is known for it.
    pub path: RollbackPath,
    /// Until when that way back holds; `None` while nothing ends it.
    pub path_valid_until: Option<Timestamp>,
    /// Whether messages get through. What could not be handed over waits on either side.
    pub reachable: bool,
    /// Whether its probes fail, and what they say.
    pub sick: Option<String>,
    /// Whether it waits for a reboot.
    pub reboot_pending: bool,
    /// What it does.
    pub behaviour: Behaviour,
    /// What it does with installs of one package, or of one exact `package=version`, instead.
    pub installs: BTreeMap<String, Operation>,
    /// Whether it has left for good.
    pub gone: bool,
    /// Its agent: what it was ordered and how far it is.
    pub agent: Agent,
}

impl Machine {
    /// A healthy production endpoint with nothing on it.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: EndpointId::from(id.into()),
            environment: Environment::Production,
            scope: ScopePath("acme".into()),
            tags: BTreeMap::new(),
            calendar: None,
            group: None,
            fingerprint: None,
            managed_by: None,
            onboarding: false,
            levels: BTreeMap::new(),
            wants: BTreeSet::new(),
            broken: BTreeSet::new(),
            path: RollbackPath::Reinstall,
            path_valid_until: None,
            reachable: true,
            sick: None,
            reboot_pending: false,
            behaviour: Behaviour::default(),
            installs: BTreeMap::new(),
            gone: false,
            agent: Agent::default(),
        }
    }

    /// On which trials run.
    #[must_use]
    pub fn non_production(mut self) -> Self {
        self.environment = Environment::NonProduction;
        self
    }

    /// With a package in a version.
    #[must_use]
    pub fn with(mut self, package: impl Into<String>, version: impl Into<String>) -> Self {
        self.levels.insert(package.into(), version.into());
        self
    }

    /// In a scope.
    #[must_use]
    pub fn within(mut self, scope: impl Into<String>) -> Self {
        self.scope = ScopePath(scope.into());
        self
    }

    /// With a tag.
    #[must_use]
    pub fn tagged(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// In an availability group.
    #[must_use]
    pub fn grouped(mut self, group: &str) -> Self {
        self.group = Some(group.into());
        self
    }

    /// What it does with install orders.
    #[must_use]
    pub fn installing(mut self, operation: Operation) -> Self {
        self.behaviour.install = operation;
        self
    }

    /// As an inventory reports it.
    #[must_use]
    pub fn seen(&self) -> EndpointSeen {
        EndpointSeen {
            scope: self.scope.clone(),
            tags: self.tags.clone(),
            calendar: self.calendar.clone(),
            group: self.group.clone(),
            fingerprint: self.fingerprint.clone(),
            managed_by: self.managed_by.clone(),
            onboarding: self.onboarding,
            ..EndpointSeen::new(self.id.clone(), self.environment)
        }
    }

    /// How it stands to a patch of a package, as the comparison of inventory and catalogue tells.
    #[must_use]
    pub fn need(&self, endpoint: EndpointIx, package: &str, version: &str) -> NeedSeen {
        let level = self.levels.get(package);
        let standing = match level {
            Some(level)
                if super::compare_versions(level, version).is_ge() && !self.broken.contains(package) =>
            {
                Standing::Has
            }
            Some(_) => Standing::Needs,
            None if self.wants.contains(package) => Standing::Needs,
            None => Standing::NotApplicable,
        };
        let path = match (level, self.path) {
            (None, RollbackPath::Reinstall) => RollbackPath::Uninstall,
            (_, path) => path,
        };
        let path_valid_until = self.path_valid_until;
        NeedSeen {
            standing,
            path_valid_until,
            ..NeedSeen::needs(endpoint, level.map(|level| Arc::from(level.as_str())), path)
        }
    }

    /// What its inventory shows of a package.
    #[must_use]
    pub fn level(&self, package: &str) -> Level<'static> {
        match self.levels.get(package) {
            Some(version) => Level::Version {
                version: Cow::Owned(version.clone()),
                intact: !self.broken.contains(package),
            },
            None => Level::Absent,
        }
    }

    /// What its probes say.
    #[must_use]
    pub fn health(&self) -> Health<'static> {
        match &self.sick {
            Some(detail) => Health::Failed { detail: Cow::Owned(detail.clone()) },
            None => Health::Passed,
        }
    }
}
