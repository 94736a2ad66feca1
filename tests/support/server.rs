//! A server in the process of the test, on a port the kernel chose.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lanecast::config::Config;
use lanecast::server::{Running, Server};
use serde_json::{Value, json};
use toml::Table;

use super::{Client, Http, Raw, get, request, soon};

/// The secret of tokens where a test needs none of its own.
pub const SECRET: &str = "only-for-tests-0123456789abcdefghijklmnopqrstuv";

/// Ends when it is dropped.
pub struct TestServer {
    running: Option<Running>,
    pub address: SocketAddr,
}

impl TestServer {
    /// Starts with these settings; what they leave out is two shards, any port and no limit on messages.
    pub fn start(settings: &str) -> Self {
        let config = Config::from_toml(&with_defaults(settings)).expect("a valid configuration");
        let running = Server::new(config).start().expect("starts");
        let address = running.addresses()[0];
        Self { running: Some(running), address }
    }

    /// The same with a store in that folder, which a server before it may have left there.
    pub fn start_on(folder: &Path, settings: &str) -> Self {
        let mut table: Table = settings.parse().expect("TOML");
        let store = table.entry("store").or_insert_with(|| Table::new().into());
        let folder = folder.to_str().expect("UTF-8").to_owned();
        store.as_table_mut().expect("a section").insert("data_dir".into(), folder.into());
        Self::start(&table.to_string())
    }

    /// Ends, and starts again on the same folder.
    pub async fn again(self, folder: &Path, settings: &str) -> Self {
        self.stop().await;
        Self::start_on(folder, settings)
    }

    /// Waits until no user is online: those who went are away for their homes too.
    pub async fn nobody_is_online(&self) {
        self.metric_becomes("lanecast_users_online", 0.0).await;
    }

    /// Ends as by SIGTERM, at once; what it was told is kept.
    pub async fn stop(self) {
        self.drain(Duration::ZERO);
        self.join().await;
    }

    /// The address of the listener at that place in the configuration.
    pub fn address_of(&self, listener: usize) -> SocketAddr {
        self.running.as_ref().expect("runs").addresses()[listener]
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// A client whose connection lives on that shard: the kernel deals them out, so this connects until one does.
    /// Needs `welcome`, and that nobody else connects meanwhile.
    pub async fn client_on(&self, shard: u64) -> Client {
        let label = format!("shard=\"{shard}\"");
        let accepted = || self.sample("lanecast_connections_accepted_total", &label);
        soon("a connection on the shard", async {
            loop {
                let before = accepted().await;
                let mut client = self.client().await;
                client.expect("welcome").await;
                if accepted().await > before {
                    return client;
                }
            }
        })
        .await
    }

    pub async fn raw(&self) -> Raw {
        Raw::upgraded(self.address, "").await
    }

    /// The Tusk statistics.
    pub async fn stats(&self) -> Value {
        serde_json::from_str(&get(self.address, "/stats").await.body).expect("JSON")
    }

    /// The sum of all samples of a metric.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = get(self.address, "/metrics").await.body;
        assert!(text.contains(name), "no metric is named {name}");
        let samples = text.lines().filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            let named = key == name || key.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'));
            named.then(|| value.parse::<f64>().expect("a number"))
        });
        samples.sum()
    }

    /// The sum of the samples of a metric with that label, such as `code="too_large"`.
    pub async fn sample(&self, name: &str, label: &str) -> f64 {
        let text = get(self.address, "/metrics").await.body;
        let samples = text.lines().filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            let labels = key.strip_prefix(name)?.strip_prefix('{')?.strip_suffix('}')?;
            labels.split(',').any(|l| l == label).then(|| value.parse::<f64>().expect("a number"))
        });
        samples.sum()
    }

    /// Asks until the metric has that value.
    pub async fn metric_becomes(&self, name: &str, wanted: f64) {
        soon(name, async { while self.metric(name).await != wanted {} }).await;
    }

    /// GET of a path, or POST and the like of a body.
    pub async fn rest(&self, method: &str, path: &str, body: Option<Value>) -> Http {
        request(self.address, method, path, "", body.as_ref()).await
    }

    /// The same by somebody with those claims.
    pub async fn rest_as(&self, claims: Value, method: &str, path: &str, body: Option<Value>) -> Http {
        let headers = format!("Authorization: Bearer {}\r\n", signed(claims));
        request(self.address, method, path, &headers, body.as_ref()).await
    }

    /// Asks until the statistics show so many connections.
    pub async fn connections_become(&self, wanted: u64) {
        soon("that number of connections", async {
            while self.stats().await["total_connections"] != wanted {}
        })
        .await;
    }

    pub fn drain(&self, over: Duration) {
        self.running.as_ref().expect("runs").drain(over);
    }

    /// Waits for the end of a drain.
    pub async fn join(mut self) {
        let running = self.running.take().expect("runs");
        let joined = tokio::task::spawn_blocking(|| running.join());
        soon("the end of every shard", joined).await.expect("no panic").expect("no shard failed");
    }
}

fn with_defaults(settings: &str) -> String {
    let mut table: Table = settings.parse().expect("TOML");
    let mut fill = |section: &str, defaults: &str| {
        let defaults: Table = defaults.parse().expect("TOML");
        let section = table.entry(section).or_insert_with(|| Table::new().into());
        for (key, value) in defaults {
            section.as_table_mut().expect("a section").entry(key).or_insert(value);
        }
    };
    fill("server", "listen = ['127.0.0.1:0']\nshards = 2\npin = false");
    fill("store", "data_dir = 'none'");
    fill("auth", &format!("jwt_secret = '{SECRET}'"));
    fill("tusk", "message_rate_limit = 0\nmax_connections_per_ip = 0");
    table.to_string()
}

/// A token of that user which ends in so many seconds.
pub fn token(user: &str, seconds: u64) -> String {
    signed(json!({ "sub": user, "exp": now() + seconds }))
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// A token with those claims.
pub fn signed(claims: Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token")
}
