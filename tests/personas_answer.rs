//! A persona's answer is a message to all of its conversation; when its endpoint fails the sender is told, and the
//! circuit to it opens, tries again, and closes.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::SeqCst};

use serde_json::{Value, json};
use support::{Gator, Speaker, TestServer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

/// A chat completion service that answers as it is told.
struct Stub {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicU32>,
    /// As long as it has no permit, no answer is given.
    leave: Arc<Semaphore>,
    bodies: mpsc::Receiver<(String, Value)>,
}

impl Stub {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU32::new(0)));
        let (told, bodies) = mpsc::channel(1024);
        let (shown, counted) = (status.clone(), asked.clone());
        let leave = Arc::new(Semaphore::new(1));
        let gate = leave.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, shown.clone(), counted.clone(), gate.clone(), told.clone()));
            }
        });
        Self { address, status, asked, leave, bodies }
    }

    fn settings(&self, shards: usize) -> String {
        format!(
            "[server]\nshards = {shards}\n[gator]\npersona_url = 'http://{}/v1'\npersona_failures = 2\n\
             persona_rest = 0.3\npersona_api_key = 'the-key'\n",
            self.address
        )
    }
}

async fn answer(
    stream: TcpStream,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicU32>,
    leave: Arc<Semaphore>,
    told: mpsc::Sender<(String, Value)>,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let from = head.len();
            match stream.read_line(&mut head).await {
                Ok(1..) => {}
                _ => return,
            }
            let line = head[from..].trim().to_ascii_lowercase();
            if let Some(n) = line.strip_prefix("content-length:") {
                length = n.trim().parse().expect("a length");
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("the body");
        asked.fetch_add(1, SeqCst);
        let _ = told.try_send((head, serde_json::from_slice(&body).expect("JSON")));
        let _leave = leave.acquire().await.expect("is never closed");
        let status = status.load(SeqCst);
        let message = json!({ "role": "assistant", "content": "I am the persona" });
        let body =
            json!({ "choices": [{ "index": 0, "finish_reason": "stop", "message": message }] }).to_string();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.expect("is sent");
    }
}

fn to_persona(text: &str) -> Value {
    json!({ "type": "send_message", "conversation_id": "conv", "content": text, "persona_id": "sage" })
}

fn by_persona() -> Value {
    json!({ "type": "new_message", "conversation_id": "conv",
        "message": { "sender_id": "sage", "content": "I am the persona", "is_ai": true } })
}

async fn pair(server: &TestServer) -> (Speaker, Speaker) {
    let mut ann = server.speaker(Gator, "ann").await;
    ann.join("conv").await;
    let mut bob = server.speaker(Gator, "bob").await;
    bob.join("conv").await;
    ann.expect(json!({ "type": "presence_update", "user_id": "bob" })).await;
    (ann, bob)
}

/// Asks until the circuit is in that state.
async fn circuit(server: &TestServer, state: &str) {
    let label = format!("state=\"{state}\"");
    support::soon(state, async {
        while server.sample("lanecast_persona_circuit_state", &label).await != 1.0 {}
    })
    .await;
}

#[tokio::test]
async fn a_persona_answers_all_members_after_what_it_was_asked() {
    let mut stub = Stub::start().await;
    let server = TestServer::start(&stub.settings(2));
    let (mut ann, mut bob) = pair(&server).await;
    ann.send(&to_persona("who are you?")).await;
    for member in [&mut ann, &mut bob] {
        member.next_is(Gator.said("ann", "conv", "who are you?")).await;
        let said = member.next_is(by_persona()).await;
        assert!(said["message"]["id"].is_string() && said["timestamp"].is_string(), "{said}");
    }
    let (head, body) = stub.bodies.recv().await.expect("it was asked");
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("authorization: bearer the-key"), "{head}");
    assert!(body.to_string().contains("who are you?"), "{body}");
    // Without a persona, and with one that is null, nobody is asked.
    ann.say("conv", "plain").await;
    let mut none = to_persona("null");
    none["persona_id"] = Value::Null;
    ann.send(&none).await;
    for member in [&mut ann, &mut bob] {
        member.next_is(Gator.said("ann", "conv", "plain")).await;
        member.next_is(Gator.said("ann", "conv", "null")).await;
        member.expect_nothing().await;
    }
    assert_eq!(stub.asked.load(SeqCst), 1);
}

