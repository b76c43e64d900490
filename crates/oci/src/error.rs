//! Error codes (distribution spec, "Error Codes") and their JSON.

use serde_json::{Value, json};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal),* $(,)?) => {
        /// An error code of the distribution spec or of Docker's registry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $name),*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as it goes over the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

codes! {
    /// A blob is not in the repository.
    BlobUnknown = "BLOB_UNKNOWN",
    /// An upload cannot go on like this.
    BlobUploadInvalid = "BLOB_UPLOAD_INVALID",
    /// There is no such upload.
    BlobUploadUnknown = "BLOB_UPLOAD_UNKNOWN",
    /// A digest is malformed, or not the content's.
    DigestInvalid = "DIGEST_INVALID",
    /// A manifest refers to what is not in the repository.
    ManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN",
    /// A manifest cannot be accepted.
    ManifestInvalid = "MANIFEST_INVALID",
    /// A manifest is not in the repository.
    ManifestUnknown = "MANIFEST_UNKNOWN",
    /// A repository name is malformed.
    NameInvalid = "NAME_INVALID",
    /// There is no such repository.
    NameUnknown = "NAME_UNKNOWN",
    /// A size is wrong or too large.
    SizeInvalid = "SIZE_INVALID",
    /// Credentials are needed, or wrong.
    Unauthorized = "UNAUTHORIZED",
    /// The caller may not do this.
    Denied = "DENIED",
    /// The registry does not do this.
    Unsupported = "UNSUPPORTED",
    /// The caller asks too much.
    TooManyRequests = "TOOMANYREQUESTS",
    /// A tag is malformed.
    TagInvalid = "TAG_INVALID",
    /// A manifest's signature is wrong (Docker schema 1).
    ManifestUnverified = "MANIFEST_UNVERIFIED",
    /// A range lies outside of the content.
    RangeInvalid = "RANGE_INVALID",
    /// A page size is no number.
    PaginationNumberInvalid = "PAGINATION_NUMBER_INVALID",
    /// The registry cannot do this at the moment.
    Unavailable = "UNAVAILABLE",
    /// Something else.
    Unknown = "UNKNOWN",
}

/// The body of an error's answer, in JSON. What `detail` holds is for programs; it may be left out.
pub fn render_errors(code: ErrorCode, message: &str, detail: Option<Value>) -> Vec<u8> {
    let mut error = json!({ "code": code.as_str(), "message": message });
    if let Some(detail) = detail {
        error["detail"] = detail;
    }
    json!({ "errors": [error] }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_upper_case_words_of_their_own() {
        let mut codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn an_error_is_json_whatever_its_message() {
        let body = render_errors(ErrorCode::NameInvalid, "a \"quote\"\r\n", Some(json!({ "name": "x" })));
        let expected =
            json!({"errors": [{"code": "NAME_INVALID", "message": "a \"quote\"\r\n", "detail": {"name": "x"}}]});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
        let plain = render_errors(ErrorCode::Unknown, "m", None);
        assert_eq!(String::from_utf8(plain).unwrap(), r#"{"errors":[{"code":"UNKNOWN","message":"m"}]}"#);
    }
}
