//! The attacks. Each is a thread, or two, that does its worst until people have chatted for long enough.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::ValueEnum;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use simplechat_core::id::SessionId;
use simplechat_core::wire::frame::{Frame, SealedFrame};
use socket2::{Domain, SockRef, Socket, Type};

use super::cores::Side;
use super::people::{self, Link};
use super::puppet::Puppet;
use super::server::{Accounts, HashCost, Server, password};
use super::{Trouble, cores};

/// Accounts of attackers. Every other one writes to the next.
pub(crate) const ROGUES: u64 = 100;
/// Users who are logged in and do nothing.
pub(crate) const IDLE: u64 = 10_000;
/// Connections held at once, where it is thousands: half from one address, half from another.
const THOUSANDS: usize = 3_000;
/// Connections that ask and do not read, at once.
const ASKING: usize = 1_000;
/// Checks of passwords that wait in the server at most.
const CHECKS: usize = 1_024;
/// The ports that attackers call from, of each of their addresses.
const PORTS: Range<u16> = 2_000..60_000;
/// Descriptors that the server has left, when it is to run out of them.
const DESCRIPTORS_LEFT: u64 = 20;
/// What somebody does once a second, or ten times.
const SECOND: Duration = Duration::from_secs(1);
const TENTH: Duration = Duration::from_millis(100);

/// What an attacker does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Attack {
    /// Connections that say nothing
    Silent,
    /// Connections that say a byte a second
    Trickle,
    /// Connections that ask and never read the answers, and users on held links who do not read what others write to them
    Unread,
    /// Connections that are made and broken off as fast as possible
    Flood,
    /// More connections than the server has descriptors
    Descriptors,
    /// A log on a full disk, and somebody who has much logged
    FullDisk,
    /// Logins with wrong passwords, so that as many checks wait as can
    Passwords,
    /// Users on held links who do nothing
    Idle,
}

impl Attack {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Silent => "3,000 connections that say nothing",
            Self::Trickle => "3,000 connections that say a byte a second",
            Self::Unread => {
                "1,000 connections a second that ask and never read, 50 users who never read"
            }
            Self::Flood => "connecting and breaking off as fast as possible, from one address",
            Self::Descriptors => "no descriptors left",
            Self::FullDisk => "the log on a full disk, and much to log",
            Self::Passwords => "wrong passwords, each from another address",
            Self::Idle => "10,000 idle users on held links",
        }
    }

    /// How people are linked who are to notice nothing.
    pub(crate) fn links(self) -> &'static [Link] {
        match self {
            Self::Silent | Self::Flood => &[Link::Held, Link::PerMessage],
            Self::Trickle
            | Self::Unread
            | Self::Descriptors
            | Self::FullDisk
            | Self::Passwords
            | Self::Idle => &[Link::Held],
        }
    }

    /// Whether it is there before the people.
    pub(crate) fn comes_first(self) -> bool {
        matches!(self, Self::Unread | Self::FullDisk | Self::Idle)
    }

    /// Whether any server can be attacked so, and most of it is work of the kernel's.
    pub(crate) fn is_flood(self) -> bool {
        matches!(self, Self::Flood | Self::FullDisk)
    }

    /// Where the server logs to, if it is not for us to read.
    pub(crate) fn log(self) -> Option<&'static Path> {
        (self == Self::FullDisk).then(|| Path::new("/dev/full"))
    }

    pub(crate) fn hash_cost(self) -> HashCost {
        if self == Self::Passwords {
            HashCost::Usual
        } else {
            HashCost::Least
        }
    }

    /// What the server is told besides its defaults.
    pub(crate) fn settings(self) -> Vec<String> {
        match self {
            Self::Idle => [
                "connections_max",
                "connections_per_source_max",
                "handshakes_per_minute",
            ]
            .map(|name| format!("serve.{name}={}", IDLE + 2 * people::COUNT))
            .into(),
            Self::FullDisk => vec!["serve.log=debug".into()],
            Self::Silent
            | Self::Trickle
            | Self::Unread
            | Self::Flood
            | Self::Descriptors
            | Self::Passwords => Vec::new(),
        }
    }
}

/// An attack that goes on. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Siege {
    is_over: Arc<AtomicBool>,
    attacker: Option<JoinHandle<String>>,
    idle: Option<Child>,
}

