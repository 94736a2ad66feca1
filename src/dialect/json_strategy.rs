//! JSON that the tests of several dialects send: any, with what is hard to read and to write in its strings and keys, and
//! whatever may be given for one member.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MAX_REQUEST_BYTES, Since};
use crate::model::{Epoch, Position};

pub fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a\"\\\\{}\\[\\],: \n]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        let key = prop_oneof!["[ab\"\\\\é ]{0,3}|message|data|channel", any::<String>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What may be given for `since`, and what it means.
pub fn sinces() -> Vec<(Value, Option<Since>)> {
    let at = |epoch, seq| Some(Since::At(Position { epoch: Epoch(epoch), seq }));
    let mut all = vec![
        (Value::Null, None),
        (json!("00000000000000ab:7"), at(0xab, 7)),
        (json!("ffffffffffffffff:18446744073709551615"), at(u64::MAX, u64::MAX)),
        (json!("0000000000000000:0"), at(0, 0)),
    ];
    let foreign = ["", ":", "e:5", "00000000000000AB:7", "ffffffffffffffff:18446744073709551616", "0815"];
    all.extend(foreign.map(|text| (text.into(), Some(Since::Unreadable))));
    all.push(("0".repeat(500).into(), Some(Since::Unreadable)));
    all
}

/// What a client may call its message, and what is understood.
pub fn requests() -> Vec<(Value, Option<String>)> {
    let mut all = vec![(Value::Null, None), (json!(""), None)];
    let longest = "é".repeat(MAX_REQUEST_BYTES / 2);
    for name in ["1", "67e55044-10b1-426f-9247-bb680e5fe0c8", "a\"\\\n\0 😀", &longest] {
        all.push((name.into(), Some(name.to_owned())));
    }
    all
}

/// One that is too long by a byte.
pub fn long_request() -> String {
    format!("{}x", "é".repeat(MAX_REQUEST_BYTES / 2))
}

/// What is no string, and not absent either.
pub fn no_strings() -> [Value; 6] {
    [json!(5), json!(-1.5), json!(true), json!([]), json!(["x"]), json!({"a": "x"})]
}
