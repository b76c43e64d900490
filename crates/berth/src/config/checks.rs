//! What values must be together.

use super::Settings;
use super::effective::Values;
use super::problem::Problem;

/// What does not go together.
pub(super) fn check(settings: &Settings, values: &Values) -> Vec<Problem> {
    [tls_needs_both(settings, values), an_address(settings, values)].into_iter().flatten().collect()
}

fn an_address(settings: &Settings, values: &Values) -> Option<Problem> {
    let key = "server.listen";
    settings.server.listen.is_empty().then(|| Problem::unfit(values.origin(key), key, "is empty; name an address"))
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
