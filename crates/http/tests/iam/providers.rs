//! Providers of identity.

use berth_testkit::saml::IdentityProvider;
use serde_json::json;

use crate::door::{Door, texts};

const ISSUER: &str = "arn:aws:iam::000000000000:oidc-provider/issuer.example.org/team";
const SAML: &str = "arn:aws:iam::000000000000:saml-provider/company";

pub async fn issuers(door: &Door) {
    let made = [
        ("Url", "https://issuer.example.org/team"),
        ("ClientIDList.member.1", "sts.amazonaws.com"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "a"),
    ];
    let answer = door.ok("CreateOpenIDConnectProvider", &made).await;
    assert_eq!((&answer["OpenIDConnectProviderArn"], &answer["Tags"][0]["Key"]), (&json!(ISSUER), &json!("team")));
    assert_eq!(door.no("CreateOpenIDConnectProvider", &made).await.1, "EntityAlreadyExists");
    let named = ("OpenIDConnectProviderArn", ISSUER);
    door.ok("AddClientIDToOpenIDConnectProvider", &[named, ("ClientID", "another")]).await;
    door.ok("RemoveClientIDFromOpenIDConnectProvider", &[named, ("ClientID", "sts.amazonaws.com")]).await;
    let thumbprint = "a".repeat(40);
    let parameters = [named, ("ThumbprintList.member.1", thumbprint.as_str())];
    door.ok("UpdateOpenIDConnectProviderThumbprint", &parameters).await;
    door.ok("TagOpenIDConnectProvider", &[named, ("Tags.member.1.Key", "x"), ("Tags.member.1.Value", "y")]).await;
    door.ok("UntagOpenIDConnectProvider", &[named, ("TagKeys.member.1", "team")]).await;
    let tags = door.ok("ListOpenIDConnectProviderTags", &[named]).await["Tags"].clone();
    assert_eq!(tags, json!([{ "Key": "x", "Value": "y" }]));
    let provider = door.ok("GetOpenIDConnectProvider", &[named]).await;
    assert_eq!(provider["Url"], "issuer.example.org/team");
    assert_eq!(provider["ClientIDList"], json!(["another"]));
    assert_eq!(provider["ThumbprintList"], json!([thumbprint]));
    let listed = door.ok("ListOpenIDConnectProviders", &[]).await["OpenIDConnectProviderList"].clone();
    assert_eq!(texts(&listed, "Arn"), [ISSUER]);
    door.ok("DeleteOpenIDConnectProvider", &[named]).await;
    assert_eq!(door.no("GetOpenIDConnectProvider", &[named]).await.1, "NoSuchEntity");
}

pub async fn saml(door: &Door) {
    let metadata = IdentityProvider::new("https://idp.example.org/one").metadata();
    let other = IdentityProvider::new("https://idp.example.org/two").metadata();
    let made = [("Name", "company"), ("SAMLMetadataDocument", metadata.as_str())];
    assert_eq!(door.ok("CreateSAMLProvider", &made).await["SAMLProviderArn"], SAML);
    assert_eq!(door.no("CreateSAMLProvider", &made).await.1, "EntityAlreadyExists");
    let named = ("SAMLProviderArn", SAML);
    let wrong = "x".repeat(1_000);
    assert_eq!(door.no("UpdateSAMLProvider", &[named, ("SAMLMetadataDocument", &wrong)]).await.1, "InvalidInput");
    door.ok("UpdateSAMLProvider", &[named, ("SAMLMetadataDocument", &other)]).await;
    door.ok("TagSAMLProvider", &[named, ("Tags.member.1.Key", "x"), ("Tags.member.1.Value", "y")]).await;
    let tags = door.ok("ListSAMLProviderTags", &[named]).await["Tags"].clone();
    assert_eq!(tags, json!([{ "Key": "x", "Value": "y" }]));
    door.ok("UntagSAMLProvider", &[named, ("TagKeys.member.1", "x")]).await;
    let provider = door.ok("GetSAMLProvider", &[named]).await;
    assert_eq!(provider["SAMLMetadataDocument"], other);
    let listed = door.ok("ListSAMLProviders", &[]).await["SAMLProviderList"].clone();
    assert_eq!(texts(&listed, "Arn"), [SAML]);
    door.ok("DeleteSAMLProvider", &[named]).await;
    assert_eq!(door.no("GetSAMLProvider", &[named]).await.1, "NoSuchEntity");
}
