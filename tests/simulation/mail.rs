//! The check of private messages to users who come and go: each device hears each once and in order, what
//! waited goes to one device, and only the oldest of too many are given up.

use std::collections::{BTreeMap, BTreeSet};

/// What is known of one message that its sender was told is sent.
#[derive(Clone, Copy, Debug)]
struct Letter {
    number: u32,
    queued: bool,
    delivered: bool,
    sender: usize,
}

#[derive(Debug, Default)]
struct Letters {
    /// By the server's number: the order at home.
    letters: BTreeMap<u64, Letter>,
    /// By our number: how many devices heard it.
    heard: BTreeMap<u32, usize>,
    /// Fed to the server, whatever became of it.
    fed: usize,
}

#[derive(Debug, Default)]
pub struct Mail {
    users: BTreeMap<String, Letters>,
    /// By the server's number: whom it is for.
    known: BTreeMap<u64, String>,
}

impl Mail {
    pub fn fed(&mut self, to: &str) {
        self.users.entry(to.into()).or_default().fed += 1;
    }

    /// A sender was told that its message is sent.
    pub fn sent(
        &mut self,
        to: &str,
        id: u64,
        number: u32,
        queued: bool,
        sender: usize,
    ) -> Result<(), String> {
        if self.known.insert(id, to.into()).is_some() {
            return Err(format!("the id m{id:x} was given twice"));
        }
        let letter = Letter { number, queued, delivered: false, sender };
        self.users.entry(to.into()).or_default().letters.insert(id, letter);
        Ok(())
    }

    /// A sender was told that its message was delivered.
    pub fn delivered(&mut self, id: u64, sender: usize) -> Result<(), String> {
        let to = self.known.get(&id).ok_or_else(|| format!("m{id:x} was delivered before it was sent"))?;
        let letters = self.users.get_mut(to).map(|b| &mut b.letters);
        let letter = letters.and_then(|l| l.get_mut(&id)).ok_or("no such letter")?;
        if letter.sender != sender {
            return Err(format!("m{id:x}: somebody else was told of its delivery"));
        }
        match std::mem::replace(&mut letter.delivered, true) {
            true => Err(format!("m{id:x} was delivered twice")),
            false => Ok(()),
        }
    }

    /// A device of that user heard a message.
    pub fn heard(&mut self, user: &str, number: u32) {
        *self.users.entry(user.into()).or_default().heard.entry(number).or_default() += 1;
    }

    /// When all is quiet, and everybody has a device: nothing waits any more, and what was given up was the
    /// oldest of more than `keep`. `alive`: senders that were told all there is to tell.
    pub fn all_settled(&self, keep: usize, alive: &BTreeSet<usize>) -> Result<(), String> {
        for (user, mail) in &self.users {
            let unknown = mail.fed - mail.letters.len();
            let candidates: Vec<_> = mail.letters.iter().filter(|(_, l)| l.queued).collect();
            for (id, letter) in &mail.letters {
                let heard = mail.heard.get(&letter.number).copied().unwrap_or(0);
                if letter.queued && heard > 1 {
                    return Err(format!("{user}: m{id:x} waited, and {heard} devices heard it"));
                }
                if letter.delivered || !alive.contains(&letter.sender) {
                    continue;
                }
                let newer = candidates.iter().filter(|(other, _)| *other > id).count();
                if !letter.queued || heard > 0 || newer + unknown < keep {
                    return Err(format!("{user}: m{id:x} ({letter:?}) was lost, {newer} newer ones waited"));
                }
            }
        }
        Ok(())
    }
}
