//! Every difference between the two evaluators, with what AWS documents about it. Pages are of the IAM user guide.

use serde_json::{Value, json};

use crate::cases::Case;
use crate::conditions::ContextValue;

/// A class of differences.
pub struct Explained {
    pub name: &'static str,
    /// What AWS documents, and where.
    #[allow(dead_code, reason = "for those who read the table")]
    pub documented: &'static str,
    pub applies: fn(&Case) -> bool,
    /// Takes away what makes the difference, so that both must agree again.
    pub avoid: fn(&mut Case),
}

pub const EXPLAINED: [Explained; 14] = [
    Explained {
        name: "a root user needs no policy",
        documented: "How AWS enforcement code logic evaluates requests: \"By default, all requests are implicitly denied with \
                     the exception of the AWS account root user, which has full access.\" They ask for an identity policy.",
        applies: |case| case.principal.as_deref().is_some_and(|arn| arn.ends_with(":root")),
        avoid: |case| case.identity = vec![json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})],
    },
    Explained {
        name: "variables in a policy of 2008",
        documented: "Version: \"variables such as ${aws:username} aren't recognized as variables and are instead treated \
                     as literal strings in the policy\". They put in values all the same.",
        applies: |case| {
            case.policies().any(|policy| policy["Version"] == "2008-10-17" && policy.to_string().contains("${"))
        },
        avoid: |case| rewrite(case, "2008-10-17", "2012-10-17"),
    },
    Explained {
        name: "0.0.0.0/0 and addresses from 128.0.0.0 on",
        documented: "Condition operators: \"IpAddress: The specified IP address or range\", which is CIDR: no bit of the \
                     address counts. They leave the upper half out.",
        applies: |case| {
            let upper = matches!(case.context.get("aws:SourceIp"), Some(ContextValue::One(address)) if address.starts_with("19"));
            upper
                && case.conditions().any(|(operator, _, values)| {
                    operator.contains("IpAddress") && values.to_string().contains("0.0.0.0/0")
                })
        },
        avoid: |case| rewrite(case, "0.0.0.0/0", "198.51.100.0/24"),
    },
    Explained {
        name: "NotIpAddress with an address of the other family",
        documented: "Condition operators: \"NotIpAddress: All IP addresses except the specified IP address or range\". An \
                     IPv6 address is in no IPv4 range; they let the operator fail.",
        applies: |case| {
            case.conditions().any(|(operator, _, values)| operator.starts_with("NotIp") && other_family(case, values))
        },
        avoid: |case| drop(case.context.remove("aws:SourceIp")),
    },
    Explained {
        name: "NotPrincipal that names the account",
        documented: "NotPrincipal: the example that denies everybody but the user Bob names Bob and Bob's account, so \
                     naming an account spares nobody else in it. They spare them all.",
        applies: |case| {
            not_principals(case).any(|names| {
                names.contains(":root") || names.contains("\"111111111111\"") || names.contains("\"222222222222\"")
            })
        },
        avoid: |case| {
            rewrite(case, ":root\"", ":user/nobody\"");
            rewrite(case, "\"111111111111\"", "\"arn:aws:iam::111111111111:user/nobody\"");
            rewrite(case, "\"222222222222\"", "\"arn:aws:iam::222222222222:user/nobody\"");
        },
    },
    Explained {
        name: "NotResource whose variable has no value",
        documented: "Variables and tags, Policy variables with no value: \"the resource that includes a policy variable with \
                     no value will not match any resource\", so a Deny with it as NotResource spares nothing. They skip the \
                     statement.",
        applies: |case| elements(case, "NotResource").any(|text| without_value(case, &text)),
        avoid: give_values,
    },
    Explained {
        name: "an incomplete ARN",
        documented: "IAM identifiers: \"When you specify an incomplete ARN (one with fewer than the standard six fields) in \
                     an identity-based policy, AWS automatically completes the ARN by adding wildcard characters (*) to all \
                     missing fields.\" They do so only where a star is at the end.",
        applies: |case| case.statements().any(|statement| statement.to_string().contains("\"arn:aws:ecr\"")),
        avoid: |case| rewrite(case, "\"arn:aws:ecr\"", "\"arn:aws:ecr:*\""),
    },
    Explained {
        name: "a star before a slash",
        documented: "Resource: \"The asterisk (*) character can expand to replace everything within a segment, including \
                     characters like a forward slash (/)\". ARNs: \"You cannot use a wildcard in the portion of the ARN that \
                     specifies the resource type\". They match nothing then; here the first rule holds throughout, so that \
                     such a Deny denies.",
        applies: |case| case.statements().any(|statement| statement.to_string().contains(":*/web")),
        avoid: |case| rewrite(case, ":*/web", ":repository/*/web"),
    },
    Explained {
        name: "a negated operator with a variable without value",
        documented: "Variables and tags, Policy variables with no value: \"Inverted condition operators like StringNotEquals \
                     or StringNotLike do match against a null value\", with a Deny as the example. They let the operator fail.",
        applies: |case| {
            case.conditions()
                .any(|(operator, _, values)| operator.contains("Not") && without_value(case, &values.to_string()))
        },
        avoid: give_values,
    },
    Explained {
        name: "an escaped star in an operator without wildcards",
        documented: "Variables and tags, special characters: \"${*} - use where you need an * (asterisk) character\", in any \
                     value. They compare with the escape as written.",
        applies: |case| {
            case.conditions()
                .any(|(operator, _, values)| operator.contains("Equals") && values.to_string().contains("${*}"))
        },
        avoid: |case| {
            rewrite(case, "\"${*}\"", "\"nothing\"");
            rewrite(case, "\"a${*}e\"", "\"nothing\"");
        },
    },
    Explained {
        name: "dates in seconds",
        documented: "Condition operators, Date: \"You must specify date/time values with one of the W3C implementations of \
                     the ISO 8601 date formats or in epoch (UNIX) time.\" They know no epoch time here.",
        applies: |case| {
            case.conditions()
                .any(|(operator, _, values)| operator.starts_with("Date") && values.to_string().contains("1714521600"))
        },
        avoid: |case| rewrite(case, "1714521600", "2024-05-01T00:00:00Z"),
    },
    Explained {
        name: "a grant to everybody under a boundary or session policy",
        documented: "Permissions boundaries: \"resource-based policies that grant permissions to an IAM user ARN (that is not \
                     a federated user session) are not limited by an implicit deny in an identity-based policy or permissions \
                     boundary\". A star is no ARN, so it is limited here; they take it for one.",
        applies: |case| {
            let ceiling = case.boundary.is_some() || case.session.is_some();
            ceiling && elements(case, "Principal").any(|text| text.contains("\"*\""))
        },
        avoid: drop_ceilings,
    },
    Explained {
        name: "a session that a resource policy names",
        documented: "Policy evaluation for requests within a single account: \"Permissions granted directly to a session are \
                     not limited by an implicit deny in an identity-based policy, a permissions boundary, or session \
                     policy.\" They let the session policy cut them.",
        applies: |case| {
            let arn = case.principal.as_deref().unwrap_or_default();
            case.session.is_some() && elements(case, "Principal").any(|text| text.contains(arn))
        },
        avoid: drop_ceilings,
    },
    Explained {
        name: "IfExists with a set operator and no key",
        documented: "Condition operators, ...IfExists: \"If the key is not present, evaluate the condition element as true.\" They let ForAnyValue decide.",
        applies: |case| {
            let missing = !case.context.contains_key("aws:TagKeys");
            missing
                && case
                    .conditions()
                    .any(|(operator, ..)| operator.starts_with("ForAny") && operator.ends_with("IfExists"))
        },
        avoid: |case| drop(case.context.insert("aws:TagKeys", ContextValue::Many(vec!["other"]))),
    },
];

