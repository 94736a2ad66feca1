//! Log lines on stderr, for people or for machines, each with the context that TUS-74 asks for.
//!
//! A line is one event: its level, its message, its fields, and then `component`, `timestamp` and
//! `memory_usage`. Messages are fixed lower-case phrases; what varies stands in fields, but for
//! lines that a dialect's document words itself. Spans are not
//! shown: what a line needs to say, its own fields say. Lines of NEXUS have their document's format instead
//! where people read, and stand in a file besides (see [`super::nexus`]).
//!
//! Whatever a value holds, it can neither end the line, nor forge a field, nor reach the terminal: quotes,
//! control characters and the marks that reorder text are escaped in both formats. It is the callers' duty
//! that no value is a payload, a token or a password; events of other crates, which know no such duty,
//! are not shown at all.

use std::fmt::{self, Debug, Write as _};
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime as Rfc3339};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, fmt as lines, registry};

use super::nexus::{self, LogFile};
use super::process::ResidentCache;

/// Who reads the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// People: time, level, message, `name=value`; coloured on a terminal unless `NO_COLOR` is set.
    #[default]
    Human,
    /// Machines: one JSON object a line, levels in PSR-3's words.
    Json,
}

/// What is logged, how, and where besides stderr.
#[derive(Clone, Debug)]
pub struct Rules {
    pub level: LevelFilter,
    pub format: Format,
    /// Where the lines of NEXUS are kept; `None`: nowhere.
    pub nexus_file: Option<PathBuf>,
}

/// Writes out what waits when it is dropped.
#[derive(Debug)]
pub struct Guard {
    _writers: Vec<WorkerGuard>,
}

/// Lines that may wait for stderr, or for the file; later ones are dropped until some are taken, so that a shard never waits.
const LINES_WAITING: usize = 16_384;

/// Sends every event of this crate at the level or above to stderr from now on, and those of NEXUS also to their
/// file, each through a thread of its own.
///
/// # Errors
/// When the process has a log already.
pub fn init(rules: &Rules) -> Result<Guard, SetGlobalDefaultError> {
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let mut writers = Vec::new();
    let stderr = queue(io::stderr(), &mut writers);
    let file = rules.nexus_file.clone().map(|path| queue(LogFile::new(path, io::stderr()), &mut writers));
    set_global_default(subscriber(rules, colours, stderr, file))?;
    Ok(Guard { _writers: writers })
}

/// What takes lines at once and writes them from a thread of its own.
fn queue(to: impl io::Write + Send + 'static, writers: &mut Vec<WorkerGuard>) -> NonBlocking {
    let builder = NonBlockingBuilder::default().buffered_lines_limit(LINES_WAITING).lossy(true);
    let (queue, writer) = builder.finish(to);
    writers.push(writer);
    queue
}

fn subscriber<W, F>(
    rules: &Rules,
    colours: bool,
    stderr: W,
    file: Option<F>,
) -> impl Subscriber + Send + Sync + use<W, F>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    F: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let stderr = lines::layer().with_ansi(colours).with_writer(stderr).event_format(Line::new(rules.format));
    let ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), rules.level);
    let file = file.map(|file| {
        let layer = lines::layer().with_ansi(false).with_writer(file).event_format(nexus::Line);
        layer.with_filter(Targets::new().with_target(nexus::TARGET, rules.level))
    });
    registry().with(stderr.with_filter(ours)).with(file)
}

/// Writes one event as one line.
struct Line {
    format: Format,
    memory: ResidentCache,
}

impl Line {
    fn new(format: Format) -> Self {
        Self { format, memory: ResidentCache::new() }
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.format == Format::Human && event.metadata().target() == nexus::TARGET {
            return nexus::Line.format_event(context, out, event);
        }
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let mut fields = Fields::of(event, self.format);
        fields.name("component");
        fields.text("websocket");
        fields.name("timestamp");
        fields.plain(timestamp);
        fields.name("memory_usage");
        fields.plain(self.memory.at(timestamp));
        let level = *event.metadata().level();
        match self.format {
            Format::Human => write_human(&mut out, level, &fields),
            Format::Json => {
                let mut message = String::with_capacity(fields.message.len() + 2);
                push_quoted(&mut message, &fields.message);
                writeln!(out, "{{\"level\":\"{}\",\"message\":{message}{}}}", psr3(level), fields.rest)
            }
        }
    }
}

