//! The safety code of two people: what they compare by voice, to know that nobody is in between.
//!
//! It is made as Signal makes its safety number (libsignal's `NumericFingerprintGenerator`, versions 1 and 2, which show the
//! same digits): 30 digits from each one's name and key, by a hash repeated so often that a key with the same digits
//! cannot be found by trying, then both in order. So both see the same 60 digits, and another key or name has others.

use core::fmt;

use sha2::{Digest as _, Sha512};

use crate::key::{KEY_LEN, PublicKey};
use crate::name::Name;

/// How often a name and key are hashed.
const ROUNDS: usize = 5_200;
const VERSION: [u8; 2] = [0, 0];
/// What libsignal writes before the bytes of an X25519 key.
const KEY_TYPE: u8 = 5;
/// Groups of digits of one person.
const GROUPS: usize = 6;
/// Bytes of the hash that a group is made from.
const GROUP_BYTES: usize = 5;

/// Sixty digits that two people with the right keys of each other see alike, and nobody else does. Printed, it is twelve groups
/// of five.
///
/// Making one takes about 10,400 hashes, some milliseconds: something to do when somebody asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SafetyCode([Half; 2]);

/// The digits of one person, a group each.
type Half = [u32; GROUPS];

impl SafetyCode {
    /// The code of two people, in any order.
    #[must_use]
    pub fn between(one: (Name, PublicKey), other: (Name, PublicKey)) -> Self {
        Self::of_halves(half(one.0.as_str(), one.1), half(other.0.as_str(), other.1))
    }

    fn of_halves(one: Half, other: Half) -> Self {
        Self([one.min(other), one.max(other)])
    }
}

impl fmt::Display for SafetyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, group) in self.0.iter().flatten().enumerate() {
            let separator = if place == 0 { "" } else { " " };
            write!(f, "{separator}{group:05}")?;
        }
        Ok(())
    }
}

fn half(name: &str, key: PublicKey) -> Half {
    let key = typed(key);
    let mut hash = Sha512::new_with_prefix(VERSION)
        .chain_update(key)
        .chain_update(name)
        .chain_update(key)
        .finalize();
    for _ in 1..ROUNDS {
        hash = Sha512::new_with_prefix(hash).chain_update(key).finalize();
    }
    let mut groups = hash.chunks_exact(GROUP_BYTES).map(digits);
    core::array::from_fn(|_| {
        groups
            .next()
            .expect("a SHA-512 hash has 12 groups of bytes")
    })
}

fn typed(key: PublicKey) -> [u8; KEY_LEN + 1] {
    let mut typed = [KEY_TYPE; KEY_LEN + 1];
    typed[1..].copy_from_slice(&key.0);
    typed
}

/// Five digits: the bytes as a number, highest first, without what is beyond five digits.
fn digits(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| {
        // Below 100,000 times 256, so it fits.
        (number * 256 + u32::from(*byte)) % 100_000
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededSecrets;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn key(hex: &str) -> PublicKey {
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        PublicKey(bytes.try_into().unwrap())
    }

    #[test]
    fn it_is_signal_s_safety_number() {
        // The vector of libsignal's own tests; its identifiers are telephone numbers, which are no names here.
        let alice = key("06863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868");
        let bob = key("f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b");
        let code = SafetyCode::of_halves(half("+14152222222", alice), half("+14153333333", bob));
        assert_eq!(
            code.to_string().replace(' ', ""),
            "300354477692869396892869876765458257569162576843440918079131"
        );
    }

    #[test]
    fn the_vectors_of_the_protocol_hold() {
        // The keys are those of RFC 7748, section 6.1. The same stands in docs/PROTOCOL.md.
        let alice = key("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let bob = key("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let code = |one, other| SafetyCode::between(one, other).to_string();
        assert_eq!(
            code((name("alice"), alice), (name("Bob"), bob)),
            "49132 30037 26036 01942 77268 00707 53320 00399 21844 76765 13397 78226"
        );
        assert_eq!(
            code((name("carol"), alice), (name("bob"), bob)),
            "53320 00399 21844 76765 13397 78226 95951 96307 90250 45316 69378 53256"
        );
        assert_eq!(
            code((name("alice"), bob), (name("bob"), alice)),
            "07782 34781 21703 45472 48719 04356 42703 89727 51217 04041 17353 02299"
        );
    }

    proptest! {
        // Each case takes tens of thousands of hashes.
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn both_see_the_same_and_nobody_else_does(a in "[a-z0-9]{1,32}", b in "[a-z0-9]{1,32}", seed in 1u64..) {
            prop_assume!(a != b);
            let mut secrets = SeededSecrets::new(seed);
            let mut key = || crate::key::StaticKey::generate(&mut secrets).public();
            let keys = [key(), key(), key()];
            let (one, other) = ((name(&a), keys[0]), (name(&b), keys[1]));
            let code = SafetyCode::between(one, other);
            prop_assert_eq!(code, SafetyCode::between(other, one));
            prop_assert_ne!(code, SafetyCode::between(one, (other.0, keys[2])));
            prop_assert_ne!(code, SafetyCode::between((one.0, keys[1]), (other.0, keys[0])));
            prop_assert_eq!(code.to_string().len(), 71);
        }
    }
}
