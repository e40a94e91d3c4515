//! What every driver has to do, shown on real sockets with a toy machine: the contract of
//! [`simplechat_core::machine`], and the bounds and times of [`Options`](simplechat_driver::Options).
//!
//! The toy has a protocol only as far as a test gives it one, which is also the proof that the driver knows none. It
//! checks in every test that the driver keeps to the contract ([`contract`]). Nothing here sleeps to let something
//! happen: what a test waits for either comes or fails the test after [`PATIENCE`].
//!
//! A transport, of whoever, runs it all with a file `tests/conformance.rs`:
//!
//! ```text
//! simplechat_conformance::suite!(my_transport::Driver<simplechat_conformance::Toy>);
//! ```
//!
//! and, as running out of descriptors is the whole process's matter, one more file `tests/descriptors.rs`:
//!
//! ```text
//! simplechat_conformance::descriptors!(my_transport::Driver<simplechat_conformance::Toy>);
//! ```
//!
//! Reading order: [`toy`], [`world`], then any file of [`mod@suite`].

pub mod contract;
pub mod peer;
pub mod suite;
pub mod toy;
pub mod world;

use std::time::{Duration, Instant};

use simplechat_driver::Drive;

pub use toy::Toy;

/// A driver that can be tested.
pub trait Transport: Drive<Toy> + Send + 'static {}

impl<D: Drive<Toy> + Send + 'static> Transport for D {}

/// How long anything may take that is certain to come. Far longer than it ever should on the slowest machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that no event announces.
///
/// # Panics
///
/// If it does not come.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "it never came to be: {what}");
        std::thread::yield_now();
    }
}

/// Makes a test of everything that a driver has to do.
#[macro_export]
macro_rules! suite {
    ($driver:ty) => {
        $crate::tests! {
            $driver;
            accepting: [
                bytes_come_back_however_they_are_cut,
                the_machine_hears_in_order_who_came_what_came_and_the_end_once,
                a_slow_peer_is_served_byte_by_byte,
                a_reset_is_heard_after_what_came_before_it,
                #[cfg(target_os = "linux")] a_reset_is_heard_also_from_one_who_had_finished,
                writing_to_one_who_has_gone_ends_in_a_reset,
                hundreds_of_connections_are_served_at_once,
                a_flood_does_not_keep_others_waiting,
                #[cfg(target_os = "linux")] one_who_has_broken_off_when_accepted_is_not_heard_of,
                outputs_of_many_threads_leave_in_the_machines_order,
                a_refused_command_changes_nothing_and_says_so,
                unknown_connections_are_passed_over,
                an_ipv6_listener_takes_ipv4_peers_and_calls_them_so,
            ],
            bounds: [
                a_peer_that_never_reads_is_cut_off,
                a_slow_reader_gets_everything_all_the_same,
                a_peer_is_not_read_faster_than_the_machine_takes,
                the_deadline_is_for_the_whole_connection_though_bytes_trickle,
                no_source_takes_all_places,
                too_many_are_refused_so_that_they_can_read_why,
                one_who_lingers_forever_is_let_go,
                a_reader_that_stops_is_let_go_though_it_was_being_closed,
            ],
            closing: [
                an_accepted_connection_is_ended_first_and_waits_for_the_peer,
                a_dialled_connection_is_not_ended_first_but_reset_after_a_while,
                a_dialled_connection_ends_when_the_peer_does,
                a_peer_that_talks_on_and_on_is_cut_off,
                one_who_was_answered_and_talks_on_is_cut_off,
                #[cfg(target_os = "linux")] time_wait_falls_to_the_side_that_accepted,
                #[cfg(target_os = "linux")] no_dialled_port_waits_whatever_the_peer_does,
                closing_twice_and_sending_after_closing_do_nothing,
            ],
            crossing: [
                nothing_is_heard_after_a_close_though_it_was_on_its_way,
                #[cfg(target_os = "linux")] one_who_reset_while_nobody_looked_is_heard_out,
            ],
            dialling: [
                two_machines_talk,
                what_is_sent_before_it_stands_is_kept,
                dial_send_and_close_in_one_go_still_delivers,
                a_dial_to_nobody_is_refused,
                a_dial_without_an_answer_ends_in_time,
                a_listener_that_never_accepts_costs_the_deadline_and_no_more,
                dials_are_bounded_in_number_and_those_in_line_get_their_turn,
                dialled_connections_are_bounded_too,
                a_dial_waits_in_line_no_longer_than_a_connection_may_last,
                a_dial_that_is_given_up_is_forgotten,
                an_unreachable_family_is_said_to_be_unreachable_or_refused,
            ],
            effects: [
                a_result_may_come_at_once,
                results_may_come_late_in_any_order_and_from_any_thread,
                a_peer_is_answered_when_the_effect_is_done,
                a_result_after_the_end_does_nothing,
            ],
            ending: [
                an_idle_driver_ends_at_once,
                what_is_queued_still_arrives,
                who_was_dialled_hears_at_once_that_it_is_over,
                the_end_comes_though_a_peer_never_reads_or_answers,
                one_that_is_dropped_ends_though_a_peer_never_reads_or_answers,
                traffic_does_not_hold_up_the_end,
                the_same_port_can_be_had_again_at_once,
                a_machine_that_is_abandoned_hears_that_all_is_over,
                a_panic_about_what_a_peer_sent_ends_everything_and_is_passed_on,
                a_panic_about_a_command_is_told_to_both,
                a_panic_of_the_host_ends_the_driver_too,
                a_command_from_within_the_host_is_a_mistake_and_not_a_deadlock,
                senseless_options_are_an_error,
            ],
            keeping: [
                a_connection_that_is_kept_outlasts_the_deadline,
                a_dial_may_be_kept_before_it_stands,
                a_dial_that_is_kept_still_has_to_stand_in_time,
                one_that_was_kept_ends_in_time_once_it_is_closed,
                one_that_is_kept_does_not_hold_up_the_end,
                keeping_what_is_closed_or_unknown_does_nothing,
            ],
            mixed: [
                the_contract_holds_when_everything_happens_at_once,
            ],
            timers: [
                timers_ring_in_order_and_never_early,
                an_earlier_deadline_wakes_a_sleeper,
                a_deadline_that_has_passed_already_is_handed_in_at_once,
                nothing_spins,
            ],
        }
    };
}

/// Makes tests of what a driver has to do when the process has very many descriptors open, or none left. For a test binary of their own, in
/// which they take turns.
#[macro_export]
macro_rules! descriptors {
    ($driver:ty) => {
        $crate::tests! {
            $driver;
            descriptors: [
                thousands_that_say_nothing_keep_nobody_waiting,
                peers_wait_while_there_are_no_descriptors_and_nothing_spins_or_dies,
                a_dial_without_a_descriptor_fails_and_the_next_with_one_does_not,
                #[cfg(target_os = "linux")] no_descriptor_is_lost,
            ],
        }
    };
}

/// Makes tests of functions of [`mod@suite`].
#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($driver:ty; $($family:ident: [$($(#[$cfg:meta])? $test:ident,)*],)*) => {
        $(
            mod $family {
                #[allow(unused_imports, reason = "the driver may be named by a full path")]
                use super::*;

                $(
                    $(#[$cfg])?
                    #[test]
                    fn $test() {
                        $crate::suite::$family::$test::<$driver>();
                    }
                )*
            }
        )*
    };
}
