//! Names of accounts: ASCII letters, digits, `.`, `_` and `-`, 1 to 32 of them, the first a letter or digit.
//!
//! Names are compared in lower case, so a [`Name`] is kept in lower case: two ways to write one person cannot exist.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::NAME_LEN_MAX;

/// The name of an account, in lower case. Safe to print: it holds no control characters and no other script.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    // Zeros behind the name, so that the derived order is that of the text.
    bytes: [u8; NAME_LEN_MAX],
    len: u8,
}

/// Why a text is not a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidName {
    /// There is nothing.
    #[error("a name is missing")]
    Empty,
    /// It has so many characters.
    #[error("a name has at most {NAME_LEN_MAX} characters, and this one has {0}")]
    TooLong(usize),
    /// It starts with this.
    #[error("a name starts with a letter or digit, not with {0:?}")]
    Start(char),
    /// It holds this.
    #[error("a name is made of ASCII letters, digits, '.', '_' and '-', and {0:?} is none of them")]
    Character(char),
}

impl Name {
    /// The name as people read it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let used = self
            .bytes
            .get(..usize::from(self.len))
            .unwrap_or(&self.bytes);
        core::str::from_utf8(used).unwrap_or_default()
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let first = text.chars().next().ok_or(InvalidName::Empty)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if let Some(other) = text.chars().find(|c| !allowed(*c)) {
            return Err(InvalidName::Character(other));
        }
        if !first.is_ascii_alphanumeric() {
            return Err(InvalidName::Start(first));
        }
        let mut bytes = [0; NAME_LEN_MAX];
        let too_long = InvalidName::TooLong(text.len());
        let used = bytes.get_mut(..text.len()).ok_or(too_long)?;
        used.copy_from_slice(text.as_bytes());
        used.make_ascii_lowercase();
        let len = u8::try_from(text.len()).map_err(|_| too_long)?;
        Ok(Self { bytes, len })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&str>::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn case_does_not_make_another_name() {
        let name: Name = "Alice.B-2_x".parse().unwrap();
        assert_eq!(name, "ALICE.b-2_X".parse().unwrap());
        assert_eq!(name.to_string(), "alice.b-2_x");
    }

    #[test]
    fn what_is_no_name_says_why() {
        let why = |text: &str| text.parse::<Name>().unwrap_err().to_string();
        insta::assert_snapshot!([
            why(""),
            why(&"x".repeat(33)),
            why("-x"),
            why("_"),
            why("no name"),
            why("аlice"),
            why("a\u{1b}[2J"),
        ].join("\n"), @r#"
        a name is missing
        a name has at most 32 characters, and this one has 33
        a name starts with a letter or digit, not with '-'
        a name starts with a letter or digit, not with '_'
        a name is made of ASCII letters, digits, '.', '_' and '-', and ' ' is none of them
        a name is made of ASCII letters, digits, '.', '_' and '-', and 'а' is none of them
        a name is made of ASCII letters, digits, '.', '_' and '-', and '\u{1b}' is none of them
        "#);
        assert!("x".repeat(32).parse::<Name>().is_ok());
    }

    proptest! {
        #[test]
        fn names_read_back_and_sort_as_their_text(a in "[a-z0-9][a-z0-9._-]{0,31}", b in "[a-z0-9][a-z0-9._-]{0,31}") {
            let (name_a, name_b): (Name, Name) = (a.parse().unwrap(), b.parse().unwrap());
            prop_assert_eq!(name_a.as_str(), &a);
            prop_assert_eq!(name_a.cmp(&name_b), a.cmp(&b));
        }

        #[test]
        fn no_text_panics(text in any::<alloc::string::String>()) {
            let _ = text.parse::<Name>();
        }
    }
}
