//! What a server counts.

use crate::message::validate::Dropped;

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $name:ident,)*) => {
        /// Counts since the server was made. They only grow.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[doc = $help])+ pub $name: u64,)*
        }

        impl Counters {
            /// Every counter: its name, what it counts, and its value.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), concat!($($help),+).trim_ascii(), self.$name)),*].into_iter()
            }

            /// Adds another server's counts, for a sum over shards.
            pub const fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counters! {
    /// Messages received.
    received,
    /// Requests received.
    requests,
    /// Responses received.
    responses,
    /// Messages that could not be parsed and could not be answered.
    malformed_dropped,
    /// Requests that could not be parsed and were answered with 400, 505 or 513.
    malformed_refused,
    /// Responses that belong to no transaction.
    stray_responses,
    /// Responses whose top Via is not of this server: they are somebody else's.
    responses_misrouted,
    /// Responses whose next Via names no one host (broadcast, multicast or unspecified): nothing is sent there.
    responses_to_no_host,
    /// Requests refused because the transaction table was full.
    transactions_full,
    /// Requests answered 1xx by the server itself.
    answered_1xx,
    /// Requests answered 2xx by the server itself.
    answered_2xx,
    /// Challenges sent (401, 407).
    challenged,
    /// Requests with wrong credentials.
    credentials_wrong,
    /// Requests whose credentials had served before.
    credentials_replayed,
    /// Requests whose credentials were not looked at because of wrong ones before.
    credentials_held_back,
    /// Requests answered 4xx by the server itself, challenges left out.
    refused_4xx,
    /// Requests answered 5xx by the server itself.
    refused_5xx,
    /// Requests answered 403 because they would have been relayed for strangers.
    relay_refused,
    /// Requests of strangers within dialogs that were not recorded here.
    dialogs_unknown,
    /// In-dialog requests whose sender is not the one its route token names, and repeated requests and CANCELs that
    /// are not of the request's sender.
    sender_mismatched,
    /// CANCELs of INVITEs that are not remembered.
    cancels_unknown,
    /// ACKs that could not be routed.
    acks_dropped,
    /// REGISTERs that succeeded.
    registered,
    /// Contacts bound at registrars behind us, or ended there, over connections.
    guests,
    /// REGISTERs for registrars behind us that were refused because too many users had registered over their connection.
    guests_full,
    /// Requests forwarded, one a branch.
    forwarded,
    /// Responses forwarded.
    responses_forwarded,
    /// Contacts that were not tried because the request already had as many branches as it may.
    forks_over_cap,
    /// Branches that failed at once because the contact's flow was gone.
    branches_unreachable,
    /// Requests sent on to other domains and peers.
    departed,
    /// Questions asked of DNS.
    resolutions,
    /// Requests whose next hop could not be found.
    hops_not_found,
    /// Requests whose next hop was found at addresses they may not be sent to.
    hops_forbidden,
    /// Requests that no connection could be had for.
    hops_not_reached,
    /// Registrations whose way was gone and that are reached along their Path, or at their Contact.
    paths_followed,
    /// Copies sent to the next server of a domain because one failed.
    failovers,
    /// In-dialog requests sent again, as they were, to receivers whose flow was lost and that came back over another.
    repeated,
    /// Calls that are not kept over a restart while they are set up, for they are too large.
    calls_not_kept,
    /// Calls that were being set up when the process before this one ended, and were taken up.
    calls_taken_up,
    /// Those that were not: they had rung for too long, or there was no room.
    calls_not_taken_up,
    /// Calls forwarded to another address because the configuration has it so.
    diverted,
    /// Calls not forwarded because they were forwarded too often, or to where they were.
    diversions_over_cap,
    /// Subscriptions to registrations that were granted, fetches among them.
    subscriptions,
    /// Subscriptions to registrations that were refused because there were too many.
    subscriptions_full,
    /// Subscriptions to registrations whose watcher could not be reached or did not answer.
    subscriptions_lost,
    /// NOTIFYs sent about registrations.
    notifies,
    /// Contacts left out of a NOTIFY that had no room for them.
    contacts_not_told,
    /// OPTIONS sent to peers to see whether they are there.
    probes,
    /// In-dialog requests held for a registration that was away.
    held,
    /// Held requests that were given up.
    held_timed_out,
    /// In-dialog requests that could not be held because too many were.
    hold_full,
    /// Messages without a transaction that could not wait for an answer because others had the room.
    waiting_full,
    /// Questions asked.
    questions,
    /// Questions not asked because too many were outstanding.
    questions_full,
    /// Questions nobody answered in time.
    questions_timed_out,
    /// Answers that came when nothing waited for them any more.
    answers_late,
    /// Datagrams sent that were longer than 1,300 bytes.
    datagrams_over_comfort,
    /// Outputs dropped because nobody fetched them.
    outputs_dropped,
}

impl Counters {
    /// Counts a message nobody hears of.
    pub(super) const fn dropped(&mut self, why: Dropped) {
        let counter = match why {
            Dropped::Malformed => &mut self.malformed_dropped,
            Dropped::Misrouted => &mut self.responses_misrouted,
            Dropped::ViaAddress => &mut self.responses_to_no_host,
        };
        *counter += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_has_the_counter_it_names() {
        for why in [Dropped::Malformed, Dropped::Misrouted, Dropped::ViaAddress] {
            let mut counters = Counters::default();
            counters.dropped(why);
            let counted: alloc::vec::Vec<_> = counters.iter().filter(|(_, _, value)| *value > 0).collect();
            assert!(matches!(counted[..], [(name, _, 1)] if name == why.counter()), "{counted:?}");
        }
    }
}
