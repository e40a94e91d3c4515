//! A test double of an encrypted channel, for worlds that need to be quick, or a channel that is bad on purpose.
//!
//! **This is no cryptography.** Its hash is a few multiplications, and good for one thing: nobody who only shifts, cuts and
//! flips recorded bytes produces a frame that opens. What it promises is what a real channel has to promise: a handshake opens only
//! for whom it was meant, and only against the fresh words of the other side; a frame opens only with its session, direction,
//! counter and turn; and no secret is on the network as it is. Whoever has the world's secret is believed to have the key that they name.

use std::sync::{Arc, OnceLock};

use simplechat_core::channel::{
    Cipher, Established, Handshake, Label, OpenError, Part, Protection, Turn,
};
use simplechat_core::id::SessionId;
use simplechat_core::key::{KEY_LEN, PublicKey, StaticKey};
use simplechat_core::rng::SecretSource;

const TAG_LEN: usize = 16;
const FRESH_LEN: usize = 16;
const FIRST: u8 = 1;
const SECOND: u8 = 2;
const THIRD: u8 = 3;
const NAME: u8 = 4;
const FRAMES: u8 = 5;
const MAIL: u8 = 6;

/// What a bad channel lets through, to see that it would be noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weakness {
    /// Handshakes that were opened before: who answers says nothing fresh.
    Replays,
    /// Frames that were changed on the way.
    Forgeries,
}

/// What all hosts of a world have in common.
#[derive(Debug)]
struct Shared {
    secret: [u8; 16],
    weakness: OnceLock<Weakness>,
}

impl Shared {
    fn has(&self, weakness: Weakness) -> bool {
        self.weakness.get() == Some(&weakness)
    }
}

/// The channel of a world.
#[derive(Clone, Debug)]
pub struct TestChannel {
    shared: Arc<Shared>,
}

impl TestChannel {
    /// The channel of a world with this secret.
    #[must_use]
    pub fn new(secret: [u8; 16]) -> Self {
        Self {
            shared: Arc::new(Shared {
                secret,
                weakness: OnceLock::new(),
            }),
        }
    }

    /// From now on it is a bad one, everywhere.
    pub fn weaken(&self, weakness: Weakness) {
        // Once it is bad it stays as bad as it is.
        let _ = self.shared.weakness.set(weakness);
    }
}

impl Protection for TestChannel {
    fn handshake(
        &self,
        part: Part,
        own: &StaticKey,
        secrets: &mut dyn SecretSource,
    ) -> Box<dyn Handshake> {
        let mut fresh = [0; FRESH_LEN];
        secrets.fill(&mut fresh);
        let answers = matches!(part, Part::LoginResponder | Part::PeerResponder);
        if answers && self.shared.has(Weakness::Replays) {
            fresh = [0; FRESH_LEN];
        }
        Box::new(TestHandshake {
            shared: Arc::clone(&self.shared),
            part,
            own: own.public(),
            fresh,
            transcript: Mixer::new(&self.shared.secret, 0),
            messages: 0,
            remote: None,
        })
    }
}

#[derive(Debug)]
struct TestHandshake {
    shared: Arc<Shared>,
    part: Part,
    own: PublicKey,
    fresh: [u8; FRESH_LEN],
    /// Everything that was said so far.
    transcript: Mixer,
    messages: u8,
    remote: Option<PublicKey>,
}

impl TestHandshake {
    fn mixer(&self, use_of: u8) -> Mixer {
        let mut mixer = self.transcript.clone();
        mixer.absorb(&[use_of]);
        mixer
    }

    /// What the first message is sealed for: the peer that is meant, or everybody.
    fn first_mixer(&self, fresh: &[u8]) -> Option<Mixer> {
        let meant = match self.part {
            Part::PeerInitiator(peer) => peer,
            Part::PeerResponder => self.own,
            Part::LoginInitiator
            | Part::LoginResponder
            | Part::MailSender(_)
            | Part::MailRecipient => return None,
        };
        let mut mixer = self.mixer(FIRST);
        mixer.absorb(fresh);
        mixer.absorb(&meant.0);
        Some(mixer)
    }

