//! Who comes in with an upgrade: what its URL, headers and cookies say, judged as its dialect's document does.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::{self, HeaderMap};
use hyper::{StatusCode, Uri};
use percent_encoding::percent_decode_str;

use super::Shared;
use super::journal::journal;
use crate::api::API_KEY_HEADER;
use crate::conn::Holder;
use crate::limit::Holding;
use crate::model::{CloseReason, Code, Dialect, Principal, Refusal, Since};

/// As whom a connection begins.
#[derive(Debug)]
pub enum Entry {
    /// Nobody yet; a message may say.
    Guest,
    /// `administers`: by the administrators' way (AEG-02).
    Known { who: Arc<Principal>, administers: bool },
    /// It is let in to be told why it must go: a browser sees no status of a refused upgrade (ruling G2).
    Refused(CloseReason),
}

/// An upgrade that is refused before it happens.
pub(super) type Turn = (StatusCode, &'static str);

const UNAUTHORIZED: Turn = (StatusCode::UNAUTHORIZED, "a valid credential is needed");
const NOWHERE: Turn = (StatusCode::NOT_FOUND, "no dialect is served here");

/// A request to upgrade, as far as it says who asks.
pub(super) struct Applicant<'a> {
    pub shared: &'a Shared,
    pub dialect: Dialect,
    /// Without the dialect's prefix.
    pub path: &'a str,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    pub address: IpAddr,
    pub now_secs: u64,
}

