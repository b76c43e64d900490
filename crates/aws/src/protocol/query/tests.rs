use serde_json::json;

use super::*;
use crate::iam::IAM;
use crate::iam::shapes::{CreateUserRequest, Tag};
use crate::protocol::{Kind, Member, Shape};

fn read(name: &str, text: &str) -> Result<Value, ProtocolError> {
    read_tree(IAM.operation(name).unwrap(), &Form::parse(text.as_bytes()).unwrap())
}

#[test]
fn operations_are_found() {
    let ask = |text: &str| operation(&IAM, &Form::parse(text.as_bytes()).unwrap()).map(|found| found.name);
    assert_eq!(ask("Action=GetUser&Version=2010-05-08"), Ok("GetUser"));
    assert_eq!(ask("Version=2010-05-08"), Err(ProtocolError::MissingAction));
    for (text, message) in [
        ("Action=Fly&Version=2010-05-08", "Could not find operation Fly for version 2010-05-08"),
        ("Action=GetUser&Version=2011-06-15", "Could not find operation GetUser for version 2011-06-15"),
        ("Action=GetUser", "Could not find operation GetUser for version NO_VERSION_SPECIFIED"),
    ] {
        let error = ask(text).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.code(IAM.protocol)), (message, "InvalidAction"));
    }
}

#[test]
fn inputs_become_structures() {
    let body = "Action=CreateUser&Version=2010-05-08&UserName=alice&Tags.member.1.Key=a&Tags.member.1.Value=b+c&X-Amz-Date=now";
    let input: CreateUserRequest =
        parse_query(IAM.operation("CreateUser").unwrap(), &Form::parse(body.as_bytes()).unwrap()).unwrap();
    let tags = Some(vec![Tag { key: "a".to_owned(), value: "b c".to_owned() }]);
    assert_eq!(input, CreateUserRequest { user_name: "alice".to_owned(), tags, ..Default::default() });
}

