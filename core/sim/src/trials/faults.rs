//! Planted faults: proof that the checker can see.
//!
//! They are planted around the machines, not in them, so no fault can ever get into a normal build, and `core` does not know
//! of them. Most stand between the machines and the checker: it knows nothing but settings and what an onlooker sees, so
//! whatever a machine may do wrong is something wrong there. Others are wrong settings, or sit at the seams: a store that
//! lies, a channel that opens what it should not.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "each fault concerns few things"
)]

use simplechat_core::client::event::{Event, MessageEvent, PeerEvent, SessionEvent, Verification};
use simplechat_core::name::Name;
use simplechat_core::server::config::Config;
use simplechat_core::wire::Term;
use simplechat_core::wire::push::Presence;
use simplechat_core::wire::request::{Operation, Outcome, Refusal};

use super::generate::Wanted;
use crate::observation::{Observation, Observed};
use crate::store::Honesty;
use crate::test_channel::Weakness;
use crate::weak_channel::Flaw;
use crate::world::{ClientId, Credulity, Secrecy, World};

/// Something that a machine could do wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A message is shown twice.
    ShowTwice,
    /// A message is shown to somebody else, too.
    ShowToAnother,
    /// A message is shown after the one that follows it.
    Overtake,
    /// A message is acknowledged, and never shown.
    Swallow,
    /// A message is acknowledged before it is on the screen.
    AcknowledgeUnread,
    /// A message comes under another's name.
    Impersonate,
    /// A message comes other than it was written.
    Garble,
    /// A private message of somebody whose key was not compared is shown as verified.
    VerifyAnybody,
    /// A wish never gets its final word.
    NoFinalWord,
    /// A wish gets it twice.
    TwoFinalWords,
    /// Who is refused is told that the message was delivered.
    FalseDelivery,
    /// Whose message was delivered is told that it was refused.
    FalseRefusal,
    /// A server forgets all that it has, and nothing is the matter.
    ForgetEverything,
    /// The other one's texts are shown in spite of a block.
    ShowBlocked,
    /// A question is taken for a yes.
    TakeQuestionForYes,
    /// A client dials another one that has not agreed.
    DialAnybody,
    /// Who came is told to have gone.
    FalsePresence,
    /// Somebody who is not there is on the list of who is.
    ListAnybody,
    /// One more password may be guessed.
    GuessOnceMore,
    /// Who falls silent is gone ten seconds too late.
    ExpireLate,
    /// Questions never expire.
    NeverExpireQuestions,
    /// Mailboxes are smaller than they should be.
    SmallMailboxes,
    /// Who is heard all the time is taken for silent.
    ExpireEarly,
    /// Mailboxes hold as much as comes.
    BoundlessMailboxes,
    /// Heartbeats are sent all the time.
    RunInCircles,
    /// Who is slowed down is told that what was put off is refused.
    LaterIsFinal,
    /// Nobody is slowed down.
    NoAllowance,
    /// The store says that it has kept something before it has.
    HastyStore,
    /// The stores of clients say that they have kept something before they have.
    HastyDisks,
    /// The stores of clients do not keep what was shown.
    ForgetfulDisks,
    /// The channel opens a login again.
    OpenReplays,
    /// The channel opens what was changed on the way.
    OpenForgeries,
    /// The channel seals two frames under one nonce.
    ReuseNonces,
    /// The channel opens a frame under the number behind its own, too.
    OpenOffByOne,
    /// The channel does not seal at all.
    SealNothing,
    /// Whoever answers in the server's place is taken for it.
    TrustAnyServer,
    /// A client tries only the first of the server's addresses.
    TryOneAddress,
    /// Whoever says that a session is unknown is believed.
    BelieveResets,
    /// Messages expire too soon.
    ExpireMessagesEarly,
    /// Messages never expire.
    KeepMessages,
    /// Nobody hears that a message has expired.
    ForgetExpired,
}

impl Fault {
    /// The worlds in which to look for it.
    #[must_use]
    pub fn worlds(self) -> Wanted {
        let secrecy = match self {
            // They are faults of the test channel, or of any, and only an attacker makes use of them.
            Self::OpenReplays | Self::OpenForgeries | Self::OpenOffByOne => {
                Some(Secrecy::QuickAttacked)
            }
            Self::ReuseNonces | Self::SealNothing | Self::TrustAnyServer | Self::BelieveResets => {
                None
            }
            // They have nothing to do with the channel, and more worlds a second have the quick one.
            _ => Some(Secrecy::Quick),
        };
        Wanted {
            secrecy,
            ..Wanted::default()
        }
    }
}

