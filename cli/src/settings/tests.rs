//! Tests of the settings, in all their layers.

use std::time::Duration;

use proptest::prelude::*;
use simplechat_core::server::config::Config;
use simplechat_core::server::lockout::LockoutRule;

use super::*;

/// Loads as the program does, with the text of a file in place of the file.
fn load(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> Result<Settings, Problems> {
    let environment = environment
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let overrides: Vec<_> = flags
        .iter()
        .map(|flag| Override::from_assignment(flag, "--set").unwrap())
        .collect();
    let mut draft = Draft::default();
    draft.apply_file("simplechat.ron", file.as_bytes());
    draft.apply_environment(environment);
    draft.apply_overrides(&overrides);
    draft.finish()
}

fn wrong(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> String {
    load(file, environment, flags).unwrap_err().to_string()
}

fn wrong_files(files: &[&str]) -> String {
    let all: Vec<_> = files
        .iter()
        .map(|file| format!("{file}\n{}", wrong(file, &[], &[])))
        .collect();
    all.join("\n\n")
}

#[test]
fn the_text_of_all_defaults_explains_itself_and_reads_back() {
    let text = Settings::default().to_ron();
    insta::assert_snapshot!(text);
    assert_eq!(load(&text, &[], &[]), Ok(Settings::default()));
    assert!(text.lines().all(|line| line.chars().count() <= 120));
}

#[test]
fn the_defaults_are_those_of_the_server() {
    assert_eq!(ServeSettings::default().to_config(), Config::default());
}

#[test]
fn no_file_and_files_that_set_nothing_give_the_defaults() {
    let none = Settings::load(None, [], &[]).unwrap();
    assert_eq!(none, Settings::default());
    for file in [
        "",
        "\n  // nothing yet\n",
        "()",
        "(serve: ())",
        "(serve: (), join: (),)",
        "\u{feff}()\r\n",
        "#![enable(implicit_some)]\n()",
    ] {
        assert_eq!(load(file, &[], &[]), Ok(Settings::default()), "{file}");
    }
}

#[test]
fn a_file_is_read_from_the_disk() {
    let path = std::env::temp_dir().join(format!("simplechat-settings-{}.ron", std::process::id()));
    std::fs::write(&path, "(serve: (timeout: \"2m\"))").unwrap();
    let settings = Settings::load(Some(&path), [], &[]).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(settings.serve.timeout, Duration::from_secs(120));
    let missing = Settings::load(Some(Path::new("no/such.ron")), [], &[]).unwrap_err();
    insta::assert_snapshot!(missing, @r#"
    there is no settings file no/such.ron; one with all defaults is written by: simplechat config > no/such.ron
    "#);
}

#[test]
fn each_layer_overrules_the_one_before() {
    let file = r#"(
        serve: (
            timeout: "40s", worker_threads: 3, lockout: account, /* a comment, (really) */
            max_text: 1_000, listen: "[::]:7",
        ),
        join: (listen: "127.0.0.1:9"),
    )"#;
    let environment = [
        ("SIMPLECHAT_SERVE_TIMEOUT", "50s"),
        ("SIMPLECHAT_SERVE_MAX_TEXT", "2000"),
        ("SIMPLECHAT_JOIN_LISTEN", "none"),
        ("SIMPLECHAT_CONFIG", "is none of ours"),
        ("SERVE_TIMEOUT", "nor is this"),
    ];
    let flags = [
        "serve.timeout=60s",
        "serve.listen = 0.0.0.0:0",
        "serve.credentials=a b=c.txt",
        "serve.timeout=70s",
    ];
    let settings = load(file, &environment, &flags).unwrap();
    assert_eq!(settings.serve.timeout, Duration::from_secs(70));
    assert_eq!(settings.serve.max_text, 2_000);
    assert_eq!(settings.serve.worker_threads, 3);
    assert_eq!(settings.serve.lockout, LockoutRule::Account);
    assert_eq!(settings.serve.listen, ["0.0.0.0:0".parse().unwrap()]);
    assert_eq!(settings.serve.credentials, Path::new("a b=c.txt"));
    assert_eq!(settings.join.listen, None);
    assert_eq!(
        settings.serve.heartbeat_interval,
        ServeSettings::default().heartbeat_interval
    );
    let joined = load("(join: (listen: Some(\"127.0.0.1:9\")))", &[], &[]).unwrap();
    assert_eq!(joined.join.listen, "127.0.0.1:9".parse().ok());
}

#[test]
fn unknown_names_are_refused_with_the_nearest_known_one() {
    let file = "(\n  serve: (\n    timout: \"9s\",\n    speed: 3,\n  ),\n  sevre: (),\n  timeout: \"9s\",\n  \
                chat: (),\n  join: (timeout: \"9s\"),\n)";
    let environment = [
        ("SIMPLECHAT_SERVE_TIMOUT", "9s"),
        ("SIMPLECHAT_SERVE_timeout", "9s"),
        ("SIMPLECHAT_JOIN_COLOUR", "red"),
    ];
    let flags = [
        "serve.timout=9s",
        "timeout=9s",
        "listen=1",
        "colour=red",
        "serve.=1",
    ];
    insta::assert_snapshot!(wrong(file, &environment, &flags), @r#"
    simplechat.ron:3:5: serve has no setting "timout": did you mean timeout?
    simplechat.ron:4:5: serve has no setting "speed": "simplechat config" lists them all
    simplechat.ron:6:3: there is no section "sevre": did you mean serve?
    simplechat.ron:7:3: timeout belongs into a section: serve: (timeout: …)
    simplechat.ron:8:3: there is no section "chat": there are serve and join
    simplechat.ron:9:10: join has no setting "timeout": it is one of serve
    SIMPLECHAT_JOIN_COLOUR: join has no setting "COLOUR": "simplechat config" lists them all
    SIMPLECHAT_SERVE_TIMOUT: serve has no setting "TIMOUT": did you mean SIMPLECHAT_SERVE_TIMEOUT?
    SIMPLECHAT_SERVE_timeout: serve has no setting "timeout": did you mean SIMPLECHAT_SERVE_TIMEOUT?
    --set: serve has no setting "timout": did you mean serve.timeout?
    --set: there is no setting "timeout": did you mean serve.timeout?
    --set: there is no setting "listen": did you mean serve.listen or join.listen?
    --set: there is no setting "colour": "simplechat config" lists them all
    --set: serve has no setting "": "simplechat config" lists them all
    "#);
    assert_eq!(
        Override::from_assignment("serve.timeout", "--set")
            .unwrap_err()
            .to_string(),
        "there is no \"=\" in it: write a setting and its value, such as serve.timeout=95s"
    );
}

#[test]
fn broken_files_are_named_by_line_and_column() {
    insta::assert_snapshot!(wrong_files(&[
        "(\n  serve: (\n    timeout: 95s,\n  ),\n)",
        "(serve: (listen: 127.0.0.1:5150))",
        "(serve: (credentials: accounts.txt))",
        "(serve: (max_text: 5 worker_threads: 6))",
        "(serve: (max_text: 5)",
        "serve: (max_text: 5)",
        "{\"serve\": {}}",
        "(serve: 5)",
        "(serve: (5, 6))",
        "(serve: [])",
        "(serve: (max_text 5))",
        "(serve: (max_text: 5)) and more",
        "(serve: (max_text: 5, max_text: 6),\n serve: ())",
        "(serve: (credentials: \"a",
        "/* never closed",
        "hello",
        "5",
    ]), @r#"
    (
      serve: (
        timeout: 95s,
      ),
    )
    simplechat.ron:3:16: here should be a comma or a closing parenthesis; times, addresses and paths are written in quotes

    (serve: (listen: 127.0.0.1:5150))
    simplechat.ron:1:17: here should be a comma or a closing parenthesis; times, addresses and paths are written in quotes

    (serve: (credentials: accounts.txt))
    simplechat.ron:1:31: here should be a comma or a closing parenthesis; times, addresses and paths are written in quotes

    (serve: (max_text: 5 worker_threads: 6))
    simplechat.ron:1:22: here should be a comma or a closing parenthesis; times, addresses and paths are written in quotes

    (serve: (max_text: 5)
    simplechat.ron:1:21: here should be a comma or a closing parenthesis; times, addresses and paths are written in quotes

    serve: (max_text: 5)
    simplechat.ron:1:1: all settings stand in parentheses: (serve: (…), join: (…))

    {"serve": {}}
    simplechat.ron:1:1: all settings stand in parentheses: (serve: (…), join: (…))

    (serve: 5)
    simplechat.ron:1:9: serve must be settings in parentheses: serve: (listen: …)

    (serve: (5, 6))
    simplechat.ron:1:9: serve must be settings in parentheses: serve: (listen: …)

    (serve: [])
    simplechat.ron:1:9: serve must be settings in parentheses: serve: (listen: …)

    (serve: (max_text 5))
    simplechat.ron:1:19: here should be a comma or a closing parenthesis; times, addresses and paths are written in quotes

    (serve: (max_text: 5)) and more
    simplechat.ron:1:23: this is not RON: Non-whitespace trailing characters

    (serve: (max_text: 5, max_text: 6),
     serve: ())
    simplechat.ron:1:23: max_text is set already, on line 1
    simplechat.ron:2:2: serve is set already, on line 1

    (serve: (credentials: "a
    simplechat.ron:1:23: this is not RON: Expected end of string

    /* never closed
    simplechat.ron:1:3: this is not RON: Unclosed block comment

    hello
    simplechat.ron:1:1: all settings stand in parentheses: (serve: (…), join: (…))

    5
    simplechat.ron:1:1: all settings stand in parentheses: (serve: (…), join: (…))
    "#);
    let mut draft = Draft::default();
    draft.apply_file("simplechat.ron", b"(\n  serve: (\n // gr\xfcn\n))");
    insta::assert_snapshot!(draft.finish().unwrap_err(), @"simplechat.ron:3: the line is not UTF-8 text: save the file as UTF-8");
    assert!(load(&"(".repeat(10_000), &[], &[]).is_err());
}

#[test]
fn wrong_and_impossible_values_say_what_would_be_possible() {
    let file = r#"(
  serve: (
    listen: "localhost:5150",
    credentials: "",
    max_login_attempts: 0,
    block_time: "60",
    lockout: "account",
    account_failures: "30",
    heartbeat_interval: 30,
    timeout: "-95s",
    question_expiry: "0s",
    max_text: 61441,
    mailbox_messages: -1,
    mailbox_bytes: 4.5,
    store_after: "3 weeks",
    worker_threads: 99999999999999999999999999,
    connections_max:
        // in a moment
        [1, 2],
  ),
  join: (listen: "5150", connections_max: many),
)"#;
    insta::assert_snapshot!(wrong(file, &[], &[]), @r#"
    simplechat.ron:3:13: serve.listen must be an IP address with its port, such as "127.0.0.1:5150" or "[::1]:5150", or a list of them in brackets, not "localhost:5150"
    simplechat.ron:4:18: serve.credentials must be a path, such as "credentials.txt", not ""
    simplechat.ron:5:25: serve.max_login_attempts must be between 1 and 10000, not 0
    simplechat.ron:6:17: serve.block_time must be a time with its unit, such as "30s", "250ms" or "10m", not "60"
    simplechat.ron:7:14: serve.lockout must be account_and_source or account, without quotes, not "account"
    simplechat.ron:8:23: serve.account_failures must be a whole number in plain digits, not "30"
    simplechat.ron:9:25: serve.heartbeat_interval must be a time with its unit, such as "30s", "250ms" or "10m", not 30
    simplechat.ron:10:14: serve.timeout must be a time with its unit, such as "30s", "250ms" or "10m", not "-95s"
    simplechat.ron:11:22: serve.question_expiry must be between 1ms and 720h, not "0s"
    simplechat.ron:12:15: serve.max_text must be between 1 and 61440, not 61441
    simplechat.ron:13:23: serve.mailbox_messages must be a whole number in plain digits, not -1
    simplechat.ron:14:20: serve.mailbox_bytes must be a whole number in plain digits, not 4.5
    simplechat.ron:15:18: serve.store_after must be a time with its unit, such as "30s", "250ms" or "10m", not "3 weeks"
    simplechat.ron:16:21: serve.worker_threads must be between 1 and 1024, not 99999999999999999999999999
    simplechat.ron:19:9: serve.connections_max must be a whole number in plain digits, not [1, 2]
    simplechat.ron:21:18: join.listen must be an IP address with its port, such as "127.0.0.1:5150" or "[::1]:5150", or None, not "5150"
    simplechat.ron:21:43: join.connections_max must be a whole number in plain digits, not many
    "#);
    let environment = [
        ("SIMPLECHAT_SERVE_LISTEN", "5150"),
        ("SIMPLECHAT_SERVE_TIMEOUT", "\"95s\""),
        ("SIMPLECHAT_SERVE_MAX_TEXT", ""),
        ("SIMPLECHAT_SERVE_LOCKOUT", "a\x1b[2J\u{202e}"),
    ];
    let flags = [
        "serve.worker_threads=1025",
        "join.listen=any",
        "serve.timeout=1d",
    ];
    insta::assert_snapshot!(wrong("", &environment, &flags), @r#"
    SIMPLECHAT_SERVE_LISTEN: serve.listen must be an IP address with its port, such as 127.0.0.1:5150 or [::1]:5150, or several with commas between them, not 5150
    SIMPLECHAT_SERVE_LOCKOUT: serve.lockout must be account_and_source or account, not a�[2J�
    SIMPLECHAT_SERVE_MAX_TEXT: serve.max_text must be a whole number in plain digits, not an empty value
    SIMPLECHAT_SERVE_TIMEOUT: serve.timeout must be a time with its unit, such as 30s, 250ms or 10m, not "95s"
    --set: serve.worker_threads must be between 1 and 1024, not 1025
    --set: join.listen must be an IP address with its port, such as 127.0.0.1:5150 or [::1]:5150, or None, not any
    --set: serve.timeout must be a time with its unit, such as 30s, 250ms or 10m, not 1d
    "#);
}

#[test]
fn what_does_not_go_together_is_named_where_it_was_set_last() {
    let shown = [
        wrong("(serve: (\n timeout: \"30s\"))", &[], &[]),
        wrong("(serve: (\n heartbeat_interval: \"95s\"))", &[], &[]),
        wrong(
            "(serve: (\n heartbeat_interval: \"50s\",\n timeout: \"40s\"))",
            &[],
            &[],
        ),
        wrong(
            "(serve: (timeout: \"50s\"))",
            &[("SIMPLECHAT_SERVE_HEARTBEAT_INTERVAL", "60s")],
            &[],
        ),
        wrong(
            "(serve: (heartbeat_interval: \"50s\"))",
            &[],
            &["serve.timeout=50s"],
        ),
        wrong(
            "",
            &[],
            &["serve.dial_timeout=15s", "join.connection_deadline=2s"],
        ),
        wrong("", &[], &["serve.mailbox_bytes=9215"]),
        wrong(
            "(serve: (mailbox_bytes: 10000))",
            &[("SIMPLECHAT_SERVE_MAX_TEXT", "9000")],
            &[],
        ),
    ];
    insta::assert_snapshot!(shown.join("\n"), @r#"
    simplechat.ron:2:2: serve.timeout is 30s, but must be longer than serve.heartbeat_interval, which is 30s (the default)
    simplechat.ron:2:2: serve.heartbeat_interval is 95s, but must be shorter than serve.timeout, which is 95s (the default)
    simplechat.ron:3:2: serve.timeout is 40s, but must be longer than serve.heartbeat_interval, which is 50s (simplechat.ron:2:2)
    SIMPLECHAT_SERVE_HEARTBEAT_INTERVAL: serve.heartbeat_interval is 60s, but must be shorter than serve.timeout, which is 50s (simplechat.ron:1:10)
    --set: serve.timeout is 50s, but must be longer than serve.heartbeat_interval, which is 50s (simplechat.ron:1:10)
    --set: serve.dial_timeout is 15s, but must be shorter than serve.connection_deadline, which is 15s (the default)
    --set: join.connection_deadline is 2s, but must be longer than join.dial_timeout, which is 3s (the default)
    --set: serve.mailbox_bytes is 9215, but must be larger by 1024 or more than serve.max_text, which is 8192 (the default)
    SIMPLECHAT_SERVE_MAX_TEXT: serve.max_text is 9000, but must be smaller by 1024 or more than serve.mailbox_bytes, which is 10000 (simplechat.ron:1:10)
    "#);
    assert!(load("", &[], &["serve.mailbox_bytes=9216"]).is_ok());
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_named() {
    use std::os::unix::ffi::OsStringExt as _;
    let value = OsString::from_vec(b"\xff".into());
    let name = OsString::from_vec(b"SIMPLECHAT_SERVE_\xff".into());
    let variables = [
        ("SIMPLECHAT_SERVE_CREDENTIALS".into(), value.clone()),
        (name, value.clone()),
        (value.clone(), value),
    ];
    insta::assert_snapshot!(Settings::load(None, variables, &[]).unwrap_err(), @r#"
    SIMPLECHAT_SERVE_CREDENTIALS: the value is not UTF-8 text
    SIMPLECHAT_SERVE_�: serve has no setting "�": "simplechat config" lists them all
    "#);
}

/// Text that is nearly a settings file.
fn nearly_settings() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "(",
        ")",
        "(",
        ")",
        ":",
        ":",
        ",",
        "serve",
        "join",
        "timeout",
        "listen",
        "max_text",
        "\"95s\"",
        "\"",
        "95",
        "-",
        "None",
        "Some(",
        "[",
        "]",
        "{",
        "}",
        "//",
        "/*",
        "*/",
        "\n",
        " ",
        "ä",
        "#![enable(implicit_some)]",
        "r#\"",
    ]);
    prop::collection::vec(token, 0..30).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn any_settings_read_back(
        millis in prop::array::uniform7(1u64..2_592_000_000),
        numbers in prop::array::uniform5(1usize..1_024),
        path in "\\PC{1,20}",
        listen in any::<Option<(std::net::IpAddr, u16)>>(),
        is_strict in any::<bool>(),
    ) {
        let [a, b, c, d, e, f, g] = millis.map(Duration::from_millis);
        let mut settings = Settings::default();
        settings.serve.timeout = a.max(b) + Duration::from_millis(1);
        settings.serve.heartbeat_interval = a.min(b);
        settings.serve.block_time = c;
        settings.serve.question_expiry = d;
        settings.join.connection_deadline = e.max(f) + Duration::from_millis(1);
        settings.join.dial_timeout = e.min(f);
        settings.serve.store_after = g;
        [
            settings.serve.max_text,
            settings.serve.mailbox_messages,
            settings.serve.worker_threads,
            settings.serve.dials_max,
            settings.join.connections_max,
        ] = numbers;
        settings.serve.credentials = path.into();
        settings.join.listen = listen.map(Into::into);
        if is_strict {
            settings.serve.lockout = LockoutRule::Account;
        }
        prop_assert_eq!(load(&settings.to_ron(), &[], &[]), Ok(settings));
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = load(&text, &[("SIMPLECHAT_SERVE_TIMEOUT", &text), ("SIMPLECHAT_JOIN_X", &text)], &[]);
        let _ = load(&format!("(serve: (timeout: {text}))"), &[], &[]);
        let _ = load("", &[], &[&format!("{text}=1"), &format!("serve.timeout={text}")]);
    }

    #[test]
    fn no_nearly_right_text_panics(text in nearly_settings()) {
        let _ = load(&text, &[], &[]);
        let _ = load(&format!("(serve: ({text}))"), &[], &[]);
        let _ = load(&format!("(serve: (timeout: {text}, max_text: 5), join: ())"), &[], &[]);
    }
}
