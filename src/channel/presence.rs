//! How a user is, and what others were last told of it.
//!
//! Others are told once per user and turn of the loop, however often it changed meanwhile: a storm of comings
//! and goings costs one announcement each, and one who is back at once is not told of at all.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{Cause, Presence, ReplyTo, Showing, Status};

/// Changes of one user that are remembered (SGE-48).
const HISTORY_MAX: usize = 50;

/// The presence of one user at home.
#[derive(Debug)]
pub struct Shown {
    status: Status,
    message: Option<Arc<str>>,
    location: Option<Arc<str>>,
    at_ms: u64,
    /// Others know that it has a device.
    told_there: bool,
    told_status: Status,
    /// The user has said something that was not told yet.
    said: bool,
    /// Whose shard tells the user's rooms, when those are all that is told.
    from: Option<ReplyTo>,
    history: VecDeque<Presence>,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            status: Status::Offline,
            message: None,
            location: None,
            at_ms: 0,
            told_there: false,
            told_status: Status::Offline,
            said: false,
            from: None,
            history: VecDeque::new(),
        }
    }
}

impl Shown {
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether it ever was there, or said how it is.
    pub fn is_known(&self) -> bool {
        self.at_ms != 0
    }

    pub fn presence(&self, user: &Arc<str>) -> Presence {
        Presence {
            user: user.clone(),
            status: self.status,
            message: self.message.clone(),
            location: self.location.clone(),
            at_ms: self.at_ms,
        }
    }

    /// The first device came.
    pub fn came(&mut self, at_ms: u64, from: ReplyTo) {
        self.status = Status::Online;
        self.at_ms = at_ms;
        self.from = Some(from);
    }

    /// The last device went; its words went with it.
    pub fn went(&mut self, at_ms: u64, from: ReplyTo) {
        (self.status, self.message, self.location) = (Status::Offline, None, None);
        self.at_ms = at_ms;
        self.said = false;
        self.from = Some(from);
    }

    /// The user says how it is.
    pub fn say(&mut self, user: &Arc<str>, showing: Showing, at_ms: u64, from: ReplyTo) {
        self.status = showing.status.unwrap_or(self.status);
        (self.message, self.location) = (showing.message, showing.location);
        self.at_ms = at_ms;
        self.said = true;
        self.from = Some(from);
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(self.presence(user));
    }

    /// How it is, and behind that its own changes, the newest first: what is written down.
    pub fn account(&self, user: &Arc<str>) -> Vec<Presence> {
        let mut account = vec![self.presence(user)];
        account.extend(self.history());
        account
    }

    /// What was written down. Whoever was there before a restart is not there after it.
    pub fn recall(&mut self, account: Vec<Presence>) {
        let mut account = account.into_iter();
        self.at_ms = account.next().map_or(0, |last| last.at_ms);
        self.history = account.take(HISTORY_MAX).collect();
        self.history.make_contiguous().reverse();
    }

    /// Its own changes, the newest first.
    pub fn history(&self) -> Vec<Presence> {
        self.history.iter().rev().cloned().collect()
    }

    /// What others are to be told now, and whose shard tells the rooms; from here on they know. `there`: it
    /// has a device.
    pub fn untold(&mut self, there: bool) -> Option<(Vec<Cause>, Option<ReplyTo>)> {
        let changed = self.status != self.told_status;
        let mut causes = Vec::new();
        match (self.told_there, there) {
            (false, true) => {
                causes.push(Cause::Came);
                if self.status != Status::Online {
                    causes.push(Cause::Said { changed: true });
                }
            }
            (true, false) => causes.push(Cause::Went),
            _ if self.said || (there && changed) => causes.push(Cause::Said { changed }),
            _ => {}
        }
        (self.told_there, self.told_status, self.said) = (there, self.status, false);
        (!causes.is_empty()).then(|| (causes, self.from.take()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: ReplyTo = ReplyTo::Nobody { shard: 0 };

    fn told(shown: &mut Shown, there: bool) -> Vec<Cause> {
        shown.untold(there).map_or(Vec::new(), |(causes, _)| causes)
    }

    fn status(status: Status) -> Showing {
        Showing { status: Some(status), ..Showing::default() }
    }

    #[test]
    fn many_changes_of_a_turn_are_told_once() {
        let (user, mut shown) = ("u".into(), Shown::default());
        shown.came(1, FROM);
        assert_eq!(told(&mut shown, true), [Cause::Came]);
        for s in [Status::Away, Status::Busy, Status::Away] {
            shown.say(&user, status(s), 2, FROM);
        }
        assert_eq!(told(&mut shown, true), [Cause::Said { changed: true }]);
        shown.say(&user, status(Status::Away), 3, FROM);
        assert_eq!(told(&mut shown, true), [Cause::Said { changed: false }]);
        assert_eq!(told(&mut shown, true), []);
        assert_eq!(shown.history().len(), 4, "but each is remembered");
    }

    #[test]
    fn one_who_is_back_at_once_is_not_told_of() {
        let mut shown = Shown::default();
        shown.came(1, FROM);
        told(&mut shown, true);
        shown.went(2, FROM);
        shown.came(2, FROM);
        assert_eq!(told(&mut shown, true), []);
        shown.went(3, FROM);
        assert_eq!(told(&mut shown, false), [Cause::Went]);
        shown.came(4, FROM);
        shown.went(4, FROM);
        assert_eq!(told(&mut shown, false), []);
    }

    #[test]
    fn one_who_comes_and_is_busy_is_told_as_both() {
        let (user, mut shown) = ("u".into(), Shown::default());
        shown.came(1, FROM);
        shown.say(&user, status(Status::Busy), 1, FROM);
        assert_eq!(told(&mut shown, true), [Cause::Came, Cause::Said { changed: true }]);
    }

    #[test]
    fn history_is_bounded_and_newest_first() {
        let (user, mut shown) = ("u".into(), Shown::default());
        for n in 0..HISTORY_MAX as u64 + 5 {
            shown.say(&user, Showing::default(), n, FROM);
        }
        let history = shown.history();
        assert_eq!((history.len(), history[0].at_ms), (HISTORY_MAX, HISTORY_MAX as u64 + 4));
    }
}
