//! What makes a world go on: the next thing that is due, one after the other, handed to the machines as a driver would.

use std::net::SocketAddr;
use std::time::Duration;

use simplechat_core::client;
use simplechat_core::machine::{ConnId, Input, Machine, Output};
use simplechat_core::server::{self, Effect, Verdict};
use simplechat_core::time::{Moment, Timestamp};

use super::{Chore, ClientId, SERVER, STRANGER, World};
use crate::net::{Delivery, HostId};
use crate::observation::Observation;

/// Steps in a row at one point in time that no healthy machine needs.
const SPIN: u32 = 100_000;

impl World {
    /// Lets things happen for a while.
    pub fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.step(until) {}
        self.now = until;
    }

    /// Lets things happen until what was started is done: five seconds are enough for that, as long as nothing is broken.
    pub fn settle(&mut self) {
        self.run(Duration::from_secs(5));
    }

    /// Does the next thing, if it is due by then.
    pub fn step(&mut self, until: Timestamp) -> bool {
        let machine = self.agenda.next().map(|(at, _)| at);
        let chore = self.chores.first_key_value().map(|((at, _), _)| *at);
        let next = [machine, chore, self.net.next()]
            .into_iter()
            .flatten()
            .min();
        let Some(next) = next.filter(|next| *next <= until) else {
            return false;
        };
        self.now = self.now.max(next);
        self.steps += 1;
        self.watch_for_spinning();
        if self.run_chore() || self.run_net() {
            return true;
        }
        self.run_timeout();
        true
    }

    fn watch_for_spinning(&mut self) {
        self.spun = if self.spun.0 == self.now {
            (self.now, self.spun.1 + 1)
        } else {
            (self.now, 0)
        };
        assert!(self.spun.1 < SPIN, "something spins at {:?}", self.now);
    }

    fn run_chore(&mut self) -> bool {
        let (now, moment) = (self.now, self.moment());
        let Some(entry) = self
            .chores
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        else {
            return false;
        };
        match entry.remove() {
            Chore::Check(id, name, verdict) => {
                if let Some(server) = &mut self.server {
                    let done = server::Done::PasswordChecked { id, verdict };
                    server.handle_input(moment, Input::EffectDone(done));
                    self.observe(Observation::PasswordChecked { name, verdict });
                    self.drain_server();
                }
            }
            Chore::Show(client, _) if self.seat(client).ended => {}
            Chore::Show(client, id) => {
                let done = client::Done::Shown { id };
                self.observe(Observation::Read { client, effect: id });
                self.seat_mut(client)
                    .machine
                    .handle_input(moment, Input::EffectDone(done));
                self.drain_client(client);
            }
        }
        true
    }

    fn run_net(&mut self) -> bool {
        let Some((host, conn, delivery)) = self.net.pop_due(self.now) else {
            return false;
        };
        let moment = self.moment();
        if host == STRANGER {
            match delivery {
                Delivery::Bytes(bytes) => self.stranger.received.extend(bytes),
                Delivery::Finished | Delivery::Closed(_) | Delivery::Failed(_) => {
                    self.stranger.ended = true;
                }
                Delivery::Accepted { .. } | Delivery::Connected { .. } => {}
            }
        } else if host == SERVER {
            if matches!(delivery, Delivery::Bytes(_)) {
                self.note_heard(conn);
            }
            if let Some(server) = &mut self.server {
                hand_in(server, moment, conn, &delivery);
                self.drain_server();
            }
        } else {
            let id = ClientId(host.0 - 1);
            if !self.seat(id).ended {
                hand_in(&mut self.seat_mut(id).machine, moment, conn, &delivery);
                self.drain_client(id);
            }
        }
        true
    }

    fn note_heard(&mut self, conn: ConnId) {
        if let Some(from) = self.net.far_end(SERVER, conn) {
            self.observe(Observation::ServerHeard { from });
        }
    }

    fn run_timeout(&mut self) {
        let moment = self.moment();
        let due = self.agenda.next().filter(|(at, _)| *at <= self.now);
        match due.map(|(_, host)| host) {
            Some(SERVER) => {
                if let Some(server) = &mut self.server {
                    time_out(server, moment);
                }
                self.drain_server();
            }
            Some(host) => {
                let id = ClientId(host.0 - 1);
                time_out(&mut self.seat_mut(id).machine, moment);
                self.drain_client(id);
            }
            None => {}
        }
    }

    pub(super) fn drain_server(&mut self) {
        while let Some(output) = self.server.as_mut().and_then(Machine::poll_output) {
            match output {
                Output::Effect(Effect::CheckPassword { id, name, password }) => {
                    let right = self
                        .accounts
                        .get(&name)
                        .is_some_and(|known| known == password.reveal());
                    let verdict = if right {
                        Verdict::Right
                    } else {
                        Verdict::Wrong
                    };
                    self.add_chore(self.check_takes, Chore::Check(id, name, verdict));
                }
                Output::Event(event) if self.observed.is_some() => {
                    self.observe(Observation::Operator(event));
                }
                Output::Event(event) => self.server_events.push(event),
                Output::Stop => {
                    self.server = None;
                    self.chores
                        .retain(|_, chore| matches!(chore, Chore::Show(..)));
                    // What was sent until now arrives; then nobody listens there.
                    self.net.retire(SERVER);
                    self.note("server", "ends");
                    self.observe(Observation::ServerEnded);
                }
                Output::Connect { conn, to } => {
                    self.note_dial(SERVER, to);
                    self.net.connect(self.now, &mut self.dice, SERVER, conn, to);
                }
                Output::Send { conn, bytes } => {
                    self.net.send(self.now, &mut self.dice, SERVER, conn, bytes);
                }
                Output::Close { conn } => {
                    self.net.close(self.now, &mut self.dice, SERVER, conn);
                }
            }
        }
        let deadline = self.server.as_ref().and_then(Machine::poll_timeout);
        self.agenda
            .set(SERVER, deadline.map(|deadline| deadline.at));
    }

    fn note_dial(&mut self, from: HostId, to: SocketAddr) {
        if self.observed.is_some() {
            let to = self.net.listener_at(to);
            self.observe(Observation::Dialled { from, to });
        }
    }

    pub(super) fn drain_client(&mut self, id: ClientId) {
        let host = id.host();
        while let Some(output) = self.seat_mut(id).machine.poll_output() {
            match output {
                Output::Effect(client::Effect::Show { id: effect, events }) => {
                    if self.observed.is_some() {
                        self.observe(Observation::Shown {
                            client: id,
                            effect,
                            events: events.clone(),
                        });
                    }
                    for event in events {
                        self.show(id, event);
                    }
                    let seat = self.seat_mut(id);
                    match seat.screen {
                        Some(takes) => self.add_chore(takes, Chore::Show(id, effect)),
                        None => seat.stuck.push(effect),
                    }
                }
                Output::Event(event) => {
                    if self.observed.is_some() {
                        let event = event.clone();
                        self.observe(Observation::Told { client: id, event });
                    }
                    self.show(id, event);
                }
                Output::Stop => {
                    self.seat_mut(id).ended = true;
                    self.net.retire(host);
                    self.observe(Observation::ClientEnded { client: id });
                }
                Output::Connect { conn, to } => {
                    self.note_dial(host, to);
                    self.net.connect(self.now, &mut self.dice, host, conn, to);
                }
                Output::Send { conn, bytes } => {
                    self.net.send(self.now, &mut self.dice, host, conn, bytes);
                }
                Output::Close { conn } => self.net.close(self.now, &mut self.dice, host, conn),
            }
        }
        let seat = self.seat(id);
        let deadline = if seat.ended {
            None
        } else {
            seat.machine.poll_timeout()
        };
        self.agenda.set(host, deadline.map(|deadline| deadline.at));
    }
}

fn hand_in<M: Machine>(machine: &mut M, moment: Moment, conn: ConnId, delivery: &Delivery) {
    let input = match *delivery {
        Delivery::Accepted { remote, local } => Input::Accepted {
            conn,
            remote,
            local,
        },
        Delivery::Connected { local } => Input::Connected { conn, local },
        Delivery::Failed(failure) => Input::ConnectFailed { conn, failure },
        Delivery::Bytes(ref bytes) => Input::Received { conn, bytes },
        Delivery::Finished => Input::Finished { conn },
        Delivery::Closed(reason) => Input::Closed { conn, reason },
    };
    machine.handle_input(moment, input);
}

/// Hands in the timeout if it is due, and sees to it that the machine then wants the next one later.
fn time_out<M: Machine>(machine: &mut M, moment: Moment) {
    let is_due = |machine: &M| {
        machine
            .poll_timeout()
            .filter(|deadline| deadline.at <= moment.at)
    };
    if is_due(machine).is_some() {
        machine.handle_input(moment, Input::Timeout);
        let next = is_due(machine);
        assert!(
            next.is_none(),
            "after a timeout at {:?} the next one is due: {next:?}",
            moment.at
        );
    }
}
