//! The Noise protocol framework (revision 34, <https://noiseprotocol.org/noise.html>) as the protection of everything.
//!
//! - A login is `Noise_XX_25519_ChaChaPoly_BLAKE2s`: the client may meet the server for the first time, so the server shows its
//!   key, and the client looks at it before the third message, which has its own key and the login in it.
//! - Peers use `Noise_XK_25519_ChaChaPoly_BLAKE2s`: the caller knows the key from the introduction, and who does not know it gets
//!   no answer. (The pattern of Lightning's BOLT 8.)
//!
//! - A mail is one message of `Noise_X_25519_ChaChaPoly_BLAKE2s`: its sender knows the recipient's key, and shows their own.
//!
//! In the first two the third message answers to fresh keys of the other side, so one that was recorded opens nothing later. The
//! prologue names the protocol, its version and the kind of handshake: who was made to believe in another version fails.
//!
//! A session's frames are sealed under the two keys of `Split()`, with the frame's counter as the nonce; the last byte of the plaintext
//! is the turn, and the session is bound by its keys. The session's name is the start of the handshake's hash.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce};
use curve25519_dalek::montgomery::MontgomeryPoint;
use snow::params::{CipherChoice, DHChoice, HashChoice, NoiseParams};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher as SnowCipher, Dh, Hash, Random};
use snow::{Builder, Error, HandshakeState, StatelessTransportState};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::OpenError;
use super::protection::{Cipher, Established, Handshake, Label, Part, Protection, Turn};
use crate::id::SessionId;
use crate::key::{KEY_LEN, PublicKey, StaticKey};
use crate::limits::{HANDSHAKE_SEAL_LEN_MAX, SEAL_LEN_MAX};
use crate::rng::SecretSource;
use crate::wire::frame::VERSION;

const LOGIN: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2s";
const PEER: &str = "Noise_XK_25519_ChaChaPoly_BLAKE2s";

const MAIL: &str = "Noise_X_25519_ChaChaPoly_BLAKE2s";

const TAG_LEN: usize = 16;

const CALL: u8 = 0;
const ANSWER: u8 = 1;

/// Noise, with keys and chance from outside.
#[derive(Clone, Copy, Debug)]
pub struct Noise;

impl Protection for Noise {
    fn handshake(
        &self,
        part: Part,
        own: &StaticKey,
        secrets: &mut dyn SecretSource,
    ) -> Box<dyn Handshake> {
        let mut ephemeral = Zeroizing::new([0; KEY_LEN]);
        secrets.fill(&mut *ephemeral);
        let state = start(part, own, ephemeral).expect("the parameters of each part are complete");
        Box::new(NoiseHandshake(state))
    }
}

fn start(
    part: Part,
    own: &StaticKey,
    ephemeral: Zeroizing<[u8; KEY_LEN]>,
) -> Result<HandshakeState, Error> {
    let (pattern, kind) = match part {
        Part::LoginInitiator | Part::LoginResponder => (LOGIN, &b"login"[..]),
        Part::PeerInitiator(_) | Part::PeerResponder => (PEER, &b"peer"[..]),
        Part::MailSender(_) | Part::MailRecipient => (MAIL, &b"mail"[..]),
    };
    let prologue = [b"SimpleChat", &[VERSION][..], kind].concat();
    let params: NoiseParams = pattern.parse()?;
    let own_key = own.clone();
    let builder = Builder::with_resolver(params, Box::new(Resolver { ephemeral, own_key }))
        .prologue(&prologue)?
        .local_private_key(own.secret())?;
    match part {
        Part::LoginInitiator => builder.build_initiator(),
        Part::PeerInitiator(peer) | Part::MailSender(peer) => {
            builder.remote_public_key(&peer.0)?.build_initiator()
        }
        Part::LoginResponder | Part::PeerResponder | Part::MailRecipient => {
            builder.build_responder()
        }
    }
}

/// A handshake under way.
struct NoiseHandshake(HandshakeState);

