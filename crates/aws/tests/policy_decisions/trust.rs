//! Who may assume a role.

use super::*;

#[test]
fn a_role_is_assumed_by_whom_it_trusts() {
    let trust = |principal: &str| format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}"#);
    let assume = r#"{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}"#;
    let (by_user, by_account, everybody) = (trust(BY_USER), trust(BY_ACCOUNT), trust(EVERYBODY));
    let say = Say { trust: &by_user, ..Say::default() };
    check(&USER, HERE, say, Ok(()));
    check(&USER, HERE, Say { trust: &trust(BY_ROLE), identity: assume, ..say }, missing(Layer::Trust));
    check(&SESSION, HERE, Say { trust: &trust(BY_ROLE), ..say }, Ok(()));
    check(&USER, HERE, Say { trust: &by_account, ..say }, missing(Layer::Identity));
    check(&USER, HERE, Say { trust: &by_account, identity: assume, ..say }, Ok(()));
    check(&ROOT, HERE, Say { trust: &by_account, ..say }, Ok(()));
    check(&USER, THERE, say, missing(Layer::Identity));
    check(&USER, THERE, Say { identity: assume, ..say }, Ok(()));
    check(&USER, HERE, Say { trust: &everybody, session: OTHER, ..say }, missing(Layer::Session));
    check(&Principal::Anonymous, HERE, Say { trust: &everybody, identity: assume, ..say }, missing(Layer::Trust));
    // A role is in no registry.
    check(&USER, HERE, Say { trust: &trust(BY_ROLE), registry: BY_USER, ..say }, missing(Layer::Trust));
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}"#;
    check(&USER, HERE, Say { trust: &format!("[{by_user},{deny}]"), identity: assume, ..say }, Err(None));
    let provider = Principal::Federated { provider: "arn:aws:iam::111111111111:oidc-provider/x" };
    let federated = trust(r#"{"Federated":"arn:aws:iam::111111111111:oidc-provider/x"}"#);
    check(&provider, HERE, Say { trust: &federated, ..say }, Ok(()));
    check(&provider, HERE, Say { trust: &everybody, ..say }, missing(Layer::Trust));
}