impl Applicant<'_> {
    /// As whom it begins, with the places it takes among its user's and tenant's connections.
    pub fn enter(&self) -> Result<(Entry, Vec<Holding<Holder>>), Turn> {
        let entry = match self.dialect {
            Dialect::Sge => self.sge()?,
            Dialect::Nexus => self.nexus()?,
            Dialect::Gator => self.gator()?,
            Dialect::Aegisx => self.aegisx()?,
            Dialect::Tusk | Dialect::Echo => Entry::Guest,
        };
        let Entry::Known { who, .. } = &entry else { return Ok((entry, Vec::new())) };
        match (self.shared.hold(self.dialect, who), self.dialect) {
            (Some(holdings), _) => Ok((entry, holdings)),
            (None, Dialect::Gator | Dialect::Aegisx) => {
                Ok((Entry::Refused(CloseReason::TooManyConnections), Vec::new()))
            }
            (None, _) => Err((StatusCode::TOO_MANY_REQUESTS, "too many connections of this user")),
        }
    }

    /// Token or key in the query, a header, or a cookie; without one, the first message may have it (S2).
    fn sge(&self) -> Result<Entry, Turn> {
        if !matches!(self.path, "/ws/connect" | "/ws/auth") {
            return Err(NOWHERE);
        }
        let key = || self.query("api_key").or_else(|| self.header(API_KEY_HEADER).map(Cow::Borrowed));
        let who = match self.token() {
            Some(token) => Some(self.identify(&token)),
            None => match key() {
                // A name is no key, in open mode neither.
                Some(key) => Some(self.identify(&key).and_then(verified)),
                None => self.cookie().map(|token| self.identify(&token)),
            },
        };
        match who {
            Some(Ok(who)) => Ok(known(who)),
            Some(Err(refusal)) => Err(self.turned(&refusal)),
            None if self.rules().require_auth && self.rules().token_at_upgrade => Err(UNAUTHORIZED),
            None => Ok(Entry::Guest),
        }
    }

    /// The user of the query, vouched for by a token where one is demanded or one is given (N4).
    fn nexus(&self) -> Result<Entry, Turn> {
        if self.path != "/ws" {
            return Err(NOWHERE);
        }
        let user = self.query("user_id").filter(|user| !user.is_empty());
        let who = match (&user, &self.token()) {
            (None, None) => return Err(UNAUTHORIZED),
            (Some(user), None) if !self.rules().require_auth => self.named(user),
            (Some(_), None) => return Err(UNAUTHORIZED),
            (_, Some(token)) => self.identify(token),
        };
        let who = who.map_err(|refusal| self.turned(&refusal))?;
        match user {
            // Without a credential the URL has the last word: the token is only a name.
            Some(user) if !who.verified => self.named(&user).map(known).map_err(|r| self.turned(&r)),
            Some(user) if *who.user != *user => {
                Err((StatusCode::UNAUTHORIZED, "the token is another user's"))
            }
            _ => Ok(known(who)),
        }
    }

    /// The user of the path, or of the token; refused after the upgrade (G2).
    fn gator(&self) -> Result<Entry, Turn> {
        let id =
            self.path.strip_prefix("/ws/").filter(|id| !id.is_empty() && !id.contains('/')).ok_or(NOWHERE)?;
        let who = match (id, self.token()) {
            ("auth", Some(token)) => self.identify(&token),
            ("auth", None) => Err(NO_TOKEN),
            (id, token) => {
                let id = percent_decode_str(id).decode_utf8().map_err(|_| NOWHERE)?;
                match token {
                    None if self.rules().require_auth => Err(NO_TOKEN),
                    None => self.named(&id),
                    Some(token) => self.identify(&token).and_then(|who| match who.verified {
                        true if *who.user == *id => Ok(who),
                        true => Err(Refusal::new(Code::Unauthenticated, "The token is another user's")),
                        false => self.named(&id),
                    }),
                }
            }
        };
        Ok(who.map_or_else(
            |refusal| {
                self.turned(&refusal);
                Entry::Refused(CloseReason::InvalidToken)
            },
            known,
        ))
    }

    /// Always by a token (AEG-29, AEG-30), of an active tenant (AEG-34); in open mode also without.
    fn aegisx(&self) -> Result<Entry, Turn> {
        let administers = match self.path {
            "/ws" => false,
            "/ws/admin" => true,
            _ => return Err(NOWHERE),
        };
        let who = match self.token().or_else(|| self.cookie()) {
            None if administers => return Err(UNAUTHORIZED),
            None if !self.rules().require_auth && self.query("token").is_none() => {
                return Ok(Entry::Known {
                    who: Arc::new(Principal::named("", self.rules().realm)),
                    administers,
                });
            }
            None => Err(NO_TOKEN),
            Some(token) => self.member(&token),
        };
        match who {
            Ok(who) if administers && !who.has_role(Principal::ADMIN) => {
                Err((StatusCode::FORBIDDEN, "for administrators"))
            }
            Ok(who) => Ok(Entry::Known { who: Arc::new(who), administers }),
            Err(refusal) if administers => Err(self.turned(&refusal)),
            Err(refusal) => {
                tracing::info!(ip = %self.address, "WebSocket initialization failed: {}", refusal.text);
                Ok(Entry::Refused(CloseReason::AuthenticationFailed))
            }
        }
    }

    fn member(&self, token: &str) -> Result<Principal, Refusal> {
        self.shared.member(token, self.now_secs)
    }

    fn rules(&self) -> &crate::conn::Rules {
        self.shared.rules(self.dialect)
    }

    fn identify(&self, token: &str) -> Result<Principal, Refusal> {
        self.shared.credentials.identify(token, self.rules().realm, self.now_secs)
    }

    /// Whom nothing vouches for.
    fn named(&self, name: &str) -> Result<Principal, Refusal> {
        let fits = (1..=crate::dialect::MAX_NAME_BYTES).contains(&name.len());
        match fits && !name.starts_with(Principal::GUEST_PREFIX) {
            true => Ok(Principal::named(name, self.rules().realm)),
            false => Err(Refusal::new(Code::Unauthenticated, "No such user id")),
        }
    }

    fn turned(&self, refusal: &Refusal) -> Turn {
        let of = self.dialect;
        journal!(info, of, ip = %self.address, dialect = %of, cause = %refusal.text, "authentication failed");
        UNAUTHORIZED
    }

    /// Where it says it stopped in its user's channel.
    pub fn since(&self) -> Option<Since> {
        self.query("since").map(|since| Since::parse(&since))
    }

    /// Whether it wants to hear the numbers of what is said: it asks for them, or says where it stopped.
    pub fn hears_numbers(&self) -> bool {
        self.query("seq").is_some_and(|seq| seq == "1") || self.query("since").is_some()
    }

    /// A parameter of the query, decoded; one that is no text is passed over.
    fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        let pairs = self.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.into_iter().find(|(key, _)| *key == name)?.1;
        percent_decode_str(value).decode_utf8().ok()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// The token of the query, else of the header.
    fn token(&self) -> Option<Cow<'_, str>> {
        let token = self.query("token").filter(|t| !t.is_empty());
        token.or_else(|| self.bearer().map(Cow::Borrowed))
    }

    fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header(header::AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The cookie named `token`.
    fn cookie(&self) -> Option<Cow<'_, str>> {
        let cookies = self.headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let mut pairs =
            cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let value = pairs.find(|(name, _)| *name == "token")?.1.trim_matches('"');
        percent_decode_str(value).decode_utf8().ok()
    }
}

impl Shared {
    /// Who bears a token in AegisX: a user, or a tenant alone, of an active tenant (AEG-32 to AEG-35).
    pub(super) fn member(&self, token: &str, now_secs: u64) -> Result<Principal, Refusal> {
        const INVALID: Refusal = Refusal::new(Code::Unauthenticated, "Invalid authentication token");
        const INACTIVE: Refusal = Refusal::new(Code::Unauthenticated, "Invalid or inactive tenant");
        let rules = self.rules(Dialect::Aegisx);
        let who = self.credentials.identify_member(token, rules.realm, now_secs, rules.require_auth);
        let who = who.map_err(|refusal| if refusal == INACTIVE { refusal } else { INVALID })?;
        match &rules.tenants {
            Some(active) if !active.iter().any(|tenant| **tenant == *who.tenant) => Err(INACTIVE),
            _ => Ok(who),
        }
    }
}

const NO_TOKEN: Refusal = Refusal::new(Code::Unauthenticated, "No authentication token provided");

fn known(who: Principal) -> Entry {
    Entry::Known { who: Arc::new(who), administers: false }
}

fn verified(who: Principal) -> Result<Principal, Refusal> {
    match who.verified {
        true => Ok(who),
        false => Err(Refusal::new(Code::Unauthenticated, "Invalid API key")),
    }
}
