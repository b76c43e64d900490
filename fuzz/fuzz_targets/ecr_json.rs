//! Any body is read or refused by every operation of ECR; what was read is no larger than the body, and is read again from what
//! is written of it.
#![no_main]

use berth_aws::ecr::ECR;
use berth_aws::protocol::{json, parse_json};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    for operation in ECR.operations {
        let Ok(tree) = json::read_tree(operation, bytes) else { continue };
        assert!(values(&tree) <= bytes.len() + 1);
        // A valid input is one that clients could write.
        if let Ok(input) = parse_json::<Value>(operation, bytes) {
            let written = json::build_request(operation, &input).unwrap();
            assert_eq!(parse_json::<Value>(operation, written.as_bytes()), Ok(input));
        }
    }
});

/// How many values a tree is made of.
fn values(tree: &Value) -> usize {
    match tree {
        Value::Array(list) => 1 + list.iter().map(values).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(values).sum::<usize>(),
        _ => 1,
    }
}
