//! The machine, its host, and the connections that it knows: what only one thread at a time may touch.
//!
//! Every input is handed in, and every output that comes of it is taken out, in one hold of the engine's lock. So the
//! outputs take effect in the machine's order, whichever thread runs it: an output for a connection is noted on that
//! connection at once (bytes queued, closing begun), and whoever looks at the connection next does the system calls.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use simplechat_core::machine::{CloseReason, ConnId, Host, Input, Machine, Output};
use simplechat_core::time::{Moment, Timestamp};

use crate::connection::{Connection, Facts, Opening};
use crate::net::{Ending, Net};
use crate::waiting::Waiting;

/// See the module's text.
pub(crate) struct Engine<M: Machine, W: Waiting> {
    machine: M,
    /// None before the driver starts and after it ended.
    host: Option<Box<dyn Host<M>>>,
    life: Life,
    /// The connections that the machine may hear of. Whatever is not in here is over for the machine.
    known: HashMap<ConnId, Arc<Connection<W>>>,
}

/// Whether the machine goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    Running,
    /// It said so itself, or the driver ended. It hears no more.
    Stopped,
    /// It panicked. It may not be touched.
    Panicked,
}

impl<M: Machine, W: Waiting> Engine<M, W> {
    pub(crate) fn new(machine: M) -> Self {
        Self {
            machine,
            host: None,
            life: Life::Running,
            known: HashMap::new(),
        }
    }

    pub(crate) fn life(&self) -> Life {
        self.life
    }

    pub(crate) fn set_host(&mut self, host: Box<dyn Host<M>>) {
        self.host = Some(host);
    }

    pub(crate) fn take_host(&mut self) -> Option<Box<dyn Host<M>>> {
        self.host.take()
    }

    /// Nothing is known any more, and nothing is run.
    pub(crate) fn panicked(&mut self) {
        self.life = Life::Panicked;
        self.known.clear();
    }

    /// When the machine wants to be woken.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        match self.life {
            Life::Running => self.machine.poll_timeout().map(|deadline| deadline.at),
            Life::Stopped | Life::Panicked => None,
        }
    }

    /// Tells what became of a connection, unless it is over for the machine.
    pub(crate) fn tell(
        &mut self,
        net: &Arc<Net<W>>,
        now: Moment,
        conn: &Arc<Connection<W>>,
        facts: Facts,
    ) {
        let id = conn.id;
        match facts.opening {
            Some(Opening::Accepted { remote, local }) if self.life == Life::Running => {
                self.known.insert(id, Arc::clone(conn));
                let input = Input::Accepted {
                    conn: id,
                    remote,
                    local,
                };
                self.hand_in(net, now, input);
            }
            Some(Opening::Connected { local }) if self.knows(conn) => {
                self.hand_in(net, now, Input::Connected { conn: id, local });
            }
            Some(Opening::Failed(failure)) if self.knows(conn) => {
                self.known.remove(&id);
                self.hand_in(net, now, Input::ConnectFailed { conn: id, failure });
            }
            Some(Opening::Accepted { .. } | Opening::Connected { .. } | Opening::Failed(_))
            | None => {}
        }
        if !facts.bytes.is_empty() && self.knows(conn) {
            let bytes = &facts.bytes;
            self.hand_in(net, now, Input::Received { conn: id, bytes });
        }
        if facts.is_finished && self.knows(conn) {
            self.hand_in(net, now, Input::Finished { conn: id });
        }
        if let Some(reason) = facts.closed
            && self.knows(conn)
        {
            self.known.remove(&id);
            self.hand_in(net, now, Input::Closed { conn: id, reason });
        }
    }

    /// Hands in the timeout, if it is time.
    pub(crate) fn time_out(&mut self, net: &Arc<Net<W>>, now: Moment) {
        if self.due().is_none_or(|due| due > now.at) {
            return;
        }
        self.hand_in(net, now, Input::Timeout);
        debug_assert!(
            self.due().is_none_or(|due| due > now.at),
            "after a timeout the next deadline must lie later, else the driver spins: {:?} at {now:?}",
            self.machine.poll_timeout()
        );
    }

    /// Hands in the result of an effect.
    pub(crate) fn effect_done(&mut self, net: &Arc<Net<W>>, now: Moment, done: M::Done) {
        self.hand_in(net, now, Input::EffectDone(done));
    }

    /// Hands in a wish. One that comes after the end is the machine's to refuse, but nothing is done of it.
    pub(crate) fn command(
        &mut self,
        net: &Arc<Net<W>>,
        now: Moment,
        command: M::Command,
    ) -> Result<(), M::Rejected> {
        let answer = self.machine.handle_command(now, command);
        match self.life {
            Life::Running => self.drain(net, now),
            Life::Stopped | Life::Panicked => while self.machine.poll_output().is_some() {},
        }
        answer
    }

    /// Ends the machine from outside: it hears that every connection is gone, and may say its last.
    pub(crate) fn shut_down(&mut self, net: &Arc<Net<W>>, now: Moment) {
        let mut ids: Vec<_> = self.known.keys().copied().collect();
        ids.sort_unstable();
        for conn in ids {
            if self.known.remove(&conn).is_some() {
                let reason = CloseReason::Shutdown;
                self.hand_in(net, now, Input::Closed { conn, reason });
            }
        }
        self.stop(net, now);
    }

    fn stop(&mut self, net: &Arc<Net<W>>, now: Moment) {
        if self.life == Life::Running {
            self.life = Life::Stopped;
            self.known.clear();
            net.end(Ending::Orderly(now.at + net.options.linger));
        }
    }

    fn knows(&self, conn: &Arc<Connection<W>>) -> bool {
        self.known
            .get(&conn.id)
            .is_some_and(|known| Arc::ptr_eq(known, conn))
    }

    fn hand_in(&mut self, net: &Arc<Net<W>>, now: Moment, input: Input<'_, M::Done>) {
        match self.life {
            Life::Running => {
                self.machine.handle_input(now, input);
                self.drain(net, now);
            }
            Life::Stopped | Life::Panicked => {}
        }
    }

    /// Does what the machine wants done, up to its end if that is among it.
    pub(crate) fn drain(&mut self, net: &Arc<Net<W>>, now: Moment) {
        let Some(host) = &mut self.host else {
            // Before the start it all waits in the machine; after the end none of it can be done.
            return;
        };
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Connect { conn, to } => {
                    let dialled = net.dial(conn, to);
                    let former = self.known.insert(conn, dialled);
                    debug_assert!(former.is_none(), "{conn:?} was used twice");
                }
                Output::Send { conn, bytes } => {
                    if let Some(conn) = self.known.get(&conn) {
                        net.send(conn, bytes);
                    }
                }
                Output::Close { conn } => {
                    if let Some(conn) = self.known.remove(&conn) {
                        net.close(&conn);
                    }
                }
                Output::Keep { conn } => {
                    if let Some(conn) = self.known.get(&conn) {
                        net.keep(conn);
                    }
                }
                Output::Effect(effect) => host.perform(effect),
                Output::Event(event) => host.show(event),
                Output::Stop => return self.stop(net, now),
            }
        }
    }
}

impl<M: Machine, W: Waiting> fmt::Debug for Engine<M, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("life", &self.life)
            .field("known", &self.known.len())
            .finish_non_exhaustive()
    }
}
