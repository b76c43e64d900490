//! Images: putting, getting, deleting, listing and describing them.

use berth_aws::ecr::shapes as s;
use berth_domain::Domain;
use berth_domain::images::{ImageDescription, ImageFailure, ImageId, ImageKey, PutImage, TagStatus};
use berth_oci::digest::Digest;
use berth_oci::tag::Tag;
use bytes::Bytes;

use super::context::{bytes, digest, invalid, repository, tag, time};
use super::page::Paging;
use super::{Answer, Context};

/// Images of a page where the request does not say how many.
const PAGE: u64 = 100;
/// Referrers of such a page.
const REFERRERS: u64 = 20;

/// `PutImage`.
pub(super) async fn put(cx: &Context<'_>, asked: s::PutImageRequest) -> Answer<s::PutImageResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let put = PutImage {
        manifest: Bytes::from(asked.image_manifest.clone()),
        media_type: asked.image_manifest_media_type,
        digest: asked.image_digest.as_deref().map(|text| digest("imageDigest", text)).transpose()?,
        tag: asked.image_tag.as_deref().map(|text| tag("imageTag", text)).transpose()?,
    };
    let pushed = domain.put_image(cx.caller, &name, put).await?;
    Ok(s::PutImageResponse {
        image: Some(s::Image {
            registry_id: Some(Context::account(&domain)),
            repository_name: Some(asked.repository_name),
            image_id: Some(s::ImageIdentifier {
                image_digest: Some(pushed.digest.to_string()),
                image_tag: asked.image_tag,
            }),
            image_manifest: Some(asked.image_manifest),
            image_manifest_media_type: Some(pushed.media_type.to_string()),
        }),
    })
}

/// `BatchGetImage`.
pub(super) async fn batch_get(cx: &Context<'_>, asked: s::BatchGetImageRequest) -> Answer<s::BatchGetImageResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let (ids, mut failures) = read_ids(&asked.image_ids);
    let wanted: Vec<ImageId> = ids.iter().map(|(_, id)| id.clone()).collect();
    let accepted = asked.accepted_media_types.unwrap_or_default();
    let found = domain.get_images(cx.caller, &name, &wanted, &accepted).await?;
    let mut images = Vec::new();
    for ((given, _), found) in ids.into_iter().zip(found) {
        match found {
            Ok(image) => images.push(s::Image {
                registry_id: Some(Context::account(&domain)),
                repository_name: Some(asked.repository_name.clone()),
                image_id: Some(identifier(&image.digest, image.tag.as_ref())),
                // A manifest is JSON, so it is text.
                image_manifest: Some(String::from_utf8_lossy(&image.bytes).into_owned()),
                image_manifest_media_type: Some(image.media_type.to_string()),
            }),
            Err(failure) => failures.push(failed(given, &failure)),
        }
    }
    Ok(s::BatchGetImageResponse { images: Some(images), failures: Some(failures) })
}

/// `BatchDeleteImage`.
pub(super) async fn batch_delete(
    cx: &Context<'_>,
    asked: s::BatchDeleteImageRequest,
) -> Answer<s::BatchDeleteImageResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let (ids, mut failures) = read_ids(&asked.image_ids);
    let wanted: Vec<ImageId> = ids.iter().map(|(_, id)| id.clone()).collect();
    let gone = domain.delete_images(cx.caller, &name, &wanted).await?;
    let mut image_ids = Vec::new();
    for ((given, _), gone) in ids.into_iter().zip(gone) {
        match gone {
            Ok(gone) => image_ids.extend(gone.iter().map(shown_id)),
            Err(failure) => failures.push(failed(given, &failure)),
        }
    }
    Ok(s::BatchDeleteImageResponse { image_ids: Some(image_ids), failures: Some(failures) })
}

