//! A circuit breaker: leaves an endpoint alone that failed several times in a row, then tries it with one request.
//!
//! It reads no clock: whoever asks says what time it is, in milliseconds that never go back.

use std::cell::Cell;

use crate::telemetry::CircuitState;

/// When a circuit opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerRules {
    /// Failures in a row that open it, at least 1; 0 counts as 1.
    pub failures: u32,
    /// How long it stays open before a request is let through on trial, in milliseconds.
    pub rest_ms: u64,
}

/// One circuit (TUS-41).
///
/// It is closed at first. The last of `failures` requests that failed in a row opens it. When it has rested, the
/// first who asks is on trial, and it is half-open: success closes it, failure opens it for another rest.
#[derive(Debug)]
pub struct Breaker {
    rules: BreakerRules,
    standing: Cell<Standing>,
    /// Counts the changes of state: what a request of an earlier one comes to means nothing to this one.
    era: Cell<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// So many failed since the last success.
    Closed {
        failures: u32,
    },
    Open {
        until_ms: u64,
    },
    HalfOpen,
}

impl Breaker {
    /// A closed circuit.
    pub fn new(rules: BreakerRules) -> Self {
        Breaker { rules, standing: Cell::new(Standing::Closed { failures: 0 }), era: Cell::new(0) }
    }

    /// As the last request left it: a circuit that has rested is open until somebody asks.
    pub fn state(&self) -> CircuitState {
        match self.standing.get() {
            Standing::Closed { .. } => CircuitState::Closed,
            Standing::Open { .. } => CircuitState::Open,
            Standing::HalfOpen => CircuitState::HalfOpen,
        }
    }

    /// Whether [`Breaker::try_pass`] would refuse now; changes nothing.
    pub fn refuses(&self, now_ms: u64) -> bool {
        match self.standing.get() {
            Standing::Closed { .. } => false,
            Standing::Open { until_ms } => now_ms < until_ms,
            Standing::HalfOpen => true,
        }
    }

    /// Lets a request through, or not. Who gets a pass says with it how the request ended.
    pub fn try_pass(&self, now_ms: u64) -> Option<Pass<'_>> {
        if self.refuses(now_ms) {
            return None;
        }
        if self.state() == CircuitState::Open {
            self.change(Standing::HalfOpen);
        }
        Some(Pass { breaker: self, era: self.era.get() })
    }

    fn change(&self, to: Standing) {
        self.standing.set(to);
        self.era.set(self.era.get().wrapping_add(1));
    }
}

/// A request that was let through. Dropped without a word it says nothing about the endpoint; if it was the trial,
/// the next request is.
#[derive(Debug)]
#[must_use = "dropped, it says nothing about the endpoint"]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    era: u64,
}

impl Pass<'_> {
    /// The endpoint did its work.
    pub fn succeeded(self) {
        match self.standing() {
            Some(Standing::Closed { .. }) => self.breaker.standing.set(Standing::Closed { failures: 0 }),
            Some(Standing::HalfOpen) => self.breaker.change(Standing::Closed { failures: 0 }),
            Some(Standing::Open { .. }) | None => {}
        }
    }

    /// It did not.
    pub fn failed(self, now_ms: u64) {
        let rules = self.breaker.rules;
        let rest = Standing::Open { until_ms: now_ms.saturating_add(rules.rest_ms) };
        match self.standing() {
            Some(Standing::Closed { failures }) if failures + 1 < rules.failures => {
                self.breaker.standing.set(Standing::Closed { failures: failures + 1 });
            }
            Some(Standing::Closed { .. } | Standing::HalfOpen) => self.breaker.change(rest),
            Some(Standing::Open { .. }) | None => {}
        }
    }

    /// The circuit's standing, unless it has changed since this pass was given.
    fn standing(&self) -> Option<Standing> {
        (self.breaker.era.get() == self.era).then(|| self.breaker.standing.get())
    }
}

