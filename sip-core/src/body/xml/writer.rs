//! Trees → text.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Display, Write};

use super::{Element, Name, Node};

/// Prints the whole document, its declaration first.
impl Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n")?;
        print(self, "", &mut Vec::new(), f)?;
        f.write_str("\r\n")
    }
}

/// `default` is the namespace in force for names without prefix; the one at index `n` of `prefixed` has prefix `nsN`.
/// No more are in scope than were when the tree was parsed. Recursion is as deep as the tree.
fn print<'a>(
    element: &'a Element,
    default: &str,
    prefixed: &mut Vec<&'a str>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let namespace = &*element.name.namespace;
    let outside = prefixed.len();
    write!(f, "<{}", element.name.local)?;
    if namespace != default {
        write!(f, " xmlns=\"{}\"", Escaped(namespace))?;
    }
    for (name, value) in &element.attributes {
        match &*name.namespace {
            "" => write!(f, " {}", name.local)?,
            Name::XML => write!(f, " xml:{}", name.local)?,
            // An attribute is in a namespace by prefix only.
            other => {
                let known = prefixed.iter().position(|found| *found == other);
                let index = known.unwrap_or(prefixed.len());
                if known.is_none() {
                    write!(f, " xmlns:ns{index}=\"{}\"", Escaped(other))?;
                    prefixed.push(other);
                }
                write!(f, " ns{index}:{}", name.local)?;
            }
        }
        write!(f, "=\"{}\"", Escaped(value))?;
    }
    if element.children.is_empty() {
        prefixed.truncate(outside);
        return f.write_str("/>");
    }
    f.write_char('>')?;
    for node in &element.children {
        match node {
            Node::Element(child) => print(child, namespace, prefixed, f)?,
            Node::Text(text) => write!(f, "{}", Escaped(text))?,
        }
    }
    prefixed.truncate(outside);
    write!(f, "</{}>", element.name.local)
}

/// Text fit for content and for attributes in double quotes. What XML has no way to say becomes U+FFFD.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::with_capacity(self.0.len());
        for c in self.0.chars() {
            match c {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '"' => out.push_str("&quot;"),
                // Left as they are, an attribute's would come back as spaces, and a CR as LF.
                '\t' => out.push_str("&#9;"),
                '\n' => out.push_str("&#10;"),
                '\r' => out.push_str("&#13;"),
                '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
                other => out.push(other),
            }
        }
        f.write_str(&out)
    }
}
