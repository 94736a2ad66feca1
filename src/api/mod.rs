//! REST: one more way to write a command. The same table of routes serves requests and makes the OpenAPI
//! document; whoever asks passes the same admission as a socket.

mod call;
mod openapi;
mod page;
mod routes;
mod tusk;

pub use call::{API_KEY_HEADER, Asked, Backend, Site, Who};
pub use routes::{Found, Route, find, handle, refused};
