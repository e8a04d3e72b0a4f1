//! What is a URI and what is none: RFC 3261 §25.1, RFC 3966, RFC 5954.

use core::net::IpAddr;

use super::{Host, Uri};

/// RFC 5954 §4: the addresses of RFC 3986, and two colons before an IPv4 part where RFC 3261 had three.
#[test]
fn hosts() {
    let addresses = [
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::10]", "2001:db8::10"),
        ("[2001:DB8:0:0:0:0:0:10]", "2001:db8::10"),
        ("[1:2:3:4:5:6:7:8]", "1:2:3:4:5:6:7:8"),
        ("[1:2:3:4:5:6:192.0.2.1]", "1:2:3:4:5:6:c000:201"),
        ("[::]", "::"),
        ("[::1]", "::1"),
        ("[1::]", "1::"),
        ("[::192.0.2.1]", "::c000:201"),
        ("[::ffff:192.0.2.1]", "::ffff:192.0.2.1"),
        ("[2001:db8:::192.0.2.1]", "2001:db8::192.0.2.1"),
        ("[:::192.0.2.1]", "::192.0.2.1"),
    ];
    for (text, address) in addresses {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(Host::parse(text), Some(Host::Ip(address)), "{text}");
    }
    for name in [
        "localhost",
        "a",
        "a.",
        "a-b.c",
        "a--b.c",
        "_sip._udp.a.b.",
        "1.2.3.a",
        "3com.com",
        "1.example",
        "x1.invalid",
        "a_b.example",
        "host5",
    ] {
        assert_eq!(Host::parse(name), Some(Host::Name(name)));
    }
    let none = [
        "",
        "::1",
        "[]",
        "[::1",
        "::1]",
        "[:1]",
        "[1:]",
        "[:::]",
        "[:::1]",
        "[1:::2]",
        "[1::2::3]",
        "[1:2:3:4:5:6:7]",
        "[1:2:3:4:5:6:7:8:9]",
        "[12345::]",
        "[::1%eth0]",
        "[::1%25eth0]",
        "[::256.0.0.1]",
        "[::1.2.3]",
        "[::01.2.3.4]",
        "[192.0.2.1]",
        "[ ::1]",
        "[::g]",
        // The top label begins with a letter (§25.1), so these are no names, and no addresses either.
        "192.0.2.256",
        "192.0.2",
        "192.0.2.1.5",
        "192.0.2.01",
        "123",
        "a.1",
        "1.2.3.4.",
        "0x7fffffff",
        "a.0x1",
        "a.1b",
        "a._b",
        "_",
        // Labels are not empty and have no hyphen at their edges.
        ".",
        "..",
        ".a",
        "a..",
        "a..b",
        "-",
        "-a",
        "a-",
        "a.-b",
        "a-.b",
        "a-.",
        "a b",
        "a@b",
        "a/b",
    ];
    for text in none {
        assert_eq!(Host::parse(text), None, "{text}");
    }
}

#[test]
fn ports() {
    let port = |text| Uri::parse(text).and_then(|uri| uri.sip().map(|sip| sip.port));
    assert_eq!(port("sip:a@[::1]"), Some(None));
    assert_eq!(port("sip:a@[2001:db8::10]:5070"), Some(Some(5070)));
    // RFC 5118 §4.4: part of the address.
    assert_eq!(port("sip:a@[2001:db8::10:5070]"), Some(None));
    assert_eq!(port("sip:a@h:0005060"), Some(Some(5060)));
    for text in [
        "sip:a@h:",
        "sip:a@h:x",
        "sip:a@h:65536",
        "sip:a@h:+1",
        "sip:a@h: 1",
        "sip:a@[::1]5060",
        "sip:2001:db8::10",
    ] {
        assert_eq!(port(text), None, "{text}");
    }
}

/// RFC 3966 §3. What only looks like a telephone number is a URI all the same, and nobody's number.
#[test]
fn telephone_numbers() {
    for text in [
        "tel:+1-201-555-0123",
        "TEL:+12015550123;ext=5",
        "tel:7042;phone-context=example.com",
        "tel:863-1234;phone-context=+1-914-555",
        "tel:*69;phone-context=example.com",
        "tel:+44;isub=1411;x=y",
    ] {
        assert!(matches!(Uri::parse(text), Some(Uri::Tel(_))), "{text}");
    }
    for text in
        ["tel:911", "tel:+", "tel:+12;ext=a", "tel:+1;ext=1;ext=2", "tel:bob", "tel:+1;phone-context=1"]
    {
        let Some(uri @ Uri::Other { scheme: "tel", .. }) = Uri::parse(text) else { panic!("{text}") };
        assert_eq!(alloc::format!("{uri}"), text);
        assert!(uri.is_equivalent(&uri));
    }
    for text in ["tel:", "tel:+1 2", "tel:<1>"] {
        assert_eq!(Uri::parse(text), None, "{text}");
    }
}

#[test]
fn schemes() {
    for text in ["urn:service:sos", "http://a/b?c#d", "soap.beep://h", "a+b-c.d:x", "mailto:a@b", "im:x"] {
        assert!(matches!(Uri::parse(text), Some(Uri::Other { .. })), "{text}");
    }
    for text in [
        "",
        ":",
        "a:",
        "1a:x",
        "a b:x",
        "a:b c",
        "a:<b>",
        "a:\u{e4}",
        "a:b\u{7f}",
        "sip",
        "sip:",
        "http:%zz",
        "a:%4",
        "x:#a#b",
        "http://h/#a#b",
    ] {
        assert_eq!(Uri::parse(text), None, "{text}");
    }
}

/// §19.1.2: each part has its own characters, and what is none of them is escaped.
#[test]
fn escapes() {
    for text in [
        "sip:%61%00%ff@h",
        "sip:a;b=c&d,e/f?g$+@h",
        "sip:-_.!~*'()@h",
        "sip:a:%40,@h",
        "sip:a:@h",
        "sip:h;%6cr=%6C",
        "sip:h;a=[x]/:&+$",
        "sip:h?a=b%0d%0a&c=",
    ] {
        let uri = Uri::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(alloc::format!("{uri}"), text);
    }
    for text in [
        "sip:%@h",
        "sip:%6@h",
        "sip:%6g@h",
        "sip:a#b@h",
        "sip:[a]@h",
        "sip:a:b:c@h",
        "sip:\"a\"@h",
        "sip:a\\b@h",
        "sip:\u{e4}@h",
        "sip:h;=x",
        "sip:h;a=b=c",
        "sip:h;a b",
        "sip:h;a=\"b\"",
        "sip:h?",
        "sip:h?a",
        "sip:h?=b",
        "sip:h?a=b&",
        "sip:h?a=%",
        "sip:h%41",
        "sip:a@b@c",
    ] {
        assert_eq!(Uri::parse(text), None, "{text}");
    }
}
