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
    /// A range lies outside of the content.
    RangeInvalid = "RANGE_INVALID",
    /// A page size is no number.
    PaginationNumberInvalid = "PAGINATION_NUMBER_INVALID",
    /// The registry cannot do this at the moment.
    Unavailable = "UNAVAILABLE",
    /// Something else.
    Unknown = "UNKNOWN",
}

/// The body of an error's answer.
pub fn render_errors(code: ErrorCode, message: &str, detail: Option<Value>) -> Vec<u8> {
    let detail = detail.unwrap_or(Value::Null);
    json!({ "errors": [{ "code": code.as_str(), "message": message, "detail": detail }] }).to_string().into_bytes()
}
