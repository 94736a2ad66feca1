//! The check of private messages to users who come and go: each device hears each once and in order, what
//! waited goes to one device, or, when that ends before it has it, to those that are still there, and only the
//! oldest of too many are given up.

use std::collections::{BTreeMap, BTreeSet};

use lanecast::model::MessageId;

/// What is known of one message that its sender was told is sent.
#[derive(Clone, Copy, Debug)]
pub struct Letter {
    pub number: u32,
    pub queued: bool,
    pub delivered: bool,
    pub sender: usize,
    /// The step at which its sender was told so.
    pub sent_at: u64,
}

#[derive(Debug, Default)]
struct Letters {
    /// By the server's id, which says nothing of the order at home.
    letters: BTreeMap<MessageId, Letter>,
    /// By our number: the devices that heard it.
    heard: BTreeMap<u32, BTreeSet<usize>>,
    /// Devices that ended, after which what they were handed may go to several.
    ends: usize,
    /// By our number: the step at which it was fed to the server, whatever became of it.
    fed: BTreeMap<u32, u64>,
}

impl Letters {
    /// Whether `other` may have come to the user's home after that letter: it was not acknowledged before the
    /// letter was even said, and is no earlier one of the same sender.
    fn may_be_newer(&self, other: &Letter, letter: &Letter) -> bool {
        let said_at = self.fed.get(&letter.number).copied().unwrap_or_default();
        let earlier = other.sender == letter.sender && other.number <= letter.number;
        !earlier && other.sent_at >= said_at
    }
}

#[derive(Debug, Default)]
pub struct Mail {
    users: BTreeMap<String, Letters>,
    /// By the server's id: whom it is for.
    known: BTreeMap<MessageId, String>,
}

impl Mail {
    pub fn fed(&mut self, to: &str, number: u32, step: u64) {
        self.users.entry(to.into()).or_default().fed.insert(number, step);
    }

    /// The server did not take it.
    pub fn refused(&mut self, to: &str, number: u32) {
        self.users.entry(to.into()).or_default().fed.remove(&number);
    }

    /// A sender was told that its message is sent.
    pub fn sent(&mut self, to: &str, id: MessageId, letter: Letter) -> Result<(), String> {
        if self.known.insert(id, to.into()).is_some() {
            return Err(format!("the id {id} was given twice"));
        }
        self.users.entry(to.into()).or_default().letters.insert(id, letter);
        Ok(())
    }

    /// A sender was told that its message was delivered.
    pub fn delivered(&mut self, id: MessageId, sender: usize) -> Result<(), String> {
        let to = self.known.get(&id).ok_or_else(|| format!("{id} was delivered before it was sent"))?;
        let letters = self.users.get_mut(to).map(|b| &mut b.letters);
        let letter = letters.and_then(|l| l.get_mut(&id)).ok_or("no such letter")?;
        if letter.sender != sender {
            return Err(format!("{id}: somebody else was told of its delivery"));
        }
        match std::mem::replace(&mut letter.delivered, true) {
            true => Err(format!("{id} was delivered twice")),
            false => Ok(()),
        }
    }

    /// A device of that user heard a message.
    pub fn heard(&mut self, user: &str, number: u32, device: usize) -> Result<(), String> {
        let heard = self.users.entry(user.into()).or_default().heard.entry(number).or_default();
        heard.insert(device).then_some(()).ok_or_else(|| format!("{user} got {number} twice on one device"))
    }

    /// A device that heard something of what waited has ended: whether it had it all may not be known.
    pub fn ended(&mut self, user: &str) {
        self.users.entry(user.into()).or_default().ends += 1;
    }

    /// Whether a device of that user has ended.
    pub fn has_ended(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(|mail| mail.ends > 0)
    }

    /// When all is quiet, and everybody has a device: nothing waits any more, and what was given up was the
    /// oldest of more than `keep`. `alive`: senders that were told all there is to tell.
    pub fn all_settled(&self, keep: usize, alive: &BTreeSet<usize>) -> Result<(), String> {
        for (user, mail) in &self.users {
            let unknown = mail.fed.len() - mail.letters.len();
            let candidates: Vec<_> = mail.letters.values().filter(|l| l.queued).collect();
            for (id, letter) in &mail.letters {
                let heard = mail.heard.get(&letter.number).map_or(0, BTreeSet::len);
                if letter.queued && heard > 1 && mail.ends == 0 {
                    return Err(format!("{user}: {id} waited, and {heard} devices heard it"));
                }
                if letter.delivered || !alive.contains(&letter.sender) {
                    continue;
                }
                let newer = candidates.iter().filter(|other| mail.may_be_newer(other, letter)).count();
                // A device that ended while it was handed something may have heard it and not said so.
                let unsaid = heard > 0 && mail.ends == 0;
                if !letter.queued || unsaid || newer + unknown < keep {
                    return Err(format!("{user}: {id} ({letter:?}) was lost, {newer} newer ones waited"));
                }
            }
        }
        Ok(())
    }
}
