//! The house rules as a test: who may import whom, how long things get, which words stay out.
//!
//! It reads sources as text: comments and strings are told from code, items under `#[cfg(test)]` from
//! what ships. Every rule is a function from sources to complaints, and each has a test with a bad
//! sample, because a rule that cannot fail holds nothing up. The tables come first: change those.

mod samples;
mod source;

use std::collections::BTreeMap;

use source::{Source, Token, group_end, is_word, item_end, project, reads, sources};

/// Modules from the bottom up. A module may import those of lower layers, and nothing else but what
/// [`SIBLINGS`] grants. A new folder in `src` needs a place here.
const LAYERS: &[&[&str]] = &[
    &["model", "clock", "lane"],
    &["config", "telemetry"],
    &["ws", "dialect", "channel", "auth", "limit", "extension", "access"],
    &["fanout", "net", "api", "persona", "store", "broker"],
    &["conn", "shard"],
    &["server", "cli", "main"],
];

/// Imports within a layer that are granted: who, whom, and why.
const SIBLINGS: &[(&str, &str, &str)] = &[
    ("api", "net", "REST answers are HTTP's bodies"),
    ("shard", "conn", "a shard runs its connections"),
    ("channel", "limit", "a user's window lies where its devices meet"),
    ("cli", "server", "the command line starts the server"),
    ("main", "cli", "the binary is the command line"),
    ("main", "server", "the binary is the server"),
];

/// The layer of the pure modules, which are told what time it is.
const PURE_LAYER: usize = 2;

/// Modules below the pure layer that read no clock either. `clock` itself is the one that does.
const PURE_WORDS: &[&str] = &["model", "lane"];

/// Modules on a message's way: no lock, no unbounded queue (invariant 1).
const MESSAGE_PATH: &[&str] =
    &["model", "lane", "ws", "dialect", "channel", "access", "fanout", "conn", "shard"];

/// Lines from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 100;

/// Above this a function counts as long.
const FUNCTION_LINES_LONG: usize = 70;

/// Long functions in the whole house. A ratchet: it may only go down, and it is down.
const LONG_FUNCTIONS_MAX: usize = 0;

/// Lines of a source file without its tests.
const FILE_LINES_MAX: usize = 800;

/// Files that are one uniform table and may be longer.
const TABLE_FILES: &[&str] = &[];

const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";
const ARCHITECTURE_LINES_MAX: usize = 300;
const ARCHITECTURE_HEADINGS: &[&str] =
    &["Words", "Life of a message", "Layers", "Invariants", "Glossary", "Where do I add"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "prelude", "helpers", "helper", "misc"];

/// Macros that stand for work not done or never meant to stay.
const BANNED_MACROS: &[&str] = &["dbg", "todo", "unimplemented"];

/// Marks of work left behind.
const LEFT_BEHIND: &[&str] = &["TODO", "FIXME", "XXX"];

