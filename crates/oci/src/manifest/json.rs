//! JSON as a manifest may use it: UTF-8, no key twice in any object, nothing behind the value, nesting bounded.
//!
//! Only what a [`Shape`] asks for is kept. What a manifest says beyond that is checked and forgotten while it is read, so
//! that a wide document of tiny values costs little more memory than its own bytes.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{ManifestError, clip};

/// What to keep of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Nothing.
    Nothing,
    /// A text or number. Of a list or object only that it is one.
    Scalar,
    /// A list, each item in the given shape.
    List(&'static Shape),
    /// An object: all its keys, with scalars.
    Map,
    /// An object: the fields named.
    Fields(&'static [(&'static str, Shape)]),
}

/// What was kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    /// A whole number that is not negative.
    Whole(u64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Object<'a>),
    /// What no field of a manifest has: another number, a boolean, a list or object out of place.
    Other,
}

/// An object's kept fields.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object<'a>(pub(super) Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Object<'a> {
    /// Whether the field is there, even as null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(own, _)| own == key)
    }

    /// The value of a field. Null is as good as none: programs in Go write it for what is empty.
    pub(super) fn get(&self, key: &str) -> Option<&Json<'a>> {
        self.0.iter().find(|(own, _)| own == key).map(|(_, value)| value).filter(|value| **value != Json::Null)
    }
}

/// The most that is kept of one document, in values. It bounds memory at some 20 MiB, and 20,000 descriptors with
/// platforms and a few annotations are below it.
const MAX_KEPT: usize = 450_000;
/// A map's entry is kept as two texts and a place in the map.
const ENTRY: usize = 3;
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads one value and nothing behind it. Nesting is bounded by the reader, at 128.
pub(super) fn parse<'a>(bytes: &'a [u8], shape: &'static Shape) -> Result<Json<'a>, ManifestError> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| not_json(format!("not UTF-8 at byte {}", error.valid_up_to())))?;
    if text.starts_with(BYTE_ORDER_MARK) {
        return Err(not_json("it begins with a byte order mark, leave that out".to_owned()));
    }
    let progress = Progress::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Reader { shape, progress: &progress }.deserialize(&mut deserializer);
    let read = read.and_then(|value| deserializer.end().map(|()| value));
    read.map_err(|error| progress.refusal.take().unwrap_or_else(|| not_json(error.to_string())))
}

fn not_json(reason: String) -> ManifestError {
    ManifestError::NotJson(reason)
}

/// What all readers of one document share.
#[derive(Default)]
struct Progress {
    kept: Cell<usize>,
    /// Why reading stopped: the JSON reader's own errors carry text only.
    refusal: RefCell<Option<ManifestError>>,
}

/// Reads one value.
#[derive(Clone, Copy)]
struct Reader<'p> {
    shape: &'static Shape,
    progress: &'p Progress,
}

impl Reader<'_> {
    fn of(self, shape: &'static Shape) -> Self {
        Self { shape, ..self }
    }

    fn refuse<T, E: serde::de::Error>(self, refusal: ManifestError) -> Result<T, E> {
        self.progress.refusal.replace(Some(refusal));
        Err(E::custom("refused"))
    }

    fn keep<E: serde::de::Error>(self, cost: usize) -> Result<(), E> {
        let kept = self.progress.kept.get() + cost;
        self.progress.kept.set(kept);
        if kept <= MAX_KEPT {
            return Ok(());
        }
        let reason = "has too many descriptors, annotations or other values: use fewer";
        self.refuse(ManifestError::Invalid { field: "the manifest".to_owned(), reason })
    }

    fn check_keys<E: serde::de::Error>(self, mut keys: Vec<Cow<'_, str>>) -> Result<(), E> {
        if let Some(key) = keys.iter().find(|key| self.shape.nearly_has(key)) {
            let reason =
                "differs from a field of the specification by case alone, and many clients would take it for that";
            return self.refuse(ManifestError::Invalid { field: clip(key), reason });
        }
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => self.refuse(ManifestError::DuplicateKey(clip(&pair[0]))),
            None => Ok(()),
        }
    }
}

impl Shape {
    fn of_key(&'static self, key: &str) -> Option<&'static Shape> {
        match self {
            Self::Map => Some(&Self::Scalar),
            Self::Fields(fields) => fields.iter().find(|(name, _)| *name == key).map(|(_, shape)| shape),
            _ => None,
        }
    }

    /// Whether a reader that folds case, as Go's does, would take the key for one of the fields.
    fn nearly_has(&self, key: &str) -> bool {
        let Self::Fields(fields) = self else { return false };
        let folds_to = |name: &str| key.chars().map(fold).eq(name.chars().map(fold));
        fields.iter().any(|(name, _)| *name != key && folds_to(name))
    }
}

/// Beyond ASCII there are two letters that fold into it: the long s and the Kelvin sign.
fn fold(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Json::Whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(u64::try_from(number).map_or(Json::Other, Json::Whole))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Json::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let Shape::List(shape) = self.shape else {
            while items.next_element_seed(self.of(&Shape::Nothing))?.is_some() {}
            return Ok(Json::Other);
        };
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.of(shape))? {
            self.keep(1)?;
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let (mut keys, mut kept) = (Vec::new(), Vec::new());
        let cost = if matches!(self.shape, Shape::Map) { ENTRY } else { 1 };
        while let Some(key) = entries.next_key_seed(Key)? {
            let shape = self.shape.of_key(&key);
            let value = entries.next_value_seed(self.of(shape.unwrap_or(&Shape::Nothing)))?;
            if shape.is_some() {
                self.keep(cost)?;
                kept.push((key.clone(), value));
            }
            keys.push(key);
        }
        self.check_keys(keys)?;
        let kept = match self.shape {
            Shape::Map | Shape::Fields(_) => Json::Object(Object(kept)),
            _ => Json::Other,
        };
        Ok(kept)
    }
}

/// Reads the key of an object, without a copy where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
