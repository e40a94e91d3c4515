//! The checker sees what machines could do wrong: each planted fault is caught, as the promise that it breaks.

use simplechat_sim::trials::checker::Promise::{
    self, Blocked, Books, Bounded, Consent, Genuine, Heartbeat, InOrder, Kept, Liveness, Lockout,
    LoginsOnce, Once, OneFinalWord, Paced, Presence, Staying, Verified,
};
use simplechat_sim::trials::faults::Fault;
use simplechat_sim::trials::{generate, trial};

/// Worlds in which a fault must be seen.
const WORLDS: u64 = 3_000;

fn is_caught(fault: Fault, as_one_of: &[Promise]) {
    let (plan, violation) = (0..WORLDS)
        .map(|seed| generate::plan_with(seed, fault.worlds()))
        .find_map(|plan| {
            let violation = trial::run(&plan, Some(fault), None).err()?;
            Some((plan, violation))
        })
        .unwrap_or_else(|| panic!("{fault:?} is never seen"));
    assert!(
        as_one_of.contains(&violation.promise),
        "{fault:?}: {violation}"
    );
    let without = trial::run(&plan, None, None);
    assert!(without.is_ok(), "{fault:?} is all that is wrong");
}

macro_rules! caught {
    ($($name:ident: $fault:ident as $promises:expr;)+) => {
        $(
            #[test]
            fn $name() {
                is_caught(Fault::$fault, &$promises);
            }
        )+
    };
}

caught! {
    a_text_shown_twice: ShowTwice as [Once];
    a_text_shown_to_another: ShowToAnother as [Once];
    a_text_overtaken: Overtake as [InOrder, OneFinalWord];
    a_text_swallowed: Swallow as [OneFinalWord, Kept];
    a_text_acknowledged_unread: AcknowledgeUnread as [OneFinalWord, Kept];
    a_text_under_anothers_name: Impersonate as [Once];
    a_text_garbled: Garble as [Once];
    a_stranger_shown_as_verified: VerifyAnybody as [Verified];
    a_wish_without_final_word: NoFinalWord as [OneFinalWord];
    a_wish_with_two_final_words: TwoFinalWords as [OneFinalWord];
    a_delivery_that_was_none: FalseDelivery as [OneFinalWord, Blocked];
    a_refusal_that_was_none: FalseRefusal as [OneFinalWord];
    a_server_that_forgets: ForgetEverything as [Kept, Presence, Liveness, Blocked, OneFinalWord, Heartbeat];
    a_blocked_ones_text: ShowBlocked as [Blocked];
    a_question_taken_for_a_yes: TakeQuestionForYes as [Consent];
    a_client_dialled_without_consent: DialAnybody as [Consent];
    a_coming_told_as_a_going: FalsePresence as [Presence];
    somebody_listed_who_is_away: ListAnybody as [Presence, Blocked];
    a_guess_too_many: GuessOnceMore as [Lockout];
    an_expiry_too_late: ExpireLate as [Heartbeat];
    a_question_that_never_expires: NeverExpireQuestions as [Consent];
    a_mailbox_too_small: SmallMailboxes as [OneFinalWord];
    an_expiry_without_a_reason: ExpireEarly as [Heartbeat];
    a_mailbox_without_a_bound: BoundlessMailboxes as [Bounded];
    a_client_that_runs_in_circles: RunInCircles as [Liveness];
    a_later_that_is_final: LaterIsFinal as [OneFinalWord];
    a_client_that_nobody_slows_down: NoAllowance as [Paced];
    a_store_that_says_it_has_kept_what_it_has_not: HastyStore as [Kept, Once, Books, Blocked, OneFinalWord];
    a_clients_store_that_says_it_has_kept_what_it_has_not: HastyDisks as [Kept, Once, Books, OneFinalWord, Liveness, Consent];
    a_clients_store_that_forgets_what_was_shown: ForgetfulDisks as [Once];
    a_channel_that_opens_a_login_again: OpenReplays as [LoginsOnce, Genuine];
    a_channel_that_opens_what_was_changed: OpenForgeries as [Once, Liveness, Heartbeat, Genuine, Kept];
    a_channel_that_uses_a_nonce_twice: ReuseNonces as [Genuine];
    a_channel_that_opens_a_frame_under_the_next_number: OpenOffByOne as [Genuine];
    a_channel_that_seals_nothing: SealNothing as [Genuine];
    an_impostor_in_the_servers_place_that_is_believed: TrustAnyServer as [Genuine];
    a_client_that_tries_one_address: TryOneAddress as [Staying, Liveness];
    a_reset_that_is_believed: BelieveResets as [Staying];
    a_message_that_expires_too_soon: ExpireMessagesEarly as [OneFinalWord, Kept];
    a_message_that_is_kept_for_ever: KeepMessages as [Kept];
    a_message_that_expires_unsaid: ForgetExpired as [Kept];
}
