//! What clients say: handed to the server, and remembered as far as the checks need it.

use lanecast::model::{Address, Dialect, Epoch, Position};
use lanecast::ws::Flow;

use crate::client::{Asked, Request, Role};
use crate::places::Stopped;
use crate::plan::inbox;
use crate::world::World;

impl World {
    /// Hands the oldest message of a client to the server.
    pub fn feed(&mut self, client: usize) -> Result<(), String> {
        let Some(mut request) = self.clients[client].unsent.pop_front() else { return Ok(()) };
        if self.clients[client].leaves_anyway()
            && matches!(request, Request::Leave(_))
            && self.clients[client].awaits(Asked::Leave)
        {
            // Whoever leaves twice is answered at once the second time, and ahead of the first.
            request = Request::Garbage("{");
        }
        let text = self.word(client, &request);
        let key = self.clients[client].key;
        let core = self.core(key.shard as usize);
        core.heard(key, text.len());
        let flow = match request {
            Request::Binary => core.binary(key, text.as_bytes()),
            _ => core.text(key, &mut text.into_bytes()),
        };
        let paused = core.conn(key).is_some_and(lanecast::conn::Conn::is_paused);
        match paused == (flow == Flow::Pause) {
            true => Ok(()),
            false => Err(format!("the answer was {flow:?}, and paused is {paused}")),
        }
    }

