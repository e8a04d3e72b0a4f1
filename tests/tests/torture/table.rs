//! What the gateway does with each vector: the final answer, `forwarded`, or the counter of what vanished.

/// Hosts of the vectors' Request-URIs that are the gateway's own. `[2001:db8::10:5070]` is none of them: that is
/// another address than `[2001:db8::10]` (RFC 5118 §4.4).
pub(crate) const ALIASES: &[&str] = &[
    "example.com",
    "example.org",
    "registrar.example.com",
    "services.example.com",
    "chair-dnrc.example.com",
    "company.com",
    "2001:db8::10",
    "2001:db8::192.0.2.1",
];

/// As a datagram.
#[rustfmt::skip]
pub(crate) const UDP: &[(&str, &str)] = &[
    ("rfc4475/badaspec", "400 Bad Request (Malformed To)"),
    ("rfc4475/badbranch", "forwarded"),
    ("rfc4475/baddate", "forwarded"),
    ("rfc4475/baddn", "400 Bad Request (Header Fields Not Terminated)"),
    // Its topmost Via is what is malformed: no answer would find its way.
    ("rfc4475/badinv01", "malformed_dropped"),
    ("rfc4475/badvers", "505 Version Not Supported"),
    ("rfc4475/bcast", "responses_to_no_host"),
    ("rfc4475/bext01", "420 Bad Extension"),
    ("rfc4475/bigcode", "malformed_dropped"),
    ("rfc4475/clerr", "400 Bad Request (Content-Length Exceeds Message)"),
    ("rfc4475/cparam01", "200 OK"),
    ("rfc4475/cparam02", "200 OK"),
    ("rfc4475/dblreq", "200 OK"),
    // The escaped "sips:user@example.com" is a user of example.net, whatever it looks like.
    ("rfc4475/esc01", "403 Domain Not Served Here"),
    // Not REGISTER, and for the gateway itself.
    ("rfc4475/esc02", "501 Not Implemented"),
    // Registering "null-\0-null" is not registering "null-".
    ("rfc4475/escnull", "403 Not Your Address"),
    ("rfc4475/escruri", "400 Bad Request (Malformed Request-URI)"),
    ("rfc4475/insuf", "400 Bad Request (Missing From)"),
    // No account can have that name.
    ("rfc4475/intmeth", "404 Not Found"),
    ("rfc4475/inv2543", "forwarded"),
    ("rfc4475/invut", "forwarded"),
    ("rfc4475/longreq", "forwarded"),
    ("rfc4475/ltgtruri", "400 Bad Request (Malformed Request-URI)"),
    ("rfc4475/lwsdisp", "forwarded"),
    ("rfc4475/lwsruri", "400 Bad Request (Malformed Request-URI)"),
    ("rfc4475/lwsstart", "400 Bad Request (Malformed Request-URI)"),
    ("rfc4475/mcl01", "400 Bad Request (Duplicate Content-Length)"),
    ("rfc4475/mismatch01", "400 Bad Request (CSeq Method Mismatch)"),
    ("rfc4475/mismatch02", "501 Not Implemented"),
    ("rfc4475/mpart01", "forwarded"),
    ("rfc4475/multi01", "400 Bad Request (Duplicate From)"),
    ("rfc4475/ncl", "400 Bad Request (Malformed Content-Length)"),
    ("rfc4475/noreason", "stray_responses"),
    ("rfc4475/novelsc", "416 Unsupported URI Scheme"),
    ("rfc4475/quotbal", "400 Bad Request (Malformed To)"),
    // The scheme that nobody knows counts for nothing beside the one that is asked for.
    ("rfc4475/regaut01", "200 OK"),
    ("rfc4475/regbadct", "400 Bad Request (Malformed Contact)"),
    ("rfc4475/regescrt", "200 OK"),
    ("rfc4475/scalar02", "400 Bad Request (Malformed CSeq)"),
    ("rfc4475/scalarlg", "malformed_dropped"),
    ("rfc4475/sdp01", "forwarded"),
    // "user;par=u@example.net" is not "user".
    ("rfc4475/semiuri", "404 Not Found"),
    ("rfc4475/test", "malformed_dropped"),
    ("rfc4475/transports", "forwarded"),
    ("rfc4475/trws", "400 Bad Request (Malformed Start-Line)"),
    ("rfc4475/unkscm", "416 Unsupported URI Scheme"),
    ("rfc4475/unksm2", "400 Bad Request (Address-Of-Record Is Not A SIP URI)"),
    ("rfc4475/unreason", "stray_responses"),
    ("rfc4475/wsinv", "forwarded"),
    // Not forwarded, but answered (RFC 3261 §16.3 step 3, §11).
    ("rfc4475/zeromf", "200 OK"),
    ("rfc5118/ipv4-mapped-ipv6", "forwarded"),
    ("rfc5118/ipv4-mapped-ipv6.fixed", "forwarded"),
    ("rfc5118/ipv6-bad", "400 Bad Request (Malformed Request-URI)"),
    ("rfc5118/ipv6-bug-abnf-3-colons", "forwarded"),
    ("rfc5118/ipv6-correct-abnf-2-colons", "forwarded"),
    ("rfc5118/ipv6-good", "200 OK"),
    ("rfc5118/ipv6-in-sdp", "400 Bad Request (Content-Length Exceeds Message)"),
    ("rfc5118/ipv6-in-sdp.fixed", "forwarded"),
    // For somebody elsewhere; see AIMED.
    ("rfc5118/mult-ip-in-header", "403 Domain Not Served Here"),
    ("rfc5118/mult-ip-in-sdp", "forwarded"),
    ("rfc5118/mult-ip-in-sdp.fixed", "forwarded"),
    // See ALIASES.
    ("rfc5118/port-ambiguous", "403 Domain Not Served Here"),
    ("rfc5118/port-unambiguous", "200 OK"),
    ("rfc5118/via-received-param-no-delim", "200 OK"),
    // For the gateway itself, which has no calls.
    ("rfc5118/via-received-param-with-delim", "405 Method Not Allowed"),
];

