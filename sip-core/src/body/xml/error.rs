//! What can be wrong with a document, with the place.

use thiserror::Error;

/// Why bytes are not a document of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum XmlFault {
    /// Longer than [`crate::limits::XML_BYTES`].
    #[error("document too large")]
    TooLarge,
    /// More elements than [`crate::limits::XML_ELEMENTS`].
    #[error("too many elements")]
    TooManyElements,
    /// Deeper than [`crate::limits::XML_DEPTH`].
    #[error("elements nested too deep")]
    TooDeep,
    /// More attributes in one element than [`crate::limits::XML_ATTRIBUTES`].
    #[error("too many attributes")]
    TooManyAttributes,
    /// More namespaces in scope than [`crate::limits::XML_NAMESPACES`].
    #[error("too many namespaces")]
    TooManyNamespaces,
    /// A namespace name longer than [`crate::limits::XML_NAMESPACE_BYTES`].
    #[error("namespace too long")]
    NamespaceTooLong,
    /// Not UTF-8, or declared as something else.
    #[error("not UTF-8")]
    NotUtf8,
    /// A character XML does not have (§2.2).
    #[error("character not allowed")]
    Character,
    /// A document type declaration.
    #[error("document type declarations are not taken")]
    DocumentType,
    /// A processing instruction.
    #[error("processing instructions are not taken")]
    ProcessingInstruction,
    /// An entity that is none of the five and no character.
    #[error("unknown entity")]
    Entity,
    /// A tag, attribute or comment that does not follow the grammar.
    #[error("malformed markup")]
    Markup,
    /// An attribute stands twice.
    #[error("repeated attribute")]
    RepeatedAttribute,
    /// A prefix nobody declared.
    #[error("undeclared prefix")]
    Prefix,
    /// An end tag of another element.
    #[error("end tag does not match")]
    Mismatched,
    /// Text or a second element outside the document's one element.
    #[error("content outside the document element")]
    Outside,
    /// The document ends inside something.
    #[error("document ends too early")]
    Incomplete,
    /// The document is of another vocabulary.
    #[error("not the expected document")]
    Vocabulary,
    /// An attribute or element the vocabulary demands is absent or malformed.
    #[error("missing or malformed value")]
    Value,
}

/// A fault and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{fault} at byte {offset}")]
pub struct XmlError {
    /// What is wrong.
    pub fault: XmlFault,
    /// Byte offset from the document's start; 0 for what the vocabulary misses.
    pub offset: usize,
}

impl XmlError {
    pub(in crate::body) const fn new(fault: XmlFault, offset: usize) -> Self {
        Self { fault, offset }
    }

    /// What the vocabulary misses.
    pub(in crate::body) const VALUE: Self = Self::new(XmlFault::Value, 0);
}
