//! What a browser sees at `/`: what runs here, and how to talk to it.

use super::call::Site;
use super::routes::ROUTES;
use crate::telemetry::process;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}h1{font-size:1.6rem;margin-bottom:0}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd}code,pre{background:#f4f4f4;\
border-radius:4px}code{padding:.1rem .3rem}pre{padding:.8rem;overflow:auto}.n{font-variant-numeric:tabular-nums}\
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#181818}td,th{border-color:#333}\
code,pre{background:#262626}a{color:#8ab4f8}}";

const TRY: &str = "const ws = new WebSocket(`ws://${location.host}/`);
ws.onmessage = e =&gt; console.log(JSON.parse(e.data));
ws.onopen = () =&gt; {
  ws.send(JSON.stringify({type: 'join_room', room: 'general'}));
  ws.send(JSON.stringify({type: 'broadcast', room: 'general', message: 'Hello everyone!'}));
};";

/// The page. Everything in it is the server's own: nothing a client said is shown.
pub fn render(site: &Site) -> String {
    let figures = [
        ("Connections", site.registry.connections()),
        ("Rooms", site.registry.rooms()),
        ("Users online", site.registry.users_online()),
        ("Uptime, seconds", process::uptime().unwrap_or(0)),
    ];
    let figures: String =
        figures.iter().map(|(name, n)| format!("<tr><td>{name}</td><td class=n>{n}</td></tr>")).collect();
    let routes: String = ROUTES
        .iter()
        .map(|r| format!("<tr><td><code>{} {}</code></td><td>{}</td></tr>", r.method, r.path, r.summary))
        .collect();
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Lanecast</title><style>{STYLE}</style><h1>Lanecast {version}</h1>\
         <p>A real-time server. WebSocket dialects served here: {served}.</p>\
         <table>{figures}</table><h2>Try it in this page's console</h2><pre>{TRY}</pre>\
         <h2>HTTP</h2><table>{routes}</table></html>",
        version = env!("CARGO_PKG_VERSION"),
        served = site.served.join(", "),
    )
}
