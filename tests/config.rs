//! The configuration as an operator meets it: command line, environment, `.env` and file in; a configuration,
//! or one line on stderr and exit code 2, out.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lanecast::cli;
use lanecast::config::{
    AllowedOrigin, AuthMode, Config, DataDir, Dialect, Limit, LogFormat, LogLevel, SECTIONS, Source,
    Surroundings, TenantStatus, limits, reference,
};

/// A secret that must never be seen in any output.
const SECRET: &str = "never-to-be-seen-0123456789-0123456789";

/// A working folder and an environment of its own; the folder goes when this does.
struct Ground(Surroundings);

/// What a run left behind.
#[derive(Debug)]
struct Outcome {
    code: ExitCode,
    out: String,
    err: String,
    served: Option<Config>,
}

impl Ground {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("lanecast-config-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Ground(Surroundings { env: Default::default(), folder })
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env.insert(name.into(), value.into());
        self
    }

    fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.0.folder.join(name), text).unwrap();
        self
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let arguments = ["lanecast"].iter().chain(arguments).map(OsString::from);
        let (mut out, mut err, mut served) = (Vec::new(), Vec::new(), None);
        let serve = |config| {
            served = Some(config);
            ExitCode::SUCCESS
        };
        let code = cli::run(arguments, &self.0, serve, &mut out, &mut err);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(out), text(err));
        assert!(!out.contains(SECRET) && !err.contains(SECRET), "{out}{err}");
        Outcome { code, out, err, served }
    }

    /// The configuration a server gets.
    fn config(&self, arguments: &[&str]) -> Config {
        let outcome = self.run(arguments);
        outcome.served.unwrap_or_else(|| panic!("{}", outcome.err))
    }

    /// The line that refuses to start: one line, exit code 2, nothing served.
    fn refusal(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, ExitCode::from(2), "{outcome:?}");
        assert!(outcome.served.is_none() && outcome.out.is_empty(), "{outcome:?}");
        assert_eq!(outcome.err.matches('\n').count(), 1, "{}", outcome.err);
        outcome.err
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0.folder);
    }
}

/// The refusal of a file with this text.
fn refused(toml: &str) -> String {
    Ground::new().file("c.toml", toml).refusal(&["--listen", "127.0.0.1:0=tusk", "--config", "c.toml"])
}

fn assert_names(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "{word:?} is not in {line:?}");
    }
}

// ---- Defaults ----------------------------------------------------------------------------------

