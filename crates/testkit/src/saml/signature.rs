//! Enveloped signatures, right ones and others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

use super::IdentityProvider;

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// How a signature is made. The default is what a decent provider does.
#[derive(Debug, Clone)]
pub struct Style {
    /// `URI` of the reference; `None` for the ID of the element.
    pub uri: Option<String>,
    /// Algorithm of the signature, as a URI. The key signs with ECDSA and SHA-256 whatever it says.
    pub method: String,
    /// Algorithm of the digest, as a URI: of SHA-1 the digest is really SHA-1.
    pub digest: String,
    /// The transforms, as XML in canonical form.
    pub transforms: String,
    /// `KeyInfo`, as XML in canonical form, or nothing.
    pub key_info: String,
    /// What the method of the signature holds: `HMACOutputLength`.
    pub in_method: String,
    /// More references after the first, as XML in canonical form.
    pub more_references: String,
    /// What comes after all else in the signature: an `Object`.
    pub object: String,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            uri: None,
            method: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256".to_owned(),
            digest: "http://www.w3.org/2001/04/xmlenc#sha256".to_owned(),
            transforms: format!(
                "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform>\
                 <ds:Transform Algorithm=\"{EXCLUSIVE}\"></ds:Transform>"
            ),
            key_info: String::new(),
            in_method: String::new(),
            more_references: String::new(),
            object: String::new(),
        }
    }
}

impl IdentityProvider {
    /// An element with its signature in it: behind its `Issuer`, or first where it has none.
    ///
    /// - `element`: in exclusive canonical form, with an `ID`
    pub fn signed(&self, element: &str, style: &Style) -> String {
        let signature = self.signature(element, style);
        let open = element.find('>').unwrap() + 1;
        let issuer = "</saml:Issuer>";
        let place = match element.find(issuer) {
            Some(end) if element[open..].starts_with("<saml:Issuer") => end + issuer.len(),
            _ => open,
        };
        format!("{}{signature}{}", &element[..place], &element[place..])
    }

    /// The signature over an element, apart from it.
    pub fn signature(&self, element: &str, style: &Style) -> String {
        let info = signed_info(element, style);
        let value = STANDARD.encode(self.sign(&info));
        // Inside of the signature the namespace is known; signed was the form of the element by itself.
        let info = info.replacen(" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"", "", 1);
        let Style { key_info, object, .. } = style;
        format!(
            "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{info}<ds:SignatureValue>{value}</ds:SignatureValue>\
             {key_info}{object}</ds:Signature>"
        )
    }
}

/// `SignedInfo` in the form in which it is signed.
fn signed_info(element: &str, style: &Style) -> String {
    let own = element.split("ID=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let uri = style.uri.clone().unwrap_or_else(|| format!("#{own}"));
    let algorithm = if style.digest.ends_with("#sha1") { &digest::SHA1_FOR_LEGACY_USE_ONLY } else { &digest::SHA256 };
    let hash = STANDARD.encode(digest::digest(algorithm, element.as_bytes()));
    let Style { method, digest, transforms, in_method, more_references, .. } = style;
    format!(
        "<ds:SignedInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\">\
         </ds:CanonicalizationMethod><ds:SignatureMethod Algorithm=\"{method}\">{in_method}</ds:SignatureMethod>\
         <ds:Reference URI=\"{uri}\"><ds:Transforms>{transforms}</ds:Transforms><ds:DigestMethod Algorithm=\"{digest}\">\
         </ds:DigestMethod><ds:DigestValue>{hash}</ds:DigestValue></ds:Reference>{more_references}</ds:SignedInfo>"
    )
}
