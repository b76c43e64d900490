//! A66: for whom, for how long and on whose word.

use berth_federation::saml::{Expected, Metadata, ResponseError, verify};
use berth_testkit::saml::{AUDIENCE, RECIPIENT, Response, encode, swapped};

use super::{NOW, judged, judged_at, provider, response};

/// What a response says otherwise, by the name of what is wrong with it.
fn changed(change: &str) -> Response {
    let mut response = response();
    match change {
        "audience" => response.audience = "urn:other".to_owned(),
        "recipient" => response.recipient = "https://signin.aws.amazon.com/saml/other".to_owned(),
        "answer" => response.answers = Some("_question".to_owned()),
        "issuer" => response.issuer = Some("https://other.example".to_owned()),
        "status" => response.status = "Responder".to_owned(),
        "conditions over" => response.window.1 = NOW - 60,
        "conditions early" => response.window.0 = NOW + 61,
        "confirmation over" => response.confirmed_until = NOW - 60,
        "old" => response.issued = NOW - 360,
        "of tomorrow" => response.issued = NOW + 61,
        "session over" => response.session_until = Some(NOW),
        other => panic!("{other}"),
    }
    response
}

#[test]
fn a66_each_claim_must_hold() {
    let provider = provider();
    let expired = |error: &ResponseError| matches!(error, ResponseError::Expired(_));
    let is = |expected: ResponseError| move |error: &ResponseError| *error == expected;
    let cases: [(&str, Box<dyn Fn(&ResponseError) -> bool>); 11] = [
        ("audience", Box::new(is(ResponseError::Audience))),
        ("recipient", Box::new(is(ResponseError::Recipient))),
        ("answer", Box::new(is(ResponseError::Answer))),
        ("issuer", Box::new(is(ResponseError::Issuer))),
        ("status", Box::new(is(ResponseError::Status("Responder".to_owned())))),
        ("conditions over", Box::new(expired)),
        ("conditions early", Box::new(is(ResponseError::Early))),
        ("confirmation over", Box::new(expired)),
        ("old", Box::new(expired)),
        ("of tomorrow", Box::new(is(ResponseError::Early))),
        ("session over", Box::new(expired)),
    ];
    for (change, is_expected) in cases {
        let refusal = judged(&provider, &provider.respond(&changed(change))).expect_err(change);
        assert!(is_expected(&refusal), "{change}: {refusal:?}");
    }
}

#[test]
fn a66_times_end_where_they_say() {
    let (provider, response) = (provider(), response());
    let text = provider.respond(&response);
    for (now, holds) in [
        (NOW - 66, false),
        (NOW - 60, true),
        (NOW + 359, true),
        (NOW + 360, false),
        (i64::MAX, false),
        (i64::MIN, false),
    ] {
        assert_eq!(judged_at(&provider, &text, now).is_ok(), holds, "{}", now.saturating_sub(NOW));
    }
    let claims =
        judged(&provider, &provider.respond(&Response { session_until: Some(NOW + 600), ..response })).unwrap();
    assert_eq!(claims.session_until, Some(NOW + 600));
}

#[test]
fn a66_the_wrapping_is_judged_though_it_is_not_signed() {
    let (provider, response) = (provider(), response());
    let right = response.write(&provider.assert(&response));
    for (more, expected) in [
        ("InResponseTo=\"_question\"", ResponseError::Answer),
        ("Destination=\"https://other.example/saml\"", ResponseError::Recipient),
    ] {
        let text = swapped(&right, " Version=\"2.0\">", &format!(" {more} Version=\"2.0\">"));
        assert_eq!(judged(&provider, &encode(&text)), Err(expected), "{more}");
    }
    let issuer = "<saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">other</saml:Issuer>";
    let other = Response { before_status: issuer.to_owned(), ..response.clone() };
    assert_eq!(judged(&provider, &provider.respond(&other)), Err(ResponseError::Issuer));
}

#[test]
fn each_element_must_be_there_and_understood() {
    let provider = provider();
    let plain = response().assertion(&provider.entity_id);
    let cut = |from: &str, to: &str| {
        let (start, end) = (plain.find(from).unwrap(), plain.find(to).unwrap() + to.len());
        format!("{}{}", &plain[..start], &plain[end..])
    };
    let cases = [
        ("no audience", cut("<saml:AudienceRestriction>", "</saml:AudienceRestriction>")),
        ("no conditions", cut("<saml:Conditions ", "</saml:Conditions>")),
        ("no confirmation", cut("<saml:SubjectConfirmation ", "</saml:SubjectConfirmation>")),
        ("no subject", cut("<saml:Subject>", "</saml:Subject>")),
        ("no name", cut("<saml:NameID ", "</saml:NameID>")),
        ("no statement of a log-in", cut("<saml:AuthnStatement ", "</saml:AuthnStatement>")),
        ("no issuer", cut("<saml:Issuer>", "</saml:Issuer>")),
        ("an empty name", swapped(&plain, ">alice@example.com</saml:NameID>", "></saml:NameID>")),
        (
            "an element as a name",
            swapped(&plain, ">alice@example.com</saml:NameID>", ">alice<saml:x></saml:x></saml:NameID>"),
        ),
        (
            "two names",
            swapped(&plain, "<saml:SubjectConfirmation ", "<saml:NameID>eve</saml:NameID><saml:SubjectConfirmation "),
        ),
        ("another method", swapped(&plain, "cm:bearer", "cm:sender-vouches")),
        (
            "an unknown condition",
            swapped(&plain, "</saml:Conditions>", "<saml:Condition></saml:Condition></saml:Conditions>"),
        ),
        ("a time that is none", swapped(&plain, "NotBefore=\"2026", "NotBefore=\"x026")),
        ("no end of the confirmation", {
            let end = plain.find(" NotOnOrAfter=").unwrap();
            format!("{}{}", &plain[..end], &plain[end + " NotOnOrAfter=\"2026-03-01T12:05:00Z\"".len()..])
        }),
        (
            "two restrictions of which one is another's",
            swapped(
                &plain,
                "</saml:Conditions>",
                "<saml:AudienceRestriction><saml:Audience>other</saml:Audience></saml:AudienceRestriction></saml:Conditions>",
            ),
        ),
        ("SAML 1", swapped(&plain, "Version=\"2.0\"", "Version=\"1.1\"")),
    ];
    for (name, assertion) in cases {
        let signed = provider.signed(&assertion, &berth_testkit::saml::Style::default());
        let refusal = judged(&provider, &encode(&response().write(&signed))).expect_err(name);
        assert_ne!(refusal, ResponseError::Signature, "{name}");
    }
}

#[test]
fn the_metadata_may_be_over() {
    let provider = provider();
    let metadata = Metadata::read(&provider.metadata_with(" validUntil=\"2026-03-01T12:00:00Z\"")).unwrap();
    let (audiences, recipients) = ([AUDIENCE.to_owned()], [RECIPIENT.to_owned()]);
    let text = provider.respond(&response());
    let at =
        |now| verify(&text, &Expected { metadata: &metadata, audiences: &audiences, recipients: &recipients, now });
    assert!(at(NOW - 1).is_ok());
    assert!(matches!(at(NOW), Err(ResponseError::Expired(_))));
}
