mod attributes;
mod properties;
mod samples;

use alloc::string::ToString;

use super::*;

fn parsed(text: &str) -> SessionDescription<'_> {
    SessionDescription::parse(text.as_bytes()).unwrap()
}

#[test]
fn prints_the_same_lines() {
    for text in samples::ALL {
        let sdp = parsed(text);
        assert_eq!(sdp.to_string(), text);
        assert!(sdp.lines().eq(text.split_terminator("\r\n")));
        assert_eq!(sdp.clone().into_owned(), sdp);
    }
}

#[test]
fn line_ends_that_are_met() {
    for text in samples::ALL {
        let bare = text.replace("\r\n", "\n");
        assert_eq!(parsed(&bare).to_string(), text);
        assert_eq!(parsed(text.trim_end()).to_string(), text);
        let padded = std::format!("{text}\r\n\r\n");
        assert_eq!(parsed(&padded).to_string(), text);
    }
}

#[test]
fn spaces_that_are_met() {
    let text = "v=0\r\no=- 1 1 IN IP4 h \r\nc=IN  IP4 h\r\nt= 0  0\r\nm=audio 9  RTP/AVP  0 8 \r\n";
    let sdp = parsed(text);
    assert_eq!(sdp.to_string(), text);
    assert_eq!(sdp.timing(), Some(Timing::default()));
    assert!(sdp.media[0].line().formats().eq(["0", "8"]));
}

#[test]
fn session_and_media() {
    let sdp = parsed(samples::CHROME);
    assert_eq!(sdp.origin().session_id, "4611731400430051336");
    assert_eq!(sdp.origin().session_version, 2);
    assert_eq!(sdp.name(), Some("-"));
    assert_eq!(sdp.timing(), Some(Timing::default()));
    assert!(sdp.group("BUNDLE").unwrap().mids().eq(["0", "1", "2"]));
    assert_eq!(sdp.media_with_mid("2"), Some(2));
    assert_eq!(sdp.media_with_mid("3"), None);
    let [audio, video, data] = &sdp.media[..] else { panic!() };
    assert_eq!((audio.media(), audio.port()), ("audio", 54321));
    assert!(audio.line().is_rtp() && !data.line().is_rtp());
    assert!(audio.line().formats().eq(["111", "63", "9", "0", "8", "110", "126"]));
    assert_eq!(sdp.connection_of(audio).unwrap().address, "192.0.2.15");
    assert!(sdp.connection_of(data).unwrap().is_unspecified());
    assert_eq!(sdp.direction_of(video), Direction::Inactive);
    assert_eq!(sdp.direction_of(data), Direction::SendRecv);
    assert_eq!(video.bandwidths().map(|b| b.value).collect::<Vec<_>>(), [2048, 2_000_000]);
    assert!(audio.has("rtcp-mux") && !audio.has("rtcp-mux-only"));
}

#[test]
fn desk_phone() {
    let sdp = parsed(samples::DESK_PHONE);
    let [audio, fax, video] = &sdp.media[..] else { panic!() };
    assert_eq!(audio.line().ports, Some(2));
    assert_eq!(sdp.direction_of(audio), Direction::SendOnly);
    assert_eq!(sdp.connection_of(audio).unwrap().addr_type, "IP6");
    assert_eq!(audio.value('i'), Some("speech"));
    assert_eq!(audio.codec(9).unwrap().encoding, "G722");
    assert!(audio.codec(101).is_none());
    assert_eq!(fax.line().formats, "t38");
    assert!(fax.is_refused() && video.line().formats().next().is_none());
    assert_eq!(sdp.session.attribute("X-vendor").next(), Some(" keep  this \t as it is "));
}

#[test]
fn faults_name_line_and_offset() {
    use SdpFault::*;
    let cases: &[(&[u8], SdpFault, usize, usize)] = &[
        (b"", Line, 1, 0),
        (b"o=- 1 1 IN IP4 h\r\n", Version, 1, 0),
        (b"v=1\r\n", Version, 1, 0),
        (b"v=0\r\ns=-\r\n", Origin, 1, 0),
        (b"v=0\r\no=- x 1 IN IP4 h\r\n", Origin, 2, 5),
        (b"v=0\r\no=- 1 +1 IN IP4 h\r\n", Origin, 2, 5),
        (b"v=0\no=- 1 1 IN IP4 h\ns", Line, 3, 21),
        (b"v=0\no=- 1 1 IN IP4 h\n\ns=-", Line, 3, 21),
        (b"v=0\no=- 1 1 IN IP4 h\nx=1", UnknownType, 3, 21),
        (b"v=0\no=- 1 1 IN IP4 h\nv=0", Misplaced, 3, 21),
        (b"v=0\no=- 1 1 IN IP4 h\no=- 1 1 IN IP4 h", Misplaced, 3, 21),
        (b"v=0\no=- 1 1 IN IP4 h\nc=IN IP4", Connection, 3, 21),
        (b"v=0\no=- 1 1 IN IP4 h\nt=0", Timing, 3, 21),
        (b"v=0\no=- 1 1 IN IP4 h\na=:x", Attribute, 3, 21),
        (b"v=0\no=- 1 1 IN IP4 h\nm=audio 65536 RTP/AVP 0", Media, 3, 21),
        (b"v=0\no=- 1 1 IN IP4 h\nm=audio 1 RTP/AVP 0\nt=0 0", Misplaced, 4, 41),
        (b"v=0\no=- 1 1 IN IP4 h\ns=a\rb", ControlCharacter, 3, 24),
        (b"v=0\no=- 1 1 IN IP4 h\ns=a\0b", ControlCharacter, 3, 24),
        (b"v=0\no=- 1 1 IN IP4 h\ns=\xff", NotUtf8, 3, 23),
    ];
    for (text, fault, line, offset) in cases {
        let expected = SdpError { fault: *fault, line: *line, offset: *offset };
        assert_eq!(SessionDescription::parse(text), Err(expected), "{}", text.escape_ascii());
    }
}

