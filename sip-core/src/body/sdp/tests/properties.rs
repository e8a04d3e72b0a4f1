use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::*;
use super::samples;
use crate::body::testing::perturb;

fn touch(sdp: &SessionDescription<'_>) {
    let sections = core::iter::once(&sdp.session).chain(sdp.media.iter().map(|media| &**media));
    for section in sections {
        let _ = section.connection();
        let _ = section.bandwidths().count();
        let _ = section.all::<Candidate<'_>>().filter(|c| c.extension("tcptype").is_some()).count();
        let _ = section.all::<Fmtp<'_>>().map(|fmtp| fmtp.iter().count()).sum::<usize>();
        let _ = section.all::<Simulcast<'_>>().count();
        let _ = section.all::<Rid<'_>>().map(|rid| rid.formats().count()).sum::<usize>();
        let _ = section.all::<Crypto<'_>>().filter_map(|crypto| crypto.key_salt()).count();
        let _ = section.all::<Fingerprint<'_>>().map(|f| f.bytes().count()).sum::<usize>();
        let _ = section.all::<ExtMap<'_>>().count();
        let _ = section.all::<RtpMap<'_>>().map(|map| map.channels()).max();
    }
}

proptest! {
    #[test]
    fn perturbed_descriptions_print_the_same_lines(bytes in perturb(&samples::ALL)) {
        if let Ok(sdp) = SessionDescription::parse(&bytes) {
            touch(&sdp);
            let printed = sdp.to_string();
            let text = core::str::from_utf8(&bytes).unwrap();
            let lines: Vec<&str> =
                text.trim_end_matches(['\r', '\n']).split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).collect();
            prop_assert!(printed.split_terminator("\r\n").eq(lines.iter().copied()));
            prop_assert_eq!(SessionDescription::parse(printed.as_bytes()).unwrap(), sdp);
        }
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = SessionDescription::parse(&bytes);
    }

    #[test]
    fn candidates_print_and_parse(
        (foundation, component, priority) in ("[a-z0-9+/]{1,32}", 1..256u16, any::<u32>()),
        (address, port, kind) in ("[0-9a-f:.]{1,39}", any::<u16>(), "host|srflx|prflx|relay"),
        related in prop::option::of(("[0-9a-f:.]{1,39}", any::<u16>())),
        extensions in prop::option::of("(generation 0|tcptype so|x y z w)"),
    ) {
        let extensions: String = extensions.unwrap_or_default();
        let candidate = Candidate {
            foundation: &foundation,
            component,
            transport: "udp",
            priority,
            address: &address,
            port,
            kind: &kind,
            related_address: related.as_ref().map(|(address, _)| &**address),
            related_port: related.as_ref().map(|(_, port)| *port),
            extensions: &extensions,
        };
        let printed = candidate.to_string();
        prop_assert_eq!(Candidate::parse(&printed), Some(candidate));
    }
}
