//! The commands: their words, what follows them, and how they are explained. One table for all of it.

use std::fmt::Write as _;

use crate::nearest::nearest;

/// What a line can start with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "the table below says what each does")]
pub enum Command {
    Message,
    Broadcast,
    Private,
    Why,
    History,
    Search,
    Export,
    Forget,
    Block,
    Unblock,
    Online,
    GetAddress,
    RemoveAddress,
    AddressBook,
    Verify,
    Accept,
    Deny,
    Help,
    Login,
    Logout,
}

struct Entry {
    command: Command,
    word: &'static str,
    /// What follows the word, as it is shown to people.
    arguments: &'static str,
    /// Half a line for the list.
    summary: &'static str,
    /// A few lines for those who ask, none longer than fits a narrow terminal.
    details: &'static str,
}

const TABLE: [Entry; 20] = [
    Entry {
        command: Command::Message,
        word: "message",
        arguments: "USER TEXT",
        summary: "tell USER something",
        details: "\
The server passes it on. If USER is away it is kept until their next login.
You are told which of the two happened, or why it was refused.",
    },
    Entry {
        command: Command::Broadcast,
        word: "broadcast",
        arguments: "TEXT",
        summary: "tell everybody online something",
        details: "\
It goes to all who are online now, except those who have blocked you.",
    },
    Entry {
        command: Command::Private,
        word: "private",
        arguments: "USER TEXT",
        summary: "tell somebody in your address book, directly",
        details: "\
It goes straight to USER without passing through the server, and works while
the server is away. USER has to be in your address book: see getaddress. For
USER who is away it waits here, and if the entry is for always (see accept) at
the server too, sealed so that only USER can read it.",
    },
    Entry {
        command: Command::Why,
        word: "why",
        arguments: "[NUMBER]",
        summary: "what became of your message, and why",
        details: "\
Your messages have numbers: 1 is the first one since this client was started.
Without a number it is about the last one. You see each attempt to send it,
which way it went, what came of that, and when it is tried again.",
    },
    Entry {
        command: Command::History,
        word: "history",
        arguments: "[USER] [N]",
        summary: "show the last messages again",
        details: "\
The last 20, or N, of all or of those to and by USER. What you wrote is there
as you > USER, with where it stands unless it was delivered.",
    },
    Entry {
        command: Command::Search,
        word: "search",
        arguments: "WORDS",
        summary: "find messages with all these words",
        details: "\
The newest come first, each with the message before and the one after it.
The start of a word is enough; case and accents do not matter. --user USER
leaves only those by or to USER, --since 2027-01-31 those from that day on.",
    },
    Entry {
        command: Command::Export,
        word: "export",
        arguments: "[USER] text|json FILE",
        summary: "write your messages to a new file",
        details: "\
All messages, or those to and by USER: text is as you see it here, json has an
object on each line. Others on this machine cannot read the file.",
    },
    Entry {
        command: Command::Forget,
        word: "forget",
        arguments: "USER|DATE|all",
        summary: "erase messages from this machine",
        details: "\
Those by and to USER, or those from before a day such as 2027-01-31, or all.
They are gone from the file too, here and nowhere else. What waits to be sent
stays until it is, and your address book stays too.",
    },
    Entry {
        command: Command::Block,
        word: "block",
        arguments: "USER",
        summary: "hear nothing from USER, and hide from them",
        details: "\
Nothing that USER writes or asks reaches you, and you look offline to USER.
You leave each other's address books. What you had not received from USER yet
is dropped. You can still write to USER.",
    },
    Entry {
        command: Command::Unblock,
        word: "unblock",
        arguments: "USER",
        summary: "take a block back",
        details: "\
USER can write to you and see you again. What was dropped stays lost.",
    },
    Entry {
        command: Command::Online,
        word: "online",
        arguments: "",
        summary: "list who is online",
        details: "\
Those who have blocked you are not listed.",
    },
    Entry {
        command: Command::GetAddress,
        word: "getaddress",
        arguments: "USER [always]",
        summary: "ask USER to exchange addresses",
        details: "\
USER is asked, and if they say yes each of you enters the other's address
book. From then on private messages can go between you, until one of you logs
out. If both of you say always, you stay there until one of you removes or
blocks the other.",
    },
    Entry {
        command: Command::RemoveAddress,
        word: "removeaddress",
        arguments: "USER",
        summary: "leave each other's address books",
        details: "\
Afterwards neither of you can send the other private messages.",
    },
    Entry {
        command: Command::AddressBook,
        word: "addressbook",
        arguments: "",
        summary: "list who is in your address book",
        details: "\
Those are the people to whom private messages can go.",
    },
    Entry {
        command: Command::Verify,
        word: "verify",
        arguments: "USER [ok]",
        summary: "see that nobody is between you and USER",
        details: "\
It shows a safety code, 60 digits. USER sees the same with verify and your
name: compare them by voice or in person. If all are the same, verify USER ok
marks USER as verified, until their key changes.",
    },
    Entry {
        command: Command::Accept,
        word: "accept",
        arguments: "USER [always]",
        summary: "say yes to USER, who asked for your address",
        details: "\
Each of you enters the other's address book until one of you logs out, or, if
both of you said always, until one of you ends it. If only one question is
open, y or yes alone on the line says yes until a logout.",
    },
    Entry {
        command: Command::Deny,
        word: "deny",
        arguments: "USER",
        summary: "say no to USER, who asked for your address",
        details: "\
USER is told so. If only one question is open, n or no alone on the line does
the same.",
    },
    Entry {
        command: Command::Help,
        word: "help",
        arguments: "[COMMAND]",
        summary: "this list, or how one command is used",
        details: "\
A slash before a command, as in /help, changes nothing.",
    },
    Entry {
        command: Command::Login,
        word: "login",
        arguments: "",
        summary: "give your password again, when asked for it",
        details: "\
It asks after a long absence, or when your password was changed. What you have
written meanwhile waits, and private messages go on without it.",
    },
    Entry {
        command: Command::Logout,
        word: "logout",
        arguments: "",
        summary: "leave the chat",
        details: "\
What still waits is sent, then the server and the people in your address book
are told that you leave.",
    },
];

