//! The shapes of services as data: what the generated modules fill in, and what reading and writing goes by.
//!
//! They follow the service models of AWS, whose terms they keep.

use super::{Fault, Pattern};

/// One service of AWS.
#[derive(Debug)]
pub struct Service {
    /// Its id in the model, such as `IAM`.
    pub name: &'static str,
    /// The date that names this version of its API, such as `2010-05-08`.
    pub version: &'static str,
    /// How requests and answers look.
    pub protocol: Protocol,
    /// The operations that are served, sorted by name.
    pub operations: &'static [&'static Operation],
}

/// How requests and answers look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A form, answered in XML.
    Query {
        /// The namespace of answers.
        xml_namespace: &'static str,
    },
    /// JSON both ways; the operation is named by the header `X-Amz-Target`.
    Json11 {
        /// What precedes the operation's name in that header, without the dot.
        target_prefix: &'static str,
    },
}

/// One operation of a service.
#[derive(Debug)]
pub struct Operation {
    /// Its name, such as `CreateUser`.
    pub name: &'static str,
    /// A structure, which may be empty.
    pub input: &'static Shape,
    /// A structure; none where the operation answers nothing.
    pub output: Option<&'static Shape>,
    /// The element that wraps the output in XML, such as `CreateUserResult`.
    pub result_wrapper: Option<&'static str>,
    /// The errors that the operation declares, sorted as the model does.
    pub errors: &'static [&'static ErrorShape],
}

/// An error that operations declare.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorShape {
    /// The shape's name, such as `NoSuchEntityException`.
    pub name: &'static str,
    /// The code on the wire, such as `NoSuchEntity`.
    pub code: &'static str,
    /// The status of the answer.
    pub http_status: u16,
    /// Whether the caller is to blame.
    pub sender: bool,
}

/// The form of a value.
#[derive(Debug)]
pub struct Shape {
    /// Its name in the model.
    pub name: &'static str,
    /// What it is made of.
    pub kind: Kind,
}

/// What a value is made of. Bounds are inclusive; those of texts count characters, those of blobs bytes.
#[derive(Debug)]
pub enum Kind {
    /// Named members.
    Structure {
        /// In the order of the model.
        members: &'static [Member],
        /// Whether one of them is there, and no more.
        union: bool,
    },
    /// Values of one shape.
    List {
        /// The shape of each element.
        member: &'static Shape,
        /// The name of each element on the wire.
        member_name: &'static str,
        /// Whether elements stand where the list would.
        flattened: bool,
        /// Fewest elements.
        min: Option<u64>,
        /// Most elements.
        max: Option<u64>,
    },
    /// Values of one shape by key.
    Map {
        /// The shape of keys: a string.
        key: &'static Shape,
        /// The shape of values.
        value: &'static Shape,
        /// The name of keys on the wire.
        key_name: &'static str,
        /// The name of values on the wire.
        value_name: &'static str,
        /// Whether entries stand where the map would.
        flattened: bool,
        /// Fewest entries.
        min: Option<u64>,
        /// Most entries.
        max: Option<u64>,
    },
    /// A text.
    String {
        /// Shortest length.
        min: Option<u64>,
        /// Greatest length.
        max: Option<u64>,
        /// What the whole text must match.
        pattern: Option<Pattern>,
        /// The values that there are; empty where any may be.
        enumeration: &'static [&'static str],
        /// Whether it must not be shown.
        sensitive: bool,
    },
    /// A whole number of 32 bits.
    Integer {
        /// Least value.
        min: Option<i64>,
        /// Greatest value.
        max: Option<i64>,
    },
    /// A whole number of 64 bits.
    Long {
        /// Least value.
        min: Option<i64>,
        /// Greatest value.
        max: Option<i64>,
    },
    /// Yes or no.
    Boolean,
    /// A number with a fraction.
    Double,
    /// A point in time.
    Timestamp,
    /// Bytes.
    Blob {
        /// Shortest length.
        min: Option<u64>,
        /// Greatest length.
        max: Option<u64>,
        /// Whether it must not be shown.
        sensitive: bool,
    },
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Its name in the model and in JSON.
    pub name: &'static str,
    /// Its name in forms and XML.
    pub wire_name: &'static str,
    /// Its shape.
    pub shape: &'static Shape,
    /// Whether it may not be left out.
    pub required: bool,
}

impl Service {
    /// The operation of this name, if it is served.
    pub fn operation(&self, name: &str) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.name == name).copied()
    }
}

impl Operation {
    /// The declared error of this shape name or code.
    pub fn error(&self, name: &str) -> Option<&'static ErrorShape> {
        self.errors.iter().find(|error| error.name == name || error.code == name).copied()
    }
}

impl ErrorShape {
    /// The error with what went wrong, for people.
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { sender: self.sender, code: self.code.to_owned(), message: message.into() }
    }
}

impl Shape {
    /// The members of a structure; none of anything else.
    pub fn members(&self) -> &'static [Member] {
        match self.kind {
            Kind::Structure { members, .. } => members,
            _ => &[],
        }
    }

    /// Whether its values must not be shown.
    pub fn is_sensitive(&self) -> bool {
        matches!(self.kind, Kind::String { sensitive: true, .. } | Kind::Blob { sensitive: true, .. })
    }

    /// What such a value is called in errors.
    pub(super) fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Structure { .. } => "structure",
            Kind::List { .. } => "list",
            Kind::Map { .. } => "map",
            Kind::String { .. } => "String",
            Kind::Integer { .. } => "Integer",
            Kind::Long { .. } => "Long",
            Kind::Boolean => "Boolean",
            Kind::Double => "Double",
            Kind::Timestamp => "Timestamp",
            Kind::Blob { .. } => "Blob",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn collect(shape: &'static Shape, found: &mut BTreeMap<(usize, &'static str), &'static Shape>) {
        if found.insert((std::ptr::from_ref(shape).addr(), shape.name), shape).is_some() {
            return;
        }
        match &shape.kind {
            Kind::Structure { members, .. } => members.iter().for_each(|member| collect(member.shape, found)),
            Kind::List { member, .. } => collect(member, found),
            Kind::Map { key, value, .. } => [*key, *value].into_iter().for_each(|part| collect(part, found)),
            _ => {}
        }
    }

    #[test]
    fn every_pattern_compiles() {
        let mut shapes = BTreeMap::new();
        for service in [&crate::iam::IAM, &crate::sts::STS, &crate::ecr::ECR] {
            for operation in service.operations {
                collect(operation.input, &mut shapes);
                operation.output.into_iter().for_each(|output| collect(output, &mut shapes));
            }
        }
        let patterns = shapes.values().filter_map(|shape| match &shape.kind {
            Kind::String { pattern, .. } => pattern.as_ref().map(|pattern| (shape.name, pattern)),
            _ => None,
        });
        let patterns: Vec<_> = patterns.collect();
        assert!(patterns.len() > 30, "{}", patterns.len());
        for (name, pattern) in patterns {
            assert!(pattern.compiles(), "{name}: {}", pattern.source());
        }
    }

    #[test]
    fn operations_and_errors_are_found() {
        let operation = crate::iam::IAM.operation("GetUser").unwrap();
        let error = operation.error("NoSuchEntity").unwrap();
        assert_eq!((error.name, error.http_status, error.sender), ("NoSuchEntityException", 404, true));
        assert_eq!(operation.error("NoSuchEntityException"), Some(error));
        assert!(crate::iam::IAM.operation("getuser").is_none() && operation.error("Other").is_none());
    }
}
