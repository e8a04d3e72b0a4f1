//! The rules by which this server refuses requests, in one table: the status, the reason phrase, and what whoever reads of it may
//! change. What a message's own form has against it says [`Defect`](crate::message::validate::Defect).

/// One table, so that a rule without advice cannot be written. `later`: with Retry-After.
macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident $status:literal $(($later:ident))? $reason:literal $advice:literal,)*) => {
        /// A rule by which a request is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The status.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                }
            }

            /// The reason phrase.
            pub const fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => $reason,)*
                }
            }

            /// What to change.
            pub const fn advice(self) -> &'static str {
                match self {
                    $(Self::$name => $advice,)*
                }
            }

            /// The code of its Warning (§20.43): 399, for people, but where RFC 5630 §5.3 has one.
            pub const fn warning(self) -> u16 {
                match self {
                    Self::SipsNotAllowed => 380,
                    _ => 399,
                }
            }

            /// Whether the same may pass a little later.
            pub const fn is_passing(self) -> bool {
                match self {
                    $(Self::$name => false $(|| rules!($later))?,)*
                }
            }
        }
    };
    (later) => { true };
}

rules! {
    /// Credentials that cannot be read.
    CredentialsMalformed 400 "Bad Request (Malformed Credentials)"
        "one Digest as RFC 7616 writes it in each field",
    /// Credentials that were made for another request (RFC 7616 §3.4.6).
    DigestForAnotherUri 400 "Bad Request (Digest For Another URI)"
        "the digest's uri must be the Request-URI",
    /// A `sips` URI, and no TLS below (§26.2.2).
    SipsInsecure 400 "Bad Request (sips Without TLS)"
        "a request for a sips URI, or along a sips Route, comes over TLS or a secure WebSocket",
    /// Neither our domain nor one that its sender may reach.
    NotServed 403 "Domain Not Served Here"
        "for other domains From must be of ours, and [outbound] to, a [[peer]] or a [[route]] lead there",
    /// Guessed passwords.
    Guessing 403 "Too Many Wrong Passwords"
        "wait before the next try; see [authentication] attempts and ban",
    /// Another's From.
    NotYourFrom 403 "From Is Not Your Address"
        "From must be the account that the credentials are of",
    /// Another's To in a REGISTER (§10.3 step 3).
    NotYourAddress 403 "Not Your Address"
        "To must be the account's own, or a [[registrar.third_party]] says otherwise",
    /// Another's GRUU as Contact of a request that begins a dialog (RFC 5627 §6.2).
    NotYourGruu 403 "Contact Is The GRUU Of Another"
        "Contact must be where you are, or a GRUU that your own registration was given",
    /// A stranger, where the configuration wants none.
    CallerNotKnown 403 "Caller Not Known Here"
        "[outbound] callers has strangers refused: have the address in `from` of a [[peer]], or From of our domain",
    /// In-dialog, from somebody who is not in the dialog.
    NotInDialog 403 "Sender Is Not In This Dialog"
        "on a new connection, register before you go on with a call",
    /// Another's registrations (RFC 3680 §4.6).
    WatchForbidden 403 "Registrations Not Shown"
        "who watches another's registrations needs a [[registrar.watcher]]",
    /// A guest that its registrar has not taken yet.
    NotRegisteredBehind 403 "Register There First"
        "who is of a domain that has an [[edge]] calls over the connection that it registered over, as who it registered",
    /// Another's Path.
    NotYourPath 403 "Path Of Another Registrar"
        "a Path serves the server that its REGISTER went to, and a [[peer]] of the domain's [[route]]",
    /// The next hop's addresses are forbidden.
    HopForbidden 403 "Next Hop Not Allowed"
        "[outbound] to lets nobody reach that address; name it as a [[peer]], or see [outbound]",
    /// No account, no route.
    UserUnknown 404 "Not Found"
        "there is no such account; a number needs a [[route]]",
    /// A GRUU that we did not make, or whose key is gone.
    GruuUnknown 404 "GRUU Not Known"
        "it is not one of this domain, or too old: ask its owner for another",
    /// A GRUU of an instance that is registered no longer (RFC 5627 §5.1).
    GruuEnded 404 "GRUU Not Valid Any More"
        "its owner is registered no longer as it was: call the address itself",
    /// A REGISTER for another domain (§10.3 step 5).
    AddressNotOurs 404 "Address Not In This Domain"
        "To must be an address of `domain`, of one of `aliases`, or of the [[edge]] that the REGISTER is for",
    /// A host that is never looked for.
    DomainInvalid 404 "Domain Cannot Be Reached"
        "a name under .invalid leads nowhere: register, and be reached over that connection",
    /// DNS knows no such domain.
    DomainUnknown 404 "Domain Not Found"
        "DNS has neither SRV nor addresses of it; see [dns] servers",
    /// Accept without what `reg` has (RFC 3680 §4.5).
    NotReginfo 406 "Not Acceptable (No Reginfo)"
        "Accept must have application/reginfo+xml",
    /// A scheme that nothing here leads to.
    Scheme 416 "Unsupported URI Scheme"
        "the Request-URI must be a sip URI, a sips URI or a tel URI",
    /// RFC 3327 §5.2.
    PathRequired 421 "Extension Required (path)"
        "say `Supported: path`: without, nobody could be called who registers through here",
    /// RFC 4028 §8.1.
    SessionInterval 422 "Session Interval Too Small"
        "ask again with the Min-SE of this answer",
    /// A subscription for a moment (RFC 6665 §4.2.1.1).
    SubscriptionTooBrief 423 "Interval Too Brief"
        "subscribe for no less than Min-Expires",
    /// RFC 5626 §5.3.1.
    FlowFailed 430 "Flow Failed"
        "whoever registered over that connection closed it, and has to register anew",
    /// Nobody is registered.
    NotRegistered 480 "Callee Not Registered"
        "the callee is not there; see `trapezoid_bindings`, or have [[forward]] send its calls elsewhere",
    /// A `sips` URI, and nothing but a `sip` URI or a hop without TLS leads on (RFC 5630 §5.3).
    SipsNotAllowed 480 "SIPS Not Allowed"
        "no TLS leads there: the callee has to register a sips Contact over TLS, a [[peer]] to have a sips URI; or call the sip URI",
    /// All that is registered is away.
    Away 480 (later) "Callee Is Away"
        "its connection is lost and was not back within 5 s; try again",
    /// The other side of a dialog is away.
    DialogAway 480 (later) "Temporarily Unavailable"
        "the other side of the dialog lost its connection and was not back in time",
    /// Too many requests wait for the other side of a dialog.
    TooManyHeld 480 (later) "Too Many Requests Wait"
        "the other side of the dialog lost its connection, and no more than ten requests wait for it",
    /// Only connections lead to the callee, and the mode is redirection.
    OnlyByProxy 480 "Only A Proxy Reaches The Callee"
        "the callee has a connection and no address of its own; set [proxy] mode to \"proxy\"",
    /// Within a dialog that is not one of ours.
    DialogUnknown 481 "Dialog Not Known"
        "send the Routes as the dialog's Record-Routes had them",
    /// Within a dialog, for a contact that nobody has.
    ContactUnknown 481 "Contact Not Known"
        "send the Routes as the dialog's Record-Routes had them, or register the Contact that is addressed",
    /// A CANCEL for nothing (§9.2).
    NothingToCancel 481 "No Such INVITE"
        "the INVITE was answered, or had another branch or Call-ID",
    /// Another's CANCEL (§22.1).
    NotYourInvite 481 "Not Your INVITE"
        "a CANCEL comes over the connection of its INVITE, or from the same [[peer]]",
    /// A SUBSCRIBE within a subscription that is over.
    SubscriptionUnknown 481 "Subscription Not Known"
        "it has ended, or this server was started anew: subscribe again",
    /// §8.2.2.2.
    Merged 482 "Merged Request"
        "this very request came here over another way before",
    /// A SUBSCRIBE to nothing there is (RFC 6665 §4.2.1.1).
    EventUnknown 489 "Bad Event"
        "Allow-Events has what can be subscribed to here; others are asked of a user's address",
    /// A SUBSCRIBE older than the one before (§12.2.2).
    OutOfOrder 500 "CSeq Out Of Order"
        "each SUBSCRIBE of a subscription has a higher CSeq than the one before",
    /// RFC 3323 §5.
    PrivacyNotProvided 500 "Privacy Not Provided Here"
        "leave `critical` out of Privacy, or ask for `id` and, with an anonymous From, `user` alone",
    /// The accounts or bindings cannot be read.
    DirectoryDown 500 (later) "Directory Does Not Answer"
        "see the log for what the accounts or registrations cannot be read for",
    /// The next hop's transport is none of ours.
    NoTransport 502 "No Transport To That Domain"
        "add a listener of its transport: [[udp]], [[tcp]], [[tls]]",
    /// Too many questions at once.
    Overloaded 503 (later) "Service Unavailable"
        "too much is being found out at once; see `trapezoid_sip_questions_full_total`",
    /// The cap on transactions.
    TransactionsFull 503 (later) "Too Many Transactions"
        "see `trapezoid_sip_transactions_full_total`",
    /// The cap on guests.
    GuestsFull 503 (later) "Too Many Registrations Over This Connection"
        "sixteen users of domains behind this server may share a connection: open another",
    /// The caps on subscriptions.
    SubscriptionsFull 503 (later) "Too Many Subscriptions"
        "this address has too many watchers, its watcher watches too many, or all together are; see `trapezoid_subscriptions`",
    /// No connection to the next hop.
    HopUnreachable 504 "Next Hop Cannot Be Reached"
        "none of its servers takes a connection, or none shows a certificate of that domain: see [outbound] ca",
    /// No answer of DNS.
    DnsSilent 504 (later) "DNS Does Not Answer"
        "see [dns] servers",
}
