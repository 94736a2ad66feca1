//! Only a valid credential lets somebody in where one is needed, and one that is there must be valid everywhere; who is
//! refused is told so in its dialect's way, and nobody is told of it.

mod support;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use support::{
    Aegisx, Gator, Nexus, SECRET, Sge, Speaker, TONGUES, TestServer, Tongue, Tusk, now, request, signed, soon,
};

const RSA_PUBLIC: &str = include_str!("fixtures/keys/rsa-a.pub.pem");
const RSA_PRIVATE: &str = include_str!("fixtures/keys/rsa-a.key.pem");
const OTHER_RSA_PRIVATE: &str = include_str!("fixtures/keys/rsa-b.key.pem");

const KEYS: &str = "api_keys = ['robot=key-of-a-robot-0123456:publish']\n";

fn hs256(secret: &[u8], claims: &Value) -> String {
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret)).expect("a token")
}

fn rs256(pem: &str, claims: &Value) -> String {
    let (_, der) = rsa::pkcs8::der::Document::from_pem(pem).expect("PEM");
    let key = EncodingKey::from_rsa_der(der.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &key).expect("a token")
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: String = bytes.iter().map(|b| format!("{b:08b}")).collect();
    let groups =
        bits.as_bytes().chunks(6).map(|g| format!("{:0<6}", std::str::from_utf8(g).expect("digits")));
    groups.map(|g| ALPHABET[usize::from_str_radix(&g, 2).expect("bits")] as char).collect()
}

