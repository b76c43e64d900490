//! Fields that any object of a manifest may have. `place` is where the object stands, for messages; the manifest's is "".

use std::collections::BTreeMap;

use super::json::{Json, Object};
use super::{ManifestError, invalid};

/// The texts of a list; an absent one is empty.
pub(super) fn texts(object: &Object<'_>, place: &str, key: &str) -> Result<Vec<String>, ManifestError> {
    let wrong = || invalid(&join(place, key), "must be a list of texts");
    let text = |item: &Json<'_>| match item {
        Json::Text(text) => Ok(text.to_string()),
        _ => Err(wrong()),
    };
    match object.get(key) {
        None => Ok(Vec::new()),
        Some(Json::List(list)) => list.iter().map(text).collect(),
        Some(_) => Err(wrong()),
    }
}

/// An object's annotations; absent ones are none.
pub(super) fn annotations(object: &Object<'_>, place: &str) -> Result<BTreeMap<String, String>, ManifestError> {
    let wrong = || invalid(&join(place, "annotations"), "must be a JSON object with texts as values");
    let entries = match object.get("annotations") {
        None => return Ok(BTreeMap::new()),
        Some(Json::Object(Object(entries))) => entries,
        Some(_) => return Err(wrong()),
    };
    let entries = entries.iter().map(|(key, value)| match value {
        Json::Text(text) => Ok((key.to_string(), text.to_string())),
        _ => Err(wrong()),
    });
    entries.collect()
}

/// A text that is there and not empty.
pub(super) fn optional_text<'j>(
    object: &'j Object<'_>,
    place: &str,
    key: &str,
) -> Result<Option<&'j str>, ManifestError> {
    match object.get(key) {
        None => Ok(None),
        Some(Json::Text(text)) => Ok(Some(&**text).filter(|text| !text.is_empty())),
        Some(_) => Err(invalid(&join(place, key), "must be a text")),
    }
}

fn join(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}
