//! Who talks to the server under test, and the text of what they say.

use super::*;

/// Somebody with a socket.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) hop: Hop,
    pub(super) name: &'static str,
    pub(super) instance: u8,
}

fn peer(name: &'static str, instance: u8, flow: u64, transport: Transport, remote: &str) -> Peer {
    let local: SocketAddr = match transport {
        Transport::Udp => "192.0.2.1:5060",
        Transport::Tcp => "192.0.2.1:5070",
        _ => "192.0.2.1:8080",
    }
    .parse()
    .unwrap();
    let hop = Hop { flow: FlowId(flow), transport, local, remote: remote.parse().unwrap() };
    Peer { hop, name, instance }
}

/// A page. Its address changes with its flow.
pub(super) fn ws(name: &'static str, flow: u64) -> Peer {
    peer(name, name.as_bytes()[0], flow, Transport::Ws, &format!("198.51.100.{flow}:40000"))
}

/// A phone on UDP; all share the server's socket.
pub(super) fn udp(name: &'static str, last: u8) -> Peer {
    peer(name, last, 1000, Transport::Udp, &format!("203.0.113.{last}:5060"))
}

/// A server of another domain.
pub(super) fn elsewhere(transport: Transport, remote: &str) -> Peer {
    let remote: SocketAddr = remote.parse().unwrap();
    let flow = match transport {
        Transport::Udp => 1000,
        _ => 10_000 + u64::from(remote.port()),
    };
    peer("bob", 0, flow, transport, &remote.to_string())
}

pub(super) fn tcp(name: &'static str, flow: u64) -> Peer {
    peer(name, 0, flow, Transport::Tcp, &format!("203.0.113.9:{flow}"))
}

impl Peer {
    pub(super) fn via(&self, branch: &str) -> String {
        let transport = self.hop.transport.via_token();
        let sent_by = match self.hop.transport {
            Transport::Ws => format!("{}.invalid", self.name),
            _ => self.hop.remote.to_string(),
        };
        format!("Via: SIP/2.0/{transport} {sent_by};branch=z9hG4bK{branch}\r\n")
    }

    pub(super) fn contact(&self) -> String {
        match self.hop.transport {
            Transport::Ws => format!("sip:{}{}@pc.invalid;transport=ws;ob", self.name, self.instance),
            _ => format!("sip:{}@{}", self.name, self.hop.remote),
        }
    }

    pub(super) fn contact_field(&self) -> String {
        let instance = match self.hop.transport {
            Transport::Udp => String::new(),
            _ => format!(
                ";+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-0000000000{:02x}>\";reg-id=1",
                self.instance
            ),
        };
        format!("Contact: <{}>{instance}\r\nSupported: outbound\r\n", self.contact())
    }

    pub(super) fn register(&self, cseq: u32, fields: &str) -> String {
        let (name, via) = (self.name, self.via(&format!("reg{cseq}f{}", self.hop.flow.0)));
        format!(
            "REGISTER sip:{DOMAIN} SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <sip:{name}@{DOMAIN}>;tag=r\r\n\
             To: <sip:{name}@{DOMAIN}>\r\nCall-ID: reg-{name}-{}\r\nCSeq: {cseq} REGISTER\r\n{fields}\
             Content-Length: 0\r\n\r\n",
            self.instance
        )
    }

    pub(super) fn key(&self) -> RegistrationKey {
        RegistrationKey {
            aor: format!("sip:{}@{DOMAIN}", self.name).into(),
            instance: format!("urn:uuid:00000000-0000-4000-8000-0000000000{:02x}", self.instance).into(),
            reg_id: 1,
        }
    }

    /// A request outside dialogs.
    pub(super) fn out(&self, method: &str, uri: &str, cseq: u32, fields: &str) -> String {
        let (name, via) = (self.name, self.via(&format!("{method}{cseq}")));
        format!(
            "{method} {uri} SIP/2.0\r\n{via}max-forwards : 70\r\nX-Odd:   kept \r\n\tas it is\r\n\
             From: \"{name}\" <sip:{name}@{DOMAIN}>;tag=from\r\nt: <{uri}>\r\nCall-ID: call\r\n\
             CSeq: {cseq} {method}\r\nm: <{}>\r\nc: application/sdp\r\n\
             {fields}l: 4\r\n\r\nbody",
            self.contact()
        )
    }

