//! What people write: files, lines of commands, and texts for somebody else's terminal.

use std::collections::BTreeMap;

use simplechat::bounded_lines::{BoundedLine, BoundedLines};
use simplechat::clean::{self, clean_block, clean_line, clean_start};
use simplechat::command_line;
use simplechat::credentials::{Cost, Credentials, CredentialsError, Workbench};
use simplechat::problems::Problems;
use simplechat::settings::{Settings, SettingsError};
use simplechat_core::text::Password;

const LINE_MAX: usize = 1_024;

/// Any bytes as a credentials file: the accounts are those that stand in it, and what is wrong is named line by line
/// without a word that depends on a password.
///
/// # Panics
///
/// When that does not hold.
pub fn credentials(data: &[u8]) {
    let parse = |data: &[u8]| Credentials::parse("file", data, Cost::new(8, 1));
    match parse(data) {
        Ok(credentials) => {
            let written = accounts(data);
            let names: Vec<_> = credentials.names().map(|name| name.to_string()).collect();
            let expected: Vec<_> = written.keys().map(String::as_str).collect();
            assert_eq!(names, expected, "the accounts in the file");
            let mut bench = Workbench::default();
            // A hash may be dear to check, and nobody knows of what it is.
            for (name, password) in written.iter().filter(|(_, word)| !is_hash(word)) {
                let mut verify = |password: &str| {
                    let password = Password::new(password.to_owned()).expect("a password");
                    credentials.check(name.parse().expect("a name"), &password, &mut bench)
                };
                assert!(verify(password), "{name}'s own password");
                assert!(!verify("not their password"), "another password");
            }
        }
        Err(CredentialsError::Wrong(problems)) => {
            are_readable(&problems);
            let others = parse(&with_other_passwords(data));
            let told = others.err().map(|error| error.to_string());
            assert_eq!(told, Some(problems.to_string()), "no word of a password");
        }
        Err(CredentialsError::NoAccounts(file)) => {
            assert_eq!(file, "file", "as it was named");
            assert!(accounts(data).is_empty(), "an account is overlooked");
        }
        Err(error @ (CredentialsError::Missing(_) | CredentialsError::Unreadable { .. })) => {
            panic!("{error} although nothing was opened");
        }
    }
}

/// Whether the second word of a line is meant as a hash.
fn is_hash(word: &str) -> bool {
    word.starts_with("$argon2")
}

/// The first two words of each line, the plain way.
fn accounts(file: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(file);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    text.split('\n')
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_ascii_lowercase(), words.next()?.to_owned()))
        })
        .filter(|(name, _)| !name.starts_with('#'))
        .collect()
}

/// The same file with every letter and digit behind the first word of a line made the same, but for hashes.
fn with_other_passwords(file: &[u8]) -> Vec<u8> {
    let mut changed = Vec::with_capacity(file.len());
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let Ok(text) = str::from_utf8(line) else {
            changed.extend_from_slice(line);
            continue;
        };
        if text.split_whitespace().nth(1).is_some_and(is_hash) {
            changed.extend_from_slice(line);
            continue;
        }
        let blanks = text.len() - text.trim_start().len();
        let name_end = text[blanks..]
            .find(char::is_whitespace)
            .map_or(text.len(), |end| blanks + end);
        let (name, rest) = text.split_at(name_end);
        changed.extend_from_slice(name.as_bytes());
        let masked = |c: char| if c.is_ascii_alphanumeric() { 'x' } else { c };
        changed.extend(rest.chars().map(masked).collect::<String>().bytes());
    }
    changed
}

/// Any bytes as a settings file: what is wrong is named in clean lines, and settings that were read read back from what
/// `simplechat config` writes of them.
///
/// # Panics
///
/// When that does not hold.
pub fn settings(data: &[u8]) {
    match Settings::parse("file", data) {
        Ok(settings) => {
            let written = settings.to_ron();
            let again = Settings::parse("file", written.as_bytes()).expect("what is written");
            assert_eq!(again, settings, "{written}");
        }
        Err(SettingsError::Wrong(problems)) => are_readable(&problems),
        Err(error @ (SettingsError::Missing(_) | SettingsError::Unreadable { .. })) => {
            panic!("{error} although nothing was opened");
        }
    }
}

/// Something is named, a line for each, and nothing in them reaches the terminal.
fn are_readable(problems: &Problems) {
    assert!(!problems.is_empty(), "something is named");
    for problem in problems.shown() {
        let line = problem.to_string();
        assert!(!line.contains(is_dangerous), "{line:?}");
    }
}

/// Any bytes as what is typed or piped into the client: no line is longer than its bound, a command printed reads back,
/// and an error is one short clean line.
///
/// # Panics
///
/// When that does not hold.
pub fn command_line(data: &[u8]) {
    for line in BoundedLines::new(data, LINE_MAX) {
        match line.expect("bytes in memory can be read") {
            BoundedLine::Line(line) => one_line(&line),
            BoundedLine::TooLong { bytes } => {
                assert!(
                    usize::try_from(bytes).is_ok_and(|bytes| bytes > LINE_MAX),
                    "{bytes} are not too long"
                );
            }
        }
    }
}

fn one_line(line: &str) {
    assert!(!line.contains('\n'), "one line: {line:?}");
    match command_line::parse(line) {
        Ok(None) => assert_eq!(line.trim(), "", "nothing stands there"),
        Ok(Some(command)) => {
            let plain = command.to_string();
            assert_eq!(
                command_line::parse(&plain),
                Ok(Some(command)),
                "{plain:?} is the plainest form of {line:?}"
            );
        }
        Err(error) => {
            let error = error.to_string();
            assert!(!error.contains(is_dangerous), "{error:?}");
            assert!(error.chars().count() < 300, "{error:?}");
        }
    }
}

/// Any text for a terminal: nothing in it steers the terminal, turns letters around or pretends to be another line, and
/// cleaning it again changes nothing.
///
/// # Panics
///
/// When that does not hold.
pub fn clean(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for cleaner in [clean::clean, clean_line] {
        let cleaned = cleaner(&text);
        assert!(!cleaned.contains(is_dangerous), "{cleaned:?}");
        assert_eq!(cleaner(&cleaned), cleaned, "cleaned again");
    }
    let block = clean_block(&text, "> ");
    for line in block.split('\n').skip(1) {
        assert!(line.starts_with("> "), "{block:?}");
    }
    assert!(!block.replace('\n', "").contains(is_dangerous), "{block:?}");
    let flush = clean_block(&text, "");
    assert_eq!(clean_block(&flush, ""), flush, "cleaned again");
    let start = clean_start(&text, 16);
    assert!(!start.contains(is_dangerous), "{start:?}");
}

/// Written down apart from the cleaner's own tables, from Unicode's: what steers a terminal, and what turns letters around.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            | '\u{61c}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0001}' | '\u{e0020}'..='\u{e007f}'
        )
}
