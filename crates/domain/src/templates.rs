//! Repository creation templates: what a repository is made with that nobody makes by hand.

use berth_aws::ecr::lifecycle::LifecyclePolicy;
use berth_aws::ecr::mutability::TagMutability;
use berth_aws::ecr::shapes::{self as s, RepositoryCreationTemplate};
use berth_aws::ecr::template::{self, longest_match};
use berth_oci::name::RepositoryName;
use berth_store::Transaction;
use berth_store::registry_settings::{self, Kind, RegistrySetting};
use berth_store::repositories::{NewRepository, Registry};

use crate::Domain;
use crate::caller::Caller;
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::registry_documents::{Most, moment, read, stem, text};
use crate::repositories::Page;
use crate::repository_policies;
use crate::settings::Settings;

const KIND: Kind = Kind::Template;
/// What a template is for that repositories of pushes are made by.
const ON_PUSH: &str = "CREATE_ON_PUSH";
/// Templates of a registry that are looked at for a push.
const LOOKED_AT: u64 = 10_000;

impl Domain {
    /// Makes a template (ECR `CreateRepositoryCreationTemplate`). Its prefix is kept and shown without a slash at its end.
    ///
    /// [`EcrError::TemplateExists`], [`EcrError::LimitExceeded`], and [`EcrError::Invalid`] for what a repository could not
    /// have.
    pub async fn create_template(
        &self,
        caller: &Caller,
        request: s::CreateRepositoryCreationTemplateRequest,
    ) -> Result<RepositoryCreationTemplate, Error> {
        self.allow_on_registry(caller, "ecr:CreateRepositoryCreationTemplate").await?;
        let template = template_of(request);
        check(&template, &self.settings)?;
        self.ensure_not_read_only()?;
        let (settings, now) = (self.settings.clone(), self.clock.now());
        self.database
            .write(move |txn| {
                let (registry, prefix) = (&settings.registry, template.prefix.as_deref().unwrap_or_default());
                if registry_settings::find(txn, registry, KIND, prefix)?.is_some() {
                    return Err(EcrError::TemplateExists(prefix.to_owned()).into());
                }
                let (what, setting) = ("repository creation templates", "creation_templates");
                Most { kind: KIND, what, setting, limit: settings.creation_templates }.ensure_room(txn, registry)?;
                registry_settings::put(txn, registry, KIND, prefix, &text(&template)?, now)?;
                find(txn, registry, prefix)
            })
            .await
    }

    /// Changes a template; members that are left out stay (ECR `UpdateRepositoryCreationTemplate`). Empty texts take policies
    /// away. [`EcrError::TemplateUnknown`], and [`EcrError::Invalid`] as when one is made.
    pub async fn update_template(
        &self,
        caller: &Caller,
        request: s::UpdateRepositoryCreationTemplateRequest,
    ) -> Result<RepositoryCreationTemplate, Error> {
        self.allow_on_registry(caller, "ecr:UpdateRepositoryCreationTemplate").await?;
        self.ensure_not_read_only()?;
        let (settings, now) = (self.settings.clone(), self.clock.now());
        self.database
            .write(move |txn| {
                let (registry, prefix) = (&settings.registry, stem(&request.prefix));
                let found = registry_settings::find(txn, registry, KIND, prefix)?;
                let stored = read(&found.ok_or_else(|| EcrError::TemplateUnknown(prefix.to_owned()))?)?;
                let changed = without_empty(changed(stored, request.clone()));
                check(&changed, &settings)?;
                registry_settings::put(txn, registry, KIND, prefix, &text(&changed)?, now)?;
                find(txn, registry, prefix)
            })
            .await
    }

    /// Takes a template away; what it was (ECR `DeleteRepositoryCreationTemplate`). Repositories that were made by it stay
    /// as they are. [`EcrError::TemplateUnknown`].
    pub async fn delete_template(&self, caller: &Caller, prefix: &str) -> Result<RepositoryCreationTemplate, Error> {
        self.allow_on_registry(caller, "ecr:DeleteRepositoryCreationTemplate").await?;
        self.ensure_not_read_only()?;
        let (registry, prefix) = (self.settings.registry.clone(), stem(prefix).to_owned());
        self.database
            .write(move |txn| {
                let found = find(txn, &registry, &prefix)?;
                registry_settings::delete(txn, &registry, KIND, &prefix)?;
                Ok(found)
            })
            .await
    }

    /// The templates of these prefixes; those that there are not are left out (ECR `DescribeRepositoryCreationTemplates` with
    /// prefixes, which knows no error for them).
    pub async fn describe_templates(
        &self,
        caller: &Caller,
        prefixes: &[String],
    ) -> Result<Vec<RepositoryCreationTemplate>, Error> {
        self.allow_on_registry(caller, "ecr:DescribeRepositoryCreationTemplates").await?;
        self.documents(KIND, prefixes).await?.iter().flatten().map(shown).collect()
    }

    /// Up to `limit` templates behind the prefix `last`, in byte order (ECR `DescribeRepositoryCreationTemplates`).
    pub async fn describe_templates_behind(
        &self,
        caller: &Caller,
        last: &str,
        limit: u64,
    ) -> Result<Page<RepositoryCreationTemplate>, Error> {
        self.allow_on_registry(caller, "ecr:DescribeRepositoryCreationTemplates").await?;
        let Page { items, more } = self.documents_behind(KIND, last, limit).await?;
        Ok(Page { items: items.iter().map(shown).collect::<Result<_, _>>()?, more })
    }
}

