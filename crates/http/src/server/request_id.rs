//! A name for every request, in its reply and in every log line about it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use berth_store::{Random, SystemRandom};
use http::HeaderValue;
use http::header::{HeaderMap, HeaderName};

/// The header that carries the id, both ways.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request. An extension of every request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

tokio::task_local! {
    static CURRENT: RequestId;
}

impl RequestId {
    /// The request that is being answered where this is called, for lines of the log.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Runs what answers this request.
    pub(crate) fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    /// The id as text: letters, digits and `-._`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

impl From<&str> for RequestId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes ids: a random start of the process and a count. Unique without asking for randomness on every request.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u64,
    count: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let mut bytes = [0; 8];
        SystemRandom.fill(&mut bytes);
        Self { process: u64::from_le_bytes(bytes), count: AtomicU64::new(0) }
    }

    pub(crate) fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{:016x}{count:08x}", self.process).into())
    }
}

/// The id that a trusted proxy has given, if it is one that can go into logs and headers as it is.
pub(crate) fn given(headers: &HeaderMap) -> Option<RequestId> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_right = (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    is_right.then(|| RequestId(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        let (one, other) = (RequestIds::new(), RequestIds::new());
        let ids = [one.next(), one.next(), other.next()];
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(ids[0].as_str().len(), 24);
    }

    #[test]
    fn given_ids_are_checked() {
        let given_as = |text: &str| {
            given(&HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_bytes(text.as_bytes()).unwrap())]))
        };
        assert_eq!(given_as("a-B.9_").unwrap().as_str(), "a-B.9_");
        for wrong in ["", "a b", "a\tb", "\u{e9}", "a\"", &"x".repeat(129)] {
            assert_eq!(given_as(wrong), None);
        }
    }
}