impl Drop for Pass<'_> {
    /// After a verdict on a trial the era is another, so that this finds nothing to do.
    fn drop(&mut self) {
        if self.standing() == Some(Standing::HalfOpen) {
            self.breaker.change(Standing::Open { until_ms: 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem;

    use proptest::prelude::*;

    use super::*;

    const RULES: BreakerRules = BreakerRules { failures: 3, rest_ms: 100 };

    fn opened(at_ms: u64) -> Breaker {
        let breaker = Breaker::new(RULES);
        for _ in 0..RULES.failures {
            breaker.try_pass(at_ms).expect("closed").failed(at_ms);
        }
        breaker
    }

    #[test]
    fn it_opens_at_the_last_failure_in_a_row_and_not_before() {
        let breaker = Breaker::new(RULES);
        for _ in 0..RULES.failures - 1 {
            breaker.try_pass(0).expect("closed").failed(0);
        }
        breaker.try_pass(0).expect("closed").succeeded();
        for _ in 0..RULES.failures - 1 {
            breaker.try_pass(0).expect("closed").failed(0);
            assert_eq!(breaker.state(), CircuitState::Closed);
        }
        breaker.try_pass(0).expect("closed").failed(0);
        assert_eq!(breaker.state(), CircuitState::Open);
    }

    #[test]
    fn it_rests_to_the_millisecond_and_lets_one_through() {
        let breaker = opened(7);
        assert!(breaker.refuses(106) && breaker.try_pass(106).is_none());
        assert_eq!(breaker.state(), CircuitState::Open);
        assert!(!breaker.refuses(107));
        assert_eq!(breaker.state(), CircuitState::Open, "asking whether is no asking");
        let trial = breaker.try_pass(107).expect("rested");
        assert_eq!(breaker.state(), CircuitState::HalfOpen);
        assert!(breaker.refuses(u64::MAX) && breaker.try_pass(u64::MAX).is_none(), "one, however late");
        trial.succeeded();
        assert_eq!(breaker.state(), CircuitState::Closed);
        assert!(breaker.try_pass(107).is_some());
    }

    #[test]
    fn a_failed_trial_is_another_rest() {
        let breaker = opened(0);
        breaker.try_pass(100).expect("rested").failed(150);
        assert_eq!(breaker.state(), CircuitState::Open);
        assert!(breaker.refuses(249) && !breaker.refuses(250));
    }

    #[test]
    fn a_dropped_trial_leaves_the_next_one_to_try() {
        let breaker = opened(0);
        drop(breaker.try_pass(100));
        assert_eq!(breaker.state(), CircuitState::Open);
        breaker.try_pass(100).expect("the next").succeeded();
        assert_eq!(breaker.state(), CircuitState::Closed);
    }

    #[test]
    fn a_dropped_pass_counts_neither_way() {
        let breaker = Breaker::new(RULES);
        for _ in 0..RULES.failures - 1 {
            breaker.try_pass(0).expect("closed").failed(0);
        }
        for _ in 0..10 {
            drop(breaker.try_pass(0));
        }
        assert_eq!(breaker.state(), CircuitState::Closed);
        breaker.try_pass(0).expect("closed").failed(0);
        assert_eq!(breaker.state(), CircuitState::Open);
    }

    #[test]
    fn who_was_let_through_before_a_change_has_no_say_after_it() {
        let breaker = Breaker::new(RULES);
        let early: Vec<_> = (0..6).map(|_| breaker.try_pass(0).expect("closed")).collect();
        let mut early = early.into_iter();
        early.by_ref().take(3).for_each(|pass| pass.failed(0));
        early.next().expect("a fourth").failed(90);
        assert!(!breaker.refuses(100), "a late failure does not prolong the rest");
        let trial = breaker.try_pass(100).expect("rested");
        early.next().expect("a fifth").succeeded();
        assert_eq!(breaker.state(), CircuitState::HalfOpen, "a late success is no trial");
        drop(early.next());
        assert_eq!(breaker.state(), CircuitState::HalfOpen, "nor is a late drop");
        trial.failed(100);
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_trap() {
        let breaker = Breaker::new(BreakerRules { failures: 0, rest_ms: u64::MAX });
        breaker.try_pass(5).expect("closed").failed(5);
        assert!(breaker.refuses(u64::MAX - 1) && !breaker.refuses(u64::MAX));
    }

    /// How a request ended.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Verdict {
        Good,
        Bad,
        None,
    }

    /// What the breaker should be, the long way: it remembers by name who is let through in the present phase, and
    /// every verdict that one of them brought.
    #[derive(Debug)]
    enum Phase {
        Closed { guests: Vec<usize>, verdicts: Vec<Verdict> },
        Open { ready: u128 },
        Trial { guest: usize },
    }

    impl Phase {
        fn closed() -> Self {
            Phase::Closed { guests: Vec::new(), verdicts: Vec::new() }
        }

        fn ask(&mut self, guest: usize, now: u128) -> bool {
            match self {
                Phase::Closed { guests, .. } => guests.push(guest),
                Phase::Open { ready } if now < *ready => return false,
                Phase::Open { .. } => *self = Phase::Trial { guest },
                Phase::Trial { .. } => return false,
            }
            true
        }

        fn hear(&mut self, guest: usize, verdict: Verdict, now: u128, rules: BreakerRules) {
            let rest = Phase::Open { ready: now + u128::from(rules.rest_ms) };
            match self {
                Phase::Closed { guests, verdicts } if guests.contains(&guest) => {
                    verdicts.push(verdict);
                    let told = verdicts.iter().rev().filter(|v| **v != Verdict::None);
                    let row = told.take_while(|v| **v == Verdict::Bad).count();
                    if row as u32 >= rules.failures {
                        *self = rest;
                    }
                }
                Phase::Trial { guest: tried } if *tried == guest => {
                    *self = match verdict {
                        Verdict::Good => Phase::closed(),
                        Verdict::Bad => rest,
                        Verdict::None => Phase::Open { ready: 0 },
                    };
                }
                _ => {}
            }
        }

        fn state(&self) -> CircuitState {
            match self {
                Phase::Closed { .. } => CircuitState::Closed,
                Phase::Open { .. } => CircuitState::Open,
                Phase::Trial { .. } => CircuitState::HalfOpen,
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Ask,
        /// One of those under way ends.
        End(prop::sample::Index, Verdict),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let verdict = prop_oneof![
            2 => Just(Verdict::Good),
            5 => Just(Verdict::Bad),
            1 => Just(Verdict::None),
        ];
        let step = prop_oneof![
            4 => Just(Step::Ask),
            4 => (any::<prop::sample::Index>(), verdict).prop_map(|(who, verdict)| Step::End(who, verdict)),
            2 => (0..60u64).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn it_does_what_the_slow_one_does(failures in 1..5u32, rest_ms in 0..100u64, steps in steps()) {
            let rules = BreakerRules { failures, rest_ms };
            let (breaker, mut model) = (Breaker::new(rules), Phase::closed());
            let (mut now, mut asked) = (0u64, 0usize);
            let mut under_way = Vec::new();
            for step in steps {
                match step {
                    Step::Wait(ms) => now += ms,
                    Step::Ask => {
                        asked += 1;
                        let refuses = breaker.refuses(now);
                        let pass = breaker.try_pass(now);
                        prop_assert_eq!(pass.is_some(), model.ask(asked, now.into()));
                        prop_assert_eq!(pass.is_none(), refuses);
                        under_way.extend(pass.map(|pass| (asked, pass)));
                    }
                    Step::End(..) if under_way.is_empty() => {}
                    Step::End(who, verdict) => {
                        let (guest, pass) = under_way.swap_remove(who.index(under_way.len()));
                        model.hear(guest, verdict, now.into(), rules);
                        match verdict {
                            Verdict::Good => pass.succeeded(),
                            Verdict::Bad => pass.failed(now),
                            Verdict::None => mem::drop(pass),
                        }
                    }
                }
                prop_assert_eq!(breaker.state(), model.state());
            }
        }
    }
}
