//! Metadata: who an identity provider is, and with which keys it signs.

use super::error::MetadataError;
use super::key::Key;
use super::time;
use super::xml::{self, Element, METADATA, SAMLP, SIGNATURE, Twice, XmlError};

/// More keys than any provider needs while it changes them; each costs a verification.
const MOST_KEYS: usize = 10;

/// What an administrator says of an identity provider. A signature on the document is not looked at: who uploads it vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    entity_id: String,
    valid_until: Option<i64>,
    pub(super) keys: Vec<Key>,
}

impl Metadata {
    /// Reads an `EntityDescriptor` with one `IDPSSODescriptor` for SAML 2.0 (saml-metadata-2.0, 2.3.2 and 2.4.3).
    ///
    /// - `text`: the document; its length is the caller's to bound (IAM: 1,000 to 10,000,000 characters)
    pub fn read(text: &str) -> Result<Self, MetadataError> {
        let document = xml::parse(text)?;
        let root = Element::root(&document).ok_or(MetadataError::NotXml)?;
        if !root.is(METADATA, "EntityDescriptor") {
            return Err(MetadataError::Structure("the outermost element must be EntityDescriptor"));
        }
        let entity_id = root.attribute("entityID").filter(|id| !id.is_empty() && id.len() <= 1024);
        let provider = root.only(METADATA, "IDPSSODescriptor")?.filter(speaks_saml2);
        let provider = provider.ok_or(MetadataError::Structure("it must hold one IDPSSODescriptor for SAML 2.0"))?;
        Ok(Self {
            entity_id: entity_id
                .ok_or(MetadataError::Structure("it must have an entityID of at most 1024 characters"))?
                .to_owned(),
            valid_until: valid_until(root)?.into_iter().chain(valid_until(provider)?).min(),
            keys: keys(provider)?,
        })
    }

    /// The name of the identity provider: the `Issuer` of its assertions.
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// When the document ends, in seconds since 1970, if it says so.
    pub fn valid_until(&self) -> Option<i64> {
        self.valid_until
    }
}

fn speaks_saml2(provider: &Element<'_, '_>) -> bool {
    let protocols = provider.attribute("protocolSupportEnumeration").unwrap_or_default();
    protocols.split_ascii_whitespace().any(|protocol| protocol == SAMLP)
}

fn valid_until(element: Element<'_, '_>) -> Result<Option<i64>, MetadataError> {
    let read = |text| time::seconds(text).ok_or(MetadataError::Time("validUntil"));
    element.attribute("validUntil").map(read).transpose()
}

/// The keys for signing: of descriptors for that use or for any (2.4.1.1).
fn keys(provider: Element<'_, '_>) -> Result<Vec<Key>, MetadataError> {
    let descriptors = provider.named(METADATA, "KeyDescriptor");
    let signing =
        descriptors.iter().filter(|descriptor| descriptor.attribute("use").is_none_or(|purpose| purpose == "signing"));
    let infos = signing.flat_map(|descriptor| descriptor.named(SIGNATURE, "KeyInfo"));
    let data = infos.flat_map(|info| info.named(SIGNATURE, "X509Data"));
    let certificates: Vec<_> = data.flat_map(|data| data.named(SIGNATURE, "X509Certificate")).collect();
    if certificates.len() > MOST_KEYS {
        return Err(MetadataError::Structure("it has more than 10 signing certificates"));
    }
    let read = certificates.into_iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<_> = read.into_iter().flatten().collect();
    if keys.is_empty() { Err(MetadataError::NoKey) } else { Ok(keys) }
}

fn key(certificate: Element<'_, '_>) -> Result<Option<Key>, MetadataError> {
    let der = certificate.text().and_then(|text| super::response::base64(&text));
    der.and_then(|der| Key::of_certificate(&der).ok()).ok_or(MetadataError::Certificate)
}

impl From<Twice> for MetadataError {
    fn from(_: Twice) -> Self {
        Self::Structure("an element stands twice")
    }
}

impl From<XmlError> for MetadataError {
    fn from(error: XmlError) -> Self {
        match error {
            XmlError::Malformed => Self::NotXml,
            XmlError::Dtd => Self::Dtd,
        }
    }
}
