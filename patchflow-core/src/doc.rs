//! Values for the examples in this documentation and for tests. Not part of the stable interface.

use crate::catalog::{Category, Patch, RebootBehaviour, Relations, Severity, Target};
use crate::digest::Digest;
use crate::gate::{LimitScope, Limits, OnMaxHold, Percent, ShareOf};
use crate::ids::PatchId;
use crate::package::{Ecosystem, PackageName};
use alloc::format;
use alloc::vec::Vec;

/// A critical security update without relations.
#[must_use]
pub fn patch(package: &str, version: &str) -> Patch {
    Patch {
        id: PatchId::from(format!("{package}={version}")),
        title: format!("{package} security update"),
        target: Target { package: PackageName::new(Ecosystem::Deb, package), version: version.into() },
        category: Category::Security,
        severity: Severity::Critical,
        cves: Vec::new(),
        released: None,
        disclosed: None,
        exploited: None,
        closes: Vec::new(),
        platform: None,
        reboot: RebootBehaviour::Never,
        relations: Relations::default(),
        content: Digest::of(format!("{package}={version}").as_bytes()),
        source: "example".into(),
    }
}

/// Halts on more than 20 %, wants half of the members verified, no bake, an hour of hold.
#[must_use]
pub fn limits() -> Limits {
    Limits {
        scope: LimitScope::Ring,
        of: ShareOf::Members,
        max_failures: None,
        max_failure_percent: Some(Percent::whole(20)),
        min_started: 0,
        min_success_percent: Percent::whole(50),
        min_verified: 1,
        max_alerts: None,
        bake_secs_min: 0,
        hold_secs_max: 3600,
        on_max_hold: OnMaxHold::Halt,
    }
}
