//! What to install on an endpoint, in which order, and what has to wait: patches and how they stand to each other.

use patchflow_backends::host::identify::Identifier;
use patchflow_core::catalog::{Advisory, Patch, Resolved};
use patchflow_core::ids::{EndpointId, FleetId, PatchId};
use patchflow_core::inventory::EndpointRecord;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Decides as a host does, with every patch taken as approved.
pub(crate) struct Installs {
    identifier: Identifier,
    patches: BTreeMap<PatchId, Patch>,
}

/// What follows for one endpoint, as JSON.
#[derive(Serialize)]
pub(crate) struct Install<'a> {
    endpoint: &'a str,
    /// What stands in one stage may be installed together, in this order; each stage is verified before the next.
    install: Vec<Vec<Step<'a>>>,
    /// What is missing and not needed, with what replaces it.
    replaced: BTreeMap<String, String>,
    /// What is missing and waits, and why.
    waiting: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Step<'a> {
    patch: String,
    package: String,
    version: &'a str,
    why: String,
}

impl Installs {
    pub(crate) fn new(
        endpoints: Vec<EndpointRecord>,
        advisories: Vec<Advisory>,
        patches: Vec<Patch>,
    ) -> Self {
        let mut identifier = Identifier::new(FleetId(0));
        let by_id = patches.iter().map(|patch| (patch.id.clone(), patch.clone())).collect();
        identifier.learn(endpoints, advisories, patches);
        Self { identifier, patches: by_id }
    }

    /// `None` when nothing is missing there.
    pub(crate) fn on<'a>(&'a self, endpoint: &'a EndpointId) -> Option<Install<'a>> {
        let Resolved { stages, replaced, waiting } = self.identifier.resolve(endpoint, |_| true)?;
        if stages.is_empty() && waiting.is_empty() {
            return None;
        }
        let step = |id: &PatchId| {
            let target = &self.patches.get(id)?.target;
            let why = self.identifier.why(endpoint, id)?.to_string();
            let package = target.package.to_string();
            Some(Step { patch: id.to_string(), package, version: &target.version, why })
        };
        Some(Install {
            endpoint: endpoint.as_str(),
            install: stages.iter().map(|stage| stage.iter().filter_map(step).collect()).collect(),
            replaced: replaced.iter().map(|(old, new)| (old.to_string(), new.to_string())).collect(),
            waiting: waiting.iter().map(|(id, why)| (id.to_string(), why.to_string())).collect(),
        })
    }
}

impl Install<'_> {
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        for (at, stage) in self.install.iter().enumerate() {
            let after = if at == 0 { "install" } else { "when that is verified, install" };
            writeln!(out, "  {after}")?;
            for Step { patch, package, version, why } in stage {
                writeln!(out, "           {patch}: {package} -> {version}; {why}")?;
            }
        }
        for (old, new) in &self.replaced {
            writeln!(out, "  not {old}: {new} replaces it")?;
        }
        for (patch, why) in &self.waiting {
            writeln!(out, "  not {patch}: {why}")?;
        }
        Ok(())
    }
}
