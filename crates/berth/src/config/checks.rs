//! What values must be together.

use super::Settings;
use super::effective::Values;
use super::kinds::FormerStore;
use super::problem::Problem;

/// What does not go together.
pub(super) fn check(settings: &Settings, values: &Values) -> Vec<Problem> {
    let found = [tls_needs_both(settings, values), an_address(settings, values), another_store(settings, values)];
    found.into_iter().flatten().collect()
}

fn an_address(settings: &Settings, values: &Values) -> Option<Problem> {
    let key = "server.listen";
    settings.server.listen.is_empty().then(|| Problem::unfit(values.origin(key), key, "is empty; name an address"))
}

/// Blobs do not move to where they are.
fn another_store(settings: &Settings, values: &Values) -> Option<Problem> {
    let (key, s3) = ("storage.move_from", &settings.s3);
    let is_same = match settings.storage.move_from.as_ref()? {
        FormerStore::Files => s3.bucket.is_empty(),
        FormerStore::Bucket(from) => from.bucket == s3.bucket && from.prefix == s3.prefix.trim_matches('/'),
    };
    let message = "is where blobs are to be, too: set s3.bucket and s3.prefix to the new place, or empty for files";
    is_same.then(|| Problem::unfit(values.origin(key), key, message))
}

fn tls_needs_both(settings: &Settings, values: &Values) -> Option<Problem> {
    let (given, missing) = match (&settings.server.tls_cert, &settings.server.tls_key) {
        (Some(_), None) => ("server.tls_cert", "server.tls_key"),
        (None, Some(_)) => ("server.tls_key", "server.tls_cert"),
        _ => return None,
    };
    let message = format!("is set but {missing} is not; TLS needs both");
    Some(Problem::unfit(values.origin(given), given, message))
}
