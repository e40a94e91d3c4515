//! The text of an accounts file, and changes to it that leave everything else as it was: order, comments, blank lines,
//! white space, the ends of lines.

use std::ops::Range;

use simplechat_core::name::Name;
use zeroize::Zeroizing;

use crate::credentials::{BYTE_ORDER_MARK, Proof, check_lines, parse_line};
use crate::problems::Problems;

/// The text of an accounts file whose lines can all be read.
pub(super) struct Document {
    text: Zeroizing<Vec<u8>>,
}

/// An account, and where it stands.
struct Place {
    name: Name,
    proof: Proof,
    /// Its line, with its end.
    line: Range<usize>,
    /// Its password or hash.
    field: Range<usize>,
}

impl Document {
    /// Takes the text of a file of that name.
    pub(super) fn new(file_name: &str, text: Zeroizing<Vec<u8>>) -> Result<Self, Problems> {
        check_lines(file_name, &text)?;
        Ok(Self { text })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// The accounts as they stand there.
    pub(super) fn accounts(&self) -> Vec<(Name, Proof)> {
        self.places()
            .map(|place| (place.name, place.proof))
            .collect()
    }

    pub(super) fn proof(&self, name: Name) -> Option<Proof> {
        self.find(name).map(|place| place.proof)
    }

    /// Adds an account behind all others. Gives whether there was none of that name.
    pub(super) fn add(&mut self, name: Name, hash: &str) -> bool {
        if self.find(name).is_some() {
            return false;
        }
        let end_of_line: &[u8] = if self.text.ends_with(b"\r\n") {
            b"\r\n"
        } else {
            b"\n"
        };
        let is_open = !self.text.is_empty() && !self.text.ends_with(b"\n");
        let break_before = if is_open { end_of_line } else { b"" };
        let line = format!("{name} {hash}");
        let end = self.text.len();
        self.replace(
            end..end,
            &[break_before, line.as_bytes(), end_of_line].concat(),
        );
        true
    }

    /// Puts a hash in the place of an account's password or hash. Gives whether there is such an account.
    pub(super) fn set(&mut self, name: Name, hash: &str) -> bool {
        let place = self.find(name);
        if let Some(place) = &place {
            self.replace(place.field.clone(), hash.as_bytes());
        }
        place.is_some()
    }

    /// Takes an account's line out. Gives whether there is such an account.
    pub(super) fn remove(&mut self, name: Name) -> bool {
        let place = self.find(name);
        if let Some(place) = &place {
            self.replace(place.line.clone(), b"");
        }
        place.is_some()
    }

    /// Into a new text, so that the old one is wiped as a whole.
    fn replace(&mut self, range: Range<usize>, by: &[u8]) {
        let before = self.text.get(..range.start).unwrap_or_default();
        let behind = self.text.get(range.end..).unwrap_or_default();
        self.text = Zeroizing::new([before, by, behind].concat());
    }

    fn find(&self, name: Name) -> Option<Place> {
        self.places().find(|place| place.name == name)
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        let mut start = if self.text.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        let lines = self.text.get(start..).unwrap_or_default();
        lines
            .split_inclusive(|byte| *byte == b'\n')
            .filter_map(move |line| {
                let line_start = start;
                start += line.len();
                let (name, proof) = parse_line(line).ok().flatten()?;
                let field = second_field(str::from_utf8(line).ok()?)?;
                Some(Place {
                    name,
                    proof,
                    line: line_start..start,
                    field: line_start + field.start..line_start + field.end,
                })
            })
    }
}

/// Where in a line the second of the fields is, which white space separates.
fn second_field(line: &str) -> Option<Range<usize>> {
    let rest = line.trim_start();
    let rest = rest.get(rest.find(char::is_whitespace)?..)?.trim_start();
    let start = line.len() - rest.len();
    let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
    Some(start..start + len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg";

    fn document(text: &str) -> Document {
        Document::new("test", Zeroizing::new(text.into())).unwrap()
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// What becomes of a text; `HASH` stands for the hash.
    fn changed(text: &str, change: impl FnOnce(&mut Document) -> bool) -> Option<String> {
        let mut document = document(text);
        let was = change(&mut document);
        let text = str::from_utf8(document.as_bytes()).unwrap();
        was.then(|| text.replace(HASH, "HASH"))
    }

    #[test]
    fn an_account_is_added_at_the_end() {
        let add = |text: &str| changed(text, |document| document.add(name("Bob"), HASH));
        assert_eq!(add("").unwrap(), "bob HASH\n");
        assert_eq!(add("alice a\n").unwrap(), "alice a\nbob HASH\n");
        assert_eq!(add("alice a").unwrap(), "alice a\nbob HASH\n");
        assert_eq!(
            add("alice a\r\n\r\n").unwrap(),
            "alice a\r\n\r\nbob HASH\r\n"
        );
        assert_eq!(add("\u{feff}BOB b\n"), None);
    }

    #[test]
    fn a_hash_takes_the_place_of_a_password_and_nothing_else() {
        let set = |text: &str| changed(text, |document| document.set(name("alice"), HASH));
        let text = "\u{feff}# alice a\r\n\r\n \tAlice \u{2003} alice \r\nbob b";
        assert_eq!(
            set(text).unwrap(),
            "\u{feff}# alice a\r\n\r\n \tAlice \u{2003} HASH \r\nbob b"
        );
        assert_eq!(set("alice alice").unwrap(), "alice HASH");
        assert_eq!(set("bob alice\n"), None);
    }

    #[test]
    fn a_line_is_removed_and_no_other() {
        let remove = |text: &str| changed(text, |document| document.remove(name("alice")));
        assert_eq!(
            remove("# of alice\n\nalice a\nbob b\n").unwrap(),
            "# of alice\n\nbob b\n"
        );
        assert_eq!(remove("bob b\r\nalice a").unwrap(), "bob b\r\n");
        assert_eq!(remove("bob alice\n"), None);
    }

    #[test]
    fn a_text_with_a_bad_line_is_not_touched() {
        let problems = Document::new("test", Zeroizing::new(b"alice a\nbob\n".to_vec()));
        assert!(problems.is_err_and(|problems| problems.to_string().starts_with("test:2: ")));
    }

    proptest! {
        /// What is changed and changed back is as it was, and what was not named is never touched.
        #[test]
        fn other_lines_stay_as_they_are(
            before in "(\u{feff})?([ \t]{0,2}(#[ a-z]{0,5}|[a-f][ \t]{1,3}[a-z]{1,5})?[ \t]{0,2}\r?\n){0,5}",
            line in "[ \t]{0,3}zoe[ \t\u{2003}]{1,3}",
            after in "([ \t]{0,2}\r?\n([ \t]{0,2}(#[ a-z]{0,5}|[g-m][ \t]{1,3}[a-z]{1,5})?[ \t]{0,2}\r?\n){0,3})?",
        ) {
            let text = format!("{before}{line}zoe{after}");
            let Ok(mut document) = Document::new("test", Zeroizing::new(text.into())) else {
                // The same name came twice.
                return Ok(());
            };
            let others = document.accounts().len() - 1;
            prop_assert!(document.set(name("zoe"), HASH));
            let hardened = format!("{before}{line}{HASH}{after}");
            prop_assert_eq!(str::from_utf8(document.as_bytes()).unwrap(), hardened);
            prop_assert!(document.remove(name("zoe")));
            prop_assert_eq!(document.accounts().len(), others);
            prop_assert!(document.as_bytes().starts_with(before.as_bytes()));
        }
    }
}
