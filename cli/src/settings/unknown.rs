//! What to answer to a name that is no setting: the name that was probably meant.

use super::declare::{Key, Section};
use super::keys::{self, SECTIONS};
use crate::clean::clean_start;
use crate::nearest::nearest;

/// So much of an unknown name is repeated.
const ECHO_CHARS_MAX: usize = 40;

const ALL_OF_THEM: &str = "\"simplechat config\" lists them all";

/// A part of the file that is no section.
pub(super) fn section(name: &str) -> String {
    if let Some(key) = keys::all().find(|key| key.name == name) {
        let section = key.section;
        return format!("{name} belongs into a section: {section}: ({name}: …)");
    }
    let shown = clean_start(name, ECHO_CHARS_MAX);
    let names = || SECTIONS.iter().map(|section| section.name);
    match nearest(name, names()) {
        Some(section) => format!("there is no section \"{shown}\": did you mean {section}?"),
        None => {
            let all: Vec<_> = names().collect();
            format!(
                "there is no section \"{shown}\": there are {}",
                all.join(" and ")
            )
        }
    }
}

/// A name in a section that is none of its settings. The settings are spelled as where the name was written.
pub(super) fn key(section: &Section, name: &str, spell: fn(&Key) -> String) -> String {
    let near = nearest(name, section.keys.iter().map(|key| key.name));
    let advice = if let Some(near) = near.and_then(|near| section.key(near)) {
        format!("did you mean {}?", spell(near))
    } else if let Some(other) = keys::all().find(|key| key.name.eq_ignore_ascii_case(name)) {
        format!("it is one of {}", other.section)
    } else {
        ALL_OF_THEM.into()
    };
    let shown = clean_start(name, ECHO_CHARS_MAX);
    format!("{} has no setting \"{shown}\": {advice}", section.name)
}

/// A name of a flag that is not a section, a point and a setting.
pub(super) fn path(path: &str) -> String {
    if let Some((section, name)) = path.split_once('.')
        && let Some(section) = keys::section(section)
    {
        return key(section, name, Key::path);
    }
    let shown = clean_start(path, ECHO_CHARS_MAX);
    let of_that_name: Vec<_> = keys::all()
        .filter(|key| key.name == path)
        .map(Key::path)
        .collect();
    let paths: Vec<_> = keys::all().map(Key::path).collect();
    let advice = if !of_that_name.is_empty() {
        format!("did you mean {}?", of_that_name.join(" or "))
    } else if let Some(near) = nearest(path, paths.iter().map(String::as_str)) {
        format!("did you mean {near}?")
    } else {
        ALL_OF_THEM.into()
    };
    format!("there is no setting \"{shown}\": {advice}")
}
