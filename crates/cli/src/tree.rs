//! `coachwork tree`: a VSS tree, built in or from files, becomes a page to browse or the leaves that a search finds.
//!
//! *Invariant:* every leaf is shown or counted: a branch that is not opened says how many leaves it has.
//! *Next:* `output.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use coachwork_vehicle::{Catalogue, Entry, Facts, Pattern, Vspec, vss};
use serde_json::json;

use crate::output::Output;
use crate::{Failure, Format};

/// Show a VSS tree: VSS 6.0, or JSON exports of your own.
#[derive(Debug, Args)]
pub(crate) struct Tree {
    /// A branch or leaf (`Vehicle.Cabin.Door`), a pattern (`Vehicle.Cabin.**.IsOpen`), or part of a name (`heating`).
    wanted: Option<String>,
    /// A JSON export of VSS in place of VSS 6.0; given again, an overlay over the ones before.
    #[arg(long, value_name = "FILE")]
    vspec: Vec<PathBuf>,
    /// Open branches to this depth; deeper ones show how many leaves they have. All of what is asked for, or 2.
    #[arg(long)]
    depth: Option<usize>,
    /// Print only the hash of the tree, to compare trees.
    #[arg(long)]
    hash: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Tree {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let catalogue = self.catalogue()?;
        let output = Output::new();
        if self.hash {
            output.append(|bytes| bytes.extend(format!("{}\n", catalogue.tree_hash()).bytes()))?;
            return output.flush();
        }
        let leaves = self.leaves(&catalogue)?;
        let text = match self.format {
            Format::Jsonl => {
                leaves.iter().fold(String::new(), |text, leaf| text + &object(leaf).to_string() + "\n")
            }
            Format::Text if self.is_search() => lines(&leaves),
            Format::Text => self.page(&leaves),
        };
        output.append(|bytes| bytes.extend(text.bytes()))?;
        output.flush()
    }

    fn catalogue(&self) -> Result<Catalogue, Failure> {
        let mut tree: Option<Vspec> = None;
        for file in &self.vspec {
            let fault = |why: &dyn std::fmt::Display| Failure::Message(format!("{}: {why}", file.display()));
            let json = fs::read(file).map_err(|why| fault(&why))?;
            let read = Vspec::from_json(&json).map_err(|why| fault(&why))?;
            tree = Some(match tree {
                None => read,
                Some(under) => under.overlay(read).map_err(|why| fault(&why))?,
            });
        }
        let made = match tree {
            Some(tree) => tree.into_catalogue(Facts::default()),
            None => Catalogue::new(vss::entries(), Facts::default()),
        };
        made.map_err(|why| Failure::Message(why.to_string()))
    }

    /// Whether leaves are listed rather than shown in their branches.
    fn is_search(&self) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.contains('*') || !wanted.starts_with("Vehicle"))
    }

    fn leaves<'a>(&self, catalogue: &'a Catalogue) -> Result<Vec<&'a Entry>, Failure> {
        let all = catalogue.iter().map(|(_, entry)| entry);
        let Some(wanted) = &self.wanted else { return Ok(all.collect()) };
        let found: Vec<&Entry> = if wanted.contains('*') {
            let pattern = Pattern::new(wanted).map_err(|why| Failure::Message(why.to_string()))?;
            all.filter(|entry| pattern.matches(entry.path())).collect()
        } else if self.is_search() {
            let part = wanted.to_lowercase();
            all.filter(|entry| entry.path().as_str().to_lowercase().contains(&part)).collect()
        } else {
            all.filter(|entry| is_at_or_below(entry, wanted)).collect()
        };
        if found.is_empty() {
            return Err(Failure::Message(format!(
                "no leaf of the tree is {wanted}, below it, or has it in its path"
            )));
        }
        Ok(found)
    }

    /// Branches as headings, deeper ones indented.
    fn page(&self, leaves: &[&Entry]) -> String {
        let above = self.wanted.as_ref().map_or(0, |wanted| wanted.matches('.').count());
        let depth = self.depth.unwrap_or(if self.wanted.is_some() { usize::MAX } else { 2 });
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for leaf in leaves {
            for branch in branches(leaf) {
                *counts.entry(branch).or_default() += 1;
            }
        }
        let mut page = String::new();
        let mut shown: Vec<String> = Vec::new();
        for leaf in leaves {
            let branches: Vec<String> = branches(leaf).collect();
            for (level, branch) in branches.iter().enumerate().skip(above) {
                if level - above >= depth || shown.get(level).is_some_and(|last| last == branch) {
                    continue;
                }
                shown.resize(level, String::new());
                shown.push(branch.clone());
                let name = branch.rsplit('.').next().unwrap_or(branch);
                let name = if level == above { branch.as_str() } else { name };
                let _ = writeln!(
                    page,
                    "{:indent$}{name}  ({})",
                    "",
                    counts.get(branch).unwrap_or(&0),
                    indent = 2 * (level - above)
                );
            }
            let level = branches.len().saturating_sub(above);
            if level < depth || branches.len() <= above {
                let asked_for = branches.len() <= above;
                let name = leaf.path().names().last().filter(|_| !asked_for).unwrap_or(leaf.path().as_str());
                let _ = writeln!(page, "{:indent$}{name}  {}", "", facts(leaf), indent = 2 * level);
            }
        }
        page
    }
}

