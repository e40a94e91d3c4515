//! What servers and clients keep to be known by, and what shows it.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{ACCOUNTS, Process, Server, file, folder, program, run};

const KEY: &str = "aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq";

fn fingerprint(data: &Path) -> (i32, String, String) {
    run(&["fingerprint", "--data", data.to_str().unwrap()], "")
}

/// A server whose keys are there, and which keeps nothing else.
fn serve(data: &Path) -> Process {
    let accounts = file("credentials.txt", ACCOUNTS);
    let mut command = program(&["serve", "--memory", "--listen", "127.0.0.1:0"]);
    command.arg("--credentials");
    command.arg(accounts).arg("--data").arg(data);
    Process::start("server", command)
}

#[test]
fn a_server_stays_the_same_when_it_starts_again() {
    let mut server = Server::start(&[]);
    let before = server.place.clone();
    server.process.kill();
    server.start_again();
    assert_eq!(server.place, before);
    let other = Server::start(&[]);
    let of = |server: &Server| server.place.split_once('#').unwrap().1.to_owned();
    assert_ne!(of(&other), of(&server));
}

#[test]
fn servers_that_start_at_once_are_the_same() {
    let data = folder().join("data");
    let mut servers: Vec<_> = (0..4).map(|_| serve(&data)).collect();
    let seen: Vec<_> = servers
        .iter_mut()
        .map(|server| server.sees("Fingerprint:  "))
        .collect();
    assert!(seen.iter().all(|line| *line == seen[0]), "{seen:?}");
    let (code, output, _) = fingerprint(&data);
    assert_eq!(
        (code, format!("Fingerprint:  {output}")),
        (0, seen[0].clone() + "\n")
    );
}

#[test]
fn keys_are_for_their_owner_alone_or_the_server_does_not_start() {
    let data = folder().join("data");
    serve(&data).sees("Join with:  ");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for name in ["server.key", "ticket.key"] {
        let path = data.join(name);
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let mut server = serve(&data);
        server.sees(&format!("run `chmod 600 {}`", path.display()));
        assert_eq!(server.ends(), 1);
        assert!(!server.has_seen("Listening"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::write(data.join("server.key"), "simplechat").unwrap();
    let mut server = serve(&data);
    server.sees("server.key is damaged");
    assert_eq!(server.ends(), 1);
}

#[test]
fn data_are_in_the_directory_of_the_user_unless_another_is_named() {
    let home = folder();
    let accounts = file("credentials.txt", ACCOUNTS);
    let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--credentials"]);
    command.arg(accounts).env("XDG_DATA_HOME", &home);
    Process::start("server", command).sees("Join with:  ");
    assert!(home.join("simplechat/server/server.key").exists());
}

#[test]
fn a_fingerprint_is_shown_and_none_is_made() {
    let data = folder().join("data");
    let (code, output, errors) = fingerprint(&data);
    assert_eq!((code, output.as_str()), (1, ""));
    assert_eq!(
        errors,
        format!(
            "simplechat: there is no server's key in {}: `simplechat serve` makes one at its first start\n",
            data.display()
        )
    );
    assert!(!data.exists());
}

#[test]
fn known_servers_are_listed_and_forgotten() {
    let data = folder();
    let path = data.join("known_servers");
    let known = |args: &[&str]| {
        run(
            &[&["known"], args, &["--data", data.to_str().unwrap()]].concat(),
            "",
        )
    };
    assert_eq!(known(&["list"]), (0, String::new(), String::new()));
    assert!(!path.exists());

    let written =
        format!("# mine\nchat.example.org:5150 {KEY} 2027-01-15\n[::1]:1 {KEY} 2027-02-01\n");
    fs::write(&path, &written).unwrap();
    let (code, output, _) = known(&["list"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(output, @r#"
    chat.example.org:5150 mrf7-ct6w-mk4y-6ogy-hw6s-zgwv-yfya-72x4 2027-01-15
    [::1]:1 mrf7-ct6w-mk4y-6ogy-hw6s-zgwv-yfya-72x4 2027-02-01
    "#);

    let (code, output, _) = known(&["forget", "Chat.Example.org:5150"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(output, @r#"
    forgotten: chat.example.org:5150 mrf7-ct6w-mk4y-6ogy-hw6s-zgwv-yfya-72x4 2027-01-15
    "#);
    let (code, _, errors) = known(&["forget", "chat.example.org:5150"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(errors, @r#"
    simplechat: chat.example.org:5150 is not known: `simplechat known list` shows those that are
    "#);
    assert_eq!(known(&["forget", "nowhere"]).0, 2);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("# mine\n[::1]:1 {KEY} 2027-02-01\n")
    );

    fs::write(&path, "localhost:1 what\n").unwrap();
    let (code, output, errors) = known(&["list"]);
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(
        errors.contains("known_servers:1: after the place comes"),
        "{errors}"
    );
}

#[test]
fn a_fingerprint_that_is_none_is_said() {
    let (code, _, errors) = run(&["join", "localhost:1#abc"], "");
    assert_eq!(code, 2);
    assert!(
        errors.contains("localhost:1#abc: after the # comes the fingerprint"),
        "{errors}"
    );
    let (code, _, errors) = run(&["join", "localhost:1", "--server-key", "abc"], "");
    assert_eq!(code, 2);
    assert!(
        errors.contains("a fingerprint has 32 letters and digits"),
        "{errors}"
    );
}
