//! JSON read by a shape: what the shape has becomes a tree, and everything else is looked at and forgotten while it is read.
//! So a body of very many tiny values that nobody asked for costs no more memory than its own bytes.

use std::cell::RefCell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{ProtocolError, scalar, unexpected};
use crate::protocol::{Kind, Member, Shape};

/// Reads one value and nothing behind it; none for null. No member may come twice. Nesting is bounded by `serde_json`, at 128.
pub(super) fn read(shape: &Shape, body: &[u8]) -> Result<Option<Value>, ProtocolError> {
    let unfit = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = Reader { shape, unfit: &unfit }.deserialize(&mut deserializer);
    let read = read.and_then(|tree| deserializer.end().map(|()| tree));
    let invalid = || ProtocolError::Serialization("the body is no JSON".to_owned());
    read.map_err(|_| unfit.take().unwrap_or_else(invalid))
}

/// Reads one value of a shape.
#[derive(Clone, Copy)]
struct Reader<'r> {
    shape: &'r Shape,
    /// Why the value does not fit, which an error of `serde_json` could only tell as a text.
    unfit: &'r RefCell<Option<ProtocolError>>,
}

impl Reader<'_> {
    fn scalar<E: Error>(self, value: Value, found: &str) -> Result<Option<Value>, E> {
        match scalar(self.shape, value) {
            Some(value) => Ok(Some(value)),
            None => Err(self.refuse(unexpected(self.shape, found))),
        }
    }

    fn refuse<E: Error>(self, why: ProtocolError) -> E {
        self.unfit.replace(Some(why));
        E::custom("unfit")
    }

    fn structure<'de, A: MapAccess<'de>>(self, members: &[Member], mut map: A) -> Result<Value, A::Error> {
        // Null members are left out of the tree, but count as named.
        let (mut tree, mut named) = (Map::new(), vec![false; members.len()]);
        while let Some(key) = map.next_key::<String>()? {
            let found = members.iter().zip(&mut named).find(|(member, _)| member.name == key);
            let Some((member, named)) = found else {
                map.next_value::<Skipped>()?;
                continue;
            };
            if std::mem::replace(named, true) {
                return Err(self.twice(member.name));
            }
            let value = map.next_value_seed(Reader { shape: member.shape, ..self })?;
            tree.extend(value.map(|value| (key, value)));
        }
        Ok(Value::Object(tree))
    }

    /// A null in a map stays one, for the check of the constraints to refuse.
    fn entries<'de, A: MapAccess<'de>>(self, shape: &Shape, mut map: A) -> Result<Value, A::Error> {
        let mut tree = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Reader { shape, ..self })?.unwrap_or_default();
            if tree.insert(key, value).is_some() {
                return Err(self.twice("a key"));
            }
        }
        Ok(Value::Object(tree))
    }

    fn twice<E: Error>(self, name: &str) -> E {
        self.refuse(ProtocolError::Serialization(format!("{name} comes twice in one structure or map")))
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape.type_name())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        self.scalar(value.into(), "TRUE_VALUE or FALSE_VALUE")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        self.scalar(value.into(), "NUMBER_VALUE")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        self.scalar(value.into(), "NUMBER_VALUE")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        self.scalar(Number::from_f64(value).map_or(Value::Null, Value::Number), "NUMBER_VALUE")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        self.scalar(value.into(), "STRING_VALUE")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let Kind::List { member, .. } = &self.shape.kind else {
            return Err(self.refuse(unexpected(self.shape, "START_ARRAY")));
        };
        let mut values = Vec::new();
        // A null in a list stays one, for the check of the constraints to refuse.
        while let Some(value) = list.next_element_seed(Reader { shape: member, ..self })? {
            values.push(value.unwrap_or_default());
        }
        Ok(Some(Value::Array(values)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        match &self.shape.kind {
            Kind::Structure { members, .. } => self.structure(members, map).map(Some),
            Kind::Map { value, .. } => self.entries(value, map).map(Some),
            _ => Err(self.refuse(unexpected(self.shape, "START_OBJECT"))),
        }
    }
}

/// A value that nobody asked for. It must be JSON all the same, which [`serde::de::IgnoredAny`] does not see to: that takes
/// lone surrogates and nests as deep as it likes.
struct Skipped;

struct SkippedVisitor;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SkippedVisitor)
    }
}

impl<'de> Visitor<'de> for SkippedVisitor {
    type Value = Skipped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Skipped, A::Error> {
        while let Some(Skipped) = list.next_element()? {}
        Ok(Skipped)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Skipped, A::Error> {
        while let Some((Skipped, Skipped)) = map.next_entry()? {}
        Ok(Skipped)
    }
}
