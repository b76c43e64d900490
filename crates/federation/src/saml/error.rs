//! Why a document is refused.

/// Why metadata is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// Not XML 1.0 in UTF-8 with namespaces, or nested too deeply.
    #[error("the document is not well-formed XML in UTF-8")]
    NotXml,
    /// A DTD, which could declare entities.
    #[error("the document has a DTD")]
    Dtd,
    /// An element that is missing, stands twice or is in the wrong place.
    #[error("the document is not the metadata of one SAML 2.0 identity provider: {0}")]
    Structure(&'static str),
    /// No key that Berth verifies with.
    #[error(
        "the metadata has no signing certificate with an RSA key of 2048 to 8192 bits or an EC key on P-256 or P-384"
    )]
    NoKey,
    /// A certificate that cannot be read.
    #[error("a signing certificate of the metadata cannot be read")]
    Certificate,
    /// A time that is none.
    #[error("`{0}` is not a time in UTC")]
    Time(&'static str),
    /// The build has no SAML.
    #[error("this build of Berth has no SAML (cargo feature `saml`)")]
    NotBuilt,
}

/// Why a response is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// Longer than [`super::RESPONSE_CHARACTERS`].
    #[error("the response is longer than 100000 characters")]
    TooLong,
    /// Not base64.
    #[error("the response is not base64")]
    NotBase64,
    /// Not XML 1.0 in UTF-8 with namespaces, or nested too deeply. A compressed response is this too.
    #[error("the response is not well-formed XML in UTF-8")]
    NotXml,
    /// A DTD, which could declare entities.
    #[error("the response has a DTD")]
    Dtd,
    /// A comment, a CDATA section or a processing instruction: no provider writes them, and parsers differ about them.
    #[error("the response has {0}")]
    Markup(&'static str),
    /// Elements that are not what saml-core and Berth's profile of it have.
    #[error("the response is not one that Berth reads: {0}")]
    Structure(&'static str),
    /// Two elements with one ID.
    #[error("two elements of the response have the same ID")]
    DuplicateId,
    /// An encrypted assertion.
    #[error("the assertion is encrypted; Berth reads signed assertions that are not")]
    Encrypted,
    /// No signature where one must be.
    #[error("neither the response nor the assertion is signed")]
    Unsigned,
    /// An algorithm that is not one of RSA or ECDSA with SHA-256 or more, or a transform besides the two of SAML.
    #[error("the signature uses an algorithm that is not accepted: {0}")]
    Algorithm(&'static str),
    /// A signature that no key of the metadata made, or of other bytes.
    #[error("the signature is not one of the provider's over this content")]
    Signature,
    /// The provider reports a failure: the last part of its status code.
    #[error("the identity provider reports {0}")]
    Status(String),
    /// Another issuer.
    #[error("the issuer is not the provider's entityID")]
    Issuer,
    /// Other audiences, or none.
    #[error("the audience is not one that this service accepts")]
    Audience,
    /// No confirmation of the subject that was sent here.
    #[error("the subject is not confirmed for a recipient that this service accepts")]
    Recipient,
    /// It answers a question, and Berth asks none.
    #[error("the response has InResponseTo, but nothing was asked")]
    Answer,
    /// A time that is none.
    #[error("`{0}` is not a time in UTC")]
    Time(&'static str),
    /// Its time has not come.
    #[error("the assertion is not valid yet")]
    Early,
    /// Its time is over, or that of the metadata is.
    #[error("{0}")]
    Expired(&'static str),
    /// The build has no SAML.
    #[error("this build of Berth has no SAML (cargo feature `saml`)")]
    NotBuilt,
}
