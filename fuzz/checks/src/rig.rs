//! A machine alone with a driver that keeps the contract and a network that the fuzzer makes up.
//!
//! The rig holds what the contract says of the machine: after a timeout the next deadline lies later, a turn gives few
//! outputs, and no more deadlines come than the time that passed allows. It keeps the driver's own promises: a dial fails
//! after 3 s, and a connection is gone after 15 s.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use simplechat_core::machine::{CloseReason, ConnId, ConnectFailure, Input, Machine, Output};
use simplechat_core::time::{Moment, Timestamp, WallTime};
use simplechat_core::wire::deframer::Deframer;
use simplechat_core::wire::frame::Frame;

use crate::streams::Streams;

const DIAL_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECTION_DEADLINE: Duration = Duration::from_secs(15);
/// More outputs of one input, and more turns at once, than any healthy machine has with the few that a fuzzer brings.
const OUTPUTS_MAX: usize = 2_000;
/// The quickest that machines do anything again and again is the client's heartbeat, every 10 ms.
const TURNS_A_SECOND_MAX: u64 = 400;

/// A connection as the driver sees it.
#[derive(Debug)]
pub(crate) struct Wire {
    made: Timestamp,
    /// Where the machine dialled.
    pub(crate) to: Option<SocketAddr>,
    /// Not yet, of one that is being dialled.
    pub(crate) stands: bool,
    /// It is to last.
    kept: bool,
    /// What the machine sent and nobody took out.
    pub(crate) sent: Vec<u8>,
}

/// A machine and its driver.
pub(crate) struct Rig<M: Machine> {
    pub(crate) machine: M,
    now: Timestamp,
    accepted: u64,
    pub(crate) wires: BTreeMap<ConnId, Wire>,
    streams: Streams,
    /// Sent on connections that the machine has ended since.
    pub(crate) last_words: Vec<(ConnId, Vec<u8>)>,
    /// Asked for, and not done yet.
    pub(crate) effects: Vec<M::Effect>,
    pub(crate) stopped: bool,
}

impl<M: Machine> Rig<M> {
    pub(crate) fn new(make: impl FnOnce(Moment) -> M) -> Self {
        let now = Timestamp::from_secs(1_000);
        Self {
            machine: make(moment(now)),
            now,
            accepted: 0,
            wires: BTreeMap::new(),
            streams: Streams::default(),
            last_words: Vec::new(),
            effects: Vec::new(),
            stopped: false,
        }
    }

    /// Somebody calls, on a connection or a stream of one.
    pub(crate) fn accept(&mut self, remote: SocketAddr, local: SocketAddr) -> ConnId {
        if let Some(stream) = self.streams.open() {
            return stream;
        }
        let conn = ConnId::Accepted(self.accepted);
        self.accepted += 1;
        self.wires.insert(conn, self.new_wire(None));
        self.hand_in(Input::Accepted {
            conn,
            remote,
            local,
        });
        conn
    }

    /// Bytes come, in two pieces.
    pub(crate) fn receive(&mut self, conn: ConnId, bytes: &[u8], cut: usize) {
        let (conn, bytes) = self.streams.wrap(conn, bytes);
        let (head, tail) = bytes.split_at(cut.min(bytes.len()));
        for bytes in [head, tail] {
            if !bytes.is_empty() {
                self.hand_in(Input::Received { conn, bytes });
            }
        }
    }

    /// A dial succeeds, if it has not before.
    pub(crate) fn connect(&mut self, conn: ConnId, local: SocketAddr) {
        if let Some(wire) = self.wires.get_mut(&conn)
            && !wire.stands
        {
            wire.stands = true;
            self.hand_in(Input::Connected { conn, local });
        }
    }

    /// A connection ends as it may in its state.
    pub(crate) fn break_off(&mut self, conn: ConnId) {
        self.streams.forget(conn);
        match self.wires.remove(&conn) {
            Some(wire) if wire.stands => self.hand_in(Input::Closed {
                conn,
                reason: CloseReason::Reset,
            }),
            Some(_) => self.hand_in(Input::ConnectFailed {
                conn,
                failure: ConnectFailure::Refused,
            }),
            None => {}
        }
    }

    /// The peer ends its side.
    pub(crate) fn finish(&mut self, conn: ConnId) {
        if self.wires.get(&conn).is_some_and(|wire| wire.stands) {
            self.hand_in(Input::Finished { conn });
        }
    }