#[test]
fn defaults_are_those_of_the_interface() {
    let config = Ground::new().config(&[]);
    assert_eq!(config.server.listen.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1:8000"]);
    assert_eq!(config.store.data_dir, DataDir::Folder("./lanecast-data".into()));
    assert_eq!((config.auth_mode(), &config.auth.jwt_secret), (AuthMode::Open, &None));
    assert_eq!((config.server.log_level, config.server.log_format), (LogLevel::Info, LogFormat::Human));
    assert_eq!(config.server.drain_seconds, Duration::from_secs(5));
    assert_eq!(config.server.allowed_origins, [AllowedOrigin::Any]);
    assert!((1..=64).contains(&config.shards()));
    assert_eq!((config.server.backlog, config.server.tcp_nodelay, config.server.pin), (4096, true, true));
    assert_eq!(config.server.tcp_user_timeout, Some(Duration::from_secs(30)));
    assert_eq!(config.server.ws_auth, Dialect::Sge);
    assert_eq!((config.limits.max_message_bytes, config.limits.outbox_bytes), (65_536, 1 << 20));
    assert_eq!((config.limits.max_connections, config.limits.flush_frames), (Limit::NONE, 64));
    assert!(config.unserved().is_empty() && config.warnings().is_empty());
}

#[test]
fn tusks_defaults_are_its_documents() {
    let tusk = Config::default().tusk;
    assert_eq!((tusk.host.to_string().as_str(), tusk.port), ("0.0.0.0", 8080));
    let limits = [
        (tusk.max_connections, 1000),
        (tusk.message_rate_limit, 100),
        (tusk.max_room_members, 1000),
        (tusk.max_rooms_per_user, 50),
        (tusk.max_message_size, 1024),
        (tusk.max_connections_per_ip, 100),
        (tusk.message_max_length, 1000),
        (tusk.presence_broadcast_limit, 500),
    ];
    for (limit, documented) in limits {
        assert_eq!(limit, Limit::new(documented));
    }
    let seconds = |n| Some(Duration::from_secs(n));
    assert_eq!((tusk.heartbeat_interval, tusk.keep_alive_timeout), (seconds(30), seconds(300)));
    assert_eq!((tusk.connection_timeout, tusk.idle_timeout), (seconds(300), seconds(60)));
    assert_eq!((tusk.batch_window, tusk.buffer_size), (None, 8192));
    assert_eq!((tusk.ssl_enabled, tusk.ssl_cert, tusk.ssl_key), (false, None, None));
    assert_eq!(
        (tusk.enable_compression, tusk.enable_origin_check, tusk.enable_rate_limiting),
        (true, true, true)
    );
    assert_eq!(tusk.allowed_origins, [AllowedOrigin::Exactly("https://yourdomain.com".into())]);
    assert_eq!((tusk.require_auth, tusk.welcome, tusk.presence_broadcast), (false, false, true));
    assert_eq!(tusk.realm, "tusk");
    assert!(tusk.static_tokens.is_empty());
}

#[test]
fn the_other_documents_defaults_are_theirs() {
    let config = Config::default();
    let seconds = Duration::from_secs;
    assert_eq!(config.sge.ws_max_connections, Limit::new(10_000));
    assert_eq!(config.sge.ws_message_timeout, Some(seconds(30)));
    assert_eq!(config.sge.ws_max_message_size, Limit::new(65_536));
    assert_eq!((config.sge.max_messages, config.sge.time_window), (Limit::new(6000), seconds(60)));
    assert_eq!(config.nexus.websocket_heartbeat_timeout, Some(seconds(60)));
    assert_eq!(
        (config.nexus.max_queue_size, config.nexus.max_cache_size),
        (Limit::new(100), Limit::new(1000))
    );
    assert_eq!(config.nexus.max_connections_per_user, Limit::NONE);
    assert_eq!(config.gator.max_connections_per_user, Limit::new(5));
    assert_eq!(
        (config.gator.max_messages, config.gator.typing_timeout),
        (Limit::new(60), Duration::from_millis(3500))
    );
    assert_eq!((config.aegisx.max_payload, config.aegisx.tenants), (Limit::new(1_048_576), None));
    assert_eq!(config.aegisx.inactive_threshold, Some(seconds(300)));
}

#[test]
fn documented_defaults_are_the_codes_defaults() {
    let ground = Ground::new();
    let effective: toml::Table = ground.run(&["check-config"]).out.parse().unwrap();
    let derived = [("server", "shards"), ("auth", "mode")];
    let doc = ground.run(&["config-doc"]).out;
    assert_eq!(doc, reference());
    let (mut section, mut seen) = (String::new(), 0);
    for line in doc.lines() {
        if let Some(title) = line.strip_prefix("## `[").and_then(|rest| rest.strip_suffix("]`")) {
            section = title.trim_matches(['[', ']']).to_owned();
        }
        let cells: Vec<&str> = line.split(" | ").collect();
        let Some(key) = cells[0].strip_prefix("| `").and_then(|cell| cell.strip_suffix('`')) else {
            continue;
        };
        let value = if section == "access" { effective.get(key) } else { effective[&section].get(key) };
        let documented = cells[2].trim_matches('`');
        if !derived.contains(&(&*section, key)) {
            assert_eq!(value.map_or("none".into(), toml::Value::to_string), documented, "{section}.{key}");
        }
        seen += 1;
    }
    assert_eq!(seen, SECTIONS.iter().map(|section| section.keys.len()).sum::<usize>());
}

#[test]
fn every_key_is_declared_well() {
    let keys: Vec<_> = SECTIONS.iter().flat_map(|section| section.keys).collect();
    for key in &keys {
        assert!(key.doc.trim().ends_with('.'), "{}: {:?}", key.path(), key.doc);
        assert!(!(key.allowed)(key.bound).is_empty());
    }
    let mut flags: Vec<_> = keys.iter().filter_map(|key| key.flag).collect();
    let mut env: Vec<_> = keys.iter().flat_map(|key| key.env).collect();
    for (count, unique) in [
        (flags.len(), {
            flags.sort();
            flags.dedup();
            flags.len()
        }),
        (env.len(), {
            env.sort();
            env.dedup();
            env.len()
        }),
    ] {
        assert_eq!(count, unique, "a flag or a variable sets two keys");
    }
}

// ---- Precedence --------------------------------------------------------------------------------

#[test]
fn each_source_yields_to_the_next_stronger_one() {
    let flag = ["--config", "c.toml", "--log-level", "error"];
    let file = flag.split_at(2).0;
    let mut ground = Ground::new().file("c.toml", "# levels\n[server]\nlog_level = \"trace\"\n");
    let level = |ground: &Ground, flags: &[&str]| {
        let config = ground.config(flags);
        (config.server.log_level, config.source("server", "log_level").to_string())
    };
    assert_eq!(level(&ground, &[]), (LogLevel::Info, "default".into()));
    assert_eq!(level(&ground, file), (LogLevel::Trace, "c.toml:3".into()));
    ground = ground.file(".env", "# here\nexport LOG_LEVEL='Debug'\n");
    assert_eq!(level(&ground, file), (LogLevel::Debug, ".env line 2, variable LOG_LEVEL".into()));
    ground = ground.env("LOG_LEVEL", "WARNING");
    assert_eq!(level(&ground, file), (LogLevel::Warn, "environment variable LOG_LEVEL".into()));
    assert_eq!(level(&ground, &flag), (LogLevel::Error, "flag --log-level".into()));
}

#[test]
fn the_secret_comes_from_flag_then_environment_then_dotenv() {
    let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
    let secret =
        |ground: &Ground, flags: &[&str]| ground.config(flags).auth.jwt_secret.unwrap().expose().to_owned();
    let ground = Ground::new().file(".env", format!("SECRET_KEY={c}\n"));
    assert_eq!(secret(&ground, &[]), c);
    let ground = ground.env("SECRET_KEY", &b);
    assert_eq!(secret(&ground, &[]), b);
    assert_eq!(secret(&ground, &["--jwt-secret", &a]), a);
}

#[test]
fn the_documents_variables_set_their_keys() {
    let ground = Ground::new()
        .env("WS_MAX_CONNECTIONS", "2")
        .env("WS_MESSAGE_TIMEOUT", "0.5")
        .env("WS_HEARTBEAT_INTERVAL", "0")
        .env("WS_MAX_MESSAGE_SIZE", "1000")
        .env("WEBSOCKET_HEARTBEAT", "7")
        .env("WEBSOCKET_HEARTBEAT_TIMEOUT", "9")
        .env("MAX_QUEUE_SIZE", "3")
        .env("MAX_CACHE_SIZE", "4")
        .file(".env", "WEBSOCKET_HEARTBEAT_INTERVAL=5\nMAX_QUEUE_SIZE=99\n");
    let config = ground.config(&[]);
    assert_eq!(config.sge.ws_max_connections, Limit::new(2));
    assert_eq!(config.sge.ws_message_timeout, Some(Duration::from_millis(500)));
    assert_eq!(config.sge.ws_heartbeat_interval, None);
    assert_eq!(config.sge.ws_max_message_size, Limit::new(1000));
    assert_eq!(
        config.nexus.websocket_heartbeat_interval,
        Some(Duration::from_secs(7)),
        "the environment wins"
    );
    assert_eq!(config.nexus.websocket_heartbeat_timeout, Some(Duration::from_secs(9)));
    assert_eq!((config.nexus.max_queue_size, config.nexus.max_cache_size), (Limit::new(3), Limit::new(4)));
    let config = ground.env("WEBSOCKET_HEARTBEAT_INTERVAL", "6").config(&[]);
    assert_eq!(
        config.nexus.websocket_heartbeat_interval,
        Some(Duration::from_secs(6)),
        "the longer name wins"
    );
}

#[test]
fn an_overridden_value_must_be_one_too() {
    let line = Ground::new().env("LOG_LEVEL", "shouting").refusal(&["--log-level", "info"]);
    assert_names(&line, &["LOG_LEVEL", "shouting"]);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let ground = Ground::new()
        .env("SECRET_KEY", "")
        .env("LOG_LEVEL", "")
        .file(".env", "LOG_LEVEL=debug\nMAX_QUEUE_SIZE=\n");
    let config = ground.config(&[]);
    assert_eq!((config.auth.jwt_secret, config.server.log_level), (None, LogLevel::Debug));
}

// ---- What cannot be, and how it is said --------------------------------------------------------

#[test]
fn a_bad_file_names_key_value_line_and_what_is_allowed() {
    let cases: &[(&str, &[&str])] = &[
        ("[gator]\nmax_massages = 5\n", &["gator.max_massages", "c.toml:2", "did you mean max_messages"]),
        (
            "[gator]\nmax_messages = \"many\"\n",
            &["gator.max_messages = \"many\"", "c.toml:2", "an integer from 1", "0 for no limit"],
        ),
        (
            "[gator]\n\ntime_window = -1\n",
            &["gator.time_window = -1", "c.toml:3", "from 0.01 to 86400 seconds"],
        ),
        (
            "[gator]\npersona_url = \"ftp://api.example\"\n",
            &["gator.persona_url (c.toml:2)", "names neither http nor https", "must be a URL such as"],
        ),
        ("[aegisx]\nmax_payload = \"1MB\"\n", &["aegisx.max_payload = \"1MB\"", "bytes"]),
        (
            "[aegisx]\ntenants = { t1 = \"sleeping\" }\n",
            &["aegisx.tenants", "t1", "sleeping", "\"active\" or \"inactive\""],
        ),
        ("[tusk]\nallowed_origins = \"https://x\"\n", &["tusk.allowed_origins = \"https://x\"", "a list"]),
        (
            "[tusk]\nallowed_origins = [\"https://x\", \"x/y\"]\n",
            &["tusk.allowed_origins", "\"x/y\" is none"],
        ),
        ("[tusk]\nmax_connections = 1.5\n", &["tusk.max_connections = 1.5", "an integer"]),
        ("[tusk]\nenable_compression = \"yes\"\n", &["tusk.enable_compression = \"yes\"", "true or false"]),
        ("[tusk]\nssl_enabled = true\n", &["tusk.ssl_enabled = true", "c.toml:2", "ssl_cert", "ssl_key"]),
        (
            "[tusk]\nssl_enabled = true\nssl_cert = \"c\"\nssl_key = \"k\"\n",
            &["tusk.ssl_enabled", "TLS is not part of this version"],
        ),
        ("[tusk]\nhost = \"localhost\"\n", &["tusk.host = \"localhost\"", "an IP address"]),
        ("[tusk]\nrealm = \"\"\n", &["tusk.realm = \"\"", "not empty"]),
        ("[tusk]\nidle_timeout = inf\n", &["tusk.idle_timeout = inf", "seconds"]),
        ("[tusk]\nidle_timeout = nan\n", &["tusk.idle_timeout = nan"]),
        ("[tusk]\nmax_connections = 9223372036854775808\n", &["max_connections", "c.toml"]),
        ("[crocodile]\nx = 1\n", &["crocodile (c.toml:1)", "unknown section", "gator"]),
        ("[tsk]\n", &["unknown section", "did you mean [tusk]?"]),
        ("[server]\nlisen = \"127.0.0.1:0\"\n", &["server.lisen", "c.toml:2", "did you mean listen"]),
        (
            "[server]\nmax_message_bytes = 1\n",
            &["server.max_message_bytes", "there is limits.max_message_bytes"],
        ),
        ("[server]\nws_auth = \"nobody\"\n", &["server.ws_auth = \"nobody\"", "one of sge, nexus"]),
        ("[server]\nws_auth = \"echo\"\n", &["server.ws_auth = \"echo\"", "one of sge, nexus"]),
        (
            "[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\n",
            &["server.trusted_proxies", "10.0.0.0/33", "CIDR"],
        ),
        ("shards = 2\n", &["shards", "belongs in [server]"]),
        ("server = 2\n", &["server", "must be a table"]),
        ("[access]\nchannel = \"room:x\"\n", &["access", "[[access]]"]),
        ("[limits]\noutbox_bytes = 65545\n", &["limits.outbox_bytes = 65545", "c.toml:2", "at least 65546"]),
        (
            "[limits]\nmax_message_bytes = 8192\n[tusk]\nmax_message_size = 8193\n",
            &["tusk.max_message_size = 8193", "c.toml:4", "at most limits.max_message_bytes"],
        ),
        (
            "[limits]\nmax_message_bytes = 8192\n[tusk]\nmessage_max_length = 8193\n",
            &["tusk.message_max_length = 8193"],
        ),
    ];
    for (toml, words) in cases {
        assert_names(&refused(toml), words);
    }
}

#[test]
fn broken_toml_names_its_line() {
    assert_names(&refused("[gator\nmax_messages = 5\n"), &["c.toml:1", "TOML"]);
    assert_names(&refused("[tusk]\nport = 1\nport = 2\n"), &["c.toml:3", "TOML"]);
}

#[test]
fn a_file_cut_anywhere_is_read_or_refused_in_one_line() {
    let whole = "[tusk]\nport = 1\nstatic_tokens = { \"t\" = { id = \"1\" } }\n[[access]]\nchannel = \"room:ü\"\nallow = []\n";
    for end in 0..=whole.len() {
        let outcome = Ground::new().file("c.toml", &whole.as_bytes()[..end]).run(&[
            "--listen",
            "127.0.0.1:0",
            "--config",
            "c.toml",
        ]);
        assert!(outcome.served.is_some() || outcome.err.matches('\n').count() == 1, "{end}: {outcome:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let ground = Ground::new().file("latin.toml", b"# gr\xfc\xdfe\n");
    assert_names(
        &ground.refusal(&["--config", "no-such-file.toml"]),
        &["no-such-file.toml", "--config", "cannot be read"],
    );
    assert_names(&ground.refusal(&["--config", "latin.toml"]), &["latin.toml", "UTF-8"]);
    assert_names(&ground.refusal(&["--config", "."]), &["--config", "cannot be read"]);
}

#[test]
fn a_bad_flag_is_named_with_value_and_what_is_allowed() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["--shards", "abc"], &["server.shards = \"abc\"", "flag --shards", "from 1 to 64"]),
        (&["--drain-seconds", "soon"], &["server.drain_seconds = \"soon\"", "flag --drain-seconds"]),
        (
            &["--log-level", "loud"],
            &["server.log_level = \"loud\"", "flag --log-level", "trace, debug, info, warn"],
        ),
        (&["--listen", "127.0.0.1:0=crocodile"], &["crocodile", "flag --listen", "gator"]),
        (&["--listen", "nowhere"], &["nowhere", "flag --listen", "IP:PORT"]),
        (&["--auth", "closed"], &["auth.mode = \"closed\"", "open, required"]),
        (&["--data-dir", ""], &["store.data_dir = \"\"", "or none"]),
        (&["--pin", "maybe"], &["server.pin = \"maybe\"", "true or false"]),
        (&["--no-such-flag"], &["--no-such-flag"]),
        (&["--shard", "2"], &["--shard", "--shards"]),
        (&["--tls-cert", "x"], &["--tls-cert"]),
        (&["--shards", "1", "--shards", "2"], &["--shards", "multiple times"]),
        (&["--shards"], &["--shards", "value is required"]),
        (&["sevre"], &["sevre"]),
        (&["serve", "--shards", "0"], &["server.shards = \"0\""]),
    ];
    for (flags, words) in cases {
        assert_names(&Ground::new().refusal(flags), words);
    }
}

