//! A call while it runs: what is told of it, and what becomes of that.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_aws::{AccountId, arn};
use berth_oci::name::RepositoryName;
use berth_store::Timestamp;
use berth_store::audit::AuditRow;
use berth_store::repositories::Registry;

use super::line::Line;
use super::queue::Entry;
use super::who::Who;
use super::{id, rows};
use crate::Domain;
use crate::caller::Caller;

/// Most records have fewer bytes.
const TYPICAL: usize = 1280;
/// The most things that a record says it is about.
const MOST_RESOURCES: usize = 20;

tokio::task_local! {
    static CURRENT: Arc<Recording>;
}

/// What is known of a call before anything of it is read.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The id that the client is told.
    pub request_id: String,
    /// Where it comes from; `None` from a Unix socket.
    pub source_ip: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// Whether it came encrypted.
    pub is_secure: bool,
    /// How it was encrypted, where this server did that.
    pub tls: Option<Tls>,
    /// The name of the listener, where it has one.
    pub endpoint: Option<Arc<str>>,
    /// The region that it was sent to.
    pub region: String,
    /// How the client calls the server.
    pub host: Option<String>,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tls {
    /// The version, such as `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite, such as `TLS_AES_128_GCM_SHA256`.
    pub cipher: &'static str,
}

/// How a call ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Code and message, where it was not done.
    pub error: Option<(String, String)>,
}

/// What a call is, who asked it, and what for.
#[derive(Debug, Default)]
pub(super) struct Told {
    name: Option<Name>,
    who: Who,
    parameters: Option<String>,
    additional: Option<String>,
    resources: Vec<(String, &'static str, AccountId)>,
    /// The account that is asked, and its region where it is not the call's.
    recipient: Option<AccountId>,
    region: Option<String>,
    /// Why it is not done, as the door says it.
    error: Option<(String, String)>,
}

#[derive(Debug)]
struct Name {
    source: &'static str,
    event: Cow<'static, str>,
    is_read: bool,
}

struct Recording {
    domain: Domain,
    state: Mutex<State>,
    is_written: AtomicBool,
}

#[derive(Default)]
struct State {
    call: Call,
    told: Told,
    id: Option<String>,
}

/// Runs a call of a door so that it is on record: the first transaction that it writes carries its record, and what wrote none is
/// queued at its end, as is one that wrote and was not done after all. One that is dropped on the way is recorded as canceled.
pub async fn recorded<T>(
    domain: &Domain,
    call: Call,
    work: impl Future<Output = T>,
    outcome: impl FnOnce(&T) -> Outcome,
) -> T {
    if !domain.settings.audit.enabled {
        return work.await;
    }
    let state = Mutex::new(State { call, ..State::default() });
    let recording = Arc::new(Recording { domain: domain.clone(), state, is_written: AtomicBool::new(false) });
    let open = Open(Arc::clone(&recording), false);
    let done = CURRENT.scope(recording, work).await;
    open.end(outcome(&done));
    done
}

/// Says what the call is: the service, such as `ecr.amazonaws.com`, its operation, such as `PutImage`, and whether that only reads.
/// Does nothing where no call is recorded, as all that follow.
pub fn name(event_source: &'static str, event_name: impl Into<Cow<'static, str>>, read_only: bool) {
    tell(|told| told.name = Some(Name { source: event_source, event: event_name.into(), is_read: read_only }));
}

/// Says who asks.
pub fn caller(caller: &Caller) {
    tell(|told| told.who = Who::of(caller));
}

/// Says what name or access key id credentials are shown for, before they are believed.
pub fn claimed(name: &str) {
    tell(|told| told.who = Who::claimed(name));
}

/// Says whom an identity provider vouches for. `kind` is `WebIdentityUser` or `SAMLUser`.
pub fn vouched(kind: &'static str, provider: &str, subject: &str, audience: &str) {
    let (provider, subject, audience) = (provider.to_owned(), subject.to_owned(), audience.to_owned());
    tell(|told| told.who = Who::Vouched { kind, provider, subject, audience });
}

/// Says what is asked for; the door has taken secrets out.
pub fn parameters(json: &serde_json::Value) {
    parameters_text(|| json.to_string());
}

/// The same, of JSON that is written already: one object.
pub fn parameters_text(json: impl FnOnce() -> String) {
    tell(|told| told.parameters = Some(json()));
}

/// Says what else is worth knowing, as JSON: one object (`additionalEventData`).
pub fn additional(json: impl FnOnce() -> String) {
    tell(|told| told.additional = Some(json()));
}

/// Says which registry is asked: the record is its account's, too.
pub fn registry(domain: &Domain) {
    let registry = &domain.settings.registry;
    tell(|told| {
        told.recipient = Some(registry.account.clone());
        let is_other = *registry != domain.home;
        told.region = is_other.then(|| registry.region.as_str().to_owned());
    });
}

/// Says what it is about: an ARN, its type, such as `AWS::ECR::Repository`, and whose it is.
pub fn resource(arn: &str, kind: &'static str, account: &AccountId) {
    tell(|told| told.about(arn, kind, account));
}

/// Says which repository of a registry it is about.
pub(crate) fn repository(domain: &Domain, name: &RepositoryName) {
    let Registry { account, region } = &domain.settings.registry;
    tell(|told| {
        // It is asked about more than once on the way.
        let is_it = |arn: &str| arn.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with(":repository/"));
        if told.resources.iter().any(|(known, _, of)| is_it(known) && of == account) {
            return;
        }
        told.about(&arn::repository(region, account, name.as_str()), "AWS::ECR::Repository", account);
    });
}

