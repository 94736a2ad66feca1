//! The REST of the AegisX dialect: what administrators do over their socket (AEG-18, AEG-61 to AEG-64; rulings A11, A12).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::call::{Asked, Backend, Site};
use super::fault::{Answer, Fault};
use super::routes::{Answers, Endpoint, Route, Schema};
use super::visit::{Visit, moment, ok, schema};
use crate::access::Action;
use crate::dialect::aegisx::address;
use crate::dialect::raw;
use crate::model::{Address, ChannelName, Dialect, Event, Except, Kind, Op, Principal, Reply};

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Stats,
    Broadcast,
    BroadcastTenant,
    Notify,
    Channel,
}

const SENT: Answers = &[
    (200, "On its way"),
    (400, "The body is no JSON object"),
    (401, "A credential is needed or not valid"),
    (403, "Only by administrators"),
    (413, "The body is too large"),
    (422, "A field or the name of a channel is wrong"),
];
const MESSAGE: Schema = Schema { name: "AnyMessage", make: message_schema };

/// Every operation.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/admin/stats",
        "AegisX: connections in all, by tenant and by channel (AEG-18)",
        &[(200, "Figures"), (401, "A credential is needed or not valid"), (403, "Only for administrators")],
        Endpoint::Aegisx(Call::Stats),
    ),
    Route::post(
        "/api/admin/broadcast",
        "AegisX: send a frame to every connection (AEG-64)",
        MESSAGE,
        SENT,
        Endpoint::Aegisx(Call::Broadcast),
    ),
    Route::post(
        "/api/admin/tenants/{tenant}/broadcast",
        "AegisX: send a frame to every connection of a tenant (AEG-62)",
        MESSAGE,
        SENT,
        Endpoint::Aegisx(Call::BroadcastTenant),
    ),
    Route::post(
        "/api/admin/tenants/{tenant}/users/{user}/notify",
        "AegisX: notify every connection of a user (AEG-61)",
        Schema { name: "AnyNotification", make: notification_schema },
        SENT,
        Endpoint::Aegisx(Call::Notify),
    ),
    Route::post(
        "/api/admin/channels/{channel}",
        "AegisX: send a frame to every connection in a channel (AEG-63)",
        MESSAGE,
        SENT,
        Endpoint::Aegisx(Call::Channel),
    ),
];

/// Carries out a call.
pub async fn handle(call: Call, asked: &Asked<'_>, backend: &impl Backend, site: &Site) -> Answer {
    let visit = Visit::new(Dialect::Aegisx, asked, backend, site)?;
    visit.admit(Action::Administer)?;
    match call {
        Call::Stats => return stats(&visit).await,
        Call::Broadcast => visit.announce_all(None, frame(json_field(&visit, "message")?)).await?,
        Call::BroadcastTenant => {
            let tenant = visit.var("tenant")?.into();
            visit.announce_all(Some(tenant), frame(json_field(&visit, "message")?)).await?;
        }
        Call::Notify => {
            let (tenant, id) = (visit.var("tenant")?.into(), visit.var("user")?.into());
            let notification = json_field(&visit, "notification")?;
            let name = ChannelName { realm: visit.realm(), tenant, kind: Kind::User, id };
            let text = format!(r#"{{"type":"notification","data":{notification}}}"#);
            announce(&visit, name, frame(&text)).await?;
        }
        Call::Channel => {
            let name = channel(&visit, visit.segment("channel"))?;
            let event = frame(json_field(&visit, "message")?);
            if let Some(all) = all_types(&name) {
                // Who listens to every type and to this one hears it once (ruling A5).
                let except = Except::Listeners(name.id.clone());
                visit.ask(all, Op::Announce { event: event.clone(), except }).await?;
            }
            announce(&visit, name, event).await?;
        }
    }
    let timestamp = moment(visit.backend.now_ms());
    Ok(ok(&json!({ "status": "sent", "timestamp": timestamp })))
}

/// A frame of the dialect, as it is.
fn frame(json: &str) -> Event {
    Event::Custom { dialect: Dialect::Aegisx, json: json.into() }
}

async fn announce(visit: &Visit<'_, impl Backend>, name: ChannelName, event: Event) -> Result<(), Fault> {
    let op = Op::Announce { event, except: Except::Nobody };
    Ok(visit.ask(name, op).await.map(|_| ())?)
}

/// Any JSON in that field of the body, byte for byte; `null` is a value like others.
fn json_field<'a>(visit: &Visit<'a, impl Backend>, name: &'static str) -> Result<&'a str, Fault> {
    visit.read(|_| Ok(()))?;
    let json = raw::member(visit.body(), name);
    json.ok_or_else(|| Fault::field(visit.wrong(), name, "given, as any JSON"))
}

/// Where those listen who want every type of a user's notifications, if that is a channel of one type.
fn all_types(name: &ChannelName) -> Option<ChannelName> {
    let (of, kind) = name.id.strip_prefix("notifications:")?.rsplit_once(':')?;
    (kind != "all").then(|| ChannelName { id: format!("notifications:{of}:all").into(), ..name.clone() })
}

/// The channel of that name: of the tenant that the name says, or, where public channels are shared, of all.
fn channel(visit: &Visit<'_, impl Backend>, name: &str) -> Result<ChannelName, Fault> {
    let what = "public:NAME, tenant:TENANT or more, notifications:TENANT:USER:TYPE, of at most 256 bytes behind the prefix";
    let wrong = || Fault::field(visit.wrong(), "channel", what);
    let place = address(name).map_err(|_| wrong())?;
    let tenant = match place {
        Address::Public(_) if visit.site.public_per_tenant => Some(visit.tenant()),
        Address::Public(_) => Some(Principal::DEFAULT_TENANT.into()),
        _ => name.split(':').nth(1).filter(|tenant| !tenant.is_empty()).map(Arc::from),
    };
    let ((kind, id), tenant) = place.channel().zip(tenant).ok_or_else(wrong)?;
    Ok(ChannelName { realm: visit.realm(), tenant, kind, id: id.into() })
}

/// Exactly the document's three keys, without those that have none (ruling A14).
async fn stats(visit: &Visit<'_, impl Backend>) -> Answer {
    let op = Op::CountConnections { dialect: Dialect::Aegisx };
    let (mut tenants, mut channels) =
        (BTreeMap::<Arc<str>, usize>::new(), BTreeMap::<Arc<str>, usize>::new());
    for reply in visit.backend.ask_all(op, visit.who.clone()).await? {
        let Reply::Counts { by_tenant, by_channel } = reply else { continue };
        for (tenant, connections) in by_tenant {
            *tenants.entry(tenant).or_default() += connections;
        }
        for (name, connections) in by_channel {
            *channels.entry(name).or_default() += connections;
        }
    }
    let total: usize = tenants.values().sum();
    let by = |counts: BTreeMap<Arc<str>, usize>| -> Value {
        counts
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(name, n)| (name.to_string(), Value::from(n)))
            .collect()
    };
    Ok(ok(&json!({ "total": total, "byTenant": by(tenants), "byChannel": by(channels) })))
}

fn message_schema() -> Value {
    schema(&["message"], json!({ "message": { "description": "Any JSON; clients expect type and data" } }))
}

fn notification_schema() -> Value {
    schema(&["notification"], json!({ "notification": { "description": "Any JSON" } }))
}

#[cfg(test)]
#[path = "aegisx_tests.rs"]
mod tests;
