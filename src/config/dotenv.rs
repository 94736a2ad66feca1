//! `.env`: lines of `NAME=VALUE` that stand in for environment variables which are not set.
//!
//! `export` before a name is ignored, as are empty lines and comments. Unquoted values end at ` #` or at the
//! end of the line. Single quotes keep everything, double quotes know `\n \r \t \" \\ \$`; both may span lines.

/// One variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value without quotes.
    pub value: String,
    /// Its line, from 1.
    pub line: usize,
}

/// A line that is none, from 1, and what is wrong. Never what stands on it: that may be a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Malformed {
    /// The line.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Reads a whole file. A name that comes twice has its last value.
///
/// # Errors
/// The first line that is no variable.
pub fn parse(text: &str) -> Result<Vec<Variable>, Malformed> {
    let mut variables = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    while !rest.is_empty() {
        let (variable, after) = entry(rest, line)?;
        variables.extend(variable);
        line += rest[..rest.len() - after.len()].matches('\n').count();
        rest = after;
    }
    Ok(variables)
}

/// The variable at the beginning of `text`, if any, and what follows its line.
fn entry(text: &str, line: usize) -> Result<(Option<Variable>, &str), Malformed> {
    let malformed = |problem| Malformed { line, problem };
    let (first, next) = text.split_once('\n').unwrap_or((text, ""));
    let content = first.trim();
    if content.is_empty() || content.starts_with('#') {
        return Ok((None, next));
    }
    let equals = first.find('=').ok_or(malformed("must be NAME=VALUE"))?;
    let name = first[..equals].trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || !name.chars().all(letter) {
        return Err(malformed("must be NAME=VALUE, a name of letters, digits and _"));
    }
    let written = text[equals + 1..].trim_start_matches([' ', '\t']);
    let (value, after) = match written.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (value, tail) =
                quoted(&written[1..], quote).ok_or(malformed("has a quote that never ends"))?;
            (value, next_line(tail).ok_or(malformed("has text after the closing quote"))?)
        }
        _ => (unquoted(&first[equals + 1..]), next),
    };
    Ok((Some(Variable { name: name.into(), value, line }), after))
}

/// What follows the line, when nothing but a comment is left on it.
fn next_line(tail: &str) -> Option<&str> {
    let (tail, next) = tail.split_once('\n').unwrap_or((tail, ""));
    let tail = tail.trim();
    (tail.is_empty() || tail.starts_with('#')).then_some(next)
}

fn unquoted(text: &str) -> String {
    let comment = text
        .char_indices()
        .find(|(at, c)| *c == '#' && text[..*at].chars().next_back().is_none_or(char::is_whitespace));
    text[..comment.map_or(text.len(), |(at, _)| at)].trim().into()
}

/// The value up to its closing quote, and what follows that.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((value, &text[at + c.len_utf8()..])),
            '\\' if quote == '"' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                c @ ('"' | '\\' | '$') => value.push(c),
                other => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String, usize)> {
        parse(text).unwrap().into_iter().map(|v| (v.name, v.value, v.line)).collect()
    }

    #[test]
    fn plain_lines_comments_and_export() {
        let text =
            "\u{feff}# a comment\n\nA=1\n export B = two words # why \r\nC=a#b\nD=\nE= # nothing\nF=x=y";
        let expected = [
            ("A", "1", 3),
            ("B", "two words", 4),
            ("C", "a#b", 5),
            ("D", "", 6),
            ("E", "", 7),
            ("F", "x=y", 8),
        ];
        assert_eq!(pairs(text), expected.map(|(n, v, l)| (n.to_owned(), v.to_owned(), l)));
    }

    #[test]
    fn quotes_keep_spaces_comments_and_lines() {
        let text = "A=' # $x \\n' # why\nB=\"a\\n\\\"b\\\" \\$ \\x\"\nC=\"1\n2\"\nD=4\n";
        let expected = [("A", " # $x \\n", 1), ("B", "a\n\"b\" $ \\x", 2), ("C", "1\n2", 3), ("D", "4", 5)];
        assert_eq!(pairs(text), expected.map(|(n, v, l)| (n.to_owned(), v.to_owned(), l)));
    }

    #[test]
    fn what_is_malformed_is_named_by_line_and_not_shown() {
        for (text, line) in
            [("A=1\nsecret", 2), ("=x", 1), ("A B=1", 1), ("\n\nA=\"x", 3), ("A='x' y", 1), ("A=\"\\", 1)]
        {
            let malformed = parse(text).unwrap_err();
            assert_eq!(malformed.line, line, "{text}");
            assert!(!malformed.problem.contains("secret"));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*|[A=\"'\\\\#\n $x]*") {
            let _ = parse(&text);
        }

        #[test]
        fn any_value_can_be_written_in_double_quotes(value in "[^\0]*") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(&parse(&format!("A=\"{escaped}\"")).unwrap()[0].value, &value);
        }
    }
}
