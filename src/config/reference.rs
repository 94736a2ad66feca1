//! The configuration reference in Markdown, made from the declarations.

use std::fmt::Write;

use super::SECTIONS;
use super::key::{Key, SectionInfo};

/// The whole reference.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         Made by `lanecast config-doc` from the declarations in the code.\n\n\
         A value comes from, strongest first: its flag, the environment, `.env` in the working folder, the file\n\
         of `--config FILE` (TOML), its default. Empty variables count as not set. Durations are seconds and may\n\
         have fractions, sizes are bytes. Flags of lists may be repeated, or their items separated by commas.\n\
         A value that is not allowed, an unknown key or section, or a file that cannot be read stops the start\n\
         with exit code 2 and one line that says what, where from and what is allowed.\n",
    );
    for section in SECTIONS {
        write_section(&mut text, section);
    }
    text
}

fn write_section(text: &mut String, section: &SectionInfo) {
    let title = if section.name.is_empty() { "[[access]]".into() } else { format!("[{}]", section.name) };
    // Writing to a String cannot fail.
    let _ = write!(text, "\n## `{title}`\n\n{}\n\n", section.about.trim());
    text.push_str(
        "| key | type | default | allowed | flag, environment | meaning |\n|---|---|---|---|---|---|\n",
    );
    for key in section.keys {
        let default =
            (key.default)().map_or("none".into(), |value| format!("`{}`", cell(&value.to_string())));
        let _ = writeln!(
            text,
            "| `{}` | {} | {default} | {} | {} | {} |",
            key.name,
            key.kind,
            cell(&(key.allowed)(key.bound)),
            names(key),
            cell(&meaning(key))
        );
    }
}

fn names(key: &Key) -> String {
    let flag = key.flag.map(|flag| format!("`--{flag}`"));
    let env = key.env.iter().map(|name| format!("`{name}`"));
    flag.into_iter().chain(env).collect::<Vec<_>>().join(", ")
}

fn meaning(key: &Key) -> String {
    let mut text = key.doc.trim().to_owned();
    if let Some(bound) = key.bound {
        let _ = write!(text, " Why this default: {}.", bound.why);
        if !bound.cost.is_empty() {
            let _ = write!(text, " Memory: {}.", bound.cost);
        }
    }
    text
}

/// Text that does not end its cell of the table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
