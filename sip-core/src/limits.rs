//! Every cap of the core, with its unit and its reason.
//!
//! A cap has a documented behaviour when it is reached and a counter in [`crate::server::Counters`].

use crate::time::Duration;

/// Largest SIP message, bytes. A UDP datagram carries at most 65,507 bytes over IPv4, and nothing legitimate in
/// signalling is larger. Past it: a datagram cannot exist, a stream is closed, a WebSocket is closed with 1009.
pub const MESSAGE_BYTES: usize = 65_536;

/// Most header fields in one message. RFC 4475 §3.3 needs 20; busy trunks reach 60. Past it: 400.
pub const HEADER_FIELDS: usize = 256;

/// Longest branch, tag, Call-ID or method, bytes. Past it: 400. (CVE-2018-8828, CVE-2017-9372 were overlong
/// ones.)
pub const IDENTIFIER_BYTES: usize = 512;

/// Longest Request-URI, bytes. A sealed route of ours takes about 150, a GRUU or a service with its arguments some
/// hundred more. Past it: 414.
pub const REQUEST_URI_BYTES: usize = 8_192;

/// Largest session description, bytes: as large as the message around it. Past it: refused by name.
pub const SDP_BYTES: usize = MESSAGE_BYTES;

/// Lines in one session description. A browser's with two media has about 200, a conference's with 25 about 1,500.
/// Past it: refused by name.
pub const SDP_LINES: usize = 4_096;

/// Media descriptions in one session description. Every participant's camera in a large conference is one. Past it:
/// refused by name.
pub const SDP_MEDIA: usize = 128;

/// Formats on one `m=` line: as many as there are payload types. Past it: refused by name.
pub const SDP_FORMATS: usize = 128;

/// Parts of one multipart body. An offer, a location and a geometry of its own make three. Past it: refused by name.
pub const BODY_PARTS: usize = 32;

/// Multiparts inside multiparts. Signed offers nest two. Past it: refused by name.
pub const MULTIPART_DEPTH: usize = 4;

/// Largest XML document, bytes: as large as the message around it. Past it: refused by name.
pub const XML_BYTES: usize = MESSAGE_BYTES;

/// Elements of one XML document. Sixteen bytes each fill the largest one, and real ones have more; without a cap, four bytes
/// that say nothing become a hundred in memory. Past it: refused by name.
pub const XML_ELEMENTS: usize = XML_BYTES / 16;

/// Elements inside elements. Presence with location nests about twelve. Past it: refused by name.
pub const XML_DEPTH: usize = 32;

/// Attributes of one XML element. Dialog information has six. Past it: refused by name.
pub const XML_ATTRIBUTES: usize = 32;

/// Namespace prefixes in force at one place of an XML document. Rich presence declares about ten. Past it: refused by
/// name.
pub const XML_NAMESPACES: usize = 32;

/// Longest namespace name, bytes. Those that IETF registers have up to about 60. A printer repeats it for every element in
/// that namespace. Past it: refused by name.
pub const XML_NAMESPACE_BYTES: usize = 256;

/// Parameters in one digest challenge or one set of credentials; RFC 7616 knows twelve. Past it the header field
/// counts as malformed. (CVE-2023-28098 was a digest parser's.)
pub const AUTH_PARAMETERS: usize = 32;

/// Challenges a client remembers in order to authenticate later requests at once. A phone meets one or two realms.
/// Past it the oldest is forgotten, and its next request costs another round trip.
pub const AUTH_CHALLENGES: usize = 8;

/// How often one request is sent again with credentials. Two proxies and a stale nonce make three. Past it the
/// request has failed.
pub const AUTH_ROUNDS: u8 = 4;

/// Nonces whose counts are kept (RFC 7616 §5.5), about 100 bytes each: those of five minutes. Past it the oldest is
/// forgotten, and whoever uses it once more is challenged once more.
pub const NONCES: usize = 100_000;

/// Pairs of a user and a network whose wrong passwords are counted, about 150 bytes each. Past it the one that was wrong
/// longest ago is forgotten.
pub const GUESSERS: usize = 20_000;

/// Of them, those of one network. Past it the users there that have none yet share a few: whoever tries names without end would else
/// push out what is known of him.
pub const GUESSERS_PER_NETWORK: usize = 1_000;

/// Contacts bound to one address-of-record. A person has a handful of devices. Past it a contact whose flow is gone
/// makes room; if there is none, 403 to the REGISTER.
pub const CONTACTS_PER_AOR: usize = 10;

