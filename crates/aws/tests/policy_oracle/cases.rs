//! Requests and policies made at random from few words, so that they meet often.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::conditions::{self, Context};
use crate::random::Random;

pub const HERE: &str = "111111111111";
pub const THERE: &str = "222222222222";

/// A request with all that has a say in it; as JSON, what the oracle reads.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// An ARN; nothing is the anonymous caller.
    pub principal: Option<String>,
    pub action: &'static str,
    pub resource: String,
    pub account: &'static str,
    pub context: Context,
    pub identity: Vec<Value>,
    pub boundary: Option<Value>,
    pub session: Option<Value>,
    pub resource_policy: Option<Value>,
    pub endpoint: Option<Value>,
}

pub const USERS: [&str; 3] = [
    "arn:aws:iam::111111111111:user/team/alice",
    "arn:aws:iam::111111111111:user/bob",
    "arn:aws:iam::222222222222:user/eve",
];
/// A session, and its role.
pub const SESSIONS: [(&str, &str); 3] = [
    ("arn:aws:sts::111111111111:assumed-role/deploy/ci", "arn:aws:iam::111111111111:role/deploy"),
    ("arn:aws:sts::111111111111:assumed-role/deploy/night", "arn:aws:iam::111111111111:role/deploy"),
    ("arn:aws:sts::222222222222:assumed-role/pull/node", "arn:aws:iam::222222222222:role/pull"),
];
pub const FEDERATED: (&str, &str) =
    ("arn:aws:sts::111111111111:federated-user/bob", "arn:aws:iam::111111111111:user/bob");
pub const ROOTS: [&str; 2] = ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"];

const ACTIONS: [&str; 4] = ["ecr:BatchGetImage", "ecr:PutImage", "ecr:DescribeImages", "ecr:InitiateLayerUpload"];
const ACTION_PATTERNS: [&str; 14] = [
    "ecr:BatchGetImage",
    "ecr:PutImage",
    "ECR:putimage",
    "ecr:DescribeImages",
    "ecr:InitiateLayerUpload",
    "ecr:*",
    "ecr:*",
    "*",
    "ecr:*Image",
    "ecr:*image*",
    "ecr:?utImage",
    "ecr:Batch*",
    "ecr:B*t*",
    "s3:GetObject",
];
const REPOSITORIES: [&str; 5] = ["team/app", "team/base", "prod/web", "alice/x", "x:y/z"];
const RESOURCE_PATTERNS: [&str; 21] = [
    "arn:aws:ecr:*",
    "arn:aws:ecr",
    "arn:*",
    "*",
    "*",
    "arn:aws:ecr:us-east-1:111111111111:repository/*",
    "arn:aws:ecr:us-east-1:111111111111:repository/team/*",
    "arn:aws:ecr:us-east-1:111111111111:repository/team/app",
    "arn:aws:ecr:us-east-1:111111111111:repository/prod/web",
    "arn:aws:ecr:*:*:repository/*",
    "arn:aws:ecr:*:222222222222:*",
    "arn:aws:ecr:us-*-1:1111111*:repository/*/?pp",
    "arn:aws:ecr:*:*:repository/TEAM/app",
    "arn:aws:ecr:us-east-1:*:repository/${aws:username}/*",
    "arn:aws:ecr:us-east-1:*:repository/${aws:PrincipalTag/team}/*",
    "arn:aws:ecr:us-east-1:*:repository/${aws:PrincipalTag/team, 'prod'}/*",
    "arn:aws:ecr:us-east-1:*:repository/a${*}b",
    "arn:aws:ecr:us-east-1:*:repository/tea?/ap?",
    "arn:aws:ecr:us-east-1:*:repository/x:?/z",
    "arn:aws:s3:::bucket/*",
    "arn:aws:ecr:us-east-1:*:*/web",
];

pub fn generate(random: &mut Random) -> Case {
    let principal = principal(random);
    let account = if random.percent(70) { HERE } else { THERE };
    let repository = random.pick(&REPOSITORIES);
    let resource = format!("arn:aws:ecr:us-east-1:{account}:repository/{repository}");
    let context = conditions::context(random, principal.as_deref());
    let action = *random.pick(&ACTIONS);
    let anonymous = principal.is_none();
    let root = principal.as_deref().is_some_and(|arn| arn.ends_with(":root"));
    let session = principal.as_deref().is_some_and(|arn| arn.contains(":sts:")) && random.percent(40);
    let identity = if anonymous || root { 0 } else { random.below(3) };
    Case {
        action,
        resource,
        account,
        context,
        identity: (0..identity).map(|_| policy(random, Kind::Identity)).collect(),
        boundary: (!anonymous && !root && random.percent(20)).then(|| policy(random, Kind::Ceiling)),
        session: session.then(|| policy(random, Kind::Ceiling)),
        resource_policy: (anonymous || random.percent(65)).then(|| policy(random, Kind::Resource)),
        endpoint: random.percent(10).then(|| policy(random, Kind::Endpoint)),
        principal,
    }
}

