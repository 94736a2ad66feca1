//! Members of a JSON object as they were written, byte for byte.
//!
//! The text has been found to be JSON before: nothing is checked here, and nothing said of other text.

/// One member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    /// With its quotes and escapes.
    pub key: &'a str,
    pub value: &'a str,
}

impl Member<'_> {
    /// Whether the key, its escapes undone, is that name.
    pub fn is_named(&self, name: &str) -> bool {
        match self.key.contains('\\') {
            false => self.key.get(1..self.key.len().saturating_sub(1)) == Some(name),
            true => serde_json::from_str::<String>(self.key).is_ok_and(|key| key == name),
        }
    }
}

/// The members of the object that `json` is, in their order.
pub(crate) fn members(json: &str) -> impl Iterator<Item = Member<'_>> {
    let mut at = skip_space(json, 0) + 1;
    std::iter::from_fn(move || {
        at = skip_space(json, at);
        if json.as_bytes().get(at) != Some(&b'"') {
            return None;
        }
        let key = json.get(at..skip_value(json, at))?;
        // Behind the colon.
        let start = skip_space(json, skip_space(json, at + key.len()) + 1);
        let end = skip_value(json, start);
        // Behind the comma, or else the closing brace, where no member begins.
        at = skip_space(json, end) + 1;
        json.get(start..end).map(|value| Member { key, value })
    })
}

/// The raw value of the last member of that name in the object that `json` is; `None`: there is none.
pub(crate) fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    members(json).filter(|member| member.is_named(name)).last().map(|member| member.value)
}

/// The same of several names, in one pass.
pub(crate) fn named<'a, const N: usize>(json: &'a str, names: [&str; N]) -> [Option<&'a str>; N] {
    let mut values = [None; N];
    for member in members(json) {
        if let Some(n) = names.iter().position(|name| member.is_named(name)) {
            values[n] = Some(member.value);
        }
    }
    values
}

fn skip_space(json: &str, mut at: usize) -> usize {
    let bytes = json.as_bytes();
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The place behind the value that begins there.
fn skip_value(json: &str, start: usize) -> usize {
    let bytes = json.as_bytes();
    let mut depth = 0usize;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = skip_string(bytes, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

fn skip_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn values_come_as_they_were_written() {
        let json = r#" { "a" : [1, {"b":"]}"}] ,"b":"x\"y" , "c": 1.50,"d":{} , "\u0065": null, "a":true }"#;
        for (name, want) in [
            ("a", Some("true")),
            ("b", Some(r#""x\"y""#)),
            ("c", Some("1.50")),
            ("d", Some("{}")),
            ("e", Some("null")),
            ("f", None),
            ("]}", None),
        ] {
            assert_eq!(member(json, name), want, "{name}");
            assert_eq!(named(json, [name, "z"]), [want, None], "{name}");
        }
        for empty in ["{}", " { } ", "{\n}"] {
            assert_eq!(member(empty, "a"), None);
        }
    }

    #[test]
    fn members_come_in_their_order_with_their_keys() {
        let json = r#" { "a" : [1, 2] ,"\u0061":{"a":3},"b\"":"" } "#;
        let found: Vec<_> = members(json).map(|member| (member.key, member.value)).collect();
        assert_eq!(found, [(r#""a""#, "[1, 2]"), (r#""\u0061""#, r#"{"a":3}"#), (r#""b\"""#, r#""""#)]);
        assert!(members(json).map(|member| member.is_named("a")).eq([true, true, false]));
        assert!(members(json).any(|member| member.is_named("b\"")));
    }

    #[test]
    fn what_is_no_json_harms_nobody() {
        let json = r#"{"a":[1,{"b":"\\\""}],"é":"é"}"#;
        for end in 0..json.len() {
            if let Some(part) = json.get(..end) {
                for name in ["a", "b", "é"] {
                    let _ = member(part, name);
                }
            }
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a\"\\\\{}\\[\\],: \n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[ab\"\\\\]{0,2}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_parser(
            members in proptest::collection::btree_map("[ab\"\\\\é]{0,2}", value(), 0..5),
            pretty in any::<bool>(),
        ) {
            let object = Value::Object(members.clone().into_iter().collect());
            let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) };
            let text = text.expect("JSON");
            for (name, want) in &members {
                let raw = member(&text, name).expect("it is there");
                prop_assert_eq!(&serde_json::from_str::<Value>(raw).expect("JSON"), want);
            }
            prop_assert_eq!(member(&text, "absent"), None);
        }
    }
}
