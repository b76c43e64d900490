//! The generated module of a service, its operations and its errors.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;

use super::LICENCE_NOTE;
use super::model::{Model, Operation};
use super::names::{constant, distinct, literal};

/// The module itself, with the service.
pub fn module(model: &Model) -> String {
    let id = &model.metadata.service_id;
    let told = in_words(id);
    let operations: Vec<String> = model.served.iter().map(|name| format!("&operations::{},", constant(name))).collect();
    let structures = [("requests", true), ("responses", true), ("structures", super::structures::has_nested(model))];
    let structures = structures.iter().filter(|(_, there)| *there);
    let mods: Vec<String> = structures.clone().map(|(name, _)| format!("mod {name};\n")).collect();
    let uses: Vec<String> = structures.map(|(name, _)| format!("pub use {name}::*;\n")).collect();
    format!(
        "//! The shapes of {told}. {LICENCE_NOTE}\n\npub mod errors;\npub mod operations;\n{}mod schema;\n\n{}\n\
         use crate::protocol::{{Protocol, Service}};\n\n/// {told}, as far as it is served.\n\
         pub static {}: Service = Service {{ name: {}, version: {}, protocol: {}, operations: &[{}] }};\n",
        mods.concat(),
        uses.concat(),
        constant(id),
        literal(id),
        literal(&model.metadata.api_version),
        protocol(model),
        operations.concat(),
    )
}

/// A name as documentation has it: what looks like a name of code is marked as one, as lints want it.
fn in_words(name: &str) -> String {
    let is_code = name.contains(char::is_lowercase) && name.chars().filter(|c| c.is_uppercase()).count() > 1;
    if is_code { format!("`{name}`") } else { name.to_owned() }
}

fn protocol(model: &Model) -> String {
    let text = |text: &Option<String>| literal(text.as_deref().unwrap_or_default());
    match model.metadata.protocol.as_str() {
        "query" => format!("Protocol::Query {{ xml_namespace: {} }}", text(&model.metadata.xml_namespace)),
        _ => format!("Protocol::Json11 {{ target_prefix: {} }}", text(&model.metadata.target_prefix)),
    }
}

/// The operations.
pub fn file(model: &Model) -> Result<String, Box<dyn Error>> {
    if !["query", "json"].contains(&model.metadata.protocol.as_str()) {
        return Err(format!("the protocol {} is not known", model.metadata.protocol).into());
    }
    let mut text = format!(
        "//! The operations of {}.\n\nuse super::{{errors, schema}};\nuse crate::protocol::Operation;\n",
        in_words(&model.metadata.service_id)
    );
    let inputs = model.inputs();
    for (name, operation) in model.operations() {
        let input = inputs.get(name).map(|name| constant(name)).unwrap_or_default();
        write!(text, "\n/// The operation `{name}`.\n{}", one(name, operation, &input))?;
    }
    Ok(text)
}

fn one(name: &str, operation: &Operation, input: &str) -> String {
    let output = operation.output.as_ref();
    let shape = output.map_or("None".to_owned(), |o| format!("Some(&schema::{})", constant(&o.shape)));
    let wrapper = output.and_then(|o| o.result_wrapper.as_deref());
    let wrapper = wrapper.map_or("None".to_owned(), |wrapper| format!("Some({})", literal(wrapper)));
    let errors: Vec<String> =
        operation.errors.iter().map(|error| format!("&errors::{},", constant(&error.shape))).collect();
    format!(
        "pub static {}: Operation = Operation {{ name: {}, input: &schema::{input}, output: {shape}, \
         result_wrapper: {wrapper}, errors: &[{}] }};\n",
        constant(name),
        literal(name),
        errors.concat(),
    )
}

/// The errors that the operations declare.
pub fn errors(model: &Model) -> Result<String, Box<dyn Error>> {
    let names: BTreeSet<&String> =
        model.operations().flat_map(|(_, operation)| &operation.errors).map(|error| &error.shape).collect();
    distinct(names.iter().copied(), constant)?;
    let mut text = format!(
        "//! The errors that operations of {} declare.\n\nuse crate::protocol::ErrorShape;\n",
        in_words(&model.metadata.service_id)
    );
    for name in names {
        let shape = model.shape(name)?;
        let traits = shape.error.as_ref();
        let code = traits.and_then(|traits| traits.code.as_deref()).unwrap_or(name);
        let otherwise = if shape.fault { 500 } else { 400 };
        let status = traits.and_then(|traits| traits.http_status_code).unwrap_or(otherwise);
        write!(
            text,
            "\n/// `{code}`, with the status {status}.\npub static {}: ErrorShape = ErrorShape {{ name: {}, code: {}, \
             http_status: {status}, sender: {} }};\n",
            constant(name),
            literal(name),
            literal(code),
            status < 500,
        )?;
    }
    Ok(text)
}
