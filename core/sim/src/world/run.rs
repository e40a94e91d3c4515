//! What makes a world go on: the next thing that is due, one after the other, handed to the machines as a driver would.

use std::net::SocketAddr;
use std::time::Duration;

use simplechat_core::client::event::{Event, SessionEvent};
use simplechat_core::client::{self, Trust};
use simplechat_core::id::EffectId;
use simplechat_core::machine::{ConnId, Input, Machine, Output};
use simplechat_core::server::{self, Effect, Verdict};
use simplechat_core::time::{Moment, Timestamp};
use simplechat_core::wire::frame::Frame;

use super::attack::ATTACKER;
use super::{Chore, ClientId, SERVER, STRANGER, World, is_the_servers};
use crate::net::{Delivery, HostId};
use crate::observation::Observation;

/// Steps in a row at one point in time that no healthy machine needs.
const SPIN: u32 = 100_000;
/// How long somebody takes to type a password.
const TYPING: Duration = Duration::from_secs(2);

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

    /// Whether a client's machine is told what happens.
    fn runs(&self, id: ClientId) -> bool {
        !self.seat(id).ended && !self.is_asleep(id.host())
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
        let now = self.now;
        let Some(entry) = self
            .chores
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        else {
            return false;
        };
        let chore = entry.remove();
        let Some(chore) = self.keep_for_sleeper(chore) else {
            return true;
        };
        match chore {
            Chore::Check(id, name, verdict) => {
                self.observe(Observation::PasswordChecked { name, verdict });
                self.tell_server(server::Done::PasswordChecked { id, verdict });
            }
            Chore::Store { id, records } => {
                let result = self.store.keep(records);
                self.tell_server(server::Done::Stored { id, result });
            }
            Chore::Show(client, _)
            | Chore::Write(client)
            | Chore::Judge(client, ..)
            | Chore::TypePassword(client)
                if self.seat(client).ended => {}
            Chore::TypePassword(client) => {
                if let Some(typed) = self.seat(client).typed.clone() {
                    // It may be too late: they are leaving.
                    let _ = self.command(client, typed);
                }
            }
            Chore::Judge(client, id, key) => {
                let trust = if key == self.identity.0.public() {
                    Trust::Trusted(self.seat(client).key.clone())
                } else {
                    Trust::OtherKey
                };
                let done = client::Done::ServerJudged { id, trust };
                let moment = self.moment_on(client.host());
                let input = Input::EffectDone(done);
                self.seat_mut(client).machine.handle_input(moment, input);
                self.drain_client(client);
            }
            Chore::Write(client) => self.write(client),
            Chore::Show(client, id) => {
                if self.disk(client).is_none() {
                    self.observe(Observation::Read { client, effect: id });
                }
                let done = client::Done::Shown { id };
                let moment = self.moment_on(client.host());
                self.seat_mut(client)
                    .machine
                    .handle_input(moment, Input::EffectDone(done));
                self.drain_client(client);
            }
        }
        true
    }

    fn tell_server(&mut self, done: server::Done) {
        let moment = self.moment_on(SERVER);
        if let Some(server) = &mut self.server {
            server.handle_input(moment, Input::EffectDone(done));
            self.drain_server();
        }
    }

    fn run_net(&mut self) -> bool {
        let Some((host, conn, delivery)) = self.net.pop_due(self.now) else {
            return false;
        };
        let moment = self.moment_on(host);
        if host == STRANGER {
            match delivery {
                Delivery::Bytes(bytes) => self.stranger.received.extend(bytes),
                Delivery::Finished | Delivery::Closed(_) | Delivery::Failed(_) => {
                    self.stranger.ended = true;
                }
                Delivery::Accepted { .. } | Delivery::Connected { .. } => {}
            }
        } else if host == ATTACKER {
            self.deliver_to_attacker(conn, &delivery);
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
                if let (ConnId::Dialled(_), Delivery::Bytes(bytes)) = (conn, &delivery) {
                    self.obey(id, bytes);
                }
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
        let due = self.agenda.next().filter(|(at, _)| *at <= self.now);
        let Some((_, host)) = due else {
            return;
        };
        let moment = self.moment_on(host);
        match ClientId::at(host) {
            Some(id) => {
                time_out(&mut self.seat_mut(id).machine, moment);
                self.drain_client(id);
            }
            None => {
                if let Some(server) = &mut self.server {
                    time_out(server, moment);
                }
                self.drain_server();
            }
        }
    }

    /// Notes when a machine wants to be woken. Who sleeps or has ended does not.
    pub(super) fn note_deadline(&mut self, host: HostId) {
        let deadline = match ClientId::at(host) {
            _ if self.is_asleep(host) => None,
            Some(id) if self.runs(id) => self.seat(id).machine.poll_timeout(),
            Some(_) => None,
            None => self.server.as_ref().and_then(Machine::poll_timeout),
        };
        self.agenda.set(host, deadline.map(|deadline| deadline.at));
    }

    fn note_dial(&mut self, from: HostId, to: SocketAddr) {
        if self.observed.is_some() {
            let to = self.net.listener_at(to);
            self.observe(Observation::Dialled { from, to });
        }
    }

    pub(super) fn drain_server(&mut self) {
        while let Some(output) = self.server.as_mut().and_then(Machine::poll_output) {
            match output {
                Output::Effect(Effect::CheckPassword { id, name, password }) => {
                    self.password_checks += 1;
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
                Output::Effect(Effect::Store { id, records }) => {
                    self.add_chore(self.store.takes, Chore::Store { id, records });
                }
                Output::Event(event) if self.observed.is_some() => {
                    self.observe(Observation::Operator(event));
                }
                Output::Event(event) => self.server_events.push(event),
                Output::Stop => {
                    self.server = None;
                    self.drop_chores_of_server();
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
                Output::Keep { conn } => self.net.keep(SERVER, conn),
            }
        }
        self.note_deadline(SERVER);
    }

    pub(super) fn drain_client(&mut self, id: ClientId) {
        let host = id.host();
        while let Some(output) = self.seat_mut(id).machine.poll_output() {
            match output {
                Output::Effect(client::Effect::Show {
                    id: effect,
                    events,
                    records,
                }) => self.keep_and_show(id, effect, events, records),
                Output::Event(event) => self.tell_in_turn(id, event),
                Output::Stop => {
                    self.finish_writing(id);
                    self.seat_mut(id).ended = true;
                    self.net.retire(host);
                    self.observe(Observation::ClientEnded { client: id });
                }
                Output::Effect(client::Effect::Store {
                    id: effect,
                    records,
                }) => self.keep(id, effect, records),
                Output::Effect(client::Effect::JudgeServer {
                    id: effect, key, ..
                }) => {
                    let takes = self.seat(id).screen.unwrap_or_default();
                    self.add_chore(takes, Chore::Judge(id, effect, key));
                }
                Output::Connect { conn, to } => {
                    self.note_dial(host, to);
                    if is_the_servers(to) {
                        self.seat_mut(id).calls.insert(conn, 0);
                    }
                    self.net.connect(self.now, &mut self.dice, host, conn, to);
                }
                Output::Send { conn, bytes } => {
                    self.note_login(id, conn, &bytes);
                    self.net.send(self.now, &mut self.dice, host, conn, bytes);
                }
                Output::Close { conn } => self.net.close(self.now, &mut self.dice, host, conn),
                Output::Keep { conn } => self.net.keep(host, conn),
            }
        }
        self.note_deadline(host);
    }
}

impl World {
    /// Hands a client's screen what others sent.
    pub(super) fn put_on_screen(&mut self, id: ClientId, effect: EffectId, events: Vec<Event>) {
        self.note_shown(id, effect, events);
        let seat = self.seat_mut(id);
        match seat.screen {
            Some(takes) => self.add_chore(takes, Chore::Show(id, effect)),
            None => seat.stuck.push(effect),
        }
    }

    /// What is kept is there to be read from then on; without a store it takes a screen.
    pub(super) fn note_shown(&mut self, id: ClientId, effect: EffectId, events: Vec<Event>) {
        if self.observed.is_some() {
            self.observe(Observation::Shown {
                client: id,
                effect,
                events: events.clone(),
            });
            if self.disk(id).is_some() {
                self.observe(Observation::Read { client: id, effect });
            }
        }
        for event in events {
            self.show(id, event);
        }
    }

    pub(super) fn tell(&mut self, id: ClientId, event: Event) {
        if event == Event::Session(SessionEvent::PasswordNeeded) {
            self.add_chore(TYPING, Chore::TypePassword(id));
        }
        if self.observed.is_some() {
            let event = event.clone();
            self.observe(Observation::Told { client: id, event });
        }
        self.show(id, event);
    }

    /// A login is in the second message that a client sends in a handshake with the server.
    fn note_login(&mut self, id: ClientId, conn: ConnId, bytes: &[u8]) {
        let calls = &mut self.seat_mut(id).calls;
        let is_handshake = matches!(Frame::parse(bytes), Ok(Frame::Handshake(_)));
        match calls.get_mut(&conn) {
            Some(sent @ 0) if is_handshake => *sent = 1,
            Some(_) => {
                calls.remove(&conn);
                if is_handshake {
                    self.observe(Observation::LoginSent { client: id });
                }
            }
            None => {}
        }
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
