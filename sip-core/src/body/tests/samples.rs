//! Bodies in the shape of what is met.

pub(crate) const MULTIPART: &str = "preamble\r\n\
--unique-boundary-1\r\n\
Content-Type: multipart/alternative;\r\n boundary=\"unique-boundary-1-inner\"\r\n\
\r\n\
--unique-boundary-1-inner\r\n\
Content-Type: application/SDP; charset=utf-8\r\n\
Content-Disposition: session;handling=optional\r\n\
\r\n\
v=0\r\n\
--unique-boundary-1-inner--\r\n\
\r\n\
--unique-boundary-1 \t\r\n\
c: application/pidf+xml\r\n\
Content-ID: <alice@atlanta.example.com>\r\n\
\r\n\
<a/>\r\n--unique-boundary-10\r\n\
--unique-boundary-1\r\n\
\r\n\
plain --unique-boundary-1 text\r\n\
--unique-boundary-1--\r\n\
epilogue";

pub(crate) const SIPFRAG: &str = "INVITE sip:alice@atlanta.example SIP/2.0\r\n\
From: <sip:bob@biloxi.example>;tag=1\r\n\
Subject: one\r\n  folded\r\n\
i: abc@h\r\n\
\r\n\
a body\r\n";

pub(crate) const SUMMARY: &str = "Messages-Waiting: yes\r\n\
Message-Account: sip:alice@vmail.example.com\r\n\
Voice-Message: 4/8 (1/2)\r\n\
Fax-Message: 0/2\r\n\
\r\n\
To: <alice@atlanta.example.com>\r\n\
Subject: carpool tomorrow?\r\n\
\r\n\
To: <alice@example.com>\r\n\
Urgent: no\r\n";

pub(crate) const SDPFRAG: &str = "a=group:BUNDLE 1 2\r\n\
a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
a=ice-ufrag:8hhY\r\n\
m=audio 9 RTP/AVP 0\r\n\
a=mid:1\r\n\
a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r\n\
a=candidate:2 1 UDP 1694498815 192.0.2.3 5010 typ srflx raddr 192.0.2.1 rport 8998\r\n\
a=end-of-candidates\r\n\
m=audio 9 RTP/AVP 0\r\n\
a=mid:2\r\n\
a=ice-ufrag:other\r\n\
a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 6000 typ host\r\n";

pub(crate) const PIDF: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<impp:presence xmlns:impp="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
    xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="pres:someone@example.com">
  <impp:tuple id="sg89ae">
    <impp:status><impp:basic>open</impp:basic><im xmlns="urn:ietf:params:xml:ns:pidf:im">busy</im></impp:status>
    <rpid:user-input idle-threshold="600">active</rpid:user-input>
    <impp:contact priority="0.8">tel:+09012345678</impp:contact>
    <impp:note xml:lang="en">Don't Disturb &amp; be gone</impp:note>
    <impp:timestamp>2026-10-27T16:49:29Z</impp:timestamp>
  </impp:tuple>
  <impp:tuple id="b"><impp:status/></impp:tuple>
  <impp:note>away</impp:note>
  <dm:person id="p1"><rpid:activities><rpid:on-the-phone/></rpid:activities></dm:person>
</impp:presence>
"#;

pub(crate) const DIALOG_INFO: &str = r#"<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="3" state="partial" entity="sip:alice@example.com">
  <dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774" remote-tag="456887766" direction="recipient">
    <state event="rejected" code="486">terminated</state>
    <duration>274</duration>
    <replaces call-id="hg287s98s89" local-tag="6762h7" remote-tag="09278hsb"/>
    <referred-by display="Bill">sip:bill@example.com</referred-by>
    <route-set><hop>sip:ss1.example.com;lr</hop><hop>sip:ss2.example.com;lr</hop></route-set>
    <local>
      <identity display-name="Alice">sip:alice@example.com</identity>
      <target uri="sip:alice@pc33.example.com"><param pname="isfocus" pval="true"/><param pname="x"/></target>
      <session-description type="application/sdp">v=0
o=- 1 1 IN IP4 h</session-description>
      <cseq>8</cseq>
    </local>
    <remote><identity>sip:bob@example.org</identity></remote>
    <exclusive xmlns="urn:ietf:params:xml:ns:sa-dialog-info">true</exclusive>
  </dialog>
  <dialog id="b"><state>early</state></dialog>
</dialog-info>"#;

pub(crate) const REGINFO: &str = r#"<?xml version="1.0"?>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" xmlns:gr="urn:ietf:params:xml:ns:gruuinfo" version="1" state="full">
  <registration aor="sip:user@example.com" id="as9" state="active">
    <contact id="76" state="active" event="registered" duration-registered="7322" expires="600" q="0.8"
        callid="x@h" cseq="18446744073709551615" retry-after="5">
      <uri>sip:user@pc887.example.com</uri>
      <display-name xml:lang="en">User &lt;1&gt;</display-name>
      <unknown-param name="+sip.instance">"&lt;urn:uuid:f81d4fae&gt;"</unknown-param>
      <gr:pub-gruu uri="sip:user@example.com;gr=hha9s8d-999a"/>
    </contact>
    <contact id="77" state="terminated" event="expired"><uri>sip:user@university.edu</uri></contact>
  </registration>
  <registration aor="sip:other@example.com" id="b" state="init"/>
</reginfo>"#;

pub(crate) const IS_COMPOSING: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="urn:ietf:params:xml:ns:im-composing iscomposing.xsd">
  <state>active</state><lastactive>2026-01-27T10:43:00Z</lastactive>
  <contenttype>text/plain</contenttype><refresh>90</refresh>
</isComposing>"#;

pub(crate) const DOCUMENTS: [&str; 4] = [PIDF, DIALOG_INFO, REGINFO, IS_COMPOSING];
pub(crate) const LINES: [&str; 4] = [MULTIPART, SIPFRAG, SUMMARY, SDPFRAG];