    pub(crate) fn wish(&mut self, command: M::Command) -> std::result::Result<(), M::Rejected> {
        let wished = self.machine.handle_command(moment(self.now), command);
        self.drain();
        wished
    }

    pub(crate) fn hand_in(&mut self, input: Input<'_, M::Done>) {
        if self.stopped {
            return;
        }
        self.machine.handle_input(moment(self.now), input);
        self.drain();
    }

    /// Time passes, with all that falls into it.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        let mut turns = OUTPUTS_MAX as u64 + duration.as_secs() * TURNS_A_SECOND_MAX;
        while let Some(next) = self.next_due().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.end_overdue();
            self.time_out();
            turns -= 1;
            assert!(turns > 0, "the machine spins within {duration:?}");
        }
        self.now = until;
    }

    fn next_due(&self) -> Option<Timestamp> {
        let timeout = self.machine.poll_timeout().filter(|_| !self.stopped);
        let ends = self.wires.values().filter_map(Wire::ends_at).min();
        timeout
            .map(|deadline| deadline.at)
            .into_iter()
            .chain(ends)
            .min()
    }

    fn end_overdue(&mut self) {
        let now = self.now;
        let overdue: Vec<_> = self
            .wires
            .extract_if(.., |_, wire| wire.ends_at().is_some_and(|at| at <= now))
            .collect();
        for (conn, wire) in overdue {
            self.hand_in(if wire.stands {
                Input::Closed {
                    conn,
                    reason: CloseReason::Deadline,
                }
            } else {
                Input::ConnectFailed {
                    conn,
                    failure: ConnectFailure::TimedOut,
                }
            });
        }
    }

    fn time_out(&mut self) {
        let now = self.now;
        let is_due = |rig: &Self| {
            let deadline = rig.machine.poll_timeout();
            deadline.filter(|deadline| deadline.at <= now && !rig.stopped)
        };
        if is_due(self).is_some() {
            self.hand_in(Input::Timeout);
            let next = is_due(self);
            assert!(
                next.is_none(),
                "after a timeout the next one is due: {next:?}"
            );
        }
    }

    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.machine.poll_output() {
            if self.stopped {
                continue;
            }
            outputs += 1;
            assert!(outputs <= OUTPUTS_MAX, "one input gives no end of outputs");
            match output {
                Output::Connect { conn, to } => {
                    let before = self.wires.insert(conn, self.new_wire(Some(to)));
                    assert!(before.is_none(), "{conn:?} is used twice");
                }
                Output::Send { conn, bytes } => {
                    if let Some(wire) = self.wires.get_mut(&conn) {
                        wire.sent.extend(bytes);
                    }
                }
                Output::Close { conn } => {
                    if let Some(wire) = self.wires.remove(&conn) {
                        self.last_words.push((conn, wire.sent));
                    }
                }
                Output::Effect(effect) => self.effects.push(effect),
                Output::Keep { conn } => {
                    if let Some(wire) = self.wires.get_mut(&conn) {
                        wire.kept = true;
                        self.streams.hold(conn);
                    }
                }
                Output::Event(_) => {}
                Output::Stop => self.stopped = true,
            }
        }
    }

    const fn new_wire(&self, to: Option<SocketAddr>) -> Wire {
        Wire {
            made: self.now,
            to,
            stands: to.is_none(),
            kept: false,
            sent: Vec::new(),
        }
    }
}

impl Wire {
    fn ends_at(&self) -> Option<Timestamp> {
        match (self.stands, self.kept) {
            (false, _) => Some(self.made + DIAL_TIMEOUT),
            (true, false) => Some(self.made + CONNECTION_DEADLINE),
            (true, true) => None,
        }
    }
}

const fn moment(at: Timestamp) -> Moment {
    Moment {
        at,
        wall: WallTime(1_800_000_000_000 + at.as_micros() / 1_000),
    }
}

impl<M: Machine> Rig<M> {
    /// Takes out the whole frames that the machine has sent, also on connections that it has ended since.
    pub(crate) fn take_frames(&mut self) -> Vec<(ConnId, Vec<u8>)> {
        let mut taken = std::mem::take(&mut self.last_words);
        for (conn, wire) in &mut self.wires {
            taken.push((*conn, std::mem::take(&mut wire.sent)));
        }
        let mut frames = Vec::new();
        for (conn, bytes) in taken {
            let mut deframer = Deframer::default();
            deframer.push(&bytes);
            let mut on = conn;
            while let Some(frame) = deframer.next_frame().expect("a machine sends frames") {
                match Frame::parse(&frame) {
                    Ok(Frame::Stream(number)) => on = self.streams.named(conn, number),
                    Ok(Frame::End(number)) => self.streams.end(conn, number),
                    _ => frames.push((std::mem::replace(&mut on, conn), frame)),
                }
            }
            assert!(deframer.is_empty(), "a machine sends whole frames");
        }
        frames
    }

