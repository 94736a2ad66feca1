//! Whom a user keeps on a list (SGE-38).

use std::sync::Arc;

/// One entry of a roster. Whether the contact is there, its own home knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    pub user: Arc<str>,
    pub name: Option<Box<str>>,
    pub groups: Vec<Box<str>>,
}
