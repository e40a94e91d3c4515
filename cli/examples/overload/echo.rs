//! What the machine itself costs in the meantime: a bare echo, on the server's processor, to which texts go at the rate of those
//! who chat, and from theirs. It has no accounts, no channel and one connection, so how long *it* takes when there is an attack is
//! what no server here could better: the attackers' packets pass through the same kernel on the same processors.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Trouble;
use super::cores::Side;
use super::people::RATE;

/// How long a text is, about: what a sealed message has.
const LEN: usize = 256;

/// What the process does that echoes: it says where, takes one connection, and ends with it.
pub(crate) fn serve() -> ExitCode {
    let echoed = || -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        println!("{}", listener.local_addr()?);
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut text = [0; LEN];
        loop {
            stream.read_exact(&mut text)?;
            stream.write_all(&text)?;
        }
    };
    // It ends when the other side does.
    let _ = echoed();
    ExitCode::SUCCESS
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Echo {
    child: Child,
    is_over: Arc<AtomicBool>,
    prober: Option<JoinHandle<Vec<Duration>>>,
}

impl Echo {
    pub(crate) fn start() -> Result<Self, Trouble> {
        let (child, address) = super::begin("echo")?;
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let is_over = Arc::<AtomicBool>::default();
        let seen = Arc::clone(&is_over);
        let prober = thread::spawn(move || {
            Side::Others.take_cores();
            probe(stream, &seen)
        });
        Ok(Self {
            child,
            is_over,
            prober: Some(prober),
        })
    }

    /// How long 99 of 100 texts took at most, there and back.
    pub(crate) fn end(mut self) -> Duration {
        self.is_over.store(true, Ordering::Relaxed);
        let times = self.prober.take().map(JoinHandle::join);
        let mut times = times.and_then(Result::ok).unwrap_or_default();
        times.sort_unstable();
        let place = times.len() * 99 / 100;
        times.get(place).copied().unwrap_or_default()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends texts at a fixed rate, and takes the time of each from when it was due, as `simplechat bench latency` does.
fn probe(mut stream: TcpStream, is_over: &AtomicBool) -> Vec<Duration> {
    let every = Duration::from_secs(1) / u32::try_from(RATE).unwrap_or(1);
    let mut times = Vec::new();
    let mut text = [0; LEN];
    let mut due = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        due += every;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if stream.write_all(&text).is_err() || stream.read_exact(&mut text).is_err() {
            break;
        }
        times.push(due.elapsed());
    }
    times
}
