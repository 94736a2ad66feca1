//! Credentials of a configuration, end to end: what is refused at the start, and who gets in by REST and by `auth`.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lanecast::cli;
use lanecast::config::{AuthMode, Config, Surroundings};
use lanecast::server::{Running, Server};
use rsa::pkcs8::der::Document;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// Keys that must never be seen in any output.
const BOT: &str = "never-to-be-seen-of-the-bot";
const OPS: &str = "never+to/be%seen&of=the?ops";
const FILED: &str = "never-to-be-seen-in-a-file";
const SECRETS: [&str; 3] = [BOT, OPS, FILED];

/// SHA-256 of [`FILED`], by `printf %s … | sha256sum`.
const FILED_SHA256: &str = "c475138aabbaaf9bfda32843c0bd3a3907bd15efb12d220cbddd5ce40a266537";

const P256: &str = include_str!("fixtures/keys/p256-a.pub.pem");

/// A working folder of its own; it goes when this does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("lanecast-credentials-{}-{count}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.0.join(name), text).unwrap();
        self
    }

    /// Exit code, output, and the configuration that was served. No secret is in any of them.
    fn run(&self, arguments: &[&str]) -> (ExitCode, String, Option<Config>) {
        let arguments = ["lanecast"].iter().chain(arguments).map(OsString::from);
        let surroundings = Surroundings { folder: self.0.clone(), ..Default::default() };
        let (mut out, mut err, mut served) = (Vec::new(), Vec::new(), None);
        let serve = |config| {
            served = Some(config);
            ExitCode::SUCCESS
        };
        let code = cli::run(arguments, &surroundings, serve, &mut out, &mut err);
        let text = String::from_utf8([out, err].concat()).unwrap();
        let seen = format!("{text}{served:?}");
        assert!(SECRETS.iter().all(|secret| !seen.contains(secret)), "{seen}");
        (code, text, served)
    }

    fn config(&self, arguments: &[&str]) -> Config {
        let (_, text, served) = self.run(arguments);
        served.unwrap_or_else(|| panic!("{text}"))
    }

    /// The one line with which this file is refused.
    fn refused(self, toml: &str) -> String {
        let folder = self.file("c.toml", toml);
        let (code, line, _) = folder.run(&["--config", "c.toml"]);
        assert_eq!((code, line.matches('\n').count()), (ExitCode::from(2), 1), "{line}");
        let (code, checked, _) = folder.run(&["check-config", "--config", "c.toml"]);
        assert_eq!((code, &checked), (ExitCode::from(2), &line));
        line
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn assert_names(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "{word:?} is not in {line:?}");
    }
}

// ---- The start -----------------------------------------------------------------------------------

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_is_allowed() {
    for (key, value, allowed) in [
        ("public_keys", "[\"k.pem\"]", "must be a PEM file with one PUBLIC KEY"),
        ("jwks", "\"k.pem\"", "must be a JWK set"),
        ("api_keys_file", "\"k.pem\"", "must be a file of lines NAME:SHA256-HEX"),
    ] {
        let toml = format!("[auth]\n{key} = {value}\n");
        let words = [&*format!("auth.{key} = \"k.pem\" (c.toml:2)"), allowed];
        let missing = Folder::new().refused(&toml);
        assert_names(&missing, &[&words[..], &["cannot be read"]].concat());
        assert_names(&Folder::new().file("k.pem", &format!("{FILED}:{BOT}\n")).refused(&toml), &words);
        let long = Folder::new().file("k.pem", &" ".repeat((1 << 20) + 1)).refused(&toml);
        assert_names(&long, &[&words[..], &["longer than 1048576 bytes"]].concat());
        let binary = Folder::new();
        fs::write(binary.0.join("k.pem"), [0xff, 0xfe]).unwrap();
        assert_names(&binary.refused(&toml), &words);
    }
    for (toml, words) in [
        ("public_keys = \"k.pem\"", ["auth.public_keys", "a list of paths"]),
        ("public_keys = [\"\"]", ["auth.public_keys", "a list of paths"]),
        ("jwks = 5", ["auth.jwks", "the path of a file"]),
        ("api_keys = \"bot\"", ["auth.api_keys", "NAME=KEY"]),
        ("api_keys = [\"bot=short\"]", ["auth.api_keys", "16 to 256"]),
    ] {
        assert_names(&Folder::new().refused(&format!("[auth]\n{toml}\n")), &words);
    }
}

