//! From the base64 of a response to its claims.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::claims::{Claims, Expected};
use super::error::ResponseError;
use super::key::Key;
use super::xml::{self, Element, SAML, SAMLP, SIGNATURE, Twice, XmlError};
use super::{RESPONSE_CHARACTERS, assertion, signature};

const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// Judges a response.
///
/// - `response`: the base64 of a `Response` of SAML 2.0, as a browser posts it (saml-bindings 3.5); space in it is ignored
/// - `expected`: whose it must be, for whom, and when
///
/// Gives the claims of its only assertion. Nothing is fetched, and nothing is remembered: that an assertion is good once is the
/// caller's to see to, with [`Claims::assertion_id`] until [`Claims::usable_until`].
pub fn verify(response: &str, expected: &Expected<'_>) -> Result<Claims, ResponseError> {
    if response.len() > RESPONSE_CHARACTERS {
        return Err(ResponseError::TooLong);
    }
    if expected.metadata.valid_until().is_some_and(|end| end <= expected.now) {
        return Err(ResponseError::Expired("the metadata of the identity provider has expired"));
    }
    let bytes = base64(response).ok_or(ResponseError::NotBase64)?;
    let text = String::from_utf8(bytes).map_err(|_| ResponseError::NotXml)?;
    let document = xml::parse(&text)?;
    if let Some(markup) = xml::odd_markup(&document) {
        return Err(ResponseError::Markup(markup));
    }
    let root = Element::root(&document).ok_or(ResponseError::NotXml)?;
    let response = Response::read(root)?;
    response.must_have_succeeded()?;
    response.must_be_for(expected)?;
    let signed = response.signed(&expected.metadata.keys)?;
    let signed = xml::parse(&signed)?;
    let signed = Element::root(&signed).ok_or(ResponseError::NotXml)?;
    let assertion = if signed.is(SAML, "Assertion") { Some(signed) } else { signed.only(SAML, "Assertion")? };
    assertion::judge(assertion.ok_or(ResponseError::Unsigned)?, expected)
}

/// Bytes of base64 with padding, in which space (line breaks) is ignored.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let dense: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(dense).ok()
}

/// A response whose elements are where they must be; nothing of it is believed yet.
struct Response<'d, 'a> {
    root: Element<'d, 'a>,
    assertion: Element<'d, 'a>,
}

impl<'d, 'a> Response<'d, 'a> {
    fn read(root: Element<'d, 'a>) -> Result<Self, ResponseError> {
        if !root.is(SAMLP, "Response") || root.attribute("Version") != Some("2.0") {
            return Err(ResponseError::Structure("it is not a Response of SAML 2.0"));
        }
        let all = root.everything();
        unique_ids(&all)?;
        if all.iter().any(|element| element.is(SAML, "EncryptedAssertion")) {
            return Err(ResponseError::Encrypted);
        }
        // Counted in the whole document: a second assertion hidden in a signature or an extension is what wrapping attacks need.
        let assertions = all.iter().filter(|element| element.is(SAML, "Assertion")).count();
        let (1, Some(assertion)) = (assertions, root.only(SAML, "Assertion")?) else {
            return Err(ResponseError::Structure("it must hold one Assertion, directly in the Response"));
        };
        let placed = root.named(SIGNATURE, "Signature").len() + assertion.named(SIGNATURE, "Signature").len();
        let signatures = all.iter().filter(|element| element.is(SIGNATURE, "Signature")).count();
        let objects = all.iter().any(|element| element.is(SIGNATURE, "Object"));
        if placed != signatures || objects {
            return Err(ResponseError::Structure(
                "a signature stands directly in what it signs, and holds nothing else",
            ));
        }
        Ok(Self { root, assertion })
    }

    /// What an unsigned wrapping says can only lead to a refusal, never to a claim.
    fn must_have_succeeded(&self) -> Result<(), ResponseError> {
        let status = self.root.only(SAMLP, "Status")?.ok_or(ResponseError::Structure("it has no Status"))?;
        let code = status.only(SAMLP, "StatusCode")?.and_then(|code| code.attribute("Value"));
        let code = code.ok_or(ResponseError::Structure("its Status has no code"))?;
        if code != SUCCESS {
            let last = code.rsplit(':').next().unwrap_or_default();
            return Err(ResponseError::Status(last.chars().filter(char::is_ascii_alphanumeric).take(64).collect()));
        }
        if self.root.attribute("InResponseTo").is_some() { Err(ResponseError::Answer) } else { Ok(()) }
    }

    /// The wrapping names the same issuer and the same address as the assertion, where it names any (saml-bindings 3.5.5.2).
    fn must_be_for(&self, expected: &Expected<'_>) -> Result<(), ResponseError> {
        let issuer = assertion::text_of(self.root, "Issuer")?;
        if issuer.is_some_and(|issuer| issuer != expected.metadata.entity_id()) {
            return Err(ResponseError::Issuer);
        }
        let destination = self.root.attribute("Destination");
        let is_ours = |destination: &str| expected.recipients.iter().any(|ours| ours == destination);
        if destination.is_none_or(is_ours) { Ok(()) } else { Err(ResponseError::Recipient) }
    }

    /// The canonical text of what is signed: the response if it is, else its assertion. Every signature there is must be right.
    fn signed(&self, keys: &[Key]) -> Result<String, ResponseError> {
        let inner = verified(self.assertion, keys)?;
        let outer = verified(self.root, keys)?;
        outer.or(inner).ok_or(ResponseError::Unsigned)
    }
}

fn verified(element: Element<'_, '_>, keys: &[Key]) -> Result<Option<String>, ResponseError> {
    let signature = element.only(SIGNATURE, "Signature")?;
    signature.map(|signature| signature::verify(element, signature, keys)).transpose()
}

fn unique_ids(elements: &[Element<'_, '_>]) -> Result<(), ResponseError> {
    let mut seen = HashSet::new();
    let all = elements.iter().flat_map(Element::ids);
    if all.into_iter().all(|id| seen.insert(id)) { Ok(()) } else { Err(ResponseError::DuplicateId) }
}

impl From<Twice> for ResponseError {
    fn from(_: Twice) -> Self {
        Self::Structure("an element stands twice")
    }
}

impl From<XmlError> for ResponseError {
    fn from(error: XmlError) -> Self {
        match error {
            XmlError::Malformed => Self::NotXml,
            XmlError::Dtd => Self::Dtd,
        }
    }
}