/// A fault in a world.
#[derive(Debug)]
pub struct Planted {
    fault: Fault,
    fired: bool,
    held: Option<(ClientId, Event)>,
}

impl Planted {
    /// A fault that waits for its first chance.
    #[must_use]
    pub const fn new(fault: Fault) -> Self {
        Self {
            fault,
            fired: false,
            held: None,
        }
    }

    /// Gives the server other settings than were promised.
    pub fn misconfigure(&self, config: &mut Config) {
        match self.fault {
            Fault::GuessOnceMore => config.lockout.attempts_max += 1,
            Fault::ExpireLate => config.timeout += std::time::Duration::from_secs(10),
            Fault::NeverExpireQuestions => config.question_expiry *= 1_000,
            Fault::SmallMailboxes => config.mailbox.messages = 1,
            Fault::ExpireEarly => config.timeout = config.heartbeat_interval / 2,
            Fault::BoundlessMailboxes => config.mailbox.messages = usize::MAX,
            Fault::ExpireMessagesEarly => config.mailbox.age /= 4,
            Fault::KeepMessages => config.mailbox.age *= 1_000,
            Fault::NoAllowance => config.allowance.operations.burst = u32::MAX,
            Fault::RunInCircles => config.heartbeat_interval /= 50,
            _ => {}
        }
    }

    /// Makes bad what a world has beside its machines.
    pub fn tamper(&self, world: &mut World) {
        match self.fault {
            Fault::HastyStore => world.store.honesty = Honesty::Hasty,
            Fault::HastyDisks => world.disks = Honesty::Hasty,
            Fault::ForgetfulDisks => world.disks = Honesty::Forgetful,
            Fault::OpenReplays => world.weaken_channel(Weakness::Replays),
            Fault::OpenForgeries => world.weaken_channel(Weakness::Forgeries),
            Fault::ReuseNonces => world.flaw_channel(|_| Flaw::ReusedNonces),
            Fault::OpenOffByOne => world.flaw_channel(|_| Flaw::NumbersOffByOne),
            Fault::SealNothing => world.flaw_channel(|_| Flaw::NoSeal),
            Fault::TrustAnyServer => world.flaw_channel(Flaw::AnybodyIs),
            Fault::TryOneAddress => world.limit_addresses(1),
            Fault::BelieveResets => world.deceive_clients(Credulity::Resets),
            _ => {}
        }
    }

    /// Has something else happen than what did.
    #[must_use]
    pub fn distort(&mut self, observed: Vec<Observed>) -> Vec<Observed> {
        let mut distorted = Vec::with_capacity(observed.len());
        for mut one in observed {
            let at = one.at;
            let added = self.distort_one(&mut one.what);
            let is_dropped = self.drops(&one.what);
            distorted.extend((!is_dropped).then_some(one));
            distorted.extend(added.map(|what| Observed { at, what }));
        }
        distorted
    }

    /// Whether something is not seen to happen.
    fn drops(&mut self, what: &Observation) -> bool {
        match (self.fault, what) {
            (Fault::ForgetEverything, Observation::ServerCrashed | Observation::ServerStarted) => {
                true
            }
            (Fault::ShowBlocked, Observation::Wished { command, .. }) => {
                matches!(
                    command,
                    simplechat_core::client::command::Command::Unblock { .. }
                )
            }
            (Fault::ShowBlocked, Observation::Told { event, .. }) => matches!(
                event,
                Event::Outcome {
                    operation: Operation::Unblock { .. },
                    ..
                }
            ),
            (Fault::AcknowledgeUnread, Observation::Read { .. }) => true,
            (
                Fault::NoFinalWord,
                Observation::Told {
                    event: Event::Outcome { .. },
                    ..
                },
            ) => !std::mem::replace(&mut self.fired, true),
            _ => false,
        }
    }

    /// Changes what happens, and gives what happens after it.
    fn distort_one(&mut self, what: &mut Observation) -> Option<Observation> {
        match what {
            Observation::Shown {
                client,
                events,
                effect,
            } => {
                self.distort_events(*client, events);
                let is_first = self.fault == Fault::ShowToAnother
                    && events.iter().any(is_message)
                    && !self.fired;
                self.fired |= is_first;
                is_first.then(|| Observation::Shown {
                    client: neighbour(*client),
                    effect: *effect,
                    events: events.clone(),
                })
            }
            Observation::Told { client, event } => self.distort_told(*client, event),
            Observation::Wished { client, .. }
                if self.fault == Fault::DialAnybody && !self.fired =>
            {
                self.fired = true;
                Some(Observation::Dialled {
                    from: client.host(),
                    to: Some(neighbour(*client).host()),
                })
            }
            _ => None,
        }
    }

