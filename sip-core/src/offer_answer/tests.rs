use std::format;
use std::string::String;

use bytes::Bytes;

use super::{Fault, Negotiation, Offered, Turn, directions, refusal};
use crate::body::sdp::{Direction, SessionDescription};

/// A description of one side, in the version and direction that are asked for.
fn sdp(side: u8, version: u32, media: &str) -> Bytes {
    format!(
        "v=0\r\no=- {side} {version} IN IP4 192.0.2.{side}\r\ns=-\r\nc=IN IP4 192.0.2.{side}\r\nt=0 0\r\n{media}"
    )
    .into()
}

fn audio(side: u8, version: u32, direction: &str) -> Bytes {
    sdp(side, version, &format!("m=audio 4000 RTP/AVP 0 8\r\na={direction}\r\n"))
}

/// Both sides agree on audio; we have offered.
fn agreed() -> Negotiation {
    let mut negotiation = Negotiation::new();
    negotiation.offer(audio(1, 1, "sendrecv")).unwrap();
    negotiation.answered(audio(2, 1, "sendrecv")).unwrap();
    negotiation
}

fn direction(sdp: &Bytes) -> Direction {
    let sdp = SessionDescription::parse(sdp).unwrap();
    sdp.direction_of(&sdp.media[0])
}

/// RFC 6337 §2.2: one offer at a time, and no answer without one.
#[test]
fn rfc6337_2_2_who_may_speak_when() {
    let mut negotiation = Negotiation::new();
    let (ours, theirs) = (audio(1, 1, "sendrecv"), audio(2, 1, "sendrecv"));
    for fault in [negotiation.answer(ours.clone()), negotiation.answered(theirs.clone())] {
        assert_eq!(fault, Err(Fault::Turn(Turn::Stable)), "an answer to nothing");
    }
    assert_eq!(negotiation.hold(), Err(Fault::NoSession));
    negotiation.offer(ours.clone()).unwrap();
    assert_eq!(negotiation.turn(), Turn::LocalOffer);
    let glare = Fault::Turn(Turn::LocalOffer);
    assert_eq!(negotiation.offered(theirs.clone()), Err(glare));
    assert_eq!(negotiation.offer(ours.clone()), Err(glare));
    assert_eq!(negotiation.answer(ours.clone()), Err(glare));
    assert_eq!(negotiation.hold(), Err(glare));
    assert_eq!((negotiation.local(), negotiation.pending()), (None, Some(&ours)));
    negotiation.answered(theirs.clone()).unwrap();
    assert_eq!((negotiation.local(), negotiation.remote()), (Some(&ours), Some(&theirs)));
    // The same the other way round.
    let mut negotiation = Negotiation::new();
    assert_eq!(negotiation.offered(theirs.clone()), Ok(Offered::Changed));
    let pending = Fault::Turn(Turn::RemoteOffer);
    assert_eq!(negotiation.offered(theirs.clone()), Err(pending));
    assert_eq!(negotiation.offer(ours.clone()), Err(pending));
    assert_eq!(negotiation.answered(theirs.clone()), Err(pending));
    negotiation.answer(ours.clone()).unwrap();
    assert_eq!((negotiation.local(), negotiation.remote()), (Some(&ours), Some(&theirs)));
    assert_eq!(negotiation.turn(), Turn::Stable);
}

/// RFC 6141 §3.3: what is refused leaves the session as it was.
#[test]
fn rfc6141_3_3_a_refused_offer_changes_nothing() {
    let mut negotiation = agreed();
    let (local, remote) = (negotiation.local().cloned(), negotiation.remote().cloned());
    negotiation.hold().unwrap();
    negotiation.roll_back();
    assert!(!negotiation.holds());
    negotiation.offered(audio(2, 2, "inactive")).unwrap();
    negotiation.roll_back();
    assert!(!negotiation.is_held());
    assert_eq!((negotiation.local().cloned(), negotiation.remote().cloned()), (local, remote));
    assert_eq!(negotiation.turn(), Turn::Stable);
}