/// Says which identity or policy it is about, by its ARN.
pub(crate) fn identity(arn: &str, account: &AccountId) {
    let kind = match arn.splitn(6, ':').nth(5).and_then(|own| own.split('/').next()) {
        Some("user") => "AWS::IAM::User",
        Some("group") => "AWS::IAM::Group",
        Some("role") => "AWS::IAM::Role",
        Some("policy") => "AWS::IAM::ManagedPolicy",
        Some("oidc-provider") => "AWS::IAM::OIDCProvider",
        Some("saml-provider") => "AWS::IAM::SAMLProvider",
        _ => return,
    };
    resource(arn, kind, account);
}

/// Says why it is not done, in the words of the door: what counts where the [`Outcome`] is an error.
pub fn failed(code: impl Into<String>, message: impl Into<String>) {
    tell(|told| told.error = Some((code.into(), message.into())));
}

impl Told {
    /// One thing may be asked about several times, and a request may be about very many.
    fn about(&mut self, arn: &str, kind: &'static str, account: &AccountId) {
        let is_new = self.resources.len() < MOST_RESOURCES && self.resources.iter().all(|(known, _, _)| known != arn);
        if is_new {
            self.resources.push((arn.to_owned(), kind, account.clone()));
        }
    }
}

fn tell(what: impl FnOnce(&mut Told)) {
    let _ = CURRENT.try_with(|recording| what(&mut recording.state().told));
}

/// The row that the next transaction of the running call is to write: none where no call is recorded, or its record is written.
pub(super) fn due() -> Option<Due> {
    CURRENT.try_with(Arc::clone).ok().filter(|recording| !recording.is_written.load(Ordering::Acquire)).map(Due)
}

/// A record that a transaction is to write.
pub(super) struct Due(Arc<Recording>);

impl Due {
    /// The row. One call has one id, however often it is tried.
    pub(super) fn row(&self) -> AuditRow {
        let at = self.0.domain.clock.now();
        let mut state = self.0.state();
        let id = state.id.get_or_insert_with(|| {
            let mut random = [0; 10];
            self.0.domain.random.fill(&mut random);
            id::uuid7(at, random)
        });
        let id = id.clone();
        let home = &self.0.domain.home.account;
        let record = line(&state.call, &state.told, &When { at, id: &id, home, error: None });
        rows::change(id, at, record)
    }

    /// The transaction is durable.
    pub(super) fn is_written(&self) {
        self.0.is_written.store(true, Ordering::Release);
    }
}

impl Recording {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, error: Option<(String, String)>) {
        let is_written = self.is_written.load(Ordering::Acquire);
        let State { call, told, .. } = &mut *self.state();
        let error = error.map(|error| told.error.take().unwrap_or(error));
        if is_written && error.is_none() {
            return;
        }
        let domain = &self.domain;
        let is_read = error.is_none() && told.name.as_ref().is_some_and(Name::may_be_left_out);
        if is_read && !domain.audit.takes_read(domain.settings.audit.reads_per_million) {
            return;
        }
        let at = domain.clock.now();
        let (id, home) = (domain.audit.next_id(at), &domain.home.account);
        // Written here, not by whoever empties the queue: what it is made of was allocated by this thread, too.
        let mut line = line(call, told, &When { at, id: &id, home, error: error.as_ref() });
        line.push(b'\n');
        domain.audit.push(Entry { line, at, is_read });
    }
}

