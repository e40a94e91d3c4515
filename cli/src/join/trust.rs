//! Whether the key that a server shows is believed, before anything secret is sent to it.
//!
//! As in SSH: the first key of a place is believed when a person says so, or when its fingerprint came with the place; then
//! it is remembered, and another key at that place is refused until the first one was forgotten. What is decided here is
//! decided from values; [`Trust::settle`] looks them up, asks and remembers.

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Zoned;
use simplechat_core::key::{Fingerprint, PublicKey, StaticKey};
use simplechat_core::name::Name;

use crate::args::Join;
use crate::data::{DataDirectory, DataError, Known, KnownServers, Part, client_key, client_store};
use crate::entropy::OsSecrets;
use crate::exit::{Exit, Failure};
use crate::place::{Invitation, Place};
use crate::settings::JoinSettings;

/// A server is not trusted, and what is said of that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Untrusted {
    /// The user means one with another key, which may be at another address.
    OtherKey(Failure),
    /// Nothing says that it is the one that the user means.
    Unknown(Failure),
}

impl From<DataError> for Untrusted {
    fn from(error: DataError) -> Self {
        Self::Unknown(failed(error))
    }
}

/// What is asked after the question.
const PROMPT: &str = "Trust this server from now on? (yes/no) ";

/// What to do about a server that nothing is known of, with nobody there to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NewServers {
    /// Trust it as far as that is safe: `--accept-new`.
    Accept,
    Refuse,
}

/// Where the server is, as seen from this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reach {
    ThisMachine,
    Beyond,
}

impl Reach {
    fn of(server: SocketAddr) -> Self {
        if server.ip().to_canonical().is_loopback() {
            Self::ThisMachine
        } else {
            Self::Beyond
        }
    }
}

/// Shows a question and a prompt to the person, and gives the answer, if there is any.
pub(super) type Ask<'a> = &'a mut dyn FnMut(&str, &str) -> Option<String>;

/// Who could answer a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Audience {
    Person,
    Nobody,
}

/// All that matters for the decision.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Case {
    place: Place,
    /// The key that the server shows now.
    shown: PublicKey,
    /// The fingerprint that the user gave.
    given: Option<Fingerprint>,
    known: Known,
    new_servers: NewServers,
    reach: Reach,
    audience: Audience,
    /// The file with the known servers, to say where it is.
    file: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Decision {
    Trust,
    TrustAndRemember,
    Ask,
    Refuse(Refusal),
}

/// Why a server is not trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    /// It is not the one whose fingerprint was given.
    NotAsGiven(Fingerprint),
    /// It had another key before.
    Changed(Fingerprint),
    /// Nothing is known of it, and nobody can be asked.
    Unknown,
    /// Neither, and `--accept-new` does not go so far.
    AcceptNewBeyond,
    /// The person did not say yes.
    Declined,
}

impl Case {
    fn decide(&self) -> Decision {
        if let Some(given) = self.given
            && given != self.shown.fingerprint()
        {
            return Decision::Refuse(Refusal::NotAsGiven(given));
        }
        match (self.known, self.given) {
            (Known::Same, _) => Decision::Trust,
            // Also if the new key was given: whoever sent a false line to join with would otherwise need nothing more.
            (Known::Changed(before), _) => Decision::Refuse(Refusal::Changed(before.fingerprint())),
            (Known::Unknown, Some(_)) => Decision::TrustAndRemember,
            (Known::Unknown, None) => self.decide_on_new(),
        }
    }

    fn decide_on_new(&self) -> Decision {
        match (self.new_servers, self.reach, self.audience) {
            (NewServers::Accept, Reach::ThisMachine, _) => Decision::TrustAndRemember,
            (_, _, Audience::Person) => Decision::Ask,
            (NewServers::Accept, Reach::Beyond, Audience::Nobody) => {
                Decision::Refuse(Refusal::AcceptNewBeyond)
            }
            (NewServers::Refuse, _, Audience::Nobody) => Decision::Refuse(Refusal::Unknown),
        }
    }

    /// What a person should know who is asked.
    fn question(&self) -> String {
        let (place, shown) = (&self.place, self.shown.fingerprint());
        format!(
            "You have not joined the server at {place} from here before.\n\
             The fingerprint of its key is\n\n    {shown}\n\n\
             Compare it with the one that the server's operator tells you. If you do not, somebody\n\
             on the way could be in the server's place, and would get your password."
        )
    }

    fn refuse(&self, refusal: Refusal) -> Untrusted {
        let failure = Failure::new(Exit::Untrusted, self.explain(refusal));
        match refusal {
            Refusal::NotAsGiven(_) | Refusal::Changed(_) => Untrusted::OtherKey(failure),
            Refusal::Unknown | Refusal::AcceptNewBeyond | Refusal::Declined => {
                Untrusted::Unknown(failure)
            }
        }
    }

