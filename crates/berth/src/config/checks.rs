//! What values must be together.

use berth_aws::registry_host::HostTemplate;
use berth_domain::throttle::Profile;

use super::Settings;
use super::effective::Values;
use super::entrances;
use super::kinds::FormerStore;
use super::problem::Problem;

/// What does not go together.
pub(super) fn check(settings: &Settings, values: &Values) -> Vec<Problem> {
    let found =
        [another_store(settings, values), regions_need_hosts(settings, values), rates_need_a_profile(settings, values)];
    entrances::check(settings, values).into_iter().chain(found.into_iter().flatten()).collect()
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

/// Content of a region that no host leads to could not be reached.
fn regions_need_hosts(settings: &Settings, values: &Values) -> Option<Problem> {
    let (key, registry) = ("registry.regions", &settings.registry);
    let tells_regions = registry.host.as_ref().is_some_and(HostTemplate::has_region);
    let message = "is set but registry.host has no {region}; images of other regions could not be pushed or pulled";
    (!registry.regions.is_empty() && !tells_regions).then(|| Problem::unfit(values.origin(key), key, message))
}

/// Whoever sets quotas means them.
fn rates_need_a_profile(settings: &Settings, values: &Values) -> Option<Problem> {
    let (key, throttle) = ("throttle.rates", &settings.throttle);
    let message = "is set but throttle.profile is off, which counts no calls; set it to ecr";
    (!throttle.rates.is_empty() && throttle.profile == Profile::Off)
        .then(|| Problem::unfit(values.origin(key), key, message))
}
