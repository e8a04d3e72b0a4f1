//! URIs print as they were, and comparing them is fair.

use sip_core::message::{Host, TelUri, Uri, escape_user, unescape};

pub(crate) fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let uris: Vec<(&str, Uri<'_>)> =
        text.lines().take(8).filter_map(|line| Some((line, Uri::parse(line)?))).collect();
    for (line, uri) in &uris {
        let printed = uri.to_string();
        let again = Uri::parse(&printed).unwrap_or_else(|| panic!("{line:?} prints as {printed:?}"));
        // A scheme in capitals is printed in small letters.
        assert_eq!(again, *uri, "{line:?} prints as {printed:?}");
        assert_eq!(again.to_string(), printed);
        assert!(uri.is_equivalent(uri) && uri.is_equivalent(&again) && again.is_equivalent(uri), "{line:?}");
        assert!(!printed.contains(['\r', '\n', '\0', '<', '>', '"']), "{printed:?} ends what it stands in");
        match uri {
            Uri::Sip(sip) => {
                let aor = sip.aor();
                let of = Uri::parse(&aor).unwrap_or_else(|| panic!("{aor:?}"));
                assert_eq!(
                    of.sip().map(sip_core::message::SipUri::aor),
                    Some(aor),
                    "canonical once is canonical"
                );
                // Each is looked for among all: a few are enough.
                for (name, value) in sip.params().take(50) {
                    assert!(sip.has_param(name));
                    assert!(value.is_none() || sip.params().any(|(_, v)| v == value));
                }
                let host = sip.host.to_string();
                assert_eq!(Host::parse(&host), Some(sip.host));
                assert!(sip.host.matches(sip.host));
                let _ = (sip.gruu(), sip.push(), sip.is_outbound(), sip.host.is_invalid(), sip.host.ip());
            }
            Uri::Tel(tel) => {
                assert!(tel.is_equivalent(tel));
                let number = printed.split_once(':').map(|(_, number)| number).unwrap_or_default();
                assert!(TelUri::parse(number).is_some_and(|again| again.is_equivalent(tel)), "{printed:?}");
                let _ = (tel.digits().count(), tel.context(), tel.extension(), tel.is_global());
            }
            Uri::Other { .. } => {}
        }
    }
    for (_, one) in &uris {
        for (_, two) in &uris {
            assert_eq!(one.is_equivalent(two), two.is_equivalent(one), "{one} {two}");
        }
    }
    for line in text.lines().take(8) {
        let escaped = escape_user(line);
        assert_eq!(unescape(&escaped), line);
        assert!(Uri::parse(&format!("sip:{escaped}@h")).is_some() || line.is_empty(), "{escaped:?}");
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let all = [
        "sip:alice@atlanta.com\nSIP:%61lice@AtLanTa.CoM;Transport=tcp\nsip:alice@atlanta.com;transport=TCP",
        "sip:alice:secretword@atlanta.com;transport=tcp\nsips:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:+1-212-555-1212:1234@gateway.com;user=phone\nsip:1212@gateway.com\nsip:alice@192.0.2.4",
        "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com\nsip:alice;day=tuesday@atlanta.com",
        "sip:a@[2001:db8::9:1]:5060;lr;maddr=239.255.255.1;ttl=15\nsip:a@[::ffff:192.0.2.128]\nsip:[2001:db8:::192.0.2.1]",
        "tel:+1-201-555-0123\ntel:7042;phone-context=example.com\ntel:863-1234;phone-context=+1-914-555;isub=1234;ext=5",
        "urn:service:sos\nmailto:a@b.example\nhttps://example.com/a/b;c?d=e&f\nurn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "sip:a@b;gr=urn:uuid:%31\nsip:a@b;gr;ob\nsip:a@b;pn-provider=acme;pn-param=x%3Ay;pn-prid=ZTY4",
        "sip:sips%3Auser%40example.com@example.net\nsip:null-%00-null@example.com\nsip:cal%6Cer@host5.example.net",
    ];
    all.map(|text| text.as_bytes().to_vec()).to_vec()
}
