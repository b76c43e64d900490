//! The protocols, for every operation that is served: what is written is read back the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;
#[path = "support/typed.rs"]
mod typed;

use berth_aws::protocol::{Fault, Form, Protocol, json, parse_json, parse_query, query, render_result, validate, xml};
use proptest::prelude::*;
use serde_json::Value;
use support::example::trees;
use support::{SERVICES, operations};
use typed::TYPED;

#[test]
fn every_operation_that_is_listed_is_served() {
    let count = |list: &str| list.lines().filter(|line| !line.starts_with('#')).count();
    let lists = [
        include_str!("../src/iam/operations.txt"),
        include_str!("../src/sts/operations.txt"),
        include_str!("../src/ecr/operations.txt"),
    ];
    for (service, list) in SERVICES.iter().zip(lists) {
        assert_eq!(service.operations.len(), count(list), "{}", service.name);
        assert!(service.operations.is_sorted_by_key(|operation| operation.name), "{}", service.name);
    }
}

#[test]
fn requests_come_back_from_forms() {
    for (service, operation) in operations().filter(|(service, _)| is_query(service.protocol)) {
        for tree in trees(operation.input) {
            let body = query::build_request(service, operation, &tree).unwrap();
            let form = Form::parse(body.as_bytes()).unwrap();
            let found = query::operation(service, &form).unwrap();
            assert_eq!(found.name, operation.name);
            assert_eq!(parse_query::<Value>(found, &form).unwrap(), tree, "{} {body}", operation.name);
        }
    }
}

#[test]
fn requests_come_back_from_json() {
    for (_, operation) in operations() {
        for tree in trees(operation.input) {
            let body = json::build_request(operation, &tree).unwrap();
            assert_eq!(parse_json::<Value>(operation, body.as_bytes()).unwrap(), tree, "{} {body}", operation.name);
        }
    }
}

#[test]
fn answers_come_back() {
    for (service, operation) in operations() {
        let trees = operation.output.map_or_else(|| vec![Value::Null], trees);
        for tree in trees.iter().filter(|_| is_query(service.protocol)) {
            let text = render_result(service, operation, tree, "an id").unwrap();
            assert_eq!(&xml::parse_result::<Value>(operation, text.as_bytes()).unwrap(), tree, "{text}");
        }
        for tree in trees.iter().filter(|tree| !tree.is_null()) {
            let text = json::render_json(operation, tree).unwrap();
            assert_eq!(&json::parse_result::<Value>(operation, text.as_bytes()).unwrap(), tree, "{text}");
        }
    }
}

#[test]
fn faults_come_back() {
    for (service, operation) in operations() {
        for error in operation.errors {
            let message = "no <user> & \"group\"\r\n".to_owned();
            let fault = error.fault(message);
            if is_query(service.protocol) {
                let text = xml::render_fault(service, &fault, "an id");
                assert_eq!(xml::parse_fault(text.as_bytes()), Ok((fault, Some("an id".to_owned()))));
            } else {
                let text = json::render_fault(&fault);
                assert_eq!(json::parse_fault(text.as_bytes(), error.http_status), Ok(fault));
            }
        }
    }
}

#[test]
fn the_structures_of_rust_hold_what_the_shapes_do() {
    assert_eq!(TYPED.len(), operations().count());
    for ((service, operation), typed) in operations().zip(TYPED) {
        assert_eq!((service.name, operation.name), (typed.service, typed.operation));
        for tree in trees(operation.input) {
            assert_eq!((typed.input)(tree.clone()).unwrap(), tree, "{}", operation.name);
        }
        assert_eq!(operation.output.is_some(), typed.output.is_some());
        for (shape, output) in operation.output.into_iter().zip(typed.output) {
            for tree in trees(shape) {
                assert_eq!(output(tree.clone()).unwrap(), tree, "{}", operation.name);
            }
        }
    }
}

#[test]
fn what_is_required_is_missed() {
    for (service, operation) in operations().filter(|(service, _)| is_query(service.protocol)) {
        for member in operation.input.members().iter().filter(|member| member.required) {
            let mut tree = trees(operation.input).remove(0);
            tree.as_object_mut().unwrap().remove(member.name);
            let body = query::build_request(service, operation, &tree).unwrap();
            let refused = parse_query::<Value>(operation, &Form::parse(body.as_bytes()).unwrap()).unwrap_err();
            let message = refused.to_string();
            assert!(message.ends_with("failed to satisfy constraint: Member must not be null"), "{message}");
            assert_eq!(refused.code(service.protocol), "ValidationError");
        }
    }
}

fn is_query(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Query { .. })
}

/// Parameters that are nearly those of an operation, and others.
fn forms() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "(Tags|Path|UserName|PolicyInputList|ContextEntries|Policy|MaxItems|DurationSeconds|Action|Version|TagKeys)",
        Just("member".to_owned()),
        "(Key|Value|ContextKeyValues|ContextKeyName|arn|entry|key|value)",
        "[0-9]{1,12}",
        "[a-z%+.]{0,3}",
    ];
    let path = prop::collection::vec(name, 1..6).prop_map(|parts| parts.join("."));
    let pair = (path, "[a-zA-Z0-9%+=]{0,6}").prop_map(|(path, value)| format!("{path}={value}"));
    prop::collection::vec(pair, 0..12).prop_map(|pairs| pairs.join("&"))
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, operation) in operations() {
            if let Ok(form) = Form::parse(&bytes) {
                let _ = parse_query::<Value>(operation, &form);
            }
            let _ = parse_json::<Value>(operation, &bytes);
            let _ = xml::parse_result::<Value>(operation, &bytes);
        }
        let _ = xml::parse_fault(&bytes);
        let _ = json::parse_fault(&bytes, 400);
    }

    #[test]
    fn what_is_read_from_a_form_is_written_and_read_again(text in forms()) {
        let Ok(form) = Form::parse(text.as_bytes()) else { return Ok(()) };
        for (service, operation) in operations().filter(|(service, _)| is_query(service.protocol)) {
            if let Ok(tree) = query::read_tree(operation, &form) {
                let _ = validate(operation.input, &tree);
                let again = query::build_request(service, operation, &tree).unwrap();
                let again = query::read_tree(operation, &Form::parse(again.as_bytes()).unwrap()).unwrap();
                // A structure without members cannot be written in a form; nothing else may be lost.
                if !has_empty_structure(&tree) {
                    prop_assert_eq!(again, tree);
                }
            }
        }
    }

    #[test]
    fn any_text_survives_xml(message in any::<String>(), id in "[ -~]*") {
        let fault = Fault { sender: true, code: "Code".to_owned(), message };
        let text = xml::render_fault(SERVICES[0], &fault, &id);
        let (read, _) = xml::parse_fault(text.as_bytes()).unwrap();
        let kept = |c: char| matches!(c, '\t' | '\n' | '\r') || !(c < ' ' || c == '\u{fffe}' || c == '\u{ffff}');
        let expected: String = fault.message.chars().map(|c| if kept(c) { c } else { '\u{fffd}' }).collect();
        prop_assert_eq!(read.message, expected);
    }
}

fn has_empty_structure(tree: &Value) -> bool {
    match tree {
        Value::Object(values) => values
            .values()
            .any(|value| value.as_object().is_some_and(serde_json::Map::is_empty) || has_empty_structure(value)),
        Value::Array(values) => values
            .iter()
            .any(|value| value.as_object().is_some_and(serde_json::Map::is_empty) || has_empty_structure(value)),
        _ => false,
    }
}
