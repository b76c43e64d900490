//! The generated table of the Rust types of each operation, by which tests go through all of them.

use super::model::Model;
use super::names::{literal, pascal};

const HEAD: &str = "//! The Rust types of each operation.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Error, Value};

/// Reads a tree into a type and writes it again.
pub type RoundTrip = fn(Value) -> Result<Value, Error>;

pub struct Typed {
    pub service: &'static str,
    pub operation: &'static str,
    pub input: RoundTrip,
    pub output: Option<RoundTrip>,
}

fn through<T: Serialize + DeserializeOwned>(tree: Value) -> Result<Value, Error> {
    serde_json::to_value(serde_json::from_value::<T>(tree)?)
}

pub const TYPED: &[Typed] = &[
";

pub fn file(models: &[(&str, Model)]) -> String {
    let lines: Vec<String> = models.iter().flat_map(|(service, model)| of_service(service, model)).collect();
    format!("{HEAD}{}];\n", lines.concat())
}

fn of_service(service: &str, model: &Model) -> Vec<String> {
    let through = |shape: &str| format!("through::<berth_aws::{service}::shapes::{}>", pascal(shape));
    let inputs = model.inputs();
    let line = |(name, operation): (&str, &super::model::Operation)| {
        let output = operation.output.as_ref().map_or("None".to_owned(), |o| format!("Some({})", through(&o.shape)));
        format!(
            "Typed {{ service: {}, operation: {}, input: {}, output: {output} }},\n",
            literal(&model.metadata.service_id),
            literal(name),
            through(inputs.get(name).map_or("", String::as_str)),
        )
    };
    model.operations().map(line).collect()
}
