//! Tests of the known servers.

use std::fs;

use proptest::prelude::*;
use simplechat_core::key::KEY_LEN;

use super::*;
use crate::data::tests::Folder;

const DAY: Date = jiff::civil::date(2027, 1, 15);

fn key(byte: u8) -> PublicKey {
    PublicKey([byte; KEY_LEN])
}

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

fn servers() -> (Folder, KnownServers) {
    let folder = Folder::new();
    let directory = DataDirectory::make(&folder.path).unwrap();
    (folder, KnownServers::of(&directory))
}

fn text(folder: &Folder) -> String {
    fs::read_to_string(folder.path.join(NAME)).unwrap()
}

#[test]
fn what_was_remembered_is_known_by_place_and_key() {
    let (folder, servers) = servers();
    let home = place("localhost:5150");
    assert_eq!(servers.look_up(&home, &key(1)).unwrap(), Known::Unknown);
    assert_eq!(servers.remember(&home, &key(1), DAY).unwrap(), Known::Same);
    assert_eq!(servers.look_up(&home, &key(1)).unwrap(), Known::Same);
    assert_eq!(
        servers.look_up(&home, &key(2)).unwrap(),
        Known::Changed(key(1))
    );
    let other_port = place("localhost:5151");
    assert_eq!(
        servers.look_up(&other_port, &key(1)).unwrap(),
        Known::Unknown
    );
    assert_eq!(
        servers.look_up(&place("LOCALHOST:5150"), &key(1)).unwrap(),
        Known::Same
    );
    insta::assert_snapshot!(text(&folder), @r#"
    # The servers that this client knows: place, key, first seen. `simplechat known` shows and forgets them.
    localhost:5150 aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq 2027-01-15
    "#);
}

#[test]
fn another_key_is_not_written_over_the_known_one() {
    let (folder, servers) = servers();
    let home = place("localhost:5150");
    servers.remember(&home, &key(1), DAY).unwrap();
    let before = text(&folder);
    assert_eq!(
        servers.remember(&home, &key(2), DAY).unwrap(),
        Known::Changed(key(1))
    );
    assert_eq!(servers.remember(&home, &key(1), DAY).unwrap(), Known::Same);
    assert_eq!(text(&folder), before);
}

#[test]
fn what_is_forgotten_is_unknown() {
    let (_folder, servers) = servers();
    let (home, work) = (place("localhost:5150"), place("work:1"));
    servers.remember(&home, &key(1), DAY).unwrap();
    servers.remember(&work, &key(2), DAY).unwrap();
    let forgotten = servers.forget(&home).unwrap();
    assert_eq!(forgotten.len(), 1);
    assert_eq!(forgotten[0].key, key(1));
    assert_eq!(servers.look_up(&home, &key(2)).unwrap(), Known::Unknown);
    assert_eq!(servers.look_up(&work, &key(2)).unwrap(), Known::Same);
    assert_eq!(servers.forget(&home).unwrap(), []);
}

#[test]
fn what_people_and_later_versions_wrote_stays_as_it_is() {
    let (folder, servers) = servers();
    let digits = BASE32_NOPAD.encode(&[7; KEY_LEN]);
    let line = |place: &str| format!("{place}   {digits} 2026-01-01 and more\n");
    let (first, second) = (line("a:1"), line("b:2"));
    let written =
        format!("# mine\n\n{first}@revoked something else\n  # indented\n{second}# the end");
    fs::write(folder.path.join(NAME), &written).unwrap();
    assert_eq!(servers.list().unwrap().len(), 2);
    servers.forget(&place("a:1")).unwrap();
    assert_eq!(text(&folder), written.replace(&first, ""));
    servers.remember(&place("c:3"), &key(1), DAY).unwrap();
    let after = text(&folder);
    assert!(
        after.starts_with(&format!("{}\nc:3 ", written.replace(&first, ""))),
        "{after}"
    );
}

#[test]
fn a_place_may_have_two_keys() {
    let (folder, servers) = servers();
    let line = |byte| BASE32_NOPAD.encode(&[byte; KEY_LEN]);
    let lines = format!("a:1 {} 2026-01-01\na:1 {} 2026-01-01\n", line(1), line(2));
    fs::write(folder.path.join(NAME), lines).unwrap();
    for (byte, known) in [
        (1, Known::Same),
        (2, Known::Same),
        (3, Known::Changed(key(1))),
    ] {
        assert_eq!(servers.look_up(&place("a:1"), &key(byte)).unwrap(), known);
    }
    assert_eq!(servers.forget(&place("a:1")).unwrap().len(), 2);
}

#[test]
fn damaged_lines_are_named_and_nothing_is_written() {
    let (folder, servers) = servers();
    let damaged = "# fine\nlocalhost\na:1\na:1 abc 2026-01-01\n";
    let digits = BASE32_NOPAD.encode(&[7; KEY_LEN]);
    let damaged = format!("{damaged}a:1 {digits} yesterday\nb:1 {digits} 2026-01-01\n");
    fs::write(folder.path.join(NAME), &damaged).unwrap();
    let why = |error: DataError| {
        let path = folder.path.display().to_string();
        error.to_string().replace(&path, "DIR")
    };
    insta::assert_snapshot!(why(servers.list().unwrap_err()), @r#"
    DIR/known_servers:2: localhost: write the server as HOST:PORT, as in localhost:5150
    DIR/known_servers:3: after the place comes the server's key: 52 letters and digits
    DIR/known_servers:4: after the place comes the server's key: 52 letters and digits
    DIR/known_servers:5: after the key comes the day on which it was first seen, as in 2027-01-15
    Mend or remove what is wrong there; nothing was changed.
    "#);
    assert!(servers.look_up(&place("b:1"), &key(7)).is_err());
    assert!(servers.remember(&place("c:1"), &key(1), DAY).is_err());
    assert!(servers.forget(&place("b:1")).is_err());
    assert_eq!(text(&folder), damaged);

    fs::write(folder.path.join(NAME), b"# fine\n\xff\n").unwrap();
    insta::assert_snapshot!(why(servers.list().unwrap_err()), @r#"
    DIR/known_servers:2: the line is not UTF-8 text
    Mend or remove what is wrong there; nothing was changed.
    "#);
}

#[test]
fn it_does_not_grow_without_bound() {
    let (folder, mut servers) = servers();
    servers.len_max = 300;
    servers.remember(&place("a:1"), &key(1), DAY).unwrap();
    servers.remember(&place("b:1"), &key(1), DAY).unwrap();
    let before = text(&folder);
    let error = servers.remember(&place("c:1"), &key(1), DAY).unwrap_err();
    assert!(error.to_string().contains("larger than 300 bytes"));
    assert_eq!(text(&folder), before);
    fs::write(folder.path.join(NAME), "#".repeat(301)).unwrap();
    assert!(matches!(
        servers.list(),
        Err(DataError::TooManyServers { .. })
    ));
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_write_is_refused_and_one_that_they_can_read_is_not() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, servers) = servers();
    servers.remember(&place("a:1"), &key(1), DAY).unwrap();
    let path = folder.path.join(NAME);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(servers.list().unwrap().len(), 1);
    for mode in [0o620, 0o602] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(servers.list(), Err(DataError::OpenFile(_))));
    }
}

#[test]
fn clients_that_remember_at_once_lose_nothing() {
    let (_folder, servers) = servers();
    std::thread::scope(|scope| {
        for number in 1..=8u8 {
            let servers = servers.clone();
            scope.spawn(move || {
                let place = place(&format!("host:{number}"));
                servers.remember(&place, &key(number), DAY).unwrap();
            });
        }
    });
    assert_eq!(servers.list().unwrap().len(), 8);
}

proptest! {
    // Each case waits for the disk.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_line_that_was_written_reads_back(bytes: [u8; KEY_LEN], port in 1u16.., host in "[a-z0-9.-]{1,20}") {
        let (_folder, servers) = servers();
        let place = place(&format!("{host}:{port}"));
        servers.remember(&place, &PublicKey(bytes), DAY).unwrap();
        let read = KnownServer { place, key: PublicKey(bytes), first_seen: DAY };
        prop_assert_eq!(servers.list().unwrap(), [read]);
    }
}

proptest! {
    #[test]
    fn any_line_is_taken_or_refused(line in "\\PC*|[@#a-z:0-9 ]{0,80}") {
        let _ = parse_line(&line);
    }
}