impl Siege {
    /// Begins it, with connections to a target; where it is there before the people, all of it is.
    pub(crate) fn begin(
        attack: Attack,
        server: &Server,
        target: SocketAddr,
    ) -> Result<Self, Trouble> {
        let is_over = Arc::<AtomicBool>::default();
        let mut siege = Self {
            is_over: Arc::clone(&is_over),
            attacker: None,
            idle: None,
        };
        let mut rogues = Vec::new();
        match attack {
            Attack::Idle => siege.idle = Some(idle(server)?),
            Attack::Unread => rogues = log_in_rogues(server)?,
            Attack::Descriptors => leave_few_descriptors(server)?,
            Attack::Silent
            | Attack::Trickle
            | Attack::Flood
            | Attack::FullDisk
            | Attack::Passwords => {}
        }
        let attacker = Attacker {
            server: target,
            is_over,
        };
        siege.attacker = Some(thread::spawn(move || {
            Side::Others.take_cores();
            cores::stand_back();
            match attack {
                Attack::Silent => attacker.hold(THOUSANDS, |_, _| {}),
                Attack::Trickle => attacker.hold(THOUSANDS, trickle),
                Attack::Unread => attacker.never_read(rogues),
                Attack::Flood => attacker.flood(&[]),
                Attack::FullDisk => attacker.flood(b"GET / HTTP/1.1\r\n\r\n"),
                Attack::Descriptors => attacker.hold(500, |_, _| {}),
                Attack::Passwords => attacker.guess(),
                Attack::Idle => String::new(),
            }
        }));
        Ok(siege)
    }

    /// Ends it, and tells what came of it for the attackers.
    pub(crate) fn end(mut self, server: &Server) -> String {
        self.is_over.store(true, Ordering::Relaxed);
        let attacker = self.attacker.take().map(JoinHandle::join);
        let said = attacker.and_then(Result::ok).unwrap_or_default();
        match (&self.idle, server.refused()) {
            (Some(_), _) => format!("all {IDLE} stay"),
            (None, 0) => said,
            (None, refused) => format!("{said}; the log has {refused} refusals"),
        }
    }
}

impl Drop for Siege {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(attacker) = self.attacker.take() {
            let _ = attacker.join();
        }
        if let Some(idle) = &mut self.idle {
            let _ = idle.kill();
            let _ = idle.wait();
        }
    }
}

/// Connects to the server from that address. The port is chosen here: to let the kernel look for a free one among thousands takes
/// it a millisecond, in which it does nothing else, and that would be the attackers' own kernel and not the server's.
pub(crate) fn connect(source: IpAddr, server: SocketAddr) -> io::Result<TcpStream> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    loop {
        let port = PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % (PORTS.end - PORTS.start);
        match socket.bind(&SocketAddr::new(source, port).into()) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => break bound?,
        }
    }
    // What is dropped breaks off, and leaves no port behind that has to wait.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.connect_timeout(&server.into(), SECOND)?;
    Ok(socket.into())
}

/// An address of this machine that is not that of the people.
fn source(number: usize) -> IpAddr {
    let [.., high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low.max(1)).into()
}

fn trickle(stream: &mut TcpStream, beat: usize) {
    let frame = Frame::Handshake(&[0; 900]).to_bytes();
    if let Some(byte) = frame.get(beat..=beat) {
        let _ = stream.write(byte);
    }
}

/// The users who do nothing come, all of them.
fn idle(server: &Server) -> Result<Child, Trouble> {
    let child = Command::new(std::env::current_exe()?)
        .args(["bench", "idle", "--seconds", "86400", "--users"])
        .arg(IDLE.to_string())
        .args(["--server", &server.place(), "--accounts"])
        .arg(server.accounts(Accounts::Idle))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    server.until_logged_in(IDLE)?;
    cores::send_back(child.id());
    Ok(child)
}

fn log_in_rogues(server: &Server) -> Result<Vec<Puppet>, Trouble> {
    (0..ROGUES)
        .map(|number| {
            let name = Accounts::Rogues.name(number);
            let mut rogue = Puppet::new(number, source(2), server.address, &name, password())?;
            rogue.log_in()?;
            Ok(rogue)
        })
        .collect()
}

