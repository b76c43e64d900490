//! Responses and metadata of SAML, right ones and those of attackers, with a test identity provider that shares no code with the reader.
#![allow(clippy::type_complexity, clippy::assigning_clones, clippy::format_collect, reason = "tables of tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(feature = "saml")]

mod accepted;
mod attacks;
mod metadata;
mod other_parsers;
mod rules;

use berth_federation::saml::{Claims, Expected, Metadata, ResponseError, verify};
use berth_testkit::saml::{AUDIENCE, IdentityProvider, RECIPIENT, Response};

/// 2026-03-01T12:00:00Z.
const NOW: i64 = 1_772_366_400;
const ENTITY: &str = "https://idp.example/metadata";

fn provider() -> IdentityProvider {
    IdentityProvider::new(ENTITY)
}

fn response() -> Response {
    Response::new(
        "alice@example.com",
        &["arn:aws:iam::111122223333:role/ci,arn:aws:iam::111122223333:saml-provider/corp"],
        NOW,
    )
}

fn judged(provider: &IdentityProvider, response: &str) -> Result<Claims, ResponseError> {
    judged_at(provider, response, NOW)
}

fn judged_at(provider: &IdentityProvider, response: &str, now: i64) -> Result<Claims, ResponseError> {
    let metadata = Metadata::read(&provider.metadata()).unwrap();
    let (audiences, recipients) = ([AUDIENCE.to_owned()], [RECIPIENT.to_owned()]);
    verify(response, &Expected { metadata: &metadata, audiences: &audiences, recipients: &recipients, now })
}
