use alloc::string::{String, ToString};
use std::format;

use super::*;
use crate::limits;

fn fault(document: &str) -> XmlFault {
    Element::parse(document.as_bytes()).unwrap_err().fault
}

#[test]
fn names_are_resolved() {
    let a =
        Element::parse(br#"<p:a xmlns:p="urn:x" b="1" p:b='2'><p:c/><d xmlns="urn:y"><e/></d><f/></p:a>"#)
            .unwrap();
    let b = Element::parse(br#"<a xmlns="urn:x" xmlns:q="urn:x" b="1" q:b="2"><c></c ><d xmlns="urn:y"><e /></d><f xmlns=""/></a>"#);
    assert_eq!(a, b.unwrap());
    assert!(a.name.is("urn:x", "a"));
    assert_eq!(a.attribute("b"), Some("1"));
    assert_eq!(a.own("c").count(), 1);
    assert_eq!(a.extensions(&["c"]).len(), 2);
}

#[test]
fn text_is_resolved() {
    let document = "\u{feff}<?xml version='1.0' encoding='utf-8' standalone=\"yes\"?>\r\n<!-- a - b -->\n\
        <a b=\"x\ty&#10;&apos;\">1 &lt;&#x41;&#66;&amp; \r\n<!-- no --><![CDATA[<&]]>]]</a> <!-- end -->\n";
    let a = Element::parse(document.as_bytes()).unwrap();
    assert_eq!(a.attribute("b"), Some("x y\n'"));
    assert_eq!(a.children, [Node::Text("1 <AB& \n<&]]".into())]);
}

#[test]
fn dangerous_and_malformed_documents_are_refused() {
    use XmlFault::*;
    let bomb = "<!DOCTYPE l [<!ENTITY a \"b\">]><l>&a;</l>";
    let cases = [
        (bomb, DocumentType),
        ("<a><!DOCTYPE b></a>", DocumentType),
        ("<?php x?><a/>", ProcessingInstruction),
        ("<a><?x y?></a>", ProcessingInstruction),
        ("<a/><?x y?>", ProcessingInstruction),
        (" <?xml version='1.0'?><a/>", ProcessingInstruction),
        ("<?xml version='1.0' encoding='UTF-16'?><a/>", NotUtf8),
        ("<a>&b;</a>", Entity),
        ("<a>&#0;</a>", Entity),
        ("<a>&#xd800;</a>", Entity),
        ("<a>&#+65;</a>", Entity),
        ("<a>&lt</a>", Entity),
        ("<a b='&b;'/>", Entity),
        ("<a>\u{1}</a>", Character),
        ("<a>\u{ffff}</a>", Character),
        ("", Incomplete),
        ("<a>", Incomplete),
        ("<a", Incomplete),
        ("<a b='", Incomplete),
        ("<a><![CDATA[x</a>", Incomplete),
        ("<a><!-- x</a>", Incomplete),
        ("<a/>x", Outside),
        ("x<a/>", Outside),
        ("<a/><b/>", Outside),
        ("<![CDATA[x]]><a/>", Outside),
        ("<a></b>", Mismatched),
        ("</a>", Mismatched),
        ("<a xmlns:p='x' xmlns:q='x'><p:b></q:b></a>", Mismatched),
        ("<a b='1' b='2'/>", RepeatedAttribute),
        ("<a xmlns='x' xmlns='x'/>", RepeatedAttribute),
        ("<a xmlns:p='x' xmlns:q='x' p:b='1' q:b='2'/>", RepeatedAttribute),
        ("<p:a/>", Prefix),
        ("<a p:b=''/>", Prefix),
        ("<a><b xmlns:p='x'/><p:c/></a>", Prefix),
        ("<a xmlns:p=''/>", Prefix),
        ("<a xmlns:xml='x'/>", Prefix),
        ("< a/>", Markup),
        ("<1/>", Markup),
        ("<a:b:c xmlns:a='x'/>", Markup),
        ("<a:.b xmlns:a='x'/>", Markup),
        ("<a b/>", Markup),
        ("<a b=1/>", Markup),
        ("<a b='1'c='2'/>", Markup),
        ("<a b='<'/>", Markup),
        ("<a>]]></a>", Markup),
        ("<a><!-- -- --></a>", Markup),
    ];
    for (document, expected) in cases {
        assert_eq!(fault(document), expected, "{document}");
    }
    assert_eq!(Element::parse(b"<a>\xff</a>"), Err(XmlError::new(NotUtf8, 3)));
    assert_eq!(Element::parse(b"<a><b>&x;</b></a>"), Err(XmlError::new(Entity, 6)));
}

#[test]
fn caps() {
    let nested = |depth| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert!(Element::parse(nested(limits::XML_DEPTH).as_bytes()).is_ok());
    assert_eq!(fault(&nested(limits::XML_DEPTH + 1)), XmlFault::TooDeep);
    let numbered = |what: &dyn Fn(usize) -> String, count| (0..count).map(what).collect::<String>();
    let attributes = |count| format!("<a {}/>", numbered(&|n| format!(" a{n}=''"), count));
    assert!(Element::parse(attributes(limits::XML_ATTRIBUTES).as_bytes()).is_ok());
    assert_eq!(fault(&attributes(limits::XML_ATTRIBUTES + 1)), XmlFault::TooManyAttributes);
    let prefixes = |count| format!("<a {}/>", numbered(&|n| format!(" xmlns:a{n}='x'"), count));
    assert!(Element::parse(prefixes(limits::XML_NAMESPACES).as_bytes()).is_ok());
    assert_eq!(fault(&prefixes(limits::XML_NAMESPACES + 1)), XmlFault::TooManyNamespaces);
    let elements = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count - 1));
    assert!(Element::parse(elements(limits::XML_ELEMENTS).as_bytes()).is_ok());
    assert_eq!(fault(&elements(limits::XML_ELEMENTS + 1)), XmlFault::TooManyElements);
    let namespace = |length| format!("<a xmlns=\"{}\"/>", "n".repeat(length));
    assert!(Element::parse(namespace(limits::XML_NAMESPACE_BYTES).as_bytes()).is_ok());
    assert_eq!(fault(&namespace(limits::XML_NAMESPACE_BYTES + 1)), XmlFault::NamespaceTooLong);
    assert_eq!(fault(&" ".repeat(limits::XML_BYTES + 1)), XmlFault::TooLarge);
}

