//! HTTP/1 on an accepted socket until it is upgraded or ends, with every phase bounded in time and size.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// Bodies are short and known when they are sent.
pub type Body = Full<Bytes>;

/// Bounds of the HTTP phase.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// From the first byte expected to the end of a request head; a slower client is cut off.
    pub header_timeout: Duration,
    /// Between two requests; zero: no limit.
    pub keep_alive: Duration,
    /// A larger head is answered with 431.
    pub max_header_bytes: usize,
}

/// What a handler answers.
#[derive(Debug)]
pub enum Answer<T> {
    Response(Response<Body>),
    /// 101, and what the handler wants to know again when the socket is handed over.
    Upgrade(Response<Body>, T),
}

/// An upgraded socket.
#[derive(Debug)]
pub struct Upgraded<T> {
    pub socket: TcpStream,
    /// Bytes that came behind the request.
    pub early: Bytes,
    pub ticket: T,
}

/// A short answer in plain text.
pub fn respond(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let plain = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// Serves requests until the socket is upgraded (`Some`) or has ended.
pub async fn serve<T, H, F>(socket: TcpStream, limits: HttpLimits, handle: H) -> Option<Upgraded<T>>
where
    H: Fn(Request<Incoming>) -> F + Unpin,
    F: Future<Output = Answer<T>>,
{
    let phase = Rc::new(Cell::new(Phase::Head(Instant::now())));
    let ticket = Rc::new(Cell::new(None));
    let half_head = Rc::new(Cell::new(false));
    let service = service_fn(|request: Request<Incoming>| {
        phase.set(Phase::Working);
        // Behind a body anything may follow; behind a head only the next one, and its time runs already.
        let next_began = half_head.get() && hyper::body::Body::is_end_stream(request.body());
        let (phase, ticket) = (phase.clone(), ticket.clone());
        let answer = handle(request);
        Box::pin(async move {
            let response = match answer.await {
                Answer::Response(response) => response,
                Answer::Upgrade(response, given) => {
                    ticket.set(Some(given));
                    response
                }
            };
            let now = Instant::now();
            phase.set(if next_began { Phase::Head(now) } else { Phase::Idle(now) });
            Ok::<_, Infallible>(response)
        })
    });
    let io = TokioIo::new(Watched { socket, phase: phase.clone(), half_head: half_head.clone() });
    let mut connection = http1::Builder::new()
        .max_buf_size(limits.max_header_bytes)
        .header_read_timeout(None)
        .serve_connection(io, service);
    until_done(&mut connection, &phase, &limits).await.ok()?;
    let parts = connection.into_parts();
    let ticket = ticket.take()?;
    Some(Upgraded { socket: parts.io.into_inner().socket, early: parts.read_buf, ticket })
}

/// Polls the connection to its end, or until a phase has taken too long.
async fn until_done<S>(
    connection: &mut http1::Connection<TokioIo<Watched>, S>,
    phase: &Cell<Phase>,
    limits: &HttpLimits,
) -> Result<(), Ended>
where
    S: hyper::service::HttpService<Incoming, ResBody = Body> + Unpin,
    S::Future: Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut timer = pin!(sleep_until(Instant::now() + limits.header_timeout));
    poll_fn(|cx| {
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            return Poll::Ready(result.map_err(|_| Ended));
        }
        match overdue(phase.get(), limits, timer.as_mut(), cx) {
            true => Poll::Ready(Err(Ended)),
            false => Poll::Pending,
        }
    })
    .await
}

/// The client went, or was too slow; there is nobody to tell.
#[derive(Debug)]
struct Ended;

/// Whether the phase's time is over; if not, the timer is set for when it will be.
fn overdue(phase: Phase, limits: &HttpLimits, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> bool {
    let (since, limit) = match phase {
        Phase::Working => return false,
        Phase::Idle(_) if limits.keep_alive.is_zero() => return false,
        Phase::Idle(since) => (since, limits.keep_alive),
        Phase::Head(since) => (since, limits.header_timeout),
    };
    if timer.deadline() != since + limit {
        timer.as_mut().reset(since + limit);
    }
    timer.poll(cx).is_ready()
}

/// What a connection is doing, for its deadlines.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// A head is awaited or arriving.
    Head(Instant),
    /// A handler runs; it has its own limits.
    Working,
    /// Between requests.
    Idle(Instant),
}

/// The socket, watched for the first byte of a head.
#[derive(Debug)]
struct Watched {
    socket: TcpStream,
    phase: Rc<Cell<Phase>>,
    /// What came last did not end with the end of a head.
    half_head: Rc<Cell<bool>>,
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.socket).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            this.half_head.set(!buffer.filled().ends_with(b"\r\n\r\n"));
            if let Phase::Idle(_) = this.phase.get() {
                this.phase.set(Phase::Head(Instant::now()));
            }
        }
        result
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
