//! Tests of the grammar of what people type.

use std::num::NonZero;

use proptest::prelude::*;
use simplechat_core::limits::TEXT_LEN_MAX;

use super::*;
use crate::clean::clean_line;

fn line(typed: &str) -> Line {
    parse(typed).unwrap().unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn text(text: &str) -> Text {
    text.parse().unwrap()
}

#[test]
#[allow(clippy::too_many_lines, reason = "a row for each command")]
fn every_command_is_read() {
    let user = name("bob");
    assert_eq!(
        [
            line("message bob hi"),
            line("broadcast hi all"),
            line("private bob hi"),
            line("why"),
            line("why 3"),
            line("history"),
            line("history 5"),
            line("history bob"),
            line("history 5 5"),
            line("search two words --user bob --since 2027-01-31"),
            line("export text my messages.txt"),
            line("export bob json x"),
            line("forget bob"),
            line("forget 2027-01-31"),
            line("forget all"),
            line("block bob"),
            line("unblock bob"),
            line("online"),
            line("getaddress bob"),
            line("getaddress bob Always"),
            line("removeaddress bob"),
            line("addressbook"),
            line("verify bob"),
            line("verify bob ok"),
            line("accept bob"),
            line("accept bob always"),
            line("deny bob"),
            line("help"),
            line("help block"),
            line("login"),
            line("logout"),
        ],
        [
            Line::Message {
                to: user,
                text: text("hi")
            },
            Line::Broadcast {
                text: text("hi all")
            },
            Line::Private {
                to: user,
                text: text("hi")
            },
            Line::Why { message: None },
            Line::Why {
                message: Some(MessageNumber(3))
            },
            Line::Past(Past::History {
                user: None,
                count: None
            }),
            Line::Past(Past::History {
                user: None,
                count: NonZero::new(5)
            }),
            Line::Past(Past::History {
                user: Some(user),
                count: None
            }),
            Line::Past(Past::History {
                user: Some(name("5")),
                count: NonZero::new(5)
            }),
            Line::Past(Past::Search {
                words: "two words".into(),
                user: Some(user),
                since: Some(jiff::civil::date(2027, 1, 31))
            }),
            Line::Past(Past::Export {
                user: None,
                format: Format::Text,
                file: "my messages.txt".into()
            }),
            Line::Past(Past::Export {
                user: Some(user),
                format: Format::Json,
                file: "x".into()
            }),
            Line::Past(Past::Forget {
                what: Part::User(user)
            }),
            Line::Past(Past::Forget {
                what: Part::Before(jiff::civil::date(2027, 1, 31))
            }),
            Line::Past(Past::Forget { what: Part::All }),
            Line::Block { user },
            Line::Unblock { user },
            Line::Online,
            Line::GetAddress {
                user,
                term: Term::UntilLogout
            },
            Line::GetAddress {
                user,
                term: Term::Lasting
            },
            Line::RemoveAddress { user },
            Line::AddressBook,
            Line::Verify { user },
            Line::MarkVerified { user },
            Line::Accept {
                user,
                term: Term::UntilLogout
            },
            Line::Accept {
                user,
                term: Term::Lasting
            },
            Line::Deny { user },
            Line::Help { topic: None },
            Line::Help {
                topic: Some(Command::Block)
            },
            Line::Login,
            Line::Logout,
        ]
    );
}

#[test]
fn case_slashes_and_blanks_do_not_matter() {
    for typed in ["/online", "ONLINE", "  /Online\t", "online\r\n"] {
        assert_eq!(line(typed), Line::Online);
    }
    for typed in ["/block bob", "Block  BOB ", "\tblock\tbob"] {
        assert_eq!(line(typed), Line::Block { user: name("bob") });
    }
    for typed in ["help /block", "/help BLOCK"] {
        let topic = Some(Command::Block);
        assert_eq!(line(typed), Line::Help { topic });
    }
    for typed in ["/verify bob OK", "Verify  Bob\tok "] {
        let user = name("bob");
        assert_eq!(line(typed), Line::MarkVerified { user });
    }
    for typed in ["", " ", "\t\r\n", "\u{a0}"] {
        assert_eq!(parse(typed), Ok(None));
    }
}

#[test]
fn a_text_keeps_its_inner_blanks() {
    let to = name("bob");
    assert_eq!(
        line(" message  Bob \t  two  blanks,\ttab  "),
        Line::Message {
            to,
            text: text("two  blanks,\ttab")
        }
    );
    assert_eq!(
        line("broadcast /online"),
        Line::Broadcast {
            text: text("/online")
        }
    );
}

#[test]
fn bare_answers_are_read() {
    for typed in ["y", "Y", "yes", "YES", " /yes "] {
        assert_eq!(line(typed), Line::Yes);
    }
    for typed in ["n", "N", "no", "No"] {
        assert_eq!(line(typed), Line::No);
    }
    let topic = Some(Command::Accept);
    assert_eq!(line("help y"), Line::Help { topic });
}

#[test]
fn the_table_is_complete() {
    let commands: std::collections::BTreeSet<_> = Command::all().collect();
    assert_eq!(commands.len(), Command::all().len());
    assert_eq!(commands.last(), Some(&Command::Logout));
    assert_eq!(commands.len(), Command::Logout as usize + 1);
}

#[test]
fn the_help_fits_a_narrow_terminal() {
    insta::assert_snapshot!(help(), @r#"
    Commands, with or without a slash before them:
      message USER TEXT             tell USER something
      broadcast TEXT                tell everybody online something
      private USER TEXT             tell somebody in your address book, directly
      why [NUMBER]                  what became of your message, and why
      history [USER] [N]            show the last messages again
      search WORDS                  find messages with all these words
      export [USER] text|json FILE  write your messages to a new file
      forget USER|DATE|all          erase messages from this machine
      block USER                    hear nothing from USER, and hide from them
      unblock USER                  take a block back
      online                        list who is online
      getaddress USER [always]      ask USER to exchange addresses
      removeaddress USER            leave each other's address books
      addressbook                   list who is in your address book
      verify USER [ok]              see that nobody is between you and USER
      accept USER [always]          say yes to USER, who asked for your address
      deny USER                     say no to USER, who asked for your address
      help [COMMAND]                this list, or how one command is used
      login                         give your password again, when asked for it
      logout                        leave the chat
      y, n                          say yes or no to the only question that is open
    "#);
    assert!(help().lines().all(|line| line.len() <= 80));
}

#[test]
fn the_help_of_each_command_fits_too() {
    let details: Vec<_> = Command::all().map(help_for).collect();
    insta::assert_snapshot!(details.join("\n\n"), @r#"
    message USER TEXT: tell USER something.
      The server passes it on. If USER is away it is kept until their next login.
      You are told which of the two happened, or why it was refused.

    broadcast TEXT: tell everybody online something.
      It goes to all who are online now, except those who have blocked you.

    private USER TEXT: tell somebody in your address book, directly.
      It goes straight to USER without passing through the server, and works while
      the server is away. USER has to be in your address book: see getaddress. For
      USER who is away it waits here, and if the entry is for always (see accept) at
      the server too, sealed so that only USER can read it.

    why [NUMBER]: what became of your message, and why.
      Your messages have numbers: 1 is the first one since this client was started.
      Without a number it is about the last one. You see each attempt to send it,
      which way it went, what came of that, and when it is tried again.

    history [USER] [N]: show the last messages again.
      The last 20, or N, of all or of those to and by USER. What you wrote is there
      as you > USER, with where it stands unless it was delivered.

    search WORDS: find messages with all these words.
      The newest come first, each with the message before and the one after it.
      The start of a word is enough; case and accents do not matter. --user USER
      leaves only those by or to USER, --since 2027-01-31 those from that day on.

    export [USER] text|json FILE: write your messages to a new file.
      All messages, or those to and by USER: text is as you see it here, json has an
      object on each line. Others on this machine cannot read the file.

    forget USER|DATE|all: erase messages from this machine.
      Those by and to USER, or those from before a day such as 2027-01-31, or all.
      They are gone from the file too, here and nowhere else. What waits to be sent
      stays until it is, and your address book stays too.

    block USER: hear nothing from USER, and hide from them.
      Nothing that USER writes or asks reaches you, and you look offline to USER.
      You leave each other's address books. What you had not received from USER yet
      is dropped. You can still write to USER.

    unblock USER: take a block back.
      USER can write to you and see you again. What was dropped stays lost.

    online: list who is online.
      Those who have blocked you are not listed.

    getaddress USER [always]: ask USER to exchange addresses.
      USER is asked, and if they say yes each of you enters the other's address
      book. From then on private messages can go between you, until one of you logs
      out. If both of you say always, you stay there until one of you removes or
      blocks the other.

    removeaddress USER: leave each other's address books.
      Afterwards neither of you can send the other private messages.

    addressbook: list who is in your address book.
      Those are the people to whom private messages can go.

    verify USER [ok]: see that nobody is between you and USER.
      It shows a safety code, 60 digits. USER sees the same with verify and your
      name: compare them by voice or in person. If all are the same, verify USER ok
      marks USER as verified, until their key changes.

    accept USER [always]: say yes to USER, who asked for your address.
      Each of you enters the other's address book until one of you logs out, or, if
      both of you said always, until one of you ends it. If only one question is
      open, y or yes alone on the line says yes until a logout.

    deny USER: say no to USER, who asked for your address.
      USER is told so. If only one question is open, n or no alone on the line does
      the same.

    help [COMMAND]: this list, or how one command is used.
      A slash before a command, as in /help, changes nothing.

    login: give your password again, when asked for it.
      It asks after a long absence, or when your password was changed. What you have
      written meanwhile waits, and private messages go on without it.

    logout: leave the chat.
      What still waits is sent, then the server and the people in your address book
      are told that you leave.
    "#);
    for line in details.iter().flat_map(|help| help.lines()) {
        assert!(line.len() <= 80, "{line}");
    }
}

#[test]
fn errors_say_what_would_be_right() {
    let long = "x".repeat(33);
    let too_long = format!("message bob {}", "x".repeat(TEXT_LEN_MAX + 1));
    let shown: Vec<_> = [
        "mesage bob hi",
        "/ONLIEN",
        "quit",
        "?",
        "hello everybody",
        "/",
        "//online",
        "message",
        "private bob",
        "broadcast  ",
        "block",
        "block bob carol",
        "online now",
        "verify",
        "verify bob okay",
        "message b:b hi",
        "message @bob hi",
        &format!("deny {long}"),
        &too_long,
        "yes please",
        "help mesage",
        "help hello",
        "help online now",
        "\x1b[2J\u{202e}x bob",
        "block b\x1b[2Job",
        &"long".repeat(20),
        "getaddress bob and all of the others in this room, too",
    ]
    .iter()
    .map(|typed| parse(typed).unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    there is no command "mesage": did you mean "message"?
    there is no command "/ONLIEN": did you mean "online"?
    there is no command "quit": did you mean "logout"?
    there is no command "?": did you mean "help"?
    there is no command "hello": type "help" for the list of commands
    there is no command "/": type "help" for the list of commands
    there is no command "//online": did you mean "online"?
    the user is missing: message USER TEXT
    the text is missing: private USER TEXT
    the text is missing: broadcast TEXT
    the user is missing: block USER
    "carol" is too much: the whole command is "block USER"
    "now" is too much: the whole command is "online"
    the user is missing: verify USER [ok]
    "okay" is too much: the whole command is "verify USER [ok]"
    nobody is called "b:b": a name is made of ASCII letters, digits, '.', '_' and '-', and ':' is none of them
    nobody is called "@bob": a name is made of ASCII letters, digits, '.', '_' and '-', and '@' is none of them
    nobody is called "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…": a name has at most 32 characters, and this one has 33
    the text has 61441 bytes, and at most 61440 can be sent
    to answer the only question type y or n alone; of several: accept USER, deny USER
    there is no command "mesage": did you mean "message"?
    there is no command "hello": type "help" for the list of commands
    "now" is too much: the whole command is "help [COMMAND]"
    there is no command "�[2J�x": type "help" for the list of commands
    nobody is called "b�[2Job": a name is made of ASCII letters, digits, '.', '_' and '-', and '\u{1b}' is none of them
    there is no command "longlonglonglonglonglonglonglong…": type "help" for the list of commands
    "and all of the others in this ro…" is too much: the whole command is "getaddress USER [always]"
    "#);
}

#[test]
fn messages_have_numbers() {
    let shown = [
        "why bob",
        "why -1",
        "why 99999999999999999999",
        "why 3 4",
        "wyh",
    ]
    .map(|typed| parse(typed).unwrap_err().to_string());
    insta::assert_snapshot!(shown.join("\n"), @r#"
    no message has the number "bob": say why 3, or why alone for the last one
    no message has the number "-1": say why 3, or why alone for the last one
    no message has the number "99999999999999999999": say why 3, or why alone for the last one
    "4" is too much: the whole command is "why [NUMBER]"
    there is no command "wyh": did you mean "why"?
    "#);
}

#[test]
fn what_is_typed_about_the_past_is_explained() {
    let shown = [
        "history 0",
        "history bob many",
        "history bob 5 6",
        "history b:b",
        "search",
        "search --user bob",
        "search x --user",
        "search x --since",
        "search x --since yesterday",
        "search x --since 2027-02-31",
        "export",
        "export bob",
        "export text",
        "export bob json",
        "export yaml x",
        "forget",
        "forget bob carol",
        "forget 2027-01-32x:",
        "find x",
    ]
    .map(|typed| parse(typed).unwrap_err().to_string());
    insta::assert_snapshot!(shown.join("\n"), @r#"
    "0" is no number of messages: history 50 shows the last 50, history USER 50 those to and by USER
    "many" is no number of messages: history 50 shows the last 50, history USER 50 those to and by USER
    "6" is too much: the whole command is "history [USER] [N]"
    nobody is called "b:b": a name is made of ASCII letters, digits, '.', '_' and '-', and ':' is none of them
    the words are missing: search WORDS
    the words are missing: search WORDS
    the user is missing: search WORDS
    "" is no day: write it as 2027-01-31
    "yesterday" is no day: write it as 2027-01-31
    "2027-02-31" is no day: write it as 2027-01-31
    say how to write them: export text FILE or export json FILE, with a user before it for only theirs
    say how to write them: export text FILE or export json FILE, with a user before it for only theirs
    the file is missing: export [USER] text|json FILE
    the file is missing: export [USER] text|json FILE
    say how to write them: export text FILE or export json FILE, with a user before it for only theirs
    say what to forget: a user, all from before a day such as 2027-01-31, or all
    "carol" is too much: the whole command is "forget USER|DATE|all"
    nobody is called "2027-01-32x:": a name is made of ASCII letters, digits, '.', '_' and '-', and ':' is none of them
    there is no command "find": did you mean "search"?
    "#);
}

#[test]
fn a_user_may_be_called_like_a_format() {
    for (typed, user, format, file) in [
        ("export text json", None, Format::Text, "json"),
        ("export text json x", Some(name("text")), Format::Json, "x"),
        ("export JSON x y", None, Format::Json, "x y"),
    ] {
        let file = file.into();
        assert_eq!(line(typed), Line::Past(Past::Export { user, format, file }));
    }
}

fn any_past() -> impl Strategy<Value = Past> {
    let user = || prop::option::of("[a-z][a-z0-9._-]{0,31}".prop_map(|text| name(&text)));
    let count = prop::option::of((1usize..).prop_map(|count| NonZero::new(count).unwrap()));
    let day = || (1i16..9_999, 1i8..13, 1i8..29).prop_map(|(y, m, d)| jiff::civil::date(y, m, d));
    let format = prop::sample::select(vec![Format::Text, Format::Json]);
    let part = prop_oneof![
        "[a-z][a-z0-9._-]{4,31}".prop_map(|text| Part::User(name(&text))),
        day().prop_map(Part::Before),
        Just(Part::All),
    ];
    prop_oneof![
        (user(), count).prop_map(|(user, count)| Past::History { user, count }),
        (
            "[a-zé]{1,9}( [!-,.-~]{1,9}){0,3}",
            user(),
            prop::option::of(day())
        )
            .prop_map(|(words, user, since)| Past::Search { words, user, since }),
        (user(), format, "[a-z/.]{1,20}( [x-z.]{1,5})?").prop_map(|(user, format, file)| {
            Past::Export {
                user,
                format,
                file: file.into(),
            }
        }),
        part.prop_map(|what| Past::Forget { what }),
    ]
}

fn any_line() -> impl Strategy<Value = Line> {
    let user = || "[a-z0-9][a-z0-9._-]{0,31}".prop_map(|text| name(&text));
    let term = || prop::sample::select(vec![Term::UntilLogout, Term::Lasting]);
    let sent = || {
        any::<String>()
            .prop_map(|text| text.trim().to_owned())
            .prop_filter_map("nothing to send", |text| text.parse::<Text>().ok())
    };
    let topic = prop::option::of(prop::sample::select(Command::all().collect::<Vec<_>>()));
    prop_oneof![
        (user(), sent()).prop_map(|(to, text)| Line::Message { to, text }),
        sent().prop_map(|text| Line::Broadcast { text }),
        (user(), sent()).prop_map(|(to, text)| Line::Private { to, text }),
        prop::option::of(any::<u64>()).prop_map(|number| Line::Why {
            message: number.map(MessageNumber)
        }),
        any_past().prop_map(Line::Past),
        user().prop_map(|user| Line::Block { user }),
        user().prop_map(|user| Line::Unblock { user }),
        Just(Line::Online),
        (user(), term()).prop_map(|(user, term)| Line::GetAddress { user, term }),
        user().prop_map(|user| Line::RemoveAddress { user }),
        Just(Line::AddressBook),
        user().prop_map(|user| Line::Verify { user }),
        user().prop_map(|user| Line::MarkVerified { user }),
        (user(), term()).prop_map(|(user, term)| Line::Accept { user, term }),
        user().prop_map(|user| Line::Deny { user }),
        topic.prop_map(|topic| Line::Help { topic }),
        Just(Line::Login),
        Just(Line::Logout),
        Just(Line::Yes),
        Just(Line::No),
    ]
}

fn check(typed: &str) -> Result<(), TestCaseError> {
    match parse(typed) {
        Ok(Some(line)) => prop_assert_eq!(parse(&line.to_string()), Ok(Some(line))),
        Ok(None) => prop_assert_eq!(typed.trim(), ""),
        Err(error) => {
            let shown = error.to_string();
            prop_assert!(shown.chars().count() <= 160, "{}", shown);
            prop_assert_eq!(clean_line(&shown), shown.as_str());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_printed_line_reads_back(line in any_line()) {
        prop_assert_eq!(parse(&line.to_string()), Ok(Some(line)));
    }

    #[test]
    fn any_text_is_a_line_or_one_line_of_advice(typed in any::<String>()) {
        check(&typed)?;
    }

    #[test]
    fn any_arguments_are_taken_or_explained(
        place in 0usize..20,
        rest in "[ \t]{0,2}[a-z/:\u{1b}\u{202e}\u{301}\n]{0,40}[ ]?\\PC{0,40}",
    ) {
        let word = Command::all().nth(place).unwrap().word();
        check(&format!("/{word} {rest}"))?;
        check(&format!("{word}{rest}"))?;
    }
}
