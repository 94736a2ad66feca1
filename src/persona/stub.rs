//! An endpoint on loopback for tests, on the test's own thread, which does as it is told.

use std::cell::{Cell, RefCell};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;
use std::{process, thread};

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsAcceptor;

/// More than any test takes on a busy machine.
const TEST_TIME: Duration = Duration::from_secs(60);

/// What the endpoint does with a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends these bytes, and awaits the next request.
    Say(Vec<u8>),
    /// Sends these bytes, and closes the connection.
    Close(Vec<u8>),
    /// Sends these bytes, and then nothing until the client goes.
    Hang(Vec<u8>),
    /// Sends these bytes when the test lets it.
    Hold(Vec<u8>),
    /// Sends these bytes, and then blanks in chunks for as long as anybody reads.
    Flood(Vec<u8>),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: String,
    pub body: String,
}

/// The endpoint, for the test.
#[derive(Debug)]
pub struct Stub {
    /// Its base URL.
    pub url: String,
    state: Rc<State>,
}

#[derive(Debug)]
struct State {
    act: RefCell<Act>,
    seen: RefCell<Vec<Seen>>,
    connections: Cell<usize>,
    gone: Cell<usize>,
    changed: Notify,
    released: Semaphore,
}

/// Runs a test as a shard runs: on a current-thread runtime, with tasks that stay on their thread. What waits for
/// something that never comes to be ends the process, since the runtime's own clock is moved by tests.
pub fn run(test: impl Future<Output = ()>) {
    let (_done, watched) = mpsc::sync_channel::<()>(0);
    thread::spawn(move || {
        if watched.recv_timeout(TEST_TIME) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("a test of personas waits for ever");
            process::abort();
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(LocalSet::new().run_until(test));
}

impl Stub {
    /// An endpoint that answers every request so.
    pub async fn new(act: Act) -> Self {
        Self::listen(act, None).await
    }

    /// The same over TLS, at every address of loopback.
    pub async fn over_tls(act: Act, tls: TlsAcceptor) -> Self {
        Self::listen(act, Some(tls)).await
    }

    async fn listen(act: Act, tls: Option<TlsAcceptor>) -> Self {
        let (scheme, address) = match tls {
            None => ("http", Ipv4Addr::LOCALHOST),
            Some(_) => ("https", Ipv4Addr::UNSPECIFIED),
        };
        let listener = TcpListener::bind((address, 0)).await.expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let url = format!("{scheme}://127.0.0.1:{port}/v1");
        let state = Rc::new(State {
            act: RefCell::new(act),
            seen: RefCell::default(),
            connections: Cell::new(0),
            gone: Cell::new(0),
            changed: Notify::new(),
            released: Semaphore::new(0),
        });
        spawn_local(accept(listener, tls, state.clone()));
        Stub { url, state }
    }

    /// From now on it does so.
    pub fn act(&self, act: Act) {
        *self.state.act.borrow_mut() = act;
    }

    /// Lets so many held answers go.
    pub fn release(&self, answers: usize) {
        self.state.released.add_permits(answers);
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.borrow().clone()
    }

    /// The connections so far.
    pub fn connections(&self) -> usize {
        self.state.connections.get()
    }

    /// The connections that have ended.
    pub fn gone(&self) -> usize {
        self.state.gone.get()
    }

    /// Waits for something to be so.
    pub async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            self.state.changed.notified().await;
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Rc<State>) {
    while let Ok((socket, _)) = listener.accept().await {
        state.connections.set(state.connections.get() + 1);
        let (tls, state) = (tls.clone(), state.clone());
        spawn_local(async move {
            match tls {
                None => serve(socket, &state).await,
                Some(tls) => match tls.accept(socket).await {
                    Ok(socket) => serve(socket, &state).await,
                    Err(_) => None,
                },
            };
            state.gone.set(state.gone.get() + 1);
            state.changed.notify_one();
        });
    }
}

/// Serves a connection to its end; `None` when it ended before its time.
async fn serve(mut socket: impl AsyncRead + AsyncWrite + Unpin, state: &State) -> Option<()> {
    loop {
        let seen = read(&mut socket).await?;
        state.seen.borrow_mut().push(seen);
        state.changed.notify_one();
        let act = state.act.borrow().clone();
        match act {
            Act::Say(bytes) => socket.write_all(&bytes).await.ok()?,
            Act::Close(bytes) => {
                socket.write_all(&bytes).await.ok()?;
                return socket.shutdown().await.ok();
            }
            Act::Hang(bytes) => {
                socket.write_all(&bytes).await.ok()?;
                while socket.read(&mut [0; 64]).await.ok()? > 0 {}
                return Some(());
            }
            Act::Hold(bytes) => {
                state.released.acquire().await.ok()?.forget();
                socket.write_all(&bytes).await.ok()?;
            }
            Act::Flood(bytes) => {
                socket.write_all(&bytes).await.ok()?;
                let chunk = [b"1000\r\n".as_slice(), &[b' '; 0x1000], b"\r\n"].concat();
                while socket.write_all(&chunk).await.is_ok() {}
                return Some(());
            }
        }
    }
}

/// The next request; `None` when the client goes.
async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.parse().ok()?];
    socket.read_exact(&mut body).await.ok()?;
    Some(Seen { head, body: String::from_utf8(body).ok()? })
}

/// A response with this status and body.
pub fn response(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A response with this body in chunks of so many bytes.
pub fn chunked(body: &str, bytes: usize) -> Vec<u8> {
    let mut response = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.as_bytes().chunks(bytes) {
        response.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        response.extend(chunk);
        response.extend(b"\r\n");
    }
    response.extend(b"0\r\n\r\n");
    response
}

/// A chat completion that says this.
pub fn completion(text: &str) -> String {
    json!({"id": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]})
        .to_string()
}

/// A response that says this.
pub fn saying(text: &str) -> Vec<u8> {
    response(200, &completion(text))
}
