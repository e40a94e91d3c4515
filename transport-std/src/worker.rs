//! What each thread of the pool does: takes the next job, and does it without ever waiting on a peer.

use std::sync::Arc;

use simplechat_core::machine::Machine;
use simplechat_driver::{Facts, Panicked};

use crate::pool::{Connection, Shared, Turn};
use crate::ready::Job;

/// Works until the queue is closed.
pub(crate) fn work<M: Machine>(shared: &Shared<M>) {
    while let Some(job) = shared.net.waiting.queue.pop() {
        let done = match job {
            Job::Connection(conn) => serve(shared, &conn),
            Job::Timeout => shared.run(|run| run.time_out()),
            Job::EffectsDone => shared.run(|run| run.effects_done()),
        };
        if let Err(Panicked) = done {
            return;
        }
    }
}

/// Does all there is to do for a connection. That is never much, however fast the peer: what it sends next is gathered
/// only once the connection is watched again, and that is the last thing done in a turn.
fn serve<M: Machine>(shared: &Shared<M>, conn: &Arc<Connection>) -> Result<(), Panicked> {
    shared.net.tally.took_turn();
    while let Some(facts) = advance(shared, conn) {
        shared.run(|run| run.tell(conn, facts))?;
    }
    Ok(())
}

/// Moves a connection on as far as it goes. Returns what the machine has to be told, or ends the turn.
fn advance<M: Machine>(shared: &Shared<M>, conn: &Arc<Connection>) -> Option<Facts> {
    let net = &shared.net;
    let mut state = conn.lock();
    state.notes = Turn::Running;
    loop {
        let change = state.advance(conn, net, net.clock.timestamp());
        let facts = state.take_facts();
        if facts.is_none() {
            let is_watched = state
                .interest()
                .is_none_or(|(socket, interest)| socket.arm(interest).is_ok());
            if !is_watched {
                state.give_up();
                continue;
            }
            state.notes = Turn::Idle;
        }
        drop(state);
        net.settle(conn.key, change);
        return facts;
    }
}
