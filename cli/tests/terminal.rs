//! The client in a real terminal (a PTY whose screen is read back), as a person sits before it.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use common::{PATIENCE, Process, Server, file, folder};
use pty_process::Size;
use pty_process::blocking::{Command, open};
use vt100::Parser;

const LINES: NonZero<u16> = NonZero::new(20).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(60).unwrap();

/// A client in a terminal of that size.
struct Terminal {
    keyboard: Option<OwnedFd>,
    screen: Arc<(Mutex<Parser>, Condvar)>,
    child: Child,
}

impl Terminal {
    fn join(server: &Server, args: &[&str]) -> Self {
        Self::start(&[&["join", &server.place], args].concat())
    }

    fn start(args: &[&str]) -> Self {
        let (pty, pts) = open().unwrap();
        pty.resize(Size::new(LINES.get(), COLUMNS.get())).unwrap();
        let child = Command::new(common::PROGRAM)
            .args(args)
            .env("TZ", "UTC")
            .env("TERM", "xterm")
            .env("XDG_DATA_HOME", folder())
            .spawn(pts)
            .unwrap();
        let keyboard = OwnedFd::from(pty);
        let mut display = std::fs::File::from(keyboard.as_fd().try_clone_to_owned().unwrap());
        let screen = Arc::new((Mutex::new(Parser::new(LINES, COLUMNS, 0)), Condvar::new()));
        let shared = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(read @ 1..) = display.read(&mut buffer) {
                shared.0.lock().unwrap().process(&buffer[..read]);
                shared.1.notify_all();
            }
        });
        Self {
            keyboard: Some(keyboard),
            screen,
            child,
        }
    }

    fn types(&self, keys: &str) {
        let keyboard = self.keyboard.as_ref().expect("the terminal is open");
        let mut keyboard = std::fs::File::from(keyboard.try_clone().unwrap());
        keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen satisfies something, and gives it.
    fn shows(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut parser = self.screen.0.lock().unwrap();
        loop {
            let screen = parser.screen().contents();
            if is_there(&screen) {
                return screen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} is not on the screen:\n{screen}");
            parser = self.screen.1.wait_timeout(parser, left).unwrap().0;
        }
    }

    fn sees(&self, text: &str) -> String {
        self.shows(text, |screen| screen.contains(text))
    }

    fn ends(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Logs in as a person does.
fn log_in(server: &Server) -> Terminal {
    let terminal = Terminal::join(server, &[]);
    terminal.sees("Name: ");
    terminal.types("alice\r");
    terminal.sees("Password: ");
    terminal.types("a-pw\r");
    terminal.sees("No messages while you were away.");
    terminal.shows("the prompt", |screen| screen.ends_with("> "));
    terminal
}

/// The lines of a screen, with the time of day made the same.
fn lines(screen: &str) -> String {
    screen
        .lines()
        .map(|line| match (line.strip_prefix('['), line.get(7..)) {
            (Some(_), Some(rest)) => format!("[HH:MM]{rest}"),
            _ => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn what_arrives_leaves_the_line_that_is_typed_whole() {
    let server = Server::start(&[]);
    let alice = log_in(&server);
    let mut bob = server.join("bob");
    alice.sees("* bob is online");
    alice.types("message bob I am still ty");
    alice.shows("what was typed", |screen| screen.ends_with("still ty"));
    bob.types("message alice this comes in the middle and is longer than one line");
    bob.sees("  delivered to alice");
    let screen = alice.shows("both", |screen| {
        screen.contains("one line") && screen.ends_with("still ty")
    });
    insta::assert_snapshot!(lines(&screen), @r"
    Name: alice
    Password: 
    Logged in as alice. Type help for the commands.
    No messages while you were away.
    * bob is online
    [HH:MM] bob: this comes in the middle and is longer than
        one line
    > message bob I am still ty
    ");
    alice.types("ping\r");
    assert!(bob.sees("alice: ").ends_with("alice: I am still typing"));
    alice.sees("  delivered to bob");
}

#[test]
fn the_password_is_not_shown_and_may_be_tried_again() {
    let server = Server::start(&[]);
    let alice = Terminal::join(&server, &["--user", "alice"]);
    alice.sees("Password: ");
    alice.types("wr0ng\r");
    alice.sees("! Wrong name or password. 2 attempts are left.");
    alice.shows("the question", |screen| screen.ends_with("Password: "));
    alice.types("a-pw\r");
    let screen = alice.sees("Logged in as alice.");
    assert!(
        !screen.contains("wr0ng") && !screen.contains("a-pw"),
        "{screen}"
    );
}

#[test]
fn after_the_last_attempt_nobody_is_asked() {
    let server = Server::start(&["max_login_attempts=1"]);
    let mut alice = Terminal::join(&server, &["--user", "alice"]);
    alice.sees("Password: ");
    alice.types("wrong\r");
    alice.sees("That was the last attempt");
    assert_eq!(alice.ends(), 3);
}

#[test]
fn earlier_lines_come_back() {
    let server = Server::start(&[]);
    let alice = log_in(&server);
    alice.types("message carol once\r");
    alice.sees("  kept for carol");
    alice.types("\u{1b}[A");
    alice.shows("the line", |screen| {
        screen.ends_with("> message carol once")
    });
}

#[test]
fn interrupt_and_end_of_input_leave_in_order() {
    let server = Server::start(&["presence_interval=1ms"]);
    let mut bob = server.join("bob");
    for key in ["\u{3}", "\u{4}"] {
        let mut alice = log_in(&server);
        alice.types(key);
        alice.sees("Goodbye.");
        assert_eq!(alice.ends(), 0);
        bob.sees("* alice is offline");
    }
}

#[test]
fn a_terminal_that_closes_logs_out() {
    let server = Server::start(&[]);
    let mut bob = server.join("bob");
    let mut alice = log_in(&server);
    bob.sees("* alice is online");
    hang_up(&mut alice);
    bob.sees("* alice is offline");
}

/// Closing the window: the program gets a hang-up, and nothing can be read or written any more.
fn hang_up(terminal: &mut Terminal) {
    terminal.keyboard = None;
    let pid = i32::try_from(terminal.child.id()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
}

#[test]
fn being_taken_over_while_typing_leaves_the_terminal_as_it_was() {
    let server = Server::start(&[]);
    let mut alice = log_in(&server);
    alice.types("half a li");
    alice.shows("what was typed", |screen| screen.ends_with("half a li"));
    let keyboard = alice.keyboard.as_ref().unwrap().try_clone().unwrap();
    let raw = rustix::termios::tcgetattr(&keyboard).unwrap();
    let echo = rustix::termios::LocalModes::ECHO;
    assert!(!raw.local_modes.contains(echo), "while typing it is raw");
    let _other: Process = server.join("alice");
    alice.sees("! Your account was logged in from another client");
    assert_eq!(alice.ends(), 5);
    let after = rustix::termios::tcgetattr(&keyboard).unwrap();
    assert!(after.local_modes.contains(echo), "and then it is as before");
}

#[test]
fn a_new_password_is_asked_for_twice_and_not_shown() {
    let path = file("accounts.txt", "alice a-pw\n");
    let args = ["account", "passwd", "alice", "--credentials"];
    let change = |first: &str, again: &str, answer: &str| {
        let mut terminal = Terminal::start(&[&args[..], &[path.to_str().unwrap()]].concat());
        terminal.sees("New password for alice: ");
        terminal.types(&format!("{first}\r"));
        terminal.sees("The same again: ");
        terminal.types(&format!("{again}\r"));
        (terminal.sees(answer), terminal.ends())
    };
    let (_, code) = change("new-pw", "other-pw", "these were two different passwords");
    assert_eq!(code, 2);
    let (screen, code) = change("new-pw", "new-pw", "alice has a new password.");
    assert_eq!(code, 0);
    assert!(!screen.contains("new-pw"), "{screen}");
    let server = Server::start_for(path);
    let mut alice = server.try_join("alice", "new-pw");
    alice.sees("Logged in as alice.");
}
