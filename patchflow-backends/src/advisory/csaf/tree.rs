//! The product tree: which ids stand for which products in which versions.

use crate::advisory::desk::{Desk, cut};
use crate::advisory::names;
use crate::advisory::parts::or_default;
use patchflow_core::catalog::Product;
use patchflow_core::package::{Cpe, Ecosystem, PackageName, Platform};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

#[derive(Default, Deserialize)]
pub(super) struct ProductTree {
    #[serde(default, deserialize_with = "or_default")]
    branches: Vec<Branch>,
    #[serde(default, deserialize_with = "or_default")]
    full_product_names: Vec<Full>,
    #[serde(default, deserialize_with = "or_default")]
    relationships: Vec<Relationship>,
    #[serde(default, deserialize_with = "or_default")]
    product_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Branch {
    category: String,
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    branches: Vec<Branch>,
    #[serde(default)]
    product: Option<Full>,
}

#[derive(Deserialize)]
struct Full {
    product_id: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default)]
    product_identification_helper: Option<Helper>,
}

#[derive(Deserialize)]
struct Helper {
    #[serde(default)]
    purl: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    purls: Vec<String>,
    #[serde(default)]
    cpe: Option<String>,
}

#[derive(Deserialize)]
struct Relationship {
    product_reference: String,
    relates_to_product_reference: String,
    full_product_name: Full,
}

#[derive(Deserialize)]
struct Group {
    group_id: String,
    #[serde(default, deserialize_with = "or_default")]
    product_ids: Vec<String>,
}

/// A product of the tree.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// What stands for it in a note.
    pub(super) shown: String,
    /// What it is; nothing when it cannot be told.
    pub(super) product: Option<Product>,
    /// Why it cannot be told.
    pub(super) why: String,
    /// Its version or range, as it is written.
    pub(super) version: Option<Arc<str>>,
    pub(super) is_range: bool,
    /// The platform that it stands for as a product of its own, such as `rhel 9`.
    platform: Option<Platform>,
}

#[derive(Default)]
pub(super) struct Tree {
    products: BTreeMap<String, Known>,
    groups: BTreeMap<String, Vec<String>>,
}

impl Tree {
    pub(super) fn product(&self, id: &str) -> Option<&Known> {
        self.products.get(id)
    }

    /// The ids that are named, by themselves or by their group.
    pub(super) fn named<'a>(
        &'a self,
        desk: &mut Desk<'_>,
        ids: &'a [String],
        groups: &'a [String],
    ) -> Vec<&'a str> {
        let mut named: Vec<&str> = ids.iter().map(String::as_str).collect();
        for members in groups.iter().filter_map(|group| self.groups.get(group)) {
            // To name a large group takes a few bytes.
            if !desk.may(members.len().saturating_mul(20).saturating_add(20)) {
                desk.part("groups of products are named too often; the rest is left out");
                break;
            }
            named.extend(members.iter().map(String::as_str));
        }
        named
    }
}

/// What the branches above a product say of it.
#[derive(Clone, Default)]
struct Above {
    vendor: Option<Arc<str>>,
    product: Option<Arc<str>>,
    version: Option<Arc<str>>,
    is_range: bool,
}

pub(super) fn read(desk: &mut Desk<'_>, raw: ProductTree) -> Tree {
    let mut tree = Tree::default();
    // Nesting is bounded by the limit for the whole record; an own stack keeps the walk off the thread's.
    let mut open: Vec<(Branch, Above)> =
        raw.branches.into_iter().map(|branch| (branch, Above::default())).collect();
    open.reverse();
    while let Some((branch, mut above)) = open.pop() {
        match branch.category.as_str() {
            "vendor" => above.vendor = Some(cut(&branch.name, 240).into()),
            "product_name" => above.product = Some(cut(&branch.name, 240).into()),
            "product_version" => (above.version, above.is_range) = (Some(branch.name.into()), false),
            "product_version_range" => (above.version, above.is_range) = (Some(branch.name.into()), true),
            // Families, patch levels, languages and architectures tell nothing that versions are matched by.
            _ => {}
        }
        if let Some(full) = branch.product {
            insert(desk, &mut tree, full, &above);
        }
        open.extend(branch.branches.into_iter().rev().map(|branch| (branch, above.clone())));
    }
    for full in raw.full_product_names {
        insert(desk, &mut tree, full, &Above::default());
    }
    for relationship in raw.relationships {
        relate(desk, &mut tree, relationship);
    }
    for group in raw.product_groups {
        tree.groups.insert(group.group_id, group.product_ids);
    }
    tree
}

fn insert(desk: &mut Desk<'_>, tree: &mut Tree, full: Full, above: &Above) {
    let known = known(desk, &full, above);
    match tree.products.entry(full.product_id) {
        Entry::Vacant(place) => {
            place.insert(known);
        }
        Entry::Occupied(place) => desk.part(format!(
            "`product_tree`: the product id `{}` stands there twice; the first is kept",
            cut(place.key(), 80)
        )),
    }
}

