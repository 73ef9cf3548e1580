//! What a directory was begun with, so that a later start goes on with the same.

use crate::args::{Args, Kind, Speed};
use crate::error::{Error, Result, because};
use patchflow_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// The settled choices of one directory; `run.json` in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) kind: Kind,
    pub(crate) endpoints: u32,
    pub(crate) seed: u64,
    pub(crate) speed: Speed,
    pub(crate) begun_at: Timestamp,
}

impl Run {
    /// Reads what the directory was begun with, or settles it now. The second value says which.
    pub(crate) fn settle(args: &Args, now: Timestamp, auto: impl FnOnce() -> Kind) -> Result<(Self, bool)> {
        fs::create_dir_all(&args.out).map_err(because(format!("could not make `{}`", args.out.display())))?;
        let file = args.out.join("run.json");
        if file.exists() {
            let text = fs::read(&file).map_err(because(format!("could not read `{}`", file.display())))?;
            let run: Self = serde_json::from_slice(&text)
                .map_err(because(format!("`{}` cannot be read; start with another --out", file.display())))?;
            run.check(args)?;
            return Ok((run, false));
        }
        if let Some(stranger) = first_entry(&args.out)? {
            return Err(Error::new(format!(
                "`{}` holds `{stranger}` and was not made by this program; give another --out",
                args.out.display()
            )));
        }
        let kind = match args.kind.unwrap_or(Kind::Auto) {
            Kind::Auto => auto(),
            chosen @ (Kind::Apt | Kind::Artifact) => chosen,
        };
        let run = Self {
            kind,
            endpoints: args.endpoints.unwrap_or(24),
            seed: args.seed.unwrap_or(1),
            speed: args.speed.unwrap_or(Speed::Normal),
            begun_at: now,
        };
        write_whole(&file, &serde_json::to_vec_pretty(&run).map_err(because("could not write run.json"))?)?;
        Ok((run, true))
    }

    /// What the command line says must be what the directory was begun with.
    fn check(&self, args: &Args) -> Result<()> {
        let differs = |name: &str, is: String| {
            Err(Error::new(format!(
                "this directory was begun with --{name} {is}; leave it out or give another --out"
            )))
        };
        if args.endpoints.is_some_and(|n| n != self.endpoints) {
            return differs("endpoints", self.endpoints.to_string());
        }
        if args.seed.is_some_and(|seed| seed != self.seed) {
            return differs("seed", self.seed.to_string());
        }
        if args.speed.is_some_and(|speed| speed != self.speed) {
            return differs("speed", format!("{:?}", self.speed).to_lowercase());
        }
        if args.kind.is_some_and(|kind| kind != Kind::Auto && kind != self.kind) {
            return differs("kind", format!("{:?}", self.kind).to_lowercase());
        }
        Ok(())
    }
}

fn first_entry(dir: &Path) -> Result<Option<String>> {
    let mut entries = fs::read_dir(dir).map_err(because(format!("could not read `{}`", dir.display())))?;
    // What an unlucky moment left of writing run.json is ours.
    let name = entries.find_map(|entry| {
        let name = entry.ok()?.file_name().to_string_lossy().into_owned();
        (name != "run.json.new").then_some(name)
    });
    Ok(name)
}

/// Writes a file so that after a kill at any moment it is there whole or not at all.
pub(crate) fn write_whole(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let written = fs::write(&new, bytes).and_then(|()| fs::rename(&new, file));
    written.map_err(because(format!("could not write `{}`", file.display())))
}
