//! The main path of ECR by AWS's SDK for Rust. A blob's file is named after its digest; what was answered is printed as JSON,
//! and who asks is told by the environment.
//!
//! ```text
//! ecr-main-path ENDPOINT make NAME MANIFEST BLOB...
//! ecr-main-path ENDPOINT remove NAME
//! ```

use std::error::Error;
use std::path::Path;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::retry::RetryConfig;
use aws_sdk_ecr::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_ecr::error::ProvideErrorMetadata;
use aws_sdk_ecr::operation::upload_layer_part::UploadLayerPartError;
use aws_sdk_ecr::primitives::Blob;
use aws_sdk_ecr::types::{Image, ImageFailure, ImageIdentifier, Tag};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PART: usize = 5 * 1024 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = match arguments.as_slice() {
        [endpoint, "make", name, manifest, blobs @ ..] => make(&client(endpoint)?, name, manifest, blobs).await?,
        [endpoint, "remove", name] => remove(&client(endpoint)?, name).await?,
        _ => return Err("usage: ecr-main-path ENDPOINT make NAME MANIFEST BLOB... | ENDPOINT remove NAME".into()),
    };
    println!("{said}");
    Ok(())
}

fn client(endpoint: &str) -> Outcome<Client> {
    let (id, secret) = (std::env::var("AWS_ACCESS_KEY_ID")?, std::env::var("AWS_SECRET_ACCESS_KEY")?);
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(id, secret, None, None, "environment"))
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Ok(Client::from_conf(config))
}

async fn make(ecr: &Client, name: &str, manifest: &str, blobs: &[&str]) -> Outcome<String> {
    let missing = ecr.describe_repositories().repository_names(name).send().await;
    let missing = missing.err().ok_or("a repository that is not there was described")?.into_service_error();
    let tag = Tag::builder().key("team").value("blue").build()?;
    let made = ecr.create_repository().repository_name(name).tags(tag).send().await?;
    let repository = made.repository().ok_or("no repository")?;
    let mut uploads = Vec::new();
    for blob in blobs {
        uploads.push(upload(ecr, name, Path::new(blob)).await?);
    }
    let manifest = std::fs::read_to_string(manifest)?;
    let mut put = Vec::new();
    for tag in ["v1", "v2", "v3"] {
        let answer = ecr.put_image().repository_name(name).image_manifest(&manifest).image_tag(tag).send().await?;
        let id = answer.image().and_then(Image::image_id).ok_or("no image")?.clone();
        put.push([id.image_digest, id.image_tag].map(Option::unwrap_or_default));
    }
    let ids = ["v1", "never"].map(tagged);
    let got = ecr.batch_get_image().repository_name(name).set_image_ids(Some(ids.into())).send().await?;
    let same: Vec<bool> = got.images().iter().map(|image| image.image_manifest() == Some(manifest.as_str())).collect();
    let failures: Vec<&str> =
        got.failures().iter().filter_map(ImageFailure::failure_code).map(|c| c.as_str()).collect();
    let described = ecr.describe_images().repository_name(name).send().await?;
    let detail = described.image_details().first().ok_or("no image is described")?;
    let mut pages = Vec::new();
    let mut listed = ecr.list_images().repository_name(name).into_paginator().page_size(2).send();
    while let Some(page) = listed.next().await {
        pages.push(page?.image_ids().len());
    }
    let layer = uploads.last().map(|(digest, _)| digest).ok_or("no blob was given")?;
    let url = ecr.get_download_url_for_layer().repository_name(name).layer_digest(layer).send().await?;
    Ok(object(&[
        ("missing", format!("{:?}", missing.code().unwrap_or_default())),
        ("repositoryUri", format!("{:?}", repository.repository_uri().unwrap_or_default())),
        ("created", seconds(repository.created_at())),
        ("uploads", list(uploads.iter().map(|(d, l)| format!(r#"[{d:?},"InvalidLayerPartException",{l}]"#)))),
        ("put", format!("{put:?}")),
        ("same", format!("{same:?}")),
        ("failures", format!("{failures:?}")),
        (
            "details",
            list(described.image_details().iter().map(|detail| {
                let digest = detail.image_digest().unwrap_or_default();
                format!(
                    "[{digest:?},{},{}]",
                    detail.image_tags().len(),
                    detail.image_size_in_bytes().unwrap_or_default()
                )
            })),
        ),
        ("pushed", seconds(detail.image_pushed_at())),
        ("pages", format!("{pages:?}")),
        ("downloadUrl", format!("{:?}", url.download_url().unwrap_or_default())),
    ]))
}

/// Uploads a blob in parts; its digest, and how far the upload was when a part was refused that came twice.
async fn upload(ecr: &Client, name: &str, path: &Path) -> Outcome<(String, i64)> {
    let data = std::fs::read(path)?;
    let begun = ecr.initiate_layer_upload().repository_name(name).send().await?;
    let id = begun.upload_id().ok_or("no upload")?;
    let part = |first: i64, data: &[u8]| {
        let last = first + i64::try_from(data.len()).unwrap_or(i64::MAX) - 1;
        let request = ecr.upload_layer_part().repository_name(name).upload_id(id).part_first_byte(first);
        request.part_last_byte(last).layer_part_blob(Blob::new(data)).send()
    };
    let mut first = 0;
    for chunk in data.chunks(PART) {
        first = part(first, chunk).await?.last_byte_received().ok_or("nothing was received")? + 1;
    }
    let refused = part(0, b"a").await.err().ok_or("a part was taken twice")?.into_service_error();
    let UploadLayerPartError::InvalidLayerPartException(refused) = refused else { return Err(refused.into()) };
    let last = refused.last_valid_byte_received().ok_or("it is not said how far it got")?;
    let digest = format!("sha256:{}", path.file_name().and_then(|name| name.to_str()).ok_or("a path without a name")?);
    let done = ecr.complete_layer_upload().repository_name(name).upload_id(id).layer_digests(digest).send().await?;
    Ok((done.layer_digest().unwrap_or_default().to_owned(), last))
}

async fn remove(ecr: &Client, name: &str) -> Outcome<String> {
    let gone = ecr.batch_delete_image().repository_name(name).image_ids(tagged("v1")).send().await?;
    let gone: Vec<&str> = gone.image_ids().iter().filter_map(ImageIdentifier::image_tag).collect();
    let full = ecr.delete_repository().repository_name(name).send().await;
    let full = full.err().ok_or("a full repository was deleted")?.into_service_error();
    let deleted = ecr.delete_repository().repository_name(name).force(true).send().await?;
    let deleted = deleted.repository().and_then(|repository| repository.repository_name()).unwrap_or_default();
    Ok(object(&[
        ("gone", format!("{gone:?}")),
        ("full", format!("{:?}", full.code().unwrap_or_default())),
        ("name", format!("{deleted:?}")),
    ]))
}

fn tagged(tag: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_tag(tag).build()
}

fn seconds(time: Option<&aws_sdk_ecr::primitives::DateTime>) -> String {
    time.map_or("null".to_owned(), |time| time.as_secs_f64().to_string())
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// JSON of members whose values are JSON already. (Text here is plain ASCII, of which Rust's form is JSON's too.)
fn object(members: &[(&str, String)]) -> String {
    format!("{{{}}}", members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect::<Vec<_>>().join(","))
}
