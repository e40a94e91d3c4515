//! Passwords for accounts: from a terminal that does not show them, or from a file. Never from the command line, which
//! every other program of the host can read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use simplechat_core::limits::PASSWORD_LEN_MAX;
use simplechat_core::name::Name;
use simplechat_core::text::Password;
use zeroize::Zeroizing;

use super::usage;
use crate::exit::Failure;
use crate::quiet::Quiet;

/// Asks twice, as nobody sees what they type.
pub(super) fn from_terminal(name: Name) -> Result<Password, Failure> {
    let _quiet = Quiet::start();
    let password = ask(&format!("New password for {name}: "))?;
    let again = ask("The same again: ")?;
    if password != again {
        return Err(usage(
            "these were two different passwords, and nothing was changed.".into(),
        ));
    }
    Ok(password)
}

fn ask(question: &str) -> Result<Password, Failure> {
    let line = rpassword::prompt_password(question).map_err(|error| {
        usage(format!(
            "there is no terminal to ask for a password ({error}): give it with --password-file"
        ))
    })?;
    Password::new(line).map_err(|error| usage(error.to_string()))
}

/// The first line of a file, or of the standard input for `-`.
pub(super) fn from_file(path: &Path) -> Result<Password, Failure> {
    let read = if path == Path::new("-") {
        first_line(io::stdin().lock())
    } else {
        File::open(path).and_then(first_line)
    };
    let line = read.map_err(|error| {
        let path = path.display();
        usage(format!("the password file {path} cannot be read: {error}"))
    })?;
    let line = str::from_utf8(&line).map_err(|_| {
        usage(format!(
            "the password in {} is not UTF-8 text",
            path.display()
        ))
    })?;
    Password::new(line.into()).map_err(|error| usage(error.to_string()))
}

/// No more of it than tells whether it is too long.
fn first_line(reader: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let bytes_max = PASSWORD_LEN_MAX + "\r\n".len();
    // It never grows, so nothing of it is left behind where it was before.
    let mut line = Zeroizing::new(Vec::with_capacity(2 * bytes_max));
    let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    reader.take(bytes_max).read_to_end(&mut line)?;
    if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
        line.truncate(end);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_file_the_first_line_is_taken() {
        for (file, line) in [
            ("pw\nmore\n", "pw"),
            ("pw\r\n", "pw"),
            ("pw", "pw"),
            ("", ""),
            (" a b ", " a b "),
        ] {
            let read = first_line(file.as_bytes()).unwrap();
            assert_eq!(*read, line.as_bytes(), "{file:?}");
        }
        let endless = first_line(io::repeat(b'x')).unwrap();
        assert!(endless.len() > PASSWORD_LEN_MAX);
    }
}
