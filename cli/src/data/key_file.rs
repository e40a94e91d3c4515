//! A key in a file: one line of text that says what it is.
//!
//! ```text
//! simplechat server-key 1 SECRET FINGERPRINT
//! ```
//!
//! The 1 is the version of this format; the secret is 64 hexadecimal digits. The fingerprint is that of the key's public
//! half and tells whether the line is as it was written. The key of tickets has no use for a public half, but one can be
//! computed, and so it is checked in the same way.
//!
//! Text that holds a secret is in buffers that never grow and are wiped.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};

use data_encoding::HEXLOWER;
use simplechat_core::key::{Fingerprint, KEY_LEN, StaticKey};
use simplechat_core::rng::SecretSource;
use zeroize::Zeroizing;

use super::{DataDirectory, DataError, Secrecy};

const VERSION: &str = "1";
const SECRET_DIGITS: usize = 2 * KEY_LEN;
/// Longer than any key file.
const TEXT_LEN_MAX: usize = 256;

/// A secret of 32 bytes, wiped when it is dropped.
pub(super) type Secret = Zeroizing<[u8; KEY_LEN]>;

/// What the key in a file is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What users know the server by.
    Server,
    /// What tickets are sealed under.
    Ticket,
    /// What a device proves to be the same.
    Client,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Server, Self::Ticket, Self::Client];

    const fn word(self) -> &'static str {
        match self {
            Self::Server => "server-key",
            Self::Ticket => "ticket-key",
            Self::Client => "client-key",
        }
    }

    /// What happens if there is a new one.
    pub(super) const fn loss(self) -> &'static str {
        match self {
            Self::Server => "a new one is made, and every user will have to accept it",
            Self::Ticket => {
                "a new one is made, and everybody who is logged in will need their password again"
            }
            Self::Client => {
                "a new one is made, and you will have to exchange addresses with your peers again"
            }
        }
    }
}

/// What is wrong with the content of a key file. The content is never shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadKey {
    /// It is not what was written.
    #[error("is damaged")]
    Damaged,
    /// It holds a key for something else.
    #[error("holds a {} where a {} should be", .found.word(), .wanted.word())]
    OtherKind {
        /// What it holds.
        found: Kind,
        /// What it should hold.
        wanted: Kind,
    },
    /// A later program has written it.
    #[error("was written by a later version of this program")]
    OtherVersion,
}

/// The key in a file, which is made with a new key if it is not there.
pub(super) fn load_or_make(
    directory: &DataDirectory,
    name: &str,
    kind: Kind,
    secrets: &mut dyn SecretSource,
) -> Result<Secret, DataError> {
    if let Some(secret) = load(directory, name, kind)? {
        return Ok(secret);
    }
    let writer = directory.lock()?;
    // Somebody else may have made it since.
    if let Some(secret) = load(directory, name, kind)? {
        return Ok(secret);
    }
    let mut secret = Zeroizing::new([0; KEY_LEN]);
    secrets.fill(&mut *secret);
    writer.write(name, &encode(kind, &secret))?;
    Ok(secret)
}

/// The key in a file, if the file is there.
pub(super) fn load(
    directory: &DataDirectory,
    name: &str,
    kind: Kind,
) -> Result<Option<Secret>, DataError> {
    let Some(file) = directory.open(name, Secrecy::Secret)? else {
        return Ok(None);
    };
    let path = directory.file(name);
    let text = read_all(file).map_err(|source| DataError::unreadable(&path, source))?;
    match decode(kind, &text) {
        Ok(secret) => Ok(Some(secret)),
        Err(why) => Err(DataError::Key { path, kind, why }),
    }
}

/// All of a file, or as much as is enough to see that it is too long.
fn read_all(mut file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(vec![0; TEXT_LEN_MAX]);
    let mut filled = 0;
    while let Some(rest) = text.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    text.truncate(filled);
    Ok(text)
}

