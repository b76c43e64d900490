//! Why a text is no policy.

/// Why a text is no policy. The messages are those of IAM's `MalformedPolicyDocument` where it has one for the case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Longer than the caller's limit; both in bytes.
    #[error("The policy is {length} bytes long, and may have {limit}.")]
    TooLong {
        /// Of the text.
        length: usize,
        /// That the caller set.
        limit: usize,
    },
    /// No JSON, a member named twice, or nested too deeply.
    #[error("This policy contains invalid Json: line {line}, column {column}.")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// Not the grammar of policies; the text tells what.
    #[error("Syntax errors in policy: {}.", shown(.0))]
    Syntax(String),
    /// Neither `2012-10-17` nor `2008-10-17`.
    #[error("The policy's Version is neither 2012-10-17 nor 2008-10-17.")]
    Version,
    /// No statements.
    #[error("Policy document must contain statements.")]
    NoStatements,
    /// A statement without Action and `NotAction`, or with both.
    #[error("Policy statement must contain actions.")]
    Actions,
    /// A statement of an identity policy without Resource and `NotResource`, or with both.
    #[error("Policy statement must contain resources.")]
    Resources,
    /// A principal in an identity policy.
    #[error("Policy document should not specify a principal.")]
    PrincipalPresent,
    /// No principal in a resource or trust policy, or both Principal and `NotPrincipal`.
    #[error("Policy statement must contain principals.")]
    Principals,
    /// An element that this kind of policy may not have.
    #[error("Has prohibited field {0}.")]
    Prohibited(&'static str),
    /// An action or condition key without a service in front.
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: {:?}", shown(.0))]
    Vendor(String),
    /// An action of a trust policy that does not assume a role.
    #[error("AssumeRole policy may only specify STS AssumeRole actions: {:?}", shown(.0))]
    TrustAction(String),
    /// A resource that is no ARN.
    #[error("Resource {} must be in ARN format or \"*\".", shown(.0))]
    Resource(String),
    /// A principal of a form that does not exist.
    #[error("Invalid principal in policy: {}", shown(.0))]
    Principal(String),
    /// A Sid of other characters than letters and digits, in an identity or trust policy.
    #[error(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )]
    Sid,
    /// A Sid twice.
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    DuplicateSid,
    /// No condition operator.
    #[error("Invalid Condition type : {}.", shown(.0))]
    Operator(String),
    /// A value that the operator cannot compare with.
    #[error("Invalid value {:?} for condition operator {operator}.", shown(value))]
    Value {
        /// As the policy names it.
        operator: String,
        /// As the policy has it.
        value: String,
    },
    /// A variable that is not closed, has no service in front or a default without quotes.
    #[error("Invalid policy variable in {:?}.", shown(.0))]
    Variable(String),
}

/// As much of a text as a message repeats.
fn shown(text: &str) -> &str {
    const LONGEST: usize = 200;
    text.char_indices().nth(LONGEST).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}
