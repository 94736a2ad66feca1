//! What the documents say of the code is true: flags, routes, links, and the symbols they point at.

use std::path::{Path, PathBuf};

use lanecast::api::{Found, find};
use lanecast::config::{Key, SECTIONS};

const README: &str = "README.md";
const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";
const FLAGS_BEGIN: &str =
    "<!-- flags: made from the declarations by `UPDATE_README=1 cargo test --test readme` -->\n";
const FLAGS_END: &str = "<!-- /flags -->";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn row(key: &Key) -> Option<String> {
    let flag = key.flag?;
    let default = (key.default)().map_or(String::new(), |value| format!("`{value}`"));
    let env: String = key.env.iter().map(|name| format!(", `{name}`")).collect();
    let doc = key.doc.trim().replace('|', "\\|").replace('\n', " ");
    Some(format!("| `--{flag}`{env} | {doc} | {default} |\n"))
}

fn flags() -> String {
    let rows: String = SECTIONS.iter().flat_map(|section| section.keys).filter_map(row).collect();
    format!("\n| flag, variable | meaning | default |\n|---|---|---|\n{rows}\n")
}

#[test]
fn the_table_of_flags_is_what_the_declarations_say() {
    let text = read(README);
    let (before, rest) = text.split_once(FLAGS_BEGIN).expect("the table has a beginning");
    let (table, after) = rest.split_once(FLAGS_END).expect("the table has an end");
    let want = flags();
    if std::env::var_os("UPDATE_README").is_some() {
        let text = format!("{before}{FLAGS_BEGIN}{want}{FLAGS_END}{after}");
        std::fs::write(root(README), text).expect("the file can be written");
        return;
    }
    assert!(table == want, "{README} differs from the declarations; run {FLAGS_BEGIN}");
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_route_that_is_named_is_served() {
    let text = read(README);
    let mut named = 0;
    for operation in quoted(&text) {
        let Some((method @ ("GET" | "POST"), path)) = operation.split_once(' ') else { continue };
        let method = method.parse().expect("a method");
        let path = path.replace("{name}", "x");
        assert!(matches!(find(&method, &path), Found::Route(..)), "{operation} is not served");
        named += 1;
    }
    assert!(named >= 10, "only {named} routes are named");
}

/// Text and target of every Markdown link.
fn links(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('[').skip(1).filter_map(|rest| {
        let (label, rest) = rest.split_once("](")?;
        Some((label, rest.split_once(')')?.0))
    })
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    for document in [README, ARCHITECTURE, "CONTRIBUTING.md", "CHANGELOG.md", "tuning/README.md"] {
        let folder = root(document).parent().expect("a file has a folder").to_owned();
        for (label, target) in links(&read(document)) {
            let is_file = target.starts_with("http") || folder.join(target).exists();
            assert!(is_file, "{document}: [{label}]({target}) leads nowhere");
        }
    }
}

/// Whether `file` has a line that declares `symbol`: an item, a field or a variant.
fn declares(file: &str, symbol: &str) -> bool {
    const ITEMS: [&str; 8] = ["async fn ", "fn ", "struct ", "enum ", "trait ", "const ", "type ", "mod "];
    file.lines().any(|line| {
        let line = line.trim_start();
        let line = ["pub(super) ", "pub "].iter().find_map(|how| line.strip_prefix(how)).unwrap_or(line);
        let name = ITEMS.iter().find_map(|item| line.strip_prefix(item)).unwrap_or(line);
        name.strip_prefix(symbol).is_some_and(|rest| rest.starts_with(['(', '<', ':', ' ', ',', ';']))
    })
}

/// A link whose text is a symbol (`` [`Core::apply`](../src/shard/core.rs) ``) leads to a file that declares it, one
/// whose text is a module to that module's `mod.rs`.
#[test]
fn every_symbol_stands_in_the_file_it_is_linked_to() {
    let text = read(ARCHITECTURE);
    let mut symbols = 0;
    for (label, target) in links(&text).filter(|(_, target)| target.ends_with(".rs")) {
        let Some(path) = label.strip_prefix('`').and_then(|l| l.strip_suffix('`')) else { continue };
        let symbol = path.rsplit("::").next().expect("a last part");
        let is_module = target.ends_with(&format!("/{symbol}/mod.rs"));
        let file = std::fs::read_to_string(root("docs").join(target)).unwrap_or_default();
        assert!(is_module || declares(&file, symbol), "{ARCHITECTURE}: {target} declares no `{path}`");
        symbols += 1;
    }
    assert!(symbols >= 40, "only {symbols} symbols are linked");
}
