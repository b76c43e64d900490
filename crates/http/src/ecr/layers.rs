//! Layers: whether they are there, and where they can be downloaded.

use berth_aws::ecr::shapes as s;
use berth_domain::layers::LayerAddress;
use berth_oci::digest::Digest;

use super::context::{bytes, digest, repository};
use super::{Answer, Context, Failure};

/// `BatchCheckLayerAvailability`.
pub(super) async fn check_availability(
    cx: &Context<'_>,
    asked: s::BatchCheckLayerAvailabilityRequest,
) -> Answer<s::BatchCheckLayerAvailabilityResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let (mut wanted, mut failures) = (Vec::new(), Vec::new());
    for text in &asked.layer_digests {
        match Digest::parse(text) {
            Ok(digest) => wanted.push(digest),
            Err(error) => failures.push(failure(text, &error.to_string())),
        }
    }
    let found = domain.layer_availability(cx.caller, &name, &wanted).await?;
    let layers = found
        .into_iter()
        .map(|(digest, there)| s::Layer {
            layer_digest: Some(digest.to_string()),
            layer_availability: Some(if there.is_some() { "AVAILABLE" } else { "UNAVAILABLE" }.to_owned()),
            layer_size: there.as_ref().map(|there| bytes(there.size)),
            media_type: there.and_then(|there| there.media_type),
        })
        .collect();
    Ok(s::BatchCheckLayerAvailabilityResponse { layers: Some(layers), failures: Some(failures) })
}

fn failure(digest: &str, reason: &str) -> s::LayerFailure {
    let code = if digest.is_empty() { "MissingLayerDigest" } else { "InvalidLayerDigest" };
    s::LayerFailure {
        layer_digest: Some(digest.to_owned()),
        failure_code: Some(code.to_owned()),
        failure_reason: Some(reason.to_owned()),
    }
}

/// `GetDownloadUrlForLayer`. The address works without credentials, as long as those that asked for it do, for an hour at most.
pub(super) async fn download_url(
    cx: &Context<'_>,
    asked: s::GetDownloadUrlForLayerRequest,
) -> Answer<s::GetDownloadUrlForLayerResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let layer = digest("layerDigest", &asked.layer_digest)?;
    let url = match domain.layer_address(cx.caller, &name, &layer).await? {
        LayerAddress::Store(url) => url,
        LayerAddress::Pass(pass) => {
            let base = crate::registry::base_url(&domain, &cx.call.parts).ok_or(Failure::NoAddress)?;
            format!("{base}/v2/{name}/blobs/{layer}?{}={}", crate::auth::DOWNLOAD_PASS, pass.reveal())
        }
    };
    Ok(s::GetDownloadUrlForLayerResponse { download_url: Some(url), layer_digest: Some(asked.layer_digest) })
}
