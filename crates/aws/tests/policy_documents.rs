//! Which documents are policies, and what is said about those that are none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use berth_aws::policy::PolicyKind::{Identity, Resource, Trust};
use berth_aws::policy::{Effect, Policy, PolicyError, PolicyKind, Version, significant_length};

const LIMIT: usize = 20_480;

fn error(text: &str, kind: PolicyKind) -> String {
    match Policy::parse(text, kind, LIMIT) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

/// A document of one statement with these members.
fn statement(members: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{{members}}}]}}"#)
}

#[test]
fn policies_of_every_kind_are_read() {
    let table = [
        (Identity, r#""Effect":"Allow","Action":"*","Resource":"*""#),
        (
            Identity,
            r#""Sid":"A1","Effect":"Deny","NotAction":["ecr:Get*","iam:*"],"NotResource":["arn:aws:ecr:*:*:*"]"#,
        ),
        (Identity, r#""Effect":"Allow","Action":"*:*","Resource":"arn:aws:ecr","Condition":{}"#),
        (Identity, r#""Sid":"","Effect":"Allow","Action":"execute-api:Invoke","Resource":"**""#),
        (Resource, r#""Sid":"any text: ü","Effect":"Allow","Principal":"*","Action":"ecr:*""#),
        (Resource, r#""Effect":"Allow","Principal":{"AWS":["*","111122223333"]},"Action":"ecr:*","Resource":"*""#),
        (Resource, r#""Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/a/b"},"Action":"ecr:*""#),
        (
            Resource,
            r#""Effect":"Allow","Principal":{"Service":"x.amazonaws.com","CanonicalUser":"79a5"},"Action":"ecr:*""#,
        ),
        (Trust, r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole""#),
        (
            Trust,
            r#""Effect":"Allow","Principal":{"Federated":"accounts.google.com"},"Action":"sts:AssumeRoleWithWebIdentity""#,
        ),
        (
            Trust,
            r#""Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["STS:assumerole","sts:TagSession","sts:*"]"#,
        ),
    ];
    for (kind, members) in table {
        assert_eq!(error(&statement(members), kind), "", "{members}");
    }
}

#[test]
fn what_statements_lack_or_should_not_have() {
    let aws = r#""Principal":{"AWS":"111122223333"}"#;
    let table = [
        (Identity, r#""Effect":"Allow","Resource":"*""#, "Policy statement must contain actions."),
        (Identity, r#""Effect":"Allow","Action":[],"Resource":"*""#, "Policy statement must contain actions."),
        (Identity, r#""Effect":"Allow","Action":1,"Resource":"*""#, "Policy statement must contain actions."),
        (
            Identity,
            r#""Effect":"Allow","Action":"*","NotAction":"*","Resource":"*""#,
            "Policy statement must contain actions.",
        ),
        (Identity, r#""Effect":"Allow","Action":"*""#, "Policy statement must contain resources."),
        (Identity, r#""Effect":"Allow","Action":"*","Resource":[]"#, "Policy statement must contain resources."),
        (
            Identity,
            r#""Effect":"Allow","Action":"*","Resource":"*","NotResource":"*""#,
            "Policy statement must contain resources.",
        ),
        (
            Identity,
            r#""Effect":"Allow","Action":"*","Resource":"*","Principal":"*""#,
            "Policy document should not specify a principal.",
        ),
        (
            Identity,
            r#""Effect":"allow","Action":"*","Resource":"*""#,
            "Syntax errors in policy: Effect is neither Allow nor Deny.",
        ),
        (Identity, r#""Action":"*","Resource":"*""#, "Syntax errors in policy: Effect is neither Allow nor Deny."),
        (
            Identity,
            r#""Effect":"Allow","Action":"*","Resource":"*","Sid":1"#,
            "Syntax errors in policy: Sid is no text.",
        ),
        (
            Identity,
            r#""Effect":"Allow","Actions":"*","Resource":"*""#,
            "Syntax errors in policy: a statement has an unknown member \"Actions\".",
        ),
        (
            Identity,
            r#""Effect":"Allow","Action":"*","Resource":"repository/x""#,
            "Resource repository/x must be in ARN format or \"*\".",
        ),
        (
            Identity,
            r#""Effect":"Allow","Action":"*","Resource":"arn:aws:ecr:::${x}""#,
            "Invalid policy variable in \"arn:aws:ecr:::${x}\".",
        ),
        (
            Identity,
            r#""Sid":"a-b","Effect":"Allow","Action":"*","Resource":"*""#,
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
        ),
        (Resource, r#""Effect":"Allow","Action":"*""#, "Policy statement must contain principals."),
        (Resource, r#""Effect":"Allow","Action":"*","Principal":{}"#, "Policy statement must contain principals."),
        (
            Resource,
            r#""Effect":"Allow","Action":"*","Principal":{"AWS":[]}"#,
            "Policy statement must contain principals.",
        ),
        (
            Resource,
            r#""Effect":"Allow","Action":"*","Principal":"*","NotPrincipal":"*""#,
            "Policy statement must contain principals.",
        ),
        (
            Trust,
            r#""Effect":"Allow","Action":"sts:AssumeRole","NotPrincipal":"*""#,
            "Has prohibited field NotPrincipal.",
        ),
        (Trust, &format!(r#""Effect":"Allow","NotAction":"sts:AssumeRole",{aws}"#), "Has prohibited field NotAction."),
        (
            Trust,
            &format!(r#""Effect":"Allow","Action":"sts:AssumeRole","Resource":"*",{aws}"#),
            "Has prohibited field Resource.",
        ),
        (
            Trust,
            &format!(r#""Effect":"Allow","Action":"*",{aws}"#),
            "AssumeRole policy may only specify STS AssumeRole actions: \"*\"",
        ),
        (
            Trust,
            &format!(r#""Effect":"Allow","Action":"sts:GetCallerIdentity",{aws}"#),
            "AssumeRole policy may only specify STS AssumeRole actions: \"sts:GetCallerIdentity\"",
        ),
    ];
    for (kind, members, message) in table {
        assert_eq!(error(&statement(members), kind), message, "{members}");
    }
}

#[test]
fn actions_have_a_service() {
    for bad in ["", "GetObject", "ecr:", ":Get", "e*r:Get", "ecr Get:x", "ecr:Get Image", "ecr:a:b", "é:x", "?"] {
        let members = format!(r#""Effect":"Allow","Action":"{bad}","Resource":"*""#);
        assert_eq!(Policy::parse(&statement(&members), Identity, LIMIT).unwrap_err(), PolicyError::Vendor(bad.into()));
    }
}

#[test]
fn principals_of_forms_that_do_not_exist() {
    let table = [
        (r#""somebody""#, "somebody"),
        (r#"{"AWS":"arn:aws:iam::111122223333:user/*"}"#, r#""AWS":"arn:aws:iam::111122223333:user/*""#),
        (r#"{"AWS":"arn:aws:iam::111122223333:group/a"}"#, r#""AWS":"arn:aws:iam::111122223333:group/a""#),
        (r#"{"AWS":"arn:aws:iam::111122223333:user/"}"#, r#""AWS":"arn:aws:iam::111122223333:user/""#),
        (r#"{"AWS":"arn:aws:iam::1111:root"}"#, r#""AWS":"arn:aws:iam::1111:root""#),
        (r#"{"AWS":"arn:aws:s3:::bucket"}"#, r#""AWS":"arn:aws:s3:::bucket""#),
        (r#"{"AWS":"1111"}"#, r#""AWS":"1111""#),
        (r#"{"AWS":""}"#, r#""AWS":"""#),
        (r#"{"AWS":1}"#, r#""AWS""#),
        (
            r#"{"AWS":"arn:aws:iam::111122223333:user/${aws:username}"}"#,
            r#""AWS":"arn:aws:iam::111122223333:user/${aws:username}""#,
        ),
        (r#"{"Service":"*"}"#, r#""Service":"*""#),
        (r#"{"Federated":"*"}"#, r#""Federated":"*""#),
        (r#"{"Aws":"*"}"#, r#""Aws":"*""#),
    ];
    for (principal, named) in table {
        let members = format!(r#""Effect":"Allow","Principal":{principal},"Action":"ecr:*""#);
        let error = Policy::parse(&statement(&members), Resource, LIMIT).unwrap_err();
        assert_eq!(error.to_string(), format!("Invalid principal in policy: {named}"), "{principal}");
    }
}

#[test]
fn documents_as_a_whole() {
    let allow = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
    let with_sid = r#"{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"}"#;
    let table = [
        ("[]".to_owned(), "Syntax errors in policy: the policy is no object."),
        ("{}".to_owned(), "Policy document must contain statements."),
        (r#"{"Statement":[]}"#.to_owned(), "Policy document must contain statements."),
        (r#"{"Statement":"x"}"#.to_owned(), "Syntax errors in policy: Statement is neither an object nor a list."),
        (r#"{"Statement":[[]]}"#.to_owned(), "Syntax errors in policy: a statement is no object."),
        (
            format!(r#"{{"Version":"2012-10-18","Statement":{allow}}}"#),
            "The policy's Version is neither 2012-10-17 nor 2008-10-17.",
        ),
        (
            format!(r#"{{"Version":2012,"Statement":{allow}}}"#),
            "The policy's Version is neither 2012-10-17 nor 2008-10-17.",
        ),
        (format!(r#"{{"Id":5,"Statement":{allow}}}"#), "Syntax errors in policy: Id is no text."),
        (
            format!(r#"{{"statement":{allow}}}"#),
            "Syntax errors in policy: the policy has an unknown member \"statement\".",
        ),
        (
            format!(r#"{{"Statement":[{with_sid},{with_sid}]}}"#),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (r#"{"Statement":"#.to_owned(), "This policy contains invalid Json: line 1, column 13."),
        (
            format!(r#"{{"Statement":{allow},"Statement":{allow}}}"#),
            "This policy contains invalid Json: line 1, column 71.",
        ),
        (format!(r#"{{"Statement":{allow}}} trailing"#), "This policy contains invalid Json: line 1, column 62."),
    ];
    for (text, message) in table {
        assert_eq!(error(&text, Identity), message, "{text}");
    }
    assert_eq!(error(&format!(r#"{{"Version":"2008-10-17","Id":"x","Statement":{allow}}}"#), Identity), "");
}

#[test]
fn a_policy_tells_what_it_is() {
    let text = " {\"Statement\": {\"Sid\": \"A\", \"Effect\": \"Deny\", \"Action\": \"*\", \"Resource\": \"*\"}}\n";
    let policy = Policy::parse(text, Identity, LIMIT).unwrap();
    assert_eq!((policy.text(), policy.kind(), policy.version()), (text, Identity, Version::V2008));
    let statement = &policy.statements()[0];
    assert_eq!((statement.sid(), statement.effect()), (Some("A"), Effect::Deny));
    assert_eq!(significant_length(text), text.chars().filter(|c| !c.is_whitespace()).count());
    assert_eq!(significant_length(" a\n\tb "), 2);
}

#[test]
fn the_length_is_limited() {
    let text = statement(r#""Effect":"Allow","Action":"*","Resource":"*""#);
    assert!(Policy::parse(&text, Identity, text.len()).is_ok());
    let error = Policy::parse(&text, Identity, text.len() - 1).unwrap_err();
    assert_eq!(error, PolicyError::TooLong { length: text.len(), limit: text.len() - 1 });
}
