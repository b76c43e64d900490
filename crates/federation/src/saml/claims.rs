//! What a response must say, and what it said.

use super::Metadata;

/// What a response is held against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Whose response it must be.
    pub metadata: &'a Metadata,
    /// The audiences that are this service; one of them must be named.
    pub audiences: &'a [String],
    /// The addresses that are this service; the response must have been sent to one of them.
    pub recipients: &'a [String],
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// An attribute of an assertion, in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// `Name`, a URI mostly: `https://aws.amazon.com/SAML/Attributes/Role`.
    pub name: String,
    /// The texts of its values, without space around them. A value that is no text (an element) is left out.
    pub values: Vec<String>,
}

/// What a verified response says. Everything was read from the bytes that the identity provider signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `NameID` of the subject.
    pub subject: String,
    /// `Format` of the `NameID`, a URI, if it has one.
    pub subject_format: Option<String>,
    /// `Issuer` of the assertion: the `entityID` of the metadata.
    pub issuer: String,
    /// Which of the expected audiences it names.
    pub audience: String,
    /// Which of the expected recipients it was sent to.
    pub recipient: String,
    /// `ID` of the assertion.
    pub assertion_id: String,
    /// All attributes.
    pub attributes: Vec<Attribute>,
    /// From when on it is refused in any case, in seconds since 1970: so long its id must be remembered.
    pub usable_until: i64,
    /// `SessionNotOnOrAfter`, in seconds since 1970: when a session that rests on it must end.
    pub session_until: Option<i64>,
}

impl Claims {
    /// The values of all attributes of this name, in their order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.attributes.iter().filter(move |attribute| attribute.name == name);
        named.flat_map(|attribute| attribute.values.iter().map(String::as_str))
    }
}
