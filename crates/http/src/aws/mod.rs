//! The door that the APIs of AWS share: `/`, where every request is signed and says which service it is for. IAM and STS are asked
//! by the Query protocol, ECR and CloudTrail by JSON.

mod body;
mod signed;

use std::sync::Arc;

use berth_aws::protocol::query::operation;
use berth_aws::protocol::{Form, Operation, ProtocolError, Service, json};
use berth_aws::sigv4::SigV4Error;
use berth_aws::{ecr::ECR, iam::IAM, sts::STS};
use berth_domain::{Caller, Domain};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::auth::circumstances;
use crate::query::{Failure, respond, retry_after};
use crate::server::{Handler, RequestBody, RequestId, ResponseBody, RouteLabel};
use crate::{audit, cloudtrail, ecr};

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The longest form of a caller who signs nothing, in bytes: a token or an assertion, encoded. And how many of them are read at a
/// time: what is kept of strangers in memory has a bound.
const LONGEST_UNSIGNED: usize = 128 * 1024;
const UNSIGNED_AT_ONCE: usize = 1024;
/// The longest form, in bytes: the metadata of a SAML provider may have 10,000,000 characters, and each may be written as three. All
/// others are far shorter.
const LONGEST_FORM: usize = 31 * 1024 * 1024;
const BAD_BODY: &str = "the request's body could not be read: it broke off, or is longer than this operation takes, or has more than \
                        1 MiB and no Content-Length\n";

/// The door.
pub struct AwsDoor {
    domain: Arc<Domain>,
    memory: body::Memory,
    unsigned: Semaphore,
}

/// A request that was read to its end.
pub(crate) struct Call {
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    pub(crate) body_sha256: [u8; 32],
    pub(crate) request_id: String,
    /// The region that it was signed for; empty until its signature was verified.
    pub(crate) signed_region: String,
}

impl AwsDoor {
    /// The only path of these APIs.
    pub const PATH: &str = "/";

    /// A door to a registry.
    pub fn new(domain: Arc<Domain>) -> Self {
        Self { domain, memory: body::Memory::default(), unsigned: Semaphore::new(UNSIGNED_AT_ONCE) }
    }

    /// Whether a request may be for this door; others at the same path are a browser's.
    pub fn is_for(parts_method: &Method, query: Option<&str>) -> bool {
        *parts_method == Method::POST
            || query.is_some_and(|query| query.contains("Action=") || query.contains("X-Amz-"))
    }

    /// Answers a request to `/`.
    pub async fn answer(&self, request: Request<RequestBody>) -> Response<ResponseBody> {
        let (parts, body) = request.into_parts();
        let request_id = parts.extensions.get::<RequestId>().map_or("none", RequestId::as_str).to_owned();
        let (body_sha256, signed_region) = ([0; 32], String::new());
        let mut call = Call { parts, body: Bytes::new(), body_sha256, request_id, signed_region };
        let mut response = self.read_and_answer(&mut call, body).await;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::from_str(&call.request_id) {
            headers.insert(REQUEST_ID, id);
        }
        response
    }

    /// The body is kept in memory, so it is taken only from those who show credentials of somebody.
    async fn read_and_answer(&self, call: &mut Call, body: RequestBody) -> Response<ResponseBody> {
        let target = call.target();
        match target.as_deref().map(|target| json::operation(&ECR, target)) {
            _ if target.as_deref().is_some_and(cloudtrail::is_for) => cloudtrail::name(target.as_deref()),
            Some(Ok(operation)) => audit::operation(&ECR, operation),
            Some(Err(_)) => audit::unknown_of("ecr"),
            None => {}
        }
        if let Err(error) = signed::ensure_known(&self.domain, call).await {
            return match self.unsigned(call, body, &error).await {
                Some(answer) => answer,
                None => refuse(&self.domain, call, error),
            };
        }
        let limit = target.as_deref().map_or(LONGEST_FORM, ecr::longest_body);
        let body = match body::read(body, limit, &self.memory).await {
            Ok(body) => body,
            Err(status) => return plain(status, BAD_BODY),
        };
        let _share = body.share;
        (call.body, call.body_sha256) = (body.bytes, body.sha256);
        match target {
            Some(target) if cloudtrail::is_for(&target) => self.cloudtrail(call, &target).await,
            Some(target) => self.json(call, &target).await,
            None => self.query(call).await,
        }
    }

