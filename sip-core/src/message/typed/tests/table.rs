//! Values of every header field, most from the RFC that defines it.

use super::*;
use crate::message::CSeq;

macro_rules! row {
    ($type:ty, [$($valid:expr),* $(,)?], [$($invalid:expr),* $(,)?]) => {
        Row {
            name: <$type as TypedHeader<'_>>::NAME.as_str(),
            round: |text| {
                let value = <$type as TypedHeader<'_>>::parse(text)?;
                let printed = value.to_string();
                let again = <$type as TypedHeader<'_>>::parse(&printed);
                assert_eq!(again.as_ref(), Ok(&value), "{text:?} printed as {printed:?}");
                Ok(printed)
            },
            valid: &[$($valid),*],
            invalid: &[$($invalid),*],
        }
    };
}

pub(super) const TABLE: &[Row] = &[
    // RFC 3261
    row!(
        Via<'_>,
        [
            "SIP/2.0/UDP h;branch=z9hG4bK1",
            "SIP / 2.0 / WSS [2001:db8::1]:5061;rport",
            // §20.42
            "SIP/2.0/UDP 128.59.16.1:5060 ;received=128.59.19.3;branch=z9hG4bK.1",
            "SIP / 2.0 / UDP first.example.com: 4000;ttl=16\r\n ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
            "sip/2.0/TLS-SCTP h.;hidden;x=\"a;b,\\\"c\"",
            // RFC 5118 §4.5: with brackets and without
            "SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255",
            "SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]"
        ],
        [
            ("SIP/2.0/UDP", 0),
            ("SIP/2.0/UDP a, SIP/2.0/UDP b", 13),
            ("SIP/2.0/UDP ", 0),
            ("SIP/2.0 UDP h", 0),
            ("SIP//UDP h", 0),
            ("XYZ/9/UDP h", 0),
            ("SIP/3.0/UDP h", 0),
            ("SIP/2.0/U(P h", 0),
            ("SIP/2.0/UDP h g", 0),
            ("SIP/2.0/UDP a@b", 0),
            ("SIP/2.0/UDP h:", 0),
            ("SIP/2.0/UDP h:65536", 0),
            ("SIP/2.0/UDP 192.0.2.256", 0),
            ("SIP/2.0/UDP [::1", 0),
            ("SIP/2.0/UDP ::1", 0),
            ("SIP/2.0/UDP h;", 0),
            ("SIP/2.0/UDP h;;branch=1", 0),
            ("SIP/2.0/UDP h;branch=", 0),
            ("SIP/2.0/UDP h;x=\"a", 0)
        ]
    ),
    row!(
        From<'_>,
        [
            "\"A. G. Bell\" <sip:agb@bell.example>;tag=a48s",
            "sip:+12125551212@phone2net.com;tag=887s",
            "Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8",
            "\"\" <sip:a@b>;tag=1",
            "\"a \\\" \\\\ <b>, c\" <sip:a@b>;tag=1",
            "\"J\u{fc}rgen\"<sip:a@b>;tag=1",
            "token1~` token2'+_\r\n token3*%!.- <sip:a@b>;tag=1",
            "caller<sip:a@b>;tag=1",
            "<sip:a;x=y@b;lr?h=v&i=>;tag=1",
            "sip:a@b ; tag = 1",
            "<im:a@b> ;x=\"y;z\"; tag=1",
            "\u{444} <sip:a@b>;tag=1"
        ],
        [
            ("<sip:a@b>>;tag=1", 0),
            ("<<sip:a@b>>;tag=1", 0),
            ("< sip:a@b>;tag=1", 0),
            ("<>;tag=1", 0),
            ("<a@b>;tag=1", 0),
            ("<sip:a@b;tag=1", 0),
            ("a@b;tag=1", 0),
            ("\"a\" b <sip:a@b>;tag=1", 0),
            ("\"a\";tag=1", 0),
            ("a:b <sip:a@b>;tag=1", 0),
            ("sip:a@b?x=y;tag=1", 0),
            ("<sip:a@b> tag=1", 0),
            ("<sip:a@b>;tag=\"1\"", 14),
            ("<sip:a@b>;tag=", 0),
            ("<sip:a@b>;tag=a;tag=b", 0),
            ("<sip:a@b>, <sip:c@d>", 9),
            ("Bell, A <sip:a@b>", 4),
            ("\"open <sip:a@b>", 0)
        ]
    ),
    row!(
        To<'_>,
        [
            "The Operator <sip:operator@cs.columbia.edu>;tag=287447",
            "sip:+12125551212@server.phone2net.com",
            "<tel:+1-201-555-0123>"
        ],
        [("", 0), ("<sip:a@b", 0), ("<sip:a@b>,", 9)]
    ),
    row!(ReplyTo<'_>, ["Bob <sip:bob@biloxi.com>", "<mailto:a@b>"], [("<sip:a@b>, <sip:c@d>", 9)]),
    row!(
        CallIdValue<'_>,
        ["f81d4fae-7dec-11d0-a765-00a0c91e6bf6@biloxi.com", "x"],
        [("a b", 2), ("a, b", 1), ("@", 0), ("a@b@c", 0), ("", 0)]
    ),
    row!(InReplyTo<'_>, ["70710@saturn.bell-tel.com"], [("a,b", 1)]),
    row!(
        CSeq,
        ["4711 INVITE", "0009  INVITE"],
        [("INVITE", 0), ("1 INVITE, 2 BYE", 8), ("-1 INVITE", 0), ("4294967296 INVITE", 0)]
    ),
    row!(
        Contact<'_>,
        [
            "*",
            "\"Mr. Watson\" <sip:watson@worcester.bell-telephone.com>;q=0.7;expires=3600",
            "<sips:bob@192.0.2.4>;expires=60",
            "sip:a@b;q=1",
            "<mailto:watson@bell-telephone.com> ;q=0.1",
            "<sip:a@b>;reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>\""
        ],
        [
            ("*;q=1", 1),
            ("*, <sip:a@b>", 1),
            ("<sip:a@b>;q=1.5", 12),
            ("<sip:a@b>;reg-id=0", 17),
            ("<sip:a@b>;q=0.1;q=0.2", 16),
            ("sip:a@b?Route=%3Csip:x%3E", 0),
            ("<sip:a@b>;expires=1;expires=2", 20)
        ]
    ),
    row!(
        Route<'_>,
        ["<sip:bigbox3.site3.atlanta.com;lr>", "<sip:server10.biloxi.com;lr>;x=y"],
        [("sip:a@b;lr", 0), ("<sip:a>, <sip:b>", 7)]
    ),
    row!(RecordRoute<'_>, ["<sip:server10.biloxi.com;lr>"], [("sip:a@b", 0)]),
    row!(
        MaxForwards,
        ["70", "0", "0068", "255"],
        [("256", 0), ("-1", 0), ("", 0), ("7 0", 2), ("70,71", 2), ("4294967296", 0)]
    ),
    row!(ContentLength, ["0", "349"], [("-999", 0), ("1 2", 2), ("1,1", 1), ("+1", 0), ("0x1", 1)]),
    row!(Expires, ["5", "99999999999999999999999"], [("-1", 0), ("5s", 1), ("5, 6", 1), ("", 0)]),
    row!(MinExpires, ["60"], [("x", 0)]),
    row!(
        Accept<'_>,
        ["application/sdp;level=1", "application/x-private", "text/html", "*/*", "text/*;q=0.5"],
        [("text", 4), ("*/html", 2), ("text/html;q=2", 12), ("a/b, c/d", 3), ("a//b", 2)]
    ),
    row!(AcceptEncoding<'_>, ["gzip", "*;q=0.001"], [(";q=1", 0), ("gzip, a", 4)]),
    row!(
        AcceptLanguage<'_>,
        ["da", "en-gb;q=0.8", "*", "es-419"],
        [("en-", 0), ("**", 0), ("abcdefghi", 0), ("en_gb", 2)]
    ),
    row!(
        AlertInfo<'_>,
        ["<http://www.example.com/sounds/moo.wav>", "<urn:alert:service:call-waiting>;x"],
        [("http://a", 0), ("<a>", 1), ("<http://a>, <http://b>", 10)]
    ),
    row!(CallInfo<'_>, ["<http://wwww.example.com/alice/photo.jpg> ;purpose=icon"], [("<http://a", 0)]),
    row!(ErrorInfo<'_>, ["<sip:not-in-service-recording@atlanta.com>"], [("", 0)]),
    row!(Allow, ["INVITE", "IN%56ITE"], [("INVITE BYE", 7), ("INV(ITE", 3), ("a,b", 1)]),
    row!(
        Authorization<'_>,
        [
            "Digest username=\"Alice\", realm=\"atlanta.com\", nonce=\"84a4cc6f3082121f32b42a2187831a9e\", response=\"7587245234b3434cc3412213e5f113a5432\"",
            "Bearer eyJhbGciOi.J9-_~+/==",
            "NoOneKnowsThisScheme opaque-data=here",
            "Digest uri=sip:a@b,,nc=00000001"
        ],
        [
            ("Digest", 6),
            ("Digest a=1, A=2", 12),
            ("Digest a=\"x", 9),
            ("Digest a=\"\u{1}\"", 9),
            ("Bearer a b", 8),
            ("Digest a=1;b=2 x", 15),
            ("Digest a=1, b", 13)
        ]
    ),
    row!(ProxyAuthorization<'_>, ["Digest username=\"Alice\", realm=\"atlanta.com\""], [("=", 0)]),
    row!(
        WwwAuthenticate<'_>,
        [
            "Digest realm=\"atlanta.com\", domain=\"sip:boxesbybob.com\", qop=\"auth,auth-int\", nonce=\"\", opaque=\"\", stale=FALSE, algorithm=SHA-256",
            "Bearer authz_server=\"https://a/b\", realm=\"x\", error=\"invalid_token\""
        ],
        [("Digest realm,", 12)]
    ),
    row!(
        ProxyAuthenticate<'_>,
        ["Digest realm=\"a\\\"b\",nonce=\"f84f1cec41e6cbe5aea9c8e88d359\""],
        [("Digest realm=\"a\" nonce=\"b\"", 17)]
    ),
    row!(
        AuthenticationInfo<'_>,
        [
            "nextnonce=\"47364c23432d2e131a5fb210812c\"",
            "qop=auth, rspauth=\"6629\", cnonce=\"x\", nc=00000001"
        ],
        [("nextnonce", 9), ("a=1,a=2", 4)]
    ),
    row!(
        ContentDisposition<'_>,
        ["session", "session;handling=optional", "icon;x=\"y\""],
        [("", 0), ("a;handling=\"x\"", 11), ("a;handling=x;handling=y", 13), ("session, render", 7)]
    ),
    row!(ContentEncoding<'_>, ["gzip"], [("gzip;q=1", 4)]),
    row!(ContentLanguage<'_>, ["fr", "en-US"], [("-fr", 0), ("fr;x", 2), ("1a", 0)]),
    row!(
        ContentType<'_>,
        [
            "application/sdp",
            "text/html; charset=ISO-8859-4",
            "multipart/mixed;boundary=\"a;b,c\"",
            "application / sdp"
        ],
        [("application", 11), ("a/b;charset", 11), ("a/*", 0), ("a/b, c/d", 3), ("/b", 0)]
    ),
    row!(
        Date,
        ["Sat, 13 Nov 2010 23:29:00 GMT", "Thu, 21 Feb 2002 13:02:03 GMT"],
        [
            ("Fri, 01 Jan 2010 16:00:00 EST", 26),
            ("Sat, 32 Nov 2010 23:29:00 GMT", 5),
            ("Sat, 31 Nov 2010 23:29:00 GMT", 5),
            ("Sat,   31 Nov 2010 23:29:00 GMT", 7),
            ("Sat, 13 Nov 10 23:29:00 GMT", 12),
            ("Sat, 13 Nov 2010 24:29:00 GMT", 17),
            ("Sat 13 Nov 2010 23:29:00 GMT", 3),
            ("Sat, 13 Nov 2010 23:29:00 GMT+1", 26)
        ]
    ),
    row!(MimeVersion, ["1.0"], [("1", 1), ("1.", 2), ("1.0, 2", 3)]),
    row!(Organization<'_>, ["Boxes by Bob", "", "\u{fc}ber, alles"], [("a\u{7}", 1)]),
    row!(Priority<'_>, ["emergency", "non-urgent", "x"], [("a b", 2), ("", 0)]),
    row!(ProxyRequire<'_>, ["foo"], [("foo bar", 4)]),
    row!(Require<'_>, ["100rel"], [("100rel;x", 6)]),
    row!(Supported<'_>, ["100rel", "replaces"], [("a\u{e9}", 1)]),
    row!(Unsupported<'_>, ["foo"], [("", 0)]),
    row!(
        RetryAfter<'_>,
        ["18000;duration=3600", "120 (I'm in a (meeting\\))) ;x", "3600"],
        [("a", 0), ("120 (open", 4), ("1 (\u{1})", 2), ("120 x", 4), ("1;duration=x", 11), ("1, 2", 1)]
    ),
    row!(Server<'_>, ["HomeServer v2", "FPBX-16.0.40.7(18.13.0)"], [("\u{0}", 0)]),
    row!(UserAgent<'_>, ["Softphone Beta1.5", "a/1 (b (c))"], [("a\u{1b}[0m", 1)]),
    row!(Subject<'_>, ["Need more boxes", "", "Tech\r\n  Support"], [("x\u{7f}", 1)]),
    row!(Timestamp<'_>, ["54", "54.21 0.3", "54. .5"], [(".5", 0), ("1.2.3", 0), ("54 x", 3), ("54,1", 2)]),
    row!(
        Warning<'_>,
        [
            "307 isi.edu \"Session parameter 'foo' not understood\"",
            "301 [2001:db8::1]:5060 \"a, \\\"b\\\"\"",
            "099 x \"\""
        ],
        [
            ("30 a \"b\"", 0),
            ("3000 a \"b\"", 0),
            ("301 a b", 6),
            ("301 a \"\u{1}\u{7}\"", 6),
            ("301 a \"b\", 302 c \"d\"", 9),
            ("301 \"b\"", 4)
        ]
    ),
    // RFC 3262
    row!(RSeq, ["988789", "4294967295"], [("0", 0), ("4294967296", 0), ("1 2", 2)]),
    row!(
        RAck,
        ["776656 1 INVITE"],
        [
            ("776656 INVITE", 7),
            ("0 1 INVITE", 0),
            ("1 2147483648 INVITE", 2),
            ("1 1 INVITE x", 11),
            ("1 1 INVITE, 2 2 BYE", 10)
        ]
    ),
    // RFC 3323, 3325, 3326, 3327, 3608
    row!(Privacy<'_>, ["id", "header;session ; critical"], [("id, header", 2), ("id;", 3), (";id", 0)]),
    row!(
        PAssertedIdentity<'_>,
        ["\"Cullen Jennings\" <sip:fluffy@cisco.com>", "tel:+14085264000"],
        [("<mailto:a@b>", 1), ("<sip:a@b>, <tel:1>", 9)]
    ),
    row!(PPreferredIdentity<'_>, ["\"Cullen Jennings\" <sip:fluffy@cisco.com>"], [("*", 0)]),
    // draft-ietf-sip-privacy-04
    row!(RemotePartyId<'_>, ["\"A\" <sip:a@b>;party=calling;privacy=full;screen=yes"], [("<sip:a@b", 0)]),
    row!(
        Reason<'_>,
        [
            "SIP ;cause=200 ;text=\"Call completed elsewhere\"",
            "Q.850 ;cause=16 ;text=\"Terminated, normally\"",
            "preemption"
        ],
        [
            ("SIP;cause=x", 10),
            ("SIP;text=a", 9),
            ("SIP;cause=1;cause=2", 12),
            (";cause=1", 0),
            ("SIP;cause", 9)
        ]
    ),
    row!(Path<'_>, ["<sip:P3.EXAMPLEHOME.COM;lr>", "<sip:a@b;lr;ob>"], [("sip:a", 0)]),
    row!(ServiceRoute<'_>, ["<sip:P2.HOME.EXAMPLE.COM;lr>"], [("sip:a", 0)]),
    // RFC 3515, 3892, 4488, 4538
    row!(
        ReferTo<'_>,
        [
            "sip:alice@atlanta.example.com",
            "<sip:bob@biloxi.example.net?Accept-Contact=sip:bobsdesk.biloxi.example.net&Call-ID%3D55432%40alicepc.atlanta.example.com=x>",
            "<http://www.ietf.org>",
            "<sip:carol@c;method=SUBSCRIBE>"
        ],
        [("<sip:a@b>, <sip:evil@c>", 9), ("sip:a@b, sip:c@d", 7), ("", 0)]
    ),
    row!(
        ReferredBy<'_>,
        ["sip:r@ref.example;cid=\"2UWQFN309shb3@ref.example\"", "<sip:r@ref.example>"],
        [("<sip:r@a>;cid=x@y", 14), ("<sip:r@a>;cid=\"x\"", 14), ("<sip:r@a>, <sip:b@c>", 9)]
    ),
    row!(ReferSub<'_>, ["false", "TRUE;x=y"], [("maybe", 0), ("true, false", 4)]),
    row!(
        TargetDialog<'_>,
        ["fa77as7dad8-sd98ajzz@host.example.com ;local-tag=kkaz- ;remote-tag=6544"],
        [("a@b;local-tag=1", 0), ("a@b;local-tag=1;remote-tag=2,c", 28), ("a b;local-tag=1;remote-tag=2", 2)]
    ),
    // RFC 3840, 3841, 6809
    row!(
        AcceptContact<'_>,
        ["*;audio;require", "*;video;explicit;methods=\"INVITE,BYE\"", "*"],
        [("", 0), ("audio", 0), ("*x", 1), ("*;audio, *;video", 7)]
    ),
    row!(RejectContact<'_>, ["*;actor=\"msg-taker\";video", "*;mobility=\"mobile\""], [("*;;", 1)]),
    row!(
        RequestDisposition,
        ["proxy", "no-FORK", "sequential"],
        [("spoon", 0), ("proxy;x", 5), ("proxy, recurse", 5)]
    ),
    row!(FeatureCaps<'_>, ["*;+sip.pns=\"fcm\";+sip.vapid=\"x\"", "*;+g.3gpp.srvcc"], [("+sip.pns", 0)]),
    // RFC 3891, 3903, 3911
    row!(
        Replaces<'_>,
        [
            "98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff",
            "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only",
            "87134@171.161.34.23;to-tag=24796;from-tag=0"
        ],
        [
            ("a@b;to-tag=1", 0),
            ("a@b;to-tag=1;from-tag=2;to-tag=3", 24),
            ("a@b;to-tag=\"1\";from-tag=2", 11),
            ("a@b;to-tag=1;from-tag=2, c@d;to-tag=1;from-tag=2", 23),
            (";to-tag=1;from-tag=2", 0)
        ]
    ),
    row!(
        Join<'_>,
        ["12adf2f34456gs5;to-tag=12345;from-tag=54321"],
        [("a;from-tag=1", 0), ("a;to-tag;from-tag=1", 8)]
    ),
    row!(SipEtag<'_>, ["dx200xyz"], [("\"a\"", 0), ("a,b", 1), ("", 0)]),
    row!(SipIfMatch<'_>, ["dx200xyz"], [("a b", 2)]),
    // RFC 4028, 5393, 5626
    row!(
        SessionExpires<'_>,
        ["4000;refresher=uac", "1800 ; refresher = UAS;x", "90"],
        [
            ("", 0),
            ("4000;refresher=me", 15),
            ("4000;refresher=uac;refresher=uas", 19),
            ("99999999999", 0),
            ("1, 2", 1)
        ]
    ),
    row!(MinSe<'_>, ["90", "3600;x=y"], [("90s", 2)]),
    row!(MaxBreadth, ["60"], [("-1", 0), ("99999999999", 0)]),
    row!(FlowTimer, ["120"], [("120;x", 3)]),
    // RFC 5806, 7044
    row!(
        Diversion<'_>,
        [
            "<tel:+19195551004>;reason=user-busy;counter=2",
            "\"Bob\" <sip:bob@biloxi.com>;reason=\"unknown\";privacy=off;screen=no;limit=5",
            "sip:a@b;reason=no-answer"
        ],
        [("<sip:a@b>;counter=x", 18), ("<sip:a@b>, <sip:b@c>", 9)]
    ),
    row!(
        HistoryInfo<'_>,
        [
            "<sip:bob@example.com>;index=1",
            "<sip:bob@192.0.2.4?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1",
            "\"x\" <sip:o@e.com>;index=1.2.10;mp=1.0"
        ],
        [
            ("<sip:a@b>", 0),
            ("sip:a@b;index=1", 0),
            ("<sip:a@b>;index=01", 16),
            ("<sip:a@b>;index=1.", 16),
            ("<sip:a@b>;index=1;mp=x", 21),
            ("<sip:a@b>;index=1, <sip:c@d>;index=2", 17)
        ]
    ),
    // RFC 6086
    row!(InfoPackage<'_>, ["foo", "g.3gpp.ussd", "foo;x=\"y\""], [("", 0), ("a, b", 1), ("a b", 2)]),
    row!(RecvInfo<'_>, ["foo", "bar;x=1"], [("a/b", 1)]),
    // RFC 6665
    row!(
        Event<'_>,
        ["presence", "presence.winfo.winfo", "refer;id=93809824", "message-summary;x=\"y,z\""],
        [("", 0), (".winfo", 0), ("presence.", 0), ("a;id=\"x\"", 5), ("a;id=1;id=2", 7), ("a, b", 1)]
    ),
    row!(AllowEvents<'_>, ["spirits-INDPs", "presence.winfo"], [("a;b", 1), ("..", 0)]),
    row!(
        SubscriptionState<'_>,
        [
            "active;expires=600",
            "terminated;reason=noresource",
            "pending",
            "terminated;reason=probation;retry-after=60"
        ],
        [
            ("", 0),
            ("active;expires=x", 15),
            ("active;expires=1;expires=2", 17),
            ("active, terminated", 6),
            ("terminated;reason=\"a\"", 18)
        ]
    ),
    // RFC 7433, 7989, 8224
    row!(
        UserToUser<'_>,
        ["56a390f3d2b7310023a2;encoding=hex;purpose=foo;content=bar", "\"a, b\"", "00C81030"],
        [("", 0), ("a;encoding", 10), ("a b", 2), ("a, b", 1), ("\"a", 0)]
    ),
    row!(
        SessionId<'_>,
        [
            "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2",
            "ab30317f1a784dc48ff824d0d3715d86",
            "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000;x"
        ],
        [
            ("AB30317F1A784DC48FF824D0D3715D86", 0),
            ("ab30", 0),
            ("ab30317f1a784dc48ff824d0d3715d86;remote=1", 40),
            ("ab30317f1a784dc48ff824d0d3715d86, x", 32)
        ]
    ),
    row!(
        Identity<'_>,
        [
            "eyJhbGciOiJFUzI1NiIs.eyJkZXN0Ijp7In.rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojN;info=<https://biloxi.example.org/biloxi.cer>;alg=ES256;ppt=shaken",
            "..sig;alg=ES256 ; info = <https://a/b;c>",
            "..sig;info=<https://a>"
        ],
        [
            ("..sig", 0),
            ("..sig;alg=ES256", 0),
            ("..sig;inf=<https://a>", 0),
            (";info=<https://a>", 0),
            ("..sig;info=<a>", 12),
            ("..sig;info=<https://a>;info=<https://b>", 22),
            ("..sig;info=<https://a>;alg=1;alg=2", 29),
            ("..sig;alg=1;info=<https://a>;alg=2", 33)
        ]
    ),
];
