//! Timelines as they are read, and recordings that end too early or are none.

use simplechat_core::server::Command;
use simplechat_sim::World;

use super::*;
use simplechat_core::server::recording::Texts;
use simplechat_core::server::recording::tape::{Encoder, VERSION};

/// A little of everything, on a clear day.
fn a_day(texts: Texts) -> Vec<u8> {
    let mut w = World::new(1);
    let tape = w.record(texts);
    w.start_server();
    let alice = w.join("alice");
    w.types(alice, "message bob are\u{1b}[2J you coming?");
    w.settle();
    let mallory = w.sit_down("mallory");
    w.log_in(mallory, "bob", "letmein");
    w.settle();
    let bob = w.join("bob");
    w.types(bob, "getaddress alice");
    w.settle();
    w.types(alice, "y");
    w.types(bob, "online");
    w.settle();
    w.stranger_sends(None, &[b"GET / HTTP/1.1"]);
    w.types(alice, "logout");
    w.settle();
    w.operate(Command::Shutdown);
    w.settle();
    tape.bytes()
}

/// The end that the program puts behind a recording.
fn ended(mut recording: Vec<u8>, end: End) -> Vec<u8> {
    let mut reader = Reader::new(recording.as_slice());
    let header = reader.header().unwrap();
    let mut encoder = Encoder::start(&header, &mut Vec::new());
    encoder.entry(&Entry::End(end), &mut recording);
    recording
}

fn view(user: Option<&str>) -> View {
    View {
        user: user.map(|name| name.parse().unwrap()),
        zone: TimeZone::UTC,
    }
}

/// The timeline, and how it ended.
fn shown(recording: &[u8], user: Option<&str>) -> (String, String) {
    let mut out = Vec::new();
    let verdict = replay(&mut Reader::new(recording), &mut out, view(user));
    let verdict = match verdict {
        Ok(verdict) => format!("{verdict:?}"),
        Err((verdict, broken)) => format!("{verdict:?}, but {broken}"),
    };
    (String::from_utf8(out).unwrap(), verdict)
}

#[test]
fn a_timeline_is_readable() {
    let recording = ended(a_day(Texts::Filled), End::ServerEnded);
    let (timeline, verdict) = shown(&recording, None);
    assert_eq!(verdict, "Same");
    insta::assert_snapshot!(timeline);
}

#[test]
fn the_timeline_of_one_user_has_what_concerns_them() {
    let recording = ended(a_day(Texts::Kept), End::ServerEnded);
    let (timeline, verdict) = shown(&recording, Some("bob"));
    assert_eq!(verdict, "Same");
    assert!(!timeline.contains('\u{1b}'), "texts are cleaned");
    insta::assert_snapshot!(timeline);
}

#[test]
fn a_recording_that_breaks_off_is_shown_as_far_as_it_goes() {
    let whole = a_day(Texts::Filled);
    let (timeline, verdict) = shown(&whole, None);
    let (cut, verdict_of_cut) = shown(&whole[..whole.len() - 1], None);
    assert!(timeline.starts_with(&cut) && cut.len() < timeline.len());
    for verdict in [verdict, verdict_of_cut] {
        let said = "Same, but the recording breaks off after ";
        assert!(verdict.starts_with(said), "{verdict}");
    }
    let (nothing, verdict) = shown(&whole[..100], None);
    assert_eq!(
        (nothing.as_str(), verdict.as_str()),
        ("", "Same, but the recording breaks off in its header")
    );
}

#[test]
fn what_is_no_recording_says_so() {
    let foreign = "Same, but this is no recording of simplechat";
    for bytes in [&b""[..], b"\x7fELF\x02\x01\x01", b"simplechat rocks"] {
        assert_eq!(shown(bytes, None).1, foreign);
    }
    let mut other_version = a_day(Texts::Filled);
    other_version[21] = 200;
    assert_eq!(
        shown(&other_version, None).1,
        format!(
            "Same, but this recording has version 200, and this program reads version {VERSION}: use the program that wrote it"
        )
    );
    let mut damaged = a_day(Texts::Filled);
    let middle = damaged.len() / 2;
    damaged.truncate(middle);
    damaged.extend([0xff; 64]);
    let verdict = shown(&damaged, None).1;
    assert!(verdict.contains("damaged at byte"), "{verdict}");
}

#[test]
fn a_difference_is_shown_in_its_place() {
    let recording = ended(a_day(Texts::Filled), End::ServerEnded);
    let mut reader = Reader::new(recording.as_slice());
    let mut header = reader.header().unwrap();
    // Another machine: one that takes no text so long.
    header.config.max_text = 3;
    let mut other = Vec::new();
    let mut encoder = Encoder::start(&header, &mut other);
    while let Ok(entry) = reader.entry() {
        encoder.entry(&entry, &mut other);
    }
    let (timeline, verdict) = shown(&other, None);
    assert_eq!(verdict, "Different");
    let marked: Vec<_> = timeline
        .lines()
        .filter(|line| line.contains("!!!"))
        .collect();
    insta::assert_snapshot!("a_difference", marked.join("\n"));
}

#[test]
fn an_overrun_is_said() {
    let recording = ended(a_day(Texts::Filled), End::Overrun);
    let (timeline, verdict) = shown(&recording, Some("carol"));
    assert_eq!(verdict, "Same");
    insta::assert_snapshot!("an_overrun", timeline);
}
