//! Small bad samples: every rule of the house can fail.

use std::collections::BTreeMap;

use super::source::{Source, is_word, sources, split, test_modules};
use super::*;

fn complaints(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) -> usize {
    rule(&Source::new(path, text)).len()
}

#[test]
fn code_comments_and_literals_are_told_apart() {
    let text =
        "a /* b /* c */ d */ e // f\n\"g \\\" h\" i r#\"j \" k\"# l 'm' '\\'' n br\"o\" p<'q> r#s b't'";
    let (code, comments) = split(text);
    let words = |text: &str| text.split(|c| !is_word(c)).filter(|w| !w.is_empty()).collect::<String>();
    assert_eq!(words(&code), "aeilnbpqrsb");
    assert_eq!(words(&comments), "bcdf");
    assert_eq!(code.chars().count(), text.chars().count());
}

#[test]
fn a_source_cut_anywhere_is_still_read() {
    let text = "//! a\nuse super::{b, c::{d}};\n#[cfg(test)]\nmod e { fn f() { 'g'; r#\"h\"#; /* i */ } }\nunsafe fn j();";
    for end in 0..=text.len() {
        let source = Source::new("src/conn/a.rs", &text[..end]);
        for rule in [upward_imports, missing_purpose, long_file, banned_words, locks, clocks, unproven_unsafe]
        {
            rule(&source);
        }
        functions(&source);
        test_modules(&source);
    }
}

#[test]
fn test_items_are_known_and_end_where_they_end() {
    let text = "fn a() {}\n#[cfg(test)]\nuse b::{c};\n#[cfg(all(test, unix))]\n#[x]\nmod d {\n}\n#[cfg(not(test))]\nfn e() {}\n#[cfg(test)]\nmod f;\nfn g() {}";
    let source = Source::new("src/conn/h.rs", text);
    let marks: String = source.test.iter().map(|test| if *test { 't' } else { '-' }).collect();
    assert_eq!(marks, "-tttttt--tt-");
    assert_eq!(test_modules(&source), ["src/conn/h/f"]);
    let files = [("src/conn/h.rs", text), ("src/conn/h/f.rs", "fn a() {}")];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    assert!(sources(&files)[1].test[0]);
}

#[test]
fn an_import_upwards_or_sideways_is_found() {
    let bad = [
        ("src/model/a.rs", "use crate::shard::Shard;"),
        ("src/model/a.rs", "fn f() { let x = crate::config::X; }"),
        ("src/model/a.rs", "use super::super::conn::Conn;"),
        ("src/model/mod.rs", "use super::{clock::Now};"),
        ("src/model/mod.rs", "mod inner { use super::super::shard; }"),
        ("src/clock.rs", "use self::super::config;"),
        ("src/ws/mod.rs", "use crate::{model::{Code, Event}, limit::Rate};"),
        ("src/dialect/tusk/a.rs", "use crate::channel;"),
        ("src/net/mod.rs", "use crate::api::Router as R;"),
        ("src/conn/mod.rs", "pub(crate) use crate::server;"),
        ("src/conn/mod.rs", "use crate::*;"),
        ("src/conn/mod.rs", "use crate::unheard_of;"),
        ("src/unheard_of.rs", ""),
        ("src/server/mod.rs", "use crate::cli;"),
    ];
    for (path, text) in bad {
        assert_eq!(complaints(upward_imports, path, text), 1, "{path}: {text}");
    }
}

#[test]
fn an_import_downwards_is_not() {
    let good = [
        ("src/model/a.rs", "use super::{ChannelId, key::*}; use std::sync::Arc;"),
        ("src/dialect/tusk/a.rs", "use super::super::Dialect; pub(in crate::dialect) fn f() {}"),
        ("src/dialect/tusk/a.rs", "mod b { use super::super::super::Dialect; }"),
        ("src/conn/mod.rs", "use crate::{net::Place, ws};"),
        ("src/model/a.rs", "// use crate::shard\n#[cfg(test)] mod t { use crate::shard; }"),
        ("src/model/a.rs", "const A: &str = \"crate::shard::\";"),
        ("src/lib.rs", "pub mod shard; pub use crate::shard::Shard;"),
        ("src/main.rs", "use lanecast::cli;"),
        ("tests/a.rs", "use crate::shard;"),
    ];
    for (path, text) in good {
        assert_eq!(complaints(upward_imports, path, text), 0, "{path}: {text}");
    }
}

#[test]
fn a_file_without_its_first_line_is_found() {
    for text in ["", "\n//! a", "// a", "//!", "//! ", "fn f() {}"] {
        assert_eq!(complaints(missing_purpose, "benches/a.rs", text), 1, "{text:?}");
    }
    assert_eq!(complaints(missing_purpose, "benches/a.rs", "//! a"), 0);
}

#[test]
fn a_function_is_measured_to_its_last_line() {
    let body = |lines: usize| {
        format!(
            "impl A {{\n    fn f<const N: usize>(a: [u8; 2])\n    where\n        A: B,\n    {{{}}}\n}}",
            "\n".repeat(lines - 4)
        )
    };
    let found = |lines: usize| long_functions(&[Source::new("src/conn/a.rs", &body(lines))]).len();
    assert_eq!(functions(&Source::new("src/conn/a.rs", &body(70)))[0].2, 70);
    assert_eq!((found(70), found(71), found(100), found(101)), (0, 1, 1, 1));
    let hidden = format!("#[cfg(test)]\nmod t {{\n{}\n}}", body(101));
    assert!(long_functions(&[Source::new("src/conn/a.rs", &hidden)]).is_empty());
    assert_eq!(functions(&Source::new("a.rs", "trait A { fn f(&self); }\nconst B: fn(u8) = g;")).len(), 1);
}

