//! The task of a connection: looks at it whenever something may have changed, until it is gone.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_io::Timer;
use futures_lite::FutureExt as _;
use simplechat_driver::{Interest, Readiness};

use crate::driver::guard;
use crate::ready::Job;
use crate::tasks::{Connection, Net, State, Task};

/// Bytes read at once.
const SCRATCH_LEN: usize = 16 * 1_024;

/// How often a connection is looked at before the others have their turn, however much there is to do for it.
const LOOKS_MAX: u32 = 4;

/// How long a reset may go unnoticed that comes after the peer's end, when nothing is sent.
const HANG_UP_LOOK: Duration = Duration::from_secs(1);

/// See the module's text.
pub(crate) async fn attend(net: Arc<Net>, conn: Arc<Connection>) {
    guard(&net, poll_fn(|cx| look(&net, &conn, cx))).await;
}

/// Does what can be done now, and has this task woken when there may be more.
fn look(net: &Arc<Net>, conn: &Arc<Connection>, cx: &mut Context<'_>) -> Poll<()> {
    net.tally.took_turn();
    for _ in 0..LOOKS_MAX {
        let mut state = conn.lock();
        // From here on whoever changes something wakes this task again.
        state.notes.task = Task::Waiting(cx.waker().clone());
        read(&mut state, net);
        let change = state.advance(conn, net, net.clock.timestamp());
        let is_news = state.has_facts() && !state.notes.is_queued;
        state.notes.is_queued |= is_news;
        let is_gone = state.is_gone();
        if is_gone {
            state.notes.task = Task::Over;
        }
        let more = poll_socket(&mut state, net, cx);
        drop(state);
        // Before the machine is told, so that the place of one that has gone is free by then.
        net.settle(conn.key, change);
        if is_news {
            net.waiting.queue.push(Job::Connection(Arc::clone(conn)));
        }
        if is_gone {
            return Poll::Ready(());
        }
        if more.is_pending() {
            return Poll::Pending;
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Reads what has come, as far as there is room.
fn read(state: &mut State, net: &Net) {
    let inbox_max = net.options.inbox_max;
    if state.notes.is_read_out || !state.has_room(inbox_max) {
        return;
    }
    let len = state.gather(Readiness::Readable, &mut [0; SCRATCH_LEN], inbox_max);
    net.tally.read_bytes(len);
    // Should more have come in the meantime, the reactor says so at once.
    state.notes.is_read_out = len < SCRATCH_LEN;
}

/// Whether something can be done for the socket already. If not, this task is woken when it can.
fn poll_socket(state: &mut State, net: &Net, cx: &mut Context<'_>) -> Poll<()> {
    match ready!(try_poll_socket(state, net, cx)) {
        Ok(()) => {}
        Err(_) => state.give_up(),
    }
    Poll::Ready(())
}

fn try_poll_socket(state: &mut State, net: &Net, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    let has_room = state.has_room(net.options.inbox_max);
    state.notes.is_full = !has_room;
    let Some((socket, interest)) = state.interest() else {
        return Poll::Pending;
    };
    if interest == Interest::default() {
        return poll_hang_up(state, cx).map(Ok);
    }
    let mut more = Poll::Pending;
    let is_readable = interest.readable && has_room && socket.0.poll_readable(cx)?.is_ready();
    if interest.writable && socket.0.poll_writable(cx)?.is_ready() {
        more = Poll::Ready(Ok(()));
    }
    if is_readable {
        state.notes.is_read_out = false;
        more = Poll::Ready(Ok(()));
    }
    more
}

/// Whether a peer that has finished has broken off since. The reactor cannot tell: the socket stays readable for ever.
fn poll_hang_up(state: &mut State, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        let look = &mut state.notes.hang_up_look;
        let timer = look.get_or_insert_with(|| Timer::after(HANG_UP_LOOK));
        ready!(timer.poll(cx));
        *look = None;
        let error = state
            .interest()
            .and_then(|(socket, _)| socket.as_ref().take_error().ok()?);
        if error.is_some() {
            state.gather(Readiness::Broken, &mut [], 0);
            return Poll::Ready(());
        }
    }
}
