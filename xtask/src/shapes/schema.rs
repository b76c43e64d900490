//! The generated schema: one constant for each shape.

use std::error::Error;
use std::fmt::Write as _;

use super::model::{Model, Reference, Shape};
use super::names::{constant, distinct, literal, number};

pub fn file(model: &Model) -> Result<String, Box<dyn Error>> {
    let reached = model.reached()?;
    let made_up: Vec<String> = model.inputs().into_values().filter(|name| model.shape(name).is_err()).collect();
    distinct(reached.iter().chain(&made_up), constant)?;
    let mut text = String::new();
    for name in &made_up {
        text += &definition(name, "Kind::Structure { members: &[], union: false }");
    }
    for name in &reached {
        text += &definition(name, &kind(model, model.shape(name)?)?);
    }
    let pattern = if text.contains("Pattern::new") { "Pattern, " } else { "" };
    let member = if text.contains("Member {") { "Member, " } else { "" };
    Ok(format!(
        "//! What reading and writing goes by.\n\nuse crate::protocol::{{Kind, {member}{pattern}Shape}};\n{text}"
    ))
}

fn definition(name: &str, kind: &str) -> String {
    format!("\npub(super) static {}: Shape = Shape {{ name: {}, kind: {kind} }};\n", constant(name), literal(name))
}

fn kind(model: &Model, shape: &Shape) -> Result<String, Box<dyn Error>> {
    let (min, max) = (optional(shape.min.as_ref()), optional(shape.max.as_ref()));
    let bounds = format!("min: {min}, max: {max}");
    Ok(match shape.kind.as_str() {
        "structure" => format!("Kind::Structure {{ members: &[{}], union: {} }}", members(model, shape)?, shape.union),
        "list" => {
            let member = shape.member.as_ref().ok_or("a list without member")?;
            format!(
                "Kind::List {{ member: {}, member_name: {}, flattened: {}, {bounds} }}",
                reference(member),
                location(member, "member"),
                shape.flattened,
            )
        }
        "map" => {
            let key = shape.key.as_ref().ok_or("a map without key")?;
            let value = shape.value.as_ref().ok_or("a map without value")?;
            format!(
                "Kind::Map {{ key: {}, value: {}, key_name: {}, value_name: {}, flattened: {}, {bounds} }}",
                reference(key),
                reference(value),
                location(key, "key"),
                location(value, "value"),
                shape.flattened,
            )
        }
        "string" => string(shape, &bounds),
        "integer" => format!("Kind::Integer {{ {bounds} }}"),
        "long" => format!("Kind::Long {{ {bounds} }}"),
        "boolean" => "Kind::Boolean".to_owned(),
        "double" => "Kind::Double".to_owned(),
        "timestamp" => "Kind::Timestamp".to_owned(),
        "blob" => format!("Kind::Blob {{ {bounds}, sensitive: {} }}", shape.sensitive),
        other => return Err(format!("a shape of the type {other}, which is not known").into()),
    })
}

fn string(shape: &Shape, bounds: &str) -> String {
    let pattern = shape.pattern.as_deref();
    let pattern = pattern.map_or("None".to_owned(), |source| format!("Some(Pattern::new({}))", literal(source)));
    let enumeration: Vec<String> = shape.enumeration.iter().map(|value| literal(value)).collect();
    format!(
        "Kind::String {{ {bounds}, pattern: {pattern}, enumeration: &[{}], sensitive: {} }}",
        enumeration.join(", "),
        shape.sensitive,
    )
}

fn members(model: &Model, shape: &Shape) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    for (name, member) in &shape.members.0 {
        // The elements of a flattened list stand where the list would, under their own name if they have one.
        let target = model.shape(&member.shape)?;
        let element = target.member.as_ref().filter(|element| target.flattened && element.location_name.is_some());
        write!(
            text,
            "Member {{ name: {}, wire_name: {}, shape: {}, required: {} }},",
            literal(name),
            location(element.unwrap_or(member), name),
            reference(member),
            shape.is_required(name),
        )?;
    }
    Ok(text)
}

fn reference(to: &Reference) -> String {
    format!("&{}", constant(&to.shape))
}

fn location(of: &Reference, otherwise: &str) -> String {
    literal(of.location_name.as_deref().unwrap_or(otherwise))
}

fn optional(bound: Option<&serde_json::Number>) -> String {
    bound.map_or("None".to_owned(), |bound| format!("Some({})", number(&bound.to_string())))
}
