//! How somebody says something: within the user's window, as one of the conversation where the dialect makes
//! speakers so, and to whoever is to hear it.

use std::sync::Arc;

use uuid::Uuid;

use super::core::Core;
use crate::channel::NOT_A_SPEAKER;
use crate::conn::{Conn, Gathering, Joining, Step};
use crate::dialect::{Order, Speech};
use crate::lane::Notify;
use crate::model::{
    Address, ChannelName, CloseReason, Code, ConnKey, Detail, Dialect, Echo, Event, Except, JoinManner, Kind,
    Manner, Op, Principal, Refusal, Target, Verbatim,
};

pub(super) const NOT_IN_CONVERSATION: Refusal = Refusal::new(Code::Forbidden, "Not a member of conversation");

impl<N: Notify> Core<N> {
    pub(super) fn request_publish(
        &mut self,
        key: ConnKey,
        place: Address<'_>,
        speech: &Speech<'_>,
        tag: Option<Arc<str>>,
    ) -> Result<(), Refusal> {
        let Some(conn) = self.conn(key) else { return Ok(()) };
        let dialect = conn.variant.dialect;
        let rules = self.shared.rules(dialect);
        let joined = conn.member_of(place).map(|j| j.channel);
        let joins = match (dialect, speech.manner) {
            (Dialect::Nexus, Manner::Broadcast) if joined.is_none() => return Err(NOT_A_SPEAKER),
            (Dialect::Nexus, Manner::Talk) => true,
            // In production one speaks where one is (ruling G7).
            (Dialect::Gator, _) if joined.is_none() && rules.require_auth => return Err(NOT_IN_CONVERSATION),
            _ => false,
        };
        let op = Op::Publish {
            from: other_than(conn, speech.from),
            text: speech.text.as_ref().into(),
            detail: detail_of(dialect, speech),
            member: joined.is_some(),
            echo: echo_of(dialect),
            // `chat.delivered` is of chat (NEX-23).
            confirm: joins,
            request: speech.request.map(Into::into),
        };
        let unlimited = rules.window.limit == 0;
        match joined {
            // The usual way: nothing to wait for.
            Some(channel) if unlimited && speech.persona.is_none() => {
                self.ask(key, channel.home as usize, Target::Known(channel), op, tag);
            }
            _ => {
                let Some(name) = self.channel_name(key, place) else { return Ok(()) };
                if unlimited && !joins && speech.persona.is_none() {
                    self.ask_named(key, name, op, tag);
                    return Ok(());
                }
                let mut steps = Vec::with_capacity(4);
                if joins && joined.is_none() {
                    steps.push(Step::Join(standing(place, &name, tag.clone())));
                }
                let room = name.id.clone();
                steps.push(Step::Send { name, op: Box::new(op), tag: tag.clone() });
                if let Some(persona) = speech.persona {
                    let text = speech.text.as_ref().into();
                    steps.push(Step::AskPersona { persona: persona.into(), room, text });
                }
                if !unlimited {
                    let else_skip = steps.len();
                    steps.insert(0, Step::Grant { else_skip, tag });
                }
                self.plan(key, steps);
            }
        }
        Ok(())
    }

    pub(super) fn request_direct(
        &mut self,
        key: ConnKey,
        to: &str,
        speech: &Speech<'_>,
        tag: Option<Arc<str>>,
    ) {
        let Some(conn) = self.conn(key) else { return };
        let dialect = conn.variant.dialect;
        let unlimited = self.shared.rules(dialect).window.limit == 0;
        let (text, detail) = (speech.text.as_ref().into(), detail_of(dialect, speech));
        let request = speech.request.map(Into::into);
        // In SGE the sender's own devices hear it too (SGE-23).
        let (target, op) = match dialect {
            Dialect::Sge => {
                let own = conn.who.as_ref().map(|who| who.user.clone()).unwrap_or_default();
                // A service speaks for others (ruling S10).
                let from = speech.from.unwrap_or(&own);
                (
                    self.channel_name(key, Address::Inbox(from)),
                    Op::SendFrom { to: to.into(), text, detail, request },
                )
            }
            _ => (self.channel_name(key, Address::Chat(to)), Op::SendDirect { text, detail, request }),
        };
        let Some(name) = target else { return };
        if unlimited {
            return self.ask_named(key, name, op, tag);
        }
        let send = Step::Send { name, op: Box::new(op), tag: tag.clone() };
        self.plan(key, [Step::Grant { else_skip: 1, tag }, send]);
    }

