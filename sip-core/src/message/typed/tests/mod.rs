mod table;

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use self::table::TABLE;
use super::*;
use crate::message::{Fault, HeaderName, Headers, Params, Request, SipUri, Uri, Via};

/// One header field: values its parser must take, and values it must refuse with the place.
struct Row {
    name: &'static str,
    /// Parses; prints; parses what was printed; panics if that is not equal.
    round: fn(&str) -> Result<String, HeaderError>,
    valid: &'static [&'static str],
    invalid: &'static [(&'static str, usize)],
}

#[test]
fn valid_values_are_taken_and_print_to_equal_ones() {
    for row in TABLE {
        for text in row.valid {
            if let Err(error) = (row.round)(text) {
                panic!("{}: {text:?}: {error}", row.name);
            }
        }
    }
}

#[test]
fn invalid_values_are_refused_where_they_are_wrong() {
    let mut wrong = Vec::new();
    for row in TABLE {
        for (text, offset) in row.invalid {
            match (row.round)(text) {
                Ok(printed) => wrong.push(format!("{}: {text:?} was taken as {printed:?}", row.name)),
                Err(error) if error.offset() != *offset => {
                    wrong.push(format!("{}: {text:?}: {error:?}, expected at {offset}", row.name));
                }
                Err(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_name_has_a_type() {
    for name in HeaderName::ALL {
        assert!(TABLE.iter().any(|row| row.name == name.as_str()), "{name}");
    }
}

#[test]
fn nothing_smuggles_a_second_value_or_a_line() {
    for row in TABLE {
        // Text for people may hold anything.
        if matches!(row.name, "Subject" | "Organization" | "Server" | "User-Agent") {
            continue;
        }
        for text in row.valid.iter().filter(|text| !text.is_empty()) {
            for tail in [", x", ",", "\0", "\u{1}", " \"", ";=", ";;", "\u{e9}\u{0}"] {
                let smuggled = format!("{text}{tail}");
                if let Ok(printed) = (row.round)(&smuggled) {
                    // Parameters of credentials are a comma list themselves, and their values are taken loosely.
                    let lists = matches!(
                        row.name,
                        "WWW-Authenticate"
                            | "Proxy-Authenticate"
                            | "Authorization"
                            | "Proxy-Authorization"
                            | "Authentication-Info"
                    );
                    assert!(
                        lists && matches!(tail, "," | ";=" | ";;"),
                        "{}: {smuggled:?} was taken as {printed:?}",
                        row.name
                    );
                }
            }
        }
    }
}

#[test]
fn overlong_values_are_refused_or_taken_but_never_panic() {
    let long = "a".repeat(70_000);
    for row in TABLE {
        let _ = (row.round)(&long);
        for text in row.valid {
            let _ = (row.round)(&format!("{text}{long}"));
            let _ = (row.round)(&format!("{text};{long}={long}"));
        }
    }
    let overlong = "a".repeat(513);
    for text in [format!("{overlong};to-tag=1;from-tag=2"), format!("a;to-tag={overlong};from-tag=2")] {
        assert!(matches!(Replaces::parse(&text), Err(HeaderError::Overlong { .. })), "{text}");
    }
    assert!(matches!(SipEtag::parse(&overlong), Err(HeaderError::Overlong { what: "token", offset: 0 })));
}

fn headers(fields: &str) -> Headers {
    let text = format!(
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n{fields}\r\n"
    );
    Request::parse(Bytes::from(text)).expect("a request").headers().clone()
}

#[test]
fn a_message_gives_its_fields_as_types() {
    let headers = headers(
        "Route: <sip:r1;lr>, <sip:r2;lr>\r\nRoute: <sip:r3;lr>\r\nSupported:\r\nk: path, gruu\r\nEvent: a;id=1\r\n\
         WWW-Authenticate: Digest realm=\"a, b\", nonce=\"c\"\r\nWWW-Authenticate: Bearer realm=\"x\"\r\n",
    );
    let routes: Vec<String> =
        headers.typed_all::<Route<'_>>().map(|route| route.expect("sound").uri.to_string()).collect();
    assert_eq!(routes, ["sip:r1;lr", "sip:r2;lr", "sip:r3;lr"]);
    assert_eq!(headers.typed_all::<Supported<'_>>().count(), 2);
    assert_eq!(headers.typed::<Event<'_>>().expect("sound").and_then(|event| event.id), Some("1"));
    assert_eq!(headers.typed::<Replaces<'_>>(), Ok(None));
    let realms: Vec<String> = headers
        .typed_all::<WwwAuthenticate<'_>>()
        .filter_map(|challenge| challenge.expect("sound").0.text("realm").map(|realm| realm.to_string()))
        .collect();
    assert_eq!(realms, ["a, b", "x"]);
    assert_eq!(headers.typed::<Via<'_>>().expect("sound").expect("there").branch(), Some("z9hG4bK1"));
}

#[test]
fn two_values_where_one_may_stand_are_refused_with_the_place() {
    let two = headers("Event: a\r\no: b\r\n");
    let error = two.typed::<Event<'_>>().expect_err("two events");
    assert_eq!(error.fault, Fault::Duplicate(HeaderName::Event));
    assert_eq!(&two.bytes()[error.offset..][..1], b"b");
    let comma = headers("Refer-To: <sip:a@b>, <sip:evil@c>\r\n");
    let error = comma.typed::<ReferTo<'_>>().expect_err("a smuggled target");
    assert_eq!(error.fault, Fault::Malformed(HeaderName::ReferTo));
    assert_eq!(&comma.bytes()[error.offset..][..2], b", ");
    let list = headers("Reason: SIP;cause=200, Q.850;cause=16\r\n");
    assert!(list.typed::<Reason<'_>>().is_err());
    assert_eq!(list.typed_all::<Reason<'_>>().count(), 2);
}

#[test]
fn parameters_say_what_they_mean() {
    let Ok(Contact::Address(contact)) = Contact::parse(
        "<sip:a@b;gr=urn:x>;q=0.75;expires=many;reg-id=1;+sip.instance=\"<urn:uuid:1>\";audio;methods=\"INVITE,!BYE\";\
         pub-gruu=\"sip:a@b;gr=x\"",
    ) else {
        panic!("an address")
    };
    assert_eq!((contact.q, contact.expires), (QValue::from_thousandths(750), Some(3600)));
    assert_eq!((contact.reg_id, contact.instance()), (Some(1), Some("urn:uuid:1")));
    assert_eq!(contact.pub_gruu().as_deref(), Some("sip:a@b;gr=x"));
    let features: Vec<Feature<'_>> = contact.features().map(|feature| feature.expect("sound")).collect();
    assert_eq!(features[0], Feature { tag: "+sip.instance", value: FeatureValue::Text("urn:uuid:1") });
    assert_eq!(features[1], Feature { tag: "audio", value: FeatureValue::Flag });
    assert_eq!(features[2].value.elements().collect::<Vec<_>>(), [(false, "INVITE"), (true, "BYE")]);
    let bad = Params::parse(";audio=\"a b\";video=x").expect("parameters");
    assert!(super::features(bad).all(|feature| feature.is_err()));
    assert_eq!(Contact::parse(" * "), Ok(Contact::Any));
    let accept = Accept::parse("application/*;q=0.3").expect("a range");
    assert!(accept.covers("application", "SDP") && !accept.covers("text", "plain"));
    assert!(!Accept::parse("*/*;q=0").expect("a range").covers("a", "b"));
    assert!(Privacy::parse("id; HEADER ;critical").expect("values").has("header"));
    let identity =
        Identity::parse("..sig;x=1;info=<https://a/b;c>;alg=ES256;ppt=shaken").expect("an identity");
    assert_eq!((identity.info, identity.alg, identity.ppt), ("https://a/b;c", Some("ES256"), Some("shaken")));
    assert_eq!(identity.param("x"), Some("1"));
    let uui = UserToUser::parse("\"a b\";purpose=p;encoding=hex").expect("data");
    assert_eq!((&*uui.text(), uui.purpose, uui.encoding), ("a b", Some("p"), Some("hex")));
    let token = Authorization::parse("Bearer abc.def-_==").expect("a token").0;
    assert_eq!(token, AuthValue::Token { scheme: "Bearer", token: "abc.def-_==" });
    assert!(ContentDisposition::parse("session").expect("one").required());
    assert!(!ContentDisposition::parse("icon;handling=Optional").expect("one").required());
}

#[test]
fn dates_are_seconds() {
    for (text, seconds) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sat, 13 Nov 2010 23:29:00 GMT", 1_289_690_940),
        ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
        ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
    ] {
        let date = Date::parse(text).expect(text);
        assert_eq!((date.unix_seconds(), date.to_string().as_str()), (seconds, text));
        assert_eq!(Date::from_unix_seconds(seconds), Some(date));
    }
    assert_eq!(Date::from_unix_seconds(i64::from(u32::MAX) * 100), None);
}

#[test]
fn weights_print_short() {
    for (text, printed) in
        [("1.000", "1"), ("0", "0"), ("0.5", "0.5"), ("0.250", "0.25"), ("0.005", "0.005"), ("0.", "0")]
    {
        assert_eq!(QValue::parse(text).expect(text).to_string(), printed);
    }
    for text in ["", "1.001", "2", "0.1234", "-0", "0,5", ".5", "00.5", "0.5 "] {
        assert_eq!(QValue::parse(text), None, "{text}");
    }
}

fn sip(text: &str) -> SipUri<'_> {
    match Uri::parse(text) {
        Some(Uri::Sip(uri)) => uri,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn extension_uri_parameters() {
    assert_eq!(sip("sip:a@b;gr=urn:uuid:%31").gruu(), Some(Gruu::Public("urn:uuid:1".into())));
    assert_eq!(sip("sip:a@b;gr").gruu(), Some(Gruu::Temporary));
    assert_eq!(sip("sip:a@b").gruu(), None);
    assert!(sip("sip:a@b;ob").is_outbound() && !sip("sip:a@b").is_outbound());
    let uri = "sip:a@b;pn-provider=acme;pn-param=x%3Ay;pn-prid=ZTY4;pn-purr=1";
    let push = sip(uri).push().expect("push parameters");
    assert_eq!((&*push.provider, push.param.as_deref()), ("acme", Some("x:y")));
    assert_eq!((push.prid.as_deref(), push.purr.as_deref()), (Some("ZTY4"), Some("1")));
    assert_eq!(&*sip("sip:a@b;pn-provider").push().expect("asks").provider, "");
    assert_eq!(sip("sip:a@b").push(), None);
}

#[test]
fn overload_control_rides_in_via() {
    let via = |params: &'static str| Via::parse(params).expect(params);
    let request = via("SIP/2.0/TLS h;branch=z9hG4bK1;oc;oc-algo=\"loss,A\"").overload();
    let request = request.expect("sound").expect("there");
    assert_eq!(request.limit, OverloadLimit::Supported);
    assert_eq!(request.algorithms().collect::<Vec<_>>(), ["loss", "A"]);
    assert_eq!(request.to_string(), ";oc;oc-algo=\"loss,A\"");
    let report = via("SIP/2.0/TLS h;oc=20;oc-algo=\"loss\";oc-validity=500;oc-seq=1282321615.782").overload();
    let report = report.expect("sound").expect("there");
    assert_eq!((report.limit, report.validity), (OverloadLimit::Reduce(20), Some(500)));
    assert_eq!(report.to_string(), ";oc=20;oc-algo=\"loss\";oc-validity=500;oc-seq=1282321615.782");
    assert_eq!(via("SIP/2.0/UDP h;branch=z9hG4bK1").overload(), Ok(None));
    for bad in [
        "SIP/2.0/UDP h;oc=x",
        "SIP/2.0/UDP h;oc=1;oc=2",
        "SIP/2.0/UDP h;oc=99999999999",
        "SIP/2.0/UDP h;oc=1;oc-algo=loss",
        "SIP/2.0/UDP h;oc=1;oc-algo=\"lo ss\"",
        "SIP/2.0/UDP h;oc=1;oc-seq=1",
        "SIP/2.0/UDP h;oc=1;oc-validity=-1",
    ] {
        assert!(via(bad).overload().is_err(), "{bad}");
    }
}

/// Valid values with bytes replaced, inserted, removed or doubled.
fn perturbed() -> impl Strategy<Value = (usize, String)> {
    let edits = proptest::collection::vec(
        (0usize..4, any::<prop::sample::Index>(), prop_oneof![any::<char>(), "[ -~\t]".prop_map(first)]),
        0..5,
    );
    (0..TABLE.len(), any::<prop::sample::Index>(), edits).prop_map(|(row, seed, edits)| {
        let seeds = TABLE[row].valid;
        let mut text: Vec<char> = seeds[seed.index(seeds.len())].chars().collect();
        for (kind, at, value) in edits {
            let at = at.index(text.len() + 1);
            match kind {
                0 if at < text.len() => text[at] = value,
                1 if at < text.len() => drop(text.remove(at)),
                2 => text.extend_from_within(at..),
                _ => text.insert(at, value),
            }
        }
        (row, text.into_iter().collect())
    })
}

fn first(text: String) -> char {
    text.chars().next().unwrap_or(' ')
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_taken_prints_to_an_equal_value((row, text) in perturbed()) {
        // The round itself asserts equality; a refusal lies within the value.
        if let Err(error) = (TABLE[row].round)(&text) {
            prop_assert!(error.offset() <= text.len(), "{}: {:?}: {:?}", TABLE[row].name, text, error);
        }
    }

    #[test]
    fn noise_never_panics(text in "\\PC{0,60}", row in 0..TABLE.len()) {
        let _ = (TABLE[row].round)(&text);
    }

    #[test]
    fn dates_survive(seconds in -62_167_219_200i64..253_402_300_800) {
        let date = Date::from_unix_seconds(seconds).expect("four-digit years");
        prop_assert_eq!(date.unix_seconds(), seconds);
        prop_assert_eq!(Date::parse(&date.to_string()), Ok(date));
    }
}