/// RFC 3264 §8.4.
#[test]
fn rfc3264_8_4_hold_and_resume() {
    for (before, during, after) in [
        (Direction::SendRecv, Direction::SendOnly, Direction::SendRecv),
        (Direction::RecvOnly, Direction::Inactive, Direction::RecvOnly),
        (Direction::SendOnly, Direction::SendOnly, Direction::SendOnly),
        (Direction::Inactive, Direction::Inactive, Direction::Inactive),
    ] {
        let mut negotiation = Negotiation::new();
        negotiation.offer(audio(1, 7, before.name())).unwrap();
        negotiation.answered(audio(2, 1, before.reversed().name())).unwrap();
        let hold = negotiation.hold().unwrap();
        assert_eq!(direction(&hold), during);
        assert_eq!(SessionDescription::parse(&hold).unwrap().origin().session_version, 8);
        negotiation.answered(audio(2, 2, during.reversed().name())).unwrap();
        assert!(negotiation.holds());
        let resume = negotiation.resume().unwrap();
        assert_eq!(direction(&resume), after, "{before}");
        assert_eq!(SessionDescription::parse(&resume).unwrap().origin().session_version, 9);
    }
}

/// Both hold; each takes back its own half only.
#[test]
fn rfc3264_8_4_hold_of_a_held_call() {
    let mut negotiation = agreed();
    negotiation.offered(audio(2, 2, "sendonly")).unwrap();
    negotiation.answer(audio(1, 2, "recvonly")).unwrap();
    assert!(negotiation.is_held() && !negotiation.holds());
    assert_eq!(direction(&negotiation.hold().unwrap()), Direction::Inactive);
    negotiation.answered(audio(2, 3, "inactive")).unwrap();
    assert!(negotiation.is_held() && negotiation.holds());
    // The other side takes its half back, then we ours.
    negotiation.offered(audio(2, 4, "recvonly")).unwrap();
    negotiation.answer(audio(1, 4, "sendonly")).unwrap();
    assert!(!negotiation.is_held() && negotiation.holds());
    assert_eq!(direction(&negotiation.resume().unwrap()), Direction::SendRecv);
}

#[test]
fn rfc3264_8_4_hold_of_old_devices_and_ice_without_addresses() {
    let mut negotiation = agreed();
    let nowhere = |extra: &str| {
        let text = "v=0\r\no=- 2 2 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n";
        Bytes::from(format!("{text}m=audio 4000 RTP/AVP 0\r\n{extra}"))
    };
    negotiation.offered(nowhere("")).unwrap();
    negotiation.answer(audio(1, 2, "sendrecv")).unwrap();
    assert!(negotiation.is_held());
    let mut negotiation = agreed();
    negotiation.offered(nowhere("a=ice-ufrag:abcd\r\n")).unwrap();
    negotiation.answer(audio(1, 2, "sendrecv")).unwrap();
    assert!(!negotiation.is_held(), "only not gathered yet");
}

/// RFC 8842 §5.3: an offer leaves open which side connects, whatever our last answer said.
#[test]
fn rfc8842_5_3_a_hold_offers_actpass() {
    let mut negotiation = Negotiation::new();
    let secure = |setup: &str| format!("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=setup:{setup}\r\n");
    negotiation.offered(sdp(2, 1, &secure("actpass"))).unwrap();
    negotiation.answer(sdp(1, 1, &secure("active"))).unwrap();
    let hold = negotiation.hold().unwrap();
    assert!(core::str::from_utf8(&hold).unwrap().contains("a=setup:actpass\r\n"));
}

/// RFC 3264 §8: the same description again asks for nothing.
#[test]
fn rfc3264_8_the_same_again_is_unchanged() {
    let mut negotiation = agreed();
    assert_eq!(negotiation.offered(audio(2, 1, "sendrecv")), Ok(Offered::Unchanged));
    negotiation.answer(negotiation.local().cloned().unwrap()).unwrap();
    negotiation.offer(negotiation.local().cloned().unwrap()).unwrap();
}

