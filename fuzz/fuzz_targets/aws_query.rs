//! Any form is read or refused by every operation, and what was read is read again from what is written of it.
#![no_main]

use berth_aws::iam::IAM;
use berth_aws::protocol::{Form, parse_query, query};
use berth_aws::sts::STS;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(form) = Form::parse(bytes) else { return };
    for service in [&IAM, &STS] {
        let _ = query::operation(service, &form);
        for operation in service.operations {
            // A valid input is one that clients could write.
            if let Ok(input) = parse_query::<Value>(operation, &form) {
                let written = query::build_request(service, operation, &input).unwrap();
                let again = Form::parse(written.as_bytes()).unwrap();
                assert!(query::read_tree(operation, &again).is_ok());
            }
        }
    }
});
