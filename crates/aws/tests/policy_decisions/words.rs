//! What decisions say.

use super::*;

#[test]
fn decisions_in_words() {
    let identity = [named("arn:aws:iam::111111111111:policy/p", Identity, &format!("[{ALLOW},{DENY}]"))];
    let context = MapContext::new();
    let request =
        |action| Request { action, resource: "*", resource_account: HERE, principal: &USER, context: &context };
    let policies = Policies { identity: &identity, ..Policies::default() };
    let words = |action| evaluate(&request(action), &policies).to_string();
    assert_eq!(
        words("ecr:PutImage"),
        "ecr:PutImage on * is denied by statement 2 (Sid No) of identity policy arn:aws:iam::111111111111:policy/p"
    );
    assert_eq!(
        words("ecr:ListImages"),
        "ecr:ListImages on * is allowed by statement 1 of identity policy arn:aws:iam::111111111111:policy/p"
    );
    assert_eq!(words("sts:TagSession"), "sts:TagSession on * is denied: no identity policy allows it");
    let root = Request { principal: &ROOT, ..request("ecr:ListImages") };
    let words = evaluate(&root, &Policies::default()).to_string();
    assert_eq!(words, "ecr:ListImages on * is allowed: an account's root user may do everything in it");
}

#[test]
fn reasons_in_the_words_of_aws() {
    let allowed = Say { identity: ALLOW, ..Say::default() };
    let trust = r#"{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"sts:AssumeRole"}"#;
    let deny_trust = r#"{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}"#;
    let table = [
        (allowed, ""),
        (Say::default(), "because no identity-based policy allows the ecr:PutImage action"),
        (Say { boundary: OTHER, ..allowed }, "because no permissions boundary allows the ecr:PutImage action"),
        (Say { session: OTHER, ..allowed }, "because no session policy allows the ecr:PutImage action"),
        (Say { endpoint: BY_ROLE, ..allowed }, "because no VPC endpoint policy allows the ecr:PutImage action"),
        (Say { trust, ..allowed }, "because no role trust policy allows the sts:AssumeRole action"),
        (Say { identity: DENY, ..allowed }, "with an explicit deny in an identity-based policy"),
        (Say { boundary: DENY, ..allowed }, "with an explicit deny in a permissions boundary"),
        (Say { session: DENY, ..allowed }, "with an explicit deny in a session policy"),
        (Say { resource: "deny", ..allowed }, "with an explicit deny in a resource-based policy"),
        (Say { registry: "deny", ..allowed }, "with an explicit deny in a resource-based policy"),
        (Say { endpoint: "deny", ..allowed }, "with an explicit deny in a VPC endpoint policy"),
        (Say { trust: deny_trust, ..allowed }, "with an explicit deny in the role trust policy"),
    ];
    for (say, words) in table {
        assert_eq!(decide(&USER, HERE, say).2, words);
    }
    let across = decide(&USER, THERE, allowed).2;
    assert_eq!(across, "because no resource-based policy allows the ecr:PutImage action");
}

#[test]
fn of_two_policies_that_grant_the_same_the_resource_is_named() {
    let grant = format!(r#"{{"Effect":"Allow","Principal":{BY_USER},"Action":"ecr:*"}}"#);
    let (resource, registry) = (named("repository", Resource, &grant), named("registry", Resource, &grant));
    let context = MapContext::new();
    let request =
        Request { action: "ecr:PutImage", resource: "*", resource_account: HERE, principal: &USER, context: &context };
    let policies = Policies { resource: Some(&resource), registry: Some(&registry), ..Policies::default() };
    let by = evaluate(&request, &policies).by.unwrap();
    assert_eq!((by.layer, by.policy), (Layer::Resource, "repository"));
}
