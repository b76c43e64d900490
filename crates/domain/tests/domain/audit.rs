//! The audit trail: no change without its record, no record of what was not done, and nothing that changes quietly.

use std::time::Duration;

use berth_domain::audit::{self, AuditReport, Call, Event, Finding, Head, LookupAttribute, LookupEvents, Outcome};
use berth_domain::{Caller, Domain, Error};
use berth_oci::digest::Algorithm;
use berth_store::{Row, Timestamp, parameters};
use serde_json::Value;

use crate::registries::two_accounts;
use crate::registry::{TestRegistry, body, digest, name};

const ECR: &str = "ecr.amazonaws.com";

/// Runs a call as a door does.
async fn called<T>(
    domain: &Domain,
    caller: &Caller,
    operation: &'static str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let call = Call {
        request_id: format!("request-{operation}"),
        source_ip: Some([192, 0, 2, 1].into()),
        user_agent: Some("a \"client\"".to_owned()),
        region: "us-east-1".to_owned(),
        ..Call::default()
    };
    let named = async {
        audit::name(ECR, operation, operation.starts_with("Get"));
        audit::caller(caller);
        audit::registry(domain);
        work.await
    };
    let outcome = |done: &Result<T, Error>| Outcome {
        error: done.as_ref().err().map(|error| ("AccessDenied".to_owned(), error.to_string())),
    };
    audit::recorded(domain, call, named, outcome).await
}

async fn begin(registry: &TestRegistry, caller: &Caller, repository: &str) -> Result<(), Error> {
    let repository = name(repository);
    let work = async { registry.domain.begin_upload(caller, &repository, Algorithm::Sha256).await.map(drop) };
    called(&registry.domain, caller, "InitiateLayerUpload", work).await
}

async fn read(registry: &TestRegistry, operation: &'static str) {
    let work = async { registry.domain.catalog(&registry.admin, "", 1).await.map(drop) };
    called(&registry.domain, &registry.admin, operation, work).await.unwrap();
}

/// All records that are written, oldest row first.
async fn records(registry: &TestRegistry) -> Vec<Value> {
    let sql = "SELECT id FROM audit_rows ORDER BY id";
    let ids = registry.database().await.read(move |txn| txn.query(sql, &[])).await.unwrap();
    if ids.is_empty() {
        return Vec::new();
    }
    chain(&registry.domain).await;
    let rows = registry.domain.audit_rows_after((0, None), 10_000).await.unwrap();
    assert_eq!(rows.len(), ids.len());
    let lines = rows.iter().map(|row| registry.domain.audit_lines(&row.row).unwrap().unwrap());
    lines.flat_map(|lines| lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()).collect()
}

async fn chain(domain: &Domain) -> Option<Head> {
    domain.chain_audit().await.unwrap().head
}

async fn report(registry: &TestRegistry) -> AuditReport {
    registry.domain.verify_audit(None).await.unwrap()
}

async fn execute(registry: &TestRegistry, sql: &'static str) {
    registry.database().await.write(move |txn| txn.execute(sql, &[])).await.unwrap();
}

async fn count(registry: &TestRegistry, table: &'static str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let rows: Vec<Row> = registry.database().await.read(move |txn| txn.query(&sql, &[])).await.unwrap();
    rows[0].integer(0).unwrap()
}

#[tokio::test]
async fn a_change_carries_its_record() {
    let registry = TestRegistry::new().await;
    assert_eq!(records(&registry).await, Vec::<Value>::new());
    let caller = registry.user("bob", Some(EVERYTHING)).await;
    begin(&registry, &caller, "team/app").await.unwrap();
    let records = records(&registry).await;
    assert_eq!(records.len(), 1);
    let record = &records[0];
    let expected = serde_json::json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser", "principalId": caller.identity().unwrap().user_id,
            "arn": "arn:aws:iam::000000000000:user/bob", "accountId": "000000000000",
            "accessKeyId": caller.identity().unwrap().origin.as_str(), "userName": "bob",
        },
        "eventTime": "2023-11-14T22:13:20Z", "eventSource": ECR, "eventName": "InitiateLayerUpload",
        "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.1", "userAgent": "a \"client\"",
        "requestParameters": null, "responseElements": null,
        "requestID": "request-InitiateLayerUpload", "eventID": record["eventID"], "readOnly": false,
        "resources": [{
            "accountId": "000000000000", "type": "AWS::ECR::Repository",
            "ARN": "arn:aws:ecr:us-east-1:000000000000:repository/team/app",
        }],
        "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": "000000000000",
        "eventCategory": "Management",
    });
    assert_eq!(*record, expected);
    // It wrote its record itself: nothing waits in the queue.
    registry.domain.flush_audit().await.unwrap();
    assert_eq!(count(&registry, "audit_rows").await, 1);
}

