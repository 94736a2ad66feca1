//! A channel as a client names it, before it is known who asks.

use super::Kind;

/// Each document has its own words for its channels; rules of access are written in them.
///
/// Rooms, conversations, groups and public channels of one name and realm are one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// A Tusk or NEXUS room.
    Room(&'a str),
    /// A Gator or NEXUS conversation.
    Conversation(&'a str),
    /// An SGE group, without `group:`.
    Group(&'a str),
    /// An AegisX public channel, without `public:`.
    Public(&'a str),
    /// An AegisX channel of a tenant, by its whole name.
    Tenant(&'a str),
    /// An AegisX channel of one user's notifications, by its whole name.
    Notifications(&'a str),
    /// An SGE channel without a kind.
    Named(&'a str),
    /// What a user is told: SGE's `user:`.
    Inbox(&'a str),
    /// What is said to and by a user: SGE's `chat:`.
    Chat(&'a str),
    /// Changes of a user's presence.
    Presence(&'a str),
    /// What everybody is told.
    System,
    /// No channel of the dialect.
    Foreign(&'a str),
}

impl<'a> Address<'a> {
    /// The kind of the channel, and its id within the kind; `None`: there is no such channel.
    pub const fn channel(self) -> Option<(Kind, &'a str)> {
        match self {
            Self::Room(id) | Self::Conversation(id) | Self::Group(id) | Self::Public(id) => {
                Some((Kind::Room, id))
            }
            Self::Tenant(id) | Self::Notifications(id) | Self::Named(id) => Some((Kind::Topic, id)),
            Self::Inbox(user) | Self::Chat(user) => Some((Kind::User, user)),
            Self::Presence(user) => Some((Kind::Presence, user)),
            Self::System | Self::Foreign(_) => None,
        }
    }
}

/// How a client calls a channel, apart from its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    Room,
    Conversation,
    Group,
    Public,
    Tenant,
    Notifications,
    Named,
    Inbox,
    Chat,
    Presence,
    System,
    Foreign,
}

impl Wording {
    /// The kind of the channels that are called so.
    pub const fn kind(self) -> Kind {
        match self.of("").channel() {
            Some((kind, _)) => kind,
            // Nobody is a member of these.
            None => Kind::Topic,
        }
    }

    /// The address of that id.
    pub const fn of(self, id: &str) -> Address<'_> {
        match self {
            Self::Room => Address::Room(id),
            Self::Conversation => Address::Conversation(id),
            Self::Group => Address::Group(id),
            Self::Public => Address::Public(id),
            Self::Tenant => Address::Tenant(id),
            Self::Notifications => Address::Notifications(id),
            Self::Named => Address::Named(id),
            Self::Inbox => Address::Inbox(id),
            Self::Chat => Address::Chat(id),
            Self::Presence => Address::Presence(id),
            Self::System => Address::System,
            Self::Foreign => Address::Foreign(id),
        }
    }
}

impl Address<'_> {
    /// How the channel is called, without its id.
    pub const fn wording(self) -> Wording {
        match self {
            Self::Room(_) => Wording::Room,
            Self::Conversation(_) => Wording::Conversation,
            Self::Group(_) => Wording::Group,
            Self::Public(_) => Wording::Public,
            Self::Tenant(_) => Wording::Tenant,
            Self::Notifications(_) => Wording::Notifications,
            Self::Named(_) => Wording::Named,
            Self::Inbox(_) => Wording::Inbox,
            Self::Chat(_) => Wording::Chat,
            Self::Presence(_) => Wording::Presence,
            Self::System => Wording::System,
            Self::Foreign(_) => Wording::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wording_makes_the_same_address_again() {
        for address in [
            Address::Room("x"),
            Address::Conversation("x"),
            Address::Group("x"),
            Address::Public("x"),
            Address::Tenant("x"),
            Address::Notifications("x"),
            Address::Named("x"),
            Address::Inbox("x"),
            Address::Chat("x"),
            Address::Presence("x"),
            Address::System,
            Address::Foreign("x"),
        ] {
            assert_eq!(address.wording().of("x"), address);
        }
    }
}
