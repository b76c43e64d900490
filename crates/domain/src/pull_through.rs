//! Pull-through cache rules: which prefix stands for which registry elsewhere.
//!
//! Berth keeps no secrets for others yet: the ARN of one is checked by its form and kept, and nobody looks whether there is
//! such a secret.

use berth_aws::ecr::Invalid;
use berth_aws::ecr::pull_through::{self, CheckedRule, UpstreamRegistry};
use berth_aws::ecr::replication::Registry as Own;
use berth_aws::ecr::shapes::{self as s, PullThroughCacheRule};
use berth_store::registry_settings::{self, Kind, RegistrySetting};
use berth_store::repositories::Registry;
use berth_store::{StoreError, Transaction};

use crate::Domain;
use crate::caller::Caller;
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::registry_documents::{Most, moment, read, stem, text};
use crate::repositories::Page;

const KIND: Kind = Kind::PullThroughRule;

impl Domain {
    /// Makes a rule (ECR `CreatePullThroughCacheRule`). Its prefix is kept and shown without a slash at its end.
    ///
    /// [`EcrError::PullThroughRuleExists`], [`EcrError::LimitExceeded`], and [`EcrError::Invalid`] for a registry that is not
    /// supported, or what does not go with it.
    pub async fn create_pull_through_rule(
        &self,
        caller: &Caller,
        request: s::CreatePullThroughCacheRuleRequest,
    ) -> Result<PullThroughCacheRule, Error> {
        self.allow_on_registry(caller, "ecr:CreatePullThroughCacheRule").await?;
        // How many there are is asked below, where nobody adds one meanwhile.
        let checked = pull_through::check_create(&request, &self.own_registry(), 0, usize::MAX)?;
        self.ensure_not_read_only()?;
        let (settings, now) = (self.settings.clone(), self.clock.now());
        self.database
            .write(move |txn| {
                let (registry, prefix) = (&settings.registry, checked.prefix.as_str());
                if registry_settings::find(txn, registry, KIND, prefix)?.is_some() {
                    return Err(EcrError::PullThroughRuleExists(prefix.to_owned()).into());
                }
                let (what, setting) = ("pull through cache rules", "pull_through_rules");
                Most { kind: KIND, what, setting, limit: settings.pull_through_rules }.ensure_room(txn, registry)?;
                registry_settings::put(txn, registry, KIND, prefix, &text(&rule_of(&checked, registry))?, now)?;
                find(txn, registry, prefix)
            })
            .await
    }

    /// Changes the secret and the role of a rule; what is left out stays (ECR `UpdatePullThroughCacheRule`).
    /// [`EcrError::PullThroughRuleUnknown`], and [`EcrError::Invalid`] as when one is made.
    pub async fn update_pull_through_rule(
        &self,
        caller: &Caller,
        request: s::UpdatePullThroughCacheRuleRequest,
    ) -> Result<PullThroughCacheRule, Error> {
        self.allow_on_registry(caller, "ecr:UpdatePullThroughCacheRule").await?;
        self.ensure_not_read_only()?;
        let (registry, now) = (self.settings.registry.clone(), self.clock.now());
        self.database
            .write(move |txn| {
                let prefix = stem(&request.ecr_repository_prefix);
                let stored = found(txn, &registry, prefix)?;
                if request.credential_arn.is_none() && request.custom_role_arn.is_none() {
                    let nothing =
                        Invalid::validation("credentialArn", "give it or customRoleArn: nothing else can change");
                    return Err(EcrError::from(nothing).into());
                }
                let rule: PullThroughCacheRule = read(&stored)?;
                let changed = PullThroughCacheRule {
                    credential_arn: request.credential_arn.clone().or(rule.credential_arn),
                    custom_role_arn: request.custom_role_arn.clone().or(rule.custom_role_arn),
                    ..rule
                };
                check(&changed, &registry)?;
                registry_settings::put(txn, &registry, KIND, prefix, &text(&changed)?, now)?;
                find(txn, &registry, prefix)
            })
            .await
    }

