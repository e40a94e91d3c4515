//! What people write to each other, and their passwords: bounded texts, the second kind kept from every log.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use crate::limits::{PASSWORD_LEN_MAX, TEXT_LEN_MAX};

/// The text of a message: UTF-8, not empty, and short enough for a frame. It is kept as it was written; whoever shows
/// it has to clean it first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Text(String);

/// Why something is no text of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidText {
    /// There is nothing to send.
    #[error("the text is empty")]
    Empty,
    /// Longer than fits a frame, in bytes.
    #[error("the text has {0} bytes, and at most {TEXT_LEN_MAX} can be sent")]
    TooLong(usize),
}

impl Text {
    /// Takes a text to send.
    ///
    /// # Errors
    ///
    /// When it is empty or does not fit a frame.
    pub fn new(text: String) -> Result<Self, InvalidText> {
        match text.len() {
            0 => Err(InvalidText::Empty),
            1..=TEXT_LEN_MAX => Ok(Self(text)),
            len => Err(InvalidText::TooLong(len)),
        }
    }

    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its length in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a text is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromStr for Text {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        Self::new(text.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A password: wiped from memory when dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

/// Why something is no password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidPassword {
    /// There is nothing.
    #[error("the password is empty")]
    Empty,
    /// Longer than a login carries, in bytes.
    #[error("the password has {0} bytes, and at most {PASSWORD_LEN_MAX} are taken")]
    TooLong(usize),
}

impl Password {
    /// Takes a password.
    ///
    /// # Errors
    ///
    /// When it is empty or longer than a login can carry.
    pub fn new(password: String) -> Result<Self, InvalidPassword> {
        let password = Zeroizing::new(password);
        match password.len() {
            0 => Err(InvalidPassword::Empty),
            1..=PASSWORD_LEN_MAX => Ok(Self(password)),
            len => Err(InvalidPassword::TooLong(len)),
        }
    }

    /// The password itself, for whoever checks it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.reveal())
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn bounds_are_named() {
        let too_long = "x".repeat(TEXT_LEN_MAX + 1).parse::<Text>().unwrap_err();
        assert_eq!(
            too_long.to_string(),
            "the text has 61441 bytes, and at most 61440 can be sent"
        );
        assert_eq!("".parse::<Text>(), Err(InvalidText::Empty));
        assert_eq!(
            Password::new("x".repeat(257)),
            Err(InvalidPassword::TooLong(257))
        );
        assert_eq!(Password::new(String::new()), Err(InvalidPassword::Empty));
    }

    #[test]
    fn a_password_is_not_shown() {
        let password = Password::new("secret".into()).unwrap();
        assert_eq!(format!("{password:?}"), "Password");
    }
}
