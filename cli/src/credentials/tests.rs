//! Tests of the reader of accounts.

use proptest::prelude::*;

use super::*;

/// Tests have no time for more.
fn cheap() -> Cost {
    Cost::new(8, 1)
}

fn parse(text: &str) -> Result<Credentials, CredentialsError> {
    Credentials::parse("credentials.txt", text.as_bytes(), cheap())
}

fn verify(credentials: &Credentials, name: Name, password: &Password) -> bool {
    credentials.check(name, password, &mut Workbench::default())
}

fn hash(password_text: &str, cost: Cost) -> String {
    let salt = [1; 16];
    let made = Hash::make(
        &password(password_text),
        cost,
        salt,
        &mut Workbench::default(),
    );
    made.unwrap().as_str().into()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text.into()).unwrap()
}

#[test]
fn accounts_are_read_and_verified() {
    let credentials = parse("alice secret\n  Bob \t pass#word  \ncarol \u{1f511}").unwrap();
    assert_eq!(
        credentials.names().collect::<Vec<_>>(),
        [name("alice"), name("bob"), name("carol")]
    );
    assert!(verify(&credentials, name("ALICE"), &password("secret")));
    assert!(verify(&credentials, name("bob"), &password("pass#word")));
    assert!(verify(&credentials, name("carol"), &password("\u{1f511}")));
    for wrong in [
        "Secret",
        "secre",
        "secrets",
        "secret\0",
        "secret ",
        "pass#word",
    ] {
        assert!(!verify(&credentials, name("alice"), &password(wrong)));
    }
    assert!(!verify(&credentials, name("dave"), &password("secret")));
    assert!(!verify(&credentials, name("dave"), &password("\0")));
}

#[test]
fn a_password_may_use_all_its_bytes() {
    let longest = "x".repeat(PASSWORD_LEN_MAX);
    let credentials = parse(&format!("alice {longest}")).unwrap();
    assert!(verify(&credentials, name("alice"), &password(&longest)));
    assert!(!verify(
        &credentials,
        name("alice"),
        &password(&longest[1..])
    ));
    let mut other = longest;
    other.replace_range(PASSWORD_LEN_MAX - 1.., "y");
    assert!(!verify(&credentials, name("alice"), &password(&other)));
}

#[test]
fn comments_blank_lines_and_habits_of_editors_are_taken() {
    let credentials = parse("\u{feff}# accounts\r\n\r\n   # more\r\nalice secret\r\n \t \r\n");
    assert!(verify(
        &credentials.unwrap(),
        name("alice"),
        &password("secret")
    ));
}

#[test]
fn every_bad_line_is_named() {
    let long = format!("grace {}", "x".repeat(PASSWORD_LEN_MAX + 1));
    let mut text = [
        "# accounts",
        "alice sesame-1",
        "al!ce sesame-2",
        "bob",
        "carol sesame-3 # of the choir",
        "Alice sesame-4",
        "-dave sesame-5",
        &long,
        &format!("{} sesame-6", "h".repeat(33)),
    ]
    .join("\n")
    .into_bytes();
    text.extend(b"\nivan s\xe9same");
    let error = Credentials::parse("credentials.txt", &text, cheap())
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(error, @r#"
    credentials.txt:3: a name is made of ASCII letters, digits, '.', '_' and '-', and '!' is none of them
    credentials.txt:4: a password is missing: write the name and the password, separated by white space
    credentials.txt:5: something follows the password: a password holds no white space, and a comment has a line of its own
    credentials.txt:6: alice has an account already, on line 2
    credentials.txt:7: a name starts with a letter or digit, not with '-'
    credentials.txt:8: the password has 257 bytes, and at most 256 are taken
    credentials.txt:9: a name has at most 32 characters, and this one has 33
    credentials.txt:10: the line is not UTF-8 text: save the file as UTF-8
    "#);
    assert!(!error.contains("sesame"));
}

#[test]
fn of_many_bad_lines_the_first_are_shown() {
    let error = parse(&"alice\n".repeat(30)).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 21);
    assert!(error.ends_with("\nand 10 more"));
}

