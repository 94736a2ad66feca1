//! Why a REST call was refused, in JSON.

use std::fmt::Display;

use hyper::{Response, StatusCode, header};
use serde_json::json;

use super::routes::json_response;
use crate::model::{Code, Refusal};
use crate::net::Body;

/// A refusal, and the field or part of the path that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub refusal: Refusal,
    pub field: Option<&'static str>,
}

/// What every handler answers.
pub type Answer = Result<Response<Body>, Fault>;

impl Fault {
    /// A field is not what it must be.
    pub fn field(code: Code, name: &'static str, what: impl Display) -> Self {
        Self { refusal: Refusal::with(code, format!("{name} must be {what}")), field: Some(name) }
    }

    /// `{"error", "code", "field"?}` with the status of the code.
    pub fn response(&self) -> Response<Body> {
        let Refusal { code, text } = &self.refusal;
        let mut body = json!({ "error": text, "code": code.name() });
        if let Some(field) = self.field {
            body["field"] = field.into();
        }
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = json_response(status, &body);
        if *code == Code::Unauthenticated {
            let bearer = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, field: None }
    }
}

/// The JSON form of a refusal, with the status of its code.
pub fn refused(refusal: &Refusal) -> Response<Body> {
    Fault::from(refusal.clone()).response()
}