/// The texts of an element in all statements.
fn elements<'a>(case: &'a Case, name: &'a str) -> impl Iterator<Item = String> + 'a {
    case.statements().filter_map(move |statement| statement.get(name)).map(Value::to_string)
}

fn not_principals(case: &Case) -> impl Iterator<Item = String> {
    elements(case, "NotPrincipal")
}

/// Whether a text has a variable without default for which the request has no value.
fn without_value(case: &Case, text: &str) -> bool {
    ["aws:username", "aws:PrincipalTag/team"]
        .into_iter()
        .any(|key| text.contains(&format!("${{{key}}}")) && !case.context.contains_key(key))
}

/// Replaces a piece of text in all policies.
fn rewrite(case: &mut Case, from: &str, to: &str) {
    let others = [&mut case.boundary, &mut case.session, &mut case.resource_policy, &mut case.endpoint];
    for policy in case.identity.iter_mut().chain(others.into_iter().flatten()) {
        *policy = serde_json::from_str(&policy.to_string().replace(from, to)).unwrap();
    }
}

fn give_values(case: &mut Case) {
    for key in ["aws:username", "aws:PrincipalTag/team"] {
        case.context.entry(key).or_insert_with(|| ContextValue::One("team".to_owned()));
    }
}

fn drop_ceilings(case: &mut Case) {
    case.boundary = None;
    case.session = None;
}

fn other_family(case: &Case, values: &Value) -> bool {
    let Some(ContextValue::One(address)) = case.context.get("aws:SourceIp") else { return false };
    let values = values.to_string();
    if address.contains(':') { values.contains('.') } else { values.contains(':') }
}
