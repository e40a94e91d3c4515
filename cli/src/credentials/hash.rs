//! Argon2id: what a check of a password costs, and hashes in the text form that other programs write too (PHC).
//!
//! Everything here is that algorithm in its current version; the work is done by the `argon2` crate.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use simplechat_core::text::Password;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The most memory that one check may take, in KiB. Some accounts file could ask for all there is.
pub const MEMORY_KIB_MAX: u32 = 256 * 1024;
/// The most passes over that memory.
pub const PASSES_MAX: u32 = 16;
/// The most lanes; they are computed one after the other, and so make nothing faster or dearer.
const LANES_MAX: u32 = 16;
/// What OWASP recommends as the least (Password Storage Cheat Sheet): memory in KiB and passes, which are equally strong.
const LEAST: [(u32, u32); 5] = [
    (47_104, 1),
    (19_456, 2),
    (12_288, 3),
    (9_216, 4),
    (7_168, 5),
];
const SALT_LEN: usize = 16;
const OUTPUT_LEN: usize = 32;

/// What hashing a password costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// So much memory in KiB, and so many passes over it; both within what is possible.
    #[must_use]
    pub fn new(memory_kib: u32, passes: u32) -> Self {
        Self {
            memory_kib: memory_kib.clamp(Params::MIN_M_COST, MEMORY_KIB_MAX),
            passes: passes.clamp(Params::MIN_T_COST, PASSES_MAX),
            lanes: 1,
        }
    }

    fn is_weak(self) -> bool {
        !LEAST
            .iter()
            .any(|(memory_kib, passes)| self.memory_kib >= *memory_kib && self.passes >= *passes)
    }

    fn params(self, output_len: usize) -> Result<Params, argon2::Error> {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(output_len))
    }
}

/// Why a text is no hash that can be checked. It shows nothing of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidHash {
    /// Another algorithm of the family, or an old version.
    #[error("this hash is of another kind: only Argon2id of version 19 is taken")]
    Kind,
    /// It breaks off, or something else is wrong with its form.
    #[error("this hash cannot be read: it looks like $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH")]
    Form,
    /// A check would take too much.
    #[error(
        "this hash takes too much to check: at most m={MEMORY_KIB_MAX} (KiB), t={PASSES_MAX} and p={LANES_MAX} are taken"
    )]
    Cost,
}

/// The hash of a password.
pub(crate) struct Hash {
    text: String,
    cost: Cost,
    salt: Salt,
    output: Output,
}

impl Hash {
    /// Whether a field of a file is meant as a hash of this family. A password cannot start like this.
    pub(crate) fn is_meant(field: &str) -> bool {
        field.starts_with("$argon2")
    }

    /// Hashes a password with a salt of its own, which is what makes the same password look different elsewhere.
    pub(crate) fn make(
        password: &Password,
        cost: Cost,
        salt: [u8; SALT_LEN],
        bench: &mut Workbench,
    ) -> Result<Self, InvalidHash> {
        let output = bench.hash(cost, password, &salt, OUTPUT_LEN)?;
        let params = cost
            .params(OUTPUT_LEN)
            .map_err(|_| InvalidHash::Cost)
            .and_then(|params| ParamsString::try_from(&params).map_err(|_| InvalidHash::Form))?;
        let text = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params,
            salt: Some(Salt::new(&salt).map_err(|_| InvalidHash::Form)?),
            hash: Some(Output::new(&output).map_err(|_| InvalidHash::Form)?),
        };
        text.to_string().parse()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it costs somebody who has stolen the file less to guess than is recommended.
    pub(crate) fn is_weak(&self) -> bool {
        self.cost.is_weak()
    }

    /// Whether it is the hash of that password.
    pub(super) fn is_of(&self, password: &Password, bench: &mut Workbench) -> bool {
        let expected = self.output.as_bytes();
        bench
            .hash(self.cost, password, &self.salt, expected.len())
            .is_ok_and(|output| output.ct_eq(expected).into())
    }
}

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let parsed = PasswordHash::new(text).map_err(|_| InvalidHash::Form)?;
        if parsed.algorithm != ARGON2ID_IDENT || parsed.version != Some(Version::V0x13.into()) {
            return Err(InvalidHash::Kind);
        }
        let (Some(salt), Some(output)) = (parsed.salt, parsed.hash) else {
            return Err(InvalidHash::Form);
        };
        let params = Params::try_from(&parsed).map_err(|_| InvalidHash::Form)?;
        if !params.keyid().is_empty() || !params.data().is_empty() {
            return Err(InvalidHash::Kind);
        }
        let cost = Cost {
            memory_kib: params.m_cost(),
            passes: params.t_cost(),
            lanes: params.p_cost(),
        };
        if cost.memory_kib > MEMORY_KIB_MAX || cost.passes > PASSES_MAX || cost.lanes > LANES_MAX {
            return Err(InvalidHash::Cost);
        }
        Ok(Self {
            text: text.into(),
            cost,
            salt,
            output,
        })
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({:?})", self.cost)
    }
}

