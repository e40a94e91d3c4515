//! A test double of an encrypted channel, for worlds with an attacker.
//!
//! **This is no cryptography.** Its hash is a few multiplications, and good for one thing: nobody who only shifts, cuts and
//! flips recorded bytes produces a frame that opens. What it promises is what a real channel has to promise: a frame opens
//! only with its key, session, counter and turn; a login opens once, in the order in which its device sealed them, also after the
//! server has restarted; an answer to a login opens only for who made it; and no secret is on the network as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use simplechat_core::channel::{
    Label, LoginExchange, OpenError, OpenedLogin, Protection, Token, Turn,
};
use simplechat_core::rng::SecretSource;

const TAG_LEN: usize = 16;
const REQUEST: u8 = 1;
const ANSWER: u8 = 2;
const FRAME_CALLS: u8 = 3;
const FRAME_ANSWERS: u8 = 4;

/// What a bad channel lets through, to see that it would be noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weakness {
    /// Logins that were opened before.
    Replays,
    /// Frames that were changed on the way.
    Forgeries,
}

/// What all devices of a world and its server have in common.
#[derive(Debug)]
struct Shared {
    secret: [u8; 16],
    weakness: OnceLock<Weakness>,
    logins: Mutex<Logins>,
}

#[derive(Debug, Default)]
struct Logins {
    devices: u64,
    /// The latest login sealed, by device.
    sealed: BTreeMap<u64, u64>,
    /// The latest login opened, by device: none before it opens any more.
    opened: BTreeMap<u64, u64>,
}

impl Shared {
    fn logins(&self) -> MutexGuard<'_, Logins> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, weakness: Weakness) -> bool {
        self.weakness.get() == Some(&weakness)
    }

    fn mixer(&self, use_of: u8, device: u64, number: u64) -> Mixer {
        let mut mixer = Mixer::new(&self.secret, use_of);
        mixer.absorb(&device.to_be_bytes());
        mixer.absorb(&number.to_be_bytes());
        mixer
    }
}

/// The channel as one device has it. What servers and other devices need to know of it outlives each of them.
#[derive(Debug)]
pub struct TestChannel {
    shared: Arc<Shared>,
    device: u64,
}

impl TestChannel {
    /// The channel of a world, for its server.
    #[must_use]
    pub fn new(secret: [u8; 16]) -> Self {
        Self {
            shared: Arc::new(Shared {
                secret,
                weakness: OnceLock::new(),
                logins: Mutex::default(),
            }),
            device: 0,
        }
    }

    /// From now on it is a bad one, on all devices.
    pub fn weaken(&self, weakness: Weakness) {
        // Once it is bad it stays as bad as it is.
        let _ = self.shared.weakness.set(weakness);
    }

    /// The same channel for another device.
    #[must_use]
    pub fn for_new_device(&self) -> Self {
        let mut logins = self.shared.logins();
        logins.devices += 1;
        Self {
            shared: Arc::clone(&self.shared),
            device: logins.devices,
        }
    }
}

impl Protection for TestChannel {
    fn seal(&self, key: &Token, label: Label, payload: &[u8]) -> Vec<u8> {
        frame_mixer(key, label).seal(payload)
    }

    fn open<'a>(&self, key: &Token, label: Label, sealed: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let mixer = frame_mixer(key, label);
        if self.shared.has(Weakness::Forgeries) {
            let (_, masked) = sealed.split_first_chunk::<TAG_LEN>()?;
            return Some(Cow::Owned(mixer.mask(masked)));
        }
        mixer.open(sealed).map(Cow::Owned)
    }

    fn seal_login(
        &self,
        _: &mut dyn SecretSource,
        request: &[u8],
    ) -> (Vec<u8>, Box<dyn LoginExchange>) {
        let device = self.device;
        let mut logins = self.shared.logins();
        let number = logins.sealed.entry(device).or_default();
        *number += 1;
        let mut sealed = device.to_be_bytes().to_vec();
        sealed.extend(number.to_be_bytes());
        sealed.extend(self.shared.mixer(REQUEST, device, *number).seal(request));
        let answer = self.shared.mixer(ANSWER, device, *number);
        (sealed, Box::new(Exchange { answer }))
    }

    fn open_login<'a>(
        &self,
        _: &mut dyn SecretSource,
        sealed: &'a [u8],
    ) -> Result<OpenedLogin<'a>, OpenError> {
        let (device, rest) = sealed.split_first_chunk().ok_or(OpenError::Forged)?;
        let (number, rest) = rest.split_first_chunk().ok_or(OpenError::Forged)?;
        let (device, number) = (u64::from_be_bytes(*device), u64::from_be_bytes(*number));
        let mixer = self.shared.mixer(REQUEST, device, number);
        let request = mixer.open(rest).ok_or(OpenError::Forged)?;
        let mut logins = self.shared.logins();
        let latest = logins.opened.entry(device).or_default();
        if number <= *latest && !self.shared.has(Weakness::Replays) {
            return Err(OpenError::Replayed);
        }
        *latest = number.max(*latest);
        let answer = self.shared.mixer(ANSWER, device, number);
        Ok(OpenedLogin {
            request: Cow::Owned(request),
            exchange: Box::new(Exchange { answer }),
        })
    }
}

