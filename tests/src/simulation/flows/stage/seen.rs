//! What went over the links, as the tables of the flows have it.

use bytes::Bytes;

use super::super::super::NodeId;
use super::super::super::ladder;
use super::super::super::node::Node;
use super::super::super::trace::Entry;
use super::super::Message;
use super::Stage;

impl Stage {
    /// All messages since the beginning.
    pub fn messages(&self) -> Vec<Message> {
        let entries = &self.world.trace.entries()[self.prelude..];
        let sent = entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Sent { from, to, message, .. } if self.counts(*from, message) => {
                Some((self.name(*from), self.name(*to), message))
            }
            _ => None,
        });
        let named = sent.map(|(from, to, message)| {
            let label = ladder::label(message);
            let label = label.rsplit_once(' ').map_or(label.as_str(), |(label, _)| label).to_owned();
            Message { from, to, label }
        });
        named.collect()
    }

    /// Whether the tables have it: of the 100s only a proxy's, outside dialogs.
    fn counts(&self, from: NodeId, message: &Bytes) -> bool {
        match sip_core::message::Message::parse(message.clone()) {
            Ok(sip_core::message::Message::Response(response)) if response.status() == 100 => {
                matches!(self.world.nodes[from.0], Node::Server(_)) && response.to_tag().is_none()
            }
            _ => true,
        }
    }

    /// The whole run.
    pub fn ladder(&self) -> String {
        let names: Vec<&str> = self.world.nodes.iter().map(Node::name).collect();
        ladder::draw(&names, &self.world.trace, 200)
    }

    /// As the tables have it.
    fn name(&self, node: NodeId) -> String {
        let letter = |node: &Node| match node {
            Node::Phone(phone) => phone.user[..1].to_uppercase(),
            Node::Server(_) => "P".to_owned(),
        };
        let own = letter(&self.world.nodes[node.0]);
        let alike = |nodes: &[Node]| nodes.iter().filter(|node| letter(node) == own).count();
        match alike(&self.world.nodes) {
            1 => own,
            _ => format!("{own}{}", alike(&self.world.nodes[..=node.0])),
        }
    }
}