#[test]
fn prints_what_it_means() {
    let element = Element::new("urn:x", "a")
        .with("b", "\"<&>'\t\r\n")
        .with_child(Element::new("urn:x", "c").with_text("]]> & \r\n\u{e9}"))
        .with_child(Element::new("", "d"))
        .with_child(Element::new("urn:y", "e").with_child(Element::new("urn:x", "f")));
    assert_eq!(Element::parse(element.to_string().as_bytes()).unwrap(), element);
    let text = Element::new("urn:x", "a").with_child(Element::new("urn:x", "b")).to_string();
    assert_eq!(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<a xmlns=\"urn:x\"><b/></a>\r\n");
    // What XML has no way to say.
    let text = Element::new("", "a").with_text("\0\u{b}\u{ffff}").to_string();
    assert_eq!(Element::parse(text.as_bytes()).unwrap().text(), "\u{fffd}\u{fffd}\u{fffd}");
}

#[test]
fn attribute_namespaces_stay_declared_once() {
    let document =
        r#"<a xmlns:p="urn:p" xmlns:q="urn:q" p:x="1" q:y="2" xml:lang="en"><b p:x="3"/><b q:x="3"/></a>"#;
    let a = Element::parse(document.as_bytes()).unwrap();
    let printed = a.to_string();
    assert_eq!(printed.matches("xmlns").count(), 2);
    assert_eq!(Element::parse(printed.as_bytes()).unwrap(), a);
    assert_eq!(a.language(), Some("en"));
}
