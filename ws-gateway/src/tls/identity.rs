//! Whose certificate it is (RFC 5922 §7.1, §7.2): the domains it names, compared as a whole and without wildcards.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use smol_str::SmolStr;
use webpki::EndEntityCert;

/// Whether a certificate, which a trusted authority has signed, is that of `domain`.
pub(super) fn is_of(certificate: &CertificateDer<'_>, domain: &str) -> bool {
    let Ok(parsed) = EndEntityCert::try_from(certificate) else { return false };
    // The RFC knows names alone. A peer that the configuration names by its address must be that address.
    if let Ok(ip) = domain.parse::<IpAddr>() {
        return parsed.verify_is_valid_for_subject_name(&ServerName::IpAddress(ip.into())).is_ok();
    }
    domains(certificate).iter().any(|name| name.eq_ignore_ascii_case(domain))
}

/// The domains that a certificate, which a trusted authority has signed, names: none, if it cannot be read.
pub fn domains(certificate: &CertificateDer<'_>) -> Arc<[SmolStr]> {
    let whole = |name: &str| SmolStr::from(name.trim_end_matches('.'));
    let uris: Vec<String> = uris(certificate).unwrap_or_default();
    let mut domains: Vec<SmolStr> = uris.iter().filter_map(|uri| domain_of(uri)).map(whole).collect();
    // "if and only if no other identity is found that matches the "sip" URI type".
    if domains.is_empty()
        && let Ok(parsed) = EndEntityCert::try_from(certificate)
    {
        domains = parsed.valid_dns_names().map(whole).collect();
    }
    domains.into()
}

/// The host of a `sip` URI without user.
fn domain_of(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    (scheme.eq_ignore_ascii_case("sip") && !rest.contains('@')).then_some(())?;
    rest.split([';', '?', ':']).next()
}

// What follows reads just enough DER (X.690) to find the URIs, in a certificate whose structure was checked before.
const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const EXTENSIONS: u8 = 0xa3;
const URI: u8 = 0x86;
/// 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The URIs among the subject's alternative names (RFC 5280 §4.2.1.6).
fn uris(certificate: &[u8]) -> Option<Vec<String>> {
    let (_, certificate, _) = element(certificate)?;
    let (_, body, _) = element(certificate)?;
    let extensions = elements(body).find(|(tag, _)| *tag == EXTENSIONS)?.1;
    let (_, extensions, _) = element(extensions)?;
    let names = elements(extensions).filter(|(tag, _)| *tag == SEQUENCE).find_map(|(_, extension)| {
        let mut parts = elements(extension);
        (parts.next()? == (OID, SUBJECT_ALT_NAME)).then_some(())?;
        parts.find(|(tag, _)| *tag == OCTETS).map(|(_, value)| value)
    })?;
    let (_, names, _) = element(names)?;
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).ok();
    Some(elements(names).filter(|(tag, _)| *tag == URI).filter_map(|(_, value)| text(value)).collect())
}

/// All elements that stand one after the other.
pub(super) fn elements(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, value, rest) = element(bytes)?;
        bytes = rest;
        Some((tag, value))
    })
}

/// The first element: its tag, its value, and what follows.
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (digits.len() <= 4).then_some(())?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(names: &[&str]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse::<IpAddr>() {
                Ok(ip) => SanType::IpAddress(ip),
                Err(_) if name.contains(':') => SanType::URI((*name).try_into().unwrap()),
                Err(_) => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn rfc5922_7_1_identities_of_a_certificate() {
        let rows: &[(&[&str], &str, bool)] = &[
            (&["b.example"], "b.example", true),
            (&["B.Example"], "b.example", true),
            (&["sip:b.example"], "b.example", true),
            (&["SIP:B.example;transport=tls"], "b.example", true),
            // A DNS name counts only where there is no SIP URI.
            (&["sip:b.example", "c.example"], "c.example", false),
            // Neither another scheme nor somebody's address is a domain's.
            (&["https:b.example"], "b.example", false),
            (&["sip:bob@b.example"], "b.example", false),
            (&["sip:bob@b.example", "b.example"], "b.example", true),
            // §7.2: in their entirety, no wildcards.
            (&["*.b.example"], "a.b.example", false),
            (&["b.example"], "a.b.example", false),
            (&["a.b.example"], "b.example", false),
            (&["192.0.2.1"], "192.0.2.1", true),
            (&["192.0.2.2"], "192.0.2.1", false),
            (&[], "b.example", false),
        ];
        for (names, domain, expected) in rows {
            assert_eq!(is_of(&certificate(names), domain), *expected, "{names:?} {domain}");
        }
    }

    #[test]
    fn nonsense_names_nobody() {
        let good = certificate(&["sip:b.example", "sip:c.example"]);
        assert_eq!(uris(&good).unwrap(), ["sip:b.example", "sip:c.example"]);
        for end in 0..good.len() {
            // Whatever is cut off, nothing is read past the end.
            let _ = uris(&good[..end]);
            let mut bent = good.to_vec();
            bent[end] ^= 0xff;
            let _ = uris(&bent);
        }
    }
}