const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

#[tokio::test]
async fn without_its_record_nothing_is_changed() {
    let registry = TestRegistry::new().await;
    execute(&registry, "ALTER TABLE audit_rows RENAME TO away").await;
    let answer = begin(&registry, &registry.admin, "team/app").await;
    assert!(matches!(answer, Err(Error::Database(_))), "{answer:?}");
    assert_eq!((count(&registry, "uploads").await, count(&registry, "repositories").await), (0, 0));
    execute(&registry, "ALTER TABLE away RENAME TO audit_rows").await;
    begin(&registry, &registry.admin, "team/app").await.unwrap();
    assert_eq!((count(&registry, "uploads").await, count(&registry, "audit_rows").await), (1, 1));
}

#[tokio::test]
async fn what_is_not_done_is_recorded_as_that_alone() {
    let registry = TestRegistry::new().await;
    let nobody = registry.user("nobody", None).await;
    begin(&registry, &nobody, "team/app").await.unwrap_err();
    assert_eq!(count(&registry, "audit_rows").await, 0);
    // A transaction that refuses in the middle leaves no record of a change either.
    registry.image("full", "one", b"{}", &[]).await;
    let work = async { registry.domain.delete_repository(&registry.admin, &name("full"), false).await.map(drop) };
    called(&registry.domain, &registry.admin, "DeleteRepository", work).await.unwrap_err();
    assert_eq!(count(&registry, "audit_rows").await, 0);
    registry.domain.flush_audit().await.unwrap();
    let records = records(&registry).await;
    let shown: Vec<_> = records.iter().map(|record| (&record["eventName"], &record["errorCode"])).collect();
    let denied = &Value::from("AccessDenied");
    assert_eq!(shown, [(&"InitiateLayerUpload".into(), denied), (&"DeleteRepository".into(), denied)]);
    let message = records[0]["errorMessage"].as_str().unwrap();
    assert!(message.contains("is not authorized to perform: ecr:InitiateLayerUpload"), "{message}");
}

