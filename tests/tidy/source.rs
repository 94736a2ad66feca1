//! Reading sources: files, their code, their comments, their tokens, their tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders with Rust files.
const RUST_FOLDERS: &[&str] = &["src", "loadtest/src", "tests", "benches", "examples", "fuzz"];

/// One word, number or punctuation character of code.
#[derive(Clone, Debug)]
pub struct Token {
    pub line: usize,
    pub text: String,
}

/// One Rust file, taken apart.
pub struct Source {
    /// Relative to the package, with `/`.
    pub path: String,
    /// As it stands.
    pub text: String,
    /// Per line, what of it is comment.
    pub comments: Vec<String>,
    /// All code.
    pub tokens: Vec<Token>,
    /// Per line, whether it belongs to an item under `#[cfg(test)]`.
    pub test: Vec<bool>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let (code, comments) = split(text);
        let tokens = tokens(&code);
        let mut test = vec![false; text.lines().count()];
        for (first, last) in test_items(&tokens) {
            test[first..=last].fill(true);
        }
        let comments = comments.lines().map(str::to_owned).collect();
        Self { path: path.into(), text: text.into(), comments, tokens, test }
    }

    /// The code that ships.
    pub fn shipped(&self) -> Vec<Token> {
        self.tokens.iter().filter(|t| !self.test[t.line]).cloned().collect()
    }

    /// `src/a/b.rs` is `[a, b]`, `src/a/mod.rs` is `[a]`, the root is `[]`; `None` outside `src`.
    pub fn module(&self) -> Option<Vec<String>> {
        let inner = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
        if parts.last().is_some_and(|last| last == "mod" || (parts.len() == 1 && last == "lib")) {
            parts.pop();
        }
        Some(parts)
    }

    /// The folder or file right under `src`; `None` for the root and outside.
    pub fn top(&self) -> Option<String> {
        self.module()?.into_iter().next()
    }

    pub fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }
}

/// The text twice, line for line and character for character: only its code, and only its comments.
/// Literals are in neither.
pub fn split(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut comments) = (String::new(), String::new());
    let mut at = 0;
    while at < chars.len() {
        let (end, is_comment, is_code) = match (literal_end(&chars, at), comment_end(&chars, at)) {
            (_, Some(end)) => (end, true, false),
            (Some(end), None) => (end, false, false),
            (None, None) => (at + 1, false, true),
        };
        for c in &chars[at..end] {
            code.push(if is_code || *c == '\n' { *c } else { ' ' });
            comments.push(if is_comment || *c == '\n' { *c } else { ' ' });
        }
        at = end;
    }
    (code, comments)
}

/// Where the comment that begins here ends; block comments nest.
fn comment_end(chars: &[char], at: usize) -> Option<usize> {
    match chars.get(at..at + 2)? {
        ['/', '/'] => Some(chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| at + n)),
        ['/', '*'] => {
            let (mut depth, mut end) = (1, at + 2);
            while depth > 0 && end < chars.len() {
                match chars.get(end..end + 2) {
                    Some(['/', '*']) => (depth, end) = (depth + 1, end + 2),
                    Some(['*', '/']) => (depth, end) = (depth - 1, end + 2),
                    _ => end += 1,
                }
            }
            Some(end)
        }
        _ => None,
    }
}

