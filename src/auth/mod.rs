//! Who somebody is, from a credential: configured tokens, API keys, JWTs and (open mode) plain names.
//!
//! Pure: the time is handed in. Nothing here shows a secret, neither in errors nor in debug output.

mod claims;
mod credentials;
mod jwt;

pub use claims::{Claims, MAX_ID_BYTES};
pub use credentials::{Credentials, MAX_NAME_BYTES, StaticToken};
pub use jwt::{Verifier, looks_like_jwt};
