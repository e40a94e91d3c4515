//! Facts and outputs that cross: what a worker had in its hands when something else happened to the connection.

use std::iter;
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use simplechat_core::machine::{CloseReason, Output};
use simplechat_driver::Options;

use crate::Transport;
use crate::toy::{Fact, Out, Wish, passive};
use crate::world::{Perform, World, close, send};
use crate::{PATIENCE, eventually, peer};

/// A toy whose machine can be held locked, so that what comes meanwhile has to wait.
struct Holdable<D: Transport> {
    world: World<D>,
    entered: Receiver<()>,
    release: Sender<()>,
}

impl<D: Transport> Holdable<D> {
    fn start() -> Self {
        let (release, released) = mpsc::channel();
        let (enter, entered) = mpsc::channel();
        let hold: Perform = Box::new(move |_, _| {
            // Errors mean that the test has failed already.
            let _ = enter.send(());
            let _ = released.recv_timeout(PATIENCE);
        });
        let world = World::<D>::with_effects(Options::default(), passive(), hold);
        Self {
            world,
            entered,
            release,
        }
    }

    /// Does `meanwhile` while the machine is held, and then has it do `outputs`.
    fn hold(&self, outputs: Vec<Out>, meanwhile: impl FnOnce()) {
        let handle = self.world.handle.clone();
        let holder = thread::spawn(move || {
            let outputs = iter::once(Output::Effect(1)).chain(outputs).collect();
            assert!(handle.command(Wish::Do(outputs)).is_ok(), "the toy obeys");
        });
        let entered = self.entered.recv_timeout(PATIENCE);
        entered.expect("the effect is begun");
        meanwhile();
        self.release.send(()).expect("the effect waits");
        holder.join().expect("the toy did what it was told");
    }

    /// Waits until the driver has read what `stream` says. While the machine is held, a worker then has it in its
    /// hands.
    fn say(&self, stream: &TcpStream, bytes: &[u8]) {
        let bytes_read = || self.world.handle.counters().bytes_read;
        let before = bytes_read();
        peer::write(stream, bytes);
        eventually("it is read", || bytes_read() > before);
    }
}

pub fn nothing_is_heard_after_a_close_though_it_was_on_its_way<D: Transport>() {
    let held = Holdable::<D>::start();
    for _ in 0..50 {
        let stream = peer::connect(held.world.address);
        let conn = held.world.accepted();
        held.hold(vec![close(conn)], || held.say(&stream, b"too late"));
        assert_eq!(peer::read_to_end(&stream), b"");
    }
    assert_eq!(held.world.stop(), []);
}

#[cfg(target_os = "linux")]
pub fn one_who_reset_while_nobody_looked_is_heard_out<D: Transport>() {
    let held = Holdable::<D>::start();
    for _ in 0..50 {
        let stream = peer::connect(held.world.address);
        let conn = held.world.accepted();
        // The reset is first met by the writing.
        held.hold(vec![send(conn, "anybody there?")], || {
            held.say(&stream, b"first");
            peer::write(&stream, b" and last words");
            peer::reset(stream);
        });
        let mut heard = Vec::new();
        let mut fact = held.world.next();
        while let Fact::Received { bytes, .. } = fact {
            heard.extend(bytes);
            fact = held.world.next();
        }
        let reason = CloseReason::Reset;
        assert_eq!(fact, Fact::Closed { conn, reason });
        assert_eq!(String::from_utf8_lossy(&heard), "first and last words");
    }
    assert_eq!(held.world.stop(), []);
}