impl Handshake for NoiseHandshake {
    fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut message = vec![0; payload.len() + KEY_LEN + HANDSHAKE_SEAL_LEN_MAX];
        let len = self
            .0
            .write_message(payload, &mut message)
            .map_err(|_| OpenError::Forged)?;
        message.truncate(len);
        Ok(message)
    }

    fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut payload = vec![0; message.len()];
        let len = self
            .0
            .read_message(message, &mut payload)
            .map_err(|_| OpenError::Forged)?;
        payload.truncate(len);
        Ok(payload)
    }

    fn remote(&self) -> Option<PublicKey> {
        self.0
            .get_remote_static()?
            .first_chunk()
            .map(|key| PublicKey(*key))
    }

    fn finish(self: Box<Self>) -> Option<Established> {
        let id = SessionId(*self.0.get_handshake_hash().first_chunk()?);
        let state = self.0.into_stateless_transport_mode().ok()?;
        Some(Established {
            id,
            cipher: Box::new(NoiseCipher(state)),
        })
    }
}

impl fmt::Debug for NoiseHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoiseHandshake")
    }
}

/// The keys of a session.
struct NoiseCipher(StatelessTransportState);

impl Cipher for NoiseCipher {
    fn seal(&self, label: Label, payload: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(payload.len() + 1);
        plain.extend_from_slice(payload);
        plain.push(byte_of(label.turn));
        let mut sealed = vec![0; payload.len() + SEAL_LEN_MAX];
        let len = self
            .0
            .write_message(label.counter, &plain, &mut sealed)
            .expect("a payload fits a frame, and a session ends long before its counters do");
        sealed.truncate(len);
        sealed
    }

    fn open(&self, label: Label, sealed: &[u8]) -> Option<Vec<u8>> {
        let mut payload = vec![0; sealed.len()];
        let len = self
            .0
            .read_message(label.counter, sealed, &mut payload)
            .ok()?;
        payload.truncate(len);
        (payload.pop()? == byte_of(label.turn)).then_some(payload)
    }
}

impl fmt::Debug for NoiseCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoiseCipher")
    }
}

const fn byte_of(turn: Turn) -> u8 {
    match turn {
        Turn::Call => CALL,
        Turn::Answer => ANSWER,
    }
}

/// Gives snow its algorithms: its own hash, chance that was drawn before, and an exchange and a cipher that wipe their keys.
struct Resolver {
    ephemeral: Zeroizing<[u8; KEY_LEN]>,
    own_key: StaticKey,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Drawn(Some(self.ephemeral.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| -> Box<dyn Dh> {
            Box::new(X25519 {
                secret: Zeroizing::default(),
                public: [0; KEY_LEN],
                own_key: self.own_key.clone(),
            })
        })
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn SnowCipher>> {
        matches!(choice, CipherChoice::ChaChaPoly)
            .then(|| -> Box<dyn SnowCipher> { Box::new(ChaChaPoly::default()) })
    }
}

/// The one ephemeral key that a side needs. A second one is not to be had: better no handshake than the same key again.
struct Drawn(Option<Zeroizing<[u8; KEY_LEN]>>);

impl Random for Drawn {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        let drawn = self.0.take().ok_or(Error::Rng)?;
        if dest.len() != drawn.len() {
            return Err(Error::Rng);
        }
        dest.copy_from_slice(&*drawn);
        Ok(())
    }
}

/// X25519 (RFC 7748).
struct X25519 {
    secret: Zeroizing<[u8; KEY_LEN]>,
    public: [u8; KEY_LEN],
    /// Its public half need not be computed for each handshake.
    own_key: StaticKey,
}

