//! Personas against an endpoint on loopback.

use std::io;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, spawn_local, yield_now};
use tokio::time::{advance, pause, resume};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::config::limits::PERSONA_BODY_BYTES;
use crate::config::{Config, Gator};
use crate::persona::stub::{Act, Stub, chunked, completion, response, run, saying};
use crate::persona::trust;
use crate::telemetry::Registry;

const KEY: &str = "sk-never-to-be-seen";
const REST: Duration = Duration::from_secs(30);

type Told = Result<String, PersonaError>;

fn counters() -> Rc<Writer> {
    Rc::new(Registry::new(1).1.pop().expect("one shard"))
}

fn gator(url: &str, lines: &str) -> Gator {
    let text = format!("[gator]\npersona_url = \"{url}\"\npersona_api_key = \"{KEY}\"\n{lines}");
    Config::from_toml(&text).expect("a configuration").gator
}

/// Personas of the endpoint with these lines of `[gator]`, and what they count.
fn personas(url: &str, lines: &str) -> (Personas, Rc<Writer>) {
    let tls = trust::of_nobody().expect("TLS");
    let rules = PersonaRules::trusting(tls, &gator(url, lines)).expect("rules");
    let counters = counters();
    (Personas::new(&rules, counters.clone()), counters)
}

async fn ask(personas: &Personas) -> Told {
    personas.ask("p1", "ann", "Who are you?").await
}

fn spawn_ask(personas: &Personas) -> JoinHandle<Told> {
    let personas = personas.clone();
    spawn_local(async move { ask(&personas).await })
}

fn count(counters: &Writer, outcome: PersonaOutcome) -> u64 {
    counters.persona_requests.of(outcome).get()
}

/// The one state that the gauge shows.
fn circuit(counters: &Writer) -> CircuitState {
    let shown: Vec<_> =
        CircuitState::ALL.iter().filter(|state| counters.persona_circuit.of(**state).get() == 1).collect();
    assert_eq!(shown.len(), 1, "{shown:?}");
    *shown[0]
}

async fn pass_time(time: Duration) {
    pause();
    advance(time).await;
    resume();
}

// ---- The exchange ------------------------------------------------------------------------------

