//! What has to hold between settings. The one that is named as wrong is the one that was set last: a flag rather than
//! what stands in the file, and anything rather than a default.

use std::time::Duration;

use super::keys::Settings;
use super::layers::Origins;
use super::value::Value as _;
use crate::problems::Problems;

/// Besides its text a message carries who sent it and its numbers.
const BESIDES_TEXT_BYTES_MAX: usize = 1_024;

pub(super) fn check(settings: &Settings, origins: &Origins, problems: &mut Problems) {
    let (serve, join) = (&settings.serve, &settings.join);
    let pairs = [
        longer(
            ("serve.timeout", serve.timeout),
            ("serve.heartbeat_interval", serve.heartbeat_interval),
        ),
        longer(
            ("serve.connection_deadline", serve.connection_deadline),
            ("serve.dial_timeout", serve.dial_timeout),
        ),
        longer(
            ("join.connection_deadline", join.connection_deadline),
            ("join.dial_timeout", join.dial_timeout),
        ),
        room_for_one_message(serve.mailbox_bytes, serve.max_text),
    ];
    for (one, other) in pairs.into_iter().flatten() {
        add_problem(one, other, origins, problems);
    }
}

/// One of two settings that do not go together.
struct Side {
    path: &'static str,
    value: String,
    /// How it should be, to read between it and the other one.
    must: String,
}

fn longer(
    (longer_path, longer): (&'static str, Duration),
    (shorter_path, shorter): (&'static str, Duration),
) -> Option<(Side, Side)> {
    (longer <= shorter).then(|| {
        (
            Side {
                path: longer_path,
                value: longer.show(),
                must: "must be longer than".into(),
            },
            Side {
                path: shorter_path,
                value: shorter.show(),
                must: "must be shorter than".into(),
            },
        )
    })
}

fn room_for_one_message(mailbox_bytes: usize, max_text: usize) -> Option<(Side, Side)> {
    (mailbox_bytes < max_text + BESIDES_TEXT_BYTES_MAX).then(|| {
        (
            Side {
                path: "serve.mailbox_bytes",
                value: mailbox_bytes.show(),
                must: format!("must be larger by {BESIDES_TEXT_BYTES_MAX} or more than"),
            },
            Side {
                path: "serve.max_text",
                value: max_text.show(),
                must: format!("must be smaller by {BESIDES_TEXT_BYTES_MAX} or more than"),
            },
        )
    })
}

/// Names two settings that do not go together; the first is to blame if both were set in the same layer.
fn add_problem(one: Side, other: Side, origins: &Origins, problems: &mut Problems) {
    let (wrong, right) = if origins.layer(other.path) > origins.layer(one.path) {
        (other, one)
    } else {
        (one, other)
    };
    let what = format!(
        "{} is {}, but {} {}, which is {} ({})",
        wrong.path,
        wrong.value,
        wrong.must,
        right.path,
        right.value,
        origins.place(right.path)
    );
    problems.add(origins.place(wrong.path), what);
}