    /// Takes a rule away; what it was (ECR `DeletePullThroughCacheRule`). [`EcrError::PullThroughRuleUnknown`].
    pub async fn delete_pull_through_rule(&self, caller: &Caller, prefix: &str) -> Result<PullThroughCacheRule, Error> {
        self.allow_on_registry(caller, "ecr:DeletePullThroughCacheRule").await?;
        self.ensure_not_read_only()?;
        let (registry, prefix) = (self.settings.registry.clone(), stem(prefix).to_owned());
        self.database
            .write(move |txn| {
                let rule = find(txn, &registry, &prefix)?;
                registry_settings::delete(txn, &registry, KIND, &prefix)?;
                Ok(rule)
            })
            .await
    }

    /// The rules of these prefixes, in their order (ECR `DescribePullThroughCacheRules` with prefixes).
    /// [`EcrError::PullThroughRuleUnknown`] names the first that there is not.
    pub async fn describe_pull_through_rules(
        &self,
        caller: &Caller,
        prefixes: &[String],
    ) -> Result<Vec<PullThroughCacheRule>, Error> {
        self.allow_on_registry(caller, "ecr:DescribePullThroughCacheRules").await?;
        let known = prefixes.iter().zip(self.documents(KIND, prefixes).await?);
        known.map(|(prefix, setting)| shown(&setting.ok_or_else(|| unknown(prefix))?)).collect()
    }

    /// Up to `limit` rules behind the prefix `last`, in byte order (ECR `DescribePullThroughCacheRules`).
    pub async fn describe_pull_through_rules_behind(
        &self,
        caller: &Caller,
        last: &str,
        limit: u64,
    ) -> Result<Page<PullThroughCacheRule>, Error> {
        self.allow_on_registry(caller, "ecr:DescribePullThroughCacheRules").await?;
        let Page { items, more } = self.documents_behind(KIND, last, limit).await?;
        Ok(Page { items: items.iter().map(shown).collect::<Result<_, _>>()?, more })
    }
}

fn unknown(prefix: &str) -> Error {
    EcrError::PullThroughRuleUnknown(stem(prefix).to_owned()).into()
}

fn found(txn: &mut dyn Transaction, registry: &Registry, prefix: &str) -> Result<RegistrySetting, Error> {
    registry_settings::find(txn, registry, KIND, prefix)?.ok_or_else(|| unknown(prefix))
}

fn find(txn: &mut dyn Transaction, registry: &Registry, prefix: &str) -> Result<PullThroughCacheRule, Error> {
    shown(&found(txn, registry, prefix)?)
}

/// A rule as it is shown: the times are the row's.
fn shown(setting: &RegistrySetting) -> Result<PullThroughCacheRule, Error> {
    let rule = read(setting)?;
    Ok(PullThroughCacheRule {
        created_at: Some(moment(setting.created_at)),
        updated_at: Some(moment(setting.updated_at)),
        ..rule
    })
}

fn rule_of(checked: &CheckedRule, registry: &Registry) -> PullThroughCacheRule {
    PullThroughCacheRule {
        ecr_repository_prefix: Some(checked.prefix.clone()),
        upstream_registry_url: Some(checked.upstream_url.clone()),
        registry_id: Some(registry.account.to_string()),
        credential_arn: checked.credential_arn.clone(),
        custom_role_arn: checked.custom_role_arn.clone(),
        upstream_repository_prefix: Some(checked.upstream_prefix.clone()),
        upstream_registry: Some(checked.upstream_registry.as_str().to_owned()),
        created_at: None,
        updated_at: None,
    }
}

fn check(rule: &PullThroughCacheRule, registry: &Registry) -> Result<(), Error> {
    let url = rule.upstream_registry_url.as_deref().unwrap_or_default();
    let upstream = UpstreamRegistry::of_url(url).ok_or_else(|| StoreError::Corrupt {
        entity: "registry_settings",
        reason: format!("{url} is no registry of a pull through cache rule"),
    })?;
    let own = Own { account: registry.account.as_str(), region: registry.region.as_str() };
    let (secret, taken_on) = (rule.credential_arn.as_deref(), rule.custom_role_arn.as_deref());
    Ok(pull_through::check_update(upstream, url, secret, taken_on, &own)?)
}