#[test]
fn the_question_is_posted_and_the_answer_comes_back() {
    run(async {
        let stub = Stub::new(Act::Say(saying("Nice to meet you \u{1F40A}"))).await;
        let (personas, counters) = personas(&stub.url, "");
        assert_eq!(ask(&personas).await, Ok("Nice to meet you \u{1F40A}".into()));
        let seen = &stub.seen()[0];
        assert!(seen.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", seen.head);
        let host = format!("host: {}\r\n", &stub.url["http://".len()..stub.url.len() - "/v1".len()]);
        let key = format!("authorization: Bearer {KEY}\r\n");
        for line in ["content-type: application/json\r\n", "accept: application/json\r\n", &key, &host] {
            assert_eq!(seen.head.matches(line).count(), 1, "{line} in {}", seen.head);
        }
        let body: Value = seen.body.parse().expect("JSON");
        assert_eq!(
            (&body["model"], &body["user"], &body["stream"]),
            (&"p1".into(), &"ann".into(), &false.into())
        );
        assert_eq!(body["messages"][0]["content"], "Who are you?");
        assert_eq!(count(&counters, PersonaOutcome::Answered), 1);
        assert_eq!(circuit(&counters), CircuitState::Closed);
    });
}

#[test]
fn without_a_key_nothing_is_shown() {
    run(async {
        let stub = Stub::new(Act::Say(saying("Hi"))).await;
        let url = format!("[gator]\npersona_url = \"{}\"", stub.url);
        let rules = PersonaRules::new(&Config::from_toml(&url).expect("a configuration")).expect("rules");
        assert!(ask(&Personas::new(&rules, counters())).await.is_ok());
        assert!(!stub.seen()[0].head.contains("authorization"));
    });
}

#[test]
fn without_an_endpoint_there_is_an_error_and_no_count() {
    run(async {
        let rules = PersonaRules::new(&Config::default()).expect("rules");
        let counters = counters();
        let personas = Personas::new(&rules, counters.clone());
        assert_eq!(ask(&personas).await, Err(PersonaError::NotConfigured));
        assert!(counters.persona_requests.cells().iter().all(|cell| cell.get() == 0));
        assert!(counters.persona_circuit.cells().iter().all(|cell| cell.get() == 0));
    });
}

#[test]
fn the_errors_tell_the_sender_nothing_of_the_endpoint() {
    let texts = [
        (PersonaError::NotConfigured, "No persona endpoint is configured"),
        (PersonaError::Busy, "Too many messages wait for an answer, try again later"),
        (PersonaError::TimedOut, "The persona did not answer in time"),
        (PersonaError::Unavailable, "The persona is not available at the moment"),
        (PersonaError::Failed, "The persona could not answer"),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn an_answer_may_come_in_chunks_of_any_size() {
    run(async {
        let stub = Stub::new(Act::Say(Vec::new())).await;
        let (personas, _) = personas(&stub.url, "");
        let body = completion("h\u{e9}llo");
        for bytes in 1..=body.len() {
            stub.act(Act::Say(chunked(&body, bytes)));
            assert_eq!(ask(&personas).await, Ok("h\u{e9}llo".into()), "in chunks of {bytes}");
        }
        let until_close = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
        stub.act(Act::Close(until_close.into_bytes()));
        assert_eq!(ask(&personas).await, Ok("h\u{e9}llo".into()), "until the connection ends");
    });
}

#[test]
fn a_connection_is_kept_and_another_made_when_it_is_gone() {
    run(async {
        let stub = Stub::new(Act::Say(saying("Hi"))).await;
        let (personas, _) = personas(&stub.url, "");
        assert!(ask(&personas).await.is_ok() && ask(&personas).await.is_ok());
        assert_eq!(stub.connections(), 1);
        stub.act(Act::Close(saying("Hi")));
        assert!(ask(&personas).await.is_ok());
        stub.until(|stub| stub.gone() == 1).await;
        assert!(ask(&personas).await.is_ok());
        assert_eq!(stub.connections(), 2);
    });
}

#[test]
fn what_is_no_answer_is_a_failure_of_the_endpoint() {
    let failing: Vec<(&str, Vec<u8>)> = vec![
        ("an error", response(500, &completion("no"))),
        ("too many requests", response(429, "")),
        ("a wrong key", response(401, "")),
        ("no content", b"HTTP/1.1 204 X\r\n\r\n".to_vec()),
        ("no HTTP", b"hello\r\n\r\n".to_vec()),
        ("no JSON", response(200, "<html>")),
        ("no body", response(200, "")),
        ("no choice", response(200, r#"{"choices":[]}"#)),
        ("no text", response(200, r#"{"choices":[{"message":{"content":null}}]}"#)),
        ("no bytes", Vec::new()),
        ("a bad chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec()),
        ("a huge head", [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'x'; 100_000]].concat()),
        ("a huge claim", b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{".to_vec()),
    ];
    run(async {
        for (what, bytes) in failing {
            let stub = Stub::new(Act::Close(bytes)).await;
            let (personas, counters) = personas(&stub.url, "persona_failures = 2");
            assert_eq!(ask(&personas).await, Err(PersonaError::Failed), "{what}");
            assert_eq!(circuit(&counters), CircuitState::Closed, "{what}");
            assert_eq!(ask(&personas).await, Err(PersonaError::Failed), "{what}");
            assert_eq!(circuit(&counters), CircuitState::Open, "{what}");
            assert_eq!(count(&counters, PersonaOutcome::Failed), 2, "{what}");
        }
    });
}

#[test]
fn an_answer_cut_anywhere_is_a_failure() {
    run(async {
        let stub = Stub::new(Act::Close(Vec::new())).await;
        let (personas, counters) = personas(&stub.url, "persona_failures = 1000");
        for whole in [saying("Hi"), chunked(&completion("Hi"), 7)] {
            for end in 0..whole.len() {
                stub.act(Act::Close(whole[..end].to_vec()));
                assert_eq!(ask(&personas).await, Err(PersonaError::Failed), "cut at {end}");
            }
            stub.act(Act::Close(whole));
            assert_eq!(ask(&personas).await, Ok("Hi".into()));
        }
        assert_eq!(count(&counters, PersonaOutcome::Answered), 2);
    });
}

#[test]
fn nobody_at_the_address_is_a_failure() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        drop(listener);
        let (personas, counters) = personas(&url, "persona_failures = 1");
        assert_eq!(ask(&personas).await, Err(PersonaError::Failed));
        assert_eq!(circuit(&counters), CircuitState::Open);
    });
}

#[test]
fn a_redirect_is_not_followed_with_the_key() {
    run(async {
        let other = Stub::new(Act::Say(saying("Give me your key"))).await;
        let away = format!("HTTP/1.1 307 X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", other.url);
        let stub = Stub::new(Act::Say(away.into_bytes())).await;
        let (personas, _) = personas(&stub.url, "");
        assert_eq!(ask(&personas).await, Err(PersonaError::Failed));
        assert_eq!(other.connections(), 0);
    });
}

#[test]
fn a_body_has_at_most_so_many_bytes() {
    let padded = |bytes: usize| {
        let body = completion("Hi");
        " ".repeat(bytes - body.len()) + &body
    };
    let (fits, too_long) = (padded(PERSONA_BODY_BYTES), padded(PERSONA_BODY_BYTES + 1));
    run(async {
        let stub = Stub::new(Act::Say(Vec::new())).await;
        let (personas, _) = personas(&stub.url, "");
        for (said, want) in [
            (response(200, &fits), Ok("Hi".into())),
            (response(200, &too_long), Err(PersonaError::Failed)),
            (chunked(&fits, 60_000), Ok("Hi".into())),
            (chunked(&too_long, 60_000), Err(PersonaError::Failed)),
        ] {
            stub.act(Act::Say(said));
            assert_eq!(ask(&personas).await, want);
        }
        let before = stub.gone();
        stub.act(Act::Flood(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()));
        assert_eq!(ask(&personas).await, Err(PersonaError::Failed), "a body without end");
        stub.until(|stub| stub.gone() > before).await;
    });
}

#[test]
fn what_a_sender_can_provoke_does_not_open_the_circuit() {
    let provoked = [
        response(404, r#"{"error":"no such model"}"#),
        response(400, ""),
        response(413, ""),
        saying(&"x".repeat(5001)),
        saying(" "),
    ];
    run(async {
        for said in provoked {
            let stub = Stub::new(Act::Say(said)).await;
            let (personas, counters) = personas(&stub.url, "persona_failures = 1");
            for _ in 0..3 {
                assert_eq!(ask(&personas).await, Err(PersonaError::Failed));
            }
            assert_eq!(circuit(&counters), CircuitState::Closed);
            assert_eq!(count(&counters, PersonaOutcome::Failed), 3);
        }
    });
}

// ---- Time --------------------------------------------------------------------------------------

#[test]
fn an_endpoint_that_hangs_anywhere_is_left_when_its_time_is_over() {
    let whole = saying("Hi");
    run(async {
        for sent in [0, 10, whole.len() - 1] {
            let stub = Stub::new(Act::Hang(whole[..sent].to_vec())).await;
            let (personas, counters) = personas(&stub.url, "persona_timeout = 7\npersona_failures = 1");
            let asked = spawn_ask(&personas);
            stub.until(|stub| stub.seen().len() == 1).await;
            // From here on only time happens, and a paused clock runs ahead.
            pause();
            let began = Instant::now();
            assert_eq!(asked.await.expect("no panic"), Err(PersonaError::TimedOut));
            let took = began.elapsed();
            resume();
            assert!(took > Duration::from_secs(6) && took < Duration::from_secs(8), "{took:?}");
            stub.until(|stub| stub.gone() == 1).await;
            assert_eq!(count(&counters, PersonaOutcome::TimedOut), 1);
            assert_eq!(circuit(&counters), CircuitState::Open);
        }
    });
}

#[test]
fn a_wait_for_a_turn_ends_too_and_speaks_against_nobody() {
    run(async {
        let stub = Stub::new(Act::Hang(Vec::new())).await;
        let lines = "persona_concurrency = 1\npersona_timeout = 30\npersona_failures = 3";
        let (personas, counters) = personas(&stub.url, lines);
        let first = spawn_ask(&personas);
        stub.until(|stub| stub.seen().len() == 1).await;
        let mut waiting = Vec::new();
        for _ in 0..2 {
            pass_time(Duration::from_secs(5)).await;
            waiting.push(spawn_ask(&personas));
            yield_now().await;
        }
        pause();
        assert_eq!(first.await.expect("no panic"), Err(PersonaError::TimedOut));
        resume();
        stub.until(|stub| stub.seen().len() == 2).await;
        pause();
        let third = waiting.pop().expect("a third").await;
        assert_eq!(third.expect("no panic"), Err(PersonaError::TimedOut));
        let second = waiting.pop().expect("a second").await;
        assert_eq!(second.expect("no panic"), Err(PersonaError::TimedOut));
        resume();
        assert_eq!(stub.seen().len(), 2, "the third was never asked");
        assert_eq!(count(&counters, PersonaOutcome::TimedOut), 3);
        assert_eq!(circuit(&counters), CircuitState::Closed);
        stub.act(Act::Say(response(500, "")));
        assert_eq!(ask(&personas).await, Err(PersonaError::Failed));
        assert_eq!(circuit(&counters), CircuitState::Open, "two that hung and this one");
    });
}

// ---- Turns -------------------------------------------------------------------------------------

#[test]
fn so_many_ask_so_many_wait_and_the_next_is_refused() {
    run(async {
        let stub = Stub::new(Act::Hold(saying("Hi"))).await;
        let (personas, counters) = personas(&stub.url, "persona_concurrency = 2\npersona_queue = 1");
        let asked: Vec<_> = (0..3).map(|_| spawn_ask(&personas)).collect();
        stub.until(|stub| stub.seen().len() == 2).await;
        assert_eq!(ask(&personas).await, Err(PersonaError::Busy));
        assert_eq!(stub.seen().len(), 2);
        stub.release(1);
        stub.until(|stub| stub.seen().len() == 3).await;
        stub.release(2);
        for asked in asked {
            assert_eq!(asked.await.expect("no panic"), Ok("Hi".into()));
        }
        assert_eq!(count(&counters, PersonaOutcome::Answered), 3);
        assert_eq!(count(&counters, PersonaOutcome::RefusedBusy), 1);
        assert_eq!(circuit(&counters), CircuitState::Closed);
    });
}

#[test]
fn who_waits_when_the_circuit_opens_is_refused_at_its_turn() {
    run(async {
        let stub = Stub::new(Act::Hold(response(503, ""))).await;
        let (personas, counters) = personas(&stub.url, "persona_concurrency = 1\npersona_failures = 1");
        let asked = [spawn_ask(&personas), spawn_ask(&personas)];
        stub.until(|stub| stub.seen().len() == 1).await;
        stub.release(1);
        let [first, second] = asked;
        assert_eq!(first.await.expect("no panic"), Err(PersonaError::Failed));
        assert_eq!(second.await.expect("no panic"), Err(PersonaError::Unavailable));
        assert_eq!((stub.seen().len(), count(&counters, PersonaOutcome::RefusedOpen)), (1, 1));
    });
}

#[test]
fn who_gives_up_makes_way_and_leaves_no_connection() {
    run(async {
        let stub = Stub::new(Act::Hang(Vec::new())).await;
        let (personas, counters) = personas(&stub.url, "persona_concurrency = 1\npersona_failures = 1");
        let asked = spawn_ask(&personas);
        stub.until(|stub| stub.seen().len() == 1).await;
        asked.abort();
        stub.until(|stub| stub.gone() == 1).await;
        stub.act(Act::Say(saying("Hi")));
        assert_eq!(ask(&personas).await, Ok("Hi".into()));
        assert_eq!(circuit(&counters), CircuitState::Closed);
        assert_eq!(counters.persona_requests.cells().iter().map(|cell| cell.get()).sum::<u64>(), 1);
    });
}

// ---- The circuit -------------------------------------------------------------------------------

/// Personas whose circuit has just opened, after the five failures of the default.
async fn opened(stub: &Stub) -> (Personas, Rc<Writer>) {
    stub.act(Act::Say(response(500, "")));
    let (personas, counters) = personas(&stub.url, "persona_rest = 30");
    for _ in 0..5 {
        assert_eq!(circuit(&counters), CircuitState::Closed);
        assert_eq!(ask(&personas).await, Err(PersonaError::Failed));
    }
    assert_eq!(circuit(&counters), CircuitState::Open);
    (personas, counters)
}

#[test]
fn the_circuit_opens_fails_fast_tries_once_and_closes() {
    run(async {
        let stub = Stub::new(Act::Say(Vec::new())).await;
        let (personas, counters) = opened(&stub).await;
        let (connections, requests) = (stub.connections(), stub.seen().len());
        stub.act(Act::Hold(saying("Back again")));
        for _ in 0..100 {
            assert_eq!(ask(&personas).await, Err(PersonaError::Unavailable));
        }
        assert_eq!((stub.connections(), stub.seen().len()), (connections, requests), "nobody was asked");
        assert_eq!(count(&counters, PersonaOutcome::RefusedOpen), 100);

        pass_time(REST).await;
        let trial = spawn_ask(&personas);
        stub.until(|stub| stub.seen().len() == requests + 1).await;
        assert_eq!(circuit(&counters), CircuitState::HalfOpen);
        assert_eq!(ask(&personas).await, Err(PersonaError::Unavailable), "one at a time");
        stub.release(1);
        assert_eq!(trial.await.expect("no panic"), Ok("Back again".into()));
        assert_eq!(circuit(&counters), CircuitState::Closed);
        stub.release(1);
        assert_eq!(ask(&personas).await, Ok("Back again".into()));
        assert_eq!(stub.seen().len(), requests + 2);
    });
}

#[test]
fn a_failed_trial_is_another_rest() {
    run(async {
        let stub = Stub::new(Act::Say(Vec::new())).await;
        let (personas, counters) = opened(&stub).await;
        let requests = stub.seen().len();
        pass_time(REST).await;
        assert_eq!(ask(&personas).await, Err(PersonaError::Failed));
        assert_eq!(circuit(&counters), CircuitState::Open);
        assert_eq!(ask(&personas).await, Err(PersonaError::Unavailable));
        assert_eq!(stub.seen().len(), requests + 1);
        pass_time(REST).await;
        stub.act(Act::Say(saying("Hi")));
        assert_eq!(ask(&personas).await, Ok("Hi".into()));
        assert_eq!(circuit(&counters), CircuitState::Closed);
    });
}

#[test]
fn a_trial_given_up_leaves_the_next_one_to_try() {
    run(async {
        let stub = Stub::new(Act::Say(Vec::new())).await;
        let (personas, counters) = opened(&stub).await;
        let requests = stub.seen().len();
        pass_time(REST).await;
        stub.act(Act::Hang(Vec::new()));
        let trial = spawn_ask(&personas);
        stub.until(|stub| stub.seen().len() == requests + 1).await;
        assert_eq!(circuit(&counters), CircuitState::HalfOpen);
        trial.abort();
        assert!(trial.await.expect_err("aborted").is_cancelled());
        assert_eq!(circuit(&counters), CircuitState::Open);
        stub.act(Act::Say(saying("Hi")));
        assert_eq!(ask(&personas).await, Ok("Hi".into()));
        assert_eq!(circuit(&counters), CircuitState::Closed);
    });
}

// ---- TLS ---------------------------------------------------------------------------------------

const CA: &[u8] = include_bytes!("../../tests/fixtures/tls/ca.cert.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../tests/fixtures/tls/localhost.cert.pem");
const CERTIFICATE_KEY: &[u8] = include_bytes!("../../tests/fixtures/tls/localhost.key.pem");

fn acceptor() -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(CERTIFICATE_KEY).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a key that fits");
    Arc::new(config).into()
}

#[test]
fn an_https_endpoint_is_asked_over_tls_if_its_certificate_is_trusted() {
    run(async {
        let stub = Stub::over_tls(Act::Say(saying("Hi")), acceptor()).await;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(CA).expect("a certificate")).expect("an authority");
        let trusting = trust::of(roots).expect("TLS");
        let rules = PersonaRules::trusting(trusting, &gator(&stub.url, "")).expect("rules");
        assert_eq!(ask(&Personas::new(&rules, counters())).await, Ok("Hi".into()));
        let elsewhere = stub.url.replace("127.0.0.1", "127.0.0.2");
        for (url, tls) in [
            (&stub.url, trust::of_nobody().expect("TLS")),
            // The authority is trusted, but the certificate is that of another address.
            (&elsewhere, rules.endpoint.as_ref().expect("an endpoint").tls.clone()),
        ] {
            let rules = PersonaRules::trusting(tls, &gator(url, "")).expect("rules");
            assert_eq!(ask(&Personas::new(&rules, counters())).await, Err(PersonaError::Failed));
        }
        stub.until(|stub| stub.gone() == 2).await;
        assert_eq!((stub.connections(), stub.seen().len()), (3, 1), "nothing was said to a stranger");
    });
}

// ---- The log -----------------------------------------------------------------------------------

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_log_tells_why_and_neither_key_nor_words() {
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(lines, || {
        run(async {
            let stub = Stub::new(Act::Say(response(500, "words of the endpoint"))).await;
            let (personas, _) = personas(&stub.url, "persona_failures = 1");
            let told = personas.ask("name of the persona", "ann", "words of the sender").await;
            assert_eq!(told, Err(PersonaError::Failed));
            pass_time(REST).await;
            stub.act(Act::Say(saying("words of the persona")));
            assert!(personas.ask("name of the persona", "ann", "words of the sender").await.is_ok());
            assert!(!format!("{personas:?}").contains(KEY));
        });
    });
    let text = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("UTF-8");
    for said in [" WARN ", "is left alone", "answers with status 500", "tried again", "answers again"] {
        assert!(text.contains(said), "{said:?} is not in {text}");
    }
    for unsaid in [KEY, "words of", "name of", "ann"] {
        assert!(!text.contains(unsaid), "{unsaid:?} is in {text}");
    }
}
