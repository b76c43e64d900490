//! The signing configuration of a registry.

use super::Invalid;
use super::shapes as s;

/// Checks the configuration of a registry in `region`: signing profiles are of the same region, of whatever account.
///
/// `ValidationException` otherwise. How many rules and filters there may be and the form of the ARNs
/// (`arn:aws:signer:REGION:ACCOUNT:/signing-profiles/NAME`) are in their shapes. Follows `PutSigningConfiguration` and
/// "Managed signing" of ECR's user guide.
pub fn check(configuration: &s::SigningConfiguration, region: &str) -> Result<(), Invalid> {
    for (index, rule) in configuration.rules.iter().enumerate() {
        let found = rule.signing_profile_arn.split(':').nth(3).unwrap_or_default();
        if found != region {
            let constraint = format!(
                "the signing profile of rule {} is in the region '{found}', it must be in the registry's region '{region}'",
                index + 1
            );
            return Err(Invalid::validation("signingConfiguration", constraint));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecr::Exception;

    fn rule(arn: &str) -> s::SigningRule {
        s::SigningRule { signing_profile_arn: arn.into(), repository_filters: None }
    }

    #[test]
    fn profiles_are_of_the_region() {
        let here = rule("arn:aws:signer:us-east-1:111122223333:/signing-profiles/mine");
        let cross_account = rule("arn:aws:signer:us-east-1:444455556666:/signing-profiles/theirs");
        let elsewhere = rule("arn:aws:signer:eu-west-1:111122223333:/signing-profiles/mine");
        let checked = |rules: Vec<_>| check(&s::SigningConfiguration { rules }, "us-east-1");
        assert_eq!(checked(vec![]), Ok(()));
        assert_eq!(checked(vec![here.clone(), cross_account]), Ok(()));
        let error = checked(vec![here, elsewhere]).unwrap_err();
        assert_eq!(error.exception, Exception::Validation);
        assert!(error.message.contains("rule 2 is in the region 'eu-west-1'"), "{error}");
        assert!(checked(vec![rule("")]).is_err());
    }
}