/// Where the string or character that begins here ends. A lifetime is neither.
fn literal_end(chars: &[char], at: usize) -> Option<usize> {
    match chars[at] {
        'r' if at == 0 || !is_word(chars[at - 1]) || prefix_of_raw(chars, at) => raw_end(chars, at),
        '"' => Some(quoted_end(chars, at, '"')),
        '\'' if chars.get(at + 1) == Some(&'\\') => Some(quoted_end(chars, at, '\'')),
        '\'' if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

/// Whether the `r` here follows the `b` or `c` of `br"…"` or `cr"…"`.
fn prefix_of_raw(chars: &[char], at: usize) -> bool {
    matches!(chars[at - 1], 'b' | 'c') && (at == 1 || !is_word(chars[at - 2]))
}

fn raw_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    let begin = at + 1 + hashes;
    if chars.get(begin) != Some(&'"') {
        return None;
    }
    let closes = |end: &usize| {
        chars[*end] == '"' && chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    Some((begin + 1..chars.len()).find(closes).map_or(chars.len(), |end| end + 1 + hashes))
}

fn quoted_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut end = at + 1;
    while end < chars.len() && chars[end] != quote {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(chars.len())
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub fn tokens(code: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for (line, text) in code.lines().enumerate() {
        let mut in_word = false;
        for c in text.chars() {
            match tokens.last_mut() {
                Some(last) if in_word && is_word(c) => last.text.push(c),
                _ if !c.is_whitespace() => tokens.push(Token { line, text: c.to_string() }),
                _ => {}
            }
            in_word = is_word(c);
        }
    }
    tokens
}

/// Whether the tokens from `at` on are these.
pub fn reads(tokens: &[Token], at: usize, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(i, word)| tokens.get(at + i).is_some_and(|t| t.text == *word))
}

/// First and last line of each item under `#[cfg(test)]`.
fn test_items(tokens: &[Token]) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    for at in 0..tokens.len() {
        if !reads(tokens, at, &["#", "[", "cfg", "("]) {
            continue;
        }
        let close = group_end(tokens, at + 1);
        let has = |word: &str| tokens[at..close].iter().any(|t| t.text == word);
        if has("test") && !has("not") {
            items.push((tokens[at].line, tokens[item_end(tokens, close + 1)].line));
        }
    }
    items
}

/// The token that closes the bracket opened at `open`; the last token if none does.
pub fn group_end(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

/// The token that ends the item or signature that begins at `at`: the brace that closes its body, its
/// semicolon, or the last one before the end of the block around it.
pub fn item_end(tokens: &[Token], at: usize) -> usize {
    let mut at = at;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "(" | "[" => at = group_end(tokens, at),
            "{" => return group_end(tokens, at),
            ";" => return at,
            "}" => return at - 1,
            _ => {}
        }
        at += 1;
    }
    tokens.len() - 1
}

/// The files under the folder, deepest last, without what the project ignores.
fn walk(root: &Path, folder: &Path, ignored: &[String], found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let relative = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ignored = |rule: &String| match rule.strip_prefix('/') {
            Some(rule) => *rule == relative,
            None => *rule == name || rule.strip_prefix('*').is_some_and(|end| name.ends_with(end)),
        };
        if ignored.iter().any(is_ignored) {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(root, &path, ignored, found),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
}

/// Every text file of the project, by its path in it.
pub fn project() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = fs::read_to_string(root.join(".gitignore")).expect(".gitignore");
    let mut ignored: Vec<String> =
        rules.lines().map(|rule| rule.trim().trim_end_matches('/').into()).collect();
    ignored.push(".git".into());
    let mut found = Vec::new();
    walk(root, root, &ignored, &mut found);
    let relative =
        |path: &Path| path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
    found.iter().filter_map(|path| Some((relative(path), fs::read_to_string(path).ok()?))).collect()
}

pub fn sources(files: &BTreeMap<String, String>) -> Vec<Source> {
    let is_ours =
        |path: &str| RUST_FOLDERS.iter().any(|f| path.strip_prefix(f).is_some_and(|r| r.starts_with('/')));
    let mut sources: Vec<Source> = files
        .iter()
        .filter(|(path, _)| path.ends_with(".rs") && is_ours(path))
        .map(|(path, text)| Source::new(path, text))
        .collect();
    let tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let stem = source.path.trim_end_matches(".rs");
        if tests
            .iter()
            .any(|t| stem == t || stem.strip_prefix(t.as_str()).is_some_and(|r| r.starts_with('/')))
        {
            source.test.fill(true);
        }
    }
    sources
}

/// Where the files of this one's `#[cfg(test)] mod name;` lie, without their ending.
pub fn test_modules(source: &Source) -> Vec<String> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let folder = match file {
        "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    let tokens = &source.tokens;
    (0..tokens.len())
        .filter(|at| {
            reads(tokens, *at, &["mod"]) && reads(tokens, at + 2, &[";"]) && source.test[tokens[*at].line]
        })
        .map(|at| format!("{folder}/{}", tokens[at + 1].text))
        .collect()
}
