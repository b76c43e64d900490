//! Responses and assertions, written in exclusive canonical form.

use std::fmt::Write as _;

use super::{AUDIENCE, RECIPIENT};
use crate::aws::iso_of;

const ATTRIBUTES: &str = "https://aws.amazon.com/SAML/Attributes/";

/// An attribute of an assertion.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Its `Name`.
    pub name: String,
    /// Its values.
    pub values: Vec<String>,
}

/// What a response says. All of it can be changed before it is signed.
#[derive(Debug, Clone)]
pub struct Response {
    /// `ID` of the assertion; the response's is this with `-response` behind.
    pub id: String,
    /// `NameID`, written as it stands: markup in it is markup.
    pub subject: String,
    /// `Format` of the `NameID`.
    pub format: String,
    /// Attributes.
    pub attributes: Vec<Attribute>,
    /// When it was issued, in seconds since 1970.
    pub issued: i64,
    /// `NotBefore` and `NotOnOrAfter` of the conditions.
    pub window: (i64, i64),
    /// `NotOnOrAfter` of the confirmation.
    pub confirmed_until: i64,
    /// `Audience`.
    pub audience: String,
    /// `Recipient` of the confirmation.
    pub recipient: String,
    /// `InResponseTo` of the confirmation.
    pub answers: Option<String>,
    /// `SessionNotOnOrAfter`.
    pub session_until: Option<i64>,
    /// `Issuer` of the assertion where it is not the provider's entityID.
    pub issuer: Option<String>,
    /// The last part of the status code.
    pub status: String,
    /// What stands in the response before the status, written as it is.
    pub before_status: String,
}

impl Response {
    /// A response for AWS that is good for the next minutes.
    ///
    /// - `pairs`: the values of the attribute `Role`, each `ROLE-ARN,PROVIDER-ARN`
    pub fn new(subject: &str, pairs: &[&str], now: i64) -> Self {
        Self {
            id: format!("_{}", hex::encode(crate::Random::seeded(seed()).bytes(16))),
            subject: subject.to_owned(),
            format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned(),
            attributes: vec![attribute("Role", pairs), attribute("RoleSessionName", &[subject])],
            issued: now,
            window: (now - 5, now + 300),
            confirmed_until: now + 300,
            audience: AUDIENCE.to_owned(),
            recipient: RECIPIENT.to_owned(),
            answers: None,
            session_until: None,
            issuer: None,
            status: "Success".to_owned(),
            before_status: String::new(),
        }
    }

    /// With one more attribute, whose name begins with AWS's prefix.
    pub fn with(mut self, name: &str, values: &[&str]) -> Self {
        self.attributes.push(attribute(name, values));
        self
    }

    /// With one more attribute, by its whole name.
    pub fn with_plain(mut self, name: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        self.attributes.push(Attribute { name: name.to_owned(), values });
        self
    }

    /// The assertion, unsigned.
    pub fn assertion(&self, entity_id: &str) -> String {
        let Self { id, subject, format, audience, recipient, .. } = self;
        let from = self.issuer.as_deref().unwrap_or(entity_id);
        let answers = self.answers.as_ref().map(|id| format!(" InResponseTo=\"{id}\"")).unwrap_or_default();
        let session =
            self.session_until.map(|end| format!(" SessionNotOnOrAfter=\"{}\"", time(end))).unwrap_or_default();
        let (issued, confirmed) = (time(self.issued), time(self.confirmed_until));
        let (start, end) = (time(self.window.0), time(self.window.1));
        let attributes = self.statement();
        format!(
            "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{id}\" IssueInstant=\"{issued}\" Version=\"2.0\">\
             <saml:Issuer>{from}</saml:Issuer>\
             <saml:Subject><saml:NameID Format=\"{format}\">{subject}</saml:NameID>\
             <saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
             <saml:SubjectConfirmationData{answers} NotOnOrAfter=\"{confirmed}\" Recipient=\"{recipient}\"></saml:SubjectConfirmationData>\
             </saml:SubjectConfirmation></saml:Subject>\
             <saml:Conditions NotBefore=\"{start}\" NotOnOrAfter=\"{end}\"><saml:AudienceRestriction>\
             <saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
             <saml:AuthnStatement AuthnInstant=\"{issued}\"{session}><saml:AuthnContext><saml:AuthnContextClassRef>\
             urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>\
             {attributes}</saml:Assertion>"
        )
    }

    fn statement(&self) -> String {
        let mut text = "<saml:AttributeStatement>".to_owned();
        for Attribute { name, values } in &self.attributes {
            write!(text, "<saml:Attribute Name=\"{name}\">").unwrap();
            for value in values {
                write!(text, "<saml:AttributeValue>{value}</saml:AttributeValue>").unwrap();
            }
            text.push_str("</saml:Attribute>");
        }
        text + "</saml:AttributeStatement>"
    }

    /// The response around an assertion (or around whatever else).
    pub fn write(&self, assertion: &str) -> String {
        let Self { id, status, before_status, .. } = self;
        let issued = time(self.issued);
        format!(
            "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"{id}-response\" IssueInstant=\"{issued}\" \
             Version=\"2.0\">{before_status}<samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:{status}\">\
             </samlp:StatusCode></samlp:Status>{assertion}</samlp:Response>"
        )
    }
}

fn attribute(name: &str, values: &[&str]) -> Attribute {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Attribute { name: format!("{ATTRIBUTES}{name}"), values }
}

/// `2026-03-01T12:00:00Z`.
fn time(moment: i64) -> String {
    let compact = iso_of(moment);
    let (date, clock) = (&compact[..8], &compact[9..15]);
    format!("{}-{}-{}T{}:{}:{}Z", &date[..4], &date[4..6], &date[6..], &clock[..2], &clock[2..4], &clock[4..])
}

/// IDs of assertions must differ, and nothing else about them matters.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