#[test]
fn a_line_of_a_file_of_keys_is_named() {
    let toml = "[auth]\napi_keys_file = \"keys\"\n";
    let good = format!("# services\n\n  \nfiled:{FILED_SHA256}:publish\n");
    for (line, why) in [
        (format!("bot:{BOT}:admin"), "64 hexadecimal digits"),
        (BOT.to_owned(), "there is no NAME:"),
        (format!("bot:{}:write", FILED_SHA256.replace('0', "1")), "one of publish, presence, admin"),
        (format!("filed:{}", FILED_SHA256.replace('0', "1")), "the name filed is there twice"),
        (format!("bot:{FILED_SHA256}"), "filed and bot have the same key"),
    ] {
        let refused = Folder::new().file("keys", &format!("{good}{line}\n")).refused(toml);
        assert_names(&refused, &["auth.api_keys_file", "keys:5: ", why]);
    }
    let both = format!("{toml}api_keys = [\"bot={FILED}\"]\n");
    let refused = Folder::new().file("keys", &good).refused(&both);
    assert_names(&refused, &["keys:4: bot and filed have the same key"]);
}

#[test]
fn there_may_be_64_public_keys() {
    let with = |n| format!("[auth]\npublic_keys = [{}]\n", "\"k.pem\",".repeat(n));
    let folder = Folder::new().file("k.pem", P256).file("c.toml", &with(64));
    assert_eq!(folder.config(&["--config", "c.toml"]).keyring.verifying.len(), 64);
    assert_names(&Folder::new().file("k.pem", P256).refused(&with(65)), &["auth.public_keys", "at most 64"]);
}

#[test]
fn any_key_counts_as_the_secret_of_a_public_listener() {
    let lines = format!("filed:{FILED_SHA256}:publish\n");
    let folder = Folder::new()
        .file("k.pem", P256)
        .file("keys", &lines)
        .file("empty", "# none\n")
        .file("pem.toml", "[auth]\npublic_keys = [\"k.pem\"]\n")
        .file("file.toml", "[auth]\napi_keys_file = \"keys\"\n")
        .file("empty.toml", "[auth]\napi_keys_file = \"empty\"\n");
    let key = format!("bot={BOT}:publish");
    let public = |flags: &[&str]| folder.run(&[&["--listen", "0.0.0.0:0"], flags].concat());
    for flags in [["--config", "pem.toml"], ["--config", "file.toml"], ["--api-key", &key]] {
        let config = public(&flags).2.expect("it starts");
        assert_eq!((config.auth_mode(), config.warnings().len()), (AuthMode::Required, 0));
    }
    for flags in [&[][..], &["--config", "empty.toml"]] {
        let (code, line, _) = public(flags);
        assert_eq!(code, ExitCode::from(2));
        assert_names(
            &line,
            &["server.listen", "--jwt-secret", "--api-key", "auth.public_keys", "--auth open"],
        );
    }
}

#[test]
fn a_pem_file_is_no_secret() {
    let (code, line, _) = Folder::new().run(&[&format!("--jwt-secret={P256}")]);
    assert_eq!(code, ExitCode::from(2));
    assert_names(&line, &["auth.jwt_secret (flag --jwt-secret)", "auth.public_keys"]);
    assert!(!line.contains("BEGIN"), "{line}");
}

