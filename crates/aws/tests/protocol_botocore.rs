//! botocore, the library below the AWS command line, writes requests that are read here and reads answers that are
//! written here. `cargo test -p berth-aws --test protocol_botocore` runs it, with the Python of the tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::disallowed_methods)]

mod support;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use berth_aws::protocol::{
    Form, Operation, Protocol, Service, json as wire_json, parse_json, parse_query, query, render_result, xml,
};
use serde_json::{Value, json};
use support::example::trees;
use support::operations;

/// The Python that `tests/install` makes.
fn python() -> PathBuf {
    let set = std::env::var_os("BERTH_TEST_CACHE").map(PathBuf::from);
    let cache = set.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/berth"));
    cache.join("venv/bin/python")
}

/// Asks botocore: an answer for each question.
fn ask(questions: &[Value]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/protocol/botocore_parser.py");
    let mut child = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tests' Python: tests/install/20-python.sh");
    let lines: Vec<String> = questions.iter().map(ToString::to_string).collect();
    child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    let answers: Vec<Value> =
        String::from_utf8(done.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

fn question(does: &str, service: &Service, operation: &Operation) -> Value {
    json!({ "do": does, "service": service.name.to_lowercase(), "operation": operation.name })
}

#[test]
fn requests_of_botocore_are_read() {
    let cases: Vec<_> =
        operations().flat_map(|(service, o)| trees(o.input).into_iter().map(move |tree| (service, o, tree))).collect();
    let questions: Vec<Value> = cases
        .iter()
        .map(|(service, operation, tree)| {
            let mut question = question("serialize", service, operation);
            question["input"] = tree.clone();
            question
        })
        .collect();
    for ((service, operation, tree), answer) in cases.iter().zip(ask(&questions)) {
        let body = answer["body"].as_str().unwrap_or_else(|| panic!("{}: {answer}", operation.name));
        let read: Value = if let Protocol::Query { .. } = service.protocol {
            let form = Form::parse(body.as_bytes()).unwrap();
            parse_query(query::operation(service, &form).unwrap(), &form).unwrap()
        } else {
            let found = wire_json::operation(service, answer["target"].as_str().unwrap()).unwrap();
            parse_json(found, body.as_bytes()).unwrap()
        };
        assert_eq!(&read, tree, "{} {body}", operation.name);
    }
}

#[test]
fn answers_are_read_by_botocore() {
    let cases: Vec<_> = operations()
        .flat_map(|(service, operation)| {
            let trees = operation.output.map_or_else(|| vec![json!({})], trees);
            trees.into_iter().map(move |tree| (service, operation, tree))
        })
        .collect();
    let questions: Vec<Value> = cases
        .iter()
        .map(|(service, operation, tree)| {
            let mut question = question("parse", service, operation);
            question["status"] = json!(200);
            question["body"] = json!(match service.protocol {
                Protocol::Query { .. } => render_result(service, operation, tree, "an id").unwrap(),
                Protocol::Json11 { .. } => wire_json::render_json(operation, tree).unwrap(),
            });
            question
        })
        .collect();
    for ((service, operation, tree), answer) in cases.iter().zip(ask(&questions)) {
        assert_eq!(&answer["result"], tree, "{}: {answer}", operation.name);
        if let Protocol::Query { .. } = service.protocol {
            assert_eq!(answer["request_id"], "an id", "{}", operation.name);
        }
    }
}

#[test]
fn faults_are_read_by_botocore() {
    let cases: Vec<_> = operations().flat_map(|(s, o)| o.errors.iter().map(move |error| (s, o, *error))).collect();
    let message = "no <user> & \"group\"";
    let questions: Vec<Value> = cases
        .iter()
        .map(|(service, operation, error)| {
            let fault = error.fault(message);
            let mut question = question("parse", service, operation);
            question["status"] = json!(error.http_status);
            question["body"] = json!(match service.protocol {
                Protocol::Query { .. } => xml::render_fault(service, &fault, "an id"),
                Protocol::Json11 { .. } => wire_json::render_fault(&fault),
            });
            question
        })
        .collect();
    for ((_, operation, error), answer) in cases.iter().zip(ask(&questions)) {
        assert_eq!(answer["error"]["Code"], error.code, "{}: {answer}", operation.name);
        assert_eq!(answer["error"]["Message"], message, "{}: {answer}", operation.name);
    }
}
