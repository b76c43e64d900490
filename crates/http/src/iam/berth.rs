//! What Berth does beyond IAM, in the manner of IAM: accounts, and explanations of what somebody may do.
//!
//! The shapes are written by hand after those of IAM's operations; requests are signed and answered as theirs are.

use berth_aws::AccountId;
use berth_aws::iam::IAM;
use berth_aws::iam::shapes::{AccessKey, ContextEntry, CreateAccessKeyResponse, operations};
use berth_aws::protocol::{Kind, Member, Operation, Pattern, Sensitive, Service, Shape, Timestamp};
use berth_domain::identity::IdentityError;
use berth_domain::identity::accounts::ADMINISTRATOR;
use berth_domain::identity::explain::Explain;
use serde::{Deserialize, Serialize};

use super::marker::{Cut, Paging};
use super::{Answer, Call, keys, simulate, view};

/// Berth's own operations, at the endpoint and in the version of IAM.
pub static BERTH: Service = Service {
    name: "IAM",
    version: IAM.version,
    protocol: IAM.protocol,
    operations: &[&CREATE_ACCOUNT, &DELETE_ACCOUNT, &EXPLAIN_ACCESS, &LIST_ACCOUNTS],
};

/// The operation `CreateAccount`: makes an account with its administrator, whose key is answered this once.
pub static CREATE_ACCOUNT: Operation = Operation {
    name: "CreateAccount",
    input: &ONE_ACCOUNT,
    output: operations::CREATE_ACCESS_KEY.output,
    result_wrapper: Some("CreateAccountResult"),
    errors: &[],
};

/// The operation `DeleteAccount`: takes an account away that holds nothing any more. It answers nothing.
pub static DELETE_ACCOUNT: Operation =
    Operation { name: "DeleteAccount", input: &ONE_ACCOUNT, output: None, result_wrapper: None, errors: &[] };

/// The operation `ListAccounts`.
pub static LIST_ACCOUNTS: Operation = Operation {
    name: "ListAccounts",
    input: &PAGE,
    output: Some(&ACCOUNTS_PAGE),
    result_wrapper: Some("ListAccountsResult"),
    errors: &[],
};

/// The operation `ExplainAccess`: decides about a request as it would be decided, and says why.
pub static EXPLAIN_ACCESS: Operation = Operation {
    name: "ExplainAccess",
    input: &EXPLAIN,
    output: Some(&EXPLANATION),
    result_wrapper: Some("ExplainAccessResult"),
    errors: &[],
};

/// What `CreateAccount` and `DeleteAccount` are asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRequest {
    /// `AccountId`: twelve digits, required.
    #[serde(rename = "AccountId")]
    pub account_id: String,
}

/// What `ListAccounts` is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListAccountsRequest {
    /// `Marker`: where the page before ended.
    #[serde(rename = "Marker", default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,

    /// `MaxItems`: a whole number, 1 to 1000.
    #[serde(rename = "MaxItems", default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<i32>,
}

/// What `ListAccounts` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListAccountsResponse {
    /// `Accounts`: a list of structures, sorted by their ids.
    #[serde(rename = "Accounts", default)]
    pub accounts: Vec<Account>,

    /// `IsTruncated`: whether more follows.
    #[serde(rename = "IsTruncated", default, skip_serializing_if = "Option::is_none")]
    pub is_truncated: Option<bool>,

    /// `Marker`: what asks for the next page.
    #[serde(rename = "Marker", default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

/// An account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// `AccountId`: twelve digits, required.
    #[serde(rename = "AccountId")]
    pub account_id: String,

    /// `Alias`: another name for it.
    #[serde(rename = "Alias", default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,

    /// `CreateDate`: a time, required.
    #[serde(rename = "CreateDate")]
    pub create_date: Timestamp,
}

/// What `ExplainAccess` is asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExplainAccessRequest {
    /// `PrincipalArn`: the ARN of a user or role of the caller's account, required.
    #[serde(rename = "PrincipalArn")]
    pub principal_arn: String,

    /// `ActionName`: such as `ecr:PutImage`, required.
    #[serde(rename = "ActionName")]
    pub action_name: String,

    /// `ResourceArn`: an ARN; left out it is `*`.
    #[serde(rename = "ResourceArn", default, skip_serializing_if = "Option::is_none")]
    pub resource_arn: Option<String>,

    /// `ContextEntries`: condition keys and their values, as `SimulatePrincipalPolicy` has them.
    #[serde(rename = "ContextEntries", default, skip_serializing_if = "Option::is_none")]
    pub context_entries: Option<Vec<ContextEntry>>,

    /// `EndpointName`: the listener that the request would come by, as the configuration names it; left out it is the one
    /// without a name.
    #[serde(rename = "EndpointName", default, skip_serializing_if = "Option::is_none")]
    pub endpoint_name: Option<String>,
}

/// What `ExplainAccess` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainAccessResponse {
    /// `EvalDecision`: `allowed`, `implicitDeny` or `explicitDeny`.
    #[serde(rename = "EvalDecision")]
    pub eval_decision: String,

    /// `Explanation`: one sentence.
    #[serde(rename = "Explanation")]
    pub explanation: String,

    /// `Policies`: the names of the policies that had a say.
    #[serde(rename = "Policies", default)]
    pub policies: Vec<String>,
}

