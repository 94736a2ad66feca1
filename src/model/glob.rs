//! Patterns over the names of channels: `*` is any run of characters, `?` is one, all else is itself.
//!
//! A name is walked once, whatever the pattern: the places in the pattern that the name may have reached are
//! the bits of one integer. No pattern and no name, however they were made, costs more than that walk.

use std::fmt;

use thiserror::Error;

/// A compiled pattern. It matches whole names; characters are Unicode scalar values, case counts, and nothing
/// escapes a wildcard, because no name needs one in it to be told from others.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob {
    text: Box<str>,
    /// What stands before the first wildcard: compared, which tells most names apart at once.
    head: Box<str>,
    /// For each character of the rest, by character: the places at which it stands.
    literals: Vec<(char, u128)>,
    /// The places of `?`.
    any: u128,
    /// The places at which a `*` lets the name go on for a while.
    runs: u128,
    /// The place behind the last character: how many there are, without `*`.
    end: u32,
}

/// The pattern has more than [`Glob::REST_MAX`] characters from its first wildcard on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("more than {} characters, without *, from the first wildcard on", Glob::REST_MAX)]
pub struct GlobTooLong;

impl Glob {
    /// Characters from the first wildcard on, `*` not counted: one bit is for each, and one for the end. What
    /// stands before may be of any length.
    pub const REST_MAX: u32 = u128::BITS - 1;

    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`GlobTooLong`]; every other text is a pattern.
    pub fn new(text: &str) -> Result<Self, GlobTooLong> {
        let (head, rest) = text.split_at(text.find(['*', '?']).unwrap_or(text.len()));
        let mut glob =
            Self { text: text.into(), head: head.into(), literals: Vec::new(), any: 0, runs: 0, end: 0 };
        for c in rest.chars() {
            let place = 1 << glob.end;
            if c == '*' {
                glob.runs |= place;
                continue;
            }
            if glob.end == Self::REST_MAX {
                return Err(GlobTooLong);
            }
            glob.end += 1;
            match glob.literals.binary_search_by_key(&c, |(known, _)| *known) {
                _ if c == '?' => glob.any |= place,
                Ok(at) => glob.literals[at].1 |= place,
                Err(at) => glob.literals.insert(at, (c, place)),
            }
        }
        Ok(glob)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole name.
    pub fn matches(&self, name: impl IntoIterator<Item = char>) -> bool {
        self.reached(name) & (1 << self.end) != 0
    }

    /// Whether it matches any name that begins with `prefix` and goes on.
    pub fn goes_on(&self, prefix: &str) -> bool {
        let beyond = self.head.strip_prefix(prefix).is_some_and(|head| !head.is_empty());
        let places = self.reached(prefix.chars());
        beyond || places & !(1 << self.end) != 0 || places & self.runs != 0
    }

    /// The places of the rest at which one may be behind the name; none when it does not fit.
    fn reached(&self, name: impl IntoIterator<Item = char>) -> u128 {
        let mut name = name.into_iter();
        if self.head.chars().any(|c| name.next() != Some(c)) {
            return 0;
        }
        let mut places = 1;
        for c in name {
            places = ((places & self.taking(c)) << 1) | (places & self.runs);
            if places == 0 {
                break;
            }
        }
        places
    }

    /// The places that `c` leads on from.
    fn taking(&self, c: char) -> u128 {
        let found = self.literals.binary_search_by_key(&c, |(known, _)| *known);
        self.any | found.map_or(0, |at| self.literals[at].1)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Glob").field(&self.text).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(glob: &str, name: &str) -> bool {
        Glob::new(glob).expect("short enough").matches(name.chars())
    }

    /// The definition, by trying everything.
    fn oracle(glob: &[char], name: &[char]) -> bool {
        match (glob, name) {
            ([], []) => true,
            (['*', rest @ ..], _) => oracle(rest, name) || (!name.is_empty() && oracle(glob, &name[1..])),
            (['?', rest @ ..], [_, name @ ..]) => oracle(rest, name),
            ([c, rest @ ..], [d, name @ ..]) => c == d && oracle(rest, name),
            _ => false,
        }
    }

    #[test]
    fn wildcards_and_all_else() {
        for (glob, yes, no) in [
            ("", &[""][..], &["a"][..]),
            ("*", &["", "a", "room:x", "é\n"], &[]),
            ("?", &["a", "é", "\n"], &["", "ab"]),
            (
                "room:staff-*",
                &["room:staff-", "room:staff-7"],
                &["room:staff", "aroom:staff-7", "Room:staff-7"],
            ),
            ("*-7", &["-7", "-7-7"], &["7", "-77"]),
            ("a*b*c", &["abc", "aXbYc", "abcbc"], &["ab", "acb", "abcd"]),
            ("a**?", &["ab", "abb"], &["a"]),
            ("[a-z]\\*", &["[a-z]\\", "[a-z]\\x"], &["b*", "[a-z]*"]),
            ("a.b", &["a.b"], &["axb"]),
        ] {
            for name in yes {
                assert!(matches(glob, name), "{glob} {name}");
            }
            for name in no {
                assert!(!matches(glob, name), "{glob} {name}");
            }
        }
    }

    #[test]
    fn the_length_is_bounded_behind_the_first_wildcard_only() {
        let most = Glob::REST_MAX as usize;
        let head = "h".repeat(1000);
        for wild in ["?".repeat(most), format!("*{}", "a".repeat(most)), "*a".repeat(most) + "*"] {
            let glob = Glob::new(&format!("{head}{wild}")).expect("at the limit");
            assert!(glob.matches(format!("{head}{}", "a".repeat(most)).chars()), "{wild}");
            assert!(!glob.matches(format!("{head}{}", "a".repeat(most - 1)).chars()), "{wild}");
            assert_eq!(Glob::new(&format!("{head}{wild}a")), Err(GlobTooLong));
        }
        assert!(Glob::new(&head).is_ok() && Glob::new(&"*".repeat(1000)).is_ok());
    }

    /// What makes a matcher that goes back and tries again run for longer than the universe did.
    #[test]
    fn a_hostile_pattern_costs_one_walk() {
        let glob = Glob::new(&("a*".repeat(127) + "b")).expect("short enough");
        let name = "a".repeat(1 << 20);
        assert!(!glob.matches(name.chars()));
        assert!(glob.matches(name.chars().chain(['b'])));
    }

    #[test]
    fn it_is_known_which_names_it_can_still_match() {
        for glob in ["*", "room:*", "room:x", "room*", "r??m:*", "*x", "room:?", "*:x", "?oom*"] {
            assert!(Glob::new(glob).unwrap().goes_on("room:"), "{glob}");
        }
        for glob in ["", "room:", "room", "rooms:x", "attic:*", "?", "?????", "r*y:", "Room:x"] {
            let goes_on = Glob::new(glob).unwrap().goes_on("room:");
            // Where a run may swallow the prefix and go on, what follows can be anything.
            assert_eq!(goes_on, glob == "r*y:", "{glob}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_definition(glob in "[ab:*?é]{0,10}", name in "[ab:é*]{0,10}") {
            let (g, n): (Vec<_>, Vec<_>) = (glob.chars().collect(), name.chars().collect());
            prop_assert_eq!(matches(&glob, &name), oracle(&g, &n));
        }

        #[test]
        fn going_on_agrees_with_the_definition(glob in "[ab*?]{0,5}", prefix in "[ab]{0,3}") {
            let compiled = Glob::new(&glob).unwrap();
            let g: Vec<_> = glob.chars().collect();
            // Any longer rest that matches has one of at most the pattern's length that does, too.
            let mut rests: Vec<String> = vec![String::new()];
            let mut found = false;
            for _ in 0..5 {
                rests = rests.iter().flat_map(|r| [format!("{r}a"), format!("{r}b")]).collect();
                found |= rests.iter().any(|r| oracle(&g, &format!("{prefix}{r}").chars().collect::<Vec<_>>()));
            }
            prop_assert_eq!(compiled.goes_on(&prefix), found);
        }
    }
}
