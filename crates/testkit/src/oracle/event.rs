//! What a pusher's log holds, a line of JSON each.

use serde::{Deserialize, Serialize};

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since 1970.
    pub at: u64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The first line: for how many milliseconds an answer about a blob that no manifest uses holds.
    Began(u64),
    /// A call is about to be made.
    Intent(Call),
    /// It was answered, or not.
    Answer(Answer),
    /// A check looked.
    Seen(Sight),
    /// No call is under way any more: the server was started again, say.
    Settled,
    /// The same, and what had not been synced to disk is lost.
    PowerLost,
}

/// A call that changes the registry, or asks for a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are those of the specification")]
pub enum Call {
    /// A blob in one request.
    PutBlob {
        repository: String,
        digest: String,
        length: usize,
    },
    /// An upload of a blob that will be this.
    Begin {
        repository: String,
        digest: String,
        length: usize,
    },
    /// Bytes `first..end` of an upload.
    Chunk {
        upload: String,
        first: usize,
        end: usize,
    },
    /// The rest of an upload, from `first` on.
    Finish {
        upload: String,
        digest: String,
        first: usize,
        end: usize,
    },
    /// Gives up an upload that a mount began.
    GiveUp {
        upload: String,
    },
    /// Whether a blob is there.
    Head {
        repository: String,
        digest: String,
    },
    /// A blob from another repository.
    Mount {
        repository: String,
        from: String,
        digest: String,
    },
    /// A manifest under a tag, with the blobs and manifests that it needs.
    PutManifest {
        repository: String,
        tag: String,
        digest: String,
        media_type: String,
        length: usize,
        blobs: Vec<String>,
        children: Vec<String>,
    },
    DeleteTag {
        repository: String,
        tag: String,
    },
    DeleteManifest {
        repository: String,
        digest: String,
    },
    DeleteBlob {
        repository: String,
        digest: String,
    },
}

impl Call {
    /// Method and target.
    pub fn request(&self) -> (&'static str, String) {
        let blobs = |repository: &str, rest: &str| format!("/v2/{repository}/blobs/{rest}");
        let manifest = |repository: &str, reference: &str| format!("/v2/{repository}/manifests/{reference}");
        match self {
            Self::PutBlob { repository, digest, .. } => {
                ("POST", blobs(repository, &format!("uploads/?digest={digest}")))
            }
            Self::Begin { repository, .. } => ("POST", blobs(repository, "uploads/")),
            Self::Chunk { upload, .. } => ("PATCH", upload.clone()),
            Self::Finish { upload, digest, .. } => ("PUT", crate::path_and_query(upload, &format!("digest={digest}"))),
            Self::GiveUp { upload } => ("DELETE", upload.clone()),
            Self::Head { repository, digest } => ("HEAD", blobs(repository, digest)),
            Self::Mount { repository, from, digest } => {
                ("POST", blobs(repository, &format!("uploads/?mount={digest}&from={from}")))
            }
            Self::PutManifest { repository, tag, .. } => ("PUT", manifest(repository, tag)),
            Self::DeleteTag { repository, tag } => ("DELETE", manifest(repository, tag)),
            Self::DeleteManifest { repository, digest } => ("DELETE", manifest(repository, digest)),
            Self::DeleteBlob { repository, digest } => ("DELETE", blobs(repository, digest)),
        }
    }
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The status; none where the connection was cut.
    pub status: Option<u16>,
    /// The code of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The target of an upload that was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// What was cut, or the error's text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Answer {
    /// Whether it tells nothing about what became of the call: cut, too busy, or a failure of the server.
    pub fn is_unsure(&self) -> bool {
        self.status.is_none_or(|status| status >= 500 || status == 429 || status == 408)
    }

    /// Whether it says that the bytes do not have the digest that was named.
    pub fn is_of_wrong_bytes(&self) -> bool {
        self.status == Some(400) && self.code.as_deref() == Some("DIGEST_INVALID")
    }
}

/// What a check saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sight", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are those of the specification")]
pub enum Sight {
    /// Whole and with the right bytes, or not there.
    Manifest {
        repository: String,
        digest: String,
        there: bool,
    },
    Blob {
        repository: String,
        digest: String,
        there: bool,
    },
    /// The digest of the manifest that it names.
    Tag {
        repository: String,
        tag: String,
        names: Option<String>,
    },
    /// The list of a repository's tags.
    Tags {
        repository: String,
        tags: Vec<String>,
    },
    /// How far an upload is; none where it is gone.
    Offset {
        upload: String,
        offset: Option<usize>,
    },
}
