//! Reads a settings file: RON, with the line and column of every key and value.
//!
//! Values are taken as the RON that they are written in and read later, by their own type, so that the file goes the same
//! way as the environment and the flags, and a wrong value is named by its place.

use std::fmt;

use ron::extensions::Extensions;
use ron::value::RawValue;
use ron::{Error, Options};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::declare::{Key, Section};
use super::keys;
use super::unknown;

/// What stands in the file.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// A setting.
    Setting(Found<'a>),
    /// Something that is none, or set twice.
    Wrong { place: String, what: String },
}

/// A setting in the file.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) key: &'static Key,
    /// Where its key is.
    pub(super) place: String,
    /// Its value in RON.
    pub(super) value: &'a str,
    /// Where its value is.
    pub(super) value_place: String,
}

/// Reads all that stands in a file, in its order.
pub(super) fn read<'a>(file_name: &str, bytes: &'a [u8]) -> Vec<Item<'a>> {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            return vec![Item::Wrong {
                place: format!("{file_name}:{line}"),
                what: "the line is not UTF-8 text: save the file as UTF-8".into(),
            }];
        }
    };
    if is_blank(text) {
        return Vec::new();
    }
    let mut reader = Reader {
        file_name,
        text,
        items: Vec::new(),
    };
    reader.read_file();
    reader.items
}

/// Whether every line is empty or a comment: a file in which nothing is set yet.
fn is_blank(text: &str) -> bool {
    text.lines()
        .map(str::trim_start)
        .all(|line| line.is_empty() || line.starts_with("//"))
}

struct Reader<'a, 'n> {
    file_name: &'n str,
    text: &'a str,
    items: Vec<Item<'a>>,
}

impl<'a> Reader<'a, '_> {
    fn read_file(&mut self) {
        let entries = match options().from_str::<Entries<'a>>(self.text) {
            Ok(Entries(entries)) => entries,
            Err(error) => {
                self.items.push(Item::Wrong {
                    place: format!("{}:{}", self.file_name, error.span.start),
                    what: explain(&error.code),
                });
                return;
            }
        };
        for (number, entry) in entries.iter().enumerate() {
            if self.is_repeated(entry, &entries[..number]) {
                continue;
            }
            match keys::section(entry.key) {
                Some(section) => self.read_section(section, entry),
                None => self.add(entry.key, unknown::section(entry.key)),
            }
        }
    }

    fn read_section(&mut self, section: &'static Section, entry: &Entry<'a>) {
        let Ok(Entries(entries)) = options().from_str::<Entries<'a>>(entry.value) else {
            let (name, first) = (section.name, section.keys.first());
            let first = first.map_or("", |key| key.name);
            let what = format!("{name} must be settings in parentheses: {name}: ({first}: …)");
            self.add(entry.value, what);
            return;
        };
        for (number, entry) in entries.iter().enumerate() {
            if self.is_repeated(entry, &entries[..number]) {
                continue;
            }
            match section.key(entry.key) {
                Some(key) => self.items.push(Item::Setting(Found {
                    key,
                    place: self.place(entry.key),
                    value: entry.value,
                    value_place: self.place(entry.value),
                })),
                None => {
                    let what = unknown::key(section, entry.key, |key| key.name.into());
                    self.add(entry.key, what);
                }
            }
        }
    }

    /// Refuses a key that stands there before.
    fn is_repeated(&mut self, entry: &Entry<'_>, earlier: &[Entry<'_>]) -> bool {
        let Some(first) = earlier.iter().find(|earlier| earlier.key == entry.key) else {
            return false;
        };
        let (line, _) = self.position(first.key);
        let what = format!("{} is set already, on line {line}", entry.key);
        self.add(entry.key, what);
        true
    }

    fn add(&mut self, part: &str, what: String) {
        let place = self.place(part);
        self.items.push(Item::Wrong { place, what });
    }

    fn place(&self, part: &str) -> String {
        let (line, column) = self.position(part);
        format!("{}:{line}:{column}", self.file_name)
    }

    /// Line and column of a part of the text, both from 1.
    fn position(&self, part: &str) -> (usize, usize) {
        let offset = part.as_ptr().addr() - self.text.as_ptr().addr();
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column =
            before.chars().count() - before.get(..line_start).unwrap_or("").chars().count();
        (line, column + 1)
    }
}

fn options() -> Options {
    Options::default().with_default_extension(Extensions::IMPLICIT_SOME)
}

/// What is wrong with the RON. The mistake that most people make is to forget the quotes.
fn explain(error: &Error) -> String {
    if matches!(error, Error::ExpectedComma | Error::ExpectedFloat) {
        return "here should be a comma or a closing parenthesis; times, addresses and paths are written in quotes"
            .into();
    }
    if matches!(
        error,
        Error::ExpectedStructLike | Error::ExpectedNamedStructLike(_)
    ) {
        return "all settings stand in parentheses: (serve: (…), join: (…))".into();
    }
    format!("this is not RON: {error}")
}

/// The keys and values of a `(key: value, …)`, all of them parts of the text.
struct Entries<'a>(Vec<Entry<'a>>);

struct Entry<'a> {
    key: &'a str,
    value: &'a str,
}

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("settings in parentheses")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<&'de str, &'de RawValue>()? {
                    let value = value.trim().get_ron();
                    entries.push(Entry { key, value });
                }
                Ok(Entries(entries))
            }

            /// `()` sets nothing.
            fn visit_unit<E: de::Error>(self) -> Result<Entries<'de>, E> {
                Ok(Entries(Vec::new()))
            }
        }

        deserializer.deserialize_struct("", &[], EntriesVisitor)
    }
}