/// Folders that exist on one machine only. Put together here so that the list does not find itself.
const MACHINE_PATHS: &[&str] =
    &[concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/"), concat!("/", "tmp/")];

/// Where packages come from is the business of each builder's own settings.
const REGISTRIES: &[&str] = &[
    concat!("sparse", "+http"),
    concat!("replace", "-with"),
    concat!("index", "-url"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs.org"),
    concat!("files.", "pythonhosted.org"),
    concat!("artif", "actory"),
];

// -- the rules -------------------------------------------------------------------------------------

/// (a) Imports point down.
fn upward_imports(source: &Source) -> Vec<String> {
    let Some(from) = source.top() else { return Vec::new() };
    let Some(from_layer) = layer(&from) else { return vec![source.at(0, &format!("`{from}` has no layer"))] };
    let module = source.module().expect("a module has a path");
    let mut complaints = Vec::new();
    for (line, path) in crate_paths(&source.shipped(), &module) {
        let to = path.first().map_or("*", String::as_str);
        let granted = |(who, whom, _): &(&str, &str, &str)| *who == from && *whom == to;
        if to == from || SIBLINGS.iter().any(granted) {
            continue;
        }
        match layer(to) {
            None => complaints.push(source.at(line, &format!("`crate::{to}` has no layer"))),
            Some(n) if n >= from_layer => {
                complaints.push(
                    source.at(line, &format!("`{from}` (layer {from_layer}) imports `{to}` (layer {n})")),
                );
            }
            Some(_) => {}
        }
    }
    complaints
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// Every path into this crate with the line it stands on, from the crate's root, `use` groups spread out.
fn crate_paths(tokens: &[Token], module: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    // The inline modules around the token, each with the number of the token that closes it.
    let mut inline: Vec<(String, usize)> = Vec::new();
    for at in 0..tokens.len() {
        inline.retain(|(_, end)| at <= *end);
        if reads(tokens, at, &["mod"]) && reads(tokens, at + 2, &["{"]) {
            inline.push((tokens[at + 1].text.clone(), group_end(tokens, at + 2)));
        }
        let continued = at >= 2 && tokens[at - 1].text == ":" && tokens[at - 2].text == ":";
        let after_self = continued && at >= 3 && tokens[at - 3].text == "self";
        if (continued && !after_self) || !reads(tokens, at + 1, &[":", ":"]) {
            continue;
        }
        let here = module.iter().chain(inline.iter().map(|(name, _)| name)).cloned();
        let (base, next) = match tokens[at].text.as_str() {
            "crate" | "lanecast" => (Vec::new(), at + 3),
            "super" => climb(tokens, at, here.collect()),
            _ => continue,
        };
        let mut paths = Vec::new();
        spread(tokens, next, base, &mut paths);
        found.extend(paths.into_iter().map(|path| (tokens[at].line, path)));
    }
    found
}

/// The module that `super::super::…` means, and where the path goes on.
fn climb(tokens: &[Token], at: usize, mut module: Vec<String>) -> (Vec<String>, usize) {
    let mut at = at;
    while reads(tokens, at, &["super", ":", ":"]) {
        module.pop();
        at += 3;
    }
    (module, at)
}

/// Follows a path from `at`, into every branch of a group; answers where it ends.
fn spread(tokens: &[Token], at: usize, base: Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let Some(token) = tokens.get(at) else { return at };
    if token.text == "{" {
        let end = group_end(tokens, at);
        let mut next = at + 1;
        while next < end {
            next = spread(tokens, next, base.clone(), paths);
            while next < end && tokens[next].text != "," {
                next += 1;
            }
            next += 1;
        }
        return end + 1;
    }
    let mut path = base;
    if token.text != "self" {
        path.push(token.text.clone());
    }
    if reads(tokens, at + 1, &[":", ":"]) {
        return spread(tokens, at + 3, path, paths);
    }
    paths.push(path);
    at + 1
}

/// (b) A file says what it is for.
fn missing_purpose(source: &Source) -> Vec<String> {
    let said = source
        .text
        .lines()
        .next()
        .is_some_and(|line| line.strip_prefix("//! ").is_some_and(|t| !t.is_empty()));
    if said { Vec::new() } else { vec![source.at(0, "the first line is no `//! …`")] }
}

/// (c) Name, line and length of each function that ships.
fn functions(source: &Source) -> Vec<(String, usize, usize)> {
    let tokens = source.shipped();
    (0..tokens.len().saturating_sub(1))
        .filter(|at| tokens[*at].text == "fn" && tokens[at + 1].text != "(")
        .map(|at| {
            let lines = tokens[item_end(&tokens, at)].line - tokens[at].line + 1;
            (tokens[at + 1].text.clone(), tokens[at].line, lines)
        })
        .collect()
}

fn long_functions(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut long = Vec::new();
    for source in sources {
        for (name, line, lines) in functions(source) {
            let what = source.at(line, &format!("`{name}` has {lines} lines"));
            match lines {
                n if n > FUNCTION_LINES_MAX => complaints.push(what),
                n if n > FUNCTION_LINES_LONG => long.push(what),
                _ => {}
            }
        }
    }
    if long.len() > LONG_FUNCTIONS_MAX {
        complaints.extend(long);
    }
    complaints
}

/// (d) A file fits a head.
fn long_file(source: &Source) -> Vec<String> {
    let lines = source.test.iter().filter(|test| !**test).count();
    if lines <= FILE_LINES_MAX || TABLE_FILES.contains(&source.path.as_str()) {
        return Vec::new();
    }
    vec![source.at(0, &format!("{lines} lines without tests"))]
}

/// (e) Words that stay out of every file.
fn banned_words(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let tokens = &source.tokens;
    for (at, token) in tokens.iter().enumerate() {
        let text = token.text.as_str();
        let next = tokens.get(at + 1).map_or("", |t| t.text.as_str());
        if BANNED_MACROS.contains(&text) && next == "!" {
            complaints.push(source.at(token.line, &format!("`{text}!`")));
        }
        if text == "mod" && EMPTY_NAMES.contains(&next) {
            complaints.push(source.at(token.line, &format!("a module named `{next}`")));
        }
        if reads(tokens, at, &["#", "[", "ignore"]) {
            complaints.push(source.at(token.line, "an ignored test"));
        }
    }
    for (line, comment) in source.comments.iter().enumerate() {
        if comment.split(|c| !is_word(c)).any(|word| LEFT_BEHIND.contains(&word)) {
            complaints.push(source.at(line, "work left behind"));
        }
    }
    let stem = source.path.trim_end_matches(".rs");
    complaints.extend(
        stem.split('/')
            .filter(|part| EMPTY_NAMES.contains(part))
            .map(|part| source.at(0, &format!("a path with `{part}`"))),
    );
    complaints
}

/// (e) No lock and no unbounded queue on a message's way.
fn locks(source: &Source) -> Vec<String> {
    if !source.top().is_some_and(|top| MESSAGE_PATH.contains(&top.as_str())) {
        return Vec::new();
    }
    let is_unbounded =
        |word: &str| word == "unbounded" || word.starts_with("unbounded_") || word.starts_with("Unbounded");
    let is_lock = |word: &str| word == "Mutex" || word == "RwLock" || is_unbounded(word);
    let shipped = source.shipped();
    let found = shipped.iter().filter(|t| is_lock(&t.text));
    found.map(|t| source.at(t.line, &format!("`{}` on a message's way", t.text))).collect()
}

/// (f) Pure modules are told what time it is.
fn clocks(source: &Source) -> Vec<String> {
    let is_pure = |top: String| layer(&top) == Some(PURE_LAYER) || PURE_WORDS.contains(&top.as_str());
    if !source.top().is_some_and(is_pure) {
        return Vec::new();
    }
    let tokens = source.shipped();
    let reads_clock = |at: &usize| {
        matches!(tokens[*at].text.as_str(), "SystemTime" | "UNIX_EPOCH")
            || reads(&tokens, *at, &["Instant", ":", ":", "now"])
            || reads(&tokens, *at, &[".", "elapsed"])
    };
    (0..tokens.len()).filter(reads_clock).map(|at| source.at(tokens[at].line, "reads a clock")).collect()
}

/// (g) Unsafe code comes with its proof, at most five lines above.
fn unproven_unsafe(source: &Source) -> Vec<String> {
    let proven =
        |line: usize| source.comments[line.saturating_sub(5)..=line].iter().any(|c| c.contains("SAFETY:"));
    let unsafes = source.tokens.iter().filter(|t| t.text == "unsafe" && !proven(t.line));
    unsafes.map(|t| source.at(t.line, "`unsafe` without `// SAFETY:`")).collect()
}

/// (h) One page tells how the house is built, and stays one page.
fn architecture(files: &BTreeMap<String, String>) -> Vec<String> {
    let Some(text) = files.get(ARCHITECTURE) else { return vec![format!("{ARCHITECTURE} is missing")] };
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > ARCHITECTURE_LINES_MAX {
        complaints.push(format!("{ARCHITECTURE}: {lines} lines"));
    }
    for heading in ARCHITECTURE_HEADINGS {
        let found = text.lines().any(|line| line.starts_with('#') && line.contains(heading));
        if !found {
            complaints.push(format!("{ARCHITECTURE}: no heading `{heading}`"));
        }
    }
    complaints
}

/// (i) What every project has at its door.
fn missing_papers(files: &BTreeMap<String, String>) -> Vec<String> {
    let papers = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE-MIT", "LICENSE-APACHE"];
    papers
        .into_iter()
        .filter(|paper| !files.contains_key(*paper))
        .map(|paper| format!("{paper} is missing"))
        .collect()
}

/// (i) Nothing that is true on one machine only.
fn machine_traces(path: &str, text: &str) -> Vec<String> {
    let begins = |before: Option<char>| before.is_none_or(|c| c.is_whitespace() || "\"'`(=:,<[".contains(c));
    let mut complaints = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let is_path = |needle: &&&str| {
            text.match_indices(**needle).any(|(at, _)| begins(text[..at].chars().next_back()))
        };
        let paths = MACHINE_PATHS.iter().filter(is_path);
        let hosts = REGISTRIES.iter().filter(|host| text.contains(**host));
        complaints.extend(paths.chain(hosts).map(|needle| format!("{path}:{}: `{needle}`", line + 1)));
    }
    complaints
}

// -- the house keeps them --------------------------------------------------------------------------

fn expect_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn check(rule: fn(&Source) -> Vec<String>) {
    expect_none(sources(&project()).iter().flat_map(rule).collect());
}

#[test]
fn the_whole_house_is_looked_at() {
    let files = project();
    for path in [
        "Cargo.toml",
        "tests/tidy/main.rs",
        ".gitignore",
        "src/lib.rs",
        "src/model/mod.rs",
        "loadtest/Cargo.toml",
    ] {
        assert!(files.contains_key(path), "{path} was not read");
    }
    let sources = sources(&files);
    assert!(sources.iter().flat_map(functions).count() > 50, "too few functions were found");
    let model = sources.iter().find(|s| s.path == "src/model/command.rs").expect("a file of the model");
    assert!(!crate_paths(&model.shipped(), &model.module().expect("in src")).is_empty());
}

#[test]
fn imports_point_down() {
    check(upward_imports);
}

#[test]
fn every_file_says_what_it_is_for() {
    check(missing_purpose);
}

#[test]
fn functions_fit_a_screen() {
    expect_none(long_functions(&sources(&project())));
}

#[test]
fn files_fit_a_head() {
    check(long_file);
}

#[test]
fn banned_words_stay_out() {
    check(banned_words);
}

#[test]
fn no_lock_is_on_a_messages_way() {
    check(locks);
}

#[test]
fn pure_modules_read_no_clock() {
    check(clocks);
}

#[test]
fn unsafe_code_is_proven() {
    check(unproven_unsafe);
}

#[test]
fn the_papers_are_there() {
    let files = project();
    expect_none([architecture(&files), missing_papers(&files)].concat());
}

#[test]
fn nothing_is_true_on_one_machine_only() {
    expect_none(project().iter().flat_map(|(path, text)| machine_traces(path, text)).collect());
}
