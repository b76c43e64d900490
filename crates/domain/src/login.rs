//! From what a client shows to a caller, at little cost per request.

use std::net::IpAddr;
use std::sync::Arc;

use berth_aws::sigv4::{Demands, Presented, SignedRequest, verify};
use berth_aws::{AccessKeyId, SecretAccessKey};
use berth_store::Timestamp;

use crate::Domain;
use crate::access::scopes::{self, Scope};
use crate::caller::Caller;
use crate::credential::{Credential, of_key, of_pass};
use crate::error::Error;
use crate::passes::{BEARER_LIFE, Holder, LOGIN_LIFE, Pass, PassKind, PassText};

/// The user name that goes with an authorization token.
pub const TOKEN_USER: &str = "AWS";

/// An authorization token, and when it ends.
#[derive(Debug, Clone)]
pub struct AuthorizationToken {
    /// The password that goes with [`TOKEN_USER`].
    pub password: PassText,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Domain {
    /// Who logs in with a name and a password: an access key and its secret, or `AWS` and an authorization token. Unknown
    /// ids and wrong secrets get the same answer. After too many that failed, [`Error::Throttled`]
    /// ([`failed_logins`](crate::failed_logins)); `from` is the client's address.
    pub async fn authenticate(&self, user: &str, password: &[u8], from: Option<IpAddr>) -> Result<Caller, Error> {
        if user == TOKEN_USER {
            return self.slowed(None, from, self.authenticate_login(password)).await;
        }
        self.slowed(Some(user), from, self.authenticate_key(user, password)).await
    }

    /// Who shows an authorization token.
    async fn authenticate_login(&self, password: &[u8]) -> Result<Caller, Error> {
        let token = std::str::from_utf8(password).map_err(|_| Error::WrongCredentials)?;
        self.authenticate_pass(token, PassKind::Login, Error::ExpiredLogin).await
    }

    /// Who shows an access key and its secret, however often that failed.
    pub(crate) async fn authenticate_key(&self, user: &str, password: &[u8]) -> Result<Caller, Error> {
        let known = match AccessKeyId::parse(user) {
            Ok(id) => self.keyed(&id).await?,
            Err(_) => Arc::new(None),
        };
        let Some((known, secret)) = known.as_ref().as_ref().and_then(|known| Some((known, known.secret.as_ref()?)))
        else {
            // Something is compared all the same, so that the time does not tell whether the id exists.
            let _ = SecretAccessKey::from_random([0; 40]).matches(password);
            return Err(Error::WrongCredentials);
        };
        if !secret.matches(password) {
            return Err(Error::WrongCredentials);
        }
        Ok(self.admit(known, "ecr"))
    }

    /// Who shows a bearer token; nobody in particular where it was made for nobody.
    pub async fn authenticate_bearer(&self, token: &str) -> Result<Caller, Error> {
        self.authenticate_pass(token, PassKind::Bearer, Error::WrongCredentials).await
    }

    /// Who shows what a download URL bears: good for a GET of the one blob that it was made for.
    pub async fn authenticate_download(&self, pass: &str) -> Result<Caller, Error> {
        self.authenticate_pass(pass, PassKind::Download, Error::ExpiredToken).await
    }

    async fn authenticate_pass(&self, text: &str, kind: PassKind, ended: Error) -> Result<Caller, Error> {
        let known = self.passed(text, kind).await?;
        match known.as_ref() {
            None => Err(Error::WrongCredentials),
            Some(known) if known.has_ended(self.clock.now()) => Err(ended),
            Some(known) => Ok(self.admit(known, "ecr")),
        }
    }

    /// Who signed a request (AWS Signature Version 4). After too many signatures that were wrong, [`Error::Throttled`]; `from` is
    /// the client's address.
    pub async fn authenticate_signed(
        &self,
        request: &SignedRequest<'_>,
        shown: &Presented,
        demands: &Demands<'_>,
        from: Option<IpAddr>,
    ) -> Result<Caller, Error> {
        self.slowed(Some(shown.access_key_id()), from, self.verify_signed(request, shown, demands)).await
    }

    async fn verify_signed(
        &self,
        request: &SignedRequest<'_>,
        shown: &Presented,
        demands: &Demands<'_>,
    ) -> Result<Caller, Error> {
        let known = self.signer(shown).await?;
        let known = known.as_ref().as_ref().filter(|known| known.access_key_id() == Some(shown.access_key_id()));
        let (known, secret) =
            known.and_then(|known| Some((known, known.secret.as_ref()?))).ok_or(Error::InvalidClientToken)?;
        verify(request, shown, secret.reveal(), demands)?;
        if known.has_ended(self.clock.now()) {
            return Err(Error::ExpiredToken);
        }
        Ok(self.admit(known, &shown.scope().service))
    }

    /// Goes on where a signature names credentials that there are, whether it was made with them or not. After too many that
    /// were wrong, [`Error::Throttled`]; `from` is the client's address.
    pub async fn ensure_known_signer(&self, shown: &Presented, from: Option<IpAddr>) -> Result<(), Error> {
        let known = async { self.signer(shown).await?.is_some().then_some(()).ok_or(Error::InvalidClientToken) };
        self.slowed(Some(shown.access_key_id()), from, known).await
    }

    /// The credentials that a signature names.
    async fn signer(&self, shown: &Presented) -> Result<Arc<Option<Credential>>, Error> {
        match (shown.session_token(), AccessKeyId::parse(shown.access_key_id())) {
            (Some(token), _) => self.passed(token, PassKind::Session).await,
            (None, Ok(id)) => self.keyed(&id).await,
            (None, Err(_)) => Ok(Arc::new(None)),
        }
    }

    fn admit(&self, known: &Credential, service: &str) -> Caller {
        self.key_usage.note(known, service, self.clock.now());
        known.caller()
    }

    /// The long-term access key of an id.
    async fn keyed(&self, id: &AccessKeyId) -> Result<Arc<Option<Credential>>, Error> {
        if let Some(kept) = self.kept_credential(id.as_str()).await? {
            return Ok(kept);
        }
        let (wanted, key) = (id.clone(), self.server_key.clone());
        self.read_credential(id.as_str(), move |txn| of_key(txn, &wanted, &key)).await
    }

    /// What a pass stands for. What no key of this registry sealed is not asked for in the database.
    async fn passed(&self, text: &str, kind: PassKind) -> Result<Arc<Option<Credential>>, Error> {
        let is_kind = |kept: &Option<Credential>| kept.as_ref().is_none_or(|known| known.pass == Some(kind));
        if let Some(kept) = self.kept_credential(text).await?.filter(|kept| is_kind(kept)) {
            return Ok(kept);
        }
        let Some(pass) = Pass::open(text, kind, &self.server_key) else { return Ok(Arc::new(None)) };
        let key = self.server_key.clone();
        self.read_credential(text, move |txn| of_pass(txn, &pass, kind, &key)).await
    }

    /// An authorization token for whoever asks, good for twelve hours or as long as the session lasts (ECR
    /// `GetAuthorizationToken`).
    pub fn get_authorization_token(&self, caller: &Caller) -> Result<AuthorizationToken, Error> {
        let account = caller.account().unwrap_or(&self.home.account).clone();
        let question = crate::access::Question::new("ecr:GetAuthorizationToken", "*", &account);
        self.judge(caller, &question, crate::access::Surroundings::default())?;
        let holder = caller.identity().and_then(|identity| identity.holder.clone()).ok_or(Error::Unauthenticated)?;
        let ends = self.clock.now().after(LOGIN_LIFE);
        let expires_at = caller
            .identity()
            .and_then(|identity| identity.session.as_ref())
            .map_or(ends, |session| session.expires_at.min(ends));
        let pass = Pass { holder, expires_at, scopes: None, registry: None };
        let password = pass.seal(PassKind::Login, &self.server_key, self.random.as_ref())?;
        Ok(AuthorizationToken { password, expires_at })
    }

    /// A bearer token for a caller, or for nobody in particular, that opens no more than was asked for and is granted.
    pub async fn issue_bearer(&self, caller: &Caller, asked: Vec<Scope>) -> Result<PassText, Error> {
        // What opens one layer is not changed for what opens more.
        scopes::ensure_wide(caller)?;
        let holder = match caller.identity() {
            Some(identity) => identity.holder.clone().ok_or(Error::Unauthenticated)?,
            None => Holder::Nobody,
        };
        let ends = self.clock.now().after(BEARER_LIFE);
        let session = caller.identity().and_then(|identity| identity.session.as_ref());
        let expires_at = session.map_or(ends, |session| session.expires_at.min(ends));
        let scopes = self.granted_scopes(caller, asked).await?;
        let pass = Pass { holder, expires_at, scopes: Some(scopes), registry: self.if_not_home() };
        pass.seal(PassKind::Bearer, &self.server_key, self.random.as_ref())
    }

    /// Account and region of this registry, where it is not the server's own: what passes are narrowed to.
    pub(crate) fn if_not_home(&self) -> Option<(String, String)> {
        let here = &self.settings.registry;
        (*here != self.home).then(|| (here.account.to_string(), here.region.to_string()))
    }
}