/// Longest Contact of a REGISTER, its URI and parameters, bytes. Feature tags, an instance and push parameters take
/// about 1,000. Past it: 400.
pub const CONTACT_BYTES: usize = 4_096;

/// Longest address-of-record and instance, together, of a phone on UDP whose dialogs follow it to another address: they stand in
/// its Record-Routes, and a datagram is small. A UUID is 45. Past it: its dialogs lead to the address that they began at.
pub const PHONE_BYTES: usize = 160;

/// Longest Path of a REGISTER, bytes. IMS has two proxies with tokens of about 100. Past it: 400.
pub const PATH_BYTES: usize = 2_048;

/// Contacts in one REGISTER. Past it: 400.
pub const CONTACTS_PER_REGISTER: usize = 10;

/// Branches one request forks to. Past it the remaining contacts are not tried.
pub const FORKS: usize = 10;

/// How often a call is forwarded from one user to the next, here and before it came. Past it: it ends where it is.
pub const DIVERSIONS: u32 = 5;

/// Most Max-Breadth of one request (RFC 5393 §5.3.3 recommends 60): how many copies of it all proxies together have on
/// their way at once. Past it: lowered to this; at 0, 440.
pub const BREADTH: u32 = 60;

/// Transactions one transaction layer holds, client and server together. Past it: a new request gets 503 with
/// Retry-After, sent statelessly.
pub const TRANSACTIONS: usize = 100_000;

/// Bytes of messages that one transaction layer keeps for its transactions: someone who pads his may not make a
/// hundred thousand of them. Past it: as above, and answers are sent and not kept.
pub const TRANSACTION_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of messages without transactions that wait for answers, per core instance: ACKs held for who is away, and all where
/// requests have no transactions. Past it: dropped, or 503, as in a network that is full.
pub const WAITING_BYTES: usize = 4 * 1024 * 1024;

/// In-dialog requests held for registrations that are away, per core instance. Past it: 480 at once.
pub const HELD_REQUESTS: usize = 1_000;

/// In-dialog requests held for any one registration. Past it: 480 at once.
pub const HELD_PER_REGISTRATION: usize = 10;

/// How long an in-dialog request waits for a registration that is away.
pub const HOLD: Duration = Duration::from_secs(20);

/// How long a re-INVITE, which is told to be patient, and an ACK, which is sent but once, wait for a registration that is
/// away; and how long a user agent that was lost counts as away.
pub const GRACE: Duration = Duration::from_secs(30);

/// How long a request outside dialogs waits for its callee, if all its user agents are away. Past it: 480.
pub const AWAY: Duration = Duration::from_secs(5);

/// Questions a core may have outstanding. Past it: 503.
pub const QUESTIONS: usize = 10_000;

/// How long a question about credentials or bindings may stay unanswered. Past it: 500.
pub const ANSWER: Duration = Duration::from_secs(5);

/// Dialogs and calls one user agent holds. Past it an incoming INVITE gets 486.
pub const CALLS: usize = 32;

/// Flows one user agent keeps to its servers: as many as RFC 5626 §4.2.1 wants supported. Past it: left out.
pub const OUTBOUND_FLOWS: usize = 4;

/// Routes in one Service-Route. IMS has two. Past it the whole is ignored.
pub const SERVICE_ROUTES: usize = 8;

/// Contacts told of one address-of-record. Past it the rest is left out.
pub const BINDINGS: usize = 64;

/// Bearer tokens the application is asked for at once. Past it a challenge counts as one that cannot be answered.
pub const TOKENS_WANTED: usize = 8;

/// Requests that wait for one bearer token. Past it: as above.
pub const TOKEN_WAITERS: usize = 32;

/// How long a request waits for a bearer token: a person may have to log in. Past it: as if there were none.
pub const TOKEN_WAIT: Duration = Duration::from_secs(120);

/// Contacts of 3xx answers that one call remembers. Past it further ones are not tried.
pub const REDIRECTIONS: usize = 16;

/// Requests within dialogs whose answers a user agent remembers, each for 32 s, so that one that comes again under another
/// branch is answered as before. Past it the oldest is forgotten, and would be judged anew.
pub const REPEATS: usize = 32;

/// How often one of them may come again before it has its answer: servers on the way forget it once, perhaps twice. Past it:
/// 482.
pub const REPEATS_OF_ONE: usize = 4;

/// Provisional responses of one call that wait for the PRACK of the one before. A phone rings and plays something. Past
/// it the newest is not sent.
pub const PROVISIONALS: usize = 4;