#[test]
fn a_file_that_gives_no_accounts_says_what_to_write() {
    let missing = Credentials::read(Path::new("no/such/credentials.txt"), cheap()).unwrap_err();
    insta::assert_snapshot!(missing, @r#"
    there is no credentials file no/such/credentials.txt: make one with an account on each line, its name and its password separated by white space, such as
        alice her-password
    "#);
    insta::assert_snapshot!(parse("# nobody yet\n").unwrap_err(), @r#"
    credentials.txt has no account: write each on a line of its own, its name and its password separated by white space, such as
        alice her-password
    "#);
    let directory = Credentials::read(Path::new(env!("CARGO_MANIFEST_DIR")), cheap()).unwrap_err();
    assert!(matches!(directory, CredentialsError::Unreadable { .. }));
}

#[test]
fn the_sample_has_a_dozen_accounts_with_distinct_passwords() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../credentials.txt");
    let credentials = Credentials::read(&path, cheap()).unwrap();
    let names: Vec<_> = credentials.names().map(|name| name.to_string()).collect();
    assert_eq!(
        names.join(" "),
        "alice bob carol dave erin frank grace heidi ivan judy mallory niaj"
    );
    let sample = fs::read_to_string(path).unwrap();
    let passwords: std::collections::BTreeSet<_> = sample
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(passwords.len(), names.len());
}

#[test]
fn passwords_are_not_shown() {
    let credentials = parse("alice sesame").unwrap();
    assert_eq!(format!("{credentials:?}"), "Credentials(1 accounts)");
}

#[test]
fn a_hash_is_taken_in_place_of_a_password() {
    let text = format!("alice {}\nbob b-pw\n", hash("sesame", cheap()));
    let credentials = parse(&text).unwrap();
    assert!(verify(&credentials, name("alice"), &password("sesame")));
    assert!(!verify(&credentials, name("alice"), &password("Sesame")));
    assert!(!verify(&credentials, name("alice"), &password("b-pw")));
    assert!(verify(&credentials, name("bob"), &password("b-pw")));
    assert_eq!((credentials.plain(), credentials.weak()), (1, 1));
}

#[test]
fn a_hash_that_cannot_be_used_is_named_with_its_line() {
    let text = "alice a\nbob $argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg\n\
                carol $argon2id$sesame\n\
                dave $argon2id$v=19$m=999999999,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg";
    insta::assert_snapshot!(parse(text).unwrap_err(), @r"
    credentials.txt:2: this hash is of another kind: only Argon2id of version 19 is taken
    credentials.txt:3: this hash cannot be read: it looks like $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH
    credentials.txt:4: this hash takes too much to check: at most m=262144 (KiB), t=16 and p=16 are taken
    ");
}

/// What a check costs tells nothing: neither whether there is such a name, nor whether its password is hashed.
#[test]
fn every_check_costs_one_hash_like_those_of_the_accounts() {
    let check = |credentials: &Credentials, name: Name| {
        let mut bench = Workbench::default();
        let _ = credentials.check(name, &password("a-pw"), &mut bench);
        bench.done
    };
    let hashed = format!("alice a-pw\nbob {}", hash("b-pw", cheap()));
    let credentials = parse(&hashed).unwrap();
    for who in ["alice", "bob", "nobody"] {
        assert_eq!(check(&credentials, name(who)), [cheap()], "{who}");
    }
    let dearer = Cost::new(16, 2);
    let mixed = format!(
        "alice {}\nbob {}",
        hash("a-pw", cheap()),
        hash("b-pw", dearer)
    );
    let credentials = parse(&mixed).unwrap();
    let strangers: Vec<_> = (0..64).map(|number| name(&format!("x{number}"))).collect();
    let costs: Vec<_> = strangers
        .iter()
        .map(|stranger| check(&credentials, *stranger))
        .collect();
    assert!(costs.contains(&vec![cheap()]) && costs.contains(&vec![dearer]));
    let again = strangers
        .iter()
        .map(|stranger| check(&credentials, *stranger));
    assert!(again.eq(costs), "asking again tells nothing");
}

#[test]
fn a_digest_changes_with_its_line_and_with_nothing_else() {
    let digests = |text: &str, key: u8| -> Vec<_> {
        let credentials = parse(text).unwrap();
        let key = [key; 32];
        let digests = credentials.entries(&key).map(|entry| entry.credentials);
        digests.collect()
    };
    let text = "alice a-pw\nbob b-pw";
    let before = digests(text, 1);
    assert_ne!(before[0], before[1]);
    assert_eq!(digests("# staff\n Bob\tb-pw\n\nAlice  a-pw\r\n", 1), before);
    let hashed = format!("alice {}\nbob b-pw", hash("a-pw", cheap()));
    let after = digests(&hashed, 1);
    assert_eq!(
        (after[0] == before[0], after[1] == before[1]),
        (false, true)
    );
    assert!(
        digests(text, 2).iter().all(|other| !before.contains(other)),
        "it is keyed"
    );
    assert_ne!(
        digests("alice pw\nbob pw", 1)[0],
        digests("alice pw\nbob pw", 1)[1]
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        let _ = Credentials::parse("credentials.txt", &bytes, cheap());
    }

    /// A password in any field or place of a bad line stays out of the error.
    #[test]
    fn no_error_shows_a_password(before in "[ a-z#!-]{0,8}", after in "[ a-z#]{0,8}") {
        if let Err(error) = parse(&format!("{before}SESAME{after}")) {
            let shown = format!("{error} {error:?}").to_uppercase();
            prop_assert!(!shown.contains("SESAME"), "{}", shown);
        }
    }

    #[test]
    fn only_the_own_password_is_right(
        accounts in prop::collection::btree_map("[a-z]{1,3}", "[ab\\x00]{1,3}", 1..5),
        given_name in "[a-z]{1,2}",
        given_password in "[ab\\x00]{1,4}",
    ) {
        let text: String = accounts
            .iter()
            .map(|(name, password)| format!("{name}\t{password}\n"))
            .collect();
        let credentials = parse(&text).unwrap();
        for (known_name, known_password) in &accounts {
            prop_assert!(verify(&credentials, name(known_name), &password(known_password)));
        }
        prop_assert_eq!(
            verify(&credentials, name(&given_name), &password(&given_password)),
            accounts.get(&given_name) == Some(&given_password)
        );
    }
}
