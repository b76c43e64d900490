//! Descriptors (image spec, "OCI Content Descriptors").

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fields::{annotations, optional_text, texts};
use super::json::{Json, Object, Shape};
use super::{ManifestError, invalid};
use crate::digest::Digest;
use crate::media_type::MediaType;

/// Sizes are kept as signed 64-bit numbers.
const MAX_SIZE: u64 = i64::MAX as u64;

/// What a manifest says of other content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its media type.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// How many bytes, up to 2^63-1.
    pub size: u64,
    /// Where else it can be had. Never fetched from here.
    pub urls: Vec<String>,
    /// Its artifact type, where it is a manifest.
    pub artifact_type: Option<String>,
    /// What it runs on, where it is an image in an index.
    pub platform: Option<Platform>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// What an image runs on (image spec, "Image Index", `platform`). An empty text is a field that was not given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Platform {
    /// The processor, such as `amd64`.
    pub architecture: String,
    /// The operating system, such as `linux`.
    pub os: String,
    /// Its version.
    pub os_version: String,
    /// What it must have.
    pub os_features: Vec<String>,
    /// The variant of the processor, such as `v8`.
    pub variant: String,
}

pub(super) const SHAPE: Shape = Shape::Fields(&[
    ("mediaType", Shape::Scalar),
    ("digest", Shape::Scalar),
    ("size", Shape::Scalar),
    ("urls", Shape::List(&Shape::Scalar)),
    ("data", Shape::Scalar),
    ("artifactType", Shape::Scalar),
    ("platform", PLATFORM),
    ("annotations", Shape::Map),
]);

const PLATFORM: Shape = Shape::Fields(&[
    ("architecture", Shape::Scalar),
    ("os", Shape::Scalar),
    ("os.version", Shape::Scalar),
    ("os.features", Shape::List(&Shape::Scalar)),
    ("variant", Shape::Scalar),
]);

/// Reads the descriptor that stands at `place`.
pub(super) fn read(json: &Json<'_>, place: &str) -> Result<Descriptor, ManifestError> {
    let Json::Object(object) = json else { return Err(invalid(place, "must be a descriptor, a JSON object")) };
    let digest = text(object, place, "digest")?;
    let digest = Digest::parse(digest)
        .map_err(|reason| ManifestError::DigestInvalid { field: format!("{place}.digest"), reason })?;
    let descriptor = Descriptor {
        media_type: media_type(object, place)?,
        digest,
        size: size(object, place)?,
        urls: texts(object, place, "urls")?,
        artifact_type: optional_text(object, place, "artifactType")?.map(str::to_owned),
        platform: platform(object, place)?,
        annotations: annotations(object, place)?,
    };
    check_data(object, place, &descriptor)?;
    Ok(descriptor)
}

fn text<'j>(object: &'j Object<'_>, place: &str, key: &str) -> Result<&'j str, ManifestError> {
    match object.get(key) {
        Some(Json::Text(text)) => Ok(text),
        Some(_) => Err(invalid(&format!("{place}.{key}"), "must be a text")),
        None => Err(invalid(&format!("{place}.{key}"), "is missing")),
    }
}

fn media_type(object: &Object<'_>, place: &str) -> Result<MediaType, ManifestError> {
    let media_type = MediaType::parse(text(object, place, "mediaType")?);
    media_type.map_err(|_| invalid(&format!("{place}.mediaType"), "must be a media type, such as application/json"))
}

fn size(object: &Object<'_>, place: &str) -> Result<u64, ManifestError> {
    match object.get("size") {
        Some(Json::Whole(size)) if *size <= MAX_SIZE => Ok(*size),
        _ => Err(ManifestError::SizeInvalid(format!("{place}.size"))),
    }
}

fn platform(object: &Object<'_>, place: &str) -> Result<Option<Platform>, ManifestError> {
    let place = format!("{place}.platform");
    let object = match object.get("platform") {
        None => return Ok(None),
        Some(Json::Object(object)) => object,
        Some(_) => return Err(invalid(&place, "must be a JSON object")),
    };
    let text = |key| optional_text(object, &place, key).map(|text| text.unwrap_or_default().to_owned());
    Ok(Some(Platform {
        architecture: text("architecture")?,
        os: text("os")?,
        os_version: text("os.version")?,
        os_features: texts(object, &place, "os.features")?,
        variant: text("variant")?,
    }))
}

/// Content that a descriptor carries with it must be what the descriptor says: clients take it instead of the blob.
fn check_data(object: &Object<'_>, place: &str, descriptor: &Descriptor) -> Result<(), ManifestError> {
    let wrong = |reason| Err(invalid(&format!("{place}.data"), reason));
    let Some(text) = optional_text(object, place, "data")? else { return Ok(()) };
    let Ok(content) = STANDARD.decode(text) else { return wrong("must be base64") };
    if u64::try_from(content.len()) != Ok(descriptor.size) {
        return wrong("must be as long as the descriptor's size says");
    }
    if Digest::of(descriptor.digest.algorithm(), &content) != descriptor.digest {
        return wrong("must be the content that the descriptor's digest names");
    }
    Ok(())
}