/// The server may open a few more descriptors than it has open.
fn leave_few_descriptors(server: &Server) -> Result<(), Trouble> {
    let limit = Rlimit {
        current: Some(server.descriptors()? + DESCRIPTORS_LEFT),
        ..getrlimit(Resource::Nofile)
    };
    let id = i32::try_from(server.id())?;
    prlimit(Pid::from_raw(id), Resource::Nofile, limit)?;
    Ok(())
}

struct Attacker {
    server: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Attacker {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Does something with all of its things again and again.
    fn again<T>(&self, every: Duration, things: &mut [T], mut act: impl FnMut(&mut T, usize)) {
        for beat in 0.. {
            for thing in &mut *things {
                if self.is_over() {
                    return;
                }
                act(thing, beat);
            }
            let mut waited = Duration::ZERO;
            while waited < every && !self.is_over() {
                thread::sleep(TENTH / 10);
                waited += TENTH / 10;
            }
        }
    }

    /// Holds so many connections, and does something with each once a second.
    fn hold(&self, count: usize, act: fn(&mut TcpStream, usize)) -> String {
        let mut held = self.open(count);
        self.again(SECOND, &mut held, act);
        let open = held.iter().filter(|stream| is_open(stream)).count();
        format!("{count} tried, {open} open in the end")
    }

    /// Connects a thousand times a second at most: how it goes when it is much faster is an attack of its own.
    fn open(&self, count: usize) -> Vec<TcpStream> {
        let opened = (0..count).take_while(|_| !self.is_over());
        let opened = opened.filter_map(|number| {
            thread::sleep(SECOND / 1_000);
            connect(source(2 + number % 2), self.server).ok()
        });
        opened.collect()
    }

    /// Asks and asks, and never reads an answer; and users write to users who never read.
    fn never_read(&self, mut rogues: Vec<Puppet>) -> String {
        let frame = Frame::Session(SealedFrame {
            session: SessionId([7; 16]),
            counter: 0,
            sealed: &[0; 64],
        });
        let frames = frame.to_bytes().repeat(500);
        let ask = || {
            let mut stream = connect(source(2), self.server).ok()?;
            let _ = SockRef::from(&stream).set_recv_buffer_size(2_048);
            stream.set_nonblocking(true).ok()?;
            let _ = stream.write(&frames);
            Some(stream)
        };
        let (mut held, mut cut_off) = (VecDeque::new(), 0_u64);
        let text = "x".repeat(1_000);
        // Every other one writes to the next, at the rate that a user may write with, and reads only the answers to that.
        let mut pairs: Vec<_> = rogues.chunks_exact_mut(2).zip(0_u64..).collect();
        self.again(TENTH, &mut pairs, |(pair, number), _| {
            if let [writer, _] = &mut **pair {
                let _ = writer.write_to(Accounts::Rogues.name(2 * *number + 1), &text);
            }
            // Two for each of fifty pairs ten times a second, so that each is there for a second.
            held.extend([ask(), ask()].into_iter().flatten());
            while held.len() > ASKING {
                held.pop_front();
                cut_off += 1;
            }
        });
        format!("{cut_off} asked in vain")
    }

    /// Connects, says something, and breaks off.
    fn flood(&self, bytes: &[u8]) -> String {
        let mut made = 0_u64;
        while !self.is_over() {
            if let Ok(mut stream) = connect(source(2), self.server) {
                let _ = stream.write(bytes);
                made += 1;
            }
        }
        format!("{made} connections")
    }

    /// Shows wrong passwords of names that nobody has, each from another address, and does not wait for the answer.
    fn guess(&self) -> String {
        let mut waiting = VecDeque::new();
        let mut shown = 0_u64;
        for number in 0.. {
            if self.is_over() {
                break;
            }
            let name = format!("nobody{number}");
            let source = source(256 + number % 16_384);
            let seed = u64::try_from(number).unwrap_or_default();
            let puppet = Puppet::new(seed, source, self.server, &name, "wrong".into());
            if let Ok(mut puppet) = puppet
                && puppet.show_password().is_ok()
            {
                shown += 1;
                waiting.push_back(puppet);
            }
            if waiting.len() > CHECKS {
                waiting.pop_front();
            }
        }
        format!("{shown} passwords shown")
    }
}

/// Whether the other side has not hung up. What it has said is read.
fn is_open(stream: &TcpStream) -> bool {
    let _ = stream.set_nonblocking(true);
    let mut bytes = [0; 4_096];
    loop {
        match (&mut &*stream).read(&mut bytes) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}
