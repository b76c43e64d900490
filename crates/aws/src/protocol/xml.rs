//! The XML answers of the Query protocol, for servers that write them and clients that read them.

mod element;
mod read;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Fault, Operation, Protocol, ProtocolError, Service};
use element::Element;

/// Writes the answer of an operation. Where it answers nothing, `output` is not looked at and may be `()`.
/// Characters that XML 1.0 cannot hold become U+FFFD.
pub fn render_result<T: Serialize>(
    service: &Service,
    operation: &Operation,
    output: &T,
    request_id: &str,
) -> Result<String, ProtocolError> {
    let mut result = String::new();
    if let Some(shape) = operation.output {
        let tree = super::json::to_tree(output)?;
        let mut members = String::new();
        write::members(shape, &tree, &mut members);
        result = write::wrap(operation.result_wrapper, &members);
    }
    let id = write::element("RequestId", &write::escape(request_id));
    let body = format!("{result}{}", write::element("ResponseMetadata", &id));
    Ok(write::root(&format!("{}Response", operation.name), namespace(service), &body))
}

/// Writes the answer that something went wrong.
pub fn render_fault(service: &Service, fault: &Fault, request_id: &str) -> String {
    let kind = if fault.sender { "Sender" } else { "Receiver" };
    let parts = [("Type", kind), ("Code", &fault.code), ("Message", &fault.message)];
    let parts: String = parts.iter().map(|(name, text)| write::element(name, &write::escape(text))).collect();
    let id = write::element("RequestId", &write::escape(request_id));
    write::root("ErrorResponse", namespace(service), &format!("{}{id}", write::element("Error", &parts)))
}

fn namespace(service: &Service) -> &'static str {
    match service.protocol {
        Protocol::Query { xml_namespace } => xml_namespace,
        Protocol::Json11 { .. } => "",
    }
}

/// Reads an answer; `T` may be `()` where the operation answers nothing.
pub fn parse_result<T: DeserializeOwned>(operation: &Operation, xml: &[u8]) -> Result<T, ProtocolError> {
    let root = Element::parse(xml)?;
    if root.name != format!("{}Response", operation.name) {
        return Err(ProtocolError::Answer(format!("not of {}", operation.name)));
    }
    let Some(shape) = operation.output else { return super::json::from_answer(Value::Null) };
    let result = operation.result_wrapper.map_or(Some(&root), |wrapper| root.child(wrapper));
    let tree = result.map_or_else(|| Ok(json!({})), |result| read::tree(shape, result))?;
    super::json::from_answer(tree)
}

/// Reads the answer that something went wrong, and the request's id where there is one.
pub fn parse_fault(xml: &[u8]) -> Result<(Fault, Option<String>), ProtocolError> {
    let root = Element::parse(xml)?;
    let error = root.child("Error").ok_or_else(|| ProtocolError::Answer("no error".to_owned()))?;
    let text = |name: &str| error.child(name).map(|child| child.text.clone()).unwrap_or_default();
    let fault = Fault { sender: text("Type") != "Receiver", code: text("Code"), message: text("Message") };
    Ok((fault, root.child("RequestId").map(|id| id.text.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::IAM;
    use crate::iam::shapes::{CreateUserResponse, ListUsersResponse, User};
    use crate::protocol::Timestamp;

    const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

    fn answer<T: Serialize>(name: &str, output: &T) -> String {
        render_result(&IAM, IAM.operation(name).unwrap(), output, "7a62c49f").unwrap()
    }

    fn alice() -> User {
        User {
            path: "/".to_owned(),
            user_name: "alice".to_owned(),
            create_date: Timestamp(1_795_860_000_000),
            tags: Some(Vec::new()),
            ..User::default()
        }
    }

    #[test]
    fn answers_look_like_those_of_iam() {
        let metadata = "<ResponseMetadata><RequestId>7a62c49f</RequestId></ResponseMetadata>";
        assert_eq!(
            answer("CreateUser", &CreateUserResponse { user: Some(alice()) }),
            format!(
                "<CreateUserResponse xmlns=\"{NAMESPACE}\"><CreateUserResult><User><Path>/</Path><UserName>alice</UserName>\
                 <UserId/><Arn/><CreateDate>2026-11-28T10:00:00Z</CreateDate><Tags/></User></CreateUserResult>{metadata}\
                 </CreateUserResponse>"
            )
        );
        assert_eq!(
            answer("ListUsers", &ListUsersResponse { is_truncated: Some(false), ..ListUsersResponse::default() }),
            format!(
                "<ListUsersResponse xmlns=\"{NAMESPACE}\"><ListUsersResult><Users/><IsTruncated>false</IsTruncated>\
                 </ListUsersResult>{metadata}</ListUsersResponse>"
            )
        );
        assert_eq!(
            answer("DeleteUser", &()),
            format!("<DeleteUserResponse xmlns=\"{NAMESPACE}\">{metadata}</DeleteUserResponse>")
        );
    }

    #[test]
    fn faults_look_like_those_of_iam() {
        let fault = Fault { sender: true, code: "NoSuchEntity".to_owned(), message: "no <user>".to_owned() };
        assert_eq!(
            render_fault(&IAM, &fault, "7a62c49f"),
            format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>NoSuchEntity</Code>\
                 <Message>no &lt;user&gt;</Message></Error><RequestId>7a62c49f</RequestId></ErrorResponse>"
            )
        );
    }

    #[test]
    fn answers_are_read_as_clients_need_them() {
        let operation = IAM.operation("CreateUser").unwrap();
        let text = "<?xml version=\"1.0\"?>\n<a:CreateUserResponse xmlns:a=\"x\"><!-- c -->\n <CreateUserResult> <User>\
                    <Path>/</Path><UserName>a<![CDATA[<]]>&#108;&apos;</UserName><UserId/><Arn></Arn><More>1</More>\
                    <CreateDate>2026-11-28T10:00:00Z</CreateDate><Tags/></User></CreateUserResult></a:CreateUserResponse>\n";
        let read: CreateUserResponse = parse_result(operation, text.as_bytes()).unwrap();
        assert_eq!(read, CreateUserResponse { user: Some(User { user_name: "a<l'".to_owned(), ..alice() }) });
        assert_eq!(
            parse_result::<()>(IAM.operation("DeleteUser").unwrap(), answer("DeleteUser", &()).as_bytes()),
            Ok(())
        );
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let operation = IAM.operation("CreateUser").unwrap();
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        for bad in [
            "",
            "<",
            "text",
            "<CreateUserResponse>",
            "<DeleteUserResponse/>",
            "<CreateUserResponse/><CreateUserResponse/>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><CreateUserResponse/>",
            "<CreateUserResponse>&b;</CreateUserResponse>",
            "<CreateUserResponse><CreateUserResult><User><CreateDate>now</CreateDate></User></CreateUserResult></CreateUserResponse>",
            "<CreateUserResponse><CreateUserResult><User><Path>/</Path></User></CreateUserResult></CreateUserResponse>",
            &deep,
        ] {
            let read: Result<CreateUserResponse, _> = parse_result(operation, bad.as_bytes());
            assert!(matches!(read, Err(ProtocolError::Answer(_))), "{bad}: {read:?}");
        }
        assert!(parse_fault(b"<CreateUserResponse/>").is_err() && parse_fault(b"\xff").is_err());
    }
}
