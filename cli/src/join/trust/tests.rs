//! Tests of the decision, and of what is said and remembered.

use clap::Parser as _;
use simplechat_core::key::KEY_LEN;

use super::*;
use crate::args::{Arguments, Command};
use crate::data::Folder;

const HERE: &str = "127.0.0.1:5150";
const ELSEWHERE: &str = "192.0.2.1:5150";

fn key(byte: u8) -> PublicKey {
    PublicKey([byte; KEY_LEN])
}

/// A server elsewhere that nothing is known of, shows key 1, and nobody is there.
fn case() -> Case {
    Case {
        place: "chat.example.org:5150".parse().unwrap(),
        shown: key(1),
        given: None,
        known: Known::Unknown,
        new_servers: NewServers::Refuse,
        reach: Reach::Beyond,
        audience: Audience::Nobody,
        file: PathBuf::from("DIR/known_servers"),
    }
}

/// A case for each combination of what was not given.
fn all(given: Option<Fingerprint>, known: Known) -> Vec<Case> {
    let mut cases = Vec::new();
    for new_servers in [NewServers::Accept, NewServers::Refuse] {
        for reach in [Reach::ThisMachine, Reach::Beyond] {
            for audience in [Audience::Person, Audience::Nobody] {
                cases.push(Case {
                    given,
                    known,
                    new_servers,
                    reach,
                    audience,
                    ..case()
                });
            }
        }
    }
    cases
}

const ALL_KNOWN: [Known; 3] = [
    Known::Same,
    Known::Unknown,
    Known::Changed(PublicKey([2; KEY_LEN])),
];

#[test]
fn another_key_than_the_given_one_is_refused_whatever_else_holds() {
    let given = key(3).fingerprint();
    for case in ALL_KNOWN
        .into_iter()
        .flat_map(|known| all(Some(given), known))
    {
        let refused = Decision::Refuse(Refusal::NotAsGiven(given));
        assert_eq!(case.decide(), refused, "{case:?}");
    }
}

#[test]
fn a_changed_key_is_refused_whatever_else_holds() {
    for given in [None, Some(key(1).fingerprint())] {
        for case in all(given, Known::Changed(key(2))) {
            let refused = Decision::Refuse(Refusal::Changed(key(2).fingerprint()));
            assert_eq!(case.decide(), refused, "{case:?}");
        }
    }
}

#[test]
fn the_known_key_is_trusted_whatever_else_holds() {
    for given in [None, Some(key(1).fingerprint())] {
        for case in all(given, Known::Same) {
            assert_eq!(case.decide(), Decision::Trust, "{case:?}");
        }
    }
}

#[test]
fn a_new_server_with_the_given_key_is_remembered_without_a_question() {
    for case in all(Some(key(1).fingerprint()), Known::Unknown) {
        assert_eq!(case.decide(), Decision::TrustAndRemember, "{case:?}");
    }
}

#[test]
fn about_any_other_new_server_a_person_is_asked() {
    let decide = |new_servers, reach, audience| {
        let case = Case {
            new_servers,
            reach,
            audience,
            ..case()
        };
        case.decide()
    };
    use Audience::{Nobody, Person};
    use NewServers::{Accept, Refuse};
    use Reach::{Beyond, ThisMachine};
    let unknown = Decision::Refuse(Refusal::Unknown);
    let beyond = Decision::Refuse(Refusal::AcceptNewBeyond);
    for (new_servers, reach, audience, decision) in [
        (Refuse, ThisMachine, Person, Decision::Ask),
        (Refuse, Beyond, Person, Decision::Ask),
        (Refuse, ThisMachine, Nobody, unknown),
        (Refuse, Beyond, Nobody, unknown),
        (Accept, ThisMachine, Person, Decision::TrustAndRemember),
        (Accept, ThisMachine, Nobody, Decision::TrustAndRemember),
        // The flag is no reason to ask less about a server elsewhere.
        (Accept, Beyond, Person, Decision::Ask),
        (Accept, Beyond, Nobody, beyond),
    ] {
        assert_eq!(
            decide(new_servers, reach, audience),
            decision,
            "{new_servers:?}, {reach:?}, {audience:?}"
        );
    }
}

#[test]
fn only_loopback_is_this_machine() {
    for (address, reach) in [
        ("127.0.0.1:1", Reach::ThisMachine),
        ("127.8.9.1:1", Reach::ThisMachine),
        ("[::1]:1", Reach::ThisMachine),
        ("[::ffff:127.0.0.1]:1", Reach::ThisMachine),
        ("192.168.0.1:1", Reach::Beyond),
        ("0.0.0.0:1", Reach::Beyond),
        ("[::]:1", Reach::Beyond),
        ("[::ffff:192.0.2.1]:1", Reach::Beyond),
    ] {
        assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
    }
}

#[test]
fn what_is_said() {
    let case = Case {
        given: Some(key(1).fingerprint()),
        ..case()
    };
    insta::assert_snapshot!("question", case.question());
    let refusals = [
        Refusal::NotAsGiven(key(3).fingerprint()),
        Refusal::Changed(key(2).fingerprint()),
        Refusal::Unknown,
        Refusal::AcceptNewBeyond,
        Refusal::Declined,
    ];
    let said = refusals.map(|refusal| {
        let failure = failure(case.refuse(refusal));
        assert_eq!(failure.exit, Exit::Untrusted);
        failure.message
    });
    insta::assert_snapshot!("refusals", said.join("\n\n"));
}

