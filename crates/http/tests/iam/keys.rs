//! Access keys, also of the caller itself.

use crate::door::{ACCOUNT, ADMINISTRATOR, Door, texts};

pub async fn keys(door: &Door) {
    let caller = door.user("kim", Some(ADMINISTRATOR)).await;
    let own = door.ok_as(&caller, "GetUser", &[]).await;
    assert_eq!(own["User"]["Arn"], format!("arn:aws:iam::{ACCOUNT}:user/kim"));
    let second = door.ok_as(&caller, "CreateAccessKey", &[]).await;
    assert_eq!((&second["AccessKey"]["UserName"], &second["AccessKey"]["Status"]), (&"kim".into(), &"Active".into()));
    assert_eq!(door.no_as(&caller, "CreateAccessKey", &[]).await.1, "LimitExceeded");
    let id = second["AccessKey"]["AccessKeyId"].as_str().unwrap();
    assert!(door.login(&second).await.identity().is_some());

    let pages =
        door.pages("ListAccessKeys", &[("UserName", "kim"), ("MaxItems", "1")], "AccessKeyMetadata", "UserName");
    assert_eq!(pages.await, [["kim"], ["kim"]]);
    let listed = door.ok_as(&caller, "ListAccessKeys", &[]).await;
    assert!(texts(&listed["AccessKeyMetadata"], "AccessKeyId").contains(&id.to_owned()), "{listed}");
    door.ok_as(&caller, "UpdateAccessKey", &[("AccessKeyId", id), ("Status", "Inactive")]).await;
    let listed = door.ok("ListAccessKeys", &[("UserName", "kim")]).await;
    let mut statuses = texts(&listed["AccessKeyMetadata"], "Status");
    statuses.sort();
    assert_eq!(statuses, ["Active", "Inactive"]);
    let expired = [("AccessKeyId", id), ("Status", "Expired")];
    assert_eq!(door.no_as(&caller, "UpdateAccessKey", &expired).await.1, "InvalidInput");

    let used = door.ok("GetAccessKeyLastUsed", &[("AccessKeyId", id)]).await;
    assert_eq!(used["UserName"], "kim");
    let first = texts(&listed["AccessKeyMetadata"], "AccessKeyId").into_iter().find(|known| known != id).unwrap();
    let never = door.ok("CreateAccessKey", &[("UserName", "gina")]).await;
    let never = never["AccessKey"]["AccessKeyId"].as_str().unwrap().to_owned();
    let unused = door.ok("GetAccessKeyLastUsed", &[("AccessKeyId", &never)]).await;
    let last = &unused["AccessKeyLastUsed"];
    assert_eq!((&last["ServiceName"], &last["Region"]), (&"N/A".into(), &"N/A".into()));
    assert!(last.get("LastUsedDate").is_none(), "{last}");
    let used = door.ok("GetAccessKeyLastUsed", &[("AccessKeyId", &first)]).await;
    assert_eq!(used["AccessKeyLastUsed"]["Region"], "us-east-1");
    assert_eq!(used["AccessKeyLastUsed"]["LastUsedDate"], 1_700_000_000_000_i64);

    door.ok_as(&caller, "DeleteAccessKey", &[("AccessKeyId", id)]).await;
    door.ok("DeleteAccessKey", &[("UserName", "gina"), ("AccessKeyId", &never)]).await;
    for action in ["DeleteAccessKey", "GetAccessKeyLastUsed"] {
        assert_eq!(door.no_as(&caller, action, &[("AccessKeyId", id)]).await.1, "NoSuchEntity", "{action}");
    }
}
