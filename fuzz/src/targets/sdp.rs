//! Session descriptions print the same lines, typed attributes print to equal ones, and an edit replaces one line.

use sip_core::body::sdp::*;
use sip_core::body::sdpfrag::SdpFrag;
use sip_core::limits;

pub(crate) fn holds(input: &[u8]) {
    fragment(input);
    let Ok(sdp) = SessionDescription::parse(input) else { return };
    let printed = sdp.to_string();
    let text = core::str::from_utf8(input).expect("a description is UTF-8");
    let lines: Vec<&str> = text
        .trim_end_matches(['\r', '\n'])
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect();
    assert!(printed.split_terminator("\r\n").eq(lines.iter().copied()), "{lines:?} prints as {printed:?}");
    // Line ends that were LF alone are longer now.
    if printed.len() <= limits::SDP_BYTES {
        assert_eq!(SessionDescription::parse(printed.as_bytes()).as_ref(), Ok(&sdp));
    }
    for section in sections(&sdp) {
        typed(section);
    }
    for media in &sdp.media {
        let _ = (
            sdp.connection_of(media),
            sdp.direction_of(media),
            media.mid().and_then(|mid| sdp.media_with_mid(mid)),
        );
        if let Some(mid) = media.mid() {
            let fragment = SdpFrag::for_medium(&sdp, mid).expect("this medium has this mid");
            let printed = fragment.to_string();
            assert_eq!(SdpFrag::parse(printed.as_bytes()), Ok(fragment), "{printed}");
        }
    }
    edited(&sdp, &lines);
}

fn sections<'s>(sdp: &'s SessionDescription<'_>) -> impl Iterator<Item = &'s Section<'s>> {
    std::iter::once(&sdp.session).chain(sdp.media.iter().map(|media| &**media))
}

fn typed(section: &Section<'_>) {
    let _ = (section.connection(), section.direction(), section.bandwidths().count());
    macro_rules! again {
        ($($type:ty),*) => {
            $(for value in section.all::<$type>() {
                let mut one = Section::default();
                one.add(&value);
                assert_eq!(one.one::<$type>().as_ref(), Some(&value), "{one}");
            })*
        };
    }
    again!(
        Group<'_>,
        Msid<'_>,
        Mid<'_>,
        MaxMessageSize,
        SctpPort,
        Candidate<'_>,
        RemoteCandidates<'_>,
        IceOptions<'_>,
        IceUfrag<'_>,
        IcePwd<'_>,
        IcePacing,
        RtpMap<'_>,
        Fmtp<'_>,
        Rtcp<'_>,
        RtcpFb<'_>,
        ExtMap<'_>,
        Ptime<'_>,
        MaxPtime<'_>,
        Fingerprint<'_>,
        Setup,
        Crypto<'_>,
        TlsId<'_>,
        Ssrc<'_>,
        SsrcGroup<'_>,
        Rid<'_>,
        Simulcast<'_>
    );
    let _ =
        section.all::<Candidate<'_>>().filter(|candidate| candidate.extension("tcptype").is_some()).count();
    let _ = section.all::<Fmtp<'_>>().map(|fmtp| fmtp.iter().count()).sum::<usize>();
    let _ = section.all::<Rid<'_>>().map(|rid| rid.formats().count()).sum::<usize>();
    let _ = section.all::<Crypto<'_>>().filter_map(|crypto| crypto.key_salt()).count();
    let _ = section.all::<Fingerprint<'_>>().map(|fingerprint| fingerprint.bytes().count()).sum::<usize>();
    let _ = section.all::<RtpMap<'_>>().map(|map| map.channels()).max();
}

/// An attribute more is a line more, and the others stand as they stood.
fn edited(sdp: &SessionDescription<'_>, lines: &[&str]) {
    let mut edited = sdp.clone();
    let section = match edited.media.last_mut() {
        Some(media) => &mut **media,
        None => &mut edited.session,
    };
    section.add_attribute("x-added", "one\r\na=smuggled");
    edited.set_session_version(7);
    assert_eq!(edited.origin().session_version, 7);
    let printed = edited.to_string();
    assert_eq!(printed.split_terminator("\r\n").count(), lines.len() + 1);
    let others = |line: &&str| !line.starts_with("a=x-added:") && !line.starts_with("o=");
    assert!(
        printed.split_terminator("\r\n").filter(others).eq(lines.iter().copied().filter(others)),
        "{printed}"
    );
}

fn fragment(input: &[u8]) {
    let Ok(fragment) = SdpFrag::parse(input) else { return };
    let printed = fragment.to_string();
    if printed.len() <= limits::SDP_BYTES {
        assert_eq!(SdpFrag::parse(printed.as_bytes()).as_ref(), Ok(&fragment), "{printed}");
    }
    let _ = fragment.candidates().count();
    for media in &fragment.media {
        let _ = (fragment.ufrag_of(media), fragment.is_end_of(media));
    }
}
