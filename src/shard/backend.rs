//! A shard as REST sees it: questions to homes, and who somebody is.

use std::sync::Arc;
use std::time::Duration;

use super::event_loop::Shard;
use crate::api::{Backend, Who};
use crate::model::{ChannelName, Code, Dialect, MessageId, Op, Principal, Refusal, Reply, Target};

/// How long a home may take to answer a REST call. Lanes are microseconds long: a home that needs longer is
/// not well.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

const NO_ANSWER: Refusal = Refusal::new(Code::Unavailable, "a shard did not answer in time");

impl Backend for Shard {
    async fn ask(&self, name: ChannelName, op: Op, who: Who) -> Result<Reply, Refusal> {
        let home = self.shared.home(&name);
        let answer = self.core.borrow_mut().call(home, Target::Named(name), op, who);
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(reply)) => Ok(reply),
            _ => Err(NO_ANSWER),
        }
    }

    async fn ask_all(&self, op: Op, who: Who) -> Result<Vec<Reply>, Refusal> {
        let answers: Vec<_> = (0..self.shared.shards)
            .map(|home| self.core.borrow_mut().call(home, Target::Shard, op.clone(), who.clone()))
            .collect();
        let gathered = async {
            let mut replies = Vec::with_capacity(answers.len());
            for answer in answers {
                replies.push(answer.await.map_err(|_| NO_ANSWER)?);
            }
            Ok(replies)
        };
        tokio::time::timeout(ANSWER_TIMEOUT, gathered).await.unwrap_or(Err(NO_ANSWER))
    }

    fn identify(&self, dialect: Dialect, token: &str) -> Result<Arc<Principal>, Refusal> {
        if dialect == Dialect::Aegisx {
            return self.shared.member(token, self.unix_secs()).map(Arc::new);
        }
        let realm = self.shared.rules(dialect).realm;
        self.shared.credentials.identify(token, realm, self.unix_secs()).map(Arc::new)
    }

    fn is_draining(&self) -> bool {
        self.door.is_shut()
    }

    fn message_id(&self) -> MessageId {
        self.core.borrow_mut().draw_id()
    }

    fn now_ms(&self) -> u64 {
        self.shared.clock.now().unix_ms
    }
}
