//! An ear on every line: it knows all frames that machines have sealed, and hears what must never be on a network.
//!
//! It has no keys. What it hears is enough to know that a channel is bad: words in clear, two frames under one number or one
//! keystream, and an answer under seal to a frame that was answered before, or that no machine has made.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use simplechat_core::id::SessionId;
use simplechat_core::wire::deframer::Deframer;
use simplechat_core::wire::frame::{Frame, SealedFrame};

use super::HostId;
use super::wire::Side;

/// What tells two seals apart: nobody makes the same one twice.
const TAG_LEN: usize = 16;
/// Stands for a frame, to the byte.
type Print = u64;
/// One side of a session.
type Speaker = (SessionId, HostId);

/// What was said on a connection that its caller began with a frame of a session.
#[derive(Debug, Default)]
struct Call {
    deframer: Deframer,
    first: Option<Print>,
}

/// Somebody who hears everything, and notes what must not be.
#[derive(Debug)]
pub(super) struct Ear {
    /// Who is no machine, and may say what they like.
    outsiders: Vec<HostId>,
    /// What may never be said in clear.
    secrets: Vec<Vec<u8>>,
    numbers: BTreeMap<Speaker, BTreeMap<u64, Print>>,
    seals: BTreeMap<Speaker, BTreeSet<[u8; TAG_LEN]>>,
    /// How often each frame that a machine has made to begin a connection with was answered under seal.
    answered: BTreeMap<Print, u32>,
    calls: BTreeMap<u64, Call>,
    breaches: Vec<String>,
}

impl Ear {
    pub(super) const fn new(outsiders: Vec<HostId>, secrets: Vec<Vec<u8>>) -> Self {
        Self {
            outsiders,
            secrets,
            numbers: BTreeMap::new(),
            seals: BTreeMap::new(),
            answered: BTreeMap::new(),
            calls: BTreeMap::new(),
            breaches: Vec::new(),
        }
    }

    /// Takes out what must not be and was heard.
    pub(super) fn take_breaches(&mut self) -> Vec<String> {
        std::mem::take(&mut self.breaches)
    }

    /// Somebody says something on a connection. What machines say at once is whole frames.
    pub(super) fn hear(&mut self, wire: u64, host: HostId, side: Side, bytes: &[u8]) {
        if !self.outsiders.contains(&host) {
            self.hear_machine(host, side, bytes);
        }
        match side {
            Side::Caller => self.hear_call(wire, bytes),
            Side::Callee if self.outsiders.contains(&host) => {}
            Side::Callee => self.hear_answer(wire, bytes),
        }
    }

    /// Nobody says anything there any more.
    pub(super) fn forget(&mut self, wire: u64) {
        self.calls.remove(&wire);
    }

    fn hear_machine(&mut self, host: HostId, side: Side, bytes: &[u8]) {
        for secret in &self.secrets {
            if bytes.windows(secret.len()).any(|window| window == secret) {
                let secret = String::from_utf8_lossy(secret);
                self.breaches.push(format!("{secret:?} is said in clear"));
            }
        }
        if let Ok(Frame::Session(frame)) = Frame::parse(bytes) {
            let print = print(bytes);
            if side == Side::Caller {
                self.answered.entry(print).or_default();
            }
            self.hear_sealed(host, &frame, print);
        }
    }

    fn hear_sealed(&mut self, host: HostId, frame: &SealedFrame<'_>, print: Print) {
        let speaker = (frame.session, host);
        let numbers = self.numbers.entry(speaker).or_default();
        if numbers.insert(frame.counter, print).is_some() {
            let what = format!("two frames of a session are number {}", frame.counter);
            self.breaches.push(what);
        }
        let tag = frame.sealed.last_chunk::<TAG_LEN>();
        let is_new = tag.is_none_or(|tag| self.seals.entry(speaker).or_default().insert(*tag));
        if !is_new {
            self.breaches
                .push("two frames of a session are sealed alike".into());
        }
    }

    /// The first frame is what is answered.
    fn hear_call(&mut self, wire: u64, bytes: &[u8]) {
        let call = self.calls.entry(wire).or_default();
        if call.first.is_none() {
            call.deframer.push(bytes);
            if let Ok(Some(first)) = call.deframer.next_frame()
                && matches!(Frame::parse(&first), Ok(Frame::Session(_)))
            {
                call.first = Some(print(&first));
            }
        }
    }

    fn hear_answer(&mut self, wire: u64, bytes: &[u8]) {
        let call = self.calls.get(&wire).and_then(|call| call.first);
        let (Some(first), Ok(Frame::Session(_))) = (call, Frame::parse(bytes)) else {
            return;
        };
        let what = match self.answered.get_mut(&first) {
            None => "a frame is answered that no machine has made",
            Some(answered @ 0) => {
                *answered = 1;
                return;
            }
            Some(_) => "a frame is answered a second time",
        };
        self.breaches.push(what.into());
    }
}

fn print(frame: &[u8]) -> Print {
    let mut hasher = DefaultHasher::new();
    frame.hash(&mut hasher);
    hasher.finish()
}
