//! The generated structures of Rust: one for each structure of the model.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;

use super::model::{Model, Reference, Shape};
use super::names::{distinct, field, literal, pascal};

/// What a structure is for, which decides the file that it is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Request,
    Response,
    Nested,
}

/// The structures of a role.
pub fn file(model: &Model, role: Role) -> Result<String, Box<dyn Error>> {
    let names = names(model)?;
    distinct(names.iter().map(|(name, _)| name), pascal)?;
    let mut text = String::new();
    for (name, _) in names.iter().filter(|(_, of)| *of == role) {
        text += &structure(model, name)?;
    }
    let about = match role {
        Role::Request => "Inputs of operations",
        Role::Response => "Outputs of operations",
        Role::Nested => "Structures within inputs and outputs",
    };
    let others: Vec<String> = names.iter().filter(|(_, of)| *of != role).map(|(name, _)| name.clone()).collect();
    Ok(format!("//! {about}.\n\n{}{text}", uses(&text, &others)))
}

pub fn has_nested(model: &Model) -> bool {
    names(model).is_ok_and(|names| names.iter().any(|(_, role)| *role == Role::Nested))
}

/// All structures with their roles, sorted by name.
fn names(model: &Model) -> Result<Vec<(String, Role)>, Box<dyn Error>> {
    let inputs: BTreeSet<String> = model.inputs().into_values().collect();
    let outputs = model.outputs();
    let mut names = model.reached()?;
    names.retain(|name| model.shape(name).is_ok_and(|shape| shape.kind == "structure"));
    names.extend(inputs.iter().cloned());
    let role = |name: &String| {
        if inputs.contains(name) {
            Role::Request
        } else if outputs.contains(name) {
            Role::Response
        } else {
            Role::Nested
        }
    };
    Ok(names.into_iter().map(|name| (name.clone(), role(&name))).collect())
}

fn uses(text: &str, others: &[String]) -> String {
    let list = |names: Vec<String>| if names.len() == 1 { names.concat() } else { format!("{{{}}}", names.join(", ")) };
    let mentioned = |names: &mut dyn Iterator<Item = String>| -> Vec<String> {
        names.filter(|name| mentions(text, name)).collect()
    };
    let mut lines = String::new();
    if text.contains("BTreeMap<") {
        lines += "use std::collections::BTreeMap;\n\n";
    }
    lines += "use serde::{Deserialize, Serialize};\n\n";
    let others = mentioned(&mut others.iter().map(|name| pascal(name)));
    let values = mentioned(&mut ["Blob", "Sensitive", "Timestamp"].into_iter().map(str::to_owned));
    if !others.is_empty() {
        lines += &["use super::", &list(others), ";\n"].concat();
    }
    if !values.is_empty() {
        lines += &["use crate::protocol::", &list(values), ";\n"].concat();
    }
    lines
}

fn mentions(text: &str, name: &str) -> bool {
    [": ", "<", ", "]
        .iter()
        .any(|before| [",", ">"].iter().any(|after| text.contains(&format!("{before}{name}{after}"))))
}

fn structure(model: &Model, name: &str) -> Result<String, Box<dyn Error>> {
    let mut fields = String::new();
    if let Ok(shape) = model.shape(name) {
        for (member, reference) in &shape.members.0 {
            fields += &one_field(model, name, shape, member, reference)?;
        }
    }
    let flags = fields.matches(": bool,").count() > 3;
    let bools =
        if flags { "#[allow(clippy::struct_excessive_bools, reason = \"so it is in the model\")]\n" } else { "" };
    Ok(format!(
        "\n/// The shape `{name}`.\n{bools}#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]\n\
         pub struct {} {{{fields}}}\n",
        pascal(name)
    ))
}

fn one_field(
    model: &Model,
    owner: &str,
    shape: &Shape,
    member: &str,
    reference: &Reference,
) -> Result<String, Box<dyn Error>> {
    let mut kind = rust_type(model, &reference.shape)?;
    let target = model.shape(&reference.shape)?;
    // A structure that holds itself, however far within, would have no size.
    if target.kind == "structure" && model.reach(vec![reference.shape.clone()])?.contains(owner) {
        kind = format!("Box<{kind}>");
    }
    let mut attributes = format!("rename = {}", literal(member));
    let required = shape.is_required(member);
    if !required {
        kind = format!("Option<{kind}>");
        attributes += ", default, skip_serializing_if = \"Option::is_none\"";
    }
    let mut text = String::new();
    writeln!(text, "\n/// `{member}`: {}{}.", about(model, target)?, if required { ", required" } else { "" })?;
    writeln!(text, "#[serde({attributes})]\npub {}: {kind},", field(member))?;
    Ok(text)
}

fn rust_type(model: &Model, name: &str) -> Result<String, Box<dyn Error>> {
    let shape = model.shape(name)?;
    let of = |part: &Option<Reference>| match part {
        Some(part) => rust_type(model, &part.shape),
        None => Err(format!("{name} lacks a part").into()),
    };
    Ok(match shape.kind.as_str() {
        "structure" => pascal(name),
        "list" => format!("Vec<{}>", of(&shape.member)?),
        "map" => format!("BTreeMap<String, {}>", of(&shape.value)?),
        "string" if shape.sensitive => "Sensitive".to_owned(),
        "string" => "String".to_owned(),
        "integer" => "i32".to_owned(),
        "long" => "i64".to_owned(),
        "boolean" => "bool".to_owned(),
        "double" => "f64".to_owned(),
        "timestamp" => "Timestamp".to_owned(),
        "blob" => "Blob".to_owned(),
        other => return Err(format!("{name} is of the type {other}, which is not known").into()),
    })
}

/// A shape in few words, for the documentation of a field.
fn about(model: &Model, shape: &Shape) -> Result<String, Box<dyn Error>> {
    let bounds = match (&shape.min, &shape.max) {
        (Some(min), Some(max)) => format!(", {min} to {max}"),
        (Some(min), None) => format!(", at least {min}"),
        (None, Some(max)) => format!(", at most {max}"),
        (None, None) => String::new(),
    };
    Ok(match shape.kind.as_str() {
        "string" if !shape.enumeration.is_empty() => {
            let values: Vec<String> = shape.enumeration.iter().map(|value| format!("`{value}`")).collect();
            if values.len() > 6 { format!("one of {} words", values.len()) } else { values.join(" or ") }
        }
        "string" if bounds.is_empty() => "a text".to_owned(),
        "string" => format!("a text{bounds} characters"),
        "list" => {
            let member = shape.member.as_ref().ok_or("a list without member")?;
            let words = if model.shape(&member.shape)?.kind == "string" { "texts" } else { "structures" };
            if bounds.is_empty() { format!("a list of {words}") } else { format!("a list of {words}{bounds}") }
        }
        "integer" | "long" => format!("a whole number{bounds}"),
        "boolean" => "a truth value".to_owned(),
        "timestamp" => "a time".to_owned(),
        "blob" => format!("bytes{bounds}"),
        other => format!("a {other}"),
    })
}
