//! From JSON to a manifest (image spec, "Image Manifest" and "Image Index"; Docker's "Image Manifest V2, Schema 2").

use super::fields::{annotations, optional_text};
use super::json::{Json, Object, Shape};
use super::{Descriptor, Kind, Manifest, ManifestError, clip, descriptor, invalid};
use crate::media_type::{MediaType, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST};

/// More descriptors than this in one list are refused: no image has them, and each costs a look into the database.
pub(super) const MAX_DESCRIPTORS: usize = 20_000;

pub(super) const SHAPE: Shape = Shape::Fields(&[
    ("schemaVersion", Shape::Scalar),
    ("mediaType", Shape::Scalar),
    ("artifactType", Shape::Scalar),
    ("config", descriptor::SHAPE),
    ("layers", Shape::List(&descriptor::SHAPE)),
    ("blobs", Shape::List(&descriptor::SHAPE)),
    ("manifests", Shape::List(&descriptor::SHAPE)),
    ("subject", descriptor::SHAPE),
    ("annotations", Shape::Map),
    ("fsLayers", Shape::Scalar),
]);

pub(super) fn manifest(json: &Json<'_>, content_type: Option<&str>) -> Result<Manifest, ManifestError> {
    let Json::Object(object) = json else { return Err(invalid("the manifest", "must be a JSON object")) };
    let media_type = media_type(object, content_type)?;
    let kind = kind(object, &media_type)?;
    check_schema_version(object, kind)?;
    let config = optional_descriptor(object, "config")?;
    let artifact_type = artifact_type(object, config.as_ref())?;
    Ok(Manifest {
        kind,
        media_type,
        artifact_type,
        config,
        layers: descriptors(object, if kind == Kind::Artifact { "blobs" } else { "layers" })?,
        manifests: descriptors(object, "manifests")?,
        subject: optional_descriptor(object, "subject")?,
        annotations: annotations(object, "")?,
    })
}

/// The type that request and manifest agree on; where neither names one, the shape tells.
fn media_type(object: &Object<'_>, content_type: Option<&str>) -> Result<MediaType, ManifestError> {
    let unsupported = |text: &str| ManifestError::UnsupportedMediaType(clip(text));
    let own = optional_text(object, "", "mediaType")?;
    let sent = content_type.filter(|text| !text.trim().is_empty());
    let sent = sent.map(|text| MediaType::parse_header(text).map_err(|_| unsupported(text))).transpose()?;
    let media_type = match (sent, own) {
        (Some(sent), Some(own)) if sent.as_str() != own => {
            let (content_type, media_type) = (sent.to_string(), clip(own));
            return Err(ManifestError::MediaTypeMismatch { content_type, media_type });
        }
        (Some(sent), _) => sent,
        (None, Some(own)) => MediaType::parse(own).map_err(|_| unsupported(own))?,
        (None, None) => by_shape(object)?,
    };
    match &media_type {
        known if known.is_schema1() => Err(ManifestError::Schema1),
        known if known.is_manifest() || known.is_index() => Ok(media_type),
        other => Err(unsupported(other.as_str())),
    }
}

fn by_shape(object: &Object<'_>) -> Result<MediaType, ManifestError> {
    let missing = "is missing, and the request has no Content-Type: give one of them";
    let guess = match (object.has("config") && object.has("layers"), object.has("manifests")) {
        (true, false) => OCI_MANIFEST,
        (false, true) => OCI_INDEX,
        (true, true) => return Err(ManifestError::Ambiguous("both layers and manifests")),
        (false, false) if object.has("fsLayers") => return Err(ManifestError::Schema1),
        (false, false) => return Err(invalid("mediaType", missing)),
    };
    MediaType::parse(guess).map_err(|_| invalid("mediaType", missing))
}

/// What the media type says that it is, where the fields do not say otherwise: readers that go by the fields and readers
/// that go by the type must see one and the same manifest.
fn kind(object: &Object<'_>, media_type: &MediaType) -> Result<Kind, ManifestError> {
    let kind = match media_type.as_str() {
        OCI_ARTIFACT => Kind::Artifact,
        _ if media_type.is_index() => Kind::Index,
        _ => Kind::Image,
    };
    let image = object.has("config") || object.has("layers");
    match kind {
        _ if object.has("fsLayers") => Err(ManifestError::Schema1),
        _ if image && object.has("manifests") => Err(ManifestError::Ambiguous("both layers or a config and manifests")),
        Kind::Index if image => Err(ManifestError::Ambiguous("layers or a config, and the type of an index")),
        Kind::Artifact if image => Err(ManifestError::Ambiguous("layers or a config, and the type of an artifact")),
        Kind::Image | Kind::Artifact if object.has("manifests") => {
            Err(ManifestError::Ambiguous("manifests, and the type of an image or artifact"))
        }
        Kind::Index if !object.has("manifests") => {
            Err(invalid("manifests", "is missing: an index needs it, if only as []"))
        }
        Kind::Image if object.get("config").is_none() => Err(invalid("config", "is missing: an image needs one")),
        Kind::Image if !object.has("layers") => Err(invalid("layers", "is missing: an image needs it, if only as []")),
        _ => Ok(kind),
    }
}

/// The artifact manifest alone has no version.
fn check_schema_version(object: &Object<'_>, kind: Kind) -> Result<(), ManifestError> {
    match object.get("schemaVersion") {
        Some(Json::Whole(2)) => Ok(()),
        Some(Json::Whole(1)) => Err(ManifestError::Schema1),
        None if kind == Kind::Artifact => Ok(()),
        _ => Err(invalid("schemaVersion", "must be the number 2")),
    }
}

/// Its own artifact type, else its config's media type (distribution spec, "Listing Referrers").
fn artifact_type(object: &Object<'_>, config: Option<&Descriptor>) -> Result<Option<String>, ManifestError> {
    let own = optional_text(object, "", "artifactType")?;
    if own.is_some_and(|own| MediaType::parse(own).is_err()) {
        return Err(invalid("artifactType", "must be a media type, such as application/vnd.example.report"));
    }
    Ok(own.map(str::to_owned).or_else(|| config.map(|config| config.media_type.to_string())))
}

fn descriptors(object: &Object<'_>, key: &'static str) -> Result<Vec<Descriptor>, ManifestError> {
    let list = match object.get(key) {
        None => return Ok(Vec::new()),
        Some(Json::List(list)) => list,
        Some(_) => return Err(invalid(key, "must be a list")),
    };
    if list.len() > MAX_DESCRIPTORS {
        return Err(invalid(key, "has more than 20,000 entries: split it"));
    }
    list.iter().enumerate().map(|(at, json)| descriptor::read(json, &format!("{key}[{at}]"))).collect()
}

fn optional_descriptor(object: &Object<'_>, key: &str) -> Result<Option<Descriptor>, ManifestError> {
    object.get(key).map(|json| descriptor::read(json, key)).transpose()
}