/// A login that waits for its answer, which is the only thing under this key.
#[derive(Debug)]
struct Exchange {
    answer: Mixer,
}

impl LoginExchange for Exchange {
    fn seal_answer(&mut self, answer: &[u8]) -> Vec<u8> {
        self.answer.seal(answer)
    }

    fn open_answer<'a>(&mut self, sealed: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        self.answer.open(sealed).map(Cow::Owned)
    }
}

fn frame_mixer(key: &Token, label: Label) -> Mixer {
    let use_of = match label.turn {
        Turn::Call => FRAME_CALLS,
        Turn::Answer => FRAME_ANSWERS,
    };
    let mut mixer = Mixer::new(key.as_bytes(), use_of);
    mixer.absorb(&label.session.0);
    mixer.absorb(&label.counter.to_be_bytes());
    mixer
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
    use simplechat_core::channel::{Channel, SessionKeys};
    use simplechat_core::limits::{LOGIN_SEAL_LEN_MAX, SEAL_LEN_MAX};
    use simplechat_core::rng::SeededSecrets;
    use simplechat_core::wire::frame::Frame;

    fn pair() -> (Channel, Channel) {
        let keys = SessionKeys::generate(&mut SeededSecrets::new(1));
        let world = TestChannel::new([7; 16]);
        let device = Arc::new(world.for_new_device());
        (
            Channel::new(keys.mirrored(), Arc::new(world)),
            Channel::new(keys, device),
        )
    }

    fn open(channel: &mut Channel, bytes: &[u8]) -> Result<Vec<u8>, OpenError> {
        match Frame::parse(bytes) {
            Ok(Frame::Session(frame)) => channel.open_call(&frame).map(|o| o.payload.into_owned()),
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

    /// Numbers of requests and of acknowledgements mean different things, and both begin with the same byte.
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
    fn a_login_opens_once_and_none_opens_after_a_later_one() {
        let mut secrets = SeededSecrets::new(0);
        let server = TestChannel::new([7; 16]);
        let device = server.for_new_device();
        let (first, _) = device.seal_login(&mut secrets, b"first");
        let (second, mut exchange) = device.seal_login(&mut secrets, b"second");
        let mut opened = server.open_login(&mut secrets, &second).unwrap();
        assert_eq!(opened.request, &b"second"[..]);
        let answer = opened.exchange.seal_answer(b"welcome");
        assert_eq!(exchange.open_answer(&answer).unwrap(), &b"welcome"[..]);
        for old in [&second, &first] {
            let again = server.open_login(&mut secrets, old).map(|o| o.request);
            assert_eq!(again, Err(OpenError::Replayed));
        }
    }

    #[test]
    fn an_answer_opens_for_its_login_only() {
        let mut secrets = SeededSecrets::new(0);
        let server = TestChannel::new([7; 16]);
        let (request, _) = server.for_new_device().seal_login(&mut secrets, b"");
        let (_, mut other) = server.for_new_device().seal_login(&mut secrets, b"");
        let mut opened = server.open_login(&mut secrets, &request).unwrap();
        let answer = opened.exchange.seal_answer(b"welcome");
        assert_eq!(other.open_answer(&answer), None);
    }

    #[test]
    fn it_adds_no_more_than_a_protection_may() {
        let mixer = Mixer::new(&[0; 16], FRAME_CALLS);
        assert_eq!(mixer.seal(b"hello").len(), 5 + SEAL_LEN_MAX);
        let device = TestChannel::new([7; 16]);
        let (login, _) = device.seal_login(&mut SeededSecrets::new(0), b"hello");
        assert!(login.len() <= 5 + LOGIN_SEAL_LEN_MAX);
    }
}
