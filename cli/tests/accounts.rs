//! Accounts and their passwords: the tool that edits the file, and the server that reads it.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use common::{Process, Server, file, folder, program, run};
use rustix::process::Signal;

/// Runs `simplechat account` on a file, with an input: exit code, and what it said, with FILE for the file.
fn account(path: &Path, args: &[&str], input: &str) -> (i32, String) {
    let path = path.to_str().unwrap();
    let all = [&["account"], args, &["--credentials", path]].concat();
    let (code, output, errors) = run(&all, input);
    (code, (output + &errors).replace(path, "FILE"))
}

/// A text with `HASH` for each hash.
fn without_hashes(text: &str) -> String {
    text.split_inclusive([' ', '\n'])
        .map(
            |word| match word.strip_prefix("$argon2id$v=19$m=19456,t=2,p=1$") {
                Some(_) => format!("HASH{}", &word[word.trim_end().len()..]),
                None => word.into(),
            },
        )
        .collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

const NEW: [&str; 2] = ["--password-file", "-"];

#[test]
fn accounts_are_made_changed_and_removed() {
    let path = folder().join("accounts.txt");
    let _ = fs::remove_file(&path);
    let said = account(&path, &["add", "Alice", NEW[0], NEW[1]], "a-pw\nignored");
    assert_eq!(said, (0, "alice has an account.\n".into()));
    assert_eq!(mode(&path), 0o600, "a new file is for its owner alone");
    let (code, said) = account(&path, &["add", "bob", NEW[0], NEW[1]], "first");
    assert_eq!(code, 0, "{said}");
    let before = fs::read_to_string(&path).unwrap();
    assert_eq!(without_hashes(&before), "alice HASH\nbob HASH\n");
    let said = account(&path, &["passwd", "bob", NEW[0], NEW[1]], "b-pw\r\n");
    assert_eq!(said, (0, "bob has a new password.\n".into()));
    let after = fs::read_to_string(&path).unwrap();
    assert_ne!(before, after);
    assert_eq!(before.lines().next(), after.lines().next());

    let server = Server::start_for(path.clone());
    drop((server.join("alice"), server.join("bob")));
    let mut stranger = server.try_join("bob", "first");
    assert_eq!(stranger.ends(), 3);

    let said = account(&path, &["remove", "ALICE"], "");
    assert_eq!(said, (0, "alice has no account any more.\n".into()));
    assert_eq!(
        without_hashes(&fs::read_to_string(&path).unwrap()),
        "bob HASH\n"
    );
}

#[test]
fn hardening_keeps_everything_but_the_passwords() {
    let folder = folder();
    let (path, link) = (folder.join("real.txt"), folder.join("link.txt"));
    let _ = fs::remove_file(&link);
    symlink("real.txt", &link).unwrap();
    fs::write(&path, "# staff\r\n\r\n alice\t a-pw\r\nbob   b-pw \r\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let list = account(&link, &["list"], "");
    assert_eq!(list, (0, "alice  plain text\nbob    plain text\n".into()));
    let said = account(&link, &["harden"], "");
    assert_eq!(
        said,
        (
            0,
            "2 passwords were in plain text, and replaced by a hash.\n".into()
        )
    );
    let hardened = fs::read_to_string(&path).unwrap();
    assert_eq!(
        without_hashes(&hardened),
        "# staff\r\n\r\n alice\t HASH\r\nbob   HASH \r\n"
    );
    assert_eq!(mode(&path), 0o640);
    assert!(link.is_symlink(), "a link stays a link");
    assert_eq!(
        account(&link, &["list"], ""),
        (0, "alice  hash\nbob    hash\n".into())
    );
    assert_eq!(
        account(&link, &["harden"], ""),
        (0, "No password is in plain text.\n".into())
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), hardened);
    let others: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(others.len(), 2, "nothing is left behind: {others:?}");
    let mut server = Server::start_for(link);
    let _alice = server.join("alice");
    server.process.sees("INFO logged in user=alice");
    assert!(!server.process.has_seen("plain text"));
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let path = file("accounts.txt", "alice a-pw\n");
    let cases = [
        (
            &["add", "alice", NEW[0], NEW[1]][..],
            "pw",
            "alice has an account already: see simplechat account passwd\n",
        ),
        (
            &["passwd", "bob", NEW[0], NEW[1]],
            "pw",
            "FILE has no account bob\n",
        ),
        (&["remove", "bob"], "", "FILE has no account bob\n"),
        (
            &["add", "bob", NEW[0], NEW[1]],
            "\npw",
            "the password is empty\n",
        ),
        (
            &["add", "bob", "--password-file", "/nowhere/pw"],
            "",
            "the password file /nowhere/pw cannot be read: No such file or directory (os error 2)\n",
        ),
    ];
    for (args, input, expected) in cases {
        let said = account(&path, args, input);
        assert_eq!(said, (2, format!("simplechat: {expected}")), "{args:?}");
    }
    // There is no way to give it where others can read it.
    let (code, said) = account(&path, &["add", "bob", "b-pw"], "");
    assert_eq!(code, 2, "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "alice a-pw\n");
    fs::write(&path, "alice a-pw\nbob\n").unwrap();
    let (code, said) = account(&path, &["harden"], "");
    assert_eq!(code, 2);
    assert!(
        said.starts_with("simplechat: FILE:2: a password is missing"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "alice a-pw\nbob\n");
    let (code, said) = account(Path::new("/nowhere/accounts.txt"), &["list"], "");
    assert_eq!(code, 2);
    assert!(
        said.starts_with("simplechat: there is no credentials file FILE"),
        "{said}"
    );
}

#[test]
fn many_at_once_do_not_overwrite_each_other() {
    let path = file("accounts.txt", "# people\n");
    let names: Vec<_> = (0..6).map(|number| format!("user{number}")).collect();
    let start = Barrier::new(names.len());
    thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| {
                start.wait();
                let (code, said) = account(&path, &["add", name, NEW[0], NEW[1]], "pw");
                assert_eq!(code, 0, "{said}");
            });
        }
    });
    let (_, list) = account(&path, &["list"], "");
    for name in &names {
        assert!(list.contains(&format!("{name}  hash")), "{name} in {list}");
    }
}