#[test]
fn check_config_shows_services_without_their_keys() {
    let keys = [format!("bot={BOT}:publish,presence"), "ops=0123456789abcdef:admin".to_owned()];
    let folder = Folder::new().file("c.toml", &format!("[auth]\napi_keys = [\"x={BOT}x\"]\n"));
    let flags = ["check-config", "--config", "c.toml", "--api-key", &keys[0], "--api-key", &keys[1]];
    let (code, out, _) = folder.run(&flags);
    assert_eq!(code, ExitCode::SUCCESS, "{out}");
    let shown = r#"api_keys = ["bot=***:publish,presence", "ops=***:admin"]  # flag --api-key"#;
    assert_names(&out, &[shown, "public_keys = []  # default", "# jwks is not set  # default"]);
    let (code, line, _) =
        folder.run(&["--api-key", &format!("bot={BOT}"), "--api-key", &format!("bot={BOT}")]);
    assert_eq!(code, ExitCode::from(2));
    assert_names(&line, &["auth.api_keys (flag --api-key)", "key 2: the name bot is there twice"]);
}

// ---- The server ----------------------------------------------------------------------------------

/// A running server; it drains when this goes.
struct Served(Option<Running>, SocketAddr, #[allow(dead_code, reason = "keeps the files")] Folder);

impl Served {
    fn start(mode: &str) -> Self {
        let toml = format!(
            "[auth]\nmode = \"{mode}\"\napi_keys = [\"bot={BOT}:publish\", \"ops={OPS}:admin\"]\n\
             api_keys_file = \"keys\"\npublic_keys = [\"k.pem\"]\njwks = \"jwks.json\"\n\
             [server]\nlisten = [\"127.0.0.1:0=tusk\"]\nshards = 1\npin = false\n[store]\ndata_dir = \"none\"\n"
        );
        let key = ed25519();
        let mut jwk =
            serde_json::to_value(jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::EdDSA).unwrap())
                .unwrap();
        jwk["kid"] = "ed".into();
        let folder = Folder::new()
            .file("c.toml", &toml)
            .file("keys", &format!("filed:{FILED_SHA256}:presence\n"))
            .file("jwks.json", &json!({ "keys": [jwk] }).to_string())
            .file("k.pem", P256);
        let running = Server::new(folder.config(&["--config", "c.toml"])).start().unwrap();
        let address = running.addresses()[0];
        Served(Some(running), address, folder)
    }

    /// Status and body of a request with these header lines.
    fn ask(&self, target: &str, headers: &str) -> (u16, Value) {
        let mut socket = TcpStream::connect(self.1).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(socket, "{target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    fn status(&self, target: &str, headers: &str) -> u16 {
        self.ask(target, headers).0
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            running.drain(Duration::ZERO);
            let _ = running.join();
        }
    }
}

fn der(pem: &str) -> Document {
    Document::from_pem(pem).unwrap().1
}

fn ed25519() -> EncodingKey {
    EncodingKey::from_ed_der(der(include_str!("fixtures/keys/ed25519-a.key.pem")).as_bytes())
}

fn p256() -> EncodingKey {
    EncodingKey::from_ec_der(der(include_str!("fixtures/keys/p256-a.key.pem")).as_bytes())
}

fn token(algorithm: Algorithm, kid: Option<&str>, key: &EncodingKey) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, &json!({"sub": "signed", "roles": ["user"]}), key).unwrap()
}

