//! XML, as much as presence and its kin need: elements, attributes, text and namespaces (XML 1.0, Namespaces 1.0).
//!
//! Our own, because a browser tab downloads it and little would be left to a library: `quick-xml` reads through
//! `std`; `xmlparser` hands document types and entities on and leaves namespaces to its user; `rxml` refuses what is
//! refused here and resolves namespaces, but the caps, the tree and the printing would still be ours, and they are
//! half of these few hundred lines.
//!
//! Taken: elements, attributes, text, CDATA sections, comments, the XML declaration, the five named entities and
//! numeric ones. Refused by name: a document type (and with it every other entity), processing instructions,
//! encodings other than UTF-8, undeclared prefixes, documents deeper, longer or busier than [`crate::limits`]
//! allows. Reading is linear in the document's size.
//!
//! A document becomes a tree of [`Element`]s whose names are resolved; prefixes are nobody's business. Printing
//! declares a namespace where it changes.

mod error;
mod reader;
#[cfg(test)]
mod tests;
mod tree;
mod writer;

pub use error::{XmlError, XmlFault};
pub use reader::{Event, Reader};
pub use tree::{Element, Name, Node};