    /// The few operations that nobody signs, asked by a form of at most [`LONGEST_UNSIGNED`] bytes in the body. None where a
    /// call that shows no signature is for anything else, or the room for such bodies is taken.
    async fn unsigned(
        &self,
        call: &mut Call,
        body: RequestBody,
        refused: &berth_domain::Error,
    ) -> Option<Response<ResponseBody>> {
        let is_without = matches!(refused, berth_domain::Error::Signature(SigV4Error::MissingAuthenticationToken));
        if !is_without || call.parts.method != Method::POST || call.parts.headers.contains_key(TARGET) {
            return None;
        }
        let _room = self.unsigned.try_acquire().ok()?;
        call.body = body::read(body, LONGEST_UNSIGNED, &self.memory).await.ok()?.bytes;
        let form = Form::parse_parts(&[&call.body]).ok()?;
        if QueryApi::of(&form) != Some(QueryApi::Sts) || !crate::sts::UNSIGNED.contains(&form.action()?) {
            return None;
        }
        let (service, operation) = QueryApi::Sts.asked(&form)?;
        audit::operation(service, operation);
        let caller = Caller::anonymous().under(circumstances(&call.parts));
        if let Err(error) = self.domain.throttle_call(&caller, "sts", operation.name) {
            return Some(refuse(&self.domain, call, error));
        }
        let (status, xml) = crate::sts::answer(&self.domain, &caller, &form, &call.request_id).await;
        Some(render(status, "text/xml", xml, "sts"))
    }

    /// IAM and STS.
    async fn query(&self, call: &Call) -> Response<ResponseBody> {
        let form = call.form();
        let api = form.as_ref().ok().and_then(QueryApi::of);
        match form.as_ref().ok().zip(api).and_then(|(form, api)| api.asked(form)) {
            Some((service, operation)) => audit::operation(service, operation),
            None => audit::unknown_of(api.map_or("", QueryApi::signing_name)),
        }
        let label = api.map_or("aws", QueryApi::signing_name);
        match self.queried(call, api, form).await {
            Ok((status, xml)) => render(status, "text/xml", xml, label),
            Err(failure) => {
                let wait = failure.retry_after();
                let (status, xml) = respond(api.unwrap_or(QueryApi::Sts).service(), Err(failure), &call.request_id);
                told_to_wait(render(status, "text/xml", xml, label), wait)
            }
        }
    }

    async fn queried(
        &self,
        call: &Call,
        api: Option<QueryApi>,
        form: Result<Form, ProtocolError>,
    ) -> Result<(StatusCode, String), Failure> {
        // Who asks comes first: what is wrong with a request is told to those who may send one.
        let signed_for = api.map_or_else(|| vec!["sts", "iam"], |api| vec![api.signing_name()]);
        let (caller, _) = signed::caller(&self.domain, call, &signed_for).await?;
        let form = form?;
        if let Some((api, (_, operation))) = api.and_then(|api| Some((api, api.asked(&form)?))) {
            self.domain.throttle_call(&caller, api.signing_name(), operation.name)?;
        }
        match api {
            Some(QueryApi::Iam) => Ok(crate::iam::answer(&self.domain, &caller, &form, &call.request_id).await),
            Some(QueryApi::Sts) => Ok(crate::sts::answer(&self.domain, &caller, &form, &call.request_id).await),
            None => Err(no_operation(&form).into()),
        }
    }

    /// ECR.
    async fn json(&self, call: &mut Call, target: &str) -> Response<ResponseBody> {
        let answered: Result<String, ecr::Failure> = async {
            let (caller, region) = signed::caller(&self.domain, call, &["ecr"]).await?;
            call.signed_region = region;
            ecr::answer(&self.domain, &caller, call, target).await
        }
        .await;
        let wait = answered.as_ref().err().and_then(ecr::Failure::retry_after);
        let (status, body) = ecr::respond(&self.domain, answered);
        told_to_wait(render(status, "application/x-amz-json-1.1", body, "ecr"), wait)
    }