fn encoded(key: &str) -> String {
    percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[test]
fn rest_takes_a_key_in_each_carrier() {
    for (mode, nobody) in [("required", 401), ("open", 200)] {
        let server = Served::start(mode);
        for key in SECRETS {
            for header in [format!("Authorization: Bearer {key}"), format!("X-API-Key: {key}")] {
                assert_eq!(server.status("GET /rooms", &format!("{header}\r\n")), 200, "{header}");
            }
            for query in [format!("api_key={}", encoded(key)), format!("x=1&api_key={}&y", encoded(key))] {
                assert_eq!(server.status(&format!("GET /rooms?{query}"), ""), 200, "{query}");
            }
        }
        assert_eq!(server.status("GET /rooms", ""), nobody);
        for wrong in
            ["unknown-unknown-unknown", "bot", "", "filed", FILED_SHA256, &format!("{BOT}x"), &BOT[1..]]
        {
            for (target, header) in [
                ("GET /rooms".to_owned(), format!("X-API-Key: {wrong}\r\n")),
                (format!("GET /rooms?api_key={wrong}"), String::new()),
                (format!("GET /rooms?api_key={wrong}&api_key={BOT}"), String::new()),
            ] {
                let (status, body) = server.ask(&target, &header);
                assert_eq!((status, &body["error"]), (401, &json!("Invalid API key")), "{target} {header}");
            }
        }
        // The first carrier decides; a good one behind it mends nothing.
        let both = format!("Authorization: Basic eDp5\r\nX-API-Key: {BOT}\r\n");
        assert_eq!(server.status("GET /rooms", &both), 401);
        assert_eq!(server.status("GET /rooms?api_key=%ff", ""), 401);
    }
}

#[test]
fn rest_takes_tokens_signed_with_the_configured_keys() {
    let server = Served::start("required");
    let bearer = |token: &str| server.status("GET /rooms", &format!("Authorization: Bearer {token}\r\n"));
    assert_eq!(bearer(&token(Algorithm::ES256, None, &p256())), 200);
    assert_eq!(bearer(&token(Algorithm::EdDSA, Some("ed"), &ed25519())), 200);
    assert_eq!(bearer(&token(Algorithm::EdDSA, Some("unknown"), &ed25519())), 401);
    assert_eq!(bearer(&token(Algorithm::HS256, None, &EncodingKey::from_secret(P256.as_bytes()))), 401);
}

#[test]
fn a_scope_is_what_a_service_may_do() {
    let server = Served::start("required");
    let create = |key: &str, room: &str| {
        let body = json!({ "name": room }).to_string();
        let headers = format!("X-API-Key: {key}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        // The blank line that `ask` adds comes after the body and is never read.
        server.status("POST /rooms", &headers)
    };
    assert_eq!((create(BOT, "a"), create(FILED, "a"), create(OPS, "a")), (403, 403, 201));
}

#[test]
fn the_auth_message_takes_keys_and_signed_tokens() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for mode in ["required", "open"] {
        let server = Served::start(mode);
        runtime.block_on(async {
            let es256 = token(Algorithm::ES256, None, &p256());
            let eddsa = token(Algorithm::EdDSA, Some("ed"), &ed25519());
            for (credential, user, roles) in [
                (BOT, "bot", json!([])),
                (OPS, "ops", json!(["admin"])),
                (FILED, "filed", json!([])),
                (&es256, "signed", json!(["user"])),
                (&eddsa, "signed", json!(["user"])),
            ] {
                let answer = authenticate(server.1, credential).await;
                assert_eq!(answer["type"], "auth_success", "{answer}");
                assert_eq!(
                    (&answer["user"]["id"], &answer["user"]["roles"]),
                    (&json!(user), &roles),
                    "{answer}"
                );
                assert!(!answer.to_string().contains(credential), "{answer}");
            }
            let forged = token(Algorithm::HS256, None, &EncodingKey::from_secret(P256.as_bytes()));
            let unknown = token(Algorithm::EdDSA, Some("unknown"), &ed25519());
            for credential in [forged, unknown, format!("{}x", es256)] {
                assert_eq!(authenticate(server.1, &credential).await["type"], "auth_failed");
            }
        });
    }
}

/// The first answer to `auth`.
async fn authenticate(server: SocketAddr, token: &str) -> Value {
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{server}/")).await.unwrap();
    let auth = json!({"type": "auth", "token": token}).to_string();
    socket.send(Message::text(auth)).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    serde_json::from_str(answer.to_text().unwrap()).unwrap()
}
