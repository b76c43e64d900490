//! An answer's elements, without what the protocol does not use: attributes, comments, namespaces.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::protocol::ProtocolError;

/// Elements that may be within each other.
const MAX_DEPTH: usize = 64;

/// An element: its name without prefix, the text right within it, and the elements within it.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// Reads a document. A document type is refused, so that there are no entities but those of XML itself.
    pub(super) fn parse(xml: &[u8]) -> Result<Self, ProtocolError> {
        let text = std::str::from_utf8(xml).map_err(|_| broken())?;
        let mut reader = Reader::from_str(text);
        // The first is around the document; what is open follows it.
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|_| broken())? {
                Event::Start(start) if open.len() <= MAX_DEPTH => open.push(Self::named(&start)?),
                Event::Start(_) | Event::DocType(_) => return Err(broken()),
                Event::Empty(start) => last(&mut open)?.children.push(Self::named(&start)?),
                Event::End(_) => close(&mut open)?,
                Event::Text(text) => last(&mut open)?.text += &text.xml10_content().map_err(|_| broken())?,
                Event::CData(text) => last(&mut open)?.text += &text.xml10_content().map_err(|_| broken())?,
                Event::GeneralRef(reference) => last(&mut open)?.text.push(character(&reference)?),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => return document(open),
            }
        }
    }

    fn named(start: &BytesStart<'_>) -> Result<Self, ProtocolError> {
        let name = std::str::from_utf8(start.local_name().into_inner()).map_err(|_| broken())?.to_owned();
        Ok(Self { name, ..Self::default() })
    }

    /// The first element of this name within.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All elements of this name within.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

fn broken() -> ProtocolError {
    ProtocolError::Answer("no XML that can be read".to_owned())
}

fn last(open: &mut [Element]) -> Result<&mut Element, ProtocolError> {
    open.last_mut().ok_or_else(broken)
}

fn close(open: &mut Vec<Element>) -> Result<(), ProtocolError> {
    let closed = open.pop().ok_or_else(broken)?;
    last(open)?.children.push(closed);
    Ok(())
}

fn document(mut open: Vec<Element>) -> Result<Element, ProtocolError> {
    let mut around = open.pop().filter(|_| open.is_empty()).ok_or_else(broken)?;
    let root = around.children.pop().ok_or_else(broken)?;
    if around.children.is_empty() { Ok(root) } else { Err(broken()) }
}

fn character(reference: &BytesRef<'_>) -> Result<char, ProtocolError> {
    if let Some(c) = reference.resolve_char_ref().map_err(|_| broken())? {
        return Ok(c);
    }
    match reference.decode().map_err(|_| broken())?.as_ref() {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(broken()),
    }
}