fn failure(untrusted: Untrusted) -> Failure {
    match untrusted {
        Untrusted::OtherKey(failure) | Untrusted::Unknown(failure) => failure,
    }
}

#[test]
fn only_who_knows_the_server_by_another_key_looks_for_it_elsewhere() {
    let is_other = |refusal| matches!(case().refuse(refusal), Untrusted::OtherKey(_));
    assert!(is_other(Refusal::NotAsGiven(key(3).fingerprint())));
    assert!(is_other(Refusal::Changed(key(2).fingerprint())));
    for refusal in [
        Refusal::Unknown,
        Refusal::AcceptNewBeyond,
        Refusal::Declined,
    ] {
        assert!(!is_other(refusal), "{refusal:?}");
    }
}

fn trust(folder: &Folder, place: &str, flags: &[&str]) -> Result<Trust, Failure> {
    let words = ["simplechat", "join", place]
        .into_iter()
        .chain(flags.iter().copied());
    let Command::Join(args) = Arguments::parse_from(words).command else {
        panic!("that is join");
    };
    let settings = JoinSettings {
        data: Some(folder.path.clone()),
        ..JoinSettings::default()
    };
    Trust::new(&args, &settings)
}

/// What comes of meeting a server, with a person who gives these answers, or nobody.
fn meet(trust: &Trust, shown: PublicKey, address: &str, answers: Option<&[&str]>) -> Exit {
    let mut left = answers.unwrap_or_default().iter();
    let mut ask = |_: &str, _: &str| left.next().map(ToString::to_string);
    let person = answers.map(|_| &mut ask as Ask<'_>);
    let settled = trust.settle(shown, address.parse().unwrap(), person);
    settled.map_or_else(|untrusted| failure(untrusted).exit, |()| Exit::Ok)
}

#[test]
fn what_a_person_has_trusted_is_trusted_without_one() {
    let folder = Folder::new();
    let trust = trust(&folder, "chat.example.org:5150", &[]).unwrap();
    assert_eq!(meet(&trust, key(1), ELSEWHERE, None), Exit::Untrusted);
    assert_eq!(
        meet(&trust, key(1), ELSEWHERE, Some(&["no"])),
        Exit::Untrusted
    );
    assert_eq!(meet(&trust, key(1), ELSEWHERE, Some(&[])), Exit::Untrusted);
    let answers: &[_] = &["y", "", "yes please", " YES "];
    assert_eq!(meet(&trust, key(1), ELSEWHERE, Some(answers)), Exit::Ok);
    assert_eq!(meet(&trust, key(1), ELSEWHERE, None), Exit::Ok);
    assert_eq!(
        meet(&trust, key(2), ELSEWHERE, Some(&["yes"])),
        Exit::Untrusted
    );
    trust.known_servers.forget(&trust.place).unwrap();
    assert_eq!(meet(&trust, key(2), ELSEWHERE, Some(&["yes"])), Exit::Ok);
}

#[test]
fn a_given_fingerprint_or_this_machine_needs_nobody() {
    let folder = Folder::new();
    let fingerprint = key(1).fingerprint();
    let place = format!("chat.example.org:5150#{fingerprint}");
    let given = trust(&folder, &place, &[]).unwrap();
    assert_eq!(meet(&given, key(2), ELSEWHERE, None), Exit::Untrusted);
    assert_eq!(meet(&given, key(1), ELSEWHERE, None), Exit::Ok);

    let fingerprint = fingerprint.to_string();
    let by_flag = trust(&folder, "other:1", &["--server-key", &fingerprint]).unwrap();
    assert_eq!(meet(&by_flag, key(2), ELSEWHERE, None), Exit::Untrusted);
    assert_eq!(meet(&by_flag, key(1), ELSEWHERE, None), Exit::Ok);

    let new = trust(&folder, "localhost:1", &["--accept-new"]).unwrap();
    assert_eq!(meet(&new, key(1), ELSEWHERE, None), Exit::Untrusted);
    assert_eq!(meet(&new, key(1), HERE, None), Exit::Ok);
    assert_eq!(meet(&new, key(2), HERE, None), Exit::Untrusted);
}

#[test]
fn two_fingerprints_that_differ_are_a_mistake() {
    let folder = Folder::new();
    let [one, other] = [1, 2].map(|byte| key(byte).fingerprint().to_string());
    let place = format!("localhost:1#{one}");
    assert!(trust(&folder, &place, &["--server-key", &one]).is_ok());
    let failure = trust(&folder, &place, &["--server-key", &other]).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
}

#[test]
fn damaged_known_servers_let_nobody_in() {
    let folder = Folder::new();
    let new = trust(&folder, "localhost:1", &["--accept-new"]).unwrap();
    std::fs::write(new.known_servers.path(), "what is this\n").unwrap();
    assert_eq!(meet(&new, key(1), HERE, None), Exit::Failed);
}
