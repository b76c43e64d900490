use super::*;

/// A model with what the generator has to look at.
const MODEL: &str = r#"{
    "metadata": {
        "apiVersion": "2026-01-01", "serviceId": "Try", "protocol": "query", "xmlNamespace": "https://example.org/"
    },
    "operations": {
        "Give": {
            "input": { "shape": "GiveRequest" },
            "output": { "shape": "GiveResponse", "resultWrapper": "GiveResult" },
            "errors": [{ "shape": "NoneException" }, { "shape": "LostException" }]
        },
        "Ask": {},
        "Hide": { "input": { "shape": "Unknown" } }
    },
    "shapes": {
        "GiveRequest": {
            "type": "structure", "required": ["Type"],
            "members": { "Type": { "shape": "kind" }, "Secret": { "shape": "secret" }, "Flat": { "shape": "flat" } }
        },
        "GiveResponse": { "type": "structure", "members": { "Tree": { "shape": "tree" }, "At": { "shape": "time" } } },
        "tree": {
            "type": "structure",
            "members": { "Below": { "shape": "tree" }, "All": { "shape": "trees", "locationName": "all" } }
        },
        "trees": { "type": "list", "member": { "shape": "tree" }, "max": 10000 },
        "flat": { "type": "list", "flattened": true, "member": { "shape": "kind", "locationName": "One" } },
        "kind": { "type": "string", "enum": ["A", "B"] },
        "secret": { "type": "string", "pattern": "\\d+", "min": 1, "max": 9, "sensitive": true },
        "time": { "type": "timestamp" },
        "NoneException": {
            "type": "structure", "error": { "code": "None", "httpStatusCode": 404, "senderFault": true }
        },
        "LostException": { "type": "structure", "fault": true }
    }
}"#;

fn model(served: &[&str]) -> Model {
    let served: Vec<String> = served.iter().map(|name| (*name).to_owned()).collect();
    Model::parse(MODEL.as_bytes(), "try", &served).unwrap()
}

fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn lists_are_sorted_and_may_have_comments() {
    assert_eq!(served("# a\n\nGetUser\n  CreateUser \nGetUser\n"), ["CreateUser", "GetUser"]);
}

#[test]
fn structures_become_those_of_rust() {
    let model = model(&["Ask", "Give"]);
    let requests = structures::file(&model, structures::Role::Request).unwrap();
    holds(
        &requests,
        &[
            "use crate::protocol::Sensitive;",
            "pub struct AskRequest {}",
            "/// `Type`: `A` or `B`, required.\n#[serde(rename = \"Type\")]\npub r#type: String,",
            "pub secret: Option<Sensitive>,",
            "pub flat: Option<Vec<String>>,",
        ],
    );
    let responses = structures::file(&model, structures::Role::Response).unwrap();
    holds(&responses, &["use super::Tree;", "pub tree: Option<Tree>,", "pub at: Option<Timestamp>,"]);
    let nested = structures::file(&model, structures::Role::Nested).unwrap();
    holds(&nested, &["pub below: Option<Box<Tree>>,", "pub all: Option<Vec<Tree>>,"]);
}

#[test]
fn shapes_become_a_schema() {
    let schema = schema::file(&model(&["Ask", "Give"])).unwrap();
    holds(
        &schema,
        &[
            "static ASK_REQUEST: Shape = Shape { name: \"AskRequest\", kind: Kind::Structure { members: &[]",
            "Member { name: \"All\", wire_name: \"all\", shape: &TREES, required: false }",
            "Member { name: \"Flat\", wire_name: \"One\", shape: &FLAT, required: false }",
            "min: Some(1), max: Some(9), pattern: Some(Pattern::new(r\"\\d+\")), enumeration: &[], sensitive: true",
            "max: Some(10_000)",
        ],
    );
}

#[test]
fn operations_have_errors() {
    let model = model(&["Give"]);
    let errors = operations::errors(&model).unwrap();
    holds(
        &errors,
        &[
            "name: \"NoneException\", code: \"None\", http_status: 404, sender: true",
            "name: \"LostException\", code: \"LostException\", http_status: 500, sender: false",
        ],
    );
    let operations = operations::file(&model).unwrap();
    holds(
        &operations,
        &["result_wrapper: Some(\"GiveResult\"), errors: &[&errors::NONE_EXCEPTION,&errors::LOST_EXCEPTION,]"],
    );
    assert!(!operations.contains("ASK"), "{operations}");
    holds(
        &operations::module(&model),
        &["xml_namespace: \"https://example.org/\"", "operations: &[&operations::GIVE,]"],
    );
}

#[test]
fn what_is_not_known_is_told() {
    let parse = |text: &str| Model::parse(text.as_bytes(), "try", &["Give".to_owned()]);
    let unserved = Model::parse(MODEL.as_bytes(), "try", &["Fly".to_owned()]).err().unwrap();
    assert_eq!(unserved.to_string(), "try has no operation Fly");
    let odd = parse(&MODEL.replace("\"timestamp\"", "\"moment\"")).unwrap();
    assert!(schema::file(&odd).is_err() && structures::file(&odd, structures::Role::Response).is_err());
    assert!(operations::file(&parse(&MODEL.replace("\"query\"", "\"smoke\"")).unwrap()).is_err());
    assert!(schema::file(&model(&["Hide"])).is_err());
}