    fn explain(&self, refusal: Refusal) -> String {
        let (place, shown) = (&self.place, self.shown.fingerprint());
        let pass_it = format!(
            "The fingerprint of its key is\n    {shown}\n\
             If that is what the server's operator tells you, join with\n    simplechat join {place}#{shown}"
        );
        match refusal {
            Refusal::NotAsGiven(given) => format!(
                "the server at {place} does not have the key that you gave, so it got no password.\n\
                 \x20   given  {given}\n    shown  {shown}\n\
                 Either that is the fingerprint of another server, or somebody is in the server's place.\n\
                 Ask the server's operator."
            ),
            Refusal::Changed(before) => format!(
                "the server at {place} has another key than before, so it got no password.\n\
                 \x20   before  {before}\n    now     {shown}{}\n\
                 Either somebody is in the server's place, to get at your password, or the server was set up anew.\n\
                 Ask the server's operator, by another way than this server. If the new fingerprint is right,\n\
                 forget the old one (a line in {}),\n\
                 and join again:\n    simplechat known forget {place}",
                if self.given.is_some() {
                    "  (as you gave it)"
                } else {
                    ""
                },
                self.file.display()
            ),
            Refusal::Unknown => format!(
                "the server at {place} is not known here, and nobody can be asked, so it got no password.\n{pass_it}"
            ),
            Refusal::AcceptNewBeyond => format!(
                "the server at {place} is not known here, so it got no password. --accept-new alone trusts new\n\
                 servers on this machine only: on the way to another one somebody could be in its place.\n{pass_it}\n\
                 or give --server-key {shown}"
            ),
            Refusal::Declined => {
                format!("the server at {place} is not trusted, so it got no password")
            }
        }
    }
}

/// What the user has said, and what is remembered, about the server to join.
#[derive(Debug)]
pub(super) struct Trust {
    place: Place,
    given: Option<Fingerprint>,
    new_servers: NewServers,
    directory: DataDirectory,
    known_servers: KnownServers,
}

impl Trust {
    /// Takes it from the command line, and opens the data directory.
    pub(super) fn new(args: &Join, settings: &JoinSettings) -> Result<Self, Failure> {
        let invitation = args.server.parse();
        let Invitation { place, fingerprint } =
            invitation.map_err(|error| Failure::new(Exit::Usage, error))?;
        if fingerprint.is_some() && args.server_key.is_some() && fingerprint != args.server_key {
            return Err(Failure::new(
                Exit::Usage,
                "the fingerprint behind the # and the one of --server-key are not the same: give one of them",
            ));
        }
        let directory = Part::Client
            .path(settings.data.as_deref())
            .and_then(|path| DataDirectory::make(&path))
            .map_err(failed)?;
        Ok(Self {
            place,
            given: fingerprint.or(args.server_key),
            new_servers: if args.accept_new {
                NewServers::Accept
            } else {
                NewServers::Refuse
            },
            known_servers: KnownServers::of(&directory),
            directory,
        })
    }

    /// What this device is known by to a server that is trusted.
    pub(super) fn own_key(&self, server: &PublicKey, user: Name) -> Result<StaticKey, Failure> {
        client_key(&self.directory, server, user, &mut OsSecrets).map_err(failed)
    }

    /// The key of the server, if it was seen before, and what belongs to it is kept here: of several the first of which
    /// something is.
    pub(super) fn known_key(&self, user: Name) -> Option<PublicKey> {
        // What is wrong with the file is said when the server is judged.
        let known = self.known_servers.list().unwrap_or_default();
        let keys = known.iter().filter(|server| server.place == self.place);
        keys.map(|server| server.key)
            .find(|key| self.store(key, user).exists())
    }

    /// Where what this device keeps for an account at a server is.
    pub(super) fn store(&self, server: &PublicKey, user: Name) -> PathBuf {
        client_store(&self.directory, server, user)
    }

    /// Where the server is.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether to go on with the server at this address, which shows this key. `ask` is there if a person is.
    pub(super) fn settle(
        &self,
        shown: PublicKey,
        server: SocketAddr,
        ask: Option<Ask<'_>>,
    ) -> Result<(), Untrusted> {
        let known = self.known_servers.look_up(&self.place, &shown)?;
        let case = Case {
            place: self.place.clone(),
            shown,
            given: self.given,
            known,
            new_servers: self.new_servers,
            reach: Reach::of(server),
            audience: match ask {
                Some(_) => Audience::Person,
                None => Audience::Nobody,
            },
            file: self.known_servers.path(),
        };
        match case.decide() {
            Decision::Trust => Ok(()),
            Decision::TrustAndRemember => self.remember(&case),
            Decision::Ask if ask.is_some_and(|ask| says_yes(&case.question(), ask)) => {
                self.remember(&case)
            }
            Decision::Ask => Err(case.refuse(Refusal::Declined)),
            Decision::Refuse(refusal) => Err(case.refuse(refusal)),
        }
    }

    fn remember(&self, case: &Case) -> Result<(), Untrusted> {
        let today = Zoned::now().date();
        let remembered = self
            .known_servers
            .remember(&case.place, &case.shown, today)?;
        match remembered {
            // Another client may have been faster, and have seen something else.
            Known::Changed(before) => Err(case.refuse(Refusal::Changed(before.fingerprint()))),
            Known::Same | Known::Unknown => Ok(()),
        }
    }
}

/// Asks until the answer is a whole yes or no: what somebody types without reading is no answer.
fn says_yes(question: &str, ask: Ask<'_>) -> bool {
    let mut said = question;
    loop {
        let Some(answer) = ask(said, PROMPT) else {
            return false;
        };
        match answer.trim().to_ascii_lowercase().as_str() {
            "yes" => return true,
            "no" => return false,
            _ => said = "Type yes or no, in full.",
        }
    }
}

fn failed(error: DataError) -> Failure {
    Failure::new(Exit::Failed, error)
}

#[cfg(test)]
mod tests;