pub(super) async fn create_account(call: &Call<'_>, input: AccountRequest) -> Answer<CreateAccessKeyResponse> {
    let key = call.domain.create_account(call.caller, &account(&input)?).await?;
    let access_key = AccessKey {
        user_name: ADMINISTRATOR.to_owned(),
        access_key_id: key.id.as_str().to_owned(),
        status: keys::ACTIVE.to_owned(),
        secret_access_key: Sensitive::new(key.secret.reveal()),
        create_date: None,
    };
    Ok(CreateAccessKeyResponse { access_key })
}

pub(super) async fn delete_account(call: &Call<'_>, input: AccountRequest) -> Answer<()> {
    Ok(call.domain.delete_account(call.caller, &account(&input)?).await?)
}

fn account(input: &AccountRequest) -> Answer<AccountId> {
    Ok(AccountId::parse(&input.account_id).map_err(|error| IdentityError::Validation(error.to_string()))?)
}

pub(super) async fn list_accounts(call: &Call<'_>, input: ListAccountsRequest) -> Answer<ListAccountsResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let page = call.domain.list_accounts(call.caller, &at.last, at.limit).await?;
    let cut = Paging::page(page, |account| account.id.as_str().to_owned());
    let Cut { items, is_truncated, marker } = cut.map(|account| Account {
        account_id: account.id.as_str().to_owned(),
        alias: account.alias,
        create_date: view::date(account.created_at),
    });
    Ok(ListAccountsResponse { accounts: items, is_truncated, marker })
}

pub(super) async fn explain_access(call: &Call<'_>, input: ExplainAccessRequest) -> Answer<ExplainAccessResponse> {
    let asked = Explain {
        principal_arn: input.principal_arn,
        action: input.action_name,
        resource: input.resource_arn.unwrap_or_else(|| "*".to_owned()),
        context: simulate::entries(input.context_entries.unwrap_or_default())?,
        endpoint: input.endpoint_name,
    };
    let explained = call.domain.explain_access(call.caller, asked).await?;
    Ok(ExplainAccessResponse {
        eval_decision: simulate::decision(explained.outcome).to_owned(),
        explanation: explained.sentence,
        policies: explained.policies,
    })
}

const fn text(name: &'static str, min: u64, max: u64, pattern: Option<Pattern>) -> Shape {
    let kind = Kind::String { min: Some(min), max: Some(max), pattern, enumeration: &[], sensitive: false };
    Shape { name, kind }
}

const fn structure(name: &'static str, members: &'static [Member]) -> Shape {
    Shape { name, kind: Kind::Structure { members, union: false } }
}

const fn list(name: &'static str, member: &'static Shape) -> Shape {
    let kind = Kind::List { member, member_name: "member", flattened: false, min: None, max: None };
    Shape { name, kind }
}

const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, wire_name: name, shape, required: true }
}

const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, wire_name: name, shape, required: false }
}

static ACCOUNT_ID: Shape = text("AccountId", 12, 12, Some(Pattern::new("[0-9]{12}")));
static ARN: Shape = text("Arn", 1, 2048, None);
static ACTION: Shape = text("ActionName", 3, 128, None);
static ENDPOINT_NAME: Shape = text("EndpointName", 1, 255, None);
static WORDS: Shape = text("Words", 0, 131_072, None);
static WORDS_LIST: Shape = list("WordsList", &WORDS);
static MARKER: Shape = text("Marker", 1, 320, None);
static MAX_ITEMS: Shape = Shape { name: "MaxItems", kind: Kind::Integer { min: Some(1), max: Some(1000) } };
static TRUTH: Shape = Shape { name: "Truth", kind: Kind::Boolean };
static DATE: Shape = Shape { name: "Date", kind: Kind::Timestamp };
static ONE_ACCOUNT: Shape = structure("AccountRequest", &[required("AccountId", &ACCOUNT_ID)]);
static PAGE: Shape = structure("ListAccountsRequest", &[optional("Marker", &MARKER), optional("MaxItems", &MAX_ITEMS)]);
static ACCOUNT: Shape = structure(
    "Account",
    &[required("AccountId", &ACCOUNT_ID), optional("Alias", &WORDS), required("CreateDate", &DATE)],
);
static ACCOUNTS: Shape = list("Accounts", &ACCOUNT);
static ACCOUNTS_PAGE: Shape = structure(
    "ListAccountsResponse",
    &[required("Accounts", &ACCOUNTS), optional("IsTruncated", &TRUTH), optional("Marker", &MARKER)],
);
static CONTEXT_ENTRY: Shape = structure(
    "ContextEntry",
    &[
        optional("ContextKeyName", &WORDS),
        optional("ContextKeyValues", &WORDS_LIST),
        optional("ContextKeyType", &WORDS),
    ],
);
static CONTEXT_ENTRIES: Shape = list("ContextEntries", &CONTEXT_ENTRY);
static EXPLAIN: Shape = structure(
    "ExplainAccessRequest",
    &[
        required("PrincipalArn", &ARN),
        required("ActionName", &ACTION),
        optional("ResourceArn", &ARN),
        optional("ContextEntries", &CONTEXT_ENTRIES),
        optional("EndpointName", &ENDPOINT_NAME),
    ],
);
static EXPLANATION: Shape = structure(
    "ExplainAccessResponse",
    &[required("EvalDecision", &WORDS), required("Explanation", &WORDS), required("Policies", &WORDS_LIST)],
);