    fn said(&mut self, message: &[u8]) {
        self.transcript.absorb(message);
        self.messages += 1;
    }

    fn sealed_with_key(&self, use_of: u8, payload: &[u8]) -> Vec<u8> {
        let mut content = self.own.0.to_vec();
        content.extend(payload);
        self.mixer(use_of).seal(&content)
    }

    fn open_with_key(&mut self, use_of: u8, sealed: &[u8]) -> Option<Vec<u8>> {
        let content = self.mixer(use_of).open(sealed)?;
        let (key, payload) = content.split_first_chunk::<KEY_LEN>()?;
        self.remote = Some(PublicKey(*key));
        Some(payload.to_vec())
    }

    /// What a mail is sealed for, if it is one.
    fn meant_for_mail(&self) -> Option<PublicKey> {
        match self.part {
            Part::MailSender(peer) => Some(peer),
            Part::MailRecipient => Some(self.own),
            Part::LoginInitiator
            | Part::LoginResponder
            | Part::PeerInitiator(_)
            | Part::PeerResponder => None,
        }
    }

    fn opened(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        if let Some(meant) = self.meant_for_mail() {
            let (fresh, sealed) = message.split_first_chunk::<FRESH_LEN>()?;
            self.transcript.absorb(fresh);
            self.transcript.absorb(&meant.0);
            return self.open_with_key(MAIL, sealed);
        }
        match self.messages {
            0 => {
                let (fresh, rest) = message.split_first_chunk::<FRESH_LEN>()?;
                match self.first_mixer(fresh) {
                    Some(mixer) => mixer.open(rest),
                    None => Some(rest.to_vec()),
                }
            }
            1 => {
                let (fresh, sealed) = message.split_first_chunk::<FRESH_LEN>()?;
                self.transcript.absorb(fresh);
                let payload = self.open_with_key(SECOND, sealed)?;
                match self.part {
                    Part::PeerInitiator(peer) if self.remote != Some(peer) => None,
                    Part::LoginInitiator
                    | Part::LoginResponder
                    | Part::PeerInitiator(_)
                    | Part::PeerResponder
                    | Part::MailSender(_)
                    | Part::MailRecipient => Some(payload),
                }
            }
            _ => self.open_with_key(THIRD, message),
        }
    }
}

impl Handshake for TestHandshake {
    fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut message = Vec::new();
        if let Some(meant) = self.meant_for_mail() {
            message.extend(self.fresh);
            self.transcript.absorb(&self.fresh);
            self.transcript.absorb(&meant.0);
            message.extend(self.sealed_with_key(MAIL, payload));
            return Ok(message);
        }
        match self.messages {
            0 => {
                message.extend(self.fresh);
                match self.first_mixer(&self.fresh) {
                    Some(mixer) => message.extend(mixer.seal(payload)),
                    None => message.extend(payload),
                }
            }
            1 => {
                message.extend(self.fresh);
                self.transcript.absorb(&self.fresh);
                message.extend(self.sealed_with_key(SECOND, payload));
            }
            _ => message.extend(self.sealed_with_key(THIRD, payload)),
        }
        self.said(&message);
        Ok(message)
    }

    fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, OpenError> {
        let payload = self.opened(message).ok_or(OpenError::Forged)?;
        self.said(message);
        Ok(payload)
    }

    fn remote(&self) -> Option<PublicKey> {
        self.remote
    }

    fn finish(self: Box<Self>) -> Option<Established> {
        let calls = matches!(self.part, Part::LoginInitiator | Part::PeerInitiator(_));
        (self.messages == 3).then(|| Established {
            id: SessionId(self.mixer(NAME).finish()),
            cipher: Box::new(TestCipher {
                keys: self.mixer(FRAMES),
                calls,
                shared: Arc::clone(&self.shared),
            }),
        })
    }
}

/// The keys of a session, for the side that has called in its handshake or the other.
#[derive(Debug)]
struct TestCipher {
    keys: Mixer,
    calls: bool,
    shared: Arc<Shared>,
}

impl TestCipher {
    fn mixer(&self, by_caller: bool, label: Label) -> Mixer {
        let mut mixer = self.keys.clone();
        let turn = matches!(label.turn, Turn::Answer);
        mixer.absorb(&[u8::from(by_caller), u8::from(turn)]);
        mixer.absorb(&label.counter.to_be_bytes());
        mixer
    }
}

