//! One exchange with the endpoint by HTTP/1: a question there, an answer back, bounded in size.

use std::fmt;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::completion::{self, NoAnswer, Question};
use super::rules::Endpoint;
use crate::config::limits::PERSONA_BODY_BYTES;

/// What a response's head may have in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Asks one endpoint over connections that it keeps for a while. Redirects are not followed: the credential is
/// for this endpoint.
#[derive(Debug)]
pub struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    target: Uri,
    credential: Option<HeaderValue>,
}

/// Why there is no answer, for the log: it holds nothing that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connection, or it broke before the head of a response.
    Unreachable,
    /// This status, and not one of success.
    Status(StatusCode),
    /// The body broke off or is longer than [`PERSONA_BODY_BYTES`].
    Body,
    /// What came is none.
    NoAnswer(NoAnswer),
    /// Its time was over.
    TimedOut,
}

impl Fault {
    /// Whether it speaks against the endpoint, and not against this question alone. A sender can provoke the latter
    /// at will (a persona that does not exist, a question with an answer too long) and must not open the circuit for
    /// all others with it.
    pub fn is_endpoints(self) -> bool {
        match self {
            Self::Status(
                StatusCode::UNAUTHORIZED
                | StatusCode::PAYMENT_REQUIRED
                | StatusCode::FORBIDDEN
                | StatusCode::PROXY_AUTHENTICATION_REQUIRED
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS,
            ) => true,
            Self::Status(status) => !status.is_client_error(),
            Self::NoAnswer(why) => why == NoAnswer::Unreadable,
            Self::Unreachable | Self::Body | Self::TimedOut => true,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("cannot be reached"),
            Self::Status(status) => write!(f, "answers with status {}", status.as_u16()),
            Self::Body => f.write_str("sends a body that breaks off or is too long"),
            Self::NoAnswer(NoAnswer::Unreadable) => f.write_str("sends no chat completion"),
            Self::NoAnswer(NoAnswer::Unusable) => f.write_str("answers with nothing, or at too great length"),
            Self::TimedOut => f.write_str("does not answer in time"),
        }
    }
}

impl Client {
    /// A client that keeps so many idle connections at most. It makes the first when it is first asked.
    pub fn new(endpoint: &Endpoint, idle_max: usize) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(idle_max)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(HttpsConnector::from((tcp, endpoint.tls.clone())));
        Client { http, target: endpoint.target.clone(), credential: endpoint.credential.clone() }
    }

    /// The persona's words. Takes as long as the endpoint does; dropping the future closes the connection.
    ///
    /// # Errors
    /// As [`Fault`] says.
    pub async fn ask(&self, question: Question<'_>) -> Result<String, Fault> {
        let response = self.http.request(self.request(question)).await.map_err(|_| Fault::Unreachable)?;
        if !response.status().is_success() {
            return Err(Fault::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), PERSONA_BODY_BYTES).collect().await;
        let body = body.map_err(|_| Fault::Body)?.to_bytes();
        completion::answer(&body).map_err(Fault::NoAnswer)
    }

    fn request(&self, question: Question<'_>) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::from(question.to_json()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone();
        let json = HeaderValue::from_static("application/json");
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, json.clone());
        headers.insert(header::ACCEPT, json);
        let agent = concat!("lanecast/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        if let Some(credential) = &self.credential {
            headers.insert(header::AUTHORIZATION, credential.clone());
        }
        request
    }
}
