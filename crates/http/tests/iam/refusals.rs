//! What is refused before or instead of an operation.

use berth_aws::iam::IAM;
use berth_aws::protocol::Form;
use berth_domain::Caller;
use berth_http::iam::berth::BERTH;

use crate::door::{Door, TRUST, form};

#[tokio::test]
async fn strangers_hear_only_that_credentials_are_needed() {
    let door = Door::new().await;
    let expected = (403, "MissingAuthenticationToken".to_owned(), "Request is missing Authentication Token".to_owned());
    for operation in IAM.operations.iter().chain(BERTH.operations) {
        assert_eq!(door.no_as(&Caller::anonymous(), operation.name, &[]).await, expected, "{}", operation.name);
    }
    assert_eq!(door.no_as(&Caller::anonymous(), "NoSuchThing", &[]).await, expected);
}

#[tokio::test]
async fn what_is_no_call_of_iam_is_refused() {
    let door = Door::new().await;
    for (text, status, code) in [
        ("", 400, "MissingAction"),
        ("Action=&Version=2010-05-08", 400, "MissingAction"),
        ("Action=GetUser", 400, "InvalidAction"),
        ("Action=GetUser&Version=2011-06-15", 400, "InvalidAction"),
        ("Action=ListAccounts&Version=2011-06-15", 400, "InvalidAction"),
        ("Action=NoSuchThing&Version=2010-05-08", 400, "InvalidAction"),
        ("Action=CreateUser&Version=2010-05-08", 400, "ValidationError"),
        ("Action=CreateUser&Version=2010-05-08&UserName=a%20b", 400, "ValidationError"),
        ("Action=ListUsers&Version=2010-05-08&MaxItems=0", 400, "ValidationError"),
        ("Action=ListUsers&Version=2010-05-08&MaxItems=1001", 400, "ValidationError"),
        ("Action=ListUsers&Version=2010-05-08&MaxItems=many", 400, "MalformedInput"),
        ("Action=ListUsers&Version=2010-05-08&Marker=alice", 400, "ValidationError"),
        ("Action=GetPolicy&Version=2010-05-08&PolicyArn=arn:aws:iam::aws:policy/%00", 400, "ValidationError"),
    ] {
        let (found, kind, message) = door.refused(&door.admin, &Form::parse(text.as_bytes()).unwrap()).await;
        assert_eq!((found, kind.as_str()), (status, code), "{text}: {message}");
    }
}

#[tokio::test]
async fn operations_ask_for_rights() {
    let door = Door::new().await;
    let stranger = door.user("stan", None).await;
    let (status, code, message) = door.no_as(&stranger, "GetUser", &[("UserName", "administrator")]).await;
    assert_eq!((status, code.as_str()), (403, "AccessDenied"));
    let begin = "User: arn:aws:iam::000000000000:user/stan is not authorized to perform: iam:GetUser on resource: \
                 arn:aws:iam::000000000000:user/administrator";
    assert!(message.starts_with(begin), "{message}");
    for operation in ["ListUsers", "ListRoles", "ListPolicies", "GetAccountSummary", "GetAccountAuthorizationDetails"] {
        assert_eq!(door.no_as(&stranger, operation, &[]).await.1, "AccessDenied", "{operation}");
    }
}

#[tokio::test]
async fn only_users_may_leave_out_their_name() {
    let door = Door::new().await;
    let operator = door.domain.administrator();
    let key = ("AccessKeyId", "AKIAAAAAAAAAAAAAAAAA");
    for (action, parameters) in [
        ("GetUser", &[][..]),
        ("CreateAccessKey", &[]),
        ("ListAccessKeys", &[]),
        ("UpdateAccessKey", &[key, ("Status", "Active")]),
        ("DeleteAccessKey", &[key]),
    ] {
        let refused = door.no_as(&operator, action, parameters).await;
        let message = "Must specify userName when calling with non-User credentials".to_owned();
        assert_eq!(refused, (400, "ValidationError".to_owned(), message), "{action}");
    }
}

#[tokio::test]
async fn sessions_of_roles_have_bounds() {
    let door = Door::new().await;
    let role = [("RoleName", "r"), ("AssumeRolePolicyDocument", TRUST), ("MaxSigninSessionDuration", "3600")];
    assert_eq!(door.no("CreateRole", &role).await.1, "InvalidInput");
    for seconds in ["3599", "43201"] {
        let role = [("RoleName", "r"), ("AssumeRolePolicyDocument", TRUST), ("MaxSessionDuration", seconds)];
        assert_eq!(door.no("CreateRole", &role).await.1, "ValidationError", "{seconds}");
    }
}

#[tokio::test]
async fn secrets_are_in_one_answer_only() {
    let door = Door::new().await;
    door.ok("CreateUser", &[("UserName", "alice")]).await;
    let key = door.ok("CreateAccessKey", &[("UserName", "alice")]).await;
    let secret = key["AccessKey"]["SecretAccessKey"].as_str().unwrap();
    let caller = door.admin.clone();
    for (action, parameters) in [
        ("ListAccessKeys", &[("UserName", "alice")][..]),
        ("GetUser", &[("UserName", "alice")]),
        ("GetAccountAuthorizationDetails", &[]),
    ] {
        let (_, xml) = berth_http::iam::answer(&door.domain, &caller, &form(action, parameters), "id").await;
        assert!(!xml.contains(secret), "{action}");
    }
}
