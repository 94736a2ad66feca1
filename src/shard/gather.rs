//! Answers that no single home has: each shard is asked, and the connection waits for all of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::core::Core;
use crate::conn::{Gathered, Gathering, Wait};
use crate::dialect::{Saying, Stats};
use crate::lane::Notify;
use crate::model::{ConnKey, Op, Presence, Principal, Reply, Status, Target};

/// Names in one list of those online; it says how many there are when they are more.
const ONLINE_MAX: usize = 1000;

impl<N: Notify> Core<N> {
    /// Asks every shard.
    pub(super) fn begin_gathering(&mut self, key: ConnKey, what: Gathering) {
        let shards = self.shared.shards;
        let Some(conn) = self.conn_mut(key) else { return };
        let dialect = conn.variant.dialect;
        let tenant = conn.who.as_ref().map_or_else(|| Principal::DEFAULT_TENANT.into(), |w| w.tenant.clone());
        let of: Option<Arc<[Arc<str>]>> = match &what {
            Gathering::Among(users) => Some(users.clone()),
            Gathering::Roster { contacts, .. } => Some(contacts.iter().map(|c| c.user.clone()).collect()),
            Gathering::Greeting | Gathering::Stats => None,
        };
        let realm = self.shared.rules(dialect).realm;
        let op = match &what {
            Gathering::Stats => Op::CountConnections { dialect },
            _ => Op::ListUsers { realm, tenant, of },
        };
        let gathered = Gathered {
            what,
            left: shards,
            users: Vec::new(),
            total: 0,
            by_channel: Vec::new(),
            by_tenant: Vec::new(),
        };
        if let Some(conn) = self.conn_mut(key) {
            conn.wait = Some(Box::new(Wait::Gather(gathered)));
        }
        for home in 0..shards {
            self.ask(key, home, Target::Shard, op.clone(), None);
        }
    }

    /// One shard's answer.
    pub(super) fn gather(&mut self, key: ConnKey, mut gathered: Gathered, reply: Reply) {
        match reply {
            Reply::Users { users, total } => {
                gathered.users.extend(users);
                gathered.total += total;
            }
            Reply::Counts { by_tenant, by_channel } => {
                by_tenant.into_iter().for_each(|(tenant, n)| add(&mut gathered.by_tenant, tenant, n));
                by_channel.into_iter().for_each(|(name, n)| add(&mut gathered.by_channel, name, n));
            }
            other => {
                // Of something sent before; the gathering goes on.
                if let Some(conn) = self.conn_mut(key) {
                    conn.wait = Some(Box::new(Wait::Gather(gathered)));
                }
                return self.answer_unawaited(key, None, other);
            }
        }
        gathered.left -= 1;
        if gathered.left > 0 {
            if let Some(conn) = self.conn_mut(key) {
                conn.wait = Some(Box::new(Wait::Gather(gathered)));
            }
            return;
        }
        self.say_gathered(key, gathered);
        self.resumed.push(key);
    }

    fn say_gathered(&mut self, key: ConnKey, gathered: Gathered) {
        let Gathered { what, users, total, by_channel, by_tenant, .. } = gathered;
        match what {
            Gathering::Greeting => {
                let names = names(users);
                let position = self.conn(key).and_then(|conn| conn.peer.resume.as_ref()?.position);
                let saying = Saying::Online { users: &names, total: total.max(names.len()), position };
                if let Some(frame) = self.worded(key, &saying, None) {
                    self.greet(key, frame);
                }
            }
            Gathering::Among(_) => {
                let names = names(users.into_iter().filter(|u| u.status != Status::Offline));
                self.tell(key, &Saying::Online { users: &names, total: names.len(), position: None }, None);
            }
            Gathering::Roster { contacts, tag } => {
                let known: HashMap<_, _> = users.into_iter().map(|u| (u.user, u.status)).collect();
                let status = |contact: &Arc<str>| known.get(contact).copied();
                let roster: Vec<_> = contacts
                    .into_iter()
                    .map(|c| {
                        let status = status(&c.user).unwrap_or(Status::Offline);
                        (c, status)
                    })
                    .collect();
                self.tell(key, &Saying::Roster(&roster), tag.as_deref());
            }
            Gathering::Stats => {
                let total = by_tenant.iter().map(|(_, n)| n).sum();
                let stats = Stats { total, by_tenant, by_channel };
                self.tell(key, &Saying::Stats(&stats), None);
            }
        }
    }

    /// Says the first words, before all that has come meanwhile.
    pub(super) fn greet(&mut self, key: ConnKey, frame: bytes::Bytes) {
        let (conns, _, mut queueing) = self.queueing();
        // Nothing follows a Close frame (RFC 6455 section 5.5.1).
        let Some(conn) = conns.get_mut(key.index as usize).filter(|c| c.key == key && c.is_open()) else {
            return;
        };
        conn.ungreeted = false;
        conn.outbox.push_front(std::rc::Rc::new(frame), queueing.pool);
        queueing.mark(conn);
        self.counters.deliveries.inc();
    }
}

/// Adds to a figure of that name.
fn add(figures: &mut Vec<(Arc<str>, usize)>, name: Arc<str>, n: usize) {
    match figures.iter_mut().find(|(known, _)| *known == name) {
        Some((_, sum)) => *sum += n,
        None => figures.push((name, n)),
    }
}

fn names(users: impl IntoIterator<Item = Presence>) -> Vec<Arc<str>> {
    users.into_iter().map(|u| u.user).take(ONLINE_MAX).collect()
}
