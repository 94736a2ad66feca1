//! The words of a chat completion service: the question as JSON, and the answer out of JSON.

use serde::Deserialize;
use serde_json::json;

use crate::config::limits::PERSONA_ANSWER_CHARS;

/// What is asked: one message, without what was said before it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The persona, which the service knows as a model.
    pub persona: &'a str,
    /// Who asks.
    pub user: &'a str,
    pub text: &'a str,
}

impl Question<'_> {
    /// The request's body.
    pub fn to_json(self) -> String {
        json!({
            "model": self.persona,
            "messages": [{ "role": "user", "content": self.text }],
            "stream": false,
            "user": self.user,
        })
        .to_string()
    }
}

/// Why a body is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It is no JSON with a text at `choices[0].message.content`.
    Unreadable,
    /// The text is empty, or longer than [`PERSONA_ANSWER_CHARS`] code points.
    Unusable,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Said {
    content: String,
}

/// The text of the first choice.
///
/// # Errors
/// As [`NoAnswer`] says.
pub fn answer(body: &[u8]) -> Result<String, NoAnswer> {
    let completion: Completion = serde_json::from_slice(body).map_err(|_| NoAnswer::Unreadable)?;
    let first = completion.choices.into_iter().next().ok_or(NoAnswer::Unreadable)?;
    let text = first.message.content;
    let fits = !text.trim().is_empty() && text.chars().nth(PERSONA_ANSWER_CHARS).is_none();
    if fits { Ok(text) } else { Err(NoAnswer::Unusable) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn saying(text: &str) -> String {
        json!({"id": "x", "object": "chat.completion", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}},
        ], "usage": {"total_tokens": 3}})
        .to_string()
    }

    #[test]
    fn a_question_is_one_message_of_its_asker() {
        let question = Question { persona: "p\"1", user: "ann", text: "Who\nare you? \u{1F40A}" };
        let want = json!({
            "model": "p\"1",
            "messages": [{"role": "user", "content": "Who\nare you? \u{1F40A}"}],
            "stream": false,
            "user": "ann",
        });
        assert_eq!(question.to_json().parse::<Value>().expect("JSON"), want);
    }

    #[test]
    fn the_first_choice_is_the_answer() {
        assert_eq!(answer(saying("I am.").as_bytes()), Ok("I am.".into()));
        let two = r#"{"choices":[{"message":{"content":"a"}},{"message":{"content":"b"}}]}"#;
        assert_eq!(answer(two.as_bytes()), Ok("a".into()));
    }

    #[test]
    fn an_answer_has_at_most_so_many_code_points_and_at_least_a_word() {
        let most = "\u{1F40A}".repeat(PERSONA_ANSWER_CHARS);
        assert_eq!(answer(saying(&most).as_bytes()), Ok(most.clone()));
        assert_eq!(answer(saying(&(most + ".")).as_bytes()), Err(NoAnswer::Unusable));
        for empty in ["", " \n\t"] {
            assert_eq!(answer(saying(empty).as_bytes()), Err(NoAnswer::Unusable));
        }
    }

    #[test]
    fn what_has_no_text_there_is_no_answer() {
        for body in [
            "",
            "null",
            "[]",
            "\"I am\"",
            "<html></html>",
            "{}",
            r#"{"choices":null}"#,
            r#"{"choices":[]}"#,
            r#"{"choices":{"0":{"message":{"content":"a"}}}}"#,
            r#"{"choices":[{}]}"#,
            r#"{"choices":[{"text":"a"}]}"#,
            r#"{"choices":[{"message":"a"}]}"#,
            r#"{"choices":[{"message":{"role":"assistant"}}]}"#,
            r#"{"choices":[{"message":{"content":null}}]}"#,
            r#"{"choices":[{"message":{"content":7}}]}"#,
            r#"{"choices":[{"message":{"content":[{"type":"text","text":"a"}]}}]}"#,
            r#"{"choices":[{"message":{"content":"a"}}]} and more"#,
            r#"{"choices":[{"message":{"content":"\ud800"}}]}"#,
        ] {
            assert_eq!(answer(body.as_bytes()), Err(NoAnswer::Unreadable), "{body}");
        }
        let deep = ["{\"choices\":".to_owned(), "[".repeat(100_000)].concat();
        assert_eq!(answer(deep.as_bytes()), Err(NoAnswer::Unreadable));
    }

    #[test]
    fn a_body_cut_anywhere_is_no_answer() {
        let whole = saying("h\u{e9}llo");
        for end in 0..whole.len() {
            assert_eq!(answer(&whole.as_bytes()[..end]), Err(NoAnswer::Unreadable), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_said_arrives(persona in ".*", user in ".*", text in "[^ ].{0,200}") {
            let asked: Value = Question { persona: &persona, user: &user, text: &text }.to_json().parse().unwrap();
            prop_assert_eq!(&asked["model"], &persona);
            prop_assert_eq!(&asked["user"], &user);
            prop_assert_eq!(&asked["messages"][0]["content"], &text);
            prop_assume!(!text.trim().is_empty());
            prop_assert_eq!(answer(saying(&text).as_bytes()), Ok(text));
        }

        #[test]
        fn no_bytes_are_a_trap(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = answer(&body);
        }
    }
}
