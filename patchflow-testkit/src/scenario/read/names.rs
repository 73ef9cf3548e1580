//! What a file names, so that a sentence about something that is not there is told with the nearest name.

use super::super::diagnose::Diagnostic;
use super::super::story::{Ring, Rolled, Whom};
use super::super::words::{Read, Words};
use patchflow_core::error::Position;
use patchflow_core::rollout::RolloutKind;
use patchflow_core::time::Timestamp;
use std::collections::BTreeSet;

/// The names of a file.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) endpoints: BTreeSet<String>,
    /// Id and package of each patch.
    pub(super) patches: Vec<(String, String)>,
    pub(super) rings: BTreeSet<String>,
    pub(super) policies: Vec<String>,
    pub(super) starts: Timestamp,
}

impl Names {
    fn endpoint(&self, name: &str, at: Position) -> Read<()> {
        if self.endpoints.contains(name) {
            return Ok(());
        }
        Err(Diagnostic::unknown(at, "endpoint", name, self.endpoints.iter().map(String::as_str)))
    }

    /// `e1..e3, db-1`.
    pub(super) fn endpoints(&self, words: &mut Words<'_>) -> Read<Vec<String>> {
        let names = words.names("the name of an endpoint")?;
        for (name, at) in &names {
            self.endpoint(name, *at)?;
        }
        Ok(names.into_iter().map(|(name, _)| name).collect())
    }

    pub(super) fn one_endpoint(&self, words: &mut Words<'_>) -> Read<String> {
        let token = words.word("the name of an endpoint")?;
        self.endpoint(&token.text, token.at)?;
        Ok(token.text.clone())
    }

    /// `everybody`, `ring pilot`, or names.
    pub(super) fn whom(&self, words: &mut Words<'_>) -> Read<Whom> {
        if words.take("everybody") {
            return Ok(Whom::Everybody);
        }
        if words.peek().is_some_and(|token| token.is("ring")) {
            return self.ring(words).map(Whom::Ring);
        }
        self.endpoints(words).map(Whom::These)
    }

    /// A patch by its id, or by its package when there is one patch of it.
    pub(super) fn patch(&self, words: &mut Words<'_>) -> Read<usize> {
        let token = words.word("a patch, such as webd=1.1")?;
        let known = || self.patches.iter().map(|(id, _)| id.as_str());
        if let Some(at) = known().position(|id| id == token.text) {
            return Ok(at);
        }
        let mut of_package =
            self.patches.iter().enumerate().filter(|(_, (_, package))| *package == token.text);
        match (of_package.next(), of_package.next()) {
            (Some((at, _)), None) => Ok(at),
            (Some(_), Some(_)) => {
                Err(Diagnostic::new(token.at, format!("there is more than one patch of `{}`", token.text))
                    .hint(format!("one of: {}", known().collect::<Vec<_>>().join(", "))))
            }
            (None, _) => {
                let packages = self.patches.iter().map(|(_, package)| package.as_str());
                Err(Diagnostic::unknown(token.at, "patch", &token.text, known().chain(packages)))
            }
        }
    }

    /// The patch behind `for` or `of`; without it the only one of the story.
    pub(super) fn patch_after(&self, words: &mut Words<'_>, word: &str) -> Read<usize> {
        if words.take(word) {
            return self.patch(words);
        }
        self.only(words, word)
    }

    fn only(&self, words: &Words<'_>, word: &str) -> Read<usize> {
        match self.patches.len() {
            1 => Ok(0),
            0 => Err(Diagnostic::new(words.at(), "the story has no patch")
                .hint("add a section such as `patch webd=1.1`")),
            _ => Err(Diagnostic::new(words.at(), "the story has more than one patch")
                .hint(format!("say which: `{word} {}`", self.patches[0].0))),
        }
    }

    /// The patch behind `for`, when one is named.
    pub(super) fn any_patch(&self, words: &mut Words<'_>) -> Read<Option<usize>> {
        if words.take("for") { self.patch(words).map(Some) } else { Ok(None) }
    }

    /// `webd=1.1` is its deployment, `trial of webd=1.1` its trial.
    pub(super) fn rolled(&self, words: &mut Words<'_>) -> Read<Rolled> {
        words.take("the");
        if words.take_all(&["trial", "of"]) {
            return Ok(Rolled { patch: self.patch(words)?, kind: RolloutKind::Trial });
        }
        Ok(Rolled { patch: self.patch(words)?, kind: RolloutKind::Deployment })
    }

    /// What stands behind `of`: a patch or the trial of one; without it the deployment of the only patch.
    pub(super) fn rolled_after(&self, words: &mut Words<'_>) -> Read<Rolled> {
        if words.take("of") {
            return self.rolled(words);
        }
        Ok(Rolled { patch: self.only(words, "of")?, kind: RolloutKind::Deployment })
    }

    /// `ring pilot`, `ring pilot of webd=1.1`, `ring trial of trial of webd=1.1`.
    pub(super) fn ring(&self, words: &mut Words<'_>) -> Read<Ring> {
        words.want("ring")?;
        let token = words.word("the name of a ring")?;
        if !self.rings.contains(&token.text) {
            let known = self.rings.iter().map(String::as_str);
            return Err(Diagnostic::unknown(token.at, "ring", &token.text, known));
        }
        Ok(Ring { of: self.rolled_after(words)?, name: token.text.clone() })
    }
}