/// The memory that hashing takes. Whoever hashes keeps one, so that no more is ever in use than there are of these.
#[derive(Default)]
pub struct Workbench {
    blocks: Vec<Block>,
    #[cfg(test)]
    pub(super) done: Vec<Cost>,
}

impl Workbench {
    /// Does the work of hashing, and gives what comes of it.
    pub(super) fn hash(
        &mut self,
        cost: Cost,
        password: &Password,
        salt: &[u8],
        output_len: usize,
    ) -> Result<Zeroizing<Vec<u8>>, InvalidHash> {
        #[cfg(test)]
        self.done.push(cost);
        let params = cost.params(output_len).map_err(|_| InvalidHash::Cost)?;
        let blocks = params.block_count();
        if self.blocks.len() < blocks {
            self.blocks.resize(blocks, Block::new());
        }
        let mut output = Zeroizing::new(vec![0; output_len]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                password.reveal().as_bytes(),
                salt,
                &mut output,
                &mut self.blocks,
            )
            .map_err(|_| InvalidHash::Form)?;
        Ok(output)
    }

    /// Does the work of checking a hash of that cost, for nothing: so it takes as long.
    pub(super) fn toil(&mut self, cost: Cost, password: &Password) {
        let output = self.hash(cost, password, &[0; SALT_LEN], OUTPUT_LEN);
        let _ = std::hint::black_box(output);
    }
}

impl fmt::Debug for Workbench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workbench({} KiB)", self.blocks.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHEAP: Cost = Cost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    fn password(text: &str) -> Password {
        Password::new(text.into()).unwrap()
    }

    fn form(params: &str) -> Result<Hash, InvalidHash> {
        format!("$argon2id$v=19${params}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
            .parse()
    }

    /// Of the reference implementation (`phc-winner-argon2`, its test of version 19).
    #[test]
    fn a_hash_that_another_program_made_is_checked() {
        let hash: Hash =
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
                .parse()
                .unwrap();
        let mut bench = Workbench::default();
        assert!(hash.is_of(&password("password"), &mut bench));
        assert!(!hash.is_of(&password("Password"), &mut bench));
        let lanes: Hash =
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"
                .parse()
                .unwrap();
        assert!(lanes.is_of(&password("password"), &mut bench));
    }

    #[test]
    fn what_is_made_is_read_again() {
        let mut bench = Workbench::default();
        let made = Hash::make(&password("sesame"), CHEAP, [7; SALT_LEN], &mut bench).unwrap();
        assert!(
            made.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"),
            "{}",
            made.as_str()
        );
        let again: Hash = made.as_str().parse().unwrap();
        assert!(again.is_of(&password("sesame"), &mut bench));
        assert!(!again.is_of(&password("sesame "), &mut bench));
        assert_eq!(
            format!("{bench:?} {again:?}"),
            format!("Workbench(8 KiB) Hash({CHEAP:?})")
        );
    }

    #[test]
    fn what_costs_too_much_is_refused_and_what_costs_too_little_is_noticed() {
        for fits in ["m=262144,t=16,p=16", "m=8,t=1,p=1"] {
            assert!(form(fits).is_ok(), "{fits}");
        }
        for absurd in [
            "m=262145,t=1,p=1",
            "m=4294967295,t=1,p=1",
            "m=8,t=17,p=1",
            "m=256,t=1,p=17",
        ] {
            assert_eq!(form(absurd).unwrap_err(), InvalidHash::Cost, "{absurd}");
        }
        for strong in ["m=19456,t=2,p=1", "m=47104,t=1,p=1", "m=7168,t=5,p=1"] {
            assert!(!form(strong).unwrap().is_weak(), "{strong}");
        }
        for weak in ["m=19455,t=2,p=1", "m=19456,t=1,p=1", "m=7167,t=16,p=1"] {
            assert!(form(weak).unwrap().is_weak(), "{weak}");
        }
    }

    #[test]
    fn other_kinds_are_refused() {
        for kind in [
            "$argon2i$v=19",
            "$argon2d$v=19",
            "$argon2id$v=16",
            "$argon2id",
        ] {
            let text = format!(
                "{kind}$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
            );
            assert_eq!(
                text.parse::<Hash>().unwrap_err(),
                InvalidHash::Kind,
                "{kind}"
            );
        }
        for broken in [
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
            "$argon2id$v=19",
            "$argon2id$v=19$m=1,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg",
        ] {
            assert_eq!(
                broken.parse::<Hash>().unwrap_err(),
                InvalidHash::Form,
                "{broken}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "\\PC*|\\$argon2id\\$v=19\\$m=[0-9]{1,11},t=[0-9]{1,3},p=[0-9]{1,3}(,keyid=[a-zA-Z]{0,4})?\\$[a-zA-Z0-9+/]{0,70}\\$[a-zA-Z0-9+/]{0,100}") {
            if let Ok(hash) = text.parse::<Hash>() {
                prop_assert!(hash.cost.memory_kib <= MEMORY_KIB_MAX && hash.cost.passes <= PASSES_MAX);
            }
        }
    }
}
