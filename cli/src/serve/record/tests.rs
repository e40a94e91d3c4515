//! Recordings on disks that are slow, broken or there.

use std::sync::mpsc::{Receiver, Sender, channel};

use simplechat_core::server::config::Config;
use simplechat_core::server::recording::tape::Decoder;
use simplechat_core::server::recording::{Fact, Texts};
use simplechat_core::time::{Moment, WallTime};

use super::*;

/// A file that writes when it is told to, or not at all.
struct Disk {
    allowed: Receiver<io::Result<()>>,
    content: Arc<Mutex<Vec<u8>>>,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Nobody left to ask allows everything.
        self.allowed.recv().unwrap_or(Ok(()))?;
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Content = Arc<Mutex<Vec<u8>>>;

fn disk() -> (Disk, Sender<io::Result<()>>, Content) {
    let (sender, allowed) = channel();
    let content = Arc::new(Mutex::new(Vec::new()));
    let disk = Disk {
        allowed,
        content: Arc::clone(&content),
    };
    (disk, sender, content)
}

fn header() -> Header {
    Header {
        program: "test".into(),
        texts: Texts::Filled,
        config: Config::default(),
        accounts: Vec::new(),
        seed: [0; 32],
        started: (0, WallTime(0)),
    }
}

fn a_fact() -> Entry {
    Entry::Fact(Moment::default(), Fact::Timeout)
}

fn entries(content: &Content) -> Vec<Entry> {
    let mut decoder = Decoder::default();
    decoder.push(&content.lock().unwrap());
    decoder.header().unwrap().unwrap();
    let entries = std::iter::from_fn(|| decoder.entry().unwrap()).collect();
    assert!(decoder.is_empty(), "nothing is cut");
    entries
}

#[test]
fn all_is_written_before_it_is_finished() {
    let (disk, allow, content) = disk();
    let (mut recorder, recording) = start(disk, &header()).unwrap();
    for _ in 0..3 {
        assert_eq!(recorder.note(&a_fact()), ControlFlow::Continue(()));
    }
    drop(allow);
    recording.finish();
    let end = Entry::End(End::ServerEnded);
    assert_eq!(entries(&content), [a_fact(), a_fact(), a_fact(), end]);
    assert_eq!(recorder.note(&a_fact()), ControlFlow::Break(()));
}

#[test]
fn a_recording_that_is_dropped_has_no_mark_of_its_end() {
    let (disk, allow, content) = disk();
    let (mut recorder, recording) = start(disk, &header()).unwrap();
    assert_eq!(recorder.note(&a_fact()), ControlFlow::Continue(()));
    drop((allow, recording));
    assert_eq!(entries(&content), [a_fact()]);
}

#[test]
fn a_slow_disk_ends_the_recording_and_stops_nobody() {
    let (disk, allow, content) = disk();
    let (mut recorder, recording) = start_bounded(disk, &header(), 1_000).unwrap();
    let mut noted = 0;
    while recorder.note(&a_fact()).is_continue() {
        noted += 1;
        assert!(noted < 10_000, "the bound holds");
    }
    assert_eq!(recorder.note(&a_fact()), ControlFlow::Break(()));
    drop(allow);
    recording.finish();
    let entries = entries(&content);
    assert_eq!(entries.len(), noted + 1);
    assert_eq!(entries.last(), Some(&Entry::End(End::Overrun)));
}

#[test]
fn a_broken_disk_ends_the_recording_and_stops_nobody() {
    let (disk, allow, content) = disk();
    let (mut recorder, recording) = start(disk, &header()).unwrap();
    allow.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
    recording.finish();
    assert_eq!(recorder.note(&a_fact()), ControlFlow::Break(()));
    assert!(content.lock().unwrap().is_empty(), "nothing was written");
}

#[test]
fn an_existing_file_is_left_alone() {
    let folder = std::env::temp_dir().join(format!("simplechat-record-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("recording");
    drop(create(&path).unwrap());
    assert_eq!(
        create(&path).unwrap_err().kind(),
        io::ErrorKind::AlreadyExists
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