    pub(super) fn invite(&self, callee: &str, cseq: u32, fields: &str) -> String {
        self.out("INVITE", &format!("sip:{callee}@{DOMAIN}"), cseq, fields)
    }

    /// A response to what the server forwarded, with all its Vias and Record-Routes.
    pub(super) fn answer(&self, request: &Request, status: u16) -> String {
        let headers = request.headers();
        let mut out = format!("SIP/2.0 {status} Whatever\r\n");
        for via in headers.all(HeaderName::Via) {
            out += &format!("v: {via}\r\n");
        }
        for route in headers.all(HeaderName::RecordRoute) {
            out += &format!("Record-Route: {route}\r\n");
        }
        let to = headers.first(HeaderName::To).unwrap();
        let tag = if request.to_tag().is_some() || status == 100 {
            String::new()
        } else {
            format!(";tag={}", self.tag())
        };
        out += &format!(
            "From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <{}>\r\nX-Odd:  kept \r\n\r\n",
            headers.first(HeaderName::From).unwrap(),
            request.call_id(),
            headers.first(HeaderName::CSeq).unwrap(),
            self.contact(),
        );
        out
    }

    pub(super) fn tag(&self) -> String {
        format!("to-{}-{}", self.name, self.instance)
    }
}

/// The ACK a caller sends for a non-2xx answer.
pub(super) fn ack_to_failure(invite: &str, response: &Response) -> String {
    let request = Request::parse(Bytes::from(invite.to_string())).unwrap();
    let via = request.headers().list(HeaderName::Via).next().unwrap();
    format!(
        "ACK {} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
         CSeq: {} ACK\r\nContent-Length: 0\r\n\r\n",
        request.uri(),
        request.headers().first(HeaderName::From).unwrap(),
        response.headers().first(HeaderName::To).unwrap(),
        request.call_id(),
        request.cseq().number,
    )
}

/// A dialog as one side sees it.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) peer: Peer,
    pub(super) routes: Vec<String>,
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) target: String,
    pub(super) cseq: u32,
}

impl Side {
    /// The caller's side, from a response with a To tag (§12.1.2).
    pub(super) fn caller(peer: &Peer, response: &Response) -> Self {
        let headers = response.headers();
        let mut routes: Vec<String> = headers.list(HeaderName::RecordRoute).map(String::from).collect();
        routes.reverse();
        let target = headers.first(HeaderName::Contact).unwrap().into();
        Self {
            peer: peer.clone(),
            routes,
            local: headers.first(HeaderName::From).unwrap().into(),
            remote: headers.first(HeaderName::To).unwrap().into(),
            target,
            cseq: 10,
        }
    }

    /// The callee's side, from the request that began the dialog (§12.1.1).
    pub(super) fn callee(peer: &Peer, request: &Request) -> Self {
        let headers = request.headers();
        Self {
            peer: peer.clone(),
            routes: headers.list(HeaderName::RecordRoute).map(String::from).collect(),
            local: format!("{};tag={}", headers.first(HeaderName::To).unwrap(), peer.tag()),
            remote: headers.first(HeaderName::From).unwrap().into(),
            target: headers.first(HeaderName::Contact).unwrap().into(),
            cseq: 20,
        }
    }

    /// The next request in the dialog.
    pub(super) fn next(&mut self, method: &str) -> String {
        self.cseq += 1;
        let cseq = if method == "ACK" { 2 } else { self.cseq };
        let uri = self.target.trim_start_matches('<').split('>').next().unwrap();
        let routes: String = self.routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
        let via = self.peer.via(&format!("{method}{}", self.cseq));
        format!(
            "{method} {uri} SIP/2.0\r\n{via}Max-Forwards: 70\r\n{routes}From: {}\r\nTo: {}\r\nCall-ID: call\r\n\
             CSeq: {cseq} {method}\r\nX-Odd:  kept\r\nContent-Length: 0\r\n\r\n",
            self.local, self.remote
        )
    }
}