impl Name {
    /// Whether it is a read that an operator may wish to leave out: what hands out credentials is not.
    fn may_be_left_out(&self) -> bool {
        let hands_out = matches!(self.event.as_ref(), "GetAuthorizationToken" | "IssueToken");
        self.is_read && !hands_out && self.source != "sts.amazonaws.com"
    }
}

/// A call that has not ended.
struct Open(Arc<Recording>, bool);

impl Open {
    fn end(mut self, outcome: Outcome) {
        self.1 = true;
        self.0.queue(outcome.error);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.1 {
            return;
        }
        let (code, message) = if std::thread::panicking() {
            ("InternalFailure", "the handler failed")
        } else {
            ("RequestCanceled", "the client went away before the call had ended")
        };
        self.0.queue(Some((code.to_owned(), message.to_owned())));
    }
}

/// The record that so many were lost, because the queue was full: a line with its end.
pub(super) fn loss(lost: u64, id: &str, at: Timestamp, home: &AccountId) -> Vec<u8> {
    let told = Told {
        name: Some(Name { source: "berth", event: "RecordsLost".into(), is_read: false }),
        additional: Some(format!(r#"{{"records":{lost}}}"#)),
        ..Told::default()
    };
    let mut line = line(&Call::default(), &told, &When { at, id, home, error: None });
    line.push(b'\n');
    line
}

/// A record, without an end.
fn line(call: &Call, told: &Told, when: &When<'_>) -> Vec<u8> {
    let mut line = Line::new(Vec::with_capacity(TYPICAL));
    write(&mut line, call, told, when);
    line.finish()
}

/// What a record has beside what was told.
struct When<'a> {
    at: Timestamp,
    id: &'a str,
    home: &'a AccountId,
    error: Option<&'a (String, String)>,
}

/// The members and their order are those of CloudTrail's record contents (version 1.11).
fn write(line: &mut Line, call: &Call, told: &Told, when: &When<'_>) {
    line.object(|line| {
        line.member("eventVersion", "1.11");
        line.key("userIdentity");
        told.who.write(line);
        line.key("eventTime");
        line.time(when.at);
        let (source, event, is_read) = told
            .name
            .as_ref()
            .map_or(("berth", "UnknownRequest", false), |name| (name.source, name.event.as_ref(), name.is_read));
        line.member("eventSource", source);
        line.member("eventName", super::line::cut(event, 128));
        line.member("awsRegion", told.region.as_deref().unwrap_or(&call.region));
        address(line, call.source_ip);
        if let Some(agent) = &call.user_agent {
            line.cut_member("userAgent", agent);
        }
        if let Some((code, message)) = when.error {
            line.member("errorCode", code);
            line.cut_member("errorMessage", message);
        }
        line.json_member("requestParameters", told.parameters.as_deref().unwrap_or("null"));
        line.json_member("responseElements", "null");
        if let Some(more) = &told.additional {
            line.json_member("additionalEventData", more);
        }
        line.member("requestID", &call.request_id);
        line.member("eventID", when.id);
        line.json_member("readOnly", if is_read { "true" } else { "false" });
        resources(line, told);
        line.member("eventType", "AwsApiCall");
        line.json_member("managementEvent", "true");
        let recipient = told.recipient.as_ref().or_else(|| told.resources.first().map(|(_, _, account)| account));
        let recipient = recipient.or_else(|| told.who.account()).unwrap_or(when.home);
        line.member("recipientAccountId", recipient.as_str());
        if let Some(endpoint) = &call.endpoint {
            line.member("vpcEndpointId", endpoint);
        }
        line.member("eventCategory", "Management");
        encryption(line, call);
    });
}

fn address(line: &mut Line, address: Option<IpAddr>) {
    match address {
        Some(address) => line.member("sourceIPAddress", &address.to_string()),
        None => line.member("sourceIPAddress", "unix"),
    }
}

fn resources(line: &mut Line, told: &Told) {
    if told.resources.is_empty() {
        return;
    }
    line.key("resources");
    line.list(|line| {
        for (arn, kind, account) in &told.resources {
            line.next();
            line.object(|line| {
                line.member("accountId", account.as_str());
                line.member("type", kind);
                line.cut_member("ARN", arn);
            });
        }
    });
}

fn encryption(line: &mut Line, call: &Call) {
    if !call.is_secure {
        return;
    }
    line.key("tlsDetails");
    line.object(|line| {
        if let Some(tls) = &call.tls {
            line.member("tlsVersion", tls.version);
            line.member("cipherSuite", tls.cipher);
        }
        if let Some(host) = &call.host {
            line.cut_member("clientProvidedHostHeader", host);
        }
    });
}
