use super::super::context::MapContext;
use super::*;
use crate::policy::json;

/// A context with a value of each type.
fn context() -> MapContext {
    MapContext::new()
        .with("aws:username", "alice")
        .with("aws:empty", "")
        .with("aws:star", "*")
        .with("aws:umlaut", "Ärger")
        .with("aws:number", "10")
        .with("aws:date", "2024-05-01T00:00:00Z")
        .with("aws:bool", "true")
        .with("aws:ip", "192.0.2.7")
        .with("aws:ip6", "2001:db8::1")
        .with("aws:arn", "arn:aws:ecr:us-east-1:111122223333:repository/team/app")
        .with("aws:bytes", "QmluYXJ5")
        .with("aws:ResourceTag/CostCenter", "12")
        .with_many("aws:TagKeys", ["env", "team"])
        .with_many("aws:one", ["env"])
        .with_many::<String>("aws:none", [])
}

fn holds(condition: &str) -> bool {
    let conditions = read(&json::read(condition).unwrap(), true).unwrap_or_else(|error| panic!("{condition}: {error}"));
    conditions.iter().all(|condition| condition.holds(&context()))
}

fn check(table: &[(&str, &str, &str, bool)]) {
    for (operator, key, values, expected) in table {
        let condition = format!(r#"{{"{operator}": {{"{key}": {values}}}}}"#);
        assert_eq!(holds(&condition), *expected, "{condition}");
    }
}

#[test]
fn strings() {
    check(&[
        ("StringEquals", "aws:username", r#""alice""#, true),
        ("StringEquals", "AWS:UserName", r#""alice""#, true),
        ("StringEquals", "aws:username", r#""Alice""#, false),
        ("StringEquals", "aws:username", r#""a*""#, false),
        ("StringEquals", "aws:username", r#"["bob", "alice"]"#, true),
        ("StringEquals", "aws:username", "[]", false),
        ("StringEquals", "aws:username", r#""${aws:username}""#, true),
        ("StringEquals", "aws:username", r#""${aws:nobody}""#, false),
        ("StringEquals", "aws:username", r#""${aws:nobody, 'alice'}""#, true),
        ("StringEquals", "aws:star", r#""${*}""#, true),
        ("StringEquals", "aws:star", r#""*""#, true),
        ("StringEquals", "aws:resourcetag/costcenter", "12", true),
        ("StringEquals", "aws:bool", "true", true),
        ("StringNotEquals", "aws:username", r#""bob""#, true),
        ("StringNotEquals", "aws:username", r#"["bob", "alice"]"#, false),
        ("StringNotEquals", "aws:username", r#""${aws:nobody}""#, true),
        ("StringNotEquals", "aws:username", "[]", true),
        ("StringEqualsIgnoreCase", "aws:username", r#""ALICE""#, true),
        ("StringEqualsIgnoreCase", "aws:umlaut", r#""äRGER""#, true),
        ("StringEqualsIgnoreCase", "aws:username", r#""A*""#, false),
        ("StringEqualsIgnoreCase", "aws:username", r#""${aws:username}""#, true),
        ("StringNotEqualsIgnoreCase", "aws:username", r#""ALICE""#, false),
        ("StringLike", "aws:username", r#""a*e""#, true),
        ("StringLike", "aws:username", r#""?lic?""#, true),
        ("StringLike", "aws:username", r#""A*""#, false),
        ("StringLike", "aws:username", r#""${aws:star}""#, false),
        ("StringLike", "aws:star", r#""${*}""#, true),
        ("StringLike", "aws:username", r#""${*}""#, false),
        ("StringNotLike", "aws:username", r#"["b*", "a*"]"#, false),
        ("StringNotLike", "aws:username", r#""b*""#, true),
    ]);
}

#[test]
fn numbers_dates_and_booleans() {
    check(&[
        ("NumericEquals", "aws:number", "10", true),
        ("NumericEquals", "aws:number", r#"["9", "10.0"]"#, true),
        ("NumericNotEquals", "aws:number", r#""10""#, false),
        ("NumericNotEquals", "aws:username", r#""10""#, true),
        ("NumericLessThan", "aws:number", "10", false),
        ("NumericLessThan", "aws:number", "10.5", true),
        ("NumericLessThan", "aws:username", "10", false),
        ("NumericLessThanEquals", "aws:number", "10", true),
        ("NumericGreaterThan", "aws:number", "[20, 9]", true),
        ("NumericGreaterThan", "aws:number", "10", false),
        ("NumericGreaterThanEquals", "aws:number", "1e1", true),
        ("DateEquals", "aws:date", "1714521600", true),
        ("DateEquals", "aws:date", r#""2024-05-01T02:00:00+02:00""#, true),
        ("DateNotEquals", "aws:date", r#""2024-05-01""#, false),
        ("DateLessThan", "aws:date", r#""2024-05-01T00:00:01Z""#, true),
        ("DateLessThanEquals", "aws:date", r#""2024-05""#, true),
        ("DateGreaterThan", "aws:date", r#""2024-05-01""#, false),
        ("DateGreaterThanEquals", "aws:date", r#""2024-05-01""#, true),
        ("DateLessThan", "aws:username", r#""2024-05-01""#, false),
        ("Bool", "aws:bool", "true", true),
        ("Bool", "aws:bool", r#""TRUE""#, true),
        ("Bool", "aws:bool", "false", false),
        ("Bool", "aws:username", "false", false),
    ]);
}

#[test]
fn addresses_arns_and_bytes() {
    check(&[
        ("IpAddress", "aws:ip", r#""192.0.2.0/24""#, true),
        ("IpAddress", "aws:ip", r#"["::/0", "198.51.100.0/24"]"#, false),
        ("IpAddress", "aws:ip6", r#"["0.0.0.0/0", "2001:db8::/32"]"#, true),
        ("IpAddress", "aws:username", r#""0.0.0.0/0""#, false),
        ("NotIpAddress", "aws:ip", r#"["::/0", "192.0.2.7"]"#, false),
        ("NotIpAddress", "aws:ip6", r#""0.0.0.0/0""#, true),
        ("ArnEquals", "aws:arn", r#""arn:aws:ecr:*:111122223333:repository/*""#, true),
        ("ArnLike", "aws:arn", r#""arn:aws:ecr:*:repository/team/app""#, false),
        ("ArnLike", "aws:arn", r#""arn:aws:ecr:us-east-1:111122223333:*""#, true),
        ("ArnLike", "aws:arn", r#""arn:aws:iam::1:user/${aws:username}""#, false),
        ("ArnLike", "aws:username", r#""arn:*:*:*:*:*""#, false),
        ("ArnNotEquals", "aws:arn", r#""arn:aws:ecr:*:*:repository/team/app""#, false),
        ("ArnNotLike", "aws:arn", r#""arn:aws:ecr:*:*:repository/prod/*""#, true),
        ("BinaryEquals", "aws:bytes", r#""QmluYXJ5""#, true),
        ("BinaryEquals", "aws:bytes", r#""eA==""#, false),
        ("BinaryEquals", "aws:username", r#""eA==""#, false),
    ]);
}

#[test]
fn keys_that_the_request_lacks() {
    for key in ["aws:missing", "aws:none"] {
        check(&[
            ("StringEquals", key, r#""x""#, false),
            ("StringNotEquals", key, r#""x""#, true),
            ("StringLike", key, r#""*""#, false),
            ("NumericLessThan", key, "1", false),
            ("NumericNotEquals", key, "1", true),
            ("NotIpAddress", key, r#""192.0.2.1""#, true),
            ("ArnNotLike", key, r#""arn:*:*:*:*:*""#, true),
            ("Bool", key, "false", false),
            ("StringEqualsIfExists", key, r#""x""#, true),
            ("StringNotEqualsIfExists", key, r#""x""#, true),
            ("ForAnyValue:StringEqualsIfExists", key, r#""x""#, true),
            ("ForAllValues:StringEquals", key, r#""x""#, true),
            ("ForAllValues:StringNotEquals", key, r#""x""#, true),
            ("ForAnyValue:StringEquals", key, r#""x""#, false),
            ("ForAnyValue:StringNotEquals", key, r#""x""#, false),
            ("Null", key, "true", true),
            ("Null", key, "false", false),
            ("Null", key, "[true, false]", true),
        ]);
    }
    check(&[
        ("Null", "aws:username", "true", false),
        ("Null", "aws:username", r#""false""#, true),
        ("Null", "aws:empty", "false", true),
        ("StringEqualsIfExists", "aws:username", r#""x""#, false),
    ]);
}

#[test]
fn keys_with_several_values() {
    check(&[
        ("ForAllValues:StringEquals", "aws:TagKeys", r#"["env", "team", "x"]"#, true),
        ("ForAllValues:StringEquals", "aws:TagKeys", r#""env""#, false),
        ("ForAllValues:StringLike", "aws:TagKeys", r#"["e*", "t*"]"#, true),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", r#""x""#, true),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", r#"["x", "env"]"#, false),
        ("ForAllValues:StringEquals", "aws:empty", r#""x""#, true),
        ("ForAnyValue:StringEquals", "aws:TagKeys", r#""env""#, true),
        ("ForAnyValue:StringEquals", "aws:TagKeys", r#""x""#, false),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", r#""env""#, true),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", r#"["env", "team"]"#, false),
        ("ForAnyValue:StringEquals", "aws:empty", r#""x""#, false),
        ("StringEquals", "aws:one", r#""env""#, true),
        ("StringEquals", "aws:TagKeys", r#""team""#, true),
        ("StringNotEquals", "aws:TagKeys", r#""team""#, false),
        ("StringNotEquals", "aws:TagKeys", r#""x""#, true),
        ("Null", "aws:TagKeys", "false", true),
    ]);
}

#[test]
fn operators_and_keys_all_have_to_hold() {
    assert!(holds(r#"{"StringEquals": {"aws:username": "alice", "aws:bool": "true"}, "Bool": {"aws:bool": true}}"#));
    assert!(!holds(r#"{"StringEquals": {"aws:username": "alice", "aws:bool": "false"}}"#));
    assert!(!holds(r#"{"StringEquals": {"aws:username": "alice"}, "Bool": {"aws:bool": false}}"#));
    assert!(holds("{}"));
}

#[test]
fn what_is_no_condition() {
    let table = [
        (r#""x""#, "Syntax errors in policy: Condition is no object."),
        (r#"{"StringEquals": "x"}"#, "Syntax errors in policy: StringEquals is no object."),
        (r#"{"stringequals": {"aws:a": "x"}}"#, "Invalid Condition type : stringequals."),
        (r#"{"NullIfExists": {"aws:a": "x"}}"#, "Invalid Condition type : NullIfExists."),
        (
            r#"{"StringEquals": {"username": "x"}}"#,
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: \"username\"",
        ),
        (r#"{"NumericEquals": {"aws:a": "x"}}"#, "Invalid value \"x\" for condition operator NumericEquals."),
        (r#"{"NumericEquals": {"aws:a": "inf"}}"#, "Invalid value \"inf\" for condition operator NumericEquals."),
        (r#"{"Bool": {"aws:a": "yes"}}"#, "Invalid value \"yes\" for condition operator Bool."),
        (r#"{"DateEquals": {"aws:a": "soon"}}"#, "Invalid value \"soon\" for condition operator DateEquals."),
        (r#"{"IpAddress": {"aws:a": "1.2.3.4/33"}}"#, "Invalid value \"1.2.3.4/33\" for condition operator IpAddress."),
        (r#"{"BinaryEquals": {"aws:a": "?"}}"#, "Invalid value \"?\" for condition operator BinaryEquals."),
        (r#"{"StringLike": {"aws:a": "${x"}}"#, "Invalid policy variable in \"${x\"."),
        (
            r#"{"StringEquals": {"aws:a": {"b": 1}}}"#,
            "Syntax errors in policy: a condition's value is neither text, number nor boolean.",
        ),
    ];
    for (condition, message) in table {
        let error = read(&json::read(condition).unwrap(), true).unwrap_err();
        assert_eq!(error.to_string(), message, "{condition}");
    }
}
