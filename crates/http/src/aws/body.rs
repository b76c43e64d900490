//! Bodies that are read whole: their hash is part of the signature.

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use crate::server::{BodyError, RequestBody};

/// The longest body: a policy document, encoded, is far shorter.
const LIMIT: usize = 1024 * 1024;

/// Reads a body to its end; else the status that says why it could not be.
pub(super) async fn read(mut body: RequestBody) -> Result<Bytes, StatusCode> {
    if body.declared_length().is_some_and(|declared| declared > LIMIT as u64) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut whole = BytesMut::new();
    while let Some(piece) = body.chunk().await {
        let piece = piece.map_err(|error| match error {
            BodyError::Timeout | BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
            BodyError::Disconnected | BodyError::Malformed => StatusCode::BAD_REQUEST,
        })?;
        if whole.len() + piece.len() > LIMIT {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_has_a_limit() {
        assert_eq!(read(RequestBody::from_bytes("abc")).await.unwrap(), "abc");
        assert_eq!(read(RequestBody::from_bytes(vec![0; LIMIT])).await.unwrap().len(), LIMIT);
        assert_eq!(read(RequestBody::from_bytes(vec![0; LIMIT + 1])).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
    }
}
