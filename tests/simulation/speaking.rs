//! What clients say: handed to the server, and remembered as far as the checks need it.

use lanecast::ws::Flow;

use crate::client::{Asked, Request};
use crate::plan::inbox;
use crate::world::World;

impl World {
    /// Hands the oldest message of a client to the server.
    pub fn feed(&mut self, client: usize) -> Result<(), String> {
        let Some(request) = self.clients[client].unsent.pop_front() else { return Ok(()) };
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

    /// The text of a request, and what has to be remembered of it.
    fn word(&mut self, client: usize, request: &Request) -> String {
        match request {
            Request::Join(room) => {
                let since = self.witness.len(room);
                let c = &mut self.clients[client];
                c.joining.push_back((room, c.solo && c.who.is_some(), since));
                c.ask(Asked::Join);
                format!(r#"{{"type":"join_room","room":"{room}"}}"#)
            }
            Request::Leave(room) => {
                self.clients[client].ask(Asked::Leave);
                format!(r#"{{"type":"leave_room","room":"{room}"}}"#)
            }
            Request::Publish(room) => {
                let (number, body) = self.number(client, (*room).to_owned());
                format!(r#"{{"type":"broadcast","room":"{room}","message":"{number} {body}"}}"#)
            }
            Request::Direct(to) => self.word_direct(client, to),
            Request::Auth(name) => {
                let since = self.witness.len(&inbox(name));
                let c = &mut self.clients[client];
                if name.is_empty() {
                    c.ask(Asked::EmptyAuth);
                } else {
                    c.ask(Asked::Auth);
                    c.who = Some(name.clone());
                    c.authenticating.push_back((name.clone(), since));
                }
                format!(r#"{{"type":"auth","token":"{name}"}}"#)
            }
            Request::Presence(status) => format!(r#"{{"type":"presence","status":"{status}"}}"#),
            Request::Ping => {
                self.clients[client].ask(Asked::Ping);
                r#"{"type":"ping"}"#.into()
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
        *self.fed.entry(channel.clone()).or_default() += 1;
        self.messages.push((channel, client));
        let len = if self.dice.percent(30) { self.dice.below(600) } else { self.dice.below(20) };
        (self.messages.len() as u32 - 1, "x".repeat(len))
    }
}
