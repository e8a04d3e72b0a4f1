use alloc::string::ToString;
use alloc::vec::Vec;

use super::super::*;
use super::{parsed, samples};

/// Every value of these types, in every sample, prints as it stood and means the same again; so many there are.
macro_rules! prints_alike {
    ($($type:ident $count:literal),* $(,)?) => {$({
        let mut count = 0;
        for text in samples::ALL {
            let sdp = parsed(text);
            let sections = core::iter::once(&sdp.session).chain(sdp.media.iter().map(|media| &**media));
            for section in sections {
                for value in section.attribute($type::NAME) {
                    let read = $type::parse(value).expect(value);
                    assert_eq!(read.to_string(), value.trim());
                    assert_eq!($type::parse(&read.to_string()), Some(read));
                    count += 1;
                }
            }
        }
        assert_eq!(count, $count, stringify!($type));
    })*};
}

#[test]
fn every_value_prints_as_it_stood() {
    prints_alike!(
        Group 2, Mid 4, Msid 2, SctpPort 1, MaxMessageSize 1, Candidate 3, IceUfrag 2, IcePwd 2, IceOptions 2,
        Fingerprint 2, Setup 2, TlsId 1, Crypto 2, RtpMap 15, Fmtp 7, Ptime 2, MaxPtime 2, Rtcp 2, RtcpFb 3,
        ExtMap 3, Ssrc 2, SsrcGroup 1, Rid 2, Simulcast 1,
    );
}

#[test]
fn candidates() {
    let sdp = parsed(samples::CHROME);
    let found: Vec<Candidate<'_>> = sdp.media[0].all().collect();
    assert_eq!(found[0].extension("network-cost"), Some("10"));
    assert_eq!((found[1].related_address, found[1].related_port), (Some("192.0.2.15"), Some(54321)));
    assert_eq!(found[2].extension("tcptype"), Some("active"));
    let none =
        ["", "1", "1 1 udp 1 h 1 kind host", "1 1 udp 4294967296 h 1 typ host", "1 1 udp 1 h 65536 typ host"];
    assert!(none.into_iter().all(|value| Candidate::parse(value).is_none()));
    let remote = RemoteCandidates::parse("1 192.0.2.3 45664 2 192.0.2.3 45665").unwrap();
    assert!(remote.iter().eq([(1, "192.0.2.3", 45664), (2, "192.0.2.3", 45665)]));
    assert!(RemoteCandidates::parse("1 192.0.2.3").is_none() && RemoteCandidates::parse("").is_none());
    assert_eq!(IcePacing::parse("50"), Some(IcePacing(50)));
}

#[test]
fn keys() {
    let sdp = parsed(samples::CHROME);
    let audio = &sdp.media[0];
    let fingerprint: Fingerprint<'_> = sdp.inherited(audio).unwrap();
    let digest: Vec<u8> = fingerprint.bytes().collect();
    assert_eq!((digest.len(), digest[0]), (32, 0xd2));
    assert!(fingerprint.matches("SHA-256", &digest) && !fingerprint.matches("sha-1", &digest));
    assert!(Fingerprint::parse("sha-256 D2:F").is_none() && Fingerprint::parse("sha-256 ").is_none());
    assert_eq!(audio.one::<Setup>(), Some(Setup::ActPass));
    let sdp = parsed(samples::DESK_PHONE);
    let crypto: Crypto<'_> = sdp.media[0].one().unwrap();
    assert_eq!(crypto.key_salt(), Some("d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"));
    assert_eq!(crypto.session_params, "KDR=1 UNENCRYPTED_SRTCP");
    assert!(!std::format!("{crypto:?}").contains("d0Rm"));
}

#[test]
fn codecs() {
    let sdp = parsed(samples::CHROME);
    let [audio, video, _] = &sdp.media[..] else { panic!() };
    let opus = audio.codec(111).unwrap();
    assert_eq!((opus.encoding, opus.clock_rate, opus.channels()), ("opus", 48000, 2));
    assert_eq!(audio.fmtp("111").unwrap().parameter("useInbandFec"), Some("1"));
    assert_eq!(audio.one::<MaxPtime<'_>>().unwrap().millis(), Some(60));
    assert_eq!(Ptime("2.5").millis(), Some(2));
    assert!(video.feedback(96).map(|fb| fb.kind).eq(["nack", "ccm"]));
    let firefox = parsed(samples::FIREFOX);
    assert!(firefox.media[0].codec(9).unwrap().is_same_codec(&audio.codec(9).unwrap()));
    assert_eq!(audio.one::<Rtcp<'_>>().unwrap().connection, Some(Connection::UNSPECIFIED));
    assert!(RtpMap::parse("128 x/1").is_none() && RtpMap::parse("0 x").is_none());
    let header = audio.all::<ExtMap<'_>>().nth(1).unwrap();
    assert_eq!((header.id, header.direction), (14, Some(Direction::SendOnly)));
}

#[test]
fn sources_and_layers() {
    let sdp = parsed(samples::CHROME);
    let [audio, video, _] = &sdp.media[..] else { panic!() };
    let source: Ssrc<'_> = audio.one().unwrap();
    assert_eq!(
        (source.id, source.attribute, source.value),
        (3_570_614_608, "cname", Some("4TOk42mSjXCkVIa6"))
    );
    assert!(video.one::<SsrcGroup<'_>>().unwrap().ids().eq([2_231_627_014, 632_943_048]));
    let rid: Rid<'_> = video.one().unwrap();
    assert!(rid.formats().eq(["96"]));
    assert_eq!(rid.restrictions().count(), 3);
    let simulcast: Simulcast<'_> = video.one().unwrap();
    let streams: Vec<Vec<_>> = Simulcast::streams(simulcast.send.unwrap()).map(Iterator::collect).collect();
    assert_eq!(streams[1][0], SimulcastId { rid: "lo", paused: true });
    assert_eq!(simulcast.recv, Some("3"));
    assert!(
        ["", "send", "send 1 send 2", "send 1;;2", "both 1"].iter().all(|v| Simulcast::parse(v).is_none())
    );
}

#[test]
fn directions() {
    for direction in [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive] {
        assert_eq!(Direction::from_name(direction.name()), Some(direction));
        assert_eq!(Direction::new(direction.sends(), direction.receives()), direction);
        assert_eq!(direction.reversed().reversed(), direction);
    }
    assert_eq!(Direction::SendOnly.reversed(), Direction::RecvOnly);
}
