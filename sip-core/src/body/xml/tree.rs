//! Documents as trees, which a depth cap makes safe to walk and to drop by recursion.

use alloc::string::String;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::{Event, Reader, XmlError, XmlFault};

/// A resolved name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The namespace; empty for none.
    pub namespace: SmolStr,
    /// The local part.
    pub local: SmolStr,
}

impl Name {
    /// The namespace `xml:` stands for.
    pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

    /// A name in a namespace.
    pub fn new(namespace: &str, local: &str) -> Self {
        Self { namespace: namespace.into(), local: local.into() }
    }

    /// A name in none, as most attributes have.
    pub fn local(local: &str) -> Self {
        Self { namespace: SmolStr::default(), local: local.into() }
    }

    /// Whether this is that name.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local == local && self.namespace == namespace
    }
}

/// What stands inside an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text.
    Text(String),
}

/// An element with all inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: Name,
    /// Its attributes.
    pub attributes: Vec<(Name, String)>,
    /// Its content. White space between elements is left out when parsing.
    pub children: Vec<Node>,
}

impl Element {
    /// An empty element.
    pub fn new(namespace: &str, local: &str) -> Self {
        Self { name: Name::new(namespace, local), ..Self::default() }
    }

    /// Parses a document.
    pub fn parse(document: &[u8]) -> Result<Self, XmlError> {
        let mut reader = Reader::new(document)?;
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        while let Some(event) = reader.next_event()? {
            match event {
                Event::Start { name, attributes } => {
                    open.push(Self { name, attributes, children: Vec::new() });
                }
                Event::Text(text) => {
                    if let Some(parent) = open.last_mut() {
                        parent.push_text(&text);
                    }
                }
                Event::End => {
                    let Some(mut element) = open.pop() else { continue };
                    element.drop_layout();
                    match open.last_mut() {
                        Some(parent) => parent.children.push(Node::Element(element)),
                        None => root = Some(element),
                    }
                }
            }
        }
        root.ok_or(XmlError::new(XmlFault::Incomplete, document.len()))
    }

    /// Parses a document whose element has this name.
    pub fn parse_as(document: &[u8], namespace: &str, local: &str) -> Result<Self, XmlError> {
        let root = Self::parse(document)?;
        if root.name.is(namespace, local) { Ok(root) } else { Err(XmlError::new(XmlFault::Vocabulary, 0)) }
    }

    /// With an attribute in no namespace.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl Into<String>) -> Self {
        self.attributes.push((Name::local(attribute), value.into()));
        self
    }

    /// With an attribute in no namespace, if there is a value.
    #[must_use]
    pub fn with_some(self, attribute: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(attribute, value),
            None => self,
        }
    }

    /// With text inside.
    #[must_use]
    pub fn with_text(mut self, text: impl AsRef<str>) -> Self {
        self.push_text(text.as_ref());
        self
    }

    /// With an element inside.
    #[must_use]
    pub fn with_child(mut self, child: Self) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// With elements inside.
    #[must_use]
    pub fn with_children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    /// The value of an attribute in no namespace.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name.is("", local)).map(|(_, value)| &**value)
    }

    /// `xml:lang`.
    pub fn language(&self) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name.is(Name::XML, "lang")).map(|(_, value)| &**value)
    }

    /// The elements inside.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The elements inside of this name and of this element's own namespace.
    pub fn own<'s>(&'s self, local: &'s str) -> impl Iterator<Item = &'s Self> {
        self.elements().filter(move |child| child.name.is(&self.name.namespace, local))
    }

    /// The elements inside that are none of `known` in this element's own namespace: extensions.
    pub fn extensions(&self, known: &[&str]) -> Vec<Self> {
        let ours = |child: &&Self| {
            child.name.namespace == self.name.namespace && known.contains(&child.name.local.as_str())
        };
        self.elements().filter(|child| !ours(child)).cloned().collect()
    }

    /// The text inside, that of elements inside left out, without white space around it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for node in &self.children {
            if let Node::Text(text) = node {
                out.push_str(text);
            }
        }
        String::from(out.trim())
    }

    /// The text of the first element inside of this name.
    pub fn text_of(&self, local: &str) -> Option<String> {
        self.own(local).next().map(Self::text)
    }

    fn push_text(&mut self, text: &str) {
        match self.children.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(before)) => before.push_str(text),
            _ => self.children.push(Node::Text(text.into())),
        }
    }

    /// White space beside elements is layout.
    fn drop_layout(&mut self) {
        if self.elements().next().is_some() {
            self.children.retain(|node| !matches!(node, Node::Text(text) if text.trim().is_empty()));
        }
    }
}