fn encode(kind: Kind, secret: &Secret) -> Zeroizing<Vec<u8>> {
    let mut digits = Zeroizing::new([0; SECRET_DIGITS]);
    HEXLOWER.encode_mut(secret.as_slice(), digits.as_mut_slice());
    let fingerprint = fingerprint(secret).to_string();
    let mut text = Zeroizing::new(Vec::with_capacity(TEXT_LEN_MAX));
    for part in ["simplechat ", kind.word(), " ", VERSION, " "] {
        text.extend_from_slice(part.as_bytes());
    }
    text.extend_from_slice(digits.as_slice());
    for part in [" ", &fingerprint, "\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    text
}

fn decode(kind: Kind, text: &[u8]) -> Result<Secret, BadKey> {
    let text = str::from_utf8(text).map_err(|_| BadKey::Damaged)?;
    let mut fields = text
        .strip_prefix("simplechat ")
        .and_then(|rest| rest.strip_suffix('\n'))
        .ok_or(BadKey::Damaged)?
        .split(' ');
    let word = fields.next();
    let found = Kind::ALL.into_iter().find(|kind| Some(kind.word()) == word);
    match found {
        Some(found) if found == kind => {}
        Some(found) => {
            return Err(BadKey::OtherKind {
                found,
                wanted: kind,
            });
        }
        None => return Err(BadKey::Damaged),
    }
    match fields.next() {
        Some(VERSION) => {}
        Some(other) if other.parse::<u32>().is_ok() => return Err(BadKey::OtherVersion),
        Some(_) | None => return Err(BadKey::Damaged),
    }
    let (Some(digits), Some(written), None) = (fields.next(), fields.next(), fields.next()) else {
        return Err(BadKey::Damaged);
    };
    let mut secret = Zeroizing::new([0; KEY_LEN]);
    if digits.len() != SECRET_DIGITS
        || HEXLOWER
            .decode_mut(digits.as_bytes(), secret.as_mut_slice())
            .is_err()
    {
        return Err(BadKey::Damaged);
    }
    if written != fingerprint(&secret).to_string() {
        return Err(BadKey::Damaged);
    }
    Ok(secret)
}

fn fingerprint(secret: &Secret) -> Fingerprint {
    StaticKey::from_secret(secret.clone())
        .public()
        .fingerprint()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret() -> Secret {
        Zeroizing::new(core::array::from_fn(|place| u8::try_from(place).unwrap()))
    }

    fn text(kind: Kind) -> String {
        String::from_utf8(encode(kind, &secret()).to_vec()).unwrap()
    }

    #[test]
    fn a_key_is_a_line_that_says_what_it_is() {
        insta::assert_snapshot!(text(Kind::Server), @r#"
        simplechat server-key 1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f aeek-swi6-uc6q-nxfs-toyc-cvpg-hpvc-46q2
        "#);
        for kind in Kind::ALL {
            assert_eq!(decode(kind, text(kind).as_bytes()).as_ref(), Ok(&secret()));
        }
    }

    #[test]
    fn a_key_for_something_else_is_refused() {
        assert_eq!(
            decode(Kind::Server, text(Kind::Ticket).as_bytes()),
            Err(BadKey::OtherKind {
                found: Kind::Ticket,
                wanted: Kind::Server
            })
        );
    }

    #[test]
    fn a_later_version_is_refused_as_such() {
        let later = text(Kind::Server).replace("server-key 1", "server-key 2");
        assert_eq!(
            decode(Kind::Server, later.as_bytes()),
            Err(BadKey::OtherVersion)
        );
    }

    #[test]
    fn every_cut_and_every_longer_one_is_damage() {
        let whole = text(Kind::Client);
        for end in 0..whole.len() {
            let cut = &whole.as_bytes()[..end];
            assert_eq!(decode(Kind::Client, cut), Err(BadKey::Damaged), "{end}");
        }
        for longer in [
            format!("{whole}\n"),
            format!("{whole}{whole}"),
            whole.replace('\n', " x\n"),
            whole.replace('\n', "\r\n"),
        ] {
            assert_eq!(
                decode(Kind::Client, longer.as_bytes()),
                Err(BadKey::Damaged),
                "{longer:?}"
            );
        }
    }

    proptest! {
        /// But for the five bits that X25519 does not use, no key is taken for another one.
        #[test]
        fn a_changed_byte_is_never_taken_for_another_key(place in 0usize..140, byte: u8) {
            let mut changed = text(Kind::Server).into_bytes();
            let Some(old) = changed.get_mut(place) else { return Ok(()) };
            *old = byte;
            if let Ok(found) = decode(Kind::Server, &changed) {
                let public = |secret: Secret| StaticKey::from_secret(secret).public();
                prop_assert_eq!(public(found), public(secret()));
            }
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
            let _ = decode(Kind::Server, &bytes);
        }
    }
}