fn write_human(out: &mut Writer<'_>, level: Level, fields: &Fields) -> fmt::Result {
    Rfc3339.format_time(out)?;
    if out.has_ansi_escapes() {
        write!(out, " \x1b[{}m{level:>5}\x1b[0m", colour(level))?;
    } else {
        write!(out, " {level:>5}")?;
    }
    let mut message = String::with_capacity(fields.message.len());
    push_escaped(&mut message, &fields.message);
    writeln!(out, " {message}{}", fields.rest)
}

/// Select Graphic Rendition parameters (ECMA-48).
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

/// PSR-3 has nothing below debug.
fn psr3(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// The parts of one event, on their way into a line.
pub(super) struct Fields {
    format: Format,
    /// As it came.
    pub(super) message: String,
    /// The other fields, escaped, each with what separates it from the one before.
    pub(super) rest: String,
}

impl Fields {
    pub(super) fn of(event: &Event<'_>, format: Format) -> Self {
        let mut fields = Self { format, message: String::new(), rest: String::new() };
        event.record(&mut fields);
        fields
    }

    /// Begins a field. A caller's field with a name of the line's own gets another, for a JSON object
    /// with a key twice has no one meaning.
    fn name(&mut self, name: &str) {
        // Writing to a String cannot fail.
        let _ = match self.format {
            Format::Human => write!(self.rest, " {name}="),
            Format::Json => write!(self.rest, ",\"{name}\":"),
        };
    }

    fn field(&mut self, field: &Field) {
        let name = field.name();
        // What the language asks for to name a field `type` is no part of the name.
        match name.strip_prefix("r#").unwrap_or(name) {
            name @ ("level" | "message" | "component" | "timestamp" | "memory_usage") => {
                self.name(&format!("{name}_"))
            }
            name => self.name(name),
        }
    }

    /// A number or a truth value: its digits or word are the same in both formats.
    fn plain(&mut self, value: impl fmt::Display) {
        let _ = write!(self.rest, "{value}");
    }

    fn text(&mut self, value: &str) {
        match self.format {
            Format::Human if is_bare(value) => self.rest.push_str(value),
            Format::Human | Format::Json => push_quoted(&mut self.rest, value),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.field(field);
            self.text(value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field);
        self.plain(value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field);
        self.plain(value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field);
        self.plain(value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.field(field);
        // JSON has no word for what is not a number.
        if value.is_finite() { self.plain(value) } else { self.text(&value.to_string()) }
    }
}

/// Whether a reader sees where the value ends without quotes.
fn is_bare(value: &str) -> bool {
    !value.is_empty()
        && value.chars().all(|c| !c.is_whitespace() && !is_hidden(c) && !matches!(c, '"' | '\\' | '='))
}

/// Characters that act on a terminal or on the order of text instead of being seen.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text as a JSON string (RFC 8259 section 7); people's quoted values have the same form.
fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        push_visible(out, c);
    }
    out.push('"');
}

/// The text with nothing hidden in it, and without quotes.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    text.chars().for_each(|c| push_visible(out, c));
}

