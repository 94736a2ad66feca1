//! What a browser sees at `/`: what runs here, and how to talk to it.

use super::call::Site;
use super::routes;
use crate::model::Dialect;
use crate::telemetry::process;

// `color-scheme` also makes scroll bars dark where the page is.
const STYLE: &str = ":root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1a1a1a;\
background:#fff}h1{font-size:1.6rem;margin-bottom:0}h2{font-size:1.2rem;margin-top:2rem}\
table{border-collapse:collapse;width:100%}td{padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd}\
td:last-child{padding-right:0}.n{text-align:right;font-variant-numeric:tabular-nums}\
code,pre{font-size:.85rem;background:#f4f4f4;border-radius:4px}code{padding:.1rem .3rem;white-space:nowrap}\
pre{padding:.8rem;overflow:auto}\
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#181818}td{border-color:#333}\
code,pre{background:#262626}}";

const TRY: &str = "const ws = new WebSocket(location.origin.replace('http', 'ws'));
const say = message =&gt; ws.send(JSON.stringify(message));
ws.onmessage = event =&gt; console.log(JSON.parse(event.data));
ws.onopen = () =&gt; {
  say({type: 'join_room', room: 'general'});
  say({type: 'broadcast', room: 'general', message: 'Hello everyone!'});
};";

/// Where clients of each dialect connect on a listener that all share.
const DIALECTS: [(Dialect, &str, &str); 5] = [
    (Dialect::Sge, "SGE", "/ws/connect?token=NAME"),
    (Dialect::Nexus, "NEXUS", "/ws?user_id=NAME"),
    (Dialect::Gator, "Gator", "/ws/NAME"),
    (Dialect::Aegisx, "AegisX", "/ws?token=NAME"),
    (Dialect::Tusk, "Tusk", "/"),
];

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
    let dialects: String = DIALECTS
        .iter()
        .filter(|(dialect, ..)| site.served.contains(dialect))
        .map(|(_, name, path)| format!("<tr><td>{name}</td><td><code>{path}</code></td></tr>"))
        .collect();
    let routes: String = routes::all()
        .map(|r| {
            format!("<tr><td><code>{} {}</code></td><td>{}</td></tr>", r.method, r.path, plain(r.summary))
        })
        .collect();
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Lanecast</title><style>{STYLE}</style><h1>Lanecast {version}</h1>\
         <p>A real-time server.</p><table>{figures}</table><h2>WebSockets</h2>\
         <p>On a listener that all dialects share; <code>NAME</code> is a token where one is demanded:</p>\
         <table>{dialects}</table><h2>Try it in this page's console (Tusk)</h2><pre>{TRY}</pre>\
         <h2>HTTP</h2><table>{routes}</table></html>",
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// A summary without the requirement it comes from: those are for who reads the API's description.
fn plain(summary: &str) -> String {
    match (summary.find(" ("), summary.find(')')) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &summary[..from], &summary[to + 1..]),
        _ => summary.to_owned(),
    }
}
