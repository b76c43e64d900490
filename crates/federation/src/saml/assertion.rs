//! The claims of an assertion, read from its signed text, and whether they hold here and now.

use super::claims::{Attribute, Claims, Expected};
use super::conditions::{self, Confirmed};
use super::error::ResponseError;
use super::xml::{Element, SAML};
use super::{AGE_SECONDS, LEEWAY_SECONDS, time};

/// Judges an assertion (saml-core 2.3.3; saml-profiles 4.1.4.2 and 4.1.4.3).
///
/// - `assertion`: of a document that was made from the signed bytes
pub fn judge(assertion: Element<'_, '_>, expected: &Expected<'_>) -> Result<Claims, ResponseError> {
    if assertion.attribute("Version") != Some("2.0") {
        return Err(ResponseError::Structure("the Assertion is not of SAML 2.0"));
    }
    let assertion_id = assertion.attribute("ID").filter(|id| !id.is_empty());
    let assertion_id = assertion_id.ok_or(ResponseError::Structure("the Assertion has no ID"))?.to_owned();
    let issuer = text_of(assertion, "Issuer")?.ok_or(ResponseError::Structure("the Assertion has no Issuer"))?;
    if issuer != expected.metadata.entity_id() {
        return Err(ResponseError::Issuer);
    }
    let fresh_until = fresh(assertion, expected)?;
    let (audience, conditions_until) = conditions::judge(assertion, expected)?;
    let subject = assertion.only(SAML, "Subject")?.ok_or(ResponseError::Structure("the Assertion has no Subject"))?;
    let Confirmed { recipient, until } = conditions::confirmed(subject, expected)?;
    let name = subject.only(SAML, "NameID")?.ok_or(ResponseError::Structure("the Subject has no NameID"))?;
    let name_id =
        name.text().filter(|text| !text.is_empty()).ok_or(ResponseError::Structure("the NameID is no text"))?;
    let session_until = session(assertion, expected.now)?;
    Ok(Claims {
        subject: name_id,
        subject_format: name.attribute("Format").map(str::to_owned),
        issuer,
        audience,
        recipient,
        assertion_id,
        attributes: attributes(assertion)?,
        usable_until: fresh_until.min(conditions_until.unwrap_or(i64::MAX)).min(until),
        session_until,
    })
}

/// The text of the only element of this name, if there is one.
pub fn text_of(parent: Element<'_, '_>, name: &str) -> Result<Option<String>, ResponseError> {
    Ok(parent.only(SAML, name)?.and_then(|element| element.text()))
}

/// A time that an attribute holds, in seconds since 1970.
pub fn time_of(element: Element<'_, '_>, name: &'static str) -> Result<Option<i64>, ResponseError> {
    let read = |text| time::seconds(text).ok_or(ResponseError::Time(name));
    element.attribute(name).map(read).transpose()
}

/// Until when it is young enough.
fn fresh(assertion: Element<'_, '_>, expected: &Expected<'_>) -> Result<i64, ResponseError> {
    let issued =
        time_of(assertion, "IssueInstant")?.ok_or(ResponseError::Structure("the Assertion has no IssueInstant"))?;
    if issued > expected.now.saturating_add(LEEWAY_SECONDS) {
        return Err(ResponseError::Early);
    }
    let until = issued.saturating_add(AGE_SECONDS + LEEWAY_SECONDS);
    (expected.now < until)
        .then_some(until)
        .ok_or(ResponseError::Expired("Token must be redeemed within 5 minutes of issuance"))
}

/// The earliest end of the provider's own sessions, none of which may be over.
fn session(assertion: Element<'_, '_>, now: i64) -> Result<Option<i64>, ResponseError> {
    let statements = assertion.named(SAML, "AuthnStatement");
    if statements.is_empty() {
        return Err(ResponseError::Structure("the Assertion has no AuthnStatement"));
    }
    let mut earliest = None;
    for statement in statements {
        let end = time_of(statement, "SessionNotOnOrAfter")?;
        if end.is_some_and(|end| end <= now) {
            return Err(ResponseError::Expired("the session at the identity provider is over"));
        }
        earliest = earliest.into_iter().chain(end).min();
    }
    Ok(earliest)
}

fn attributes(assertion: Element<'_, '_>) -> Result<Vec<Attribute>, ResponseError> {
    let statements = assertion.named(SAML, "AttributeStatement");
    let all = statements.iter().flat_map(|statement| statement.named(SAML, "Attribute"));
    all.map(|attribute| {
        let name = attribute.attribute("Name").ok_or(ResponseError::Structure("an Attribute has no Name"))?;
        let values = attribute.named(SAML, "AttributeValue").iter().filter_map(Element::text).collect();
        Ok(Attribute { name: name.to_owned(), values })
    })
    .collect()
}
