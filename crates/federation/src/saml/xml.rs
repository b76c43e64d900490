//! XML, read strictly: a thin view of the parser's document that answers only what SAML asks.

use uppsala::{Document, NodeId, NodeKind, Parser};

pub const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
pub const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";

/// Real documents nest to about 12; the parser's own default is ten times this.
const DEPTH: u32 = 40;

/// Why a text is no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XmlError {
    Malformed,
    Dtd,
}

/// Reads a document: no DTD (so no entities besides XML's five), UTF-8, bounded depth.
pub fn parse(text: &str) -> Result<Document<'_>, XmlError> {
    let parser = Parser::new()
        .with_forbid_dtd(true)
        .with_forbid_entities(true)
        .with_max_depth(DEPTH)
        .with_max_entity_expansion(0);
    let Ok(document) = parser.parse(text) else { return Err(refusal(text)) };
    let declared = document.xml_declaration.as_ref();
    let encoding = declared.and_then(|declaration| declaration.encoding.as_deref()).unwrap_or("UTF-8");
    let version = declared.map_or("1.0", |declaration| &declaration.version);
    (encoding.eq_ignore_ascii_case("UTF-8") && version == "1.0").then_some(document).ok_or(XmlError::Malformed)
}

/// Tells of a DTD by name, because that is an attack or a provider set up wrongly, and not a cut document.
fn refusal(text: &str) -> XmlError {
    if text.contains("<!DOCTYPE") { XmlError::Dtd } else { XmlError::Malformed }
}

/// The first of what a response has no use for, and about which parsers differ.
pub fn odd_markup(document: &Document<'_>) -> Option<&'static str> {
    let all = document.descendants(document.root());
    all.into_iter().find_map(|node| match document.node_kind(node) {
        Some(NodeKind::Comment(_)) => Some("a comment"),
        Some(NodeKind::CData(_)) => Some("a CDATA section"),
        Some(NodeKind::ProcessingInstruction(_)) => Some("a processing instruction"),
        _ => None,
    })
}

/// An element of a document.
#[derive(Clone, Copy)]
pub struct Element<'d, 'a> {
    pub document: &'d Document<'a>,
    pub node: NodeId,
}

/// Two elements where one may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Twice;

impl<'d, 'a> Element<'d, 'a> {
    /// The outermost element.
    pub fn root(document: &'d Document<'a>) -> Option<Self> {
        document.document_element().map(|node| Self { document, node })
    }

    fn data(&self) -> Option<&'d uppsala::Element<'a>> {
        self.document.element(self.node)
    }

    /// Whether it has this name in this namespace.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.data().is_some_and(|element| element.name.matches(Some(namespace), name))
    }

    /// The value of an attribute that is in no namespace.
    pub fn attribute(&self, name: &str) -> Option<&'d str> {
        let attributes = &self.data()?.attributes;
        attributes.iter().find(|attribute| attribute.name.matches(None, name)).map(|attribute| &*attribute.value)
    }

    /// Everything that some parser could take for an ID of it: `ID`, `Id`, `id`, `xml:id`.
    pub fn ids(&self) -> impl Iterator<Item = &'d str> {
        let attributes = self.data().map_or(&[][..], |element| &element.attributes[..]);
        let named = attributes.iter().filter(|attribute| attribute.name.local_name.eq_ignore_ascii_case("id"));
        named.map(|attribute| &*attribute.value)
    }

    /// The elements directly in it.
    pub fn children(&self) -> Vec<Self> {
        let nodes = self.document.children_iter(self.node);
        nodes.filter(|node| self.document.element(*node).is_some()).map(|node| Self { node, ..*self }).collect()
    }

    /// All elements in it, at any depth, and itself.
    pub fn everything(&self) -> Vec<Self> {
        let below = self.document.descendants(self.node).into_iter().filter(|node| *node != self.node);
        let nodes = std::iter::once(self.node).chain(below);
        nodes.filter(|node| self.document.element(*node).is_some()).map(|node| Self { node, ..*self }).collect()
    }

    /// The elements of this name directly in it.
    pub fn named(&self, namespace: &str, name: &str) -> Vec<Self> {
        self.children().into_iter().filter(|child| child.is(namespace, name)).collect()
    }

    /// The only element of this name directly in it, if there is one.
    pub fn only(&self, namespace: &str, name: &str) -> Result<Option<Self>, Twice> {
        let found = self.named(namespace, name);
        (found.len() <= 1).then(|| found.first().copied()).ok_or(Twice)
    }

    /// Its text without space around it; `None` where it holds elements too.
    ///
    /// All pieces of text count, so that nothing that a parser drops in between can cut it short.
    pub fn text(&self) -> Option<String> {
        let mut text = String::new();
        for node in self.document.children_iter(self.node) {
            match self.document.node_kind(node) {
                Some(NodeKind::Text(piece) | NodeKind::CData(piece)) => text.push_str(piece),
                Some(NodeKind::Element(_)) => return None,
                _ => {}
            }
        }
        Some(text.trim_matches([' ', '\t', '\r', '\n']).to_owned())
    }

    /// Whether these are the elements directly in it, by name and in this order. All are in `namespace`.
    pub fn holds(&self, namespace: &str, names: &[&str]) -> bool {
        let children = self.children();
        children.len() == names.len() && children.iter().zip(names).all(|(child, name)| child.is(namespace, name))
    }
}