#[test]
fn caps() {
    let head = "v=0\r\no=- 1 1 IN IP4 h\r\n".to_string();
    let fault = |text: &str| SessionDescription::parse(text.as_bytes()).map(drop).map_err(|e| e.fault);
    let lines = |count| head.clone() + &"a=x\r\n".repeat(count);
    assert_eq!(fault(&lines(crate::limits::SDP_LINES - 2)), Ok(()));
    assert_eq!(fault(&lines(crate::limits::SDP_LINES - 1)), Err(SdpFault::TooManyLines));
    let media = |count| head.clone() + &"m=audio 0 RTP/AVP 0\r\n".repeat(count);
    assert_eq!(fault(&media(crate::limits::SDP_MEDIA)), Ok(()));
    assert_eq!(fault(&media(crate::limits::SDP_MEDIA + 1)), Err(SdpFault::TooManyMedia));
    let formats = |count| std::format!("{head}m=audio 0 RTP/AVP{}\r\n", " 0".repeat(count));
    assert_eq!(fault(&formats(crate::limits::SDP_FORMATS)), Ok(()));
    assert_eq!(fault(&formats(crate::limits::SDP_FORMATS + 1)), Err(SdpFault::TooManyFormats));
    assert_eq!(fault(&"a".repeat(crate::limits::SDP_BYTES + 1)), Err(SdpFault::TooLarge));
}

#[test]
fn builds() {
    let origin =
        Origin { session_id: "77", address: Connection::internet("2001:db8::1"), ..Origin::default() };
    let mut sdp = SessionDescription::new(&origin);
    sdp.session.set_connection(&Connection::internet("192.0.2.1"));
    sdp.session.add(&Group { semantics: "BUNDLE", mids: "a" });
    let line = MediaLine { media: "audio", port: 9, ports: None, protocol: "RTP/AVP", formats: "0 101" };
    let media = sdp.add_media(&line);
    media.add(&Mid("a"));
    media.add(&RtpMap { payload: 101, encoding: "telephone-event", clock_rate: 8000, parameters: None });
    media.add_flag("rtcp-mux");
    media.set_direction(Direction::SendOnly);
    media.set_bandwidth(&Bandwidth { modifier: "AS", value: 64 });
    let text = "v=0\r\no=- 77 0 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=group:BUNDLE a\r\n\
        m=audio 9 RTP/AVP 0 101\r\nb=AS:64\r\na=mid:a\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp-mux\r\n\
        a=sendonly\r\n";
    assert_eq!(sdp.to_string(), text);
    assert_eq!(parsed(text), sdp);
}

#[test]
fn edits_leave_other_lines_alone() {
    let mut sdp = parsed(samples::BARESIP);
    sdp.set_session_version(1_207_352_711);
    sdp.session.set_connection(&Connection::UNSPECIFIED);
    let audio = &mut sdp.media[0];
    audio.set_port(4000);
    audio.set_direction(Direction::Inactive);
    audio.set(&Rtcp { port: 4001, connection: None });
    audio.set_connection(&Connection::internet("203.0.113.9"));
    audio.retain_formats(|format| format != "0" && format != "101");
    assert_eq!(audio.remove("label"), 1);
    let text = samples::BARESIP
        .replace("1207352710", "1207352711")
        .replace("c=IN IP4 198.51.100.20", "c=IN IP4 0.0.0.0")
        .replace("m=audio 19878 RTP/AVP 8 0 101\r\n", "m=audio 4000 RTP/AVP 8\r\nc=IN IP4 203.0.113.9\r\n")
        .replace("a=sendrecv", "a=inactive")
        .replace("19879", "4001")
        .replace("a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n", "")
        .replace("a=label:1\r\n", "");
    assert_eq!(sdp.to_string(), text);
}

#[test]
fn nothing_smuggles_a_line() {
    let mut sdp = parsed(samples::BARESIP);
    sdp.media[0].add_attribute("x", "1\r\nm=audio 1 RTP/AVP 0");
    sdp.media[0].add(&Mid("a\na=b"));
    assert_eq!(parsed(&sdp.to_string()).media.len(), 1);
    assert_eq!(sdp.to_string().lines().count(), samples::BARESIP.lines().count() + 2);
}

#[test]
fn one_direction_and_one_of_each_set() {
    let text = "v=0\no=- 1 1 IN IP4 h\nm=audio 1 RTP/AVP 0\na=sendonly\na=mid:1\na=recvonly\na=MID:2\n";
    let mut sdp = parsed(text);
    sdp.media[0].set_direction(Direction::RecvOnly);
    sdp.media[0].set(&Mid("z"));
    assert!(sdp.media[0].lines().map(Line::value).eq(["recvonly", "mid:z"]));
}
