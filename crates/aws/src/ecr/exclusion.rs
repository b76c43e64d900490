//! Pull-time update exclusions: principals whose pulls are not noted as an image's last pull.

use super::Invalid;
use super::principal_arn::PrincipalArn;

/// How many exclusions a registry may have ("Amazon ECR service quotas").
pub const LIMIT: usize = 100;

/// Checks the principal of a new exclusion: a role or user of any account, by its full ARN.
///
/// `existing` is how many exclusions the registry has, `limit` how many it may have. Whether this one is there already is
/// for the caller. Follows `RegisterPullTimeUpdateExclusion`.
pub fn check(principal: &str, existing: usize, limit: usize) -> Result<PrincipalArn, Invalid> {
    let arn = PrincipalArn::parse(principal).ok_or_else(|| {
        Invalid::parameter(
            "principalArn",
            "must be the ARN of an IAM role or user without wildcards, as in arn:aws:iam::111122223333:role/scanner",
        )
    })?;
    if existing >= limit {
        return Err(Invalid::limit("pull time update exclusions", limit));
    }
    Ok(arn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecr::Exception;

    const ROLE: &str = "arn:aws:iam::111122223333:role/scanner";

    #[test]
    fn a_role_is_taken_while_there_is_room() {
        assert_eq!(check(ROLE, 99, LIMIT).unwrap().as_str(), ROLE);
        let full = check(ROLE, 100, LIMIT).unwrap_err();
        assert_eq!(full.exception, Exception::LimitExceeded);
        assert!(full.message.contains("limit of 100 pull time update exclusions"));
    }

    #[test]
    fn what_is_no_principal_is_refused() {
        let error = check("arn:aws:iam::111122223333:role/*", 0, LIMIT).unwrap_err();
        assert_eq!(error.exception, Exception::InvalidParameter);
        assert!(error.message.starts_with("Invalid parameter at 'principalArn' failed to satisfy constraint: '"));
    }
}