#[tokio::test]
async fn what_fails_behind_its_first_transaction_has_two_records() {
    let registry = TestRegistry::new().await;
    let work = async {
        registry.domain.begin_upload(&registry.admin, &name("a"), Algorithm::Sha256).await?;
        registry.domain.begin_upload(&registry.admin, &name("b"), Algorithm::Sha256).await?;
        registry.clock.advance(Duration::from_millis(1));
        Err::<(), _>(Error::UploadUnknown)
    };
    called(&registry.domain, &registry.admin, "PutImage", work).await.unwrap_err();
    registry.domain.flush_audit().await.unwrap();
    let records = records(&registry).await;
    let shown: Vec<_> =
        records.iter().map(|record| (record["requestID"].as_str(), record["errorCode"].is_null())).collect();
    assert_eq!(shown, [(Some("request-PutImage"), true), (Some("request-PutImage"), false)]);
    assert_ne!(records[0]["eventID"], records[1]["eventID"]);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_recorded() {
    let registry = TestRegistry::new().await;
    let work = async {
        std::future::pending::<()>().await;
        Ok(())
    };
    let call = called(&registry.domain, &registry.admin, "GetThings", work);
    tokio::time::timeout(Duration::from_millis(1), call).await.unwrap_err();
    registry.domain.flush_audit().await.unwrap();
    assert_eq!(records(&registry).await[0]["errorCode"], "RequestCanceled");
}

#[tokio::test]
async fn reads_are_recorded_many_to_a_row_and_can_be_left_out() {
    let registry = TestRegistry::new().await;
    for _ in 0..3 {
        read(&registry, "GetThings").await;
    }
    assert_eq!(count(&registry, "audit_rows").await, 0);
    registry.domain.flush_audit().await.unwrap();
    assert_eq!((count(&registry, "audit_rows").await, records(&registry).await.len()), (1, 3));

    let registry = registry.restarted(|settings| settings.audit.reads_per_million = 0).await;
    read(&registry, "GetThings").await;
    read(&registry, "GetAuthorizationToken").await;
    let nobody = registry.user("nobody", None).await;
    let refused = async { registry.domain.create_account(&nobody, &crate::registries::other()).await.map(drop) };
    called(&registry.domain, &nobody, "GetRefused", refused).await.unwrap_err();
    registry.domain.flush_audit().await.unwrap();
    let names: Vec<Value> = records(&registry).await.iter().skip(3).map(|record| record["eventName"].clone()).collect();
    assert_eq!(names, ["GetAuthorizationToken", "GetRefused"]);

    let registry = registry.restarted(|settings| settings.audit.enabled = false).await;
    begin(&registry, &registry.admin, "a").await.unwrap();
    registry.domain.flush_audit().await.unwrap();
    assert_eq!(records(&registry).await.len(), 5);
}

#[tokio::test]
async fn what_cannot_be_written_waits() {
    let registry = TestRegistry::new().await;
    read(&registry, "GetThings").await;
    execute(&registry, "ALTER TABLE audit_rows RENAME TO away").await;
    registry.domain.flush_audit().await.unwrap_err();
    execute(&registry, "ALTER TABLE away RENAME TO audit_rows").await;
    registry.domain.flush_audit().await.unwrap();
    assert_eq!(records(&registry).await.len(), 1);
}

/// Three links: of three, two and one rows.
async fn chained() -> (TestRegistry, Head) {
    let registry = TestRegistry::new().await;
    let mut head = None;
    for rows in [3, 2, 1] {
        for nth in 0..rows {
            registry.clock.advance(Duration::from_millis(5));
            begin(&registry, &registry.admin, &format!("r{rows}/{nth}")).await.unwrap();
        }
        head = chain(&registry.domain).await;
    }
    (registry, head.unwrap())
}

#[tokio::test]
async fn a_chain_that_nobody_touched_is_sound() {
    let (registry, head) = chained().await;
    assert_eq!(head.number, 3);
    let found = registry.domain.verify_audit(Some(head)).await.unwrap();
    let expected =
        AuditReport { links: 3, rows: 6, records: 6, first: Some(1), last: Some(3), ..AuditReport::default() };
    assert_eq!(found, expected);
    assert!(found.is_sound());
    assert_eq!(registry.domain.chain_audit().await.unwrap().rows, 0);
}

/// What somebody with the database may do to it, and what is found of that.
#[allow(clippy::too_many_lines, reason = "a table")]
#[tokio::test]
async fn every_change_of_the_chain_is_found() {
    type IsFound = fn(&Finding) -> bool;
    let meddled: [(&str, &'static [&'static str], IsFound); 18] = [
        ("a row goes", &["DELETE FROM audit_rows WHERE link = 1 AND place = 1"], |found| {
            *found == Finding::RowsRemoved { link: 1, rows: 1 }
        }),
        ("the last row of a link goes", &["DELETE FROM audit_rows WHERE link = 2 AND place = 1"], |found| {
            *found == Finding::RowsRemoved { link: 2, rows: 1 }
        }),
        (
            "a row becomes another",
            &["UPDATE audit_rows SET digest = (SELECT digest FROM audit_rows WHERE link = 3) \
          WHERE link = 1 AND place = 0"],
            |found| *found == Finding::LinkChanged { link: 1 },
        ),
        (
            "a payload becomes another",
            &["UPDATE audit_rows SET payload = (SELECT payload FROM audit_rows WHERE link = 3) \
          WHERE link = 1 AND place = 0"],
            |found| matches!(found, Finding::RowChanged { link: 1, .. }),
        ),
        (
            "payload and digest become others",
            &["UPDATE audit_rows SET payload = (SELECT payload FROM audit_rows WHERE \
          link = 3), digest = (SELECT digest FROM audit_rows WHERE link = 3) WHERE link = 1 AND place = 0"],
            |found| *found == Finding::LinkChanged { link: 1 },
        ),
        ("a payload goes", &["UPDATE audit_rows SET payload = NULL WHERE link = 3"], |found| {
            matches!(found, Finding::PayloadRemoved { link: 3, .. })
        }),
        (
            "a read's payload goes too soon",
            &["UPDATE audit_rows SET payload = NULL, kind = 'read' WHERE link = 3"],
            |found| matches!(found, Finding::PayloadRemoved { link: 3, .. }),
        ),
        ("a time changes", &["UPDATE audit_rows SET first_at = first_at + 1 WHERE link = 3"], |found| {
            *found == Finding::LinkChanged { link: 3 }
        }),
        ("a count changes", &["UPDATE audit_rows SET records = 2 WHERE link = 3"], |found| {
            *found == Finding::LinkChanged { link: 3 }
        }),
        ("rows change places", &["UPDATE audit_rows SET place = 1 - place WHERE link = 2"], |found| {
            *found == Finding::Reordered { link: 2 }
        }),
        ("rows move to another link", &["UPDATE audit_rows SET link = 2, place = 2 WHERE link = 3"], |found| {
            *found == Finding::RowsAdded { link: Some(2), rows: 1 }
        }),
        ("rows move to no link that there is", &["UPDATE audit_rows SET link = 9 WHERE link = 3"], |found| {
            *found == Finding::RowsAdded { link: None, rows: 0 }
        }),
        (
            "a link goes",
            &["DELETE FROM audit_rows WHERE link = 2", "DELETE FROM audit_links WHERE number = 2"],
            |found| *found == Finding::LinksRemoved { first: 2, last: 2 },
        ),
        (
            "the beginning goes",
            &["DELETE FROM audit_rows WHERE link = 1", "DELETE FROM audit_links WHERE number = 1"],
            |found| *found == Finding::LinksRemoved { first: 1, last: 1 },
        ),
        (
            "links change places",
            &[
                "UPDATE audit_links SET number = 7 WHERE number = 1",
                "UPDATE audit_links SET number = 1 WHERE number = 2",
                "UPDATE audit_links SET number = 2 WHERE number = 7",
                "UPDATE audit_rows SET link = 3 - link WHERE link < 3",
            ],
            |found| *found == Finding::BadSignature { link: 1 },
        ),
        (
            "a signature is cut",
            &["UPDATE audit_links SET signature = (SELECT digest FROM audit_rows WHERE link = 3) \
          WHERE number = 1"],
            |found| *found == Finding::BadSignature { link: 1 },
        ),
        (
            "the end goes",
            &["DELETE FROM audit_rows WHERE link = 3", "DELETE FROM audit_links WHERE number = 3"],
            |found| *found == Finding::Truncated { last: Some(2), head: 3 },
        ),
        ("everything goes", &["DELETE FROM audit_rows", "DELETE FROM audit_links"], |found| {
            *found == Finding::Truncated { last: None, head: 3 }
        }),
    ];
    for (what, statements, is_found) in meddled {
        let (registry, head) = chained().await;
        for statement in statements {
            execute(&registry, statement).await;
        }
        let found = registry.domain.verify_audit(Some(head)).await.unwrap().findings;
        assert!(found.iter().any(is_found), "{what}: {found:?}");
    }
}