    /// How many connections and streams the machine may know of.
    pub(crate) fn connections(&self) -> usize {
        self.wires.len() + self.streams.len()
    }

    /// One of the connections there are.
    pub(crate) fn any_wire(&self, u: &mut Unstructured<'_>) -> Result<Option<ConnId>> {
        if self.wires.is_empty() {
            return Ok(None);
        }
        let place = u.choose_index(self.wires.len())?;
        Ok(self.wires.keys().nth(place).copied())
    }

    /// What a network does to a connection by itself.
    pub(crate) fn disturb(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let Some(conn) = self.any_wire(u)? else {
            return Ok(());
        };
        if u.arbitrary()? {
            self.finish(conn);
        } else {
            self.break_off(conn);
        }
        Ok(())
    }

    /// Any bytes on any connection.
    pub(crate) fn babble(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let Some(conn) = self.any_wire(u)? else {
            return Ok(());
        };
        let bytes = some_bytes(u)?;
        let cut = u.arbitrary::<u8>()?.into();
        self.receive(conn, bytes, cut);
        Ok(())
    }

    /// From nothing at all to longer than any timeout.
    pub(crate) fn pass_a_while(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let millis = *u.choose(&[0, 1, 250, 1_000, 3_000, 5_000, 30_000, 95_000, 600_000])?;
        self.pass(Duration::from_millis(millis));
        Ok(())
    }
}

/// Up to 255 bytes as they are.
pub(crate) fn some_bytes<'a>(u: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let len = usize::from(u.arbitrary::<u8>()?).min(u.len());
    u.bytes(len)
}

/// What becomes of a frame on its way.
pub(crate) type Way = fn(&mut Unstructured<'_>, Vec<u8>) -> Result<Vec<u8>>;

/// A frame as it was, or with one bit turned over.
pub(crate) fn perhaps_broken(u: &mut Unstructured<'_>, mut frame: Vec<u8>) -> Result<Vec<u8>> {
    if u.ratio(1, 16)? {
        let place = u.choose_index(frame.len())?;
        frame[place] ^= 1 << u.int_in_range(0..=7)?;
    }
    Ok(frame)
}

/// A message of a handshake as it was, or changed in a way that leaves it a frame.
pub(crate) fn perhaps_spoiled(u: &mut Unstructured<'_>, frame: Vec<u8>) -> Result<Vec<u8>> {
    let mut body = match Frame::parse(&frame) {
        Ok(Frame::Handshake(body)) => body.to_vec(),
        _ => return perhaps_broken(u, frame),
    };
    let place = usize::from(u.arbitrary::<u8>()?) % body.len().max(1);
    match u.int_in_range(0..=11)? {
        0 => body.truncate(place),
        1 => body.extend(some_bytes(u)?),
        2 => body.iter_mut().for_each(|byte| *byte ^= 1),
        // A key that agrees with every other on the same secret.
        3 => body.iter_mut().take(32).for_each(|byte| *byte = 0),
        4 => body.rotate_left(place),
        5 => {
            if let Some(byte) = body.get_mut(place) {
                *byte = u.arbitrary()?;
            }
        }
        _ => return perhaps_broken(u, frame),
    }
    Ok(Frame::Handshake(&body).to_bytes())
}

/// The last frames that were sent to a machine, to be sent again.
#[derive(Debug, Default)]
pub(crate) struct Captured(VecDeque<Vec<u8>>);

impl Captured {
    pub(crate) fn keep(&mut self, frame: &[u8]) {
        if self.0.len() == 8 {
            self.0.pop_front();
        }
        self.0.push_back(frame.to_vec());
    }

    pub(crate) fn any(&self, u: &mut Unstructured<'_>) -> Result<Option<Vec<u8>>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        Ok(self.0.get(u.choose_index(self.0.len())?).cloned())
    }
}

/// Whether the other side does what it should, by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    Helpful,
    /// Whatever happens is up to the fuzzer.
    Silent,
}

impl Mood {
    pub(crate) fn turn(&mut self) {
        *self = match self {
            Self::Helpful => Self::Silent,
            Self::Silent => Self::Helpful,
        };
    }
}
