//! What is known to have been said in a channel, each under its number: somebody was told so.

use std::collections::{BTreeMap, HashMap, HashSet};

#[derive(Debug, Default)]
pub struct Channel {
    said: BTreeMap<u64, String>,
    /// Events that were told to those who came back.
    pub told: u64,
}

impl Channel {
    /// Somebody heard that. Whoever hears the same number hears the same.
    pub fn heard(&mut self, name: &str, seq: u64, text: &str) {
        let known = self.said.entry(seq).or_insert_with(|| text.to_owned());
        assert_eq!(known, text, "{name}: two are told different things under number {seq}");
    }

    pub fn all(&self) -> Vec<(u64, String)> {
        self.said.iter().map(|(seq, text)| (*seq, text.clone())).collect()
    }

    /// The server told all that is behind `after`, up to `head`: no number is left out or comes twice, and what
    /// somebody was told before is there as it was then.
    pub fn found(&mut self, name: &str, after: u64, head: u64, told: &[(u64, String)]) {
        let numbers: Vec<u64> = told.iter().map(|(seq, _)| *seq).collect();
        let wanted: Vec<u64> = (after + 1..=head).collect();
        assert_eq!(numbers, wanted, "{name}: from {after} to {head}");
        let known = self.said.last_key_value().map_or(0, |(seq, _)| *seq);
        assert!(head >= known, "{name}: {known} was told, and now the last is {head}");
        self.told += told.len() as u64;
        for (seq, text) in told {
            self.heard(name, *seq, text);
        }
        self.check(name);
    }

    /// Numbers were lost: what is left must be the beginning of what there was, and behind it is only what was said
    /// since.
    pub fn cut(&mut self, name: &str, head: u64, told: &[(u64, String)]) {
        let is_as_it_was =
            |(seq, text): &&(u64, String)| self.said.get(seq).is_none_or(|before| before == text);
        let left = told.iter().take_while(is_as_it_was).count();
        let from = told.get(left).map_or(head + 1, |(seq, _)| *seq);
        let lost: HashSet<&String> = self.said.range(from..).map(|(_, text)| text).collect();
        let out_of_order = told[left..].iter().find(|(_, text)| lost.contains(text));
        assert_eq!(out_of_order, None, "{name}: what was before it is lost");
        self.said.clear();
        self.found(name, 0, head, told);
    }

    /// Nothing is there twice, and whoever spoke is heard in the order in which it spoke.
    fn check(&self, name: &str) {
        let mut last: HashMap<&str, u64> = HashMap::new();
        for text in self.said.values() {
            let (who, number) = author(text);
            if let Some(before) = last.insert(who, number) {
                assert!(before < number, "{name}: {who} said {number} after {before}");
            }
        }
    }
}

/// Who said that, and its how-manieth word it was.
pub fn author(text: &str) -> (&str, u64) {
    let (who, number) = text.split_once('#').unwrap_or_else(|| panic!("nobody said {text:?}"));
    (who, number.parse().expect("a number"))
}