#[test]
fn a_bad_variable_is_named_with_value_and_what_is_allowed() {
    let cases = [
        ("WS_MAX_CONNECTIONS", "abc", "sge.ws_max_connections = \"abc\""),
        ("WS_HEARTBEAT_INTERVAL", "-1", "sge.ws_heartbeat_interval = \"-1\""),
        ("MAX_CACHE_SIZE", "lots", "nexus.max_cache_size = \"lots\""),
        ("WEBSOCKET_HEARTBEAT_INTERVAL", "soon", "nexus.websocket_heartbeat_interval = \"soon\""),
        ("LOG_LEVEL", "shouting", "server.log_level = \"shouting\""),
    ];
    for (name, value, said) in cases {
        // A dialect that is not served does not hide the mistake.
        let flags = ["--listen", "127.0.0.1:0=sge"];
        let line = Ground::new().env(name, value).refusal(&flags);
        assert_names(&line, &[said, &format!("environment variable {name}"), "must be"]);
        let line = Ground::new().file(".env", format!("\n{name}={value}\n")).refusal(&flags);
        assert_names(&line, &[said, ".env line 2", name]);
    }
}

#[test]
fn a_variable_that_is_no_text_is_named() {
    use std::os::unix::ffi::OsStringExt;
    let mut ground = Ground::new();
    ground.0.env.insert("SECRET_KEY".into(), OsString::from_vec(vec![b'x', 0xff]));
    assert_names(&ground.refusal(&[]), &["auth.jwt_secret", "environment variable SECRET_KEY", "UTF-8"]);
}

