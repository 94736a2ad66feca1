//! What a store keeps, in rows and bytes: nothing of it is a word of a dialect or of the model.
//!
//! [`Store`] is the narrow place where another database could stand. The one that ships is
//! [`Sqlite`](super::sqlite::Sqlite); an obvious one in memory is its tests' oracle.

use std::borrow::Cow;

use super::StoreError;

/// Sixteen bytes that name something.
pub type Id = [u8; 16];

/// Whose rows they are: a channel by names that mean the same after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner<'a> {
    pub realm: &'a str,
    pub tenant: &'a str,
    pub kind: u8,
    pub name: &'a str,
}

/// Kinds of rows that the store itself treats apart; all others are the codec's own business.
pub mod what {
    /// There was something; its number and its request stay.
    pub const GONE: u8 = 0;
    pub const MESSAGE: u8 = 1;
    /// A message for one user.
    pub const DIRECT: u8 = 2;
    /// Another text for the message of that id; goes when that one goes.
    pub const EDITED: u8 = 3;

    pub const fn is_message(what: u8) -> bool {
        matches!(what, MESSAGE | DIRECT)
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    pub what: u8,
    /// Its own id, or that of what it is about.
    pub id: Option<Id>,
    pub sender: Option<Cow<'a, str>>,
    /// The other side of a message between two users.
    pub peer: Option<Cow<'a, str>>,
    pub at_ms: u64,
    pub text: Cow<'a, str>,
    /// All the rest.
    pub body: Cow<'a, [u8]>,
}

impl Row<'_> {
    /// What it counts against a channel's bytes.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.body.len()
    }

    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Row<'static> {
        let owned = |text: Cow<str>| Cow::Owned(text.into_owned());
        Row {
            what: self.what,
            id: self.id,
            sender: self.sender.map(owned),
            peer: self.peer.map(owned),
            at_ms: self.at_ms,
            text: owned(self.text),
            body: Cow::Owned(self.body.into_owned()),
        }
    }
}

/// Something that waits for its owner; its id is its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    pub id: Id,
    pub seq: u64,
    pub transit: bool,
    pub priority: u8,
    pub since_ms: u64,
    pub row: Row<'a>,
}

impl Item<'_> {
    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Item<'static> {
        let Self { id, seq, transit, priority, since_ms, row } = self;
        Item { id, seq, transit, priority, since_ms, row: row.into_owned() }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The next row of the owner's log. With a request that the log has already: nothing of the transaction.
    Append {
        owner: Owner<'a>,
        row: Row<'a>,
        request: Option<&'a str>,
    },
    /// Another text for a message (`None`: it is gone), if it is among the newest and `by` sent it.
    Amend {
        owner: Owner<'a>,
        id: Id,
        by: &'a str,
        text: Option<&'a str>,
    },
    /// That user has read up to that message, if it is among the newest; an older one than before changes nothing.
    Receipt {
        owner: Owner<'a>,
        user: &'a str,
        id: Id,
        at_ms: u64,
    },
    /// One more item, or another one in the place of that with its id. One without a number gets that of the row
    /// appended before it in the same transaction.
    Queue {
        owner: Owner<'a>,
        item: Item<'a>,
    },
    /// These items are drained.
    Drain {
        owner: Owner<'a>,
        ids: Vec<Id>,
    },
    Put {
        owner: Owner<'a>,
        kind: u8,
        key: &'a str,
        bytes: Vec<u8>,
    },
    Remove {
        owner: Owner<'a>,
        kind: u8,
        key: &'a str,
    },
}

impl Change<'_> {
    /// Whether it may come to nothing.
    pub fn is_doubtful(&self) -> bool {
        matches!(self, Self::Append { request: Some(_), .. } | Self::Amend { .. } | Self::Receipt { .. })
    }
}

/// Changes that are made all or not at all.
pub type Transaction<'a> = Vec<Change<'a>>;

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// All is done; `seq` is the number of what was appended last, 0 when nothing was.
    All {
        seq: u64,
    },
    /// Nothing: the request was seen before and made that row.
    Again {
        seq: u64,
        id: Id,
    },
    NoMessage,
    NotTheSender,
}

/// Which part of a log is meant.
#[derive(Clone, Copy, Debug)]
pub struct LogAsk<'a> {
    pub owner: Owner<'a>,
    pub after: u64,
    /// Only messages with that peer.
    pub peer: Option<&'a str>,
    /// Only messages.
    pub messages: bool,
    /// 0: no rows, only how far the log goes.
    pub limit: usize,
    /// Of texts and bodies; one row in any case.
    pub bytes: usize,
}

/// A part of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    pub head: u64,
    /// From here on all is there; one beyond the head when nothing is.
    pub first: u64,
    pub rows: Vec<(u64, Row<'static>)>,
    pub more: bool,
}

/// A message that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its owner's place among those asked for.
    pub owner: usize,
    pub seq: u64,
    pub row: Row<'static>,
}

/// Who has read how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    pub user: Box<str>,
    pub seq: u64,
    pub id: Id,
    pub at_ms: u64,
}

/// What a snapshot tells of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptRow {
    Fact { kind: u8, key: Box<str>, bytes: Vec<u8> },
    Item(Item<'static>),
}

/// Is told every kept row with its owner, and may end the walk with an error.
pub type Visitor<'v> = dyn FnMut(Owner, KeptRow) -> Result<(), StoreError> + 'v;

/// A database, as far as it is needed.
pub trait Store: Send {
    /// Makes all transactions durable at once, each with its own outcome; with an error, none of them. An empty
    /// batch is a commit too.
    fn commit(&mut self, batch: &[Transaction]) -> Result<Vec<Done>, StoreError>;

    /// Reads a log from a position on.
    fn log(&self, ask: &LogAsk) -> Result<LogPage, StoreError>;

    /// Messages of these owners with all of these words, the newest first.
    fn search(&self, owners: &[Owner], words: &str, limit: usize) -> Result<Vec<Hit>, StoreError>;

    /// How far users have read, by their names.
    fn receipts(&self, owner: &Owner) -> Result<Vec<ReceiptRow>, StoreError>;

    /// All facts by kind and key, and all items in the order in which they came, of each owner.
    fn snapshot(&self, each: &mut Visitor) -> Result<(), StoreError>;

    /// Does what was put off so that commits are fast, and makes what is asked afterwards faster.
    fn place(&mut self) -> Result<(), StoreError>;

    /// One small step of throwing away what is over; whether there is more.
    fn trim(&mut self, now_ms: u64) -> Result<bool, StoreError>;

    /// One small step of making new messages searchable; whether there is more.
    fn index(&mut self) -> Result<bool, StoreError>;

    /// What it takes on disk.
    fn disk_bytes(&self) -> u64;

    /// The last thing before it is dropped: leaves the files in order.
    fn finish(&mut self) -> Result<(), StoreError>;
}