fn principal(random: &mut Random) -> Option<String> {
    let arn = match random.below(100) {
        0..40 => *random.pick(&USERS),
        40..80 => random.pick(&SESSIONS).0,
        80..88 => FEDERATED.0,
        88..93 => *random.pick(&ROOTS),
        _ => return None,
    };
    Some(arn.to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Identity,
    /// Boundaries and session policies, which allow more and deny less.
    Ceiling,
    Resource,
    Endpoint,
}

fn policy(random: &mut Random, kind: Kind) -> Value {
    let mut statements: Vec<Value> = (0..=random.below(3)).map(|_| statement(random, kind)).collect();
    let version = if random.percent(90) { "2012-10-17" } else { "2008-10-17" };
    if statements.len() == 1 && random.percent(50) {
        return json!({"Version": version, "Statement": statements.pop()});
    }
    json!({"Version": version, "Statement": statements})
}

fn statement(random: &mut Random, kind: Kind) -> Value {
    let deny = random.percent(if kind == Kind::Ceiling || kind == Kind::Endpoint { 10 } else { 20 });
    let mut statement = Map::new();
    statement.insert("Effect".into(), if deny { "Deny" } else { "Allow" }.into());
    element(random, &mut statement, "Action", &ACTION_PATTERNS, 12);
    element(random, &mut statement, "Resource", &RESOURCE_PATTERNS, 10);
    if kind == Kind::Resource || kind == Kind::Endpoint {
        principals(random, &mut statement, deny, kind);
    }
    if random.percent(if deny { 60 } else { 35 }) {
        statement.insert("Condition".into(), conditions::element(random));
    }
    Value::Object(statement)
}

fn element(random: &mut Random, statement: &mut Map<String, Value>, name: &str, patterns: &[&str], negated: usize) {
    let name = if random.percent(negated) { format!("Not{name}") } else { name.to_owned() };
    let values = random.some(patterns, 3);
    let value = if values.len() == 1 { json!(values[0]) } else { json!(values) };
    statement.insert(name, value);
}

fn principals(random: &mut Random, statement: &mut Map<String, Value>, deny: bool, kind: Kind) {
    let name = if deny && random.percent(20) { "NotPrincipal" } else { "Principal" };
    if kind == Kind::Endpoint || (name == "Principal" && random.percent(30)) {
        let everyone = if random.percent(50) { json!("*") } else { json!({"AWS": "*"}) };
        statement.insert("Principal".into(), everyone);
        return;
    }
    let mut names: Vec<&str> = vec![HERE, THERE, ROOTS[0], ROOTS[1], FEDERATED.0];
    names.extend(USERS.iter().chain(&USERS));
    names.extend(SESSIONS.iter().flat_map(|(session, role)| [session, role]));
    let names = random.some(&names, 4);
    let value = if names.len() == 1 { json!(names[0]) } else { json!(names) };
    statement.insert(name.into(), json!({ "AWS": value }));
}

impl Case {
    /// All policies.
    pub fn policies(&self) -> impl Iterator<Item = &Value> {
        let others = [&self.boundary, &self.session, &self.resource_policy, &self.endpoint];
        self.identity.iter().chain(others.into_iter().flatten())
    }

    /// All statements of all policies.
    pub fn statements(&self) -> impl Iterator<Item = &Value> {
        self.policies().flat_map(|policy| match &policy["Statement"] {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        })
    }

    /// All conditions as operator, key and values.
    pub fn conditions(&self) -> impl Iterator<Item = (&String, &String, &Value)> {
        let conditions = self.statements().filter_map(|statement| statement.get("Condition")?.as_object());
        conditions.flatten().flat_map(|(operator, keys)| {
            keys.as_object().into_iter().flatten().map(move |(key, values)| (operator, key, values))
        })
    }

    /// How often each kind of outcome, principal and so on occurs, for the test's own report.
    pub fn tally(&self, tally: &mut BTreeMap<&'static str, usize>) {
        let kinds = [
            ("anonymous", self.principal.is_none()),
            ("boundary", self.boundary.is_some()),
            ("session policy", self.session.is_some()),
            ("resource policy", self.resource_policy.is_some()),
            ("endpoint policy", self.endpoint.is_some()),
            ("other account", self.principal.as_ref().is_some_and(|arn| !arn.contains(self.account))),
            ("conditions", self.conditions().next().is_some()),
        ];
        kinds.into_iter().filter(|(_, is)| *is).for_each(|(kind, _)| *tally.entry(kind).or_default() += 1);
    }
}
