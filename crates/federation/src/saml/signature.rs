//! XML Signature as SAML uses it (saml-core 5.4): enveloped, one reference, exclusive canonicalisation. Everything else is refused.

use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::NodeSet;
use ring::digest;

use super::error::ResponseError;
use super::key::{Algorithm, Key};
use super::xml::{self, Element, SIGNATURE};

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Verifies that one of `keys` signed `parent` with `signature`, a child of it.
///
/// Gives the canonical form of `parent` without that signature: the text that was hashed and signed. Whatever is believed must be read
/// from it. `KeyInfo` is not looked at.
pub fn verify(parent: Element<'_, '_>, signature: Element<'_, '_>, keys: &[Key]) -> Result<String, ResponseError> {
    let info = signed_info(signature, keys)?;
    let document = xml::parse(&info).map_err(|_| STRUCTURE)?;
    let reference = Reference::read(Element::root(&document).ok_or(STRUCTURE)?)?;
    let id = parent
        .attribute("ID")
        .filter(|id| !id.is_empty())
        .ok_or(ResponseError::Structure("the signed element has no ID"))?;
    if reference.uri.strip_prefix('#') != Some(id) {
        return Err(ResponseError::Structure("the signature is not of the element that carries it"));
    }
    let content = canonical(parent, Some(signature), &reference.prefixes)?;
    let hashed = digest::digest(reference.digest, content.as_bytes());
    (hashed.as_ref() == reference.value).then_some(content).ok_or(ResponseError::Signature)
}

const STRUCTURE: ResponseError = ResponseError::Structure("the parts of the signature");

/// The canonical form of `SignedInfo`, once its signature has been found to be right.
fn signed_info(signature: Element<'_, '_>, keys: &[Key]) -> Result<String, ResponseError> {
    let parts = ["SignedInfo", "SignatureValue", "KeyInfo"];
    if !signature.holds(SIGNATURE, &parts) && !signature.holds(SIGNATURE, &parts[..2]) {
        return Err(STRUCTURE);
    }
    let [info, value, ..] = signature.children()[..] else { return Err(STRUCTURE) };
    if !info.holds(SIGNATURE, &["CanonicalizationMethod", "SignatureMethod", "Reference"]) {
        return Err(ResponseError::Structure("a signature has one reference"));
    }
    let [canonicalisation, method, ..] = info.children()[..] else { return Err(STRUCTURE) };
    let text = canonical(info, None, &exclusive(canonicalisation)?)?;
    let algorithm = method.attribute("Algorithm").and_then(Algorithm::of_uri).filter(|_| method.children().is_empty());
    let algorithm =
        algorithm.ok_or(ResponseError::Algorithm("the signature must be RSA or ECDSA with SHA-256 or more"))?;
    let value = bytes(value)?;
    keys.iter().any(|key| key.made(algorithm, text.as_bytes(), &value)).then_some(text).ok_or(ResponseError::Signature)
}

struct Reference {
    uri: String,
    prefixes: Vec<String>,
    digest: &'static digest::Algorithm,
    value: Vec<u8>,
}

impl Reference {
    /// Of a `SignedInfo`.
    fn read(info: Element<'_, '_>) -> Result<Self, ResponseError> {
        let [_, _, reference] = info.children()[..] else { return Err(STRUCTURE) };
        if !reference.holds(SIGNATURE, &["Transforms", "DigestMethod", "DigestValue"]) {
            return Err(STRUCTURE);
        }
        let [transforms, method, value] = reference.children()[..] else { return Err(STRUCTURE) };
        let digest = method.attribute("Algorithm").and_then(digest_of_uri);
        Ok(Self {
            uri: reference.attribute("URI").unwrap_or_default().to_owned(),
            prefixes: transformed(transforms)?,
            digest: digest.ok_or(ResponseError::Algorithm("the digest must be SHA-256 or more"))?,
            value: bytes(value)?,
        })
    }
}

/// The transforms must be the two that saml-core 5.4.4 has, so that what is hashed is the element and nothing made from it.
fn transformed(transforms: Element<'_, '_>) -> Result<Vec<String>, ResponseError> {
    const ONLY: ResponseError =
        ResponseError::Algorithm("the transforms must be enveloped-signature and exclusive canonicalisation");
    if !transforms.holds(SIGNATURE, &["Transform", "Transform"]) {
        return Err(ONLY);
    }
    let [enveloped, canonicalised] = transforms.children()[..] else { return Err(ONLY) };
    let is_enveloped = enveloped.attribute("Algorithm") == Some(ENVELOPED) && enveloped.children().is_empty();
    if is_enveloped { exclusive(canonicalised).map_err(|_| ONLY) } else { Err(ONLY) }
}

/// The prefixes that an exclusive canonicalisation treats as inclusive; an error if it is another canonicalisation.
fn exclusive(method: Element<'_, '_>) -> Result<Vec<String>, ResponseError> {
    const ONLY: ResponseError = ResponseError::Algorithm("the canonicalisation must be exclusive and without comments");
    if method.attribute("Algorithm") != Some(EXCLUSIVE) {
        return Err(ONLY);
    }
    match method.children()[..] {
        [] => Ok(Vec::new()),
        [list] if list.is(EXCLUSIVE, "InclusiveNamespaces") => {
            let prefixes = list.attribute("PrefixList").unwrap_or_default();
            Ok(prefixes.split_ascii_whitespace().map(str::to_owned).collect())
        }
        _ => Err(ONLY),
    }
}

fn digest_of_uri(uri: &str) -> Option<&'static digest::Algorithm> {
    Some(match uri {
        "http://www.w3.org/2001/04/xmlenc#sha256" => &digest::SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => &digest::SHA384,
        "http://www.w3.org/2001/04/xmlenc#sha512" => &digest::SHA512,
        _ => return None,
    })
}

/// The exclusive canonical form of an element, without a part of it.
fn canonical(
    element: Element<'_, '_>,
    without: Option<Element<'_, '_>>,
    prefixes: &[String],
) -> Result<String, ResponseError> {
    let all = NodeSet::tree_without_comments(element.node, element.document);
    let chosen = match without {
        Some(part) => all.subtract(&NodeSet::tree_with_comments(part.node, part.document)),
        None => all,
    };
    let written = canonicalize_doc(element.document, C14nMode::Exclusive, Some(&chosen), prefixes);
    written.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(ResponseError::NotXml)
}

/// The bytes of an element with base64 in it.
fn bytes(element: Element<'_, '_>) -> Result<Vec<u8>, ResponseError> {
    element.text().and_then(|text| super::response::base64(&text)).ok_or(STRUCTURE)
}
