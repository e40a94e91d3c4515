//! Where a server is, as people write it: `HOST:PORT`, with the fingerprint of its key behind a `#` if they have it.
//!
//! Two ways to write the same place are the same place where that can be told without asking anybody: case does not
//! matter in a name, nor the way in which an address or a port is written.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use simplechat_core::key::{Fingerprint, InvalidFingerprint};

use crate::clean::{clean, clean_start};

/// No host name is longer (RFC 1035), nor is an address.
const HOST_LEN_MAX: usize = 253;
const SHOWN_CHARS_MAX: usize = 60;

/// A host and a port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place(String);

/// A place, and the fingerprint that somebody gave along with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invitation {
    /// Where the server is.
    pub place: Place,
    /// What its key must be known by.
    pub fingerprint: Option<Fingerprint>,
}

/// Why something is no place, and what would be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidPlace {
    /// There is no host or no port.
    #[error("{0}: write the server as HOST:PORT, as in localhost:5150")]
    Form(String),
    /// The port is no number, or none that can be dialled.
    #[error("{0}: the port is a number from 1 to 65535, as in localhost:5150")]
    Port(String),
    /// There is something in the host that no name has.
    #[error(
        "{0}: that is no name of a host: a name has no blanks, no control characters, no @ and no #"
    )]
    Host(String),
    /// What follows the `#` is no fingerprint.
    #[error("{0}: after the # comes the fingerprint of the server's key: {1}")]
    Fingerprint(String, InvalidFingerprint),
}

impl Place {
    /// As it can be resolved.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let shown = || clean_start(text, SHOWN_CHARS_MAX);
        let (host, port) = text
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty())
            .ok_or_else(|| InvalidPlace::Form(shown()))?;
        let Ok(port @ 1..) = port.parse::<u16>() else {
            return Err(InvalidPlace::Port(shown()));
        };
        let is_foreign = |c: char| c.is_whitespace() || matches!(c, '#' | '@');
        // What is cleaned for a screen is in no name either, so a place can be shown as it is.
        if host.len() > HOST_LEN_MAX || host.contains(is_foreign) || clean(host) != host {
            return Err(InvalidPlace::Host(shown()));
        }
        let place = format!("{}:{port}", host.to_ascii_lowercase());
        let address = place.parse::<SocketAddr>();
        Ok(Self(address.map_or(place, |address| address.to_string())))
    }
}

impl FromStr for Invitation {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let (place, fingerprint) = match text.split_once('#') {
            Some((place, fingerprint)) => (place, Some(fingerprint)),
            None => (text, None),
        };
        let shown = || clean_start(text, SHOWN_CHARS_MAX);
        Ok(Self {
            place: place.parse()?,
            fingerprint: fingerprint
                .map(str::parse)
                .transpose()
                .map_err(|error| InvalidPlace::Fingerprint(shown(), error))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FINGERPRINT: &str = "aaaq-eayd-aucq-mbyi-beaq-yba4-bafa-wcya";

    fn place(text: &str) -> String {
        text.parse::<Place>().unwrap().to_string()
    }

    #[test]
    fn the_same_place_is_the_same_however_it_is_written() {
        assert_eq!(place("Chat.Example.ORG:05150"), "chat.example.org:5150");
        assert_eq!(place("[2001:DB8:0::1]:1"), "[2001:db8::1]:1");
        assert_eq!(place("192.0.2.1:1"), "192.0.2.1:1");
    }

    #[test]
    fn what_is_no_place_says_why() {
        let why = |text: &str| text.parse::<Invitation>().unwrap_err().to_string();
        insta::assert_snapshot!([
            why("localhost"),
            why(":5150"),
            why("localhost:"),
            why("localhost:0"),
            why("localhost:99999"),
            why("a\u{1b}[2J"),
            why("two words:1"),
            why("@chat:1"),
            why("localhost#x"),
            why("localhost:1#"),
            why("localhost:1#abc"),
        ].join("\n"), @r#"
        localhost: write the server as HOST:PORT, as in localhost:5150
        :5150: write the server as HOST:PORT, as in localhost:5150
        localhost:: the port is a number from 1 to 65535, as in localhost:5150
        localhost:0: the port is a number from 1 to 65535, as in localhost:5150
        localhost:99999: the port is a number from 1 to 65535, as in localhost:5150
        a�[2J: write the server as HOST:PORT, as in localhost:5150
        two words:1: that is no name of a host: a name has no blanks, no control characters, no @ and no #
        @chat:1: that is no name of a host: a name has no blanks, no control characters, no @ and no #
        localhost: write the server as HOST:PORT, as in localhost:5150
        localhost:1#: after the # comes the fingerprint of the server's key: a fingerprint has 32 letters and digits (a to z, 2 to 7), with or without dashes between them
        localhost:1#abc: after the # comes the fingerprint of the server's key: a fingerprint has 32 letters and digits (a to z, 2 to 7), with or without dashes between them
        "#);
    }

    #[test]
    fn a_fingerprint_may_follow() {
        let with: Invitation = format!("localhost:1#{FINGERPRINT}").parse().unwrap();
        assert_eq!(with.place.as_str(), "localhost:1");
        assert_eq!(with.fingerprint, FINGERPRINT.parse().ok());
        let without: Invitation = "localhost:1".parse().unwrap();
        assert_eq!(without.fingerprint, None);
    }

    proptest! {
        #[test]
        fn a_place_reads_back(text in "\\PC{0,20}:[0-9]{1,5}|\\PC{0,30}") {
            if let Ok(place) = text.parse::<Place>() {
                prop_assert_eq!(place.to_string().parse(), Ok(place.clone()));
                prop_assert!(!place.as_str().contains(char::is_whitespace));
            }
        }
    }
}
