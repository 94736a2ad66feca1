//! What a room allows, and what may be told of it.

use std::sync::Arc;

/// A room's settings (TUS-24 to TUS-28). The default is a room that came to be by being joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSettings {
    /// Connections that may be members at once; 0: as many as the configuration allows.
    pub max_members: usize,
    /// `false`: not listed, and joined only by those permitted.
    pub public: bool,
    /// `true`: only moderators speak.
    pub moderated: bool,
    /// Asked for at joining.
    pub password: Option<Arc<str>>,
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self { max_members: 0, public: true, moderated: false, password: None }
    }
}

impl RoomSettings {
    /// Whether anybody may speak in it without being a member.
    pub fn is_open(&self) -> bool {
        self.public && !self.moderated && self.password.is_none()
    }
}

/// What a listing shows of a room; never its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomInfo {
    pub name: Arc<str>,
    pub member_count: usize,
    /// The number that is enforced; 0: none.
    pub max_members: usize,
    pub public: bool,
    pub moderated: bool,
    pub has_password: bool,
}