#[test]
fn names_are_paths() {
    let tag = |key: &str| json!({ "Key": key });
    for (text, expected) in [
        ("", json!({})),
        ("UserName=", json!({ "UserName": "" })),
        ("username=alice&Other=1&UserName.x=1", json!({})),
        ("Tags=", json!({ "Tags": [] })),
        (
            "Tags.member.10.Key=c&Tags.member.2.Key=b&Tags.member.1.Key=a",
            json!({ "Tags": [tag("a"), tag("b"), tag("c")] }),
        ),
        ("Tags.member.4294967295.Key=a&Tags.member.0.Key=b", json!({ "Tags": [tag("b"), tag("a")] })),
        ("Tags.member.1.Key=a&Tags.member.1.Other=b", json!({ "Tags": [tag("a")] })),
        ("Tags.member.1.Other=b", json!({ "Tags": [] })),
        ("Tags.entry.1.Key=a", json!({ "Tags": [] })),
    ] {
        assert_eq!(read("CreateUser", text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_of_no_type_is_refused() {
    for (name, text) in [
        ("CreateUser", "Tags=x"),
        ("CreateUser", "Tags.member.x.Key=a"),
        ("CreateUser", "Tags.member.-1.Key=a"),
        ("CreateUser", "Tags.member.%2B1.Key=a"),
        ("CreateUser", "Tags.member.4294967296.Key=a"),
        ("CreateUser", "Tags.member..Key=a"),
        ("ListUsers", "MaxItems=many"),
        ("ListUsers", "MaxItems=1.5"),
        ("ListUsers", "MaxItems=2147483648"),
        ("ListUsers", "MaxItems="),
        ("ListPolicies", "OnlyAttached=True"),
    ] {
        let error = read(name, text).unwrap_err();
        assert!(matches!(error, ProtocolError::Serialization(_)), "{text}: {error}");
        assert_eq!(error.code(IAM.protocol), "MalformedInput");
    }
    let double = read("CreateUser", "Tags.member.1.Key=a&Tags.member.01.Key=b").unwrap_err();
    assert!(matches!(double, ProtocolError::DuplicateParameter(_)), "{double}");
    let deep = read("CreateUser", &format!("Tags{}=a", ".member".repeat(40))).unwrap_err();
    assert!(matches!(deep, ProtocolError::MalformedQuery(_)), "{deep}");
    assert!(read("CreateUser", &format!("Other{}=a", ".member".repeat(40))).is_ok());
}

static TEXT: Shape = Shape {
    name: "text",
    kind: Kind::String { min: None, max: None, pattern: None, enumeration: &[], sensitive: false },
};
static MAP: Shape = Shape {
    name: "map",
    kind: Kind::Map {
        key: &TEXT,
        value: &TEXT,
        key_name: "key",
        value_name: "Val",
        flattened: false,
        min: None,
        max: None,
    },
};
static FLAT_MAP: Shape = Shape {
    name: "flat map",
    kind: Kind::Map {
        key: &TEXT,
        value: &TEXT,
        key_name: "key",
        value_name: "value",
        flattened: true,
        min: None,
        max: None,
    },
};
static FLAT_LIST: Shape = Shape {
    name: "flat list",
    kind: Kind::List { member: &TEXT, member_name: "member", flattened: true, min: None, max: None },
};
static TIME: Shape = Shape { name: "time", kind: Kind::Timestamp };
static BLOB: Shape = Shape { name: "blob", kind: Kind::Blob { min: None, max: None, sensitive: false } };
const fn member(name: &'static str, wire_name: &'static str, shape: &'static Shape) -> Member {
    Member { name, wire_name, shape, required: false }
}
static INPUT: Shape = Shape {
    name: "input",
    kind: Kind::Structure {
        members: &[
            member("Map", "M", &MAP),
            member("FlatMap", "F", &FLAT_MAP),
            member("List", "L", &FLAT_LIST),
            member("Time", "T", &TIME),
            member("Blob", "B", &BLOB),
        ],
        union: false,
    },
};
static OPERATION: Operation =
    Operation { name: "Try", input: &INPUT, output: Some(&INPUT), result_wrapper: None, errors: &[] };

fn tried(text: &str) -> Result<Value, ProtocolError> {
    read_tree(&OPERATION, &Form::parse(text.as_bytes()).unwrap())
}

#[test]
fn other_forms_of_lists_and_maps_are_read_and_written() {
    let text = "M.entry.1.key=a&M.entry.1.Val=b&F.1.key=c&F.1.value=d&L.1=e&L.2=f&T=2026-11-28T10%3A00%3A00Z&B=AP8H";
    let tree = json!({
        "Map": { "a": "b" }, "FlatMap": { "c": "d" }, "List": ["e", "f"], "Time": 1_795_860_000_000_i64, "Blob": "AP8H",
    });
    assert_eq!(tried(text), Ok(tree.clone()));
    assert_eq!(build_request(&IAM, &OPERATION, &tree), Ok(format!("Action=Try&Version=2010-05-08&{text}")));
    let xml = crate::protocol::render_result(&IAM, &OPERATION, &tree, "id").unwrap();
    assert!(xml.contains("<L>e</L><L>f</L><T>2026-11-28T10:00:00Z</T>"), "{xml}");
    assert_eq!(crate::protocol::xml::parse_result(&OPERATION, xml.as_bytes()), Ok(tree));
}

#[test]
fn maps_have_keys_and_values_and_no_key_twice() {
    for text in ["M.entry.1.key=a", "M.entry.1.Val=b", "T=yesterday", "B=*"] {
        assert!(matches!(tried(text), Err(ProtocolError::Serialization(_))), "{text}");
    }
    let double = tried("M.entry.1.key=a&M.entry.1.Val=b&M.entry.2.key=a&M.entry.2.Val=c");
    assert!(matches!(double, Err(ProtocolError::DuplicateParameter(_))));
}