#[test]
fn dotenv_is_refused_by_line_unless_it_is_a_folder() {
    let line = Ground::new().file(".env", format!("A=1\n{SECRET}\n")).refusal(&[]);
    assert_names(&line, &[".env line 2", "NAME=VALUE"]);
    let ground = Ground::new();
    fs::create_dir(ground.0.folder.join(".env")).unwrap();
    ground.config(&[]);
}

#[test]
fn a_hostile_value_stays_one_line() {
    let line = Ground::new().refusal(&["--shards", &format!("1\n\u{1b}[31m{}", "9".repeat(10_000))]);
    assert!(line.len() < 400 && !line.contains('\u{1b}'), "{line}");
}

// ---- Ranges ------------------------------------------------------------------------------------

#[test]
fn every_bounded_key_takes_its_range_and_nothing_beyond() {
    for section in SECTIONS {
        for key in section.keys {
            let Some(bound) = key.bound else { continue };
            let seconds = key.kind == "seconds";
            let write = |n: u64| if seconds { (n as f64 / 1000.0).to_string() } else { n.to_string() };
            let read = |n: u64| {
                let text = format!("[{}]\n{} = {}\n", section.name, key.name, write(n));
                let outcome =
                    Ground::new().file("c.toml", text).run(&["token", "--user", "u", "--config", "c.toml"]);
                !outcome.err.contains(&key.path())
            };
            let off = (key.allowed)(Some(bound)).contains("or 0");
            assert!(read(bound.min) && read(bound.max), "{}", key.path());
            assert!(!read(bound.max + 1), "{}", key.path());
            assert!(bound.min == 0 || (bound.min == 1 && off) || !read(bound.min - 1), "{}", key.path());
            assert_eq!(read(0), off || bound.min == 0, "{}", key.path());
        }
    }
}

