//! One rule of the configuration, compiled: which channels it is for, and who may do what in them.

use crate::model::{Dialect, Glob, Principal};

/// What can be done with a channel, as far as a rule can grant it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// To join it, to hear it, and to see that it is there.
    Subscribe,
    /// To speak in it. In a moderated channel that still takes a moderator: its home knows.
    Publish,
    /// To make it.
    Manage,
}

impl Verb {
    pub const ALL: [Self; 3] = [Self::Subscribe, Self::Publish, Self::Manage];
}

/// A set of [`Verb`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants([bool; Verb::ALL.len()]);

impl Grants {
    pub const fn contains(self, verb: Verb) -> bool {
        self.0[verb as usize]
    }
}

impl FromIterator<Verb> for Grants {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> Self {
        let mut grants = Self::default();
        for verb in verbs {
            grants.0[verb as usize] = true;
        }
        grants
    }
}

/// One entry of a rule's `who`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Someone {
    /// Everybody with that role. Roles come from credentials alone.
    Role(Box<str>),
    /// The user of that id, in whichever tenant.
    User(Box<str>),
}

impl Someone {
    /// `names_count`: an id counts although no credential vouches for it.
    fn is(&self, who: &Principal, names_count: bool) -> bool {
        match self {
            Self::Role(role) => who.has_role(role),
            Self::User(user) => (who.verified || names_count) && *who.user == **user,
        }
    }
}

/// A rule that says something about the channels it matches, whoever asks.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `None`: of whichever dialect.
    pub dialect: Option<Dialect>,
    /// Over `kind:id`.
    pub channel: Glob,
    /// `None`: everyone, guests too.
    pub who: Option<Vec<Someone>>,
    /// What those may do.
    pub allow: Grants,
    /// What all others may do.
    pub otherwise: Grants,
}

impl Rule {
    /// What it grants to that one; a guest (`None`) is nobody whom `who` could name.
    pub(super) fn grants(&self, who: Option<&Principal>, names_count: bool) -> Grants {
        let meant = self.who.as_ref().is_none_or(|listed| {
            who.is_some_and(|who| listed.iter().any(|someone| someone.is(who, names_count)))
        });
        if meant { self.allow } else { self.otherwise }
    }
}