    /// What an administrator ordered (ruling A11).
    pub(super) fn administer(&mut self, key: ConnKey, order: Order<'_>) -> Result<(), Refusal> {
        let realm = self.shared.rules(Dialect::Aegisx).realm;
        let said = |json: &str| Event::Custom { dialect: Dialect::Aegisx, json: json.into() };
        let all = |tenant: Option<Arc<str>>, event| Op::AnnounceAll { realm, tenant, event };
        let here = usize::from(self.index);
        match order {
            Order::Stats => self.plan(key, [Step::Gather(Gathering::Stats)]),
            Order::Broadcast { message } => {
                self.ask(key, here, Target::Shard, all(None, said(message)), None)
            }
            Order::BroadcastTenant { tenant, message } => {
                self.ask(key, here, Target::Shard, all(Some(tenant.into()), said(message)), None);
            }
            Order::Notify { tenant, user, notification } => {
                let event = said(&format!("{{\"type\":\"notification\",\"data\":{notification}}}"));
                let (tenant, id) = (tenant.into(), user.into());
                let name = ChannelName { realm, tenant, kind: Kind::User, id };
                self.ask_named(key, name, Op::Announce { event, except: Except::Nobody }, None);
            }
            Order::Disconnect { connection } => {
                let no_id =
                    || Refusal::new(Code::InvalidField, "Field \"connectionId\" must be a connection's id");
                let connection = Uuid::try_parse(connection).map_err(|_| no_id())?;
                for home in 0..self.shared.shards {
                    self.ask(key, home, Target::Shard, Op::Disconnect { connection }, None);
                }
            }
        }
        Ok(())
    }

    /// In open mode somebody without a credential takes a name.
    pub(super) fn become_named(&mut self, key: ConnKey, name: &str) {
        let taken = name.starts_with(Principal::GUEST_PREFIX);
        if name.is_empty() || name.len() > crate::dialect::MAX_NAME_BYTES || taken {
            return;
        }
        let who = Arc::new(Principal::named(name, self.shared.rules(Dialect::Sge).realm));
        match self.takes_places(key, &who) {
            true => self.become_user(key, who, true),
            false => self.close(key, CloseReason::TooManyConnections),
        }
    }
}

/// One of the conversation by speaking in it (ruling N2).
fn standing(place: Address<'_>, name: &ChannelName, tag: Option<Arc<str>>) -> Joining {
    Joining {
        manner: JoinManner::Standing,
        // Who may not be in it does not speak in it either.
        else_skip: 1,
        tag,
        ..Joining::quietly(name.id.clone(), place.wording())
    }
}

fn echo_of(dialect: Dialect) -> Echo {
    match dialect {
        Dialect::Aegisx => Echo::Never,
        Dialect::Gator | Dialect::Sge => Echo::Always,
        _ => Echo::Member,
    }
}

/// For whom something is said, if for somebody else: services may (ruling S10).
pub(super) fn other_than(conn: &Conn, from: Option<&str>) -> Option<Arc<str>> {
    let own = conn.who.as_ref().map(|who| &*who.user);
    from.filter(|from| own != Some(from)).map(Arc::from)
}

/// What a message has besides its text; nothing for most.
fn detail_of(dialect: Dialect, speech: &Speech<'_>) -> Option<Box<Detail>> {
    let plain = speech.manner == Manner::Talk && speech.mentions.is_empty() && speech.verbatim.is_none();
    let detail = || Detail {
        manner: speech.manner,
        verbatim: speech.verbatim.clone().map(|json| Verbatim { dialect, json }),
        mentions: once_each(&speech.mentions),
    };
    (!plain).then(|| Box::new(detail()))
}

/// Whoever is named twice is told once.
fn once_each(mentions: &[&str]) -> Vec<Arc<str>> {
    let mut named: Vec<Arc<str>> = Vec::new();
    for mention in mentions {
        if !named.iter().any(|known| **known == **mention) {
            named.push(Arc::from(*mention));
        }
    }
    named
}