fn known(desk: &mut Desk<'_>, full: &Full, above: &Above) -> Known {
    let shown = if full.name.is_empty() { full.product_id.clone() } else { full.name.clone() };
    let mut known = Known {
        shown: cut(&shown, 200),
        product: None,
        why: String::new(),
        version: above.version.clone(),
        is_range: above.is_range,
        platform: None,
    };
    let helper = full.product_identification_helper.as_ref();
    let purls = helper.into_iter().flat_map(|helper| helper.purl.iter().chain(&helper.purls));
    for text in purls {
        match names::purl(text) {
            Ok(read) => {
                known.product = Some(read.product);
                // Distributions put the whole name of a package where its version belongs; its URL has it alone.
                if read.version.is_some() || (read.ecosystem.is_of_a_platform() && !known.is_range) {
                    (known.version, known.is_range) = (read.version.map(Arc::from), false);
                }
                break;
            }
            Err(why) => desk.part(format!("`product_tree`: {why}")),
        }
    }
    if let Some(text) = helper.and_then(|helper| helper.cpe.as_deref()) {
        known.platform = platform(text);
        if known.product.is_none() {
            match Cpe::new(text) {
                Ok(cpe) => known.product = Some(Product::Cpe(cpe)),
                // The old form stands for platforms in the documents of distributions.
                Err(_) if known.platform.is_some() => {}
                Err(why) => desk.part(format!("`product_tree`: {why}")),
            }
        }
    }
    if known.product.is_none() {
        let named =
            above.product.clone().or_else(|| (!full.name.is_empty()).then(|| cut(&full.name, 240).into()));
        match named {
            Some(product) => {
                let vendor = above.vendor.as_ref().map(|vendor| format!("{vendor}/")).unwrap_or_default();
                let package = PackageName::new(Ecosystem::Other, cut(&format!("{vendor}{product}"), 500));
                known.product = Some(Product::Package { package, platform: None, of_source: false });
            }
            None => known.why = "it has no name, no package URL and no CPE name".to_owned(),
        }
    }
    known
}

/// The platform of a CPE name of a distribution, such as `cpe:/o:redhat:enterprise_linux:9::baseos`.
fn platform(cpe: &str) -> Option<Platform> {
    let rest = cpe.strip_prefix("cpe:2.3:").or_else(|| cpe.strip_prefix("cpe:/"))?;
    let (_, rest) = rest.split_once(':')?;
    if let Some(rest) = rest.strip_prefix("redhat:") {
        return names::red_hat(rest);
    }
    let mut parts = rest.split(':');
    let (vendor, product, release) = (parts.next()?, parts.next()?, parts.next()?);
    let pack = parts.next().unwrap_or_default();
    match (vendor, product) {
        ("suse", "sles" | "sles_sap" | "linux_enterprise_server") => {
            let pack = pack.trim_start_matches("sp");
            let is_number = !pack.is_empty() && pack.bytes().all(|byte| byte.is_ascii_digit());
            Some(Platform::new(
                "sles",
                &if is_number { format!("{release}.{pack}") } else { release.to_owned() },
            ))
        }
        ("opensuse", "leap") => Some(Platform::new("opensuse leap", release)),
        ("opensuse", "tumbleweed") => Some(Platform::new("opensuse tumbleweed", "")),
        ("debian", "debian_linux") => Some(Platform::new("debian", release)),
        ("canonical", "ubuntu_linux") => Some(Platform::new("ubuntu", release)),
        ("almalinux", "almalinux") => Some(Platform::new("almalinux", release)),
        ("rocky" | "resf", _) => Some(Platform::new("rocky", release)),
        ("oracle", "linux") => Some(Platform::new("ol", release)),
        ("amazon", "amazon_linux" | "linux") => Some(Platform::new("amzn", release)),
        _ => None,
    }
}

/// A component on a platform: the component's package, for that platform.
fn relate(desk: &mut Desk<'_>, tree: &mut Tree, relationship: Relationship) {
    let Relationship { product_reference, relates_to_product_reference, full_product_name } = relationship;
    let Some(component) = tree.products.get(&product_reference).cloned() else {
        desk.part(format!(
            "`product_tree.relationships`: `{}` is not in the product tree",
            cut(&product_reference, 80)
        ));
        return;
    };
    let platform = match tree.products.get(&relates_to_product_reference) {
        Some(host) => host.platform.clone().or_else(|| names::suse(&host.shown)),
        None => {
            desk.part(format!(
                "`product_tree.relationships`: `{}` is not in the product tree",
                cut(&relates_to_product_reference, 80)
            ));
            None
        }
    };
    let own = known(desk, &full_product_name, &Above::default());
    let has_own = full_product_name.product_identification_helper.is_some();
    let mut known =
        if has_own && matches!(own.product, Some(Product::Package { .. })) { own } else { component };
    if !full_product_name.name.is_empty() {
        known.shown = cut(&full_product_name.name, 200);
    }
    if let (Some(Product::Package { package, platform: of, .. }), Some(platform)) =
        (&mut known.product, platform)
        && package.ecosystem.is_of_a_platform()
    {
        *of = Some(platform);
    }
    tree.products.entry(full_product_name.product_id).or_insert(known);
}