    /// The words of a request in its client's dialect, and what has to be remembered of it.
    fn word(&mut self, client: usize, request: &Request) -> String {
        match request {
            Request::Join(room) => self.word_join(client, room),
            Request::Leave(room) => {
                self.clients[client].ask(Asked::Leave);
                if self.is_in(client, room) {
                    let c = &mut self.clients[client];
                    let unheard = c.unheard.remove(*room).unwrap_or_default();
                    c.leaving.push_back(((*room).into(), unheard));
                }
                match self.clients[client].dialect {
                    Dialect::Nexus => format!(r#"{{"event_type":"room.leave","room_id":"{room}"}}"#),
                    Dialect::Gator => {
                        format!(r#"{{"type":"leave_conversation","conversation_id":"{room}"}}"#)
                    }
                    Dialect::Aegisx => {
                        format!(r#"{{"type":"leave_channel","data":{{"channel":"public:{room}"}}}}"#)
                    }
                    Dialect::Sge => format!(r#"{{"type":"Unsubscribe","channel":"group:{room}"}}"#),
                    _ => format!(r#"{{"type":"leave_room","room":"{room}"}}"#),
                }
            }
            Request::Publish(room) => self.word_publish(client, room),
            Request::Direct(to) => self.word_direct(client, to),
            Request::Auth(name) => {
                let since = self.witness.len(&inbox(name));
                let c = &mut self.clients[client];
                if name.is_empty() {
                    c.ask(Asked::EmptyAuth);
                } else {
                    c.ask(Asked::Auth);
                    if let Some(before) = c.who.replace(name.clone()) {
                        self.mail.ended(&before);
                    }
                    let c = &mut self.clients[client];
                    c.authenticating.push_back((name.clone(), since));
                }
                format!(r#"{{"type":"auth","token":"{name}"}}"#)
            }
            Request::Presence(status) => format!(r#"{{"type":"presence","status":"{status}"}}"#),
            Request::Ping => {
                self.clients[client].ask(Asked::Ping);
                match self.clients[client].dialect {
                    Dialect::Nexus => r#"{"event_type":"ping"}"#.into(),
                    Dialect::Sge => r#"{"type":"Ping"}"#.into(),
                    _ => r#"{"type":"ping"}"#.into(),
                }
            }
            Request::Garbage(text) => {
                self.clients[client].ask(Asked::Garbage);
                (*text).into()
            }
            Request::Binary => {
                self.clients[client].ask(Asked::Garbage);
                "\0".into()
            }
        }
    }

    fn word_join(&mut self, client: usize, room: &'static str) -> String {
        let since = self.witness.len(room);
        let stopped = self.stopped(client, room);
        let c = &mut self.clients[client];
        c.joining.push_back((room, c.solo && c.who.is_some(), since, stopped));
        c.ask(Asked::Join);
        let from = stopped.map_or_else(String::new, |at| {
            format!(r#","since":"{}""#, Position { epoch: Epoch(0), seq: at.seq })
        });
        match c.dialect {
            Dialect::Nexus => format!(r#"{{"event_type":"room.join","room_id":"{room}"{from}}}"#),
            Dialect::Gator => {
                format!(r#"{{"type":"join_conversation","conversation_id":"{room}"{from}}}"#)
            }
            Dialect::Aegisx => {
                format!(r#"{{"type":"join_channel","data":{{"channel":"public:{room}"}}}}"#)
            }
            Dialect::Sge => format!(r#"{{"type":"Subscribe","channel":"group:{room}"{from}}}"#),
            _ => format!(r#"{{"type":"join_room","room":"{room}"{from}}}"#),
        }
    }

    /// Whether its shard knows a client as a member of a room.
    fn is_in(&self, client: usize, room: &str) -> bool {
        let key = self.clients[client].key;
        let conn = self.cores[key.shard as usize].conn(key);
        conn.is_some_and(|conn| conn.member_of(Address::Room(room)).is_some())
    }

    /// Where a client that comes into a room says it stopped: at times where it, or another one, did.
    fn stopped(&mut self, client: usize, room: &str) -> Option<Stopped> {
        let c = &self.clients[client];
        let is_in = c.stays.contains_key(room) || c.joining.iter().any(|(joining, ..)| *joining == room);
        // AegisX leaves out what one has said oneself, and so numbers.
        let may = !is_in && c.role == Role::Visitor && c.dialect != Dialect::Aegisx;
        let stopped = self.numbers.stopped(room);
        if !may || stopped.is_empty() || !self.dice.percent(60) {
            return None;
        }
        // Mostly not long ago.
        let among = if self.dice.percent(70) { stopped.len().min(3) } else { stopped.len() };
        let back = self.dice.below(among);
        Some(Stopped { seq: stopped[stopped.len() - 1 - back], unread: self.unread() })
    }

    fn word_publish(&mut self, client: usize, room: &str) -> String {
        let (dialect, is_in) = (self.clients[client].dialect, self.is_in(client, room));
        if dialect == Dialect::Nexus && !is_in {
            // In the words that are said to those who leave without being in.
            self.clients[client].ask(Asked::Leave);
            return format!(r#"{{"event_type":"room.broadcast","room_id":"{room}","message":"0"}}"#);
        }
        let (number, body) = self.number(client, room.to_owned());
        if is_in && self.clients[client].ear(client).but_of.is_none() {
            self.clients[client].unheard.entry(room.into()).or_default().insert(number);
        }
        let text = format!("{number} {body}");
        match dialect {
            Dialect::Nexus => {
                format!(r#"{{"event_type":"room.broadcast","room_id":"{room}","message":"{text}"}}"#)
            }
            Dialect::Gator => {
                format!(r#"{{"type":"send_message","conversation_id":"{room}","content":"{text}"}}"#)
            }
            Dialect::Aegisx => format!(
                r#"{{"type":"send_message","data":{{"channel":"public:{room}","message":"{text}"}}}}"#
            ),
            Dialect::Sge => format!(
                r#"{{"type":"ChatMessage","message":{{"to":"{room}","message":"{text}","message_type":"groupchat"}}}}"#
            ),
            _ => format!(r#"{{"type":"broadcast","room":"{room}","message":"{text}"}}"#),
        }
    }

    fn word_direct(&mut self, client: usize, to: &'static str) -> String {
        if self.clients[client].who.is_none() {
            self.clients[client].ask(Asked::GuestDirect);
            return format!(r#"{{"type":"private_message","to":"{to}","message":"0"}}"#);
        }
        let (number, body) = self.number(client, inbox(to));
        self.mail.fed(to, number, self.step);
        let c = &mut self.clients[client];
        c.ask(Asked::Direct);
        c.directs.entry(to).or_default().push_back(number);
        format!(r#"{{"type":"private_message","to":"{to}","message":"{number} {body}"}}"#)
    }

    /// The number of a new message, and something to go with it: lengths differ.
    fn number(&mut self, client: usize, channel: String) -> (u32, String) {
        self.messages.push((channel, client));
        self.witness.said(client);
        let len = if self.dice.percent(30) { self.dice.below(600) } else { self.dice.below(20) };
        (self.messages.len() as u32 - 1, "x".repeat(len))
    }
}
