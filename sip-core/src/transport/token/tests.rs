use alloc::format;
use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::entropy::SeededEntropy;

const T0: Instant = Instant::from_micros(1_700_000_000_000_000);
const FOREIGN: Result<RouteTarget, Unopened> = Err(Unopened::Foreign);
const CALL: &str = "a84b4c76e66710@pc33.atlanta.com";

fn tokens() -> RouteTokens {
    RouteTokens::new([1; 32], &[[2; 32], [3; 32]], [1; 32], "example.com")
}

fn registration(aor: &str, instance: &str, reg_id: u32) -> RouteTarget {
    RouteTarget::Registration(RegistrationKey { aor: aor.into(), instance: instance.into(), reg_id })
}

fn address(transport: Transport, local: &str, remote: &str) -> RouteTarget {
    RouteTarget::Address { transport, local: local.parse().unwrap(), remote: remote.parse().unwrap() }
}

fn phone(aor: &str, instance: &str, reg_id: u32, remote: &str) -> RouteTarget {
    let registration = RegistrationKey { aor: aor.into(), instance: instance.into(), reg_id };
    let (local, remote) = ("192.0.2.1:5060".parse().unwrap(), remote.parse().unwrap());
    let registered_by = if reg_id > 0 { 0 } else { 0xfedc_ba98 };
    RouteTarget::Phone(Phone { registration, registered_by, local, remote }.into())
}

fn peer(transport: Transport, remote: &str, domain: &str) -> RouteTarget {
    let onward = transport == Transport::Tls;
    RouteTarget::Peer { transport, remote: remote.parse().unwrap(), domain: domain.into(), onward }
}

fn targets() -> Vec<(RouteTarget, usize)> {
    let uuid = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    vec![
        (registration("sip:alice@localhost", uuid, 1), 90),
        (registration("sips:alice@localhost", &uuid.to_uppercase(), u32::MAX), 140),
        (registration("sip:bob@b", "sip:bob@192.0.2.7:5062;transport=udp", 0), 103),
        (registration("", "", 0), 48),
        (registration("sip:\u{e9}", "urn:uuid:+81d4fae-7dec-11d0-a765-00a0c91e6bf6", 300), 112),
        (phone("sip:alice@localhost", uuid, 1, "198.51.100.7:5060"), 108),
        (phone("sip:alice@localhost", "urn:x", 300, "[2001:db8::1]:5060"), 111),
        (phone("sip:bob@b", "sip:bob@192.168.1.5:5060", 0, "198.51.100.7:5060"), 111),
        (RouteTarget::Flow(FlowId(0)), 47),
        (RouteTarget::Flow(FlowId(u64::MAX)), 59),
        (address(Transport::Udp, "192.0.2.9:5062", "192.0.2.1:5060"), 66),
        (address(Transport::Wss, "[::1]:443", "[2001:db8::1]:65535"), 98),
        (address(Transport::Tcp, "[fe80::2%7]:1", "[fe80::1%7]:0"), 108),
        (peer(Transport::Udp, "192.0.2.9:5062", ""), 56),
        (peer(Transport::Tls, "[2001:db8::1]:5061", "b.example"), 84),
    ]
}

#[test]
fn what_was_sealed_opens() {
    for (target, length) in targets() {
        let token = tokens().seal(&target, CALL, T0, &mut SeededEntropy(1));
        assert_eq!(tokens().open(&token, CALL, T0).as_ref(), Ok(&target));
        assert_eq!(token.len(), length, "{target:?}");
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
    }
}

