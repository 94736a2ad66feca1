//! Lists: in the file an array of strings, as text separated by commas.

use std::net::IpAddr;

use ipnet::IpNet;
use toml::Value;

use super::bound::Bound;
use super::setting::{Refused, Setting};
use super::source::Raw;

/// One item of a list: what each string of it must be.
pub trait Item: Sized {
    /// The kind of the whole list in the reference.
    const KIND: &'static str;
    /// What the list must be.
    const ALLOWED: &'static str;

    /// Reads one item.
    fn parse(text: &str) -> Option<Self>;

    /// Writes one item.
    fn show(&self) -> String;
}

impl<T: Item> Setting for Vec<T> {
    const KIND: &'static str = T::KIND;
    const LIST: bool = true;

    fn allowed(_: Option<&Bound>) -> String {
        T::ALLOWED.into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        let items = raw.strings().ok_or(Refused::NotAllowed)?;
        let read = |text: &&str| T::parse(text).ok_or_else(|| Refused::Because(format!("{text:?} is none")));
        items.iter().map(read).collect()
    }

    fn show(&self) -> Option<Value> {
        Some(Value::Array(self.iter().map(|item| Value::String(item.show())).collect()))
    }
}

impl Item for IpNet {
    const KIND: &'static str = "list of networks";
    const ALLOWED: &'static str = "a list of addresses and CIDR networks such as [\"10.0.0.0/8\", \"::1\"]";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().or_else(|| text.parse().ok().map(|address: IpAddr| IpNet::from(address)))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}
