//! The registry of refusals: why something was not done, for people and for programs.

use std::borrow::Cow;

/// The cause, as metrics and REST see it. Adding one makes the compiler ask for its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// Not in the dialect's form.
    Malformed,
    /// A kind of message the dialect does not have.
    UnknownType,
    /// A field is missing, of the wrong type, or out of range.
    InvalidField,
    /// More than the limit in bytes, characters or items.
    TooLarge,
    /// More often than the limit allows.
    RateLimited,
    /// Nobody is known yet who could be allowed to.
    Unauthenticated,
    /// Somebody is known and may not.
    Forbidden,
    /// A room, or the rooms of one user, are full.
    LimitReached,
    NotFound,
    AlreadyExists,
    /// The server cannot, now.
    Unavailable,
}

impl Code {
    /// Every code, in the order of its number.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::UnknownType,
        Self::InvalidField,
        Self::TooLarge,
        Self::RateLimited,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::LimitReached,
        Self::NotFound,
        Self::AlreadyExists,
        Self::Unavailable,
    ];

    /// The label in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownType => "unknown_type",
            Self::InvalidField => "invalid_field",
            Self::TooLarge => "too_large",
            Self::RateLimited => "rate_limited",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::LimitReached => "limit_reached",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Unavailable => "unavailable",
        }
    }

    /// The HTTP status of the same refusal (RFC 9110 section 15.5, RFC 6585).
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::UnknownType => 400,
            Self::InvalidField => 422,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::LimitReached | Self::AlreadyExists => 409,
            Self::NotFound => 404,
            Self::Unavailable => 503,
        }
    }
}

/// A cause with the sentence the client is shown. The sentence echoes no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub text: Cow<'static, str>,
}

impl Refusal {
    /// One message more than the window has.
    pub const RATE_LIMITED: Self = Self::new(Code::RateLimited, "Rate limit exceeded");

    pub const fn new(code: Code, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text) }
    }

    /// A sentence made for the occasion.
    pub fn with(code: Code, text: String) -> Self {
        Self { code, text: Cow::Owned(text) }
    }
}
