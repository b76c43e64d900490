//! For whom and for how long an assertion was made.

use super::LEEWAY_SECONDS;
use super::assertion::time_of;
use super::claims::Expected;
use super::error::ResponseError;
use super::xml::{Element, SAML};

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/// The accepted audience that `Conditions` names, and until when they hold (leeway counted in). Source: saml-core 2.5.
pub fn judge(assertion: Element<'_, '_>, expected: &Expected<'_>) -> Result<(String, Option<i64>), ResponseError> {
    let conditions = assertion.only(SAML, "Conditions")?.ok_or(ResponseError::Audience)?;
    let until = window(conditions, expected.now)?;
    let known = ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"];
    // A condition that is not understood makes an assertion neither valid nor invalid (2.5.1.1), so that it is refused.
    if !conditions.children().iter().all(|condition| known.iter().any(|name| condition.is(SAML, name))) {
        return Err(ResponseError::Structure("a condition that is not understood"));
    }
    let restrictions = conditions.named(SAML, "AudienceRestriction");
    let mut named = None;
    for restriction in restrictions {
        let audiences: Vec<_> = restriction.named(SAML, "Audience").iter().filter_map(Element::text).collect();
        let ours = audiences.into_iter().find(|audience| expected.audiences.contains(audience));
        named = Some(ours.ok_or(ResponseError::Audience)?);
    }
    Ok((named.ok_or(ResponseError::Audience)?, until))
}

/// Whether now is between the times that an element has. Gives its end with the leeway.
fn window(element: Element<'_, '_>, now: i64) -> Result<Option<i64>, ResponseError> {
    if time_of(element, "NotBefore")?.is_some_and(|start| start > now.saturating_add(LEEWAY_SECONDS)) {
        return Err(ResponseError::Early);
    }
    let end = time_of(element, "NotOnOrAfter")?.map(|end| end.saturating_add(LEEWAY_SECONDS));
    if end.is_some_and(|end| end <= now) { Err(ResponseError::Expired("the assertion has expired")) } else { Ok(end) }
}

/// How a subject was confirmed.
pub struct Confirmed {
    /// Where the assertion was sent.
    pub recipient: String,
    /// Until when any of the confirmations would do, leeway counted in.
    pub until: i64,
}

/// The bearer confirmation of a subject that holds here and now (saml-profiles 4.1.4.2): the error is that of the last that does not.
pub fn confirmed(subject: Element<'_, '_>, expected: &Expected<'_>) -> Result<Confirmed, ResponseError> {
    let mut found: Option<Confirmed> = None;
    let mut refusal = ResponseError::Recipient;
    for confirmation in subject.named(SAML, "SubjectConfirmation") {
        match bearer(confirmation, expected) {
            Ok(next) => {
                let until = found.as_ref().map_or(next.until, |before| before.until.max(next.until));
                let recipient = found.map_or(next.recipient, |before| before.recipient);
                found = Some(Confirmed { recipient, until });
            }
            Err(ResponseError::Answer) => return Err(ResponseError::Answer),
            Err(error) => refusal = error,
        }
    }
    found.ok_or(refusal)
}

fn bearer(confirmation: Element<'_, '_>, expected: &Expected<'_>) -> Result<Confirmed, ResponseError> {
    if confirmation.attribute("Method") != Some(BEARER) {
        return Err(ResponseError::Recipient);
    }
    let data = confirmation.only(SAML, "SubjectConfirmationData")?.ok_or(ResponseError::Recipient)?;
    if data.attribute("InResponseTo").is_some() {
        return Err(ResponseError::Answer);
    }
    let recipient = data.attribute("Recipient").unwrap_or_default();
    if !expected.recipients.iter().any(|ours| ours == recipient) {
        return Err(ResponseError::Recipient);
    }
    let until = window(data, expected.now)?
        .ok_or(ResponseError::Structure("the confirmation of the Subject has no NotOnOrAfter"))?;
    Ok(Confirmed { recipient: recipient.to_owned(), until })
}