#[test]
fn an_outbox_holds_exactly_a_message_and_its_header() {
    let sized = |outbox: u64| {
        Config::from_toml(&format!("[limits]\nmax_message_bytes = 10000\noutbox_bytes = {outbox}"))
    };
    assert!(sized(10_000 + limits::FRAME_HEADER_BYTES).is_ok());
    assert!(sized(10_000 + limits::FRAME_HEADER_BYTES - 1).is_err());
    assert!(Config::from_toml("[tusk]\nmax_message_size = 65536\nmessage_max_length = 65536").is_ok());
    assert!(Config::from_toml("[tusk]\nmax_message_size = 65537").is_err());
}

// ---- Listeners and who may come in -------------------------------------------------------------

#[test]
fn listeners_come_from_flags_the_file_or_tusk() {
    let listen = |ground: &Ground, flags: &[&str]| {
        let config = ground.config(flags);
        (
            config.server.listen.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            config.source("server", "listen").clone(),
        )
    };
    let flags =
        ["--listen", "[::1]:0=tusk", "--listen", "127.0.0.1:0=echo,127.0.0.1:9000", "--config", "c.toml"];
    let ground = Ground::new().file("c.toml", "[tusk]\nhost = \"127.0.0.1\"\n");
    assert_eq!(
        listen(&ground, &flags),
        ("[::1]:0=tusk 127.0.0.1:0=echo 127.0.0.1:9000".into(), Source::Flag("listen"))
    );
    let (tusks, from) = listen(&ground, &["--config", "c.toml"]);
    assert_eq!((tusks.as_str(), from.by_hand()), ("127.0.0.1:8080=tusk", false));
    let ground = ground.file("c.toml", "[server]\nlisten = [\"127.0.0.1:1\"]\n[tusk]\nport = 9\n");
    assert_eq!(listen(&ground, &["--config", "c.toml"]).0, "127.0.0.1:1");
    let line = Ground::new().file("c.toml", "[tusk]\nport = 9\n").refusal(&["--config", "c.toml"]);
    assert_names(&line, &["0.0.0.0:9=tusk", "tusk.host and tusk.port", "--auth open"]);
}

