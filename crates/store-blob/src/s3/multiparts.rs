//! The multipart uploads that were begun in the bucket and not ended. The library that speaks S3 for us cannot list them,
//! so the request is made here, with its credentials and its signature.

use berth_store::{Begun, BlobKey, BlobStoreError, Timestamp};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::Method;
use object_store::aws::AwsAuthorizer;
use object_store::client::{HttpRequest, HttpRequestBody};
use object_store::path::Path;
use object_store::signer::Signer as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::ADDRESS_LIFE;
use super::client::Client;

/// What stays as it is in a query that is signed.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// From where the next page goes on, in the server's own words: servers do not agree on what they mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Marker {
    key: String,
    id: String,
}

/// A page, as the server tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
    #[serde(default, rename = "Upload")]
    uploads: Vec<Upload>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    // Of one whose age is not told nothing is known.
    initiated: Option<String>,
}

impl Listed {
    fn read(text: &[u8]) -> Result<Self, String> {
        quick_xml::de::from_reader(text).map_err(|error| error.to_string())
    }

    fn next(&self) -> Option<Marker> {
        let (key, id) = (self.next_key_marker.clone(), self.next_upload_id_marker.clone());
        self.is_truncated.then_some(Marker { key, id }).filter(|next| *next != Marker::default())
    }
}

impl Upload {
    /// As one of a blob; `None` where it is something else.
    fn begun(self) -> Option<Begun> {
        let key = BlobKey::parse(self.key.rsplit('/').next()?)?;
        let at: jiff::Timestamp = self.initiated?.parse().ok()?;
        Some(Begun { key, id: self.id, at: Timestamp::from_millis(at.as_millisecond()) })
    }
}

impl Client {
    /// Everything that was begun in the store's part of the bucket, page by page.
    pub(super) fn multiparts(&self) -> BoxStream<'_, Result<Begun, BlobStoreError>> {
        let pages = stream::try_unfold(Some(Marker::default()), move |marker| async move {
            let Some(marker) = marker else { return Ok(None) };
            let page = self.page(&marker).await.map_err(unavailable)?;
            // A server that goes nowhere would be asked for ever.
            let next = page.next().filter(|next| *next != marker);
            let begun: Vec<_> = page.uploads.into_iter().filter_map(Upload::begun).map(Ok).collect();
            Ok(Some((stream::iter(begun), next)))
        });
        pages.try_flatten().boxed()
    }

    async fn page(&self, marker: &Marker) -> Result<Listed, String> {
        let request = self.listing(marker).await.map_err(|error| error.to_string())?;
        let answer = self.http.execute(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.into_body().bytes().await.map_err(|error| error.to_string())?;
        if status.is_success() {
            return Listed::read(&body);
        }
        Err(format!("the server answers {status}: {}", String::from_utf8_lossy(&body[..body.len().min(500)])))
    }

    /// The signed request for a page.
    async fn listing(&self, marker: &Marker) -> Result<HttpRequest, object_store::Error> {
        // Where the bucket is, by an address in it.
        let mut url = self.bucket.signed_url(Method::GET, &Path::from("x"), ADDRESS_LIFE).await?;
        let bucket = url.path().trim_end_matches('x').to_owned();
        url.set_path(if bucket == "/" { "/" } else { bucket.trim_end_matches('/') });
        url.set_query(Some(&self.query(marker)));
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = url.as_str().parse().map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: Box::<dyn std::error::Error + Send + Sync>::from(format!("{url}: {error}")),
        })?;
        let credential = self.bucket.credentials().get_credential().await?;
        AwsAuthorizer::new(&credential, "s3", &self.region).try_authorize(&mut request, None)?;
        Ok(request)
    }

    fn query(&self, marker: &Marker) -> String {
        let mut query = format!("uploads=&max-uploads={}&prefix={}", self.page, encoded(&format!("{}/", self.folder)));
        for (name, value) in [("key-marker", &marker.key), ("upload-id-marker", &marker.id)] {
            if !value.is_empty() {
                query.extend(["&", name, "=", &encoded(value)]);
            }
        }
        query
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

fn unavailable(reason: String) -> BlobStoreError {
    BlobStoreError::Unavailable { action: "listing the multipart uploads of the bucket".to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "00112233445566778899aabbccddeeff";

    fn listed(inside: &str) -> Listed {
        let namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
        let head = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
        let text =
            format!(r#"{head}<ListMultipartUploadsResult xmlns="{namespace}">{inside}</ListMultipartUploadsResult>"#);
        Listed::read(text.as_bytes()).unwrap()
    }

    fn upload(key: &str, initiated: &str) -> String {
        let owner = "<Initiator><ID>1</ID></Initiator><Owner><ID>2</ID></Owner><StorageClass>STANDARD</StorageClass>";
        format!("<Upload><Key>{key}</Key><UploadId>id&amp;1</UploadId>{owner}{initiated}</Upload>")
    }

    #[test]
    fn a_page_is_read_and_what_is_no_blob_is_passed_over() {
        let initiated = "<Initiated>2026-11-28T18:25:51.000Z</Initiated>";
        let uploads = [
            upload(&format!("p/blobs/00/{KEY}"), initiated),
            upload("p/blobs/00/else", initiated),
            upload(&format!("p/blobs/00/{KEY}"), ""),
            upload(&format!("p/blobs/00/{KEY}"), "<Initiated>yesterday</Initiated>"),
        ];
        let page = listed(&format!("<Prefix>p/blobs/</Prefix>{}", uploads.concat()));
        assert_eq!(page.next(), None);
        let begun: Vec<Begun> = page.uploads.into_iter().filter_map(Upload::begun).collect();
        let at = Timestamp::from_millis(1_795_890_351_000);
        assert_eq!(begun, [Begun { key: BlobKey::parse(KEY).unwrap(), id: "id&1".to_owned(), at }]);
    }

    #[test]
    fn the_next_page_is_named_as_the_server_names_it() {
        let marker = |key: &str, id: &str| Some(Marker { key: key.to_owned(), id: id.to_owned() });
        let cases = [
            ("<IsTruncated>false</IsTruncated><NextKeyMarker>a</NextKeyMarker>", None),
            ("<IsTruncated>true</IsTruncated>", None),
            ("<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>", marker("a", "")),
            ("<IsTruncated>true</IsTruncated><NextUploadIdMarker>b</NextUploadIdMarker>", marker("", "b")),
        ];
        for (inside, next) in cases {
            assert_eq!(listed(inside).next(), next, "{inside}");
        }
    }

    #[test]
    fn what_is_no_listing_is_refused() {
        for text in ["", "no xml", "<Error><Code>SlowDown</Code></Error"] {
            assert!(Listed::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
