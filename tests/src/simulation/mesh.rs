//! Phones with nobody between them, more than two: who sends to [`MESH`] leaves it to the addresses in the message where
//! it goes, as the resolver and the sockets of a phone would.

use bytes::Bytes;
use sip_core::message::{HeaderName, Host, Message, NameAddr, Uri};

use super::NodeId;
use super::node::Node;

/// The home of phones without a server. Nobody is there.
pub const MESH: NodeId = NodeId(0xEF_FFFE);

/// Whom a message is for: the topmost Route or the Request-URI, by address or by the name of a phone's user; for a
/// response the topmost Via.
pub fn recipient(nodes: &[Node], message: &Bytes) -> Option<NodeId> {
    match Message::parse(message.clone()).ok()? {
        Message::Request(request) => {
            let route = request.headers().list(HeaderName::Route).next();
            let uri = route.and_then(NameAddr::parse).map_or_else(|| request.uri(), |route| route.uri);
            let uri = Uri::parse(uri)?;
            let sip = uri.sip()?;
            match sip.host {
                Host::Name(domain) => nodes
                    .iter()
                    .position(|node| sip.user.is_some_and(|user| has_user(node, user, domain)))
                    .map(NodeId),
                host => at(host),
            }
        }
        Message::Response(response) => at(response.via().host),
    }
}

fn has_user(node: &Node, user: &str, domain: &str) -> bool {
    matches!(node, Node::Phone(phone) if phone.user == user && phone.domain == domain)
}

fn at(host: Host<'_>) -> Option<NodeId> {
    let Host::Ip(address) = host else { return None };
    NodeId::of((address, 5060).into())
}