#[test]
fn a_token_opens_in_its_call_and_in_its_time_only() {
    let target = &targets()[0].0;
    let token = tokens().seal(target, CALL, T0, &mut SeededEntropy(1));
    assert_eq!(tokens().open(&token, "other", T0), FOREIGN);
    assert_eq!(tokens().open(&token, "", T0), FOREIGN);
    assert_eq!(tokens().open(&token, &CALL.to_uppercase(), T0), FOREIGN);
    let month = DEFAULT_TOKEN_LIFETIME;
    assert!(tokens().open(&token, CALL, T0 + month).is_ok());
    let expired = Err(Unopened::Expired);
    assert_eq!(tokens().open(&token, CALL, T0 + month + Duration::from_secs(1)), expired);
    let brief = tokens().with_lifetime(Duration::from_secs(1));
    let token = brief.seal(target, CALL, T0, &mut SeededEntropy(1));
    assert_eq!(tokens().open(&token, CALL, T0 + Duration::from_secs(2)), expired);
    // A clock beyond 2106 neither panics nor closes tokens.
    let far = Instant::from_micros(u64::MAX);
    let token = tokens().seal(target, CALL, far, &mut SeededEntropy(1));
    assert_eq!(tokens().open(&token, CALL, far), expired);
}

#[test]
fn two_tokens_for_one_target_have_nothing_in_common() {
    let mut entropy = SeededEntropy(1);
    let target = &targets()[0].0;
    let (a, b) =
        (tokens().seal(target, CALL, T0, &mut entropy), tokens().seal(target, CALL, T0, &mut entropy));
    // But the key's id.
    assert_ne!(a[2..], b[2..]);
    assert!(!format!("{:?}", tokens()).contains('['));
}

#[test]
fn a_changed_token_does_not_open() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (target, _) in targets().into_iter().step_by(7) {
        let token = tokens().seal(&target, CALL, T0, &mut SeededEntropy(1));
        for at in 0..token.len() {
            assert_eq!(tokens().open(&token[..at], CALL, T0), FOREIGN, "cut at {at}");
            assert_eq!(tokens().open(&token[at + 1..], CALL, T0), FOREIGN, "without the first {at}");
            for other in ALPHABET.iter().chain(b"=+/ %") {
                let mut bytes = token.clone().into_bytes();
                if core::mem::replace(&mut bytes[at], *other) != *other {
                    let changed = String::from_utf8(bytes).unwrap();
                    assert_eq!(tokens().open(&changed, CALL, T0), FOREIGN, "{other} at {at}");
                }
            }
        }
        for changed in [format!("{token}A"), format!("{token}AAAA"), format!("{token}="), format!(" {token}")]
        {
            assert_eq!(tokens().open(&changed, CALL, T0), FOREIGN, "{changed}");
        }
    }
}

#[test]
fn keys_are_changed_without_breaking_calls() {
    let target = &targets()[0].0;
    let seal = |key: u8| {
        RouteTokens::new([key; 32], &[], [1; 32], "example.com").seal(target, CALL, T0, &mut SeededEntropy(1))
    };
    for key in 1..=3 {
        assert_eq!(tokens().open(&seal(key), CALL, T0).as_ref(), Ok(target));
    }
    for key in 4..=255 {
        assert_eq!(tokens().open(&seal(key), CALL, T0), FOREIGN);
    }
    // Of 252 keys some share their id; each opens its own.
    let previous: Vec<[u8; 32]> = (4..=255).map(|key| [key; 32]).collect();
    let many = RouteTokens::new([1; 32], &previous, [1; 32], "example.com");
    for key in 4..=255 {
        assert_eq!(many.open(&seal(key), CALL, T0).as_ref(), Ok(target));
    }
}

proptest! {
    #[test]
    fn any_target_comes_back(aor in "\\PC*", instance in "(urn:uuid:)?[0-9a-fA-F+-]*|\\PC*", reg_id: u32, flow: u64, call in "\\PC*") {
        let moving = phone(&aor, &instance, reg_id, "[fe80::1%7]:5060");
        for target in [registration(&aor, &instance, reg_id), moving, RouteTarget::Flow(FlowId(flow))] {
            let token = tokens().seal(&target, &call, T0, &mut SeededEntropy(flow));
            prop_assert_eq!(tokens().open(&token, &call, T0), Ok(target));
        }
    }

    #[test]
    fn no_text_panics(token in "[A-Za-z0-9_-]*|\\PC*", bytes: Vec<u8>) {
        prop_assert_eq!(tokens().open(&token, CALL, T0), FOREIGN);
        let _ = decode(&bytes);
    }
}