/// Whoever has the database and not the server key cannot make a link that is taken for one.
#[tokio::test]
async fn a_link_of_another_key_is_found() {
    let (registry, _) = chained().await;
    let other = TestRegistry::new().await;
    begin(&other, &other.admin, "x").await.unwrap();
    chain(&other.domain).await;
    let links = other.database().await.read(|txn| berth_store::audit::links_after(txn, 0, 1)).await.unwrap();
    let forged = links[0].clone();
    let write = move |txn: &mut dyn berth_store::Transaction| {
        let signature = forged.signature.clone();
        txn.execute("UPDATE audit_links SET signature = ?1 WHERE number = 1", parameters![signature])
    };
    registry.database().await.write(write).await.unwrap();
    assert_eq!(report(&registry).await.findings, [Finding::BadSignature { link: 1 }]);
}

#[tokio::test]
async fn rows_that_nobody_chains_are_found() {
    let (registry, _) = chained().await;
    begin(&registry, &registry.admin, "x").await.unwrap();
    assert!(report(&registry).await.is_sound());
    registry.clock.advance(Duration::from_secs(61));
    assert_eq!(report(&registry).await.findings, [Finding::Unchained { rows: 1 }]);
}

#[tokio::test]
async fn a_head_is_not_believed_unsigned_and_stands_while_its_link_does() {
    let (registry, head) = chained().await;
    let forged = Head { number: 2, ..head.clone() };
    assert_eq!(registry.domain.verify_audit(Some(forged)).await.unwrap().findings, [Finding::BadHead]);
    begin(&registry, &registry.admin, "x").await.unwrap();
    chain(&registry.domain).await;
    assert!(registry.domain.verify_audit(Some(head)).await.unwrap().is_sound());
}