    fn distort_told(&mut self, client: ClientId, event: &mut Event) -> Option<Observation> {
        match (self.fault, &mut *event) {
            (Fault::TwoFinalWords, Event::Outcome { .. }) if !self.fired => {
                self.fired = true;
                let event = event.clone();
                return Some(Observation::Told { client, event });
            }
            (
                Fault::FalseDelivery,
                Event::Outcome {
                    operation: Operation::Message { .. },
                    outcome,
                    ..
                },
            ) => {
                if matches!(outcome, Outcome::Refused(_)) {
                    *outcome = Outcome::Delivered;
                }
            }
            (Fault::LaterIsFinal, Event::Session(SessionEvent::Slowed)) => self.fired = true,
            (Fault::LaterIsFinal, Event::Outcome { outcome, .. }) if self.fired => {
                *outcome = Outcome::Refused(Refusal::Later { milliseconds: 100 });
            }
            (Fault::FalseRefusal, Event::Outcome { outcome, .. })
                if *outcome == Outcome::Delivered =>
            {
                *outcome = Outcome::Refused(Refusal::MailboxFull);
            }
            (Fault::ListAnybody, Event::Online { users }) => {
                users.push("alice".parse().expect("a name"));
                users.push("bob".parse().expect("a name"));
                users.push("carol".parse().expect("a name"));
            }
            _ => {}
        }
        None
    }

    fn distort_events(&mut self, client: ClientId, events: &mut Vec<Event>) {
        if self.fault == Fault::ForgetExpired {
            events.retain(|event| !matches!(event, Event::Message(MessageEvent::Expired { .. })));
        }
        if let Some(event) = self.held.take_if(|(holder, _)| *holder == client) {
            events.push(event.1);
            return;
        }
        let place = events.iter().position(|event| self.is_target(event));
        let Some(place) = place.filter(|_| !self.fired) else {
            return;
        };
        self.fired = true;
        match self.fault {
            Fault::ShowTwice => events.push(events[place].clone()),
            Fault::Overtake => self.held = Some((client, events.remove(place))),
            Fault::Swallow => drop(events.remove(place)),
            Fault::Impersonate => {
                if let Event::Message(
                    MessageEvent::Message { from, .. } | MessageEvent::Private { from, .. },
                ) = &mut events[place]
                {
                    *from = another(*from);
                }
            }
            Fault::Garble => {
                if let Event::Message(
                    MessageEvent::Message { text, .. } | MessageEvent::Private { text, .. },
                ) = &mut events[place]
                {
                    *text = format!("{}!", text.as_str()).parse().expect("it is short");
                }
            }
            Fault::VerifyAnybody => {
                if let Event::Message(MessageEvent::Private { verification, .. }) =
                    &mut events[place]
                {
                    *verification = Verification::Verified;
                }
            }
            Fault::TakeQuestionForYes => {
                if let Event::Peer(PeerEvent::AddressAsked { by, .. }) = events[place] {
                    events[place] = PeerEvent::Introduced {
                        peer: by,
                        term: Term::UntilLogout,
                    }
                    .into();
                }
            }
            Fault::FalsePresence => {
                if let Event::Presence { presence, .. } = &mut events[place] {
                    *presence = Presence::Offline;
                }
            }
            _ => {}
        }
    }

    fn is_target(&self, event: &Event) -> bool {
        match self.fault {
            Fault::ShowTwice
            | Fault::Overtake
            | Fault::Swallow
            | Fault::Impersonate
            | Fault::Garble => is_message(event),
            Fault::VerifyAnybody => matches!(
                event,
                Event::Message(MessageEvent::Private {
                    verification: Verification::Unverified,
                    ..
                })
            ),
            Fault::TakeQuestionForYes => {
                matches!(event, Event::Peer(PeerEvent::AddressAsked { .. }))
            }
            Fault::FalsePresence => matches!(
                event,
                Event::Presence {
                    presence: Presence::Online,
                    ..
                }
            ),
            _ => false,
        }
    }
}

const fn is_message(event: &Event) -> bool {
    matches!(
        event,
        Event::Message(MessageEvent::Message { .. } | MessageEvent::Private { .. })
    )
}

fn another(name: Name) -> Name {
    let other = if name.as_str() == "alice" {
        "bob"
    } else {
        "alice"
    };
    other.parse().expect("a name")
}

/// Another client: the first one, or the one behind it.
fn neighbour(client: ClientId) -> ClientId {
    let place = client.host().0;
    let other = if place == 1 { 2 } else { 1 };
    ClientId::at(crate::net::HostId(other)).unwrap_or(client)
}