impl X25519 {
    fn take(&mut self, secret: Zeroizing<[u8; KEY_LEN]>) {
        self.public = MontgomeryPoint::mul_base_clamped(*secret).to_bytes();
        self.secret = secret;
    }
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        KEY_LEN
    }

    fn priv_len(&self) -> usize {
        KEY_LEN
    }

    fn set(&mut self, privkey: &[u8]) {
        if bool::from(privkey.ct_eq(self.own_key.secret())) {
            self.secret = Zeroizing::new(*self.own_key.secret());
            self.public = self.own_key.public().0;
        } else {
            let secret = privkey.first_chunk().copied().unwrap_or_default();
            self.take(Zeroizing::new(secret));
        }
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        rng.try_fill_bytes(&mut *secret)?;
        self.take(secret);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &*self.secret
    }

    /// Refuses what gives no secret (RFC 7748, section 6.1): a key that was made so that everybody knows the result.
    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let point = MontgomeryPoint(*pubkey.first_chunk().ok_or(Error::Dh)?);
        let shared = Zeroizing::new(point.mul_clamped(*self.secret).to_bytes());
        if bool::from(shared.ct_eq(&[0; KEY_LEN])) {
            return Err(Error::Dh);
        }
        out.get_mut(..KEY_LEN)
            .ok_or(Error::Dh)?
            .copy_from_slice(&*shared);
        Ok(())
    }
}

/// ChaCha20-Poly1305 (RFC 8439) with the nonces of Noise. The keys of sessions live here, and snow's own does not wipe them.
#[derive(Default)]
struct ChaChaPoly {
    key: Zeroizing<[u8; KEY_LEN]>,
}

impl ChaChaPoly {
    fn keyed(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new((&*self.key).into())
    }

    fn nonce(counter: u64) -> Nonce {
        let mut nonce = Nonce::default();
        for (place, byte) in nonce.iter_mut().skip(4).zip(counter.to_le_bytes()) {
            *place = byte;
        }
        nonce
    }
}

impl SnowCipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; KEY_LEN]) {
        self.key.copy_from_slice(key);
    }

    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let len = plaintext.len() + TAG_LEN;
        let (text, tag) = out
            .get_mut(..len)
            .and_then(|out| out.split_at_mut_checked(plaintext.len()))
            .expect("snow looks whether there is room for text and tag");
        text.copy_from_slice(plaintext);
        let sealed = self
            .keyed()
            .encrypt_in_place_detached(&Self::nonce(nonce), authtext, text)
            .expect("a message of Noise is shorter than what the cipher takes");
        tag.copy_from_slice(&sealed);
        len
    }

    fn decrypt(
        &self,
        nonce: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let (sealed, tag) = ciphertext
            .split_last_chunk::<TAG_LEN>()
            .ok_or(Error::Decrypt)?;
        let text = out.get_mut(..sealed.len()).ok_or(Error::Decrypt)?;
        text.copy_from_slice(sealed);
        self.keyed()
            .decrypt_in_place_detached(&Self::nonce(nonce), authtext, text, tag.into())
            .map_err(|_| Error::Decrypt)?;
        Ok(text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cipher_is_the_one_of_snow() {
        let mut ours = ChaChaPoly::default();
        let mut theirs = DefaultResolver
            .resolve_cipher(&CipherChoice::ChaChaPoly)
            .unwrap();
        ours.set(&[7; KEY_LEN]);
        theirs.set(&[7; KEY_LEN]);
        for (counter, text) in [(0, &b""[..]), (1, b"a"), (u64::MAX - 1, &[5; 1_000])] {
            let mut sealed = vec![0; text.len() + TAG_LEN];
            let mut expected = sealed.clone();
            assert_eq!(
                ours.encrypt(counter, b"of", text, &mut sealed),
                theirs.encrypt(counter, b"of", text, &mut expected)
            );
            assert_eq!(sealed, expected);
            let mut opened = vec![0; text.len()];
            let len = ours.decrypt(counter, b"of", &sealed, &mut opened);
            assert_eq!((len.ok(), opened.as_slice()), (Some(text.len()), text));
            assert!(ours.decrypt(counter, b"", &sealed, &mut opened).is_err());
        }
        assert!(ours.decrypt(0, b"", &[0; TAG_LEN - 1], &mut []).is_err());
    }
}