/// Info Packages of one peer that are kept (RFC 6086 §5.2); the others it takes in vain.
pub const INFO_PACKAGES: usize = 64;

/// How long a snapshot of a call can be restored: longer than any call that is still wanted. Past it: refused by name.
pub const SNAPSHOT_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// Largest text of a snapshot, bytes: addresses, routes, and a line a medium. Past it: refused by name.
pub const SNAPSHOT_BYTES: usize = MESSAGE_BYTES;

/// BYEs of ended calls that one user agent keeps until they can be sent and are answered. Past it the oldest is
/// given up.
pub const FAREWELLS: usize = 32;

/// Outputs one endpoint queues between two drains. It is drained after every input, so this is never reached
/// by a correct driver; past it the newest are dropped and counted.
pub const OUTPUTS: usize = 10_000;

/// Largest UDP payload over IPv4, bytes. A request that would be longer is answered 513.
pub const DATAGRAM_BYTES: usize = 65_507;

/// Datagrams above this many bytes are counted: RFC 3261 §18.1.1 would have had them sent over TCP, but a
/// contact registered over a flow is reached over that flow and nothing else.
pub const DATAGRAM_COMFORT: usize = 1_300;

/// Requests outside of calls and INFOs that one user agent has on their way. Past it a command is refused.
pub const REQUESTS: usize = 64;

/// Largest MESSAGE outside a call, bytes, unless every hop is known to control congestion (RFC 3428 §8). Past it the
/// command is refused.
pub const MESSAGE_COMFORT: usize = 1_300;

/// MESSAGEs one user agent keeps unanswered for its application. Past it they are answered with 200 at once.
pub const HELD_MESSAGES: usize = 32;

/// Subscriptions of ours that one user agent holds: the lamps of a large desk phone, and a buddy list. Past it
/// `subscribe` is refused.
pub const SUBSCRIPTIONS: usize = 256;

/// Dialogs, registrations or contacts that are kept of what a notifier tells piece by piece. Past it the rest is left out.
pub const EVENT_ROWS: usize = 1_000;

/// Subscriptions of others to one user agent. Past it SUBSCRIBE gets 480.
pub const WATCHERS: usize = 64;

/// Subscriptions to registrations that one server core has, fetches on their way among them. Past it SUBSCRIBE gets 503.
pub const WATCHES: usize = 10_000;

/// Contacts that register over one connection at registrars behind us. Past it REGISTER gets 503.
pub const GUESTS: usize = 16;

/// Subscriptions to the registrations of one address-of-record: its own devices, and a reception. Past it SUBSCRIBE gets 503.
pub const WATCHES_PER_AOR: usize = 32;

/// Subscriptions to registrations that one account or peer has: those of a large reception. Past it SUBSCRIBE gets 503.
pub const WATCHES_PER_WATCHER: usize = 256;

/// Bindings of one watched address-of-record whose end is remembered. Past it the oldest is told without its reason.
pub const ENDED_PER_AOR: usize = 16;

/// Largest document about registrations, bytes, so that the NOTIFY around it is a message and a datagram. Ten contacts of 4 kB
/// fit. Past it the rest is left out and counted.
pub const REGINFO_BYTES: usize = 49_152;

/// States one user agent publishes. Past it `publish` is refused.
pub const PUBLICATIONS: usize = 16;

/// Hosts of one domain that a request is tried at, after RFC 3263. Past it the rest is left out.
pub const TARGETS: usize = 8;

/// Addresses of one host that are tried. Past it the rest is left out.
pub const TARGET_ADDRESSES: usize = 6;

/// Domains of which it is remembered that they have TLS (RFC 3263 §7). Past it the one that said so longest ago is forgotten.
pub const SECURED_DOMAINS: usize = 1_000;

/// How long DNS may take for one step of a search. Past it: 504.
pub const RESOLVE: Duration = Duration::from_secs(10);

/// How long a connection to one of the hosts of another domain may take, all of them together. Past it: 504.
pub const CONNECT: Duration = Duration::from_secs(25);

/// Values of a Reason, or Warnings, that are told. One a protocol is usual. Past it the rest is left out.
pub const REASONS: usize = 8;

/// Header fields an application adds to one message. Click-to-call services add about ten. Past it: refused by name.
pub const ADDED_FIELDS: usize = 32;

/// Their names and values together, bytes: a signed identity (RFC 8224) takes about 1,000. Past it: refused by name.
pub const ADDED_BYTES: usize = 8_192;
