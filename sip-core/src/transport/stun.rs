//! STUN on the ports of SIP (RFC 5626 §8): Binding requests over UDP, by which phones keep a NAT's binding and learn that it
//! changed. Nothing else of STUN (RFC 8489) is here: no authentication, no other method.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

/// RFC 8489 §5: what tells STUN from everything else.
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

const HEADER: usize = 20;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// RFC 8489 §14: from here on an attribute that is not understood is ignored.
const OPTIONAL: u16 = 0x8000;

/// Those of RFC 8489 that must be understood. Where nobody is asked who they are, they ask for nothing.
const UNDERSTOOD: [u16; 12] =
    [0x0001, 0x0006, 0x0008, 0x0009, 0x000a, 0x0014, 0x0015, 0x001c, 0x001d, 0x001e, 0x0020, 0x001f];

/// The answer to a datagram that is a Binding request from `source`; `None` to any other, which nobody answers.
///
/// It says `source` (XOR-MAPPED-ADDRESS), or 420 where the request asks for what is not known here (§6.3.1). It is never more
/// than 24 bytes longer than the request.
pub fn answer(datagram: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    let (header, attributes) = datagram.split_at_checked(HEADER)?;
    let is_request = header[..2] == BINDING_REQUEST.to_be_bytes()
        && usize::from(u16::from_be_bytes([header[2], header[3]])) == attributes.len()
        && header[4..8] == COOKIE;
    if !is_request {
        return None;
    }
    let unknown = unknown_attributes(attributes)?;
    if unknown.is_empty() {
        return Some(message(BINDING_SUCCESS, header, &[(XOR_MAPPED_ADDRESS, &mapped(source, header))]));
    }
    let types: Vec<u8> = unknown.into_iter().flat_map(u16::to_be_bytes).collect();
    // §14.8: class 4, number 20. The reason phrase may be empty.
    Some(message(BINDING_ERROR, header, &[(ERROR_CODE, &[0, 0, 4, 20]), (UNKNOWN_ATTRIBUTES, &types)]))
}

/// The attributes that must be understood and are not; `None` if these are no attributes.
fn unknown_attributes(mut rest: &[u8]) -> Option<Vec<u16>> {
    let mut unknown = Vec::new();
    while !rest.is_empty() {
        let (head, value) = rest.split_first_chunk::<4>()?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        rest = value.get(len.next_multiple_of(4)..)?;
        // Each type once, so that the list is shorter than what it is about.
        if kind < OPTIONAL && !UNDERSTOOD.contains(&kind) && !unknown.contains(&kind) {
            if unknown.len() == UNKNOWN {
                break;
            }
            unknown.push(kind);
        }
    }
    Some(unknown)
}

/// Most attributes that are named as unknown: who sends more knows after these that it was not understood.
const UNKNOWN: usize = 8;

/// §14.2: the address under a mask of the cookie and the transaction.
fn mapped(source: SocketAddr, header: &[u8]) -> Vec<u8> {
    let mask = &header[4..HEADER];
    let masked = |bytes: &[u8]| bytes.iter().zip(mask).map(|(a, b)| a ^ b).collect::<Vec<u8>>();
    let (family, address) = match source.ip().to_canonical() {
        IpAddr::V4(ip) => (1, masked(&ip.octets())),
        IpAddr::V6(ip) => (2, masked(&ip.octets())),
    };
    let mut value = Vec::from([0, family]);
    value.extend(masked(&source.port().to_be_bytes()));
    value.extend(address);
    value
}

/// A message of the transaction of `request`, the header of one.
fn message(kind: u16, request: &[u8], attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend(kind.to_be_bytes());
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(&request[4..HEADER]);
    message.extend(body);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transaction of RFC 5769 §2.2 and §2.3, whose addresses those examples give, without their other attributes.
    const TRANSACTION: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request(attributes: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::from([0, 1, 0, attributes.len() as u8]);
        bytes.extend(COOKIE);
        bytes.extend(TRANSACTION);
        bytes.extend(attributes);
        bytes
    }

    fn source(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn rfc5626_8_a_binding_request_is_told_where_it_came_from() {
        let answered = answer(&request(&[]), source("192.0.2.1:32853")).unwrap();
        let mut expected = Vec::from([1, 1, 0, 12]);
        expected.extend(COOKIE);
        expected.extend(TRANSACTION);
        // RFC 5769 §2.2.
        expected.extend([0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        assert_eq!(answered, expected);

        let answered = answer(&request(&[]), source("[2001:db8:1234:5678:11:2233:4455:6677]:32853")).unwrap();
        // RFC 5769 §2.3.
        assert_eq!(
            answered[HEADER..],
            [
                0, 0x20, 0, 0x14, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc,
                0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
            ]
        );
        let mapped = answer(&request(&[]), source("[::ffff:192.0.2.1]:32853")).unwrap();
        assert_eq!(mapped, expected, "an IPv4 peer of a socket for both families is one");
    }

    #[test]
    fn rfc8489_6_3_1_what_must_be_understood_and_is_not_gets_420() {
        // SOFTWARE, which may be ignored, and USERNAME, which asks for nothing.
        let known = [0x80, 0x22, 0, 3, b'a', b'b', b'c', 0, 0, 6, 0, 1, b'u', 0, 0, 0];
        assert_eq!(answer(&request(&known), source("192.0.2.1:9")).unwrap()[..2], [1, 1]);
        // Two unknown ones, one of them twice.
        let unknown = [0x7f, 1, 0, 0, 0x7f, 2, 0, 1, 9, 0, 0, 0, 0x7f, 1, 0, 0];
        let refused = answer(&request(&unknown), source("192.0.2.1:9")).unwrap();
        assert_eq!(refused[..4], [1, 0x11, 0, 16]);
        assert_eq!(refused[HEADER..], [0, 9, 0, 4, 0, 0, 4, 20, 0, 0xa, 0, 4, 0x7f, 1, 0x7f, 2]);
    }

    #[test]
    fn nothing_else_is_answered() {
        let good = request(&[0x80, 0x22, 0, 1, b'a', 0, 0, 0]);
        for cut in 0..good.len() {
            assert_eq!(answer(&good[..cut], source("192.0.2.1:9")), None, "{cut}");
        }
        for (at, byte) in [(0, 1), (1, 0x11), (1, 3), (3, 4), (4, 0), (7, 0), (23, 9)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(answer(&bad, source("192.0.2.1:9")), None, "{at}");
        }
        assert_eq!(answer(b"OPTIONS sip:example.com SIP/2.0\r\n\r\n", source("192.0.2.1:9")), None);
    }

    #[test]
    fn the_answer_is_hardly_longer_than_the_question() {
        let many: Vec<u8> = (0..60u8).flat_map(|n| [0x70, n, 0, 0]).collect();
        let refused = answer(&request(&many), source("192.0.2.1:9")).unwrap();
        assert!(refused.len() <= request(&many).len());
        for attributes in [&[][..], &[0x70, 1, 0, 0]] {
            let request = request(attributes);
            let longest = answer(&request, source("[2001:db8::1]:9")).unwrap().len();
            assert!(longest <= request.len() + 24, "{longest}");
        }
    }
}
