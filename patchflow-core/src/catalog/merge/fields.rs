//! Which record decides each field.

use super::join::{Group, source};
use super::{Authorities, Field, Merged};
use crate::catalog::advisory::{Affected, Epss, KnownExploited, Product, Provenance, Ssvc, Status};
use crate::catalog::{Advisory, Exploitation, Severity};
use crate::error::Finding;
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// The value with the greatest key among those that a record has, with who says it. Of equal keys the first source.
fn best<'a, T, K: Ord>(
    records: &[(&'a Advisory, Provenance)],
    value: impl Fn(&'a Advisory) -> Option<T>,
    key: impl Fn(&T) -> K,
) -> Option<(T, Provenance)> {
    let said = records.iter().filter_map(|(record, from)| Some((value(record)?, from)));
    said.max_by(|(a, from_a), (b, from_b)| key(a).cmp(&key(b)).then(from_b.cmp(from_a)))
        .map(|(value, from)| (value, from.clone()))
}

/// How much an EPSS score says: the newest day, then the highest score.
fn weight(epss: &Epss) -> (Option<Timestamp>, u64) {
    // Probabilities order as their bits do; what is none counts least.
    let score = if (0.0..=1.0).contains(&epss.score) { (epss.score + 0.0).to_bits() + 1 } else { 0 };
    (epss.on, score)
}

/// How much a decision says: the newest, then the worst.
fn decision(ssvc: &Ssvc) -> (Option<Timestamp>, Worst) {
    (ssvc.at, worst(ssvc))
}

type Worst = (Option<Exploitation>, Option<bool>, Option<bool>);

fn worst(ssvc: &Ssvc) -> Worst {
    (ssvc.exploitation, ssvc.automatable, ssvc.total_impact)
}

/// The earliest of both listings.
fn earliest(one: &KnownExploited, other: &KnownExploited) -> KnownExploited {
    KnownExploited {
        since: one.since.min(other.since),
        due: one.due.into_iter().chain(other.due).min(),
        ransomware: one.ransomware || other.ransomware,
    }
}

pub(super) fn of(
    group: &Group,
    all: &[Advisory],
    authorities: &Authorities,
    findings: &mut Vec<Finding>,
) -> Merged {
    let sourced: Vec<_> = group.records.iter().map(|at| (&all[*at], source(&all[*at]))).collect();
    let mut advisory = Advisory::new(group.id.clone());
    let mut origins = BTreeMap::new();
    let names = sourced.iter().flat_map(|(record, _)| core::iter::once(&record.id).chain(&record.aliases));
    let names: BTreeSet<_> = names.filter(|name| **name != advisory.id).cloned().collect();
    advisory.aliases = names.into_iter().collect();
    advisory.provenance = sourced.iter().flat_map(|(record, _)| record.provenance.iter().cloned()).collect();
    advisory.provenance.sort();
    advisory.provenance.dedup();

    // A record that was taken back says nothing any more.
    let (standing, withdrawn): (Vec<_>, Vec<_>) =
        sourced.into_iter().partition(|(record, _)| record.withdrawn.is_none());
    let nobody_speaks = standing.iter().all(|(record, _)| record.affected.is_empty());
    if let Some((at, from)) = best(&withdrawn, |record| record.withdrawn, |at| *at).filter(|_| nobody_speaks)
    {
        advisory.withdrawn = Some(at);
        origins.insert(Field::Withdrawn, from);
    }
    // What was taken back is still shown with its words.
    let speaking = if standing.is_empty() { &withdrawn } else { &standing };

    let by_date = |record: &'_ Advisory| source(record).modified;
    let titled =
        |record: &'_ Advisory| (!record.title.is_empty()).then(|| (by_date(record), record.title.clone()));
    if let Some(((_, title), from)) = best(speaking, titled, |(at, _)| *at) {
        advisory.title = title;
        origins.insert(Field::Title, from);
    }
    // A catalogue's entry that speaks of no product has no word on the category.
    let category = |record: &'_ Advisory| (!record.affected.is_empty()).then_some(record.category);
    let category = best(speaking, category, |category| Reverse(*category))
        .or_else(|| best(speaking, |record| Some(record.category), |category| Reverse(*category)));
    if let Some((category, from)) = category {
        advisory.category = category;
        origins.insert(Field::Category, from);
    }
    let severity = |record: &'_ Advisory| Some(record.severity).filter(|s| *s != Severity::Unknown);
    if let Some((severity, from)) = best(speaking, severity, |severity| *severity) {
        advisory.severity = severity;
        origins.insert(Field::Severity, from);
    }
    if let Some((at, from)) = best(speaking, |record| record.published, |at| Reverse(*at)) {
        advisory.published = Some(at);
        origins.insert(Field::Published, from);
    }
    if let Some((at, from)) = best(speaking, |record| record.fixed_at, |at| Reverse(*at)) {
        advisory.fixed_at = Some(at);
        origins.insert(Field::FixedAt, from);
    }
    if let Some((first, from)) = best(speaking, |r| r.exploited.as_ref(), |listed| Reverse(listed.since)) {
        let listed = speaking.iter().filter_map(|(record, _)| record.exploited.as_ref());
        advisory.exploited = Some(listed.fold(first.clone(), |all, listed| earliest(&all, listed)));
        origins.insert(Field::Exploited, from);
    }
    if let Some((epss, from)) = best(speaking, |record| record.epss, weight) {
        advisory.epss = Some(epss);
        origins.insert(Field::Epss, from);
    }
    if let Some((ssvc, from)) = best(speaking, |record| record.ssvc, decision) {
        advisory.ssvc = Some(ssvc);
        origins.insert(Field::Ssvc, from);
    }
    let vectors: BTreeSet<&String> = speaking.iter().flat_map(|(record, _)| &record.cvss).collect();
    advisory.cvss = vectors.into_iter().cloned().collect();
    advisory.affected = affected(&advisory.id, speaking, authorities, findings);
    Merged { advisory, origins }
}

/// All statements about products, those of a platform's own feed alone where it speaks.
fn affected(
    id: &str,
    speaking: &[(&Advisory, Provenance)],
    authorities: &Authorities,
    findings: &mut Vec<Finding>,
) -> Vec<Affected> {
    let mut by_product: BTreeMap<&Product, Vec<(&Affected, &Provenance)>> = BTreeMap::new();
    for (record, from) in speaking {
        for affected in &record.affected {
            by_product.entry(&affected.product).or_default().push((affected, from));
        }
    }
    let mut kept = Vec::new();
    for (product, mut said) in by_product {
        if let Product::Package { platform: Some(platform), .. } = product
            && said.iter().any(|(_, from)| authorities.own(&from.feed, &platform.family))
        {
            let (own, others): (Vec<_>, Vec<_>) =
                said.into_iter().partition(|(_, from)| authorities.own(&from.feed, &platform.family));
            let overruled = others.iter().filter(|(other, _)| own.iter().all(|(own, _)| !same(own, other)));
            for feed in overruled.map(|(_, from)| &from.feed).collect::<BTreeSet<_>>() {
                let message = format!(
                    "what `{feed}` says of {} is overruled by the feed of {platform} itself",
                    name(product)
                );
                findings.push(Finding::new(id, message));
            }
            said = own;
        }
        let affects = |status: &Status| matches!(status, Status::Affected | Status::UnderInvestigation);
        let spared = said.iter().find(|(affected, _)| matches!(affected.status, Status::NotAffected { .. }));
        let hit = said.iter().find(|(affected, _)| affects(&affected.status));
        if let (Some((_, by)), Some((_, against))) = (spared, hit)
            && by.feed != against.feed
        {
            let mut feeds = [&by.feed, &against.feed];
            feeds.sort();
            let message =
                format!("`{}` and `{}` disagree whether {} is affected", feeds[0], feeds[1], name(product));
            findings.push(Finding::new(id, message));
        }
        let unique: BTreeMap<String, &Affected> =
            said.into_iter().map(|(affected, _)| (format!("{affected:?}"), affected)).collect();
        kept.extend(unique.into_values().cloned());
    }
    kept
}

/// Whether two statements say the same of the same versions.
fn same(one: &Affected, other: &Affected) -> bool {
    one.versions == other.versions && one.status == other.status && one.fix == other.fix
}

fn name(product: &Product) -> String {
    match product {
        Product::Package { package, .. } => format!("{package}"),
        Product::Cpe(cpe) => cpe.as_str().into(),
    }
}

/// What a bulletin takes over from a weakness that it names.
pub(super) fn inherit(bulletin: &mut Merged, weakness: &Merged) {
    let (own, from) = (&mut bulletin.advisory, &weakness.advisory);
    if from.withdrawn.is_some() {
        return;
    }
    let mut taken = Vec::new();
    if let Some(listed) = &from.exploited {
        if own.exploited.as_ref().is_none_or(|own| listed.since < own.since) {
            taken.push(Field::Exploited);
        }
        own.exploited =
            Some(own.exploited.as_ref().map_or_else(|| listed.clone(), |own| earliest(own, listed)));
    }
    // Of several weaknesses the likeliest counts, whatever the day.
    if from.epss.as_ref().map(|epss| weight(epss).1) > own.epss.as_ref().map(|epss| weight(epss).1) {
        own.epss = from.epss;
        taken.push(Field::Epss);
    }
    if from.ssvc.as_ref().map(worst) > own.ssvc.as_ref().map(worst) {
        own.ssvc = from.ssvc;
        taken.push(Field::Ssvc);
    }
    if from.published.is_some_and(|at| own.published.is_none_or(|own| at < own)) {
        own.published = from.published;
        taken.push(Field::Published);
    }
    own.cvss.extend(from.cvss.iter().cloned());
    own.cvss.sort();
    own.cvss.dedup();
    own.provenance.extend(from.provenance.iter().cloned());
    own.provenance.sort();
    own.provenance.dedup();
    for field in taken {
        if let Some(origin) = weakness.origins.get(&field) {
            bulletin.origins.insert(field, origin.clone());
        }
    }
}
