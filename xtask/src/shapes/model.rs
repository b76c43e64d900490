//! A service model of botocore, and what of it the served operations need.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// Shapes that hold secrets and are not marked so by their models: session tokens and passwords.
const ALSO_SENSITIVE: &[(&str, &str)] = &[("ecr", "Base64"), ("sts", "tokenType")];

#[derive(Deserialize)]
pub struct Model {
    pub metadata: Metadata,
    operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
    /// The names of the operations that are served, sorted.
    #[serde(skip)]
    pub served: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub api_version: String,
    pub service_id: String,
    pub protocol: String,
    pub xml_namespace: Option<String>,
    pub target_prefix: Option<String>,
}

#[derive(Deserialize)]
pub struct Operation {
    pub input: Option<Reference>,
    pub output: Option<Reference>,
    #[serde(default)]
    pub errors: Vec<Reference>,
}

/// A mention of a shape, with what the mention adds.
#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    pub shape: String,
    pub location_name: Option<String>,
    pub result_wrapper: Option<String>,
}

#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "the traits of the model, each there or not")]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub members: Members,
    #[serde(default)]
    pub required: Vec<String>,
    pub member: Option<Reference>,
    pub key: Option<Reference>,
    pub value: Option<Reference>,
    #[serde(default)]
    pub flattened: bool,
    #[serde(default)]
    pub union: bool,
    pub min: Option<serde_json::Number>,
    pub max: Option<serde_json::Number>,
    pub pattern: Option<String>,
    #[serde(rename = "enum", default)]
    pub enumeration: Vec<String>,
    #[serde(default)]
    pub sensitive: bool,
    pub error: Option<ErrorTraits>,
    #[serde(default)]
    pub fault: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTraits {
    pub code: Option<String>,
    pub http_status_code: Option<u16>,
}

/// The members of a structure in the order of the model, which its messages keep.
#[derive(Default)]
pub struct Members(pub Vec<(String, Reference)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("members of a structure")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Model {
    /// Reads a model, gzipped where its name ends so, for the operations that are served.
    pub fn read(file: &Path, service: &str, served: &[String]) -> Result<Self, Box<dyn Error>> {
        let bytes = std::fs::read(file)?;
        let mut text = Vec::new();
        if file.extension().is_some_and(|extension| extension == "gz") {
            flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut text)?;
        } else {
            text = bytes;
        }
        Self::parse(&text, service, served)
    }

    pub fn parse(text: &[u8], service: &str, served: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut model: Self = serde_json::from_slice(text)?;
        if let Some(unknown) = served.iter().find(|name| !model.operations.contains_key(*name)) {
            return Err(format!("{service} has no operation {unknown}").into());
        }
        served.clone_into(&mut model.served);
        for (_, name) in ALSO_SENSITIVE.iter().filter(|(of, _)| *of == service) {
            model.shapes.get_mut(*name).ok_or_else(|| format!("{service} has no shape {name}"))?.sensitive = true;
        }
        Ok(model)
    }

    pub fn shape(&self, name: &str) -> Result<&Shape, Box<dyn Error>> {
        Ok(self.shapes.get(name).ok_or_else(|| format!("no shape {name}"))?)
    }

    /// The served operations by name.
    pub fn operations(&self) -> impl Iterator<Item = (&str, &Operation)> {
        self.served.iter().filter_map(|name| Some((name.as_str(), self.operations.get(name)?)))
    }

    /// The names of the operations' input shapes. An operation without input has an empty one that is made up.
    pub fn inputs(&self) -> BTreeMap<String, String> {
        let name = |(name, operation): (&str, &Operation)| {
            let made_up = || format!("{name}Request");
            (name.to_owned(), operation.input.as_ref().map_or_else(made_up, |input| input.shape.clone()))
        };
        self.operations().map(name).collect()
    }

    pub fn outputs(&self) -> BTreeSet<String> {
        self.operations().filter_map(|(_, operation)| Some(operation.output.as_ref()?.shape.clone())).collect()
    }

    /// The names of all shapes that inputs and outputs are made of.
    pub fn reached(&self) -> Result<BTreeSet<String>, Box<dyn Error>> {
        let inputs = self.operations().filter_map(|(_, operation)| Some(operation.input.as_ref()?.shape.clone()));
        self.reach(inputs.chain(self.outputs()).collect())
    }

    /// The shapes of these names and all that they are made of.
    pub fn reach(&self, mut waiting: Vec<String>) -> Result<BTreeSet<String>, Box<dyn Error>> {
        let mut reached = BTreeSet::new();
        while let Some(name) = waiting.pop() {
            if reached.insert(name.clone()) {
                waiting.extend(self.shape(&name)?.parts().map(|part| part.shape.clone()));
            }
        }
        Ok(reached)
    }
}

impl Shape {
    /// The shapes that it is made of.
    pub fn parts(&self) -> impl Iterator<Item = &Reference> {
        let members = self.members.0.iter().map(|(_, reference)| reference);
        members.chain([&self.member, &self.key, &self.value].into_iter().flatten())
    }

    pub fn is_required(&self, member: &str) -> bool {
        self.required.iter().any(|name| name == member)
    }
}