/// What the list of commands says of the two words that are none.
const ANSWERS: (&str, &str) = ("y, n", "say yes or no to the only question that is open");

/// What people who know other programs type.
const HABITS: [(&str, Command); 23] = [
    ("msg", Command::Message),
    ("tell", Command::Message),
    ("say", Command::Message),
    ("send", Command::Message),
    ("all", Command::Broadcast),
    ("everyone", Command::Broadcast),
    ("dm", Command::Private),
    ("pm", Command::Private),
    ("whisper", Command::Private),
    ("ignore", Command::Block),
    ("who", Command::Online),
    ("users", Command::Online),
    ("list", Command::Online),
    ("contacts", Command::AddressBook),
    ("log", Command::History),
    ("last", Command::History),
    ("find", Command::Search),
    ("grep", Command::Search),
    ("save", Command::Export),
    ("?", Command::Help),
    ("quit", Command::Logout),
    ("exit", Command::Logout),
    ("bye", Command::Logout),
];

impl Command {
    /// All of them, in the order in which they are explained.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|entry| entry.command)
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.entry().word
    }

    /// How it is typed: the word with the names of what follows it.
    #[must_use]
    pub fn usage(self) -> String {
        let Entry {
            word, arguments, ..
        } = self.entry();
        if arguments.is_empty() {
            (*word).into()
        } else {
            format!("{word} {arguments}")
        }
    }

    /// The command with that word, in any case.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::all().find(|command| command.word().eq_ignore_ascii_case(word))
    }

    /// What somebody who typed an unknown word may have meant.
    #[must_use]
    pub fn nearest(word: &str) -> Option<Self> {
        let habit = HABITS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word))
            .map(|(_, command)| *command);
        habit.or_else(|| nearest(word, Self::all().map(Self::word)).and_then(Self::from_word))
    }

    fn entry(self) -> &'static Entry {
        TABLE
            .iter()
            .find(|entry| entry.command == self)
            .expect("the table has every command")
    }
}

/// The list of all commands, a line for each.
#[must_use]
pub fn help() -> String {
    let rows = || {
        TABLE
            .iter()
            .map(|entry| (entry.command.usage(), entry.summary))
            .chain([(ANSWERS.0.into(), ANSWERS.1)])
    };
    let width = rows().map(|(usage, _)| usage.len()).max().unwrap_or(0);
    let mut help = String::from("Commands, with or without a slash before them:");
    for (usage, summary) in rows() {
        let _ = write!(help, "\n  {usage:width$}  {summary}");
    }
    help
}

/// How one command is used.
#[must_use]
pub fn help_for(command: Command) -> String {
    let entry = command.entry();
    let usage = command.usage();
    let mut help = format!("{usage}: {}.", entry.summary);
    for line in entry.details.lines() {
        let _ = write!(help, "\n  {line}");
    }
    help
}