#[tokio::test]
async fn what_retention_takes_leaves_a_chain_that_can_be_verified() {
    let registry = TestRegistry::with(|settings| {
        settings.audit.retention = Duration::from_hours(10);
        settings.audit.reads_retention = Duration::from_hours(2);
    })
    .await;
    let mut heads = Vec::new();
    for nth in 0..4 {
        begin(&registry, &registry.admin, &format!("r/{nth}")).await.unwrap();
        read(&registry, "GetThings").await;
        registry.domain.flush_audit().await.unwrap();
        heads.extend(chain(&registry.domain).await);
        registry.clock.advance(Duration::from_hours(3));
    }
    let retain = async || while registry.domain.retain_audit().await.unwrap() > 0 {};
    retain().await;
    let found = registry.domain.verify_audit(Some(heads[3].clone())).await.unwrap();
    assert_eq!((found.first, found.last, found.rows, found.cleared), (Some(2), Some(4), 6, 3));
    assert!(found.is_sound(), "{:?}", found.findings);
    assert!(registry.domain.verify_audit(Some(heads[0].clone())).await.unwrap().is_sound());

    // Nobody else can say where the chain begins.
    execute(&registry, "DELETE FROM properties WHERE name = 'audit_anchor'").await;
    let found = report(&registry).await.findings;
    assert!(found.contains(&Finding::LinksRemoved { first: 1, last: 1 }), "{found:?}");
    execute(
        &registry,
        "INSERT INTO properties (name, value) SELECT 'audit_anchor', hash FROM audit_links WHERE number = 2",
    )
    .await;
    assert!(report(&registry).await.findings.contains(&Finding::BadAnchor));
    execute(&registry, "DELETE FROM properties WHERE name = 'audit_anchor'").await;
}

#[tokio::test]
async fn a_chain_that_retention_took_whole_goes_on() {
    let registry = TestRegistry::with(|settings| settings.audit.retention = Duration::from_hours(1)).await;
    begin(&registry, &registry.admin, "a").await.unwrap();
    let head = chain(&registry.domain).await.unwrap();
    registry.clock.advance(Duration::from_hours(2));
    while registry.domain.retain_audit().await.unwrap() > 0 {}
    assert_eq!((count(&registry, "audit_links").await, count(&registry, "audit_rows").await), (0, 0));
    assert!(registry.domain.verify_audit(Some(head.clone())).await.unwrap().is_sound());
    begin(&registry, &registry.admin, "b").await.unwrap();
    assert_eq!(chain(&registry.domain).await.unwrap().number, 2);
    assert!(registry.domain.verify_audit(Some(head)).await.unwrap().is_sound());
}

#[tokio::test]
async fn one_node_at_a_time_chains() {
    let registry = TestRegistry::new().await;
    let other = registry.node("other").await;
    begin(&registry, &registry.admin, "a").await.unwrap();
    assert_eq!(registry.domain.chain_audit().await.unwrap().rows, 1);
    begin(&registry, &registry.admin, "b").await.unwrap();
    let waiting = other.chain_audit().await.unwrap();
    assert_eq!((waiting.rows, waiting.head.map(|head| head.number)), (0, Some(1)));
    registry.clock.advance(Duration::from_secs(4));
    assert_eq!(other.chain_audit().await.unwrap().rows, 1);
    assert!(report(&registry).await.is_sound());
}

async fn all_pages(domain: &Domain, caller: &Caller, asked: LookupEvents) -> Vec<Event> {
    let (mut events, mut next) = (Vec::new(), None);
    loop {
        let page = domain.lookup_events(caller, LookupEvents { next, ..asked.clone() }).await.unwrap();
        assert!(page.events.len() <= asked.most);
        events.extend(page.events);
        next = page.next;
        if next.is_none() {
            return events;
        }
    }
}

/// Changes and reads of two accounts, by turns, some at one moment.
async fn busy() -> (TestRegistry, Caller) {
    let (registry, theirs) = two_accounts().await;
    let domain = crate::registries::others(&registry.domain).await;
    for nth in 0..30 {
        if nth % 3 > 0 {
            registry.clock.advance(Duration::from_millis(400));
        }
        begin(&registry, &registry.admin, &format!("r/{nth}")).await.unwrap();
        read(&registry, "GetThings").await;
        let work = async { domain.begin_upload(&theirs, &name("mine"), Algorithm::Sha256).await.map(drop) };
        called(&domain, &theirs, "InitiateLayerUpload", work).await.unwrap();
        if nth % 7 == 0 {
            registry.domain.flush_audit().await.unwrap();
        }
    }
    registry.domain.flush_audit().await.unwrap();
    (registry, theirs)
}

