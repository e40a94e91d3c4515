//! What a recorded server leaves: the recording, and the secrets that must not be in it.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use simplechat_core::rng::{SecretSource, SeededSecrets};
use simplechat_core::server::recording::tape::Encoder;
use simplechat_core::server::recording::{Entry, Header, Recorder};

/// The recording of the server that runs, or ran last. Clones are the same tape.
#[derive(Clone, Debug, Default)]
pub struct Tape(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    secrets: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct TapeRecorder {
    tape: Tape,
    encoder: Encoder,
}

#[derive(Debug)]
struct WatchedSecrets {
    tape: Tape,
    source: SeededSecrets,
}

impl Tape {
    /// The recording so far.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.with(|content| content.bytes.clone())
    }

    /// Every secret that this server and those before it have drawn: keys, tokens, session ids, challenges.
    #[must_use]
    pub fn secrets(&self) -> Vec<Vec<u8>> {
        self.with(|content| content.secrets.clone())
    }

    pub(crate) fn start(&self, header: &Header) -> Box<dyn Recorder> {
        let encoder = self.with(|content| {
            content.bytes.clear();
            Encoder::start(header, &mut content.bytes)
        });
        let tape = self.clone();
        Box::new(TapeRecorder { tape, encoder })
    }

    pub(crate) fn watch(&self, source: SeededSecrets) -> Box<dyn SecretSource> {
        let tape = self.clone();
        Box::new(WatchedSecrets { tape, source })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Content) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Recorder for TapeRecorder {
    fn note(&mut self, entry: &Entry) -> ControlFlow<()> {
        let encoder = &mut self.encoder;
        self.tape
            .with(|content| encoder.entry(entry, &mut content.bytes));
        ControlFlow::Continue(())
    }
}

impl SecretSource for WatchedSecrets {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.source.fill(bytes);
        self.tape
            .with(|content| content.secrets.push(bytes.to_vec()));
    }
}
