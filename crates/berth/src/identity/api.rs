//! The client of IAM and STS: operations by name with trees as inputs and answers, of a server or of a data folder.

use berth_aws::AccountId;
use berth_aws::iam::IAM;
use berth_aws::protocol::query::build_request;
use berth_aws::protocol::{Form, Operation, Service, validate, xml};
use berth_aws::sts::STS;
use berth_domain::Domain;
use serde_json::{Value, json};

use super::answer::readable;
use crate::failure::Failure;
use crate::remote::client::{Client, refused};

/// Who answers.
pub struct Api(Transport);

enum Transport {
    Remote(Box<Client>),
    Local { domain: Box<Domain>, account: AccountId, region: String },
}

impl Api {
    /// Asks a server.
    pub fn remote(client: Client) -> Self {
        Self(Transport::Remote(Box::new(client)))
    }

    /// Asks a data folder, as whoever holds it, about one account.
    pub fn local(domain: Domain, account: AccountId, region: String) -> Self {
        Self(Transport::Local { domain: Box::new(domain), account, region })
    }

    /// The region that ARNs of repositories are made with.
    pub fn region(&self) -> &str {
        match &self.0 {
            Transport::Remote(client) => client.region(),
            Transport::Local { region, .. } => region,
        }
    }

    /// Runs an operation of IAM, of STS or of Berth's own; times in the answer are texts.
    pub async fn call(&self, name: &str, input: Value) -> Result<Value, Failure> {
        let (service, signed_for, operation) = find(name, &input)?;
        let form = build_request(service, operation, &input);
        let form = form.map_err(|error| Failure::doing("the request cannot be written", error))?;
        let (status, answer) = match &self.0 {
            Transport::Remote(client) => client.query(signed_for, form).await?,
            Transport::Local { domain, account, .. } => answer_locally(domain, account, &form).await?,
        };
        if status != 200 {
            let (fault, _) = xml::parse_fault(&answer).map_err(|_| self.unexpected(status))?;
            return Err(refused(fault));
        }
        let tree = xml::parse_result(operation, &answer).map_err(|_| self.unexpected(status))?;
        Ok(operation.output.map_or(Value::Null, |shape| readable(shape, tree)))
    }

    /// Runs an operation that answers in pages, and gives the elements of one of its lists from all of them.
    pub async fn all(&self, name: &str, input: Value, list: &str) -> Result<Vec<Value>, Failure> {
        let mut found = Vec::new();
        for page in self.pages(name, input).await? {
            found.extend(elements(&page[list]));
        }
        Ok(found)
    }

    /// All pages that an operation answers in.
    pub async fn pages(&self, name: &str, mut input: Value) -> Result<Vec<Value>, Failure> {
        let mut pages: Vec<Value> = Vec::new();
        loop {
            let page = self.call(name, input.clone()).await?;
            let marker = page["Marker"].clone();
            let goes_on = page["IsTruncated"] == true && marker.is_string() && marker != input["Marker"];
            pages.push(page);
            if !goes_on {
                return Ok(pages);
            }
            input["Marker"] = marker;
        }
    }

    /// The account and the ARN of who asks; no ARN for whoever holds the data folder.
    pub async fn caller(&self) -> Result<(String, Option<String>), Failure> {
        if let Transport::Local { account, .. } = &self.0 {
            return Ok((account.as_str().to_owned(), None));
        }
        let identity = self.call("GetCallerIdentity", json!({})).await?;
        let text = |name: &str| identity[name].as_str().map(str::to_owned);
        Ok((text("Account").ok_or_else(|| self.unexpected(200))?, text("Arn")))
    }

    /// Whether a data folder is asked rather than a server.
    pub const fn is_local(&self) -> bool {
        matches!(self.0, Transport::Local { .. })
    }

    fn unexpected(&self, status: u16) -> Failure {
        match &self.0 {
            Transport::Remote(client) => client.unexpected(status),
            Transport::Local { .. } => Failure::CouldNotRun(format!("the answer cannot be read (status {status})")),
        }
    }
}

async fn answer_locally(domain: &Domain, account: &AccountId, form: &str) -> Result<(u16, Vec<u8>), Failure> {
    let form = Form::parse(form.as_bytes()).map_err(|error| Failure::doing("the request cannot be read", error))?;
    let caller = domain.operator_of(account);
    let (status, text) = berth_http::iam::answer(domain, &caller, &form, "local").await;
    Ok((status.as_u16(), text.into_bytes()))
}

/// The operation of a name, and what requests for it are signed for. An input may have no member that the operation has not:
/// it would be left out without a word.
fn find(name: &str, input: &Value) -> Result<(&'static Service, &'static str, &'static Operation), Failure> {
    let services = [(&IAM, "iam"), (&STS, "sts"), (&berth_http::iam::berth::BERTH, "iam")];
    let found =
        services.into_iter().find_map(|(service, signed_for)| Some((service, signed_for, service.operation(name)?)));
    let (service, signed_for, operation) =
        found.ok_or_else(|| Failure::CouldNotRun(format!("there is no operation {name}")))?;
    let known = operation.input.members();
    let mut names = input.as_object().into_iter().flat_map(|members| members.keys());
    match names.find(|given| known.iter().all(|member| member.name != *given)) {
        Some(unknown) => Err(Failure::CouldNotRun(format!("{name} has no member {unknown}"))),
        None => Ok((service, signed_for, operation)),
    }
}

/// Checks an input against the bounds of an operation, as its server will.
pub fn check(name: &str, input: &Value) -> Result<(), String> {
    let (_, _, operation) = find(name, input).map_err(|failure| failure.to_string())?;
    validate(operation.input, input).map_err(|error| error.to_string())
}

/// The elements of a list; none of what is no list.
pub fn elements(list: &Value) -> impl Iterator<Item = Value> + use<'_> {
    list.as_array().into_iter().flatten().cloned()
}

/// The texts of a list, or those of one member of its elements.
pub fn texts(list: &Value, member: Option<&str>) -> Vec<String> {
    let elements = list.as_array().into_iter().flatten();
    let texts = elements.filter_map(|element| member.map_or(element, |member| &element[member]).as_str());
    texts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_with_their_members() {
        for (name, input, service) in [
            ("CreateUser", json!({ "UserName": "a" }), "iam"),
            ("AssumeRole", json!({ "RoleArn": "a", "RoleSessionName": "b" }), "sts"),
            ("CreateAccount", json!({ "AccountId": "1" }), "iam"),
            (
                "ExplainAccess",
                json!({ "PrincipalArn": "1", "ActionName": "1", "ResourceArn": "1", "ContextEntries": [] }),
                "iam",
            ),
            ("GetUser", Value::Null, "iam"),
        ] {
            assert_eq!(find(name, &input).unwrap().1, service, "{name}");
        }
        assert!(find("Fly", &json!({})).is_err());
        assert!(find("CreateUser", &json!({ "Username": "a" })).is_err());
    }
}