#[test]
fn plain_passwords_stay_on_this_host_unless_it_is_allowed() {
    let path = file("accounts.txt", "alice a-pw\n");
    let credentials = path.to_str().unwrap();
    let far = [
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--credentials",
        credentials,
    ];
    let (code, _, errors) = run(&far, "");
    assert_eq!(code, 2);
    insta::assert_snapshot!(errors.replace(credentials, "FILE"), @r"
    simplechat: FILE holds passwords in plain text, so the server does not listen at 0.0.0.0:0, where other machines reach it. This replaces them by hashes:
        simplechat account harden --credentials FILE
    Or take the risk with --allow-plain-passwords.
    ");
    let mut server = Process::start(
        "server",
        program(&[&far[..], &["--allow-plain-passwords"]].concat()),
    );
    server.sees("Listening on 0.0.0.0:");
    server.sees("WARN passwords in plain text: simplechat account harden replaces them by hashes");
    let (code, said) = account(&path, &["harden"], "");
    assert_eq!(code, 0, "{said}");
    let mut server = Process::start("server", program(&far));
    server.sees("Listening on 0.0.0.0:");
    let mut near = Server::start(&[]);
    near.process.sees("WARN passwords in plain text");
}

/// A check of this hash takes seconds, so both threads that check passwords are busy for longer than the rest takes.
#[test]
fn a_flood_of_logins_does_not_stall_the_chat() {
    let slow = "mallory $argon2id$v=19$m=262144,t=16,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let path = file("accounts.txt", format!("alice a-pw\nbob b-pw\n{slow}\n"));
    let mut server = Server::start_for(path);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    let flood: Vec<_> = (0..4)
        .map(|_| server.try_join("mallory", "guess"))
        .collect();
    // Three attempts are being checked: as long as none of them has failed, there is no room for another.
    server.process.sees("reason=the server is busy");
    for number in 0..5 {
        alice.types(&format!("message bob number {number}"));
        bob.sees(&format!("alice: number {number}"));
    }
    server.process.signal(Signal::TERM);
    server.process.sees("INFO shutting down");
    assert!(
        !server.process.has_seen("wrong name or password"),
        "the flood was over first"
    );
    drop(flood);
}

#[test]
fn at_a_hang_up_the_accounts_are_read_again() {
    let path = file("accounts.txt", "alice a-pw\nbob b-pw\ncarol c-pw\n");
    let mut server = Server::start_for(path.clone());
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.sees("* bob is online");
    // Whoever the server can reach is told at once.
    alice.types("message bob hi");
    bob.sees("alice: hi");
    fs::write(&path, "bob new-pw\ncarol c-pw\ndave d-pw\n").unwrap();
    server.process.signal(Signal::HUP);
    server.process.sees_all(&[
        "INFO account removed user=alice",
        "INFO all that was kept for the removed account is erased user=alice",
        "INFO a new password user=bob",
        "INFO a new account user=dave",
        "INFO the accounts are as in the file",
    ]);
    alice.sees("! Your account was removed, so this client ends.");
    assert_eq!(alice.ends(), 3);
    bob.sees("! The server asks for your password again");
    let _dave = server.join("dave");
    for (name, old) in [("alice", "a-pw"), ("bob", "b-pw")] {
        assert_eq!(server.try_join(name, old).ends(), 3);
    }
    let mut again = server.try_join("bob", "new-pw");
    again.sees("Logged in as bob.");
}

#[test]
fn accounts_that_cannot_be_used_leave_everything_as_it_was() {
    let path = file("accounts.txt", "alice a-pw\nbob b-pw\ncarol c-pw\n");
    let mut server = Server::start_for(path.clone());
    let _alice = server.join("alice");
    let bad = [
        (
            "alice new-pw\nbob\n",
            "accounts.txt:2: a password is missing",
        ),
        ("# nobody\n", "has no account"),
        (
            "alice new-pw\nzoe z-pw\n",
            "2 of 3 accounts are missing, which may be a mistake; if it is none, start the server anew",
        ),
    ];
    for (text, why) in bad {
        fs::write(&path, text).unwrap();
        server.process.signal(Signal::HUP);
        let line = server.process.sees(why);
        assert!(
            line.contains("ERROR the accounts stay as they are: "),
            "{line}"
        );
        let _bob = server.join("bob");
    }
    fs::remove_file(&path).unwrap();
    server.process.signal(Signal::HUP);
    server.process.sees("there is no credentials file");
    let _alice = server.join("alice");
    server.process.signal(Signal::TERM);
    server.process.sees("The server has ended");
    assert_eq!(server.process.ends(), 0);
}

/// The most memory that a process ever had, in KiB.
#[cfg(target_os = "linux")]
fn peak_memory(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap()
}

/// However many log in at once: the memory of the threads, and a little for everything else.
#[test]
#[cfg(target_os = "linux")]
fn hashing_takes_no_more_memory_than_its_threads_have() {
    const MEMORY_OF_A_HASH: u64 = 19 * 1_024;
    let server = Server::start(&["hash_threads=2"]);
    let before = peak_memory(&server.process);
    let names: Vec<_> = (0..12).map(|number| format!("nobody{number}")).collect();
    let mut strangers: Vec<_> = names.iter().map(|it| server.try_join(it, "x")).collect();
    for stranger in &mut strangers {
        assert_eq!(stranger.ends(), 3, "no such account");
    }
    let grown = peak_memory(&server.process) - before;
    assert!(
        grown > MEMORY_OF_A_HASH,
        "something was hashed: {grown} KiB"
    );
    assert!(
        grown < 3 * MEMORY_OF_A_HASH,
        "twelve at once took {grown} KiB"
    );
}
