//! When images are to be scanned: kept and shown. Nothing is scanned yet.

use berth_aws::ecr::shapes as s;
use berth_oci::name::RepositoryName;

use super::context::repository;
use super::{Answer, Context};

/// `PutImageScanningConfiguration`.
pub(super) async fn put_of_repository(
    cx: &Context<'_>,
    asked: s::PutImageScanningConfigurationRequest,
) -> Answer<s::PutImageScanningConfigurationResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let scan_on_push = asked.image_scanning_configuration.scan_on_push.unwrap_or(false);
    domain.put_scan_on_push(cx.caller, &name, scan_on_push).await?;
    Ok(s::PutImageScanningConfigurationResponse {
        registry_id: Some(Context::account(&domain)),
        repository_name: Some(asked.repository_name),
        image_scanning_configuration: Some(s::ImageScanningConfiguration { scan_on_push: Some(scan_on_push) }),
    })
}

/// `BatchGetRepositoryScanningConfiguration`.
pub(super) async fn of_repositories(
    cx: &Context<'_>,
    asked: s::BatchGetRepositoryScanningConfigurationRequest,
) -> Answer<s::BatchGetRepositoryScanningConfigurationResponse> {
    let domain = cx.registry(None).await?;
    let names = asked.repository_names.iter().map(|name| repository(name)).collect::<Answer<Vec<RepositoryName>>>()?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for configuration in domain.repository_scanning(cx.caller, &names).await? {
        match configuration {
            Ok(configuration) => found.push(configuration),
            Err(name) => failures.push(s::RepositoryScanningConfigurationFailure {
                repository_name: Some(name.to_string()),
                failure_code: Some("REPOSITORY_NOT_FOUND".to_owned()),
                failure_reason: Some("The repository does not exist".to_owned()),
            }),
        }
    }
    Ok(s::BatchGetRepositoryScanningConfigurationResponse {
        scanning_configurations: Some(found),
        failures: Some(failures),
    })
}

/// `PutRegistryScanningConfiguration`.
pub(super) async fn put_of_registry(
    cx: &Context<'_>,
    asked: s::PutRegistryScanningConfigurationRequest,
) -> Answer<s::PutRegistryScanningConfigurationResponse> {
    let domain = cx.registry(None).await?;
    let kept = domain.put_registry_scanning(cx.caller, asked.scan_type.as_deref(), asked.rules).await?;
    Ok(s::PutRegistryScanningConfigurationResponse { registry_scanning_configuration: Some(kept) })
}

/// `GetRegistryScanningConfiguration`.
pub(super) async fn get_of_registry(
    cx: &Context<'_>,
    _asked: s::GetRegistryScanningConfigurationRequest,
) -> Answer<s::GetRegistryScanningConfigurationResponse> {
    let domain = cx.registry(None).await?;
    let configuration = domain.get_registry_scanning(cx.caller).await?;
    Ok(s::GetRegistryScanningConfigurationResponse {
        registry_id: Some(Context::account(&domain)),
        scanning_configuration: Some(configuration),
    })
}
