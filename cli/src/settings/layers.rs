//! Puts the layers of settings over each other, and remembers where each setting came from.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::check::check;
use super::declare::{Key, Section, variable_prefix};
use super::file::{self, Item};
use super::keys::{self, SECTIONS, Settings};
use super::value::Written;
use super::{Override, unknown};
use crate::clean::clean_line;
use crate::problems::Problems;

/// Where a setting can come from. A later one overrules an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Layer {
    Default,
    File,
    Environment,
    Flag,
}

/// Where settings came from, by their path.
#[derive(Debug, Default)]
pub(super) struct Origins(BTreeMap<String, (Layer, String)>);

impl Origins {
    fn set(&mut self, key: &Key, layer: Layer, place: &str) {
        self.0.insert(key.path(), (layer, place.into()));
    }

    pub(super) fn layer(&self, path: &str) -> Layer {
        self.0.get(path).map_or(Layer::Default, |(layer, _)| *layer)
    }

    pub(super) fn place(&self, path: &str) -> &str {
        self.0.get(path).map_or("the default", |(_, place)| place)
    }
}

/// The settings while the layers are read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    settings: Settings,
    origins: Origins,
    problems: Problems,
}

impl Draft {
    pub(super) fn apply_file(&mut self, file_name: &str, bytes: &[u8]) {
        for item in file::read(file_name, bytes) {
            let found = match item {
                Item::Setting(found) => found,
                Item::Wrong { place, what } => {
                    self.problems.add(place, what);
                    continue;
                }
            };
            let value = Written::Ron(found.value);
            match (found.key.set)(&mut self.settings, value) {
                Ok(()) => self.origins.set(found.key, Layer::File, &found.place),
                Err(what) => {
                    let what = format!("{} {what}", found.key.path());
                    self.problems.add(found.value_place, what);
                }
            }
        }
    }

    /// Takes the variables of our sections. Others that start with `SIMPLECHAT_` are none of ours.
    pub(super) fn apply_environment(
        &mut self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) {
        // In order, so that the same problems are reported the same way.
        let variables: BTreeMap<OsString, OsString> = environment.into_iter().collect();
        for (name, value) in variables {
            let name = name.to_string_lossy();
            for section in SECTIONS {
                if let Some(key) = name.strip_prefix(&variable_prefix(section.name)) {
                    self.apply_variable(section, &name, key, &value);
                }
            }
        }
    }

    fn apply_variable(&mut self, section: &Section, name: &str, key: &str, value: &OsStr) {
        let known = section.keys.iter().find(|known| known.variable() == name);
        let place = clean_line(name);
        match (known, value.to_str()) {
            (Some(key), Some(value)) => self.apply(key, Layer::Environment, value, name),
            (Some(_), None) => self.problems.add(place, "the value is not UTF-8 text"),
            (None, _) => {
                let what = unknown::key(section, key, Key::variable);
                self.problems.add(place, what);
            }
        }
    }

    pub(super) fn apply_overrides(&mut self, overrides: &[Override]) {
        for Override { key, value, place } in overrides {
            let known = key
                .split_once('.')
                .and_then(|(section, name)| keys::section(section)?.key(name));
            match known {
                Some(key) => self.apply(key, Layer::Flag, value, place),
                None => self.problems.add(place, unknown::path(key)),
            }
        }
    }

    fn apply(&mut self, key: &Key, layer: Layer, value: &str, place: &str) {
        match (key.set)(&mut self.settings, Written::Plain(value)) {
            Ok(()) => self.origins.set(key, layer, place),
            Err(what) => self.problems.add(place, format!("{} {what}", key.path())),
        }
    }

    /// The settings, if all is well. What belongs together is compared only when every single value is right.
    pub(super) fn finish(mut self) -> Result<Settings, Problems> {
        if self.problems.is_empty() {
            check(&self.settings, &self.origins, &mut self.problems);
        }
        if self.problems.is_empty() {
            Ok(self.settings)
        } else {
            Err(self.problems)
        }
    }
}