fn push_visible(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // All hidden characters lie in the basic plane: four digits are enough.
        c if is_hidden(c) => drop(write!(out, "\\u{:04x}", c as u32)),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;
    use serde_json::Value;
    use tracing::{debug, error, info, subscriber::with_default, trace, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Buffer {
        fn taken(&self) -> String {
            let bytes = std::mem::take(&mut *self.0.lock().expect("no writer panics"));
            String::from_utf8(bytes).expect("UTF-8")
        }
    }

    fn logged(level: LevelFilter, format: Format, colours: bool, speak: impl FnOnce()) -> String {
        let rules = Rules { level, format, nexus_file: None };
        let buffer = Buffer::default();
        let to = buffer.clone();
        with_default(subscriber(&rules, colours, move || to.clone(), None::<fn() -> Buffer>), speak);
        buffer.taken()
    }

    /// What stands on stderr, and what in the file.
    fn logged_twice(level: LevelFilter, format: Format, speak: impl FnOnce()) -> (String, String) {
        let rules = Rules { level, format, nexus_file: Some("not opened here".into()) };
        let (stderr, file) = (Buffer::default(), Buffer::default());
        let (to_stderr, to_file) = (stderr.clone(), file.clone());
        let both = subscriber(&rules, true, move || to_stderr.clone(), Some(move || to_file.clone()));
        with_default(both, speak);
        (stderr.taken(), file.taken())
    }

    fn json(speak: impl FnOnce()) -> Value {
        let text = logged(LevelFilter::TRACE, Format::Json, false, speak);
        assert_eq!(text.matches('\n').count(), 1, "one line: {text:?}");
        serde_json::from_str(&text).expect("a JSON object")
    }

    fn human(speak: impl FnOnce()) -> String {
        let text = logged(LevelFilter::TRACE, Format::Human, false, speak);
        assert_eq!(text.matches('\n').count(), 1, "one line: {text:?}");
        text
    }

    #[test]
    fn every_json_line_has_the_context() {
        let line =
            json(|| info!(connection = %"a1", port = 8000u16, open = true, load = 0.5, "connection opened"));
        assert_eq!(line["level"], "info");
        assert_eq!(line["message"], "connection opened");
        assert_eq!(line["connection"], "a1");
        assert_eq!(line["port"], 8000);
        assert_eq!(line["open"], true);
        assert_eq!(line["load"], 0.5);
        assert_eq!(line["component"], "websocket");
        assert!(line["timestamp"].as_u64().is_some_and(|t| t > 1_700_000_000));
        assert!(line["memory_usage"].as_u64().is_some_and(|m| m > 0));
        assert_eq!(line.as_object().map(serde_json::Map::len), Some(9), "no target, nothing else");
    }

    #[test]
    fn a_human_line_has_time_level_message_fields_and_context() {
        let line = human(|| warn!(user = "ann", reason = "too slow", delta = -3, "connection closed"));
        let (time, rest) = line.split_once(' ').expect("a time");
        assert!(time.len() > 19 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
        let start =
            " WARN connection closed user=ann reason=\"too slow\" delta=-3 component=websocket timestamp=";
        assert!(rest.starts_with(start), "{rest}");
        assert!(rest.contains(" memory_usage="));
    }

    #[test]
    fn levels_below_the_chosen_one_and_other_crates_are_not_shown() {
        let text = logged(LevelFilter::INFO, Format::Json, false, || {
            debug!("not this");
            error!(target: "hyper", "nor this");
            error!("this");
        });
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("\"level\":\"error\",\"message\":\"this\""));
    }

    #[test]
    fn machines_read_the_levels_of_psr_3() {
        let text = logged(LevelFilter::TRACE, Format::Json, false, || {
            error!("x");
            warn!("x");
            info!("x");
            debug!("x");
            trace!("x");
        });
        let levels: Vec<Value> =
            text.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON")["level"].take()).collect();
        assert_eq!(levels, ["error", "warning", "info", "debug", "debug"]);
    }

    #[test]
    fn only_a_terminal_sees_colours() {
        let say = || error!("down");
        assert!(logged(LevelFilter::INFO, Format::Human, true, say).contains("\x1b[31mERROR\x1b[0m down"));
        assert!(!logged(LevelFilter::INFO, Format::Human, false, say).contains('\x1b'));
        assert!(!logged(LevelFilter::INFO, Format::Json, true, say).contains('\x1b'));
    }

    #[test]
    fn a_value_cannot_forge_a_line_or_a_field_or_speak_to_the_terminal() {
        let evil = "x\" level=error\r\n{\"level\":\"error\"}\x1b[2J\u{9b}2J\u{202e}\u{2028}\\";
        let line = human(|| info!(user = evil, shown = %evil, "refused {evil}"));
        let quoted = r#""x\" level=error\r\n{\"level\":\"error\"}\u001b[2J\u009b2J\u202e\u2028\\""#;
        assert!(line.contains(&format!(" user={quoted} shown={quoted} ")), "{line}");
        assert!(!line.trim_end_matches('\n').chars().any(is_hidden), "{line:?}");
        let text = logged(LevelFilter::INFO, Format::Json, false, || info!(user = evil, "refused {evil}"));
        assert!(!text.trim_end_matches('\n').chars().any(is_hidden), "{text:?}");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["user"], evil);
        assert_eq!(value["message"], format!("refused {evil}"));
    }

    /// A line without its time, which must look like one.
    fn untimed(line: &str) -> &str {
        let (time, rest) = line.split_at_checked(23).expect("a time");
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00 00:00:00,000", "{line}");
        rest
    }

    #[test]
    fn lines_of_nexus_have_their_documents_format_on_stderr_and_in_the_file() {
        let (stderr, file) = logged_twice(LevelFilter::TRACE, Format::Human, || {
            info!(target: nexus::TARGET, conn = %"c1", user = "a b", "connection opened");
            warn!(target: nexus::TARGET, "w");
            error!(target: nexus::TARGET, "e");
            debug!(target: nexus::TARGET, "d");
            trace!(target: nexus::TARGET, "t");
        });
        assert_eq!(stderr, file, "without colours, too");
        let lines: Vec<&str> = file.lines().map(untimed).collect();
        assert_eq!(lines[0], " - lanecast.nexus - INFO - connection opened conn=c1 user=\"a b\"");
        let levels: Vec<&str> = lines[1..].iter().filter_map(|line| line.split(" - ").nth(2)).collect();
        assert_eq!(levels, ["WARNING", "ERROR", "DEBUG", "DEBUG"]);
    }

    #[test]
    fn other_lines_are_not_in_the_file_and_the_level_holds_there_too() {
        let (stderr, file) = logged_twice(LevelFilter::INFO, Format::Human, || {
            info!("connection opened");
            debug!(target: nexus::TARGET, "not this");
            info!(target: "hyper", "nor this");
        });
        assert!(stderr.contains("connection opened component=websocket") && stderr.lines().count() == 1);
        assert_eq!(file, "");
    }

    #[test]
    fn machines_read_lines_of_nexus_as_all_others_and_the_file_stays_as_it_is() {
        let (stderr, file) = logged_twice(LevelFilter::INFO, Format::Json, || {
            info!(target: nexus::TARGET, conn = %"c1", "connection opened");
        });
        let line: Value = serde_json::from_str(&stderr).expect("a JSON object");
        assert_eq!(
            (&line["message"], &line["conn"]),
            (&Value::from("connection opened"), &Value::from("c1"))
        );
        assert_eq!(untimed(&file), " - lanecast.nexus - INFO - connection opened conn=c1\n");
    }

    #[test]
    fn without_a_file_lines_of_nexus_are_on_stderr_alone() {
        let text = human(|| info!(target: nexus::TARGET, "connection opened"));
        assert_eq!(untimed(&text), " - lanecast.nexus - INFO - connection opened\n");
    }

    #[test]
    fn no_line_of_nexus_can_be_forged() {
        let evil = "x\n2026-11-21 11:40:00,123 - lanecast.nexus - ERROR - \u{1b}[2J";
        let (stderr, file) = logged_twice(LevelFilter::INFO, Format::Human, || {
            info!(target: nexus::TARGET, user = evil, "refused {evil}");
        });
        for text in [stderr, file] {
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            assert!(!text.trim_end_matches('\n').chars().any(is_hidden), "{text:?}");
        }
    }

    #[test]
    fn a_field_with_a_name_of_the_lines_own_gets_another() {
        let line =
            json(|| info!(component = "x", timestamp = 1, level = "y", memory_usage = 2, r#type = "t", "m"));
        assert_eq!(line["component"], "websocket");
        assert_eq!((&line["component_"], &line["level_"]), (&Value::from("x"), &Value::from("y")));
        assert_eq!(line["type"], "t");
        assert_eq!((&line["timestamp_"], &line["memory_usage_"]), (&Value::from(1), &Value::from(2)));
    }

    #[test]
    fn what_json_cannot_say_as_a_number_is_text() {
        let line = json(|| info!(a = f64::NAN, b = f64::INFINITY, c = u128::MAX, "m"));
        assert_eq!(line["a"], "NaN");
        assert_eq!(line["b"], "inf");
        assert_eq!(line["c"], u128::MAX.to_string());
    }

    #[test]
    fn a_line_without_a_message_or_with_an_empty_value_is_whole() {
        assert_eq!(json(|| info!(a = ""))["a"], "");
        assert_eq!(json(|| info!(message = 5))["message_"], 5);
        assert!(human(|| info!(a = "", "m")).contains(" m a=\"\" component="));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_its_quotes(text in any::<String>()) {
            let mut out = String::new();
            push_quoted(&mut out, &text);
            prop_assert!(!out.chars().any(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&out).expect("a JSON string"), text);
        }
    }
}