fn is_at_or_below(entry: &Entry, branch: &str) -> bool {
    entry.path().as_str().strip_prefix(branch).is_some_and(|below| below.is_empty() || below.starts_with('.'))
}

/// `Vehicle`, `Vehicle.Cabin`, … down to the branch of the leaf.
fn branches(leaf: &Entry) -> impl Iterator<Item = String> {
    let path = leaf.path().as_str();
    path.match_indices('.').filter_map(move |(dot, _)| path.get(..dot).map(str::to_owned))
}

fn lines(leaves: &[&Entry]) -> String {
    let width = leaves.iter().map(|leaf| leaf.path().as_str().len()).max().unwrap_or(0);
    leaves.iter().fold(String::new(), |mut text, leaf| {
        let _ = writeln!(text, "{:width$}  {}", leaf.path().as_str(), facts(leaf));
        text
    })
}

/// What is known of a leaf, in words.
pub(crate) fn facts(leaf: &Entry) -> String {
    let mut text = format!("{} {}", leaf.kind(), leaf.type_name());
    if let Some(size) = leaf.array_size() {
        let _ = write!(text, " of {size}");
    }
    if let Some(unit) = leaf.unit() {
        let _ = write!(text, " {}", unit.key());
    }
    match (leaf.min(), leaf.max()) {
        (Some(min), Some(max)) => drop(write!(text, ", {min} to {max}")),
        (Some(min), None) => drop(write!(text, ", from {min}")),
        (None, Some(max)) => drop(write!(text, ", up to {max}")),
        (None, None) => {}
    }
    if !leaf.allowed().is_empty() {
        let allowed: Vec<String> = leaf.allowed().iter().map(ToString::to_string).collect();
        let _ = write!(text, ", one of {}", allowed.join(" "));
    }
    if let Some(value) = leaf.default_value() {
        let _ = write!(text, ", default {value}");
    }
    if let Some(expression) = leaf.pattern() {
        let _ = write!(text, ", matching {expression}");
    }
    if let Some(advice) = leaf.deprecation() {
        let _ = write!(text, ", deprecated: {advice}");
    }
    leaf.extended().fold(text, |text, (name, json)| text + &format!(", {name}: {json}"))
}

/// The same as an object.
pub(crate) fn object(leaf: &Entry) -> serde_json::Value {
    let value = |value: &coachwork_vehicle::Value| value.to_string();
    let mut object = json!({
        "path": leaf.path().as_str(), "type": leaf.kind().name(), "datatype": leaf.type_name(),
    });
    let mut member = |name: &str, value: serde_json::Value| {
        if let (Some(object), false) = (object.as_object_mut(), value.is_null()) {
            object.insert(name.to_owned(), value);
        }
    };
    member("unit", leaf.unit().map(coachwork_vehicle::Unit::key).into());
    member("min", leaf.min().map(value).into());
    member("max", leaf.max().map(value).into());
    if !leaf.allowed().is_empty() {
        member("allowed", leaf.allowed().iter().map(value).collect::<Vec<_>>().into());
    }
    member("default", leaf.default_value().map(value).into());
    member("arraysize", leaf.array_size().into());
    member("pattern", leaf.pattern().into());
    member("deprecation", leaf.deprecation().into());
    for (name, json) in leaf.extended() {
        member(name, serde_json::from_str(json).unwrap_or_default());
    }
    object
}