#[tokio::test]
async fn without_an_endpoint_the_sender_is_told_and_the_conversation_goes_on() {
    let server = TestServer::start("");
    let (mut ann, mut bob) = pair(&server).await;
    ann.send(&to_persona("anybody?")).await;
    bob.next_is(Gator.said("ann", "conv", "anybody?")).await;
    // The error comes of its own shard and may be quicker than the echo.
    let told = [ann.expect(json!({})).await, ann.expect(json!({})).await];
    for wanted in [Gator.said("ann", "conv", "anybody?"), Gator.any_error()] {
        assert!(told.iter().any(|told| support::fits(&wanted, told)), "{told:?}");
    }
    ann.say("conv", "never mind").await;
    for member in [&mut ann, &mut bob] {
        member.next_is(Gator.said("ann", "conv", "never mind")).await;
        member.expect_nothing().await;
    }
    let states = server.metric("lanecast_persona_circuit_state").await;
    assert_eq!(states, 0.0, "there is no circuit");
}

/// Says something to the persona; whether it answers.
async fn ask(ann: &mut Speaker, bob: &mut Speaker, text: &str) -> bool {
    ann.send(&to_persona(text)).await;
    for member in [&mut *ann, &mut *bob] {
        member.next_is(Gator.said("ann", "conv", text)).await;
    }
    let answer = ann.expect(json!({})).await;
    let answered = support::fits(&by_persona(), &answer);
    assert!(answered || support::fits(&Gator.any_error(), &answer), "{answer}");
    if answered {
        bob.next_is(by_persona()).await;
    }
    bob.expect_nothing().await;
    answered
}

/// Speaks to the persona until its endpoint is asked, and leaves it without an answer.
async fn ask_until_tried(ann: &mut Speaker, stub: &mut Stub) -> tokio::sync::OwnedSemaphorePermit {
    let held = stub.leave.clone().acquire_owned().await.expect("is never closed");
    while stub.bodies.try_recv().is_ok() {}
    loop {
        ann.send(&to_persona("again")).await;
        ann.next_is(Gator.said("ann", "conv", "again")).await;
        tokio::select! {
            _ = ann.next_is(Gator.any_error()) => {}
            _ = stub.bodies.recv() => return held,
        }
    }
}

#[tokio::test]
async fn the_circuit_opens_tries_again_and_closes() {
    let mut stub = Stub::start().await;
    let server = TestServer::start(&(stub.settings(1) + "max_messages = 0\n"));
    let (mut ann, mut bob) = pair(&server).await;
    circuit(&server, "closed").await;
    assert!(ask(&mut ann, &mut bob, "well?").await);
    stub.status.store(500, SeqCst);
    assert!(!ask(&mut ann, &mut bob, "first failure").await);
    circuit(&server, "closed").await;
    assert!(!ask(&mut ann, &mut bob, "second failure").await);
    circuit(&server, "open").await;
    let asked = stub.asked.load(SeqCst);
    assert!(!ask(&mut ann, &mut bob, "not even asked").await);
    assert_eq!(stub.asked.load(SeqCst), asked, "an open circuit asks nobody");
    // The first try fails and it rests once more; the second does not.
    for (status, outcome, state) in [(500, Gator.any_error(), "open"), (200, by_persona(), "closed")] {
        stub.status.store(status, SeqCst);
        let asked = stub.asked.load(SeqCst);
        let held = ask_until_tried(&mut ann, &mut stub).await;
        circuit(&server, "half_open").await;
        // One is on trial; the others are refused.
        ann.send(&to_persona("meanwhile")).await;
        ann.next_is(Gator.said("ann", "conv", "meanwhile")).await;
        ann.next_is(Gator.any_error()).await;
        assert_eq!(stub.asked.load(SeqCst), asked + 1);
        drop(held);
        ann.next_is(outcome).await;
        circuit(&server, state).await;
    }
    bob.expect(by_persona()).await;
    assert!(ask(&mut ann, &mut bob, "indeed").await);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_an_error_to_the_sender_alone() {
    let unused = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let server = TestServer::start(&format!("[gator]\npersona_url = 'http://{unused}'"));
    let (mut ann, mut bob) = pair(&server).await;
    ann.send(&to_persona("hello?")).await;
    let told = ann.expect(Gator.any_error()).await;
    assert!(!told.to_string().contains(&unused.to_string()), "no address is shown: {told}");
    bob.next_is(Gator.said("ann", "conv", "hello?")).await;
    bob.expect_nothing().await;
    assert_eq!(server.metric("lanecast_persona_requests_total").await, 1.0);
}