fn find(txn: &mut dyn Transaction, registry: &Registry, prefix: &str) -> Result<RepositoryCreationTemplate, Error> {
    let found = registry_settings::find(txn, registry, KIND, prefix)?;
    shown(&found.ok_or_else(|| EcrError::TemplateUnknown(prefix.to_owned()))?)
}

/// A template as it is shown: the times are the row's.
fn shown(setting: &RegistrySetting) -> Result<RepositoryCreationTemplate, Error> {
    let template = read(setting)?;
    Ok(RepositoryCreationTemplate {
        created_at: Some(moment(setting.created_at)),
        updated_at: Some(moment(setting.updated_at)),
        ..template
    })
}

/// What a request asks for, with what holds where it says nothing.
fn template_of(request: s::CreateRepositoryCreationTemplateRequest) -> RepositoryCreationTemplate {
    let usual = NewRepository::default();
    let encryption =
        s::EncryptionConfigurationForRepositoryCreationTemplate { encryption_type: usual.encryption, kms_key: None };
    without_empty(RepositoryCreationTemplate {
        prefix: Some(stem(&request.prefix).to_owned()),
        description: request.description,
        encryption_configuration: Some(request.encryption_configuration.unwrap_or(encryption)),
        resource_tags: request.resource_tags,
        image_tag_mutability: Some(request.image_tag_mutability.unwrap_or(usual.mutability)),
        image_tag_mutability_exclusion_filters: request.image_tag_mutability_exclusion_filters,
        repository_policy: request.repository_policy,
        lifecycle_policy: request.lifecycle_policy,
        applied_for: Some(request.applied_for),
        custom_role_arn: request.custom_role_arn,
        created_at: None,
        updated_at: None,
    })
}

fn changed(
    stored: RepositoryCreationTemplate,
    request: s::UpdateRepositoryCreationTemplateRequest,
) -> RepositoryCreationTemplate {
    // Filters belong to their mode: a new mode does not keep those of the one before.
    let filters = match (request.image_tag_mutability_exclusion_filters, &request.image_tag_mutability) {
        (None, None) => stored.image_tag_mutability_exclusion_filters,
        (filters, _) => filters,
    };
    RepositoryCreationTemplate {
        prefix: stored.prefix,
        description: request.description.or(stored.description),
        encryption_configuration: request.encryption_configuration.or(stored.encryption_configuration),
        resource_tags: request.resource_tags.or(stored.resource_tags),
        image_tag_mutability: request.image_tag_mutability.or(stored.image_tag_mutability),
        image_tag_mutability_exclusion_filters: filters,
        repository_policy: request.repository_policy.or(stored.repository_policy),
        lifecycle_policy: request.lifecycle_policy.or(stored.lifecycle_policy),
        applied_for: request.applied_for.or(stored.applied_for),
        custom_role_arn: request.custom_role_arn.or(stored.custom_role_arn),
        created_at: None,
        updated_at: None,
    }
}

fn without_empty(template: RepositoryCreationTemplate) -> RepositoryCreationTemplate {
    let unless_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
    RepositoryCreationTemplate {
        repository_policy: unless_empty(template.repository_policy),
        lifecycle_policy: unless_empty(template.lifecycle_policy),
        custom_role_arn: unless_empty(template.custom_role_arn),
        ..template
    }
}

fn check(template: &RepositoryCreationTemplate, settings: &Settings) -> Result<(), Error> {
    let parts = template::Template {
        applied_for: template.applied_for.as_deref().unwrap_or_default(),
        encryption: template.encryption_configuration.as_ref(),
        resource_tags: template.resource_tags.as_deref().unwrap_or_default(),
        mutability: template.image_tag_mutability.as_deref(),
        mutability_filters: template.image_tag_mutability_exclusion_filters.as_deref(),
        custom_role_arn: template.custom_role_arn.as_deref(),
    };
    template::check(&parts, settings.registry.account.as_str())?;
    if let Some(policy) = &template.repository_policy {
        repository_policies::parse("repositoryPolicy", "repository", policy)?;
    }
    if let Some(policy) = &template.lifecycle_policy {
        LifecyclePolicy::parse(policy)?;
    }
    Ok(())
}

/// The template for a repository that a push makes: that of the longest prefix.
pub(crate) fn for_push(
    txn: &mut dyn Transaction,
    registry: &Registry,
    name: &RepositoryName,
) -> Result<Option<RepositoryCreationTemplate>, Error> {
    let mut templates = Vec::new();
    for setting in registry_settings::list(txn, registry, KIND, "", LOOKED_AT)? {
        let template: RepositoryCreationTemplate = read(&setting)?;
        if template.applied_for.iter().flatten().any(|occasion| occasion == ON_PUSH) {
            templates.push((setting.name, template));
        }
    }
    let prefixes = templates.iter().map(|(prefix, _)| prefix.as_str());
    let Some(longest) = longest_match(prefixes, name.as_str()).map(str::to_owned) else { return Ok(None) };
    Ok(templates.into_iter().find(|(prefix, _)| *prefix == longest).map(|(_, template)| template))
}

/// What a template decides of a repository; of one that says nothing, the usual.
pub(crate) fn decided(template: &RepositoryCreationTemplate) -> Result<NewRepository, Error> {
    let (mode, filters) =
        (template.image_tag_mutability.as_deref(), template.image_tag_mutability_exclusion_filters.as_deref());
    let (mode, mutability_filters) = TagMutability::from_shapes(mode, filters)?.stored();
    let usual = NewRepository::default();
    let encryption = template.encryption_configuration.as_ref();
    Ok(NewRepository {
        mutability: mode.to_owned(),
        mutability_filters,
        encryption: encryption.map_or(usual.encryption, |given| given.encryption_type.clone()),
        scan_on_push: usual.scan_on_push,
    })
}