/// `ListImages`.
pub(super) async fn list(cx: &Context<'_>, asked: s::ListImagesRequest) -> Answer<s::ListImagesResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let paging = Paging::read(format!("ListImages {name}"), asked.next_token.as_deref(), asked.max_results, PAGE)?;
    let filter = asked.filter.unwrap_or_default();
    let after = match paging.last.split_once('@') {
        Some((digest, tag)) => ImageKey(digest.to_owned(), tag.to_owned()),
        None => ImageKey(String::new(), String::new()),
    };
    let page =
        domain.list_images(cx.caller, &name, tag_status(filter.tag_status.as_deref()), &after, paging.limit).await?;
    let key = |(digest, tag): &(Digest, Option<Tag>)| format!("{digest}@{}", tag.as_ref().map_or("", Tag::as_str));
    let next_token = paging.next_of(&page.items, page.more, key);
    if !shows_active(filter.image_status.as_deref()) {
        return Ok(s::ListImagesResponse { image_ids: Some(Vec::new()), next_token: None });
    }
    let image_ids = page.items.iter().map(|(digest, tag)| identifier(digest, tag.as_ref())).collect();
    Ok(s::ListImagesResponse { image_ids: Some(image_ids), next_token })
}

/// `DescribeImages`.
pub(super) async fn describe(cx: &Context<'_>, asked: s::DescribeImagesRequest) -> Answer<s::DescribeImagesResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let filter = asked.filter.clone().unwrap_or_default();
    let status = tag_status(filter.tag_status.as_deref());
    let (found, next_token) = if let Some(ids) = &asked.image_ids {
        Paging::refuse_with("imageIds", asked.next_token.as_deref(), asked.max_results)?;
        let ids = ids.iter().map(read_id).collect::<Answer<Vec<ImageId>>>()?;
        let mut found = domain.describe_images(cx.caller, &name, &ids).await?;
        found.retain(|image| match status {
            TagStatus::Any => true,
            TagStatus::Tagged => !image.tags.is_empty(),
            TagStatus::Untagged => image.tags.is_empty(),
        });
        (found, None)
    } else {
        let paging =
            Paging::read(format!("DescribeImages {name}"), asked.next_token.as_deref(), asked.max_results, PAGE)?;
        let page = domain.describe_images_behind(cx.caller, &name, status, &paging.last, paging.limit).await?;
        let next = paging.next_of(&page.items, page.more, |image| image.digest.to_string());
        (page.items, next)
    };
    if !shows_active(filter.image_status.as_deref()) {
        return Ok(s::DescribeImagesResponse { image_details: Some(Vec::new()), next_token: None });
    }
    let details = found.into_iter().map(|image| detail(&domain, &asked.repository_name, image)).collect();
    Ok(s::DescribeImagesResponse { image_details: Some(details), next_token })
}

/// `ListImageReferrers`.
pub(super) async fn referrers(
    cx: &Context<'_>,
    asked: s::ListImageReferrersRequest,
) -> Answer<s::ListImageReferrersResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let subject = digest("subjectId.imageDigest", &asked.subject_id.image_digest)?;
    let paging =
        Paging::read(format!("ListImageReferrers {name}"), asked.next_token.as_deref(), asked.max_results, REFERRERS)?;
    let filter = asked.filter.unwrap_or_default();
    let kinds = filter.artifact_types.unwrap_or_default();
    let page = domain.image_referrers(cx.caller, &name, &subject, &kinds, &paging.last, paging.limit).await?;
    if !shows_active(filter.artifact_status.as_deref()) {
        return Ok(s::ListImageReferrersResponse { referrers: Some(Vec::new()), next_token: None });
    }
    let next_token = paging.next_of(&page.items, page.more, |referrer| referrer.digest.to_string());
    let shown = |referrer: berth_store::manifests::ReferrerRecord| s::ImageReferrer {
        digest: referrer.digest.to_string(),
        media_type: referrer.media_type.to_string(),
        artifact_type: referrer.artifact_type,
        size: bytes(referrer.size),
        annotations: Some(referrer.annotations).filter(|annotations| !annotations.is_empty()),
        artifact_status: Some("ACTIVE".to_owned()),
    };
    Ok(s::ListImageReferrersResponse { referrers: Some(page.items.into_iter().map(shown).collect()), next_token })
}

fn tag_status(filter: Option<&str>) -> TagStatus {
    match filter {
        Some("TAGGED") => TagStatus::Tagged,
        Some("UNTAGGED") => TagStatus::Untagged,
        _ => TagStatus::Any,
    }
}

