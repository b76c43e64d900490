//! A request as the handlers of this door use it.

use async_trait::async_trait;
use berth_domain::{Body, BodyFailed, Error};
use berth_oci::error::ErrorCode;
use berth_oci::manifest::MAX_MANIFEST_BYTES;
use berth_oci::query::Query;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{Request, StatusCode, request};

use super::Refusal;
use crate::server::{ClientOrigin, RequestBody};

/// The head of a request and its body.
pub(crate) struct Call {
    pub(crate) parts: request::Parts,
    pub(crate) body: IncomingBytes,
    /// What links begin with, where the client used the host of a registry.
    pub(crate) base: Option<String>,
}

/// A request's body as the domain reads it.
pub(crate) struct IncomingBytes(RequestBody);

#[async_trait]
impl Body for IncomingBytes {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyFailed> {
        self.0.chunk().await.transpose().map_err(|error| BodyFailed(error.to_string()))
    }

    fn declared_length(&self) -> Option<u64> {
        self.0.declared_length()
    }
}

impl Call {
    pub(crate) fn new(request: Request<RequestBody>) -> Self {
        let (parts, body) = request.into_parts();
        Self { parts, body: IncomingBytes(body), base: None }
    }

    /// The query, decoded.
    pub(crate) fn query(&self) -> Result<Query, Refusal> {
        Query::parse(self.parts.uri.query().unwrap_or_default())
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::Unsupported, error.to_string()))
    }

    /// A header's text; one that is not text is no header.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// Bytes that the head promises.
    pub(crate) fn declared_length(&self) -> Option<u64> {
        self.body.0.declared_length()
    }

    /// A URL of this registry: relative, unless the operator or a trusted proxy says how clients see it.
    pub(crate) fn location(&self, path: &str) -> String {
        let of_server = || self.parts.extensions.get::<ClientOrigin>()?.base_url.as_deref();
        let base = self.base.as_deref().or_else(of_server);
        format!("{}{path}", base.unwrap_or_default().trim_end_matches('/'))
    }

    /// Content is stored as it is sent: nothing is inflated on the way.
    pub(crate) fn refuse_content_encoding(&self) -> Result<(), Refusal> {
        match self.parts.headers.get(CONTENT_ENCODING) {
            Some(encoding) if encoding != "identity" => Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorCode::Unsupported,
                "content is stored as it is sent: leave out Content-Encoding and say in the media type how a layer is compressed",
            )),
            _ => Ok(()),
        }
    }

    /// What the client says the body is.
    pub(crate) fn content_type(&self) -> Option<String> {
        self.header(CONTENT_TYPE).map(str::to_owned)
    }

    /// The body of a manifest PUT: refused before reading where it is declared too large, and at the limit where not.
    pub(crate) async fn manifest_body(&mut self) -> Result<Bytes, Refusal> {
        if self.declared_length().is_some_and(|length| length > MAX_MANIFEST_BYTES as u64) {
            return Err(too_large());
        }
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.body.chunk().await.map_err(Error::from)? {
            if whole.len() + chunk.len() > MAX_MANIFEST_BYTES {
                return Err(too_large());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}

fn too_large() -> Refusal {
    Error::from(berth_oci::manifest::ManifestError::TooLarge).into()
}
