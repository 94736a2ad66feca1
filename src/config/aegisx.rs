//! `[aegisx]`: the document's options in snake case and seconds, and what it leaves open.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Value;

use super::bound::{Bound, Limit};
use super::key::section;
use super::limits;
use super::setting::{Refused, Setting};
use super::source::Raw;
use super::word::Word;

section! {
    /// The AegisX dialect.
    "aegisx" => Aegisx {
        /// Size of a message; a longer one closes the connection with 1009.
        max_payload: Limit => limits::AEGISX_MAX_PAYLOAD;
        /// How long nothing may pass on a connection; then it is closed.
        idle_timeout: Option<Duration> => limits::AEGISX_IDLE_TIMEOUT;
        /// How long a client may send nothing before the next sweep removes it.
        inactive_threshold: Option<Duration> => limits::AEGISX_INACTIVE_THRESHOLD;
        /// Time between two sweeps.
        cleanup_interval: Duration => limits::AEGISX_CLEANUP_INTERVAL;
        /// Open connections of a user.
        max_connections_per_user: Limit => limits::PER_PRINCIPAL_CONNECTIONS;
        /// Open connections of a tenant.
        max_connections_per_tenant: Limit => limits::PER_PRINCIPAL_CONNECTIONS;
        /// Whether each tenant has public channels of its own; otherwise all tenants share them.
        public_per_tenant: bool = false;
        /// The tenants, each `active` or `inactive`. Absent: every tenant of a verified token is active.
        tenants: Option<Tenants> = None;
        /// Messages of a user in `time_window`, sliding; the next one gets the error "Rate limit exceeded".
        max_messages: Limit => limits::MAX_MESSAGES;
        /// The window of `max_messages`.
        time_window: Duration => limits::TIME_WINDOW;
        /// Whose users, channels and presence these are; dialects of one realm share them.
        realm: String = "aegisx".into();
        /// Accepted as in the other dialects, without effect: AegisX has no words for presence.
        presence_broadcast: bool = true;
        /// Accepted, without effect, like `presence_broadcast`.
        presence_broadcast_limit: Limit => limits::PRESENCE_BROADCAST_LIMIT;
    }
}

/// Whether a tenant's users may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantStatus {
    /// They may.
    Active,
    /// They may not.
    Inactive,
}

impl Word for TenantStatus {
    const WORDS: &'static [(&'static str, Self)] =
        &[("active", TenantStatus::Active), ("inactive", TenantStatus::Inactive)];
}

/// The known tenants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tenants(BTreeMap<String, TenantStatus>);

impl Tenants {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, TenantStatus)> {
        self.0.iter().map(|(tenant, status)| (tenant.as_str(), *status))
    }

    /// The status of a tenant; `None` when it is unknown.
    pub fn status(&self, tenant: &str) -> Option<TenantStatus> {
        self.0.get(tenant).copied()
    }
}

impl Setting for Option<Tenants> {
    const KIND: &'static str = "table of words";

    fn allowed(_: Option<&Bound>) -> String {
        "a table of TENANT = \"active\" or \"inactive\"".into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        let entries = raw.table().ok_or(Refused::NotAllowed)?.iter();
        let read = |(tenant, value): (&String, &Value)| match value.as_str().and_then(TenantStatus::named) {
            Some(status) => Ok((tenant.clone(), status)),
            None => Err(Refused::Because(format!("tenant {tenant:?} is neither"))),
        };
        entries.map(read).collect::<Result<_, _>>().map(|tenants| Some(Tenants(tenants)))
    }

    fn show(&self) -> Option<Value> {
        let tenants = self.as_ref()?.0.iter();
        Some(Value::Table(tenants.map(|(id, status)| (id.clone(), status.word().into())).collect()))
    }
}
