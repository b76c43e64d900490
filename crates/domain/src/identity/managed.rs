//! The policies that every account has: those that AWS manages for ECR, and the few that are needed to manage Berth itself.
//! Names and meaning are AWS's ("AWS managed policies for Amazon Elastic Container Registry").

/// A policy that comes with Berth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// Its name.
    pub name: &'static str,
    /// Its ARN.
    pub arn: &'static str,
    /// Its unique id.
    pub unique_id: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The document.
    pub document: &'static str,
}

/// The ARN of the policy that grants everything.
pub const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// All of them, by name.
pub const ALL: &[ManagedPolicy] = &[
    ManagedPolicy {
        name: "AdministratorAccess",
        arn: ADMINISTRATOR,
        unique_id: "ANPABERTHADMINISTRATR",
        description: "Everything in the account.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    },
    ManagedPolicy {
        name: "AmazonEC2ContainerRegistryFullAccess",
        arn: "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess",
        unique_id: "ANPABERTHECRFULLACCES",
        description: "Everything in the registry.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:*","cloudtrail:LookupEvents"],"Resource":"*"}]}"#,
    },
    ManagedPolicy {
        name: "AmazonEC2ContainerRegistryPowerUser",
        arn: "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser",
        unique_id: "ANPABERTHECRPOWERUSER",
        description: "Pulling and pushing, without deleting images or changing policies.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:GetRepositoryPolicy","ecr:DescribeRepositories","ecr:ListImages","ecr:DescribeImages","ecr:BatchGetImage","ecr:GetLifecyclePolicy","ecr:GetLifecyclePolicyPreview","ecr:ListTagsForResource","ecr:DescribeImageScanFindings","ecr:InitiateLayerUpload","ecr:UploadLayerPart","ecr:CompleteLayerUpload","ecr:PutImage"],"Resource":"*"}]}"#,
    },
    ManagedPolicy {
        name: "AmazonEC2ContainerRegistryPullOnly",
        arn: "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
        unique_id: "ANPABERTHECRPULLONLYA",
        description: "Pulling, also what a pull brings into a cache.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:BatchImportUpstreamImage"],"Resource":"*"}]}"#,
    },
    ManagedPolicy {
        name: "AmazonEC2ContainerRegistryReadOnly",
        arn: "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly",
        unique_id: "ANPABERTHECRREADONLYA",
        description: "Pulling and looking, without changing anything.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:GetRepositoryPolicy","ecr:DescribeRepositories","ecr:ListImages","ecr:DescribeImages","ecr:BatchGetImage","ecr:GetLifecyclePolicy","ecr:GetLifecyclePolicyPreview","ecr:ListTagsForResource","ecr:DescribeImageScanFindings"],"Resource":"*"}]}"#,
    },
    ManagedPolicy {
        name: "IAMFullAccess",
        arn: "arn:aws:iam::aws:policy/IAMFullAccess",
        unique_id: "ANPABERTHIAMFULLACCES",
        description: "Everything in the account's identities.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*"],"Resource":"*"}]}"#,
    },
    ManagedPolicy {
        name: "IAMReadOnlyAccess",
        arn: "arn:aws:iam::aws:policy/IAMReadOnlyAccess",
        unique_id: "ANPABERTHIAMREADONLYA",
        description: "Looking at the account's identities.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*","iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy"],"Resource":"*"}]}"#,
    },
];

/// The one of an ARN.
pub fn find(arn: &str) -> Option<&'static ManagedPolicy> {
    ALL.iter().find(|policy| policy.arn == arn)
}

#[cfg(test)]
mod tests {
    use berth_aws::policy::{Policy, PolicyKind};

    use super::*;

    #[test]
    fn every_one_is_a_policy_with_a_name_and_id_of_its_own() {
        for policy in ALL {
            Policy::parse(policy.document, PolicyKind::Identity, 6144).unwrap();
            assert_eq!(policy.arn, format!("arn:aws:iam::aws:policy/{}", policy.name));
            assert_eq!(policy.unique_id.len(), 21, "{}", policy.unique_id);
            assert_eq!(ALL.iter().filter(|other| other.unique_id == policy.unique_id).count(), 1);
        }
        assert!(ALL.is_sorted_by_key(|policy| policy.name));
    }
}
