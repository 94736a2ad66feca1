//! A user whose roster changes all the time: after a crash it is as it was after some change, none of those that were
//! acknowledged left out.

use std::net::SocketAddr;

use serde_json::json;

use super::wire::Wire;
use crate::support::Sge;

/// Contacts that take turns.
const CONTACTS: u64 = 20;

#[derive(Debug, Default)]
pub struct Roster {
    /// The last change that was answered, and the last that was asked for.
    answered: u64,
    asked: u64,
}

const NAME: &str = "keeper";

impl Roster {
    /// The tail of the store was cut off.
    pub fn cut(&mut self) {
        self.answered = 0;
    }

    pub async fn check(&mut self, address: SocketAddr) -> Option<Wire> {
        let (mut wire, _) = Wire::open(address, Sge, &Sge.path_with(NAME, NAME)).await?;
        wire.send(&json!({ "type": "RosterGet", "id": "check" })).await?;
        let roster = wire.until(&json!({ "type": "Roster", "id": "check" }), |_| ()).await?;
        let mut found: Vec<(String, u64)> = roster["contacts"]
            .as_array()
            .expect("contacts")
            .iter()
            .map(|c| {
                (c["user_id"].to_string(), c["name"].as_str().expect("a name").parse().expect("a number"))
            })
            .collect();
        found.sort_by_key(|(_, change)| *change);
        let last = found.last().map_or(0, |(_, change)| *change);
        assert!(
            (self.answered..=self.asked).contains(&last),
            "the roster is that of change {last}: {self:?}"
        );
        let wanted = (last.saturating_sub(CONTACTS) + 1..=last)
            .map(|change| (format!("\"c{}\"", change % CONTACTS), change));
        assert_eq!(found, wanted.collect::<Vec<_>>());
        (self.answered, self.asked) = (last, last);
        Some(wire)
    }

    /// Changes it until the server is gone; how many changes were answered.
    pub async fn storm(&mut self, wire: Option<Wire>) -> u64 {
        let before = self.answered;
        if let Some(mut wire) = wire {
            while self.change(&mut wire).await.is_some() {}
        }
        self.answered - before
    }

    async fn change(&mut self, wire: &mut Wire) -> Option<()> {
        let change = self.asked + 1;
        self.asked = change;
        let contact = json!({ "user_id": format!("c{}", change % CONTACTS), "name": change.to_string() });
        wire.send(&json!({ "type": "RosterUpdate", "id": change, "contact": contact })).await?;
        wire.until(&json!({ "type": "Roster", "id": change }), |_| ()).await?;
        self.answered = change;
        Some(())
    }
}