impl Cipher for TestCipher {
    fn seal(&self, label: Label, payload: &[u8]) -> Vec<u8> {
        self.mixer(self.calls, label).seal(payload)
    }

    fn open(&self, label: Label, sealed: &[u8]) -> Option<Vec<u8>> {
        let mixer = self.mixer(!self.calls, label);
        if self.shared.has(Weakness::Forgeries) {
            let (_, masked) = sealed.split_first_chunk::<TAG_LEN>()?;
            return Some(mixer.mask(masked));
        }
        mixer.open(sealed)
    }
}

/// A keyed mixing hash of 128 bits. A test double: whoever tries can break it.
#[derive(Clone, Debug)]
struct Mixer {
    a: u64,
    b: u64,
}

impl Mixer {
    fn new(key: &[u8; 16], use_of: u8) -> Self {
        let mut mixer = Self {
            a: 0x9e37_79b9_7f4a_7c15,
            b: 0xc2b2_ae3d_27d4_eb4f,
        };
        mixer.absorb(key);
        mixer.absorb(&[use_of]);
        mixer
    }

    fn absorb(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        self.mix(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    fn mix(&mut self, word: u64) {
        self.a = (self.a ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.a ^= self.a >> 29;
        self.b = (self.b.rotate_left(23) ^ self.a).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.b ^= self.b >> 31;
    }

    fn finish(mut self) -> [u8; TAG_LEN] {
        for _ in 0..3 {
            self.mix(self.b);
        }
        let mut tag = [0; TAG_LEN];
        tag[..8].copy_from_slice(&self.a.to_le_bytes());
        tag[8..].copy_from_slice(&self.b.to_le_bytes());
        tag
    }

    fn tag(&self, content: &[u8]) -> [u8; TAG_LEN] {
        let mut mixer = self.clone();
        mixer.absorb(content);
        mixer.finish()
    }

    /// Hides what it is given, and gives back what it has hidden.
    fn mask(&self, content: &[u8]) -> Vec<u8> {
        let mut masked = Vec::with_capacity(content.len());
        for (number, chunk) in (0_u64..).zip(content.chunks(TAG_LEN)) {
            let stream = self.tag(&number.to_le_bytes());
            masked.extend(chunk.iter().zip(stream).map(|(byte, mask)| byte ^ mask));
        }
        masked
    }

    fn seal(&self, content: &[u8]) -> Vec<u8> {
        let mut sealed = self.tag(content).to_vec();
        sealed.extend(self.mask(content));
        sealed
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (tag, masked) = sealed.split_first_chunk::<TAG_LEN>()?;
        let content = self.mask(masked);
        (self.tag(&content) == *tag).then_some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use simplechat_core::channel::{Answering, Called, Calling, Channel};
    use simplechat_core::limits::{HANDSHAKE_SEAL_LEN_MAX, SEAL_LEN_MAX};
    use simplechat_core::rng::SeededSecrets;
    use simplechat_core::wire::frame::Frame;

    fn keys() -> [StaticKey; 2] {
        let mut secrets = SeededSecrets::new(1);
        [(); 2].map(|()| StaticKey::generate(&mut secrets))
    }

    fn answer_call(
        protection: &TestChannel,
        part: Part,
        own: &StaticKey,
        secrets: &mut SeededSecrets,
        message: &[u8],
    ) -> Result<(Answering, Vec<u8>), OpenError> {
        Called::take(protection, part, own, secrets, message)?.answer()
    }

    fn body(bytes: &[u8]) -> &[u8] {
        match Frame::parse(bytes) {
            Ok(Frame::Handshake(body)) => body,
            other => panic!("{other:?} is no message of a handshake"),
        }
    }

    fn shake(channel: &TestChannel) -> (Channel, Channel, Vec<Vec<u8>>) {
        let (mut secrets, [alice, bob]) = (SeededSecrets::new(2), keys());
        let part = Part::PeerInitiator(bob.public());
        let (calling, first) = Calling::start(channel, part, &alice, &mut secrets, b"1").unwrap();
        let answering = answer_call(
            channel,
            Part::PeerResponder,
            &bob,
            &mut secrets,
            body(&first),
        );
        let (answering, second) = answering.unwrap();
        let met = calling.answered(body(&second)).unwrap();
        assert_eq!(met.remote(), bob.public());
        let (a, third) = met.say(b"hello");
        let (b, who, said) = answering.finish(body(&third)).unwrap();
        assert_eq!((who, &said[..]), (alice.public(), &b"hello"[..]));
        (a, b, vec![first, second, third])
    }

    fn pair() -> (Channel, Channel) {
        let (a, b, _) = shake(&TestChannel::new([7; 16]));
        (a, b)
    }

    fn open(channel: &mut Channel, bytes: &[u8]) -> Result<Vec<u8>, OpenError> {
        match Frame::parse(bytes) {
            Ok(Frame::Session(frame)) => channel.open_call(&frame).map(|o| o.payload),
            _ => Err(OpenError::Forged),
        }
    }

    #[test]
    fn a_frame_opens_once_and_for_the_other_side_only() {
        let (mut a, mut b) = pair();
        let frame = a.seal_call(b"a text of more than sixteen bytes");
        assert_eq!(open(&mut a, &frame), Err(OpenError::Forged));
        let text = open(&mut b, &frame).unwrap();
        assert_eq!(text, b"a text of more than sixteen bytes");
        assert_eq!(open(&mut b, &frame), Err(OpenError::Replayed));
    }

    #[test]
    fn an_answer_does_not_open_as_a_call() {
        let (mut a, mut b) = pair();
        let answer = a.seal_answer(b"taken");
        assert_eq!(open(&mut b, &answer), Err(OpenError::Forged));
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let (mut a, mut b) = pair();
        let frame = a.seal_call(b"hello");
        for bit in 0..frame.len() * 8 {
            let mut forged = frame.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&mut b, &forged).is_err(), "bit {bit}");
        }
        assert!(open(&mut b, &frame).is_ok());
    }

    #[test]
    fn nothing_can_be_read_on_the_way() {
        let (mut a, _) = pair();
        let (first, second) = (a.seal_call(b"hello"), a.seal_call(b"hello"));
        for frame in [&first, &second] {
            assert!(!frame.windows(5).any(|bytes| bytes == b"hello"));
        }
        assert_ne!(first[first.len() - 5..], second[second.len() - 5..]);
    }

    #[test]
    fn a_recorded_handshake_opens_nothing_unless_the_channel_is_bad() {
        let opens_again = |channel: &TestChannel| {
            let (_, _, messages) = shake(channel);
            let mut secrets = SeededSecrets::new(3);
            let [_, bob] = keys();
            let first = body(&messages[0]);
            let (answering, _) =
                answer_call(channel, Part::PeerResponder, &bob, &mut secrets, first).unwrap();
            answering.finish(body(&messages[2])).is_ok()
        };
        let channel = TestChannel::new([7; 16]);
        assert!(!opens_again(&channel));
        channel.weaken(Weakness::Replays);
        assert!(opens_again(&channel));
    }

    #[test]
    fn a_peer_does_not_answer_who_looks_for_another() {
        let (mut secrets, [alice, bob]) = (SeededSecrets::new(2), keys());
        let channel = TestChannel::new([7; 16]);
        let part = Part::PeerInitiator(alice.public());
        let (_, first) = Calling::start(&channel, part, &alice, &mut secrets, b"").unwrap();
        let answer = answer_call(
            &channel,
            Part::PeerResponder,
            &bob,
            &mut secrets,
            body(&first),
        );
        assert!(answer.is_err());
    }

    #[test]
    fn it_adds_no_more_than_a_protection_may() {
        let mixer = Mixer::new(&[0; 16], FRAMES);
        assert!(mixer.seal(b"hello").len() <= 5 + SEAL_LEN_MAX);
        let (_, _, messages) = shake(&TestChannel::new([7; 16]));
        for message in messages {
            assert!(body(&message).len() <= 5 + KEY_LEN + HANDSHAKE_SEAL_LEN_MAX);
        }
    }
}