/// Tokens for `ann` that are none, and why.
fn forged() -> Vec<(&'static str, String)> {
    let claims = json!({ "sub": "ann", "tenantId": "t1", "exp": now() + 3600 });
    let genuine = hs256(SECRET.as_bytes(), &claims);
    let (_, rest) = genuine.split_once('.').expect("three parts");
    let (payload, signature) = rest.split_once('.').expect("three parts");
    let with_header = |header: &str, end: &str| format!("{}.{payload}.{end}", base64url(header.as_bytes()));
    let with = |name: &str, value: u64| {
        let mut claims = claims.clone();
        claims[name] = value.into();
        hs256(SECRET.as_bytes(), &claims)
    };
    let spoiled = base64url(claims.to_string().replace("ann", "root").as_bytes());
    vec![
        ("alg none", with_header(r#"{"alg":"none","typ":"JWT"}"#, "")),
        ("alg None, signed", with_header(r#"{"alg":"None"}"#, signature)),
        ("no alg", with_header("{}", signature)),
        ("the public key as the secret", hs256(RSA_PUBLIC.as_bytes(), &claims)),
        ("the public key without its last line end", hs256(RSA_PUBLIC.trim().as_bytes(), &claims)),
        ("another RSA key", rs256(OTHER_RSA_PRIVATE, &claims)),
        ("another secret", hs256(b"another secret that is long enough", &claims)),
        ("an empty secret", hs256(b"", &claims)),
        ("expired", with("exp", now() - 1)),
        ("not valid yet", with("nbf", now() + 3600)),
        (
            "another's payload",
            format!("{}.{spoiled}.{signature}", genuine.split('.').next().expect("a part")),
        ),
        ("without its signature", genuine[..genuine.rfind('.').expect("three parts") + 1].to_owned()),
        ("cut", genuine[..genuine.len() - 1].to_owned()),
    ]
}

/// With an RSA key that verifies tokens besides the secret.
fn settings(mode: &str) -> String {
    let folder = env!("CARGO_MANIFEST_DIR");
    format!("[auth]\nmode = '{mode}'\npublic_keys = ['{folder}/tests/fixtures/keys/rsa-a.pub.pem']\n{KEYS}")
}

/// How a dialect refuses a credential: before the upgrade, or after it.
async fn expect_refused(
    server: &TestServer,
    tongue: Tongue,
    path: &str,
    headers: &[(&str, &str)],
    why: &str,
) {
    let outcome = Speaker::try_connect(server.address, tongue, path, headers).await;
    match (tongue, outcome) {
        (Sge | Nexus, Err((status, _))) => assert_eq!(status, 401, "{tongue:?}: {why}"),
        (Gator, Ok(mut speaker)) => {
            assert_eq!(speaker.closed_at_once().await, (1008, "Invalid token".into()), "{why}");
        }
        (Aegisx, Ok(mut speaker)) => {
            assert_eq!(speaker.closed_at_once().await, (1000, "Authentication failed".into()), "{why}");
        }
        (_, Ok(_)) => panic!("{tongue:?} lets in: {why}"),
        (_, Err(refused)) => panic!("{tongue:?} {why}: {refused:?}"),
    }
}

#[tokio::test]
async fn a_forged_token_opens_no_dialect_in_any_mode() {
    for mode in ["open", "required"] {
        let server = TestServer::start(&settings(mode));
        let mut witnesses = Vec::new();
        for tongue in [Nexus, Gator, Tusk] {
            witnesses.push(server.speaker(tongue, "witness").await);
        }
        for (why, token) in forged() {
            for tongue in [Sge, Nexus, Gator, Aegisx] {
                expect_refused(&server, tongue, &tongue.path_with("ann", &token), &[], why).await;
            }
            expect_refused(&server, Gator, &format!("/gator/ws/auth?token={token}"), &[], why).await;
            let mut tusk = Speaker::connect(server.address, Tusk, "/tusk/").await;
            tusk.send(&json!({ "type": "auth", "token": token })).await;
            tusk.next_is(json!({ "type": "auth_failed" })).await;
            let mut sge = Speaker::connect(server.address, Sge, "/sge/ws/auth").await;
            sge.send(&json!({ "type": "Auth", "token": token })).await;
            sge.next_is(Sge.any_error()).await;
        }
        // Nobody was told of somebody who came.
        for witness in &mut witnesses {
            witness.expect_nothing().await;
        }
        assert_eq!(server.metric("lanecast_users_online").await, 3.0);
    }
}

#[tokio::test]
async fn a_genuine_token_opens_every_dialect_whichever_key_signed_it() {
    for mode in ["open", "required"] {
        let server = TestServer::start(&settings(mode));
        let claims = json!({ "sub": "ann", "tenantId": "t1", "exp": now() + 3600, "nbf": now() });
        for token in [hs256(SECRET.as_bytes(), &claims), rs256(RSA_PRIVATE, &claims)] {
            for tongue in [Sge, Nexus, Gator, Aegisx] {
                let path = tongue.path_with("ann", &token);
                let mut speaker = Speaker::connect(server.address, tongue, &path).await;
                match tongue.greeting() {
                    Some(greeting) => drop(speaker.next_is(greeting).await),
                    None => speaker.expect_nothing().await,
                }
            }
            let mut tusk = Speaker::connect(server.address, Tusk, "/tusk/").await;
            tusk.send(&json!({ "type": "auth", "token": token })).await;
            tusk.next_is(json!({ "type": "auth_success", "user": { "id": "ann" } })).await;
        }
    }
}

#[tokio::test]
async fn a_token_of_another_user_does_not_open_ones_url() {
    for mode in ["open", "required"] {
        let server = TestServer::start(&settings(mode));
        let eve = signed(json!({ "sub": "eve" }));
        for tongue in [Nexus, Gator] {
            expect_refused(&server, tongue, &tongue.path_with("ann", &eve), &[], "eve's").await;
            let plain = tongue.path_with("ann", "");
            let header = format!("Bearer {eve}");
            expect_refused(&server, tongue, &plain, &[("authorization", &header)], "eve's, in a header")
                .await;
        }
    }
}

#[tokio::test]
async fn without_a_credential_nobody_comes_in_where_one_is_needed() {
    let server = TestServer::start(&settings("required"));
    for (tongue, path) in [
        (Nexus, "/nexus/ws?user_id=ann"),
        (Nexus, "/nexus/ws?user_id=ann&token="),
        (Nexus, "/nexus/ws?user_id=ann&token=opaque"),
        (Nexus, "/nexus/ws"),
        (Gator, "/gator/ws/ann"),
        (Gator, "/gator/ws/auth"),
        (Gator, "/gator/ws/ann?token=opaque"),
        (Aegisx, "/aegisx/ws"),
        (Aegisx, "/aegisx/ws?token="),
        (Aegisx, "/aegisx/ws?token=opaque"),
        (Sge, "/sge/ws/connect?token=opaque"),
        (Sge, "/sge/ws/connect?api_key=opaque"),
        (Sge, "/sge/ws/connect?api_key=robot"),
        (Sge, "/sge/ws/connect?api_key=key-of-a-robot-012345"),
        (Sge, "/sge/ws/connect?api_key=key-of-a-robot-01234567"),
    ] {
        expect_refused(&server, tongue, path, &[], path).await;
    }
    for header in
        [("x-api-key", "unknown-key"), ("authorization", "Bearer opaque"), ("cookie", "token=opaque")]
    {
        expect_refused(&server, Sge, "/sge/ws/connect", &[header], header.0).await;
    }
    // An AegisX credential names its tenant.
    let tenantless = signed(json!({ "sub": "ann" }));
    expect_refused(&server, Aegisx, &Aegisx.path_with("", &tenantless), &[], "no tenant").await;
    // In open mode a name is enough, but an API key is none.
    let open = TestServer::start(&settings("open"));
    expect_refused(&open, Sge, "/sge/ws/connect?api_key=unknown", &[], "no key").await;
    expect_refused(&open, Sge, "/sge/ws/connect", &[("x-api-key", "unknown")], "no key").await;
    let early = TestServer::start(&(settings("required") + "[sge]\nrequire_token_at_upgrade = true"));
    expect_refused(&early, Sge, "/sge/ws/connect", &[], "no token at the upgrade").await;
    let admin = Speaker::try_connect(server.address, Aegisx, "/aegisx/ws/admin", &[]).await;
    assert_eq!(admin.err().map(|(status, _)| status), Some(401));
    let user = signed(json!({ "sub": "ann", "tenantId": "t1", "role": "user" }));
    let path = format!("/aegisx/ws/admin?token={user}");
    let user = Speaker::try_connect(server.address, Aegisx, &path, &[]).await;
    assert_eq!(user.err().map(|(status, _)| status), Some(403));
}

#[tokio::test]
async fn a_credential_is_looked_for_in_its_places_and_the_first_decides() {
    let server = TestServer::start(&settings("required"));
    let good = signed(json!({ "sub": "ann", "tenantId": "t1" }));
    let (bearer, cookie) = (format!("Bearer {good}"), format!("other=1; token={good}; more=2"));
    let (in_header, in_cookie) = (("authorization", &*bearer), ("cookie", &*cookie));
    let key = ("x-api-key", "key-of-a-robot-0123456");
    for (tongue, path, header) in [
        (Sge, format!("/sge/ws/connect?token={good}"), None),
        (Sge, format!("/sge/ws/auth?token={good}"), None),
        (Sge, "/sge/ws/connect".into(), Some(in_header)),
        (Sge, "/sge/ws/connect".into(), Some(in_cookie)),
        (Sge, "/sge/ws/connect".into(), Some(key)),
        (Sge, "/sge/ws/connect?api_key=key-of-a-robot-0123456".into(), None),
        (Sge, "/sge/ws/connect?token=key-of-a-robot-0123456".into(), None),
        (Nexus, "/nexus/ws?user_id=ann".into(), Some(in_header)),
        (Gator, "/gator/ws/ann".into(), Some(in_header)),
        (Gator, format!("/gator/ws/auth?token={good}"), None),
        (Aegisx, format!("/aegisx/ws?token={good}"), None),
        (Aegisx, "/aegisx/ws".into(), Some(in_header)),
        (Aegisx, "/aegisx/ws".into(), Some(in_cookie)),
    ] {
        let headers: Vec<_> = header.into_iter().collect();
        let speaker = Speaker::try_connect(server.address, tongue, &path, &headers).await;
        let mut speaker = speaker.unwrap_or_else(|refused| panic!("{path} {header:?}: {refused:?}"));
        match tongue.greeting() {
            Some(greeting) => drop(speaker.next_is(greeting).await),
            None => speaker.expect_nothing().await,
        }
    }
    // The query counts more than a header, and that more than a cookie.
    for (tongue, path, headers) in [
        (Sge, "/sge/ws/connect?token=bad", vec![in_header, in_cookie]),
        (Sge, "/sge/ws/connect", vec![("authorization", "Bearer bad"), in_cookie]),
        (Nexus, "/nexus/ws?user_id=ann&token=bad", vec![in_header]),
        (Gator, "/gator/ws/ann?token=bad", vec![in_header]),
        (Aegisx, "/aegisx/ws?token=bad", vec![in_header, in_cookie]),
        (Aegisx, "/aegisx/ws", vec![("authorization", "Bearer bad"), in_cookie]),
    ] {
        expect_refused(&server, tongue, path, &headers, path).await;
    }
}

#[tokio::test]
async fn the_end_of_a_token_ends_its_connection_in_every_dialect() {
    let server = TestServer::start("[auth]\nmode = 'required'");
    let ends = now() + 2;
    let claims = json!({ "sub": "ann", "tenantId": "t1", "exp": ends });
    let mut speakers = Vec::new();
    for tongue in TONGUES {
        speakers.push(server.speaker_with(tongue, claims.clone()).await);
    }
    for speaker in &mut speakers {
        assert_eq!(speaker.closed().await, (1008, "credential expired".into()), "{:?}", speaker.tongue);
    }
    assert!(now() >= ends, "not before");
    drop(speakers);
    server.metric_becomes("lanecast_users_online", 0.0).await;
}

/// Whatever a dialect has to say, but for authentication and heartbeats.
fn all_words(tongue: Tongue) -> Vec<Value> {
    let mut words = vec![tongue.join("hall"), tongue.leave("hall"), tongue.say("ann", "hall", "hello")];
    words.extend(match tongue {
        Sge => vec![
            json!({ "type": "Subscribe", "channel": "presence:ann" }),
            json!({ "type": "Subscribe", "channel": "user:ann" }),
            json!({ "type": "Subscribe", "channel": "system" }),
            json!({ "type": "PresenceUpdate", "user_id": "ann", "status": "online" }),
            json!({ "type": "Typing", "from": "ann", "to": "bob", "typing": true }),
            json!({ "type": "ChatMessage", "message": { "from": "ann", "to": "bob", "message": "x" } }),
            json!({ "type": "RosterGet" }),
            json!({ "type": "RosterUpdate", "contact": { "user_id": "bob" } }),
            json!({ "type": "RosterRemove", "user_id": "bob" }),
            json!({ "type": "Whatever" }),
        ],
        Tusk => vec![
            json!({ "type": "private_message", "to": "bob", "message": "x" }),
            json!({ "type": "presence", "status": "online" }),
            json!({ "type": "create_room", "room": "hall" }),
            json!({ "type": "ack", "id": "00000000-0000-4000-8000-000000000000" }),
            json!({ "type": "whatever" }),
        ],
        Nexus | Gator | Aegisx => unreachable!("they let nobody in without a credential"),
    });
    words
}

#[tokio::test]
async fn before_a_credential_nothing_is_possible_but_to_give_one() {
    let server = TestServer::start("[auth]\nmode = 'required'");
    for (tongue, path) in [(Sge, "/sge/ws/connect"), (Sge, "/sge/ws/auth"), (Tusk, "/tusk/")] {
        let mut witness = server.speaker(tongue, "bob").await;
        witness.join("hall").await;
        let mut nobody = Speaker::connect(server.address, tongue, path).await;
        for words in all_words(tongue) {
            nobody.send(&words).await;
            nobody.next_is(tongue.error("Authentication required")).await;
        }
        nobody.send_text("no JSON").await;
        nobody.next_is(tongue.any_error()).await;
        nobody.expect_no_more().await;
        witness.expect_nothing().await;
        // The first message may have it.
        let token = signed(json!({ "sub": "ann" }));
        let (auth, answer) = match tongue {
            Sge => ("Auth", json!({ "type": "Authenticated", "user_id": "ann" })),
            _ => ("auth", json!({ "type": "auth_success", "user": { "id": "ann" } })),
        };
        nobody.send(&json!({ "type": auth, "token": token })).await;
        nobody.next_is(answer).await;
        nobody.user = "ann".into();
        nobody.join("hall").await;
        nobody.say("hall", "now I may").await;
        witness.hear("ann", "hall", "now I may").await;
    }
}

#[tokio::test]
async fn who_gives_no_credential_in_time_must_go() {
    let settings =
        "[auth]\nmode = 'required'\n[sge]\nws_message_timeout = 0.3\n[tusk]\nconnection_timeout = 0.3";
    let server = TestServer::start(settings);
    for (tongue, path) in [(Sge, "/sge/ws/connect"), (Tusk, "/tusk/")] {
        let mut nobody = Speaker::connect(server.address, tongue, path).await;
        assert_eq!(nobody.closed_at_once().await, (1008, "authentication timeout".into()));
    }
}

#[tokio::test]
async fn rest_asks_for_a_credential_too() {
    let server = TestServer::start(&settings("required"));
    for path in [
        "/xmpp/presence",
        "/xmpp/presence/ann",
        "/xmpp/presence/ann/history",
        "/xmpp/roster",
        "/api/ws/stats",
        "/api/ws/online",
        "/api/ws/rooms/hall",
        "/api/presence/ann",
        "/api/admin/stats",
    ] {
        assert_eq!(server.rest("GET", path, None).await.status, 401, "{path}");
        for (why, token) in forged() {
            let header = format!("Authorization: Bearer {token}\r\n");
            let answer = request(server.address, "GET", path, &header, None).await;
            assert_eq!(answer.status, 401, "{path} {why}");
        }
    }
    // A token that is there must be valid in open mode, too.
    let open = TestServer::start(&settings("open"));
    for (why, token) in forged() {
        let header = format!("Authorization: Bearer {token}\r\n");
        let answer = soon("an answer", request(open.address, "GET", "/xmpp/presence", &header, None)).await;
        assert_eq!(answer.status, 401, "{why}");
    }
}
