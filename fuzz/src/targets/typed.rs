//! Every header field as a type: what is taken prints to an equal value.

use sip_core::message::typed::*;
use sip_core::message::{CSeq, HeaderName, Headers, Params, Via, quote, unquote};

struct Row {
    name: HeaderName,
    /// Parses, prints, parses; whether the first did.
    round: fn(&str) -> bool,
    /// Reads every field of this name.
    of_message: fn(&Headers),
    valid: &'static [&'static str],
}

/// The first byte picks the header field, the rest is its value.
pub(crate) fn holds(input: &[u8]) {
    let Some((first, value)) = input.split_first() else { return };
    let row = &TABLE[usize::from(*first) % TABLE.len()];
    let text = String::from_utf8_lossy(value);
    (row.round)(&text);
    if let Some(params) = Params::parse(&text) {
        let again = Params::parse(params.as_str()).expect("what was taken");
        assert!(params.iter().eq(again.iter()));
        let _ = features(params)
            .filter_map(Result::ok)
            .map(|feature| feature.value.elements().count())
            .sum::<usize>();
    }
    assert_eq!(unquote(&quote(&text)), text.replace(['\r', '\n', '\0'], ""));
}

/// Every field of a message as its type.
pub(crate) fn of_message(headers: &Headers) {
    TABLE.iter().filter(|row| headers.has(row.name)).for_each(|row| (row.of_message)(headers));
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let rows = TABLE.iter().enumerate();
    rows.flat_map(|(at, row)| {
        let first = u8::try_from(at).expect("fewer than 256 header fields");
        row.valid.iter().map(move |text| [&[first], text.as_bytes()].concat())
    })
    .collect()
}

/// A message with every header field there is.
pub(crate) fn busy_message() -> Vec<u8> {
    let mut text = String::from("OPTIONS sip:bob@example.com SIP/2.0\r\n");
    for row in TABLE {
        let value = match row.name {
            HeaderName::CSeq => "63104 OPTIONS",
            HeaderName::ContentLength => "0",
            _ => row.valid[0],
        };
        text += &format!("{}: {value}\r\n", row.name);
    }
    (text + "\r\n").into_bytes()
}

macro_rules! row {
    ($type:ty, [$($valid:expr),*]) => {
        row!($type, |_, _| {}, [$($valid),*])
    };
    // With what else can be asked of a value.
    ($type:ty, $asked:expr, [$($valid:expr),*]) => {
        Row {
            name: <$type as TypedHeader<'_>>::NAME,
            round: |text| {
                let value = match <$type as TypedHeader<'_>>::parse(text) {
                    Ok(value) => value,
                    Err(error) => {
                        assert!(error.offset() <= text.len(), "{text:?}: {error}");
                        return false;
                    }
                };
                let asked: fn(&str, &$type) = $asked;
                asked(text, &value);
                let printed = value.to_string();
                let again = <$type as TypedHeader<'_>>::parse(&printed);
                assert_eq!(again.as_ref(), Ok(&value), "{text:?} prints as {printed:?}");
                true
            },
            of_message: |headers| {
                let end = headers.bytes().len();
                let values = headers.typed_all::<$type>();
                let refused = values.filter_map(Result::err).chain(headers.typed::<$type>().err());
                refused.for_each(|error| assert!(error.offset <= end, "{error}"));
            },
            valid: &[$($valid),*],
        }
    };
}

