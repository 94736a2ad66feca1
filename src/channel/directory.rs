//! Who is online at this home, by realm and tenant: what listings read without a walk over all channels.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Dialect, RealmId};

/// Dense lists of places; a user remembers where it stands, so that going is a swap.
#[derive(Debug, Default)]
pub struct Directory {
    lists: HashMap<(RealmId, Arc<str>), Vec<u32>>,
    by_realm: [usize; Dialect::ALL.len()],
}

impl Directory {
    /// Enters the user at that place of the home, and says where in the list it stands.
    pub fn enter(&mut self, realm: RealmId, tenant: &Arc<str>, slot: u32) -> u32 {
        let list = self.lists.entry((realm, tenant.clone())).or_default();
        list.push(slot);
        self.by_realm[usize::from(realm.0)] += 1;
        (list.len() - 1) as u32
    }

    /// Takes out who stands there. Another one that moves to its place is returned.
    pub fn leave(&mut self, realm: RealmId, tenant: &Arc<str>, at: u32) -> Option<u32> {
        let key = (realm, tenant.clone());
        let list = self.lists.get_mut(&key)?;
        if (at as usize) < list.len() {
            list.swap_remove(at as usize);
            self.by_realm[usize::from(realm.0)] -= 1;
        }
        let moved = list.get(at as usize).copied();
        if list.is_empty() {
            self.lists.remove(&key);
        }
        moved
    }

    /// The places of those online in a tenant.
    pub fn online(&self, realm: RealmId, tenant: &Arc<str>) -> &[u32] {
        self.lists.get(&(realm, tenant.clone())).map_or(&[], Vec::as_slice)
    }

    /// Users online in one realm.
    pub fn total_in(&self, realm: RealmId) -> usize {
        self.by_realm[usize::from(realm.0)]
    }

    /// Users online in all realms.
    pub fn total(&self) -> usize {
        self.by_realm.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_leaves_the_others_where_they_can_be_found() {
        let (mut directory, tenant): (_, Arc<str>) = (Directory::default(), "t".into());
        let places: Vec<_> = (10..13).map(|slot| directory.enter(RealmId(0), &tenant, slot)).collect();
        assert_eq!((places, directory.total()), (vec![0, 1, 2], 3));
        assert_eq!(directory.leave(RealmId(0), &tenant, 0), Some(12), "the last one moved there");
        assert_eq!(directory.online(RealmId(0), &tenant), [12, 11]);
        assert_eq!(directory.leave(RealmId(0), &tenant, 1), None);
        assert_eq!(directory.leave(RealmId(0), &tenant, 0), None);
        assert!(directory.lists.is_empty() && directory.total() == 0);
        assert_eq!(directory.leave(RealmId(1), &tenant, 0), None);
    }
}