/// Every image is active: there is no archive yet.
fn shows_active(filter: Option<&str>) -> bool {
    matches!(filter, None | Some("ACTIVE" | "ANY"))
}

/// The ids of a batch that can be looked up, with what was given, and the failures of the others.
fn read_ids(given: &[s::ImageIdentifier]) -> (Vec<(s::ImageIdentifier, ImageId)>, Vec<s::ImageFailure>) {
    let (mut ids, mut failures) = (Vec::new(), Vec::new());
    for given in given {
        match parse_id(given) {
            Ok(id) => ids.push((given.clone(), id)),
            Err((code, reason)) => failures.push(failure(given.clone(), code, reason)),
        }
    }
    (ids, failures)
}

/// One id, or the code and the reason of its failure.
fn parse_id(given: &s::ImageIdentifier) -> Result<ImageId, (&'static str, String)> {
    let digest = given.image_digest.as_deref().map(Digest::parse).transpose();
    let digest = digest.map_err(|error| ("InvalidImageDigest", format!("Invalid image digest: {error}")))?;
    let tag = given.image_tag.as_deref().map(Tag::parse).transpose();
    let tag = tag.map_err(|error| ("InvalidImageTag", format!("Invalid image tag: {error}")))?;
    if digest.is_none() && tag.is_none() {
        return Err(("MissingDigestAndTag", "An image id needs a digest or a tag".to_owned()));
    }
    Ok(ImageId { digest, tag })
}

/// One id where a wrong one fails the whole call.
fn read_id(given: &s::ImageIdentifier) -> Answer<ImageId> {
    parse_id(given).map_err(|(_, reason)| invalid("imageIds", reason))
}

fn failed(given: s::ImageIdentifier, kind: &ImageFailure) -> s::ImageFailure {
    let (code, reason) = match kind {
        ImageFailure::NotFound => ("ImageNotFound", "Requested image not found".to_owned()),
        ImageFailure::TagDoesNotMatchDigest => {
            ("ImageTagDoesNotMatchDigest", "The tag does not point to this digest".to_owned())
        }
        ImageFailure::ReferencedByIndex(index) => {
            ("ImageReferencedByManifestList", format!("Requested image referenced by manifest list: [{index}]"))
        }
        ImageFailure::NotAccepted => {
            ("ImageNotFound", "The image has none of the accepted media types, and is never converted".to_owned())
        }
        ImageFailure::Damaged => {
            ("ImageInaccessible", "The stored bytes of the manifest are damaged: push the image again".to_owned())
        }
    };
    failure(given, code, reason)
}

fn failure(given: s::ImageIdentifier, code: &str, reason: String) -> s::ImageFailure {
    s::ImageFailure { image_id: Some(given), failure_code: Some(code.to_owned()), failure_reason: Some(reason) }
}

fn identifier(digest: &Digest, tag: Option<&Tag>) -> s::ImageIdentifier {
    s::ImageIdentifier { image_digest: Some(digest.to_string()), image_tag: tag.map(ToString::to_string) }
}

fn shown_id(id: &ImageId) -> s::ImageIdentifier {
    s::ImageIdentifier {
        image_digest: id.digest.as_ref().map(ToString::to_string),
        image_tag: id.tag.as_ref().map(ToString::to_string),
    }
}

fn detail(domain: &Domain, repository: &str, image: ImageDescription) -> s::ImageDetail {
    s::ImageDetail {
        registry_id: Some(Context::account(domain)),
        repository_name: Some(repository.to_owned()),
        image_digest: Some(image.digest.to_string()),
        image_tags: Some(image.tags.iter().map(ToString::to_string).collect()).filter(|tags: &Vec<_>| !tags.is_empty()),
        image_size_in_bytes: Some(bytes(image.size)),
        image_pushed_at: Some(time(image.pushed_at)),
        image_manifest_media_type: Some(image.media_type.to_string()),
        artifact_media_type: image.artifact_type,
        last_recorded_pull_time: image.last_pulled_at.map(time),
        subject_manifest_digest: image.subject.map(|subject| subject.to_string()),
        image_status: Some("ACTIVE".to_owned()),
        ..s::ImageDetail::default()
    }
}
