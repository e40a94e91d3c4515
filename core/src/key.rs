//! Static keys: what a server or a device is known by (X25519, RFC 7748).

use core::fmt;
use core::str::FromStr;

use curve25519_dalek::montgomery::MontgomeryPoint;
use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::rng::SecretSource;

/// Bytes of a key, secret or public.
pub const KEY_LEN: usize = 32;

const FINGERPRINT_LEN: usize = 20;
const GROUP_LEN: usize = 4;

/// The secret half of a static key: wiped from memory when dropped, and never shown.
#[derive(Clone)]
pub struct StaticKey {
    secret: Zeroizing<[u8; KEY_LEN]>,
    public: PublicKey,
}

impl StaticKey {
    /// A new key that nobody can guess.
    pub fn generate(secrets: &mut dyn SecretSource) -> Self {
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        secrets.fill(&mut *secret);
        Self::from_secret(secret)
    }

    /// The key with this secret half.
    #[must_use]
    pub fn from_secret(secret: Zeroizing<[u8; KEY_LEN]>) -> Self {
        let public = PublicKey(MontgomeryPoint::mul_base_clamped(*secret).to_bytes());
        Self { secret, public }
    }

    /// The secret half, for whoever keeps it or shakes hands with it.
    #[must_use]
    pub fn secret(&self) -> &[u8; KEY_LEN] {
        &self.secret
    }

    /// The half that others know.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticKey")
    }
}

/// The public half of a static key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; KEY_LEN]);

impl PublicKey {
    /// What people compare.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let digest = Sha256::new_with_prefix(b"simplechat static key")
            .chain_update(self.0)
            .finalize();
        let start = digest.first_chunk();
        Fingerprint(*start.expect("a SHA-256 digest has 32 bytes"))
    }
}

impl fmt::Debug for PublicKey {
    /// The first eight digits: enough to tell them apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "{a:02x}{b:02x}{c:02x}{d:02x}")
    }
}

/// What a public key is compared by: 160 bits of its SHA-256, written in base 32 (RFC 4648) in groups of four.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fingerprint([u8; FINGERPRINT_LEN]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = BASE32_NOPAD.encode(&self.0).to_ascii_lowercase();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && place % GROUP_LEN == 0 {
                f.write_str("-")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// Why something is no fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a fingerprint has 32 letters and digits (a to z, 2 to 7), with or without dashes between them"
)]
pub struct InvalidFingerprint;

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    /// Capitals and dashes make no difference.
    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let digits = text.replace('-', "");
        let bytes = BASE32_NOPAD_NOCASE.decode(digits.as_bytes());
        bytes
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(InvalidFingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededSecrets;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn a_public_key_is_the_one_of_rfc_7748() {
        // Section 6.1, Alice's keys.
        let secret = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
        let public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
        let bytes = |hex: &str| -> [u8; KEY_LEN] {
            let decoded = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
            decoded.try_into().unwrap()
        };
        let key = StaticKey::from_secret(Zeroizing::new(bytes(secret)));
        assert_eq!(key.public().0, bytes(public));
    }

    #[test]
    fn a_fingerprint_reads_back_however_it_is_written() {
        let key = StaticKey::generate(&mut SeededSecrets::new(1)).public();
        let written = key.fingerprint().to_string();
        assert_eq!(written.len(), 39);
        for text in [
            written.clone(),
            written.to_uppercase(),
            written.replace('-', ""),
        ] {
            assert_eq!(text.parse(), Ok(key.fingerprint()), "{text}");
        }
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let written = PublicKey([7; KEY_LEN]).fingerprint().to_string();
        for text in [
            "",
            &written[1..],
            &format!("{written}a"),
            &written.replacen(|digit: char| digit != char::from(45), "1", 1),
        ] {
            assert_eq!(
                text.parse::<Fingerprint>(),
                Err(InvalidFingerprint),
                "{text}"
            );
        }
    }

    #[test]
    fn a_secret_does_not_show() {
        let key = StaticKey::generate(&mut SeededSecrets::new(1));
        assert_eq!(format!("{key:?}"), "StaticKey");
    }
}
