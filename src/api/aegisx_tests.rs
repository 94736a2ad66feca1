//! Each call: who may, whom it reaches, and that messages pass byte for byte.

use super::*;
use crate::api::stage::{NOW, Stage, named};

fn homes(op: &Op) -> Reply {
    let counts = |counts: &[(&str, usize)]| counts.iter().map(|(name, n)| (Arc::from(*name), *n)).collect();
    match op {
        Op::CountConnections { dialect: Dialect::Aegisx } => Reply::Counts {
            by_tenant: counts(&[("t1", 2), ("t2", 1), ("t1", 1), ("t3", 0)]),
            by_channel: counts(&[("tenant:t1:g", 1), ("public:p", 2), ("public:p", 1), ("gone", 0)]),
        },
        _ => Reply::Done,
    }
}

async fn sent(stage: &Stage, path: &str, body: &str) -> (Option<ChannelName>, Op) {
    let answer = stage.call("t1/root+admin", "POST", path, body).await;
    assert_eq!(answer, (200, json!({ "status": "sent", "timestamp": NOW })));
    let (name, op, _) = stage.last();
    (name, op)
}

#[tokio::test]
async fn only_administrators_and_in_open_mode_the_machine_itself() {
    for (required, local, token, status) in [
        (true, true, "", 401),
        (true, true, "bad", 401),
        (true, true, "t1/u", 403),
        (true, true, "t1/s+publish", 403),
        (false, false, "", 401),
        (false, false, "t1/u", 403),
        (false, true, "", 422),
        (true, false, "t1/root+admin", 422),
    ] {
        let mut stage = Stage::new(required, homes);
        stage.local = local;
        for route in ROUTES {
            let path =
                route.path.replace("{tenant}", "t1").replace("{user}", "u").replace("{channel}", "public:p");
            let want = if status == 422 && route.method == "GET" { 200 } else { status };
            assert_eq!(stage.status(token, route.method, &path, "{}").await, want, "{path} {token:?}");
        }
    }
}

#[tokio::test]
async fn stats_are_added_up_and_drop_empty_entries() {
    let want = json!({
        "total": 4, "byTenant": { "t1": 3, "t2": 1 }, "byChannel": { "tenant:t1:g": 1, "public:p": 3 },
    });
    let stage = Stage::new(true, homes);
    assert_eq!(stage.call("t1/root+admin", "GET", "/api/admin/stats", "").await, (200, want));
}

#[tokio::test]
async fn a_broadcast_is_relayed_byte_for_byte_to_all_or_to_a_tenant() {
    let stage = Stage::new(true, homes);
    let json = r#"{"type":"maintenance", "data":{"in":5.50,"b":1,"a":12345678901234567890123}}"#;
    let body = format!(r#"{{"other":1,"message": {json} }}"#);
    for (path, whom) in [("/api/admin/broadcast", None), ("/api/admin/tenants/t2/broadcast", Some("t2"))] {
        let (_, op) = sent(&stage, path, &body).await;
        let Op::AnnounceAll { realm, tenant, event } = op else { panic!("{op:?}") };
        assert_eq!((tenant.as_deref(), event), (whom, frame(json)));
        assert_eq!(realm, stage.site.realms[Dialect::Aegisx.index()]);
    }
}

#[tokio::test]
async fn a_user_of_that_tenant_is_notified() {
    let stage = Stage::new(true, homes);
    let path = "/api/admin/tenants/t2/users/u/notify";
    let body = r#"{"notification":{"type":"status_updated","data":{"status":"ok"}}}"#;
    let (name, op) = sent(&stage, path, body).await;
    assert_eq!(name, named(Dialect::Aegisx, "t2", Kind::User, "u"));
    let Op::Announce { event, except: Except::Nobody } = op else { panic!("{op:?}") };
    let want = r#"{"type":"notification","data":{"type":"status_updated","data":{"status":"ok"}}}"#;
    assert_eq!(event, frame(want));
}

#[tokio::test]
async fn a_channel_is_of_the_tenant_that_its_name_says() {
    for (per_tenant, channel, tenant, kind, id) in [
        (false, "tenant:t2", "t2", Kind::Topic, "tenant:t2"),
        (false, "tenant:t2:g:h", "t2", Kind::Topic, "tenant:t2:g:h"),
        (false, "notifications:t2:u:all", "t2", Kind::Topic, "notifications:t2:u:all"),
        (false, "public:p:q", "default", Kind::Room, "p:q"),
        (true, "public:p", "t1", Kind::Room, "p"),
    ] {
        let mut stage = Stage::new(true, homes);
        stage.site.public_per_tenant = per_tenant;
        let (name, op) = sent(&stage, &format!("/api/admin/channels/{channel}"), r#"{"message":null}"#).await;
        assert_eq!(name, named(Dialect::Aegisx, tenant, kind, id), "{channel}");
        assert!(matches!(op, Op::Announce { event, .. } if event == frame("null")));
    }
    let stage = Stage::new(true, homes);
    // As long as a socket lets one join.
    for prefix in ["public:", "tenant:", "notifications:"] {
        for (len, want) in [(256, 200), (257, 422)] {
            let path = format!("/api/admin/channels/{prefix}{}", "x".repeat(len));
            let (status, _) = stage.call("root+admin", "POST", &path, r#"{"message":1}"#).await;
            assert_eq!(status, want, "{prefix} and {len} bytes");
        }
    }
    for channel in ["public:", "public", "tenant:", "tenant", "tenant::g", "notifications:", "x", "x:y"] {
        let path = format!("/api/admin/channels/{channel}");
        let (status, fault) = stage.call("root+admin", "POST", &path, r#"{"message":1}"#).await;
        assert_eq!((status, &fault["field"]), (422, &json!("channel")), "{channel}");
    }
}

#[tokio::test]
async fn a_body_without_its_field_is_refused_by_name() {
    let stage = Stage::new(true, homes);
    for (body, status, field) in [
        ("", 400, json!(null)),
        ("[]", 400, json!(null)),
        (r#"{"message":1"#, 400, json!(null)),
        ("{}", 422, json!("message")),
        (r#"{"Message":1}"#, 422, json!("message")),
    ] {
        let (got, fault) = stage.call("root+admin", "POST", "/api/admin/broadcast", body).await;
        assert_eq!((got, &fault["field"]), (status, &field), "{body}");
    }
    assert!(stage.asked.borrow().is_empty());
}