#[test]
fn a_file_is_measured_without_its_tests() {
    let lines = |n: usize| "a();\n".repeat(n);
    assert_eq!(complaints(long_file, "src/conn/a.rs", &lines(800)), 0);
    assert_eq!(complaints(long_file, "src/conn/a.rs", &lines(801)), 1);
    let with_tests = format!("{}#[cfg(test)]\nmod t {{\n{}}}\n", lines(800), lines(500));
    assert_eq!(complaints(long_file, "src/conn/a.rs", &with_tests), 0);
}

#[test]
fn a_banned_word_is_found_in_code_and_not_in_text() {
    let bad = [
        "dbg!(x);",
        "todo!()",
        "fn f() { unimplemented!(\"x\") }",
        "mod utils;",
        "mod prelude {}",
        "// TODO: more",
        "/* a\nFIXME */",
        "//! XXX",
        "#[ignore = \"slow\"]",
        "#[ignore]",
    ];
    for text in bad {
        assert_eq!(complaints(banned_words, "src/conn/a.rs", text), 1, "{text}");
    }
    for text in
        ["\"todo!() TODO\"", "// todo, a word like xxx and dbg!", "let todo = utils;", "use a::prelude::*;"]
    {
        assert_eq!(complaints(banned_words, "src/conn/a.rs", text), 0, "{text}");
    }
    for path in ["src/utils.rs", "tests/common/mod.rs", "src/conn/helpers/a.rs"] {
        assert_eq!(complaints(banned_words, path, ""), 1, "{path}");
    }
}

#[test]
fn a_lock_on_a_messages_way_is_found() {
    for text in [
        "use std::sync::Mutex;",
        "a: parking_lot::RwLock<u8>",
        "mpsc::unbounded_channel()",
        "flume::unbounded()",
        "a: UnboundedSender<u8>",
    ] {
        assert_eq!(complaints(locks, "src/lane/a.rs", text), 1, "{text}");
        assert_eq!(complaints(locks, "src/store/a.rs", text), 0, "{text}");
        let test = format!("#[cfg(test)]\nmod t {{ {text} }}");
        assert_eq!(complaints(locks, "src/lane/a.rs", &test), 0, "{text}");
    }
    assert_eq!(
        complaints(
            locks,
            "src/lane/a.rs",
            "// no Mutex\nOnceLock::new(); flume::bounded(1); push_unbounded()"
        ),
        0
    );
}

#[test]
fn a_clock_in_a_pure_module_is_found() {
    for text in ["Instant::now()", "std::time::Instant::now();", "SystemTime::now()", "start.elapsed()"] {
        for path in ["src/channel/a.rs", "src/limit.rs", "src/model/a.rs", "src/lane/mod.rs"] {
            assert_eq!(complaints(clocks, path, text), 1, "{path}: {text}");
        }
        for path in ["src/clock.rs", "src/shard/a.rs", "tests/a.rs"] {
            assert_eq!(complaints(clocks, path, text), 0, "{path}: {text}");
        }
    }
    assert_eq!(complaints(clocks, "src/channel/a.rs", "fn f(at: Instant, elapsed: u64) {}"), 0);
}

#[test]
fn unsafe_code_without_a_proof_is_found() {
    let with =
        |comment: &str, between: usize| format!("{comment}\n{}unsafe {{ f() }}", "a();\n".repeat(between));
    assert_eq!(complaints(unproven_unsafe, "src/a.rs", &with("// SAFETY: it is.", 4)), 0);
    assert_eq!(complaints(unproven_unsafe, "src/a.rs", &with("// SAFETY: it is.", 5)), 1);
    assert_eq!(complaints(unproven_unsafe, "src/a.rs", &with("// trust me", 0)), 1);
    assert_eq!(complaints(unproven_unsafe, "src/a.rs", &with("f(\"SAFETY:\");", 0)), 1);
    assert_eq!(complaints(unproven_unsafe, "src/a.rs", "unsafe impl Send for A {}"), 1);
    assert_eq!(complaints(unproven_unsafe, "src/a.rs", "#![forbid(unsafe_code)] // unsafe"), 0);
}

#[test]
fn missing_papers_are_found() {
    let mut files = BTreeMap::new();
    assert_eq!(architecture(&files).len(), 1);
    assert_eq!(missing_papers(&files).len(), 5);
    let whole: String = ARCHITECTURE_HEADINGS.iter().map(|h| format!("## {h}\n")).collect();
    files.insert(ARCHITECTURE.into(), whole.clone() + &"a\n".repeat(ARCHITECTURE_LINES_MAX - 6));
    assert_eq!(architecture(&files), Vec::<String>::new());
    files.insert(ARCHITECTURE.into(), whole.clone() + &"a\n".repeat(ARCHITECTURE_LINES_MAX - 5));
    assert_eq!(architecture(&files).len(), 1);
    files.insert(ARCHITECTURE.into(), whole.replace("## Glossary", "Glossary"));
    assert_eq!(architecture(&files).len(), 1);
}

#[test]
fn traces_of_a_machine_are_found() {
    for path in MACHINE_PATHS {
        for text in
            [format!("{path}x"), format!("a \"{path}x\""), format!("A={path}x"), format!("file:{path}x")]
        {
            assert_eq!(machine_traces("a.md", &text).len(), 1, "{text}");
        }
        for text in [format!("frame{path}x"), format!("https://a{path}x"), format!("/{path}x")] {
            assert_eq!(machine_traces("a.md", &text).len(), 0, "{text}");
        }
    }
    for host in REGISTRIES {
        assert_eq!(machine_traces("a.toml", &format!("a = \"{host}s\"")).len(), 1, "{host}");
    }
}
