//! The tap: where a recorder, if there is one, is told what the machine gets above the channel and gives before sealing.
//! Without one it costs a look at an `Option`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::record::Record;
use super::recording::{Act, CredentialsNumbers, Entry, Fact, Recorder, Saying, Texts, Wish};
use super::{Command, Effect, Output};
use crate::machine::ConnId;
use crate::time::Moment;

/// Where the machine can be listened to.
#[derive(Debug, Default)]
pub(super) struct Tap {
    listener: Option<Listener>,
}

#[derive(Debug)]
struct Listener {
    texts: Texts,
    to: To,
}

#[derive(Debug)]
enum To {
    Recorder(Box<dyn Recorder>, CredentialsNumbers),
    /// A replay, which looks at the acts and knows the facts.
    Replay(Vec<Act>),
}

impl Tap {
    pub(super) const fn recording(
        texts: Texts,
        recorder: Box<dyn Recorder>,
        numbers: CredentialsNumbers,
    ) -> Self {
        let to = To::Recorder(recorder, numbers);
        Self {
            listener: Some(Listener { texts, to }),
        }
    }

    pub(super) const fn replaying(texts: Texts) -> Self {
        let to = To::Replay(Vec::new());
        Self {
            listener: Some(Listener { texts, to }),
        }
    }

    /// What the machine gave since the last time, for a replay.
    pub(super) fn take_acts(&mut self) -> Vec<Act> {
        match &mut self.listener {
            Some(Listener {
                to: To::Replay(acts),
                ..
            }) => core::mem::take(acts),
            Some(_) | None => Vec::new(),
        }
    }

    pub(super) fn fact(&mut self, now: Moment, fact: impl FnOnce(Texts) -> Fact) {
        if let Some(listener) = &self.listener {
            let fact = fact(listener.texts);
            self.note(Entry::Fact(now, fact));
        }
    }

    pub(super) fn command(&mut self, now: Moment, command: &Command) {
        let Some(Listener {
            to: To::Recorder(_, numbers),
            ..
        }) = &mut self.listener
        else {
            return;
        };
        let wish = match command {
            Command::Shutdown => Wish::Shutdown,
            Command::ShutdownNow => Wish::ShutdownNow,
            Command::Reload { accounts, missing } => Wish::Reload {
                accounts: accounts
                    .iter()
                    .map(|entry| numbers.record(*entry))
                    .collect(),
                missing: *missing,
            },
        };
        self.note(Entry::Fact(now, Fact::Command(wish)));
    }

    /// What is said of a sending, to be handed to [`super::Server::send`]; taken before the payload is sealed.
    pub(super) fn saying(&self, saying: impl FnOnce(Texts) -> Saying) -> Option<Saying> {
        self.listener.as_ref().map(|it| saying(it.texts))
    }

    pub(super) fn say(&mut self, conn: ConnId, saying: Option<Saying>) {
        if let Some(saying) = saying {
            self.note(Entry::Act(Act::Say { conn, saying }));
        }
    }

    pub(super) fn act(&mut self, act: impl FnOnce() -> Act) {
        if self.listener.is_some() {
            let act = act();
            self.note(Entry::Act(act));
        }
    }

    pub(super) fn output(&mut self, output: &Output) {
        if self.listener.is_none() {
            return;
        }
        let act = match output {
            // Of the first two more is known where they are made. How long a connection may last shows in what comes of it.
            Output::Connect { .. } | Output::Send { .. } | Output::Keep { .. } => return,
            Output::Close { conn } => Act::Close { conn: *conn },
            Output::Effect(Effect::CheckPassword { id, name, .. }) => Act::CheckPassword {
                id: *id,
                name: *name,
            },
            Output::Effect(Effect::Store { id, records }) => {
                for record in records {
                    self.keep(record);
                }
                Act::Store { id: *id }
            }
            Output::Event(event) => Act::Event(event.clone()),
            Output::Stop => Act::Stop,
        };
        self.note(Entry::Act(act));
    }

    /// A record that an earlier server left.
    pub(super) fn restored(&mut self, record: &Record) {
        if let Some(listener) = &self.listener {
            let record = record.redacted(listener.texts);
            self.note(Entry::Restored(record));
        }
    }

    fn keep(&mut self, record: &Record) {
        if let Some(listener) = &self.listener {
            let record = record.redacted(listener.texts);
            self.note(Entry::Act(Act::Keep(record)));
        }
    }

    fn note(&mut self, entry: Entry) {
        let Some(listener) = &mut self.listener else {
            return;
        };
        match (&mut listener.to, entry) {
            (To::Recorder(recorder, _), entry) => {
                if recorder.note(&entry).is_break() {
                    self.listener = None;
                }
            }
            (To::Replay(acts), Entry::Act(act)) => acts.push(act),
            (To::Replay(_), Entry::Restored(_) | Entry::Fact(..) | Entry::End(_)) => {}
        }
    }
}
