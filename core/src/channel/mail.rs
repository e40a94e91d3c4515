//! Sealing mail: a message of its own for somebody who is not there to shake hands, under their key and the sender's.
//!
//! It is the first and only message of a one-way handshake (the pattern X of the Noise framework, revision 34, section 7.4). Whoever opens
//! it knows who sealed it. It has less than a session has, and `docs/SECURITY.md` says what: whoever gets the recipient's key later
//! can read it, and somebody may bring it again, so what is inside has numbers.

use alloc::vec::Vec;

use super::OpenError;
use super::protection::{Part, Protection};
use crate::key::{PublicKey, StaticKey};
use crate::rng::SecretSource;

/// Seals a mail for somebody.
///
/// # Errors
///
/// When what is given for their key is none.
pub fn seal(
    protection: &dyn Protection,
    own: &StaticKey,
    to: PublicKey,
    secrets: &mut dyn SecretSource,
    payload: &[u8],
) -> Result<Vec<u8>, OpenError> {
    protection
        .handshake(Part::MailSender(to), own, secrets)
        .write(payload)
}

/// Opens a mail. Gives who sealed it too.
///
/// # Errors
///
/// When nobody sealed it for this key.
pub fn open(
    protection: &dyn Protection,
    own: &StaticKey,
    secrets: &mut dyn SecretSource,
    sealed: &[u8],
) -> Result<(PublicKey, Vec<u8>), OpenError> {
    let mut handshake = protection.handshake(Part::MailRecipient, own, secrets);
    let payload = handshake.read(sealed)?;
    let from = handshake.remote().ok_or(OpenError::Forged)?;
    Ok((from, payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Noise;
    use crate::rng::SeededSecrets;

    #[test]
    fn only_the_recipient_opens_it_and_knows_who_sealed_it() {
        let mut secrets = SeededSecrets::new(1);
        let [alice, bob, carol] = [(); 3].map(|()| StaticKey::generate(&mut secrets));
        let sealed = seal(&Noise, &alice, bob.public(), &mut secrets, b"hello").unwrap();
        let opened = open(&Noise, &bob, &mut secrets, &sealed);
        assert_eq!(opened, Ok((alice.public(), b"hello".to_vec())));
        let opened = open(&Noise, &carol, &mut secrets, &sealed);
        assert_eq!(opened, Err(OpenError::Forged));
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let mut secrets = SeededSecrets::new(1);
        let [alice, bob] = [(); 2].map(|()| StaticKey::generate(&mut secrets));
        let sealed = seal(&Noise, &alice, bob.public(), &mut secrets, b"hello").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                open(&Noise, &bob, &mut secrets, &forged),
                Err(OpenError::Forged),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn what_is_no_key_or_no_mail_is_refused() {
        let mut secrets = SeededSecrets::new(1);
        let alice = StaticKey::generate(&mut secrets);
        let sealed = seal(&Noise, &alice, PublicKey([0; 32]), &mut secrets, b"");
        assert_eq!(sealed, Err(OpenError::Forged));
        assert_eq!(
            open(&Noise, &alice, &mut secrets, b""),
            Err(OpenError::Forged)
        );
    }
}