/// RFC 3264 §8: what an offer may not change; each with its name, and nothing else changes.
#[test]
fn rfc3264_8_illegal_offers() {
    let two = "m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 opus/48000/2\r\nm=video 4002 RTP/AVP 97\r\n\
               a=rtpmap:97 VP8/90000\r\n";
    let rows: [(Bytes, Result<Offered, Fault>); 9] = [
        // A version that stays is no reason to refuse; what else is wrong is.
        (sdp(2, 1, &two.replace("RTP/AVP 0 ", "RTP/AVP 8 ")), Ok(Offered::Changed)),
        (sdp(2, 1, "m=audio 4000 RTP/AVP 8\r\n"), Err(Fault::MediaCount)),
        (sdp(2, 0, two), Err(Fault::Version)),
        (sdp(2, 2, "m=audio 4000 RTP/AVP 0\r\n"), Err(Fault::MediaCount)),
        (sdp(2, 2, &two.replace("m=video", "m=text")), Err(Fault::MediaType { index: 1 })),
        (sdp(2, 2, &two.replace("VP8", "H264")), Err(Fault::Remapped { index: 1, payload: 97 })),
        // A refused medium's place may be taken, codecs may come and go, another session is another session.
        (sdp(2, 2, &two.replace("video 4002", "text 0")), Ok(Offered::Changed)),
        (sdp(2, 2, &two.replace(" 96\r\n", " 8 9\r\n")), Ok(Offered::Changed)),
        (sdp(3, 1, "m=audio 4000 RTP/AVP 8\r\n"), Ok(Offered::Changed)),
    ];
    for (offer, expected) in rows {
        let mut negotiation = Negotiation::new();
        negotiation.offer(sdp(1, 1, two)).unwrap();
        negotiation.answered(sdp(2, 1, two)).unwrap();
        assert_eq!(negotiation.offered(offer.clone()), expected, "{}", String::from_utf8_lossy(&offer));
        let turn = if expected.is_ok() { Turn::RemoteOffer } else { Turn::Stable };
        assert_eq!(negotiation.turn(), turn);
        assert_eq!(negotiation.remote(), Some(&sdp(2, 1, two)));
    }
    let mut negotiation = agreed();
    assert!(matches!(negotiation.offered("v=1\r\n".into()), Err(Fault::Malformed(_))));
    // Our own offers are held to the same.
    assert_eq!(negotiation.offer(audio(1, 1, "inactive")), Err(Fault::Version));
}

/// RFC 3264 §8.3.2: numbers keep their codecs in answers too, save in another session, and where the offer itself has them so.
#[test]
fn rfc3264_8_3_2_a_payload_type_that_an_answer_remaps() {
    let media = |maps: &str| format!("m=audio 4000 RTP/AVP 0 96 97\r\na=rtpmap:96 opus/48000/2\r\n{maps}");
    let (first, known) = (media("a=rtpmap:97 iLBC/8000\r\n"), media("a=rtpmap:97 speex/8000\r\n"));
    let fault = Err(Fault::Remapped { index: 0, payload: 96 });
    let rows = [
        (sdp(2, 2, &first.replace("opus", "L16")), fault),
        (sdp(2, 2, &first.replace("opus/48000", "opus/8000")), fault),
        (sdp(3, 1, &first.replace("opus", "L16")), Ok(())),
        (sdp(2, 2, &known), Ok(())),
        (sdp(2, 2, &first), Ok(())),
        (sdp(2, 2, &first.replace("opus", "L16").replace("audio 4000", "audio 0")), Ok(())),
        (sdp(2, 2, "m=audio 4000 RTP/AVP 0\r\n"), Ok(())),
    ];
    for (answer, expected) in rows {
        let mut negotiation = Negotiation::new();
        negotiation.offer(sdp(1, 1, &media(""))).unwrap();
        negotiation.answered(sdp(2, 1, &first)).unwrap();
        negotiation.offer(sdp(1, 2, &known)).unwrap();
        assert_eq!(negotiation.answered(answer.clone()), expected, "{answer:?}");
        let remote = if expected.is_ok() { answer } else { sdp(2, 1, &first) };
        assert_eq!(negotiation.remote(), Some(&remote));
    }
}

/// RFC 3264 §6: what an answer owes its offer.
#[test]
fn rfc3264_6_illegal_answers() {
    let offer = "m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 opus/48000/2\r\nm=video 4002 RTP/AVP 97\r\n";
    let rows = [
        ("m=audio 5000 RTP/AVP 0\r\n", Err(Fault::MediaCount)),
        ("m=video 5000 RTP/AVP 97\r\nm=audio 5002 RTP/AVP 0\r\n", Err(Fault::MediaType { index: 0 })),
        ("m=audio 5000 RTP/SAVP 0\r\nm=video 0 RTP/AVP 97\r\n", Err(Fault::Transport { index: 0 })),
        ("m=audio 5000 RTP/AVP 8\r\nm=video 0 RTP/AVP 97\r\n", Err(Fault::Formats { index: 0 })),
        ("m=audio 0 RTP/AVP 8\r\nm=video 5002 RTP/AVP 98 97\r\n", Ok(())),
        ("m=audio 5000 RTP/AVP 96\r\nm=video 0 RTP/SAVP 1\r\n", Ok(())),
    ];
    for (answer, expected) in rows {
        let mut negotiation = Negotiation::new();
        negotiation.offer(sdp(1, 1, offer)).unwrap();
        assert_eq!(negotiation.answered(sdp(2, 1, answer)), expected, "{answer}");
        assert_eq!(negotiation.turn() == Turn::LocalOffer, expected.is_err());
        let mut negotiation = Negotiation::new();
        negotiation.offered(sdp(2, 1, offer)).unwrap();
        assert_eq!(negotiation.answer(sdp(1, 1, answer)), expected, "{answer}");
    }
}