/// In a stream, where that is different. `None`: it would not end there, or be another message.
pub(crate) const TCP: &[(&str, Option<&str>)] = &[
    // Less than a head or a body: the stream goes on being read for the rest.
    ("rfc4475/baddn", None),
    ("rfc4475/clerr", None),
    ("rfc5118/ipv6-in-sdp", None),
    // More than a body: the rest is what the next message begins with.
    ("rfc5118/ipv4-mapped-ipv6", None),
    ("rfc5118/mult-ip-in-sdp", None),
    // Two messages.
    ("rfc4475/dblreq", None),
    // §18.3, §20.14
    ("rfc4475/inv2543", Some("400 Bad Request (Missing Content-Length)")),
];

/// As a datagram from a stranger, with the Request-URI of somebody who is registered: whatever a proxy need not
/// understand reaches the phone as it came.
#[rustfmt::skip]
pub(crate) const AIMED: &[(&str, &str)] = &[
    ("rfc4475/badbranch", "forwarded"),
    ("rfc4475/baddate", "forwarded"),
    ("rfc4475/esc01", "forwarded"),
    ("rfc4475/esc02", "forwarded"),
    ("rfc4475/intmeth", "forwarded"),
    ("rfc4475/inv2543", "forwarded"),
    ("rfc4475/invut", "forwarded"),
    ("rfc4475/longreq", "forwarded"),
    ("rfc4475/lwsdisp", "forwarded"),
    ("rfc4475/mpart01", "forwarded"),
    ("rfc4475/novelsc", "forwarded"),
    ("rfc4475/sdp01", "forwarded"),
    ("rfc4475/semiuri", "forwarded"),
    ("rfc4475/transports", "forwarded"),
    ("rfc4475/unkscm", "forwarded"),
    // To nobody's dialog.
    ("rfc5118/mult-ip-in-header", "481 Dialog Not Known"),
    ("rfc5118/via-received-param-with-delim", "481 Dialog Not Known"),
    ("rfc5118/ipv4-mapped-ipv6", "forwarded"),
    ("rfc5118/ipv4-mapped-ipv6.fixed", "forwarded"),
    ("rfc5118/ipv6-bug-abnf-3-colons", "forwarded"),
    ("rfc5118/ipv6-correct-abnf-2-colons", "forwarded"),
    ("rfc5118/ipv6-in-sdp.fixed", "forwarded"),
    ("rfc5118/mult-ip-in-sdp", "forwarded"),
    ("rfc5118/mult-ip-in-sdp.fixed", "forwarded"),
    ("rfc5118/via-received-param-no-delim", "forwarded"),
];
