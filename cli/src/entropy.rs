//! What cannot be guessed, from the operating system.

use simplechat_core::rng::SecretSource;

use crate::exit::{Exit, Failure};

/// The operating system's generator.
#[derive(Debug)]
pub(crate) struct OsSecrets;

impl SecretSource for OsSecrets {
    fn fill(&mut self, bytes: &mut [u8]) {
        // It worked when the program started (see `seed`), and does not stop to work on any system that we run on.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// A seed for a machine, and the proof that the generator works.
pub(crate) fn seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| {
        let message = format!("the operating system gives no random bytes: {error}");
        Failure::new(Exit::Failed, message)
    })?;
    Ok(seed)
}
