//! What time does to a connection: heartbeats, idleness, deadlines.
//!
//! Pure: told the time, it says what is due and when to ask again. One entry in the shard's wheel per
//! connection drives all of it.

use crate::model::CloseReason;

/// The durations of a listener's dialect, in milliseconds; 0 means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Between two Pings of the server (TUS-49).
    pub heartbeat: u64,
    /// Without any inbound frame, after which the connection is closed (TUS-63, T11).
    pub idle: u64,
    /// Without any inbound frame, after which the next sweep removes the connection (AEG-20).
    pub inactive: u64,
    /// Between two sweeps (AEG-19).
    pub sweep: u64,
    /// For authenticating, where that is demanded (TUS-62, T11).
    pub auth: u64,
    /// For the rest of a frame or message once its first byte is there.
    pub incomplete: u64,
    /// The oldest frame may wait in the outbox.
    pub outbox_age: u64,
    /// From the server's Close frame to the end of TCP.
    pub closing: u64,
}

/// A connection's moments, in milliseconds since the process started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    pub opened: u64,
    /// Of the last inbound bytes.
    pub heard: u64,
    pub pinged: u64,
    /// When the incomplete message at hand began; 0: none is.
    pub incomplete_since: u64,
    /// When those bytes began to wait that the socket would not take then; 0: it takes all.
    pub blocked_since: u64,
    /// How many of them are left. When none is, the time starts anew for what waits then.
    pub blocked_bytes: usize,
    /// When the server began to close; 0: it has not.
    pub closing_since: u64,
    /// Whether somebody has to authenticate still.
    pub awaits_auth: bool,
    /// When the credential ends; 0: never.
    pub expires: u64,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing; ask again then. `None`: nothing will ever be.
    Later(Option<u64>),
    /// A Ping, and ask again then.
    Ping(Option<u64>),
    Close(CloseReason),
    /// The closing handshake took too long: end TCP.
    Drop,
}

impl Pace {
    /// What is due at `now`.
    pub fn due(&self, now: u64, times: &Times) -> Due {
        if self.closing_since != 0 {
            let end = self.closing_since + times.closing;
            return if now >= end { Due::Drop } else { Due::Later(Some(end)) };
        }
        let deadlines = self.deadlines(times);
        if let Some((_, reason)) = deadlines.into_iter().flatten().find(|(at, _)| now >= *at) {
            return Due::Close(reason);
        }
        let next = deadlines.into_iter().flatten().map(|(at, _)| at).min();
        if times.heartbeat == 0 {
            return Due::Later(next);
        }
        let beat = self.pinged.max(self.opened) + times.heartbeat;
        match now >= beat {
            true => Due::Ping(Some(next.map_or(now + times.heartbeat, |n| n.min(now + times.heartbeat)))),
            false => Due::Later(Some(next.map_or(beat, |n| n.min(beat)))),
        }
    }

    fn deadlines(&self, times: &Times) -> [Option<(u64, CloseReason)>; 6] {
        let after = |since: u64, limit: u64, reason| (limit != 0).then_some((since + limit, reason));
        let running = |since: u64, limit, reason| if since == 0 { None } else { after(since, limit, reason) };
        [
            (self.expires != 0).then_some((self.expires, CloseReason::Expired)),
            if self.awaits_auth { after(self.opened, times.auth, CloseReason::AuthTimeout) } else { None },
            after(self.heard, times.idle, CloseReason::Idle),
            after(self.heard, times.inactive, CloseReason::Inactive)
                .map(|(at, reason)| (swept(at, times), reason)),
            running(self.incomplete_since, times.incomplete, CloseReason::IncompleteTimeout),
            running(self.blocked_since, times.outbox_age, CloseReason::SlowAge),
        ]
    }
}

/// The first sweep not before that moment.
fn swept(at: u64, times: &Times) -> u64 {
    at.next_multiple_of(times.sweep.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inactive_are_removed_by_the_next_sweep() {
        let times = Times { inactive: 300, sweep: 30, ..Times::default() };
        let pace = Pace { opened: 1, heard: 1, ..Pace::default() };
        assert_eq!(pace.due(329, &times), Due::Later(Some(330)));
        assert_eq!(pace.due(330, &times), Due::Close(CloseReason::Inactive));
    }

    const TIMES: Times = Times {
        heartbeat: 30,
        idle: 60,
        inactive: 0,
        sweep: 0,
        auth: 300,
        incomplete: 10,
        outbox_age: 5,
        closing: 2,
    };

    #[test]
    fn a_silent_connection_is_pinged_and_then_closed() {
        let mut pace = Pace { opened: 100, heard: 100, ..Pace::default() };
        assert_eq!(pace.due(129, &TIMES), Due::Later(Some(130)));
        assert_eq!(pace.due(130, &TIMES), Due::Ping(Some(160)));
        pace.pinged = 130;
        assert_eq!(pace.due(159, &TIMES), Due::Later(Some(160)));
        assert_eq!(pace.due(160, &TIMES), Due::Close(CloseReason::Idle));
        pace.heard = 131;
        assert_eq!(pace.due(160, &TIMES), Due::Ping(Some(190)));
    }

    #[test]
    fn each_deadline_ends_the_connection_at_its_moment_and_not_before() {
        let base = Pace { opened: 1, heard: 1000, pinged: 1000, ..Pace::default() };
        for (pace, at, reason) in [
            (Pace { awaits_auth: true, heard: 300, pinged: 300, ..base }, 301, CloseReason::AuthTimeout),
            (Pace { expires: 1007, ..base }, 1007, CloseReason::Expired),
            (Pace { incomplete_since: 1001, ..base }, 1011, CloseReason::IncompleteTimeout),
            (Pace { blocked_since: 1002, ..base }, 1007, CloseReason::SlowAge),
        ] {
            assert!(!matches!(pace.due(at - 1, &TIMES), Due::Close(_)), "{reason:?}");
            assert_eq!(pace.due(at, &TIMES), Due::Close(reason));
        }
        let closing = Pace { closing_since: 1000, ..base };
        assert_eq!(closing.due(1001, &TIMES), Due::Later(Some(1002)));
        assert_eq!(closing.due(1002, &TIMES), Due::Drop);
    }

    #[test]
    fn zero_means_never() {
        let pace = Pace {
            opened: 1,
            heard: 1,
            blocked_since: 1,
            incomplete_since: 1,
            awaits_auth: true,
            ..Pace::default()
        };
        assert_eq!(pace.due(u64::MAX / 2, &Times::default()), Due::Later(None));
    }
}