const TABLE: &[Row] = &[
    row!(
        Via<'_>,
        overload,
        [
            "SIP / 2.0 / WSS [2001:db8::1]:5061;rport",
            "SIP/2.0/UDP h;branch=z9hG4bK1;oc=20;oc-algo=\"loss,A\";oc-validity=500;oc-seq=1282321615.782"
        ]
    ),
    row!(
        From<'_>,
        [
            "Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8",
            "\"A. G. Bell\" <sip:agb@bell.example>;tag=a48s"
        ]
    ),
    row!(
        To<'_>,
        ["The Operator <sip:operator@cs.columbia.edu>;tag=287447", "sip:+12125551212@server.phone2net.com"]
    ),
    row!(ReplyTo<'_>, ["Bob <sip:bob@biloxi.com>", "<mailto:a@b>"]),
    row!(CallIdValue<'_>, ["f81d4fae-7dec-11d0-a765-00a0c91e6bf6@biloxi.com", "x"]),
    row!(InReplyTo<'_>, ["70710@saturn.bell-tel.com"]),
    row!(CSeq, ["0009  INVITE", "4711 INVITE"]),
    row!(
        Contact<'_>,
        contact,
        [
            "<sip:a@b>;reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>\";pub-gruu=\"sip:a@b;gr=u\";temp-gruu=\"sip:t@b;gr\"",
            "\"Mr. Watson\" <sip:watson@worcester.bell-telephone.com>;q=0.7;expires=3600"
        ]
    ),
    row!(Route<'_>, ["<sip:bigbox3.site3.atlanta.com;lr>", "<sip:server10.biloxi.com;lr>;x=y"]),
    row!(RecordRoute<'_>, ["<sip:server10.biloxi.com;lr>"]),
    row!(MaxForwards, ["0068", "255"]),
    row!(ContentLength, ["349", "0"]),
    row!(Expires, ["99999999999999999999999", "5"]),
    row!(MinExpires, ["60"]),
    row!(Accept<'_>, ["application/sdp;level=1", "application/x-private"]),
    row!(AcceptEncoding<'_>, ["*;q=0.001", "gzip"]),
    row!(AcceptLanguage<'_>, ["en-gb;q=0.8", "es-419"]),
    row!(AlertInfo<'_>, ["<http://www.example.com/sounds/moo.wav>", "<urn:alert:service:call-waiting>;x"]),
    row!(CallInfo<'_>, ["<http://wwww.example.com/alice/photo.jpg> ;purpose=icon"]),
    row!(ErrorInfo<'_>, ["<sip:not-in-service-recording@atlanta.com>"]),
    row!(Allow, ["IN%56ITE", "INVITE"]),
    row!(
        Authorization<'_>,
        [
            "Digest username=\"Alice\", realm=\"atlanta.com\", nonce=\"84a4cc6f3082121f32b42a2187831a9e\", response=\"7587245234b3434cc3412213e5f113a5432\"",
            "NoOneKnowsThisScheme opaque-data=here"
        ]
    ),
    row!(ProxyAuthorization<'_>, ["Digest username=\"Alice\", realm=\"atlanta.com\""]),
    row!(
        WwwAuthenticate<'_>,
        [
            "Digest realm=\"atlanta.com\", domain=\"sip:boxesbybob.com\", qop=\"auth,auth-int\", nonce=\"\", opaque=\"\", stale=FALSE, algorithm=SHA-256",
            "Bearer authz_server=\"https://a/b\", realm=\"x\", error=\"invalid_token\""
        ]
    ),
    row!(ProxyAuthenticate<'_>, ["Digest realm=\"a\\\"b\",nonce=\"f84f1cec41e6cbe5aea9c8e88d359\""]),
    row!(
        AuthenticationInfo<'_>,
        [
            "qop=auth, rspauth=\"6629\", cnonce=\"x\", nc=00000001",
            "nextnonce=\"47364c23432d2e131a5fb210812c\""
        ]
    ),
    row!(ContentDisposition<'_>, ["session;handling=optional", "icon;x=\"y\""]),
    row!(ContentEncoding<'_>, ["gzip"]),
    row!(ContentLanguage<'_>, ["en-US", "fr"]),
    row!(ContentType<'_>, ["multipart/mixed;boundary=\"a;b,c\"", "text/html; charset=ISO-8859-4"]),
    row!(Date, ["Sat, 13 Nov 2010 23:29:00 GMT", "Thu, 21 Feb 2002 13:02:03 GMT"]),
    row!(MimeVersion, ["1.0"]),
    row!(Organization<'_>, ["\u{fc}ber, alles", "Boxes by Bob"]),
    row!(Priority<'_>, ["non-urgent", "emergency"]),
    row!(ProxyRequire<'_>, ["foo"]),
    row!(Require<'_>, ["100rel"]),
    row!(Supported<'_>, ["replaces", "100rel"]),
    row!(Unsupported<'_>, ["foo"]),
    row!(RetryAfter<'_>, ["120 (I'm in a (meeting\\))) ;x", "18000;duration=3600"]),
    row!(Server<'_>, ["FPBX-16.0.40.7(18.13.0)", "HomeServer v2"]),
    row!(UserAgent<'_>, ["Softphone Beta1.5", "a/1 (b (c))"]),
    row!(Subject<'_>, ["Tech\r\n  Support", "Need more boxes"]),
    row!(Timestamp<'_>, ["54.21 0.3", "54. .5"]),
    row!(
        Warning<'_>,
        ["307 isi.edu \"Session parameter 'foo' not understood\"", "301 [2001:db8::1]:5060 \"a, \\\"b\\\"\""]
    ),
    row!(RSeq, ["4294967295", "988789"]),
    row!(RAck, ["776656 1 INVITE"]),
    row!(Privacy<'_>, privacy, ["header;session ; critical", "id"]),
    row!(PAssertedIdentity<'_>, ["\"Cullen Jennings\" <sip:fluffy@cisco.com>", "tel:+14085264000"]),
    row!(PPreferredIdentity<'_>, ["\"Cullen Jennings\" <sip:fluffy@cisco.com>"]),
    row!(RemotePartyId<'_>, ["\"A\" <sip:a@b>;party=calling;privacy=full"]),
    row!(
        Reason<'_>,
        [
            "SIP ;cause=200 ;text=\"Call completed elsewhere\"",
            "Q.850 ;cause=16 ;text=\"Terminated, normally\""
        ]
    ),
    row!(Path<'_>, ["<sip:P3.EXAMPLEHOME.COM;lr>", "<sip:a@b;lr;ob>"]),
    row!(ServiceRoute<'_>, ["<sip:P2.HOME.EXAMPLE.COM;lr>"]),
    row!(
        ReferTo<'_>,
        [
            "<sip:bob@biloxi.example.net?Accept-Contact=sip:bobsdesk.biloxi.example.net&Call-ID%3D55432%40alicepc.atlanta.example.com=x>",
            "<sip:carol@c;method=SUBSCRIBE>"
        ]
    ),
    row!(
        ReferredBy<'_>,
        referred_by,
        ["sip:r@ref.example;cid=\"2UWQFN309shb3@ref.example\"", "<sip:r@ref.example>"]
    ),
    row!(ReferSub<'_>, ["TRUE;x=y", "false"]),
    row!(TargetDialog<'_>, ["fa77as7dad8-sd98ajzz@host.example.com ;local-tag=kkaz- ;remote-tag=6544"]),
    row!(AcceptContact<'_>, ["*;video;explicit;methods=\"INVITE,BYE\"", "*;audio;require"]),
    row!(RejectContact<'_>, ["*;actor=\"msg-taker\";video", "*;mobility=\"mobile\""]),
    row!(RequestDisposition, ["sequential", "no-FORK"]),
    row!(FeatureCaps<'_>, ["*;+sip.pns=\"fcm\";+sip.vapid=\"x\"", "*;+g.3gpp.srvcc"]),
    row!(
        Replaces<'_>,
        [
            "98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff",
            "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only"
        ]
    ),
    row!(Join<'_>, ["12adf2f34456gs5;to-tag=12345;from-tag=54321"]),
    row!(SipEtag<'_>, ["dx200xyz"]),
    row!(SipIfMatch<'_>, ["dx200xyz"]),
    row!(SessionExpires<'_>, ["1800 ; refresher = UAS;x", "4000;refresher=uac"]),
    row!(MinSe<'_>, ["3600;x=y", "90"]),
    row!(MaxBreadth, ["60"]),
    row!(FlowTimer, ["120"]),
    row!(
        Diversion<'_>,
        [
            "\"Bob\" <sip:bob@biloxi.com>;reason=\"unknown\";privacy=off;screen=no;limit=5",
            "<tel:+19195551004>;reason=user-busy;counter=2"
        ]
    ),
    row!(
        HistoryInfo<'_>,
        [
            "<sip:bob@192.0.2.4?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1",
            "\"x\" <sip:o@e.com>;index=1.2.10;mp=1.0"
        ]
    ),
    row!(InfoPackage<'_>, ["g.3gpp.ussd", "foo;x=\"y\""]),
    row!(RecvInfo<'_>, ["bar;x=1", "foo"]),
    row!(Event<'_>, ["message-summary;x=\"y,z\"", "presence.winfo.winfo"]),
    row!(AllowEvents<'_>, ["presence.winfo", "spirits-INDPs"]),
    row!(
        SubscriptionState<'_>,
        ["terminated;reason=probation;retry-after=60", "terminated;reason=noresource"]
    ),
    row!(
        UserToUser<'_>,
        user_to_user,
        ["56a390f3d2b7310023a2;encoding=hex;purpose=foo;content=bar", "\"a, b\""]
    ),
    row!(
        SessionId<'_>,
        [
            "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000;x",
            "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2"
        ]
    ),
    row!(
        Identity<'_>,
        identity,
        [
            "eyJhbGciOiJFUzI1NiIs.eyJkZXN0Ijp7In.rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojN;info=<https://biloxi.example.org/biloxi.cer>;alg=ES256;ppt=shaken",
            "..sig;alg=ES256 ; info = <https://a/b;c>"
        ]
    ),
];

/// Overload control's parameters print to equal ones; a refusal lies within all of them.
fn overload(_: &str, via: &Via<'_>) {
    let overload = match via.overload() {
        Ok(Some(overload)) => overload,
        Ok(None) => return,
        Err(error) => return assert!(error.offset() <= via.params.as_str().len(), "{via}: {error}"),
    };
    assert!(overload.algorithms().all(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric())));
    let printed = format!("SIP/2.0/TLS h{overload}");
    let again = Via::parse(&printed).expect("a Via").overload().map(Option::unwrap);
    // The list's blanks are its writer's.
    assert_eq!(again, Ok(overload), "{via} prints as {printed}");
}

fn contact(text: &str, contact: &Contact<'_>) {
    let Contact::Address(contact) = contact else { return assert_eq!(text.trim(), "*") };
    let params = contact.address.params;
    if let Some(instance) = contact.instance() {
        assert_eq!(params.value("+sip.instance"), Some(&*format!("\"<{instance}>\"")), "{text}");
    }
    for (gruu, name) in [(contact.pub_gruu(), "pub-gruu"), (contact.temp_gruu(), "temp-gruu")] {
        assert_eq!(gruu.is_some(), params.value(name).is_some(), "{name} of {text}");
        assert!(gruu.is_none_or(|gruu| gruu.len() <= text.len()), "{name} of {text}");
    }
}

fn referred_by(text: &str, referred_by: &ReferredBy<'_>) {
    let Some(cid) = referred_by.cid() else { return assert_eq!(referred_by.params.value("cid"), None) };
    assert!(
        cid.contains('@') && !cid.contains('"') && text.contains(&format!("\"{cid}\"")),
        "{cid} of {text}"
    );
}

fn identity(text: &str, identity: &Identity<'_>) {
    assert_eq!(identity.param("alg"), identity.alg, "{text}");
    assert_eq!(identity.param("PPT"), identity.ppt, "{text}");
}

fn privacy(text: &str, privacy: &Privacy<'_>) {
    assert_eq!(privacy.values().count(), text.split(';').count(), "{text}");
    assert!(
        privacy.values().all(|value| !value.is_empty() && privacy.has(&value.to_ascii_uppercase())),
        "{text}"
    );
}

fn user_to_user(text: &str, data: &UserToUser<'_>) {
    let quoted = data.data.starts_with('"');
    assert!(
        if quoted { data.text().len() + 2 <= data.data.len() } else { data.text() == data.data },
        "{text}"
    );
    assert!(
        data.params.value("purpose") == data.purpose && data.params.value("content") == data.content,
        "{text}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_field_is_there_and_its_seeds_are_valid() {
        for name in HeaderName::ALL {
            assert!(TABLE.iter().any(|row| row.name == *name), "{name}");
        }
        for row in TABLE {
            assert!(row.valid.iter().all(|text| (row.round)(text)), "{}", row.name);
        }
    }

    #[test]
    fn a_message_with_every_header_field_is_one() {
        let message = sip_core::message::Request::parse(busy_message().into()).expect("a request");
        assert_eq!(message.headers().fields().len(), TABLE.len());
    }
}
