//! Pages of other origins may not connect unless they are listed; what comes from no page passes.

mod support;

use support::{Raw, TestServer};

async fn status(server: &TestServer, headers: &str) -> u16 {
    Raw::connect(server.address).await.ask(headers).await.status
}

#[tokio::test]
async fn by_default_the_documents_origin_and_the_own_host_pass() {
    let server = TestServer::start("");
    let own = format!("Origin: http://{}\r\n", server.address);
    for (headers, wanted) in [
        ("", 101),
        (&own[..], 101),
        ("Origin: https://yourdomain.com\r\n", 101),
        ("Origin: https://evil.example\r\n", 403),
        ("Origin: https://yourdomain.com.evil.example\r\n", 403),
        ("Origin: null\r\n", 403),
    ] {
        assert_eq!(status(&server, headers).await, wanted, "{headers}");
    }
}

#[tokio::test]
async fn origins_may_be_listed_opened_or_left_unchecked() {
    let listed = TestServer::start("[tusk]\nallowed_origins = ['https://app.example']");
    assert_eq!(status(&listed, "Origin: https://app.example\r\n").await, 101);
    assert_eq!(status(&listed, "Origin: https://yourdomain.com\r\n").await, 403);
    for settings in ["[tusk]\nallowed_origins = ['*']", "[tusk]\nenable_origin_check = false"] {
        let open = TestServer::start(settings);
        assert_eq!(status(&open, "Origin: https://evil.example\r\n").await, 101, "{settings}");
    }
}
