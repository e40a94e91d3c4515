//! Sealed frames of one session over the real channel, and whatever the network may do to them.

use std::collections::BTreeSet;

use arbitrary::{Result, Unstructured};
use simplechat_core::channel::{Called, Calling, Channel, Noise, OpenError, Part, Turn};
use simplechat_core::id::SessionId;
use simplechat_core::limits::REPLAY_WINDOW;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::wire::frame::{Frame, SealedFrame};

use crate::any;
use crate::rig::some_bytes;

const SIDES: usize = 2;

/// A session's two sides seal frames, which come changed, cut, repeated, as another turn, to the wrong side and in any order:
/// what opens is what the other side has sealed under that counter and for that turn, once; and what comes as it was sealed opens.
///
/// # Panics
///
/// When that does not hold.
pub fn sealed(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(is_login) = u.arbitrary() else {
        return;
    };
    let mut session = Session {
        sides: shake_hands(is_login),
        written: Vec::new(),
        opened: BTreeSet::new(),
    };
    while !u.is_empty() && session.act(&mut u).is_ok() {}
    session.deliver_the_rest();
}

/// A frame as it was sealed.
struct Written {
    side: usize,
    turn: Turn,
    counter: u64,
    payload: Vec<u8>,
    bytes: Vec<u8>,
}

struct Session {
    sides: [Channel; SIDES],
    written: Vec<Written>,
    /// By the side that opened it, and the counter.
    opened: BTreeSet<(usize, u64)>,
}

/// What is said of a frame outside of its seal, and the seal.
struct Sent {
    session: SessionId,
    counter: u64,
    sealed: Vec<u8>,
}

impl Session {
    fn act(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if u.ratio(1, 3)? {
            self.seal(u)
        } else {
            self.deliver(u)
        }
    }

    fn seal(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        // None leaves the window, so that what comes late opens too.
        if self.written.len() as u64 >= REPLAY_WINDOW {
            return Ok(());
        }
        let side = u.choose_index(SIDES)?;
        let turn = any_turn(u)?;
        let payload = some_bytes(u)?.to_vec();
        let channel = &mut self.sides[side];
        let bytes = match turn {
            Turn::Call => channel.seal_call(&payload),
            Turn::Answer => channel.seal_answer(&payload),
        };
        let counter = parsed(&bytes).counter;
        assert!(
            !self
                .written
                .iter()
                .any(|one| (one.side, one.counter) == (side, counter)),
            "a counter is used once"
        );
        self.written.push(Written {
            side,
            turn,
            counter,
            payload,
            bytes,
        });
        Ok(())
    }

    /// A frame arrives, or one that somebody has made of it.
    fn deliver(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if self.written.is_empty() {
            return Ok(());
        }
        let place = u.choose_index(self.written.len())?;
        let one = &self.written[place];
        let frame = parsed(&one.bytes);
        let mut sent = Sent {
            session: frame.session,
            counter: frame.counter,
            sealed: frame.sealed.to_vec(),
        };
        let (mut side, mut turn) = (1 - one.side, one.turn);
        match u.int_in_range(0..=11)? {
            0 => side = one.side,
            1 => turn = any_turn(u)?,
            2 => sent.counter = any::number(u)?,
            3 => sent.session = SessionId(u.arbitrary()?),
            4 => {
                let cut = usize::from(u.arbitrary::<u8>()?).min(sent.sealed.len());
                sent.sealed.truncate(cut);
            }
            5 => sent.sealed.extend(some_bytes(u)?),
            6 => sent.sealed = some_bytes(u)?.to_vec(),
            7 => {
                let other = u.choose(&self.written)?;
                sent.sealed = parsed(&other.bytes).sealed.to_vec();
            }
            8 => {
                let bit = usize::from(u.arbitrary::<u16>()?) % (sent.sealed.len() * 8);
                sent.sealed[bit / 8] ^= 1 << (bit % 8);
            }
            _ => {}
        }
        self.open(side, turn, &sent);
        Ok(())
    }

    fn open(&mut self, side: usize, turn: Turn, sent: &Sent) {
        let frame = SealedFrame {
            session: sent.session,
            counter: sent.counter,
            sealed: &sent.sealed,
        };
        let channel = &mut self.sides[side];
        let is_ours = sent.session == channel.id();
        let opened = match turn {
            Turn::Call => channel.open_call(&frame),
            Turn::Answer => channel.open_answer(&frame),
        };
        let genuine = self.written.iter().find(|one| {
            let label = (one.side, one.turn, one.counter);
            is_ours
                && label == (1 - side, turn, sent.counter)
                && parsed(&one.bytes).sealed == sent.sealed
        });
        match (opened, genuine) {
            (Ok(opened), Some(genuine)) => {
                assert_eq!(opened.payload, genuine.payload, "what was sealed");
                let is_new = self.opened.insert((side, sent.counter));
                assert!(is_new, "{} opens twice", sent.counter);
            }
            (Ok(_), None) => panic!("what nobody has sealed opens"),
            (Err(error), Some(_)) => {
                assert_eq!(error, OpenError::Replayed, "it was not changed");
                let is_old = self.opened.contains(&(side, sent.counter));
                assert!(is_old, "{} does not open", sent.counter);
            }
            (Err(_), None) => {}
        }
    }

    /// Whatever was tried before, what the other side has sealed opens still.
    fn deliver_the_rest(&mut self) {
        for place in 0..self.written.len() {
            let one = &self.written[place];
            let (side, turn, frame) = (1 - one.side, one.turn, parsed(&one.bytes));
            let sent = Sent {
                session: frame.session,
                counter: frame.counter,
                sealed: frame.sealed.to_vec(),
            };
            self.open(side, turn, &sent);
        }
        assert_eq!(self.opened.len(), self.written.len(), "each once");
    }
}

fn shake_hands(is_login: bool) -> [Channel; SIDES] {
    let mut secrets = SeededSecrets::new(1);
    let [caller, called, _] = any::keys();
    let (calls, answers) = if is_login {
        (Part::LoginInitiator, Part::LoginResponder)
    } else {
        let part = Part::PeerInitiator(called.public());
        (part, Part::PeerResponder)
    };
    let (calling, first) =
        Calling::start(&Noise, calls, &caller, &mut secrets, &[]).expect("a call");
    let answered = Called::take(&Noise, answers, &called, &mut secrets, message(&first))
        .and_then(Called::answer);
    let (answering, second) = answered.expect("a call");
    let met = calling.answered(message(&second)).expect("an answer");
    let (ours, third) = met.say(&[]);
    let finished = answering.finish(message(&third));
    let (theirs, _, _) = finished.expect("the last message");
    [ours, theirs]
}

fn message(bytes: &[u8]) -> &[u8] {
    match Frame::parse(bytes) {
        Ok(Frame::Handshake(message)) => message,
        other => panic!("{other:?} is no message of a handshake"),
    }
}

fn parsed(bytes: &[u8]) -> SealedFrame<'_> {
    match Frame::parse(bytes) {
        Ok(Frame::Session(frame)) => frame,
        other => panic!("{other:?} is no sealed frame"),
    }
}

fn any_turn(u: &mut Unstructured<'_>) -> Result<Turn> {
    u.choose(&[Turn::Call, Turn::Answer]).copied()
}