#[test]
fn every_dialect_can_be_listened_for_and_no_other() {
    for dialect in ["sge", "nexus", "gator", "aegisx", "tusk", "echo"] {
        let address = format!("127.0.0.1:0={dialect}");
        let config = Ground::new().config(&["--listen", "127.0.0.1:0=tusk", "--listen", &address]);
        assert_eq!(config.server.listen[1].dialect.map(|d| d.to_string()).as_deref(), Some(dialect));
    }
    let line = Ground::new().refusal(&["--listen", "127.0.0.1:0=tsuk"]);
    assert_names(&line, &["flag --listen", "127.0.0.1:0=tsuk", "sge, nexus, gator, aegisx, tusk, echo"]);
}

#[test]
fn one_address_cannot_be_listened_on_twice() {
    let twice = ["--listen", "127.0.0.1:9=tusk", "--listen", "127.0.0.1:9=echo"];
    assert_names(&Ground::new().refusal(&twice), &["127.0.0.1:9", "twice"]);
    Ground::new().config(&["--listen", "127.0.0.1:0=tusk", "--listen", "127.0.0.1:0=tusk"]);
    assert_names(&Ground::new().refusal(&["--listen", ","]), &["at least one"]);
}

#[test]
fn a_public_listener_needs_a_secret_or_an_open_hand() {
    let public = ["--listen", "0.0.0.0:0=tusk"];
    let with = |more: &[&'static str]| [&public[..], more].concat();
    assert_names(&Ground::new().refusal(&public), &["server.listen", "--jwt-secret", "--auth open"]);
    Ground::new().refusal(&with(&["--auth", "required"]));
    let ground = Ground::new();
    assert_eq!(ground.config(&with(&["--jwt-secret", SECRET])).auth_mode(), AuthMode::Required);
    let opened = ground.config(&with(&["--auth", "open"]));
    assert_eq!(opened.auth_mode(), AuthMode::Open);
    assert!(opened.warnings().iter().any(|warning| warning.contains("auth.mode")));
    let ground = ground.file("c.toml", "[auth]\nmode = \"open\"\n");
    assert_eq!(ground.config(&with(&["--config", "c.toml"])).auth_mode(), AuthMode::Open);
    assert_eq!(ground.config(&["--auth", "required"]).auth_mode(), AuthMode::Required);
    assert_eq!(ground.config(&["--listen", "[::1]:0"]).auth_mode(), AuthMode::Open);
}

// ---- Sections, tables, rules -------------------------------------------------------------------

#[test]
fn tables_are_read() {
    let config = Config::from_toml(
        "[tusk]\nstatic_tokens = { \"test-token\" = { id = \"1\", username = \"test\", roles = [\"a\"] } }\n\
         [aegisx.tenants]\nt1 = \"active\"\nt2 = \"inactive\"\n\
         [server]\ntrusted_proxies = [\"127.0.0.0/8\", \"::1\"]\n\
         [[access]]\ndialect = \"nexus\"\nchannel = \"room:staff-*\"\nwho = [\"role:staff\", \"user:u1\"]\n\
         allow = [\"subscribe\", \"publish\"]\nelse = [\"subscribe\"]\n[[access]]\nchannel = \"channel:public:news\"\nallow = []\n",
    )
    .unwrap();
    let (token, user) = config.tusk.static_tokens.iter().next().unwrap();
    assert_eq!((token, user.id.as_str(), user.username.as_deref()), ("test-token", "1", Some("test")));
    let tenants = config.aegisx.tenants.as_ref().unwrap();
    assert_eq!((tenants.status("t2"), tenants.status("t3")), (Some(TenantStatus::Inactive), None));
    assert_eq!(config.server.trusted_proxies[1].to_string(), "::1/128");
    assert_eq!((config.access.0.len(), config.access.0[0].allow.len()), (2, 2));
    assert_eq!(config.unserved(), [""; 0], "all dialects are served");
}

#[test]
fn a_bad_access_rule_is_named_by_its_number() {
    let long = format!("channel = \"room:*{}\"\nallow = []", "x".repeat(128));
    let cases = [
        ("channel = \"room:x\"", &["missing key allow"][..]),
        ("allow = []", &["missing key channel"]),
        ("channel = 5\nallow = []", &["channel = 5"]),
        (
            "channel = \"attic:x\"\nallow = []",
            &["channel = \"attic:x\"", "KIND:ID", "conversation, document"],
        ),
        ("channel = \"user:x\"\nallow = []", &["channel = \"user:x\"", "KIND:ID"]),
        ("channel = \"room:\"\nallow = []", &["channel = \"room:\""]),
        ("channel = \"room\"\nallow = []", &["channel = \"room\""]),
        ("channel = \"\"\nallow = []", &["channel = \"\""]),
        (&long, &["channel = \"room:*xx", "more than 127 characters"]),
        ("channel = \"room:x\"\nallow = [\"shout\"]", &["\"shout\" in allow"]),
        ("channel = \"room:x\"\nallow = [\"\"]", &["\"\" in allow"]),
        ("channel = \"room:x\"\nallow = \"publish\"", &["allow = \"publish\" is no list"]),
        ("channel = \"room:x\"\nallow = []\nelse = [1]", &["1 in else"]),
        (
            "channel = \"room:x\"\nallow = []\nwho = [\"staff\"]",
            &["\"staff\" in who", "role:NAME or user:ID"],
        ),
        ("channel = \"room:x\"\nallow = []\nwho = [\"role:\"]", &["\"role:\" in who"]),
        ("channel = \"room:x\"\nallow = []\nwho = [\"group:x\"]", &["\"group:x\" in who"]),
        ("channel = \"room:x\"\nallow = []\ndialect = \"echo\"", &["dialect = \"echo\"", "sge, nexus"]),
        ("channel = \"room:x\"\nallow = []\notherwise = []", &["\"otherwise\"", "allow, else"]),
    ];
    for (rule, words) in cases {
        let line = refused(&format!("[[access]]\nchannel = \"*\"\nallow = []\n[[access]]\n{rule}\n"));
        assert_names(&line, &["access", "rule 2", "subscribe, publish, manage"]);
        assert_names(&line, words);
    }
}

#[test]
fn what_this_build_does_not_serve_is_named() {
    let ground = Ground::new()
        .file("c.toml", "[gator]\nmax_messages = 7\n")
        .env("WS_MAX_CONNECTIONS", "5")
        .env("REDIS_URL", "redis://localhost");
    assert_eq!(ground.config(&["--config", "c.toml"]).unserved(), ["REDIS_URL"]);
}

#[test]
fn doubtful_settings_are_warned_of() {
    let warned = |ground: &Ground, flags: &[&str], word| {
        assert!(ground.config(flags).warnings().iter().any(|warning| warning.contains(word)), "{word}");
    };
    let ground = Ground::new().file("c.toml", "[tusk]\nidle_timeout = 30\n");
    warned(&ground, &["--jwt-secret", &"s".repeat(31)], "auth.jwt_secret");
    warned(&ground, &["--auth", "required"], "nobody can get in");
    warned(&ground, &["--config", "c.toml"], "tusk.idle_timeout");
    assert!(ground.config(&["--jwt-secret", &"s".repeat(32)]).warnings().is_empty());
}

// ---- Secrets -----------------------------------------------------------------------------------

#[test]
fn no_output_shows_a_secret() {
    // `run` itself asserts that SECRET is in no output.
    let tokens = format!("[tusk.static_tokens.\"{SECRET}\"]\nid = \"1\"\n");
    let ground =
        Ground::new().file("c.toml", &tokens).env("SECRET_KEY", SECRET).env("PERSONA_API_KEY", SECRET);
    let outcome = ground.run(&["check-config", "--config", "c.toml", "--listen", "127.0.0.1:0"]);
    assert_eq!(outcome.code, ExitCode::SUCCESS);
    assert_names(&outcome.out, &["jwt_secret = \"***\"  # environment variable SECRET_KEY", "***1"]);
    assert_names(&outcome.out, &["persona_api_key = \"***\"  # environment variable PERSONA_API_KEY"]);
    assert!(!format!("{:?}", ground.config(&["--config", "c.toml"])).contains(SECRET));
    for bad in ["id = 5", "id = \"\"", "name = \"x\"", "id = \"1\"\nroles = \"a\""] {
        assert_names(
            &refused(&tokens.replace("id = \"1\"", bad)),
            &["tusk.static_tokens (c.toml:1)", "entry 1"],
        );
    }
    assert_names(
        &refused(&format!("[auth]\njwt_secret = [\"{SECRET}\"]\n")),
        &["auth.jwt_secret (c.toml:2)"],
    );
    assert_names(
        &refused(&format!("[auth]\njwt_sekret = \"{SECRET}\"\n")),
        &["auth.jwt_sekret", "jwt_secret?"],
    );
    refused(&format!("[auth]\njwt_secret = \"{SECRET}\n"));
    refused(&format!("{tokens}{tokens}"));
    Ground::new().refusal(&[&format!("--jwt-sekret={SECRET}")]);
    Ground::new().refusal(&["--jwt-sekret", SECRET]);
    assert_names(&Ground::new().refusal(&["--jwt-secret", ""]), &["auth.jwt_secret (flag --jwt-secret)"]);
}

// ---- Commands ----------------------------------------------------------------------------------

#[test]
fn check_config_shows_every_value_with_its_source_and_can_be_read_again() {
    let ground = Ground::new()
        .file("c.toml", "[gator]\nmax_messages = 7\n[[access]]\nchannel = \"*\"\nallow = [\"subscribe\"]\n")
        .env("LOG_LEVEL", "debug");
    let flags = ["check-config", "--config", "c.toml", "--shards", "3", "--tcp-keepalive", "1.5"];
    let outcome = ground.run(&flags);
    assert_eq!(outcome.code, ExitCode::SUCCESS);
    assert_names(
        &outcome.out,
        &[
            "max_messages = 7  # c.toml:2",
            "log_level = \"debug\"  # environment variable LOG_LEVEL",
            "shards = 3  # flag --shards",
            "tcp_keepalive = 1.5  # flag --tcp-keepalive",
            "# jwt_secret is not set  # default",
            "mode = \"open\"  # default: every listener is on loopback",
        ],
    );
    let again = Ground::new().file("c.toml", &outcome.out).run(&["check-config", "--config", "c.toml"]).out;
    let values = |text: &str| text.parse::<toml::Table>().unwrap();
    assert_eq!(values(&again), values(&outcome.out));
}

#[test]
fn check_config_refuses_what_serve_refuses() {
    let ground = Ground::new().file("c.toml", "[gator]\nmax_massages = 7\n");
    assert_names(&ground.refusal(&["check-config", "--config", "c.toml"]), &["gator.max_massages"]);
    ground.refusal(&["check-config", "--listen", "0.0.0.0:0"]);
}

#[test]
fn config_doc_lists_every_key() {
    let doc = Ground::new().run(&["config-doc"]).out;
    for key in SECTIONS.iter().flat_map(|section| section.keys) {
        assert_names(&doc, &[&format!("| `{}` |", key.name), key.flag.unwrap_or_default()]);
    }
    assert_names(&doc, &["max_rooms_per_user", "WS_MAX_CONNECTIONS", "`--outbox-bytes`", "`3.5`"]);
}

#[test]
fn a_minted_token_carries_the_claims_and_is_accepted() {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    let ground = Ground::new()
        .env("SECRET_KEY", SECRET)
        .file("c.toml", "[auth]\naudience = \"lanecast\"\nissuer = \"me\"\n");
    let flags = [
        "token",
        "--user",
        "u1",
        "--tenant",
        "t",
        "--role",
        "a",
        "--role",
        "b",
        "--username",
        "U",
        "--permission",
        "p",
        "--expires",
        "60",
        "--config",
        "c.toml",
    ];
    let outcome = ground.run(&flags);
    let mut checks = Validation::new(Algorithm::HS256);
    checks.set_audience(&["lanecast"]);
    checks.set_issuer(&["me"]);
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let claims = decode::<serde_json::Value>(outcome.out.trim(), &key, &checks).unwrap().claims;
    for (claim, value) in [("sub", "u1"), ("tenant", "t"), ("username", "U")] {
        assert_eq!(claims[claim], value);
    }
    assert_eq!(
        (&claims["roles"], &claims["permissions"]),
        (&serde_json::json!(["a", "b"]), &serde_json::json!(["p"]))
    );
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
}

#[test]
fn no_token_without_a_secret_a_user_and_a_life() {
    let ground = Ground::new();
    assert_names(&ground.refusal(&["token", "--user", "u"]), &["--jwt-secret", "SECRET_KEY"]);
    assert_names(&ground.refusal(&["token", "--jwt-secret", SECRET]), &["--user"]);
    assert_names(&ground.refusal(&["token", "--jwt-secret", SECRET, "--user", ""]), &["--user"]);
    assert_names(&ground.refusal(&["token", "--user", "u", "--expires", "0"]), &["--expires"]);
}

#[test]
fn help_and_version_are_told_and_no_error() {
    let help = Ground::new().run(&["--help"]);
    assert_eq!(help.code, ExitCode::SUCCESS);
    assert_names(&help.out, &["check-config", "config-doc", "token", "--listen", "SECRET_KEY"]);
    assert_names(&Ground::new().run(&["--version"]).out, &["lanecast ", env!("CARGO_PKG_VERSION")]);
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let arguments = ["lanecast", "config-doc"].map(OsString::from);
    let surroundings = Surroundings { folder: PathBuf::from("/nonexistent"), ..Default::default() };
    let code = cli::run(arguments, &surroundings, |_| ExitCode::FAILURE, &mut Closed, &mut Vec::new());
    assert_eq!(code, ExitCode::SUCCESS);
}
