//! What is wrong before anything has started is said in one clear line, with its exit code.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::net::TcpListener;

use common::{ACCOUNTS, Process, Server, file, program, run};

fn serve(args: &[&str]) -> (i32, String) {
    let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
    all.extend(args);
    let (code, output, errors) = run(&all, "");
    assert_eq!(output, "", "it did not start");
    (code, errors)
}

#[test]
fn bad_accounts_are_named_with_file_and_line() {
    let accounts = file(
        "credentials.txt",
        "# people\nalice a\nAlice b\nbob\n-x y\ncarol c d\n",
    );
    let path = accounts.to_str().unwrap();
    let (code, errors) = serve(&["--credentials", path]);
    assert_eq!(code, 2);
    let errors = errors.replace(path, "FILE");
    insta::assert_snapshot!(errors, @r"
    simplechat: FILE:3: alice has an account already, on line 2
    FILE:4: a password is missing: write the name and the password, separated by white space
    FILE:5: a name starts with a letter or digit, not with '-'
    FILE:6: something follows the password: a password holds no white space, and a comment has a line of its own
    ");
    let (code, errors) = serve(&["--credentials", "/nowhere/credentials.txt"]);
    assert_eq!(code, 2);
    assert!(
        errors.starts_with("simplechat: there is no credentials file /nowhere/credentials.txt")
    );
    let empty = file("credentials.txt", "# nobody yet\n");
    let (code, errors) = serve(&["--credentials", empty.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(errors.contains("has no account"), "{errors}");
}

#[test]
fn bad_settings_are_named_with_file_and_line() {
    let settings = file(
        "settings.ron",
        "(\n    serve: (\n        timeout: \"20s\",\n        heartbeats: \"3s\",\n    ),\n)\n",
    );
    let path = settings.to_str().unwrap();
    let (code, errors) = serve(&["--config", path]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(errors.replace(path, "FILE"), @r#"simplechat: FILE:4:9: serve has no setting "heartbeats": "simplechat config" lists them all"#);
    let settings = file(
        "settings.ron",
        "(\n  serve: (\n    timeout: \"20s\",\n  ),\n)\n",
    );
    let path = settings.to_str().unwrap();
    let (code, errors) = serve(&["--config", path]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(errors.replace(path, "FILE"), @r#"simplechat: FILE:3:5: serve.timeout is 20s, but must be longer than serve.heartbeat_interval, which is 30s (the default)"#);
    let (code, errors) = serve(&["--set", "serve.timeout"]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(errors, @r#"simplechat: --set serve.timeout: there is no "=" in it: write a setting and its value, such as serve.timeout=95s"#);
}

#[test]
fn each_layer_of_the_settings_overrules_the_one_before() {
    let settings = file(
        "settings.ron",
        "(serve: (max_text: 10, mailbox_messages: 10, question_expiry: \"10s\"))",
    );
    let mut config = program(&["config", "--config", settings.to_str().unwrap()]);
    config.args(["--set", "serve.question_expiry=30s"]);
    config.env("SIMPLECHAT_SERVE_MAILBOX_MESSAGES", "20");
    config.env("SIMPLECHAT_SERVE_QUESTION_EXPIRY", "20s");
    let output = String::from_utf8(config.output().unwrap().stdout).unwrap();
    for line in [
        "max_text: 10,",
        "mailbox_messages: 20,",
        "question_expiry: \"30s\",",
    ] {
        assert!(output.contains(line), "{line} in {output}");
    }
    // What it writes, it reads.
    let written = file("settings.ron", &output);
    let (code, again, _) = run(&["config", "--config", written.to_str().unwrap()], "");
    assert_eq!((code, again), (0, output));
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let accounts = file("credentials.txt", ACCOUNTS);
    let args = ["serve", "--listen", &address, "--credentials"];
    let (code, _, errors) = run(&[&args[..], &[accounts.to_str().unwrap()]].concat(), "");
    assert_eq!(code, 1);
    assert_eq!(
        errors,
        format!(
            "simplechat: cannot listen on {address}: something already listens there; stop it or choose another port\n"
        )
    );
}

#[test]
fn a_server_that_is_not_there_is_said() {
    // Bound and dropped: nothing listens there now.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (code, output, _) = run(&["join", &address.to_string()], "alice\na-pw\n");
    assert_eq!(code, 4);
    assert_eq!(
        output,
        "! The server cannot be reached: connection refused: nothing listens there.\n"
    );
    let (code, _, errors) = run(&["join", "host.invalid:5150"], "alice\na-pw\n");
    assert_eq!(code, 4);
    assert!(
        errors.starts_with("simplechat: host.invalid:5150: this host cannot be found: "),
        "{errors}"
    );
}

#[test]
fn a_wrong_command_line_shows_how_it_is_used() {
    for args in [&["join"][..], &["serve", "--listen", "x"], &["dance"], &[]] {
        let (code, _, errors) = run(args, "");
        assert_eq!(code, 2, "{args:?}");
        assert!(
            errors.contains("Usage:") || errors.contains("--help"),
            "{errors}"
        );
    }
    let (code, _, errors) = run(&["join", "localhost"], "");
    assert_eq!(code, 2);
    assert_eq!(
        errors,
        "simplechat: localhost: write the server as HOST:PORT, as in localhost:5150\n"
    );
}

#[test]
fn the_join_line_that_the_server_prints_works() {
    let mut server = Server::start(&[]);
    let line = server.process.sees("Join with:  ");
    let mut words = line.trim_start_matches("Join with:  ").split(' ');
    let program_name = words.next().unwrap();
    assert_eq!(program_name, common::PROGRAM);
    let args: Vec<_> = words.collect();
    let mut alice = Process::start("alice", program(&args));
    alice.types("alice");
    alice.types("a-pw");
    alice.sees("Logged in as alice.");
}

#[test]
fn the_committed_accounts_and_default_settings_work() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut command = program(&["serve", "--listen", "127.0.0.1:0"]);
    command.current_dir(root);
    let mut server = Process::start("server", command);
    let line = server.sees("Listening on ");
    assert!(line.contains("with 12 accounts"), "{line}");
}
