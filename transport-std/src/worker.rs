//! What each thread of the pool does: takes the next job, and does it without ever waiting on a peer.

use std::sync::Arc;

use simplechat_core::machine::{CloseReason, Machine};

use crate::connection::{Connection, Facts, Turn};
use crate::ready::Job;
use crate::shared::{Panicked, Shared};

/// Works until the queue is closed.
pub(crate) fn work<M: Machine>(shared: &Shared<M>) {
    while let Some(job) = shared.net.queue.pop() {
        let done = match job {
            Job::Connection(conn) => serve(shared, &conn),
            Job::Timeout => time_out(shared),
            Job::EffectsDone => effects_done(shared),
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
        shared.run(|engine, net, now| engine.tell(net, now, conn, facts))?;
    }
    Ok(())
}

/// Moves a connection on as far as it goes. Returns what the machine has to be told, or ends the turn.
fn advance<M: Machine>(shared: &Shared<M>, conn: &Arc<Connection>) -> Option<Facts> {
    let net = &shared.net;
    let mut state = conn.lock();
    state.turn = Turn::Running;
    loop {
        let change = state.advance(conn, net, net.clock.timestamp());
        let facts = state.take_facts();
        if facts.is_none() {
            if state.arm().is_err() {
                // It cannot be watched, so it can only be given up.
                state.broken.get_or_insert(CloseReason::Reset);
                continue;
            }
            state.turn = Turn::Idle;
        }
        drop(state);
        net.settle(conn.key, change);
        return facts;
    }
}

fn time_out<M: Machine>(shared: &Shared<M>) -> Result<(), Panicked> {
    let handled_at = shared.run(|engine, net, now| {
        engine.time_out(net, now);
        now.at
    })?;
    shared.net.alarm.timeout_handled(handled_at);
    Ok(())
}

fn effects_done<M: Machine>(shared: &Shared<M>) -> Result<(), Panicked> {
    let results = shared.take_effects_done();
    shared.run(|engine, net, now| {
        for done in results {
            engine.effect_done(net, now, done);
        }
    })
}
