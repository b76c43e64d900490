//! Uploads of layers, part by part.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_aws::ecr::shapes as s;
use berth_aws::protocol::{ProtocolError, parse_json};
use berth_domain::Error;
use berth_oci::digest::Digest;
use berth_oci::endpoint::UploadId;
use bytes::Bytes;

use super::context::{bytes, digest, invalid, repository};
use super::{Answer, Context, Failure};

/// The part that clients are told to send, in bytes; also the longest (`LayerPartBlob` of the model).
const PART: usize = 20 * 1024 * 1024;

/// `InitiateLayerUpload`.
pub(super) async fn initiate(
    cx: &Context<'_>,
    asked: s::InitiateLayerUploadRequest,
) -> Answer<s::InitiateLayerUploadResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let id = domain.begin_layer_upload(cx.caller, &repository(&asked.repository_name)?).await?;
    Ok(s::InitiateLayerUploadResponse { upload_id: Some(id.to_string()), part_size: Some(bytes(PART as u64)) })
}

/// A request of `UploadLayerPart`: its bytes, which are many, where they came, and of the rest what the operation knows.
#[derive(serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Sent<'a> {
    #[serde(borrow, default)]
    layer_part_blob: Cow<'a, str>,
    registry_id: Option<String>,
    repository_name: Option<String>,
    upload_id: Option<String>,
    part_first_byte: Option<i64>,
    part_last_byte: Option<i64>,
}

/// `UploadLayerPart`. Its body is not made a tree first: that would hold the bytes three times.
pub(super) async fn part(
    cx: &Context<'_>,
    operation: &'static berth_aws::protocol::Operation,
) -> Answer<s::UploadLayerPartResponse> {
    let (asked, part) = read_part(operation, &cx.call.body)?;
    crate::audit::asked(operation, &asked);
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let id = upload_id(&asked.repository_name, &asked.upload_id)?;
    let (first, last) = (position(asked.part_first_byte), position(asked.part_last_byte));
    let received = domain.upload_layer_part(cx.caller, &name, &id, first, last, part).await;
    let received = received.map_err(|error| failed(error, &asked.repository_name, &asked.upload_id))?;
    Ok(s::UploadLayerPartResponse {
        registry_id: Some(Context::account(&domain)),
        repository_name: Some(asked.repository_name),
        upload_id: Some(asked.upload_id),
        last_byte_received: Some(bytes(received)),
    })
}

fn read_part(
    operation: &'static berth_aws::protocol::Operation,
    body: &[u8],
) -> Answer<(s::UploadLayerPartRequest, Bytes)> {
    let unfit = |_| {
        let message = "the body is no JSON object, or has a member twice or with a value of another type";
        ProtocolError::Serialization(message.to_owned())
    };
    let mut part: Sent<'_> = serde_json::from_slice(body).map_err(unfit)?;
    let blob = std::mem::take(&mut part.layer_part_blob);
    let asked = parse_json(operation, &serde_json::to_vec(&part).map_err(unfit)?)?;
    let part = STANDARD
        .decode(blob.as_bytes())
        .map_err(|error| invalid("layerPartBlob", format_args!("not base64: {error}")))?;
    if part.len() > PART {
        return Err(invalid("layerPartBlob", format_args!("Member must have length less than or equal to {PART}")));
    }
    Ok((asked, Bytes::from(part)))
}

/// `CompleteLayerUpload`.
pub(super) async fn complete(
    cx: &Context<'_>,
    asked: s::CompleteLayerUploadRequest,
) -> Answer<s::CompleteLayerUploadResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let id = upload_id(&asked.repository_name, &asked.upload_id)?;
    let digests =
        asked.layer_digests.iter().map(|text| digest("layerDigests", text)).collect::<Answer<Vec<Digest>>>()?;
    let completed = domain.complete_layer_upload(cx.caller, &name, &id, &digests).await;
    let layer = completed.map_err(|error| failed(error, &asked.repository_name, &asked.upload_id))?;
    Ok(s::CompleteLayerUploadResponse {
        registry_id: Some(Context::account(&domain)),
        repository_name: Some(asked.repository_name),
        upload_id: Some(asked.upload_id),
        layer_digest: Some(layer.to_string()),
    })
}

/// A text that is no id names no upload.
fn upload_id(repository: &str, text: &str) -> Answer<UploadId> {
    UploadId::parse(text).ok_or_else(|| failed(Error::UploadUnknown, repository, text))
}

fn failed(error: Error, repository: &str, upload: &str) -> Failure {
    Failure::Upload { error: Box::new(error), repository: repository.to_owned(), upload: upload.to_owned() }
}

/// A position within a layer; the shapes have refused negative ones.
fn position(byte: i64) -> u64 {
    u64::try_from(byte).unwrap_or_default()
}