    /// CloudTrail.
    async fn cloudtrail(&self, call: &mut Call, target: &str) -> Response<ResponseBody> {
        let answered: Result<String, cloudtrail::Failure> = async {
            let (caller, region) = signed::caller(&self.domain, call, &["cloudtrail"]).await?;
            call.signed_region = region;
            cloudtrail::answer(&self.domain, &caller, call, target).await
        }
        .await;
        let wait = answered.as_ref().err().and_then(cloudtrail::Failure::retry_after);
        let (status, body) = cloudtrail::respond(answered);
        told_to_wait(render(status, "application/x-amz-json-1.1", body, "cloudtrail"), wait)
    }
}

impl Call {
    /// What the header `X-Amz-Target` says. Several say nothing: who looked at another of them would see another operation.
    fn target(&self) -> Option<String> {
        let mut targets = self.parts.headers.get_all(TARGET).iter();
        let target = targets.next()?;
        let several = targets.next().is_some();
        Some(target.to_str().ok().filter(|_| !several).unwrap_or_default().to_owned())
    }

    /// The parameters: of the query string and of the body.
    fn form(&self) -> Result<Form, ProtocolError> {
        let query = self.parts.uri.query().unwrap_or_default();
        Form::parse_parts(&[query.as_bytes(), &self.body])
    }
}

/// A service that is asked by forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueryApi {
    Iam,
    Sts,
}

impl QueryApi {
    /// The service that a form is for, by the version of its API.
    fn of(form: &Form) -> Option<Self> {
        let version = form.version()?;
        [Self::Iam, Self::Sts].into_iter().find(|api| api.service().version == version)
    }

    const fn service(self) -> &'static Service {
        match self {
            Self::Iam => &IAM,
            Self::Sts => &STS,
        }
    }

    /// The operation that a form names.
    fn asked(self, form: &Form) -> Option<(&'static Service, &'static Operation)> {
        match self {
            Self::Iam => crate::iam::find(form).ok(),
            Self::Sts => operation(&STS, form).ok().map(|operation| (&STS, operation)),
        }
    }

    /// What signatures of its requests are made for.
    const fn signing_name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }
}

fn no_operation(form: &Form) -> ProtocolError {
    match form.action() {
        None => ProtocolError::MissingAction,
        Some(action) => ProtocolError::InvalidAction {
            action: action.to_owned(),
            version: form.version().unwrap_or_default().to_owned(),
        },
    }
}

/// Says no to a request whose body was not read, in the words of its protocol.
fn refuse(domain: &Domain, call: &Call, error: berth_domain::Error) -> Response<ResponseBody> {
    let wait = retry_after(&error);
    if call.parts.headers.contains_key(TARGET) {
        let (status, body) = ecr::respond(domain, Err(error.into()));
        return told_to_wait(render(status, "application/x-amz-json-1.1", body, "ecr"), wait);
    }
    let (status, xml) = respond(&STS, Err(error.into()), &call.request_id);
    told_to_wait(render(status, "text/xml", xml, "aws"), wait)
}

/// Only these APIs, for a listener of their own.
pub struct AwsOnly(pub AwsDoor);

impl Handler for AwsOnly {
    fn call(self: Arc<Self>, request: Request<RequestBody>) -> BoxFuture<'static, Response<ResponseBody>> {
        Box::pin(async move {
            let answer = |request: Request<RequestBody>| async {
                if request.uri().path() == AwsDoor::PATH {
                    return self.0.answer(request).await;
                }
                plain(StatusCode::NOT_FOUND, "not found: this listener serves the APIs of AWS at /\n")
            };
            audit::recorded(&self.0.domain, request, answer).await
        })
    }
}

fn render(status: StatusCode, content_type: &'static str, body: String, label: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.extensions_mut().insert(RouteLabel(label));
    response
}

/// With how many seconds to wait, where that helps.
fn told_to_wait(mut response: Response<ResponseBody>, seconds: Option<u64>) -> Response<ResponseBody> {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<ResponseBody> {
    render(status, "text/plain; charset=utf-8", text.to_owned(), "aws")
}