#[tokio::test]
async fn a_search_finds_each_event_of_the_account_once_and_newest_first() {
    let (registry, theirs) = busy().await;
    for most in [1, 7, 50] {
        let found =
            all_pages(&registry.domain, &registry.admin, LookupEvents { most, ..LookupEvents::default() }).await;
        assert_eq!(found.len(), 60, "{most}");
        let order: Vec<_> = found.iter().map(|event| (event.time, event.id.clone())).collect();
        assert!(order.is_sorted_by(|one, other| one > other), "{most}");
        assert!(found.iter().all(|event| event.json.contains(r#""recipientAccountId":"000000000000""#)));
    }
    let found = all_pages(&registry.domain, &theirs, LookupEvents { most: 50, ..LookupEvents::default() }).await;
    assert_eq!(found.len(), 30);
    assert!(found.iter().all(|event| event.json.contains(r#""recipientAccountId":"111111111111""#)));
    let nobody = registry.user("nobody", None).await;
    let refused = registry.domain.lookup_events(&nobody, LookupEvents::default()).await;
    assert!(matches!(refused, Err(Error::Denied { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_search_takes_an_attribute_and_a_time() {
    let (registry, theirs) = busy().await;
    let all = all_pages(&registry.domain, &theirs, LookupEvents { most: 50, ..LookupEvents::default() }).await;
    let one = all[10].clone();
    let key = theirs.identity().unwrap().origin.as_str().to_owned();
    let attributes = [
        (LookupAttribute::EventId, one.id.clone(), 1),
        (LookupAttribute::EventName, "InitiateLayerUpload".to_owned(), 30),
        (LookupAttribute::EventName, "Initiate".to_owned(), 0),
        (LookupAttribute::ReadOnly, "false".to_owned(), 30),
        (LookupAttribute::ReadOnly, "true".to_owned(), 0),
        (LookupAttribute::Username, "administrator".to_owned(), 30),
        (LookupAttribute::Username, "admin".to_owned(), 0),
        (LookupAttribute::ResourceType, "AWS::ECR::Repository".to_owned(), 30),
        (LookupAttribute::ResourceName, "mine".to_owned(), 30),
        (LookupAttribute::ResourceName, "arn:aws:ecr:us-east-1:111111111111:repository/mine".to_owned(), 30),
        (LookupAttribute::ResourceName, "min".to_owned(), 0),
        (LookupAttribute::EventSource, ECR.to_owned(), 30),
        (LookupAttribute::AccessKeyId, key, 30),
        (LookupAttribute::AccessKeyId, "AKIA\"".to_owned(), 0),
    ];
    for (attribute, value, expected) in attributes {
        let asked = LookupEvents { attribute: Some((attribute, value.clone())), most: 50, ..LookupEvents::default() };
        assert_eq!(all_pages(&registry.domain, &theirs, asked).await.len(), expected, "{attribute:?} {value}");
    }
    let second = |event: &Event| event.time.as_millis() / 1000;
    let (start, end) = (second(&all[20]), second(&all[10]));
    let expected = all.iter().filter(|event| (start..=end).contains(&second(event))).count();
    let asked = LookupEvents {
        start: Some(Timestamp::from_millis(start * 1000)),
        end: Some(Timestamp::from_millis(end * 1000)),
        most: 3,
        ..LookupEvents::default()
    };
    let found = all_pages(&registry.domain, &theirs, asked).await;
    assert_eq!(found.len(), expected);
    assert!(expected > 5 && expected < 20);
    for wrong in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &"A".repeat(10_000)] {
        let asked = LookupEvents { next: Some(wrong.to_owned()), ..LookupEvents::default() };
        registry.domain.lookup_events(&theirs, asked).await.unwrap_err();
    }
}

#[tokio::test]
async fn uploads_by_pieces_are_records_of_their_calls() {
    let registry = TestRegistry::new().await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("team/app"));
    let id = domain.begin_upload(admin, &repository, Algorithm::Sha256).await.unwrap();
    let mut piece = body(b"xy");
    let append = async { domain.append_to_upload(admin, &repository, &id, None, &mut piece).await.map(drop) };
    called(domain, admin, "UploadLayerPart", append).await.unwrap();
    let (mut rest, sum) = (body(b"z"), digest(b"xyz"));
    let finish = async { domain.finish_upload(admin, &repository, &id, None, &mut rest, &sum).await.map(drop) };
    called(domain, admin, "CompleteLayerUpload", finish).await.unwrap();
    registry.domain.flush_audit().await.unwrap();
    let mut names: Vec<String> =
        records(&registry).await.iter().map(|record| record["eventName"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["CompleteLayerUpload", "UploadLayerPart"]);
}