/// RFC 8829 §5.1.2: for RTP keyed by DTLS the name of the profile has no effect. What has no fingerprint is not keyed so, and ours
/// "MUST exactly match".
#[test]
fn rfc8829_5_1_2_profiles_by_other_names() {
    let offer = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=fingerprint:sha-256 AA\r\n";
    let wrong = Err(Fault::Transport { index: 0 });
    for (profile, rest, expected) in [
        ("RTP/SAVPF", "a=fingerprint:sha-256 BB\r\n", Ok(())),
        ("udp/tls/rtp/savp", "a=fingerprint:sha-256 BB\r\n", Ok(())),
        ("RTP/AVP", "a=fingerprint:sha-256 BB\r\n", Ok(())),
        ("RTP/SAVPF", "", wrong),
        ("UDP/DTLS/SCTP", "a=fingerprint:sha-256 BB\r\n", wrong),
        ("UDP", "a=fingerprint:sha-256 BB\r\n", wrong),
    ] {
        let answer = format!("m=audio 9 {profile} 111\r\n{rest}");
        let mut negotiation = Negotiation::new();
        negotiation.offer(sdp(1, 1, offer)).unwrap();
        assert_eq!(negotiation.answered(sdp(2, 1, &answer)), expected, "{answer}");
        let mut negotiation = Negotiation::new();
        negotiation.offered(sdp(2, 1, offer)).unwrap();
        assert_eq!(negotiation.answer(sdp(1, 1, &answer)), wrong, "{answer}");
    }
    let mut negotiation = Negotiation::new();
    negotiation.offer(sdp(1, 1, offer)).unwrap();
    negotiation.answered(sdp(2, 1, "a=fingerprint:sha-256 BB\r\nm=audio 9 RTP/SAVPF 111\r\n")).unwrap();
}

/// RFC 3264 §8.4, RFC 6141 §3.3: a hold that was refused has nothing that could be taken back.
#[test]
fn rfc6141_3_3_a_refused_hold_leaves_nothing_to_resume() {
    let mut negotiation = agreed();
    negotiation.hold().unwrap();
    negotiation.roll_back();
    negotiation.offer(audio(1, 2, "sendonly")).unwrap();
    negotiation.answered(audio(2, 2, "recvonly")).unwrap();
    assert_eq!(
        direction(&negotiation.resume().unwrap()),
        Direction::SendOnly,
        "it was never ours to receive"
    );
}

/// RFC 3264 §6.1: a medium flows where both sides let it.
#[test]
fn rfc3264_6_1_directions() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    let all = [SendRecv, SendOnly, RecvOnly, Inactive];
    for mine in all {
        for theirs in all {
            let flows = directions(&audio(1, 1, mine.name()), &audio(2, 1, theirs.name())).unwrap();
            let sends = mine.sends() && theirs.receives();
            let receives = mine.receives() && theirs.sends();
            assert_eq!(flows, [Some(Direction::new(sends, receives))], "{mine} {theirs}");
        }
    }
    let refused = sdp(2, 1, "m=audio 0 RTP/AVP 0\r\n");
    assert_eq!(directions(&audio(1, 1, "sendrecv"), &refused).unwrap(), [None]);
}

#[test]
fn rfc3264_6_a_refusal_answers_every_medium() {
    let offer = sdp(2, 1, "m=audio 4000 RTP/AVP 0\r\na=mid:0\r\na=sendrecv\r\nm=video 9 RTP/AVP 97\r\n");
    let answer = refusal(&offer).unwrap();
    let mut negotiation = Negotiation::new();
    negotiation.offered(offer).unwrap();
    negotiation.answer(answer.clone()).unwrap();
    let parsed = SessionDescription::parse(&answer).unwrap();
    assert!(parsed.media.iter().all(crate::body::sdp::MediaDescription::is_refused));
    assert_eq!(parsed.media[0].mid(), Some("0"));
}

/// Descriptions nobody can read are passed on: whoever made them may know more.
#[test]
fn unreadable_descriptions_are_not_judged_before_they_change() {
    let mut negotiation = Negotiation::new();
    negotiation.offer("v=0\r\n".into()).unwrap();
    negotiation.answered("whatever".into()).unwrap();
    assert!(!negotiation.holds() && !negotiation.is_held());
    assert!(matches!(negotiation.hold(), Err(Fault::Malformed(_))));
    assert_eq!(negotiation.turn(), Turn::Stable);
}
