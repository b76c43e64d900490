//! Chance: every decision of a simulated run comes from one generator, so that a seed replays it.

use std::sync::Mutex;

use berth_testkit::Random as Generator;

/// How hostile a run is. Chances are in one of 1000.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// A call of the blob store fails.
    pub store_fault: usize,
    /// A transaction fails, before or after its commit.
    pub database_fault: usize,
    /// A transaction's function runs twice.
    pub run_twice: usize,
    /// A call waits, and others go first.
    pub pause: usize,
    /// A task is left lying for long.
    pub freeze: usize,
    /// The process of a node ends, at each step in one of 10,000.
    pub crash: usize,
    /// The power fails, at each step in one of 10,000.
    pub power_loss: usize,
    /// The clock jumps, at each step in one of 10,000.
    pub clock_jump: usize,
    /// A client deletes rather than pushes.
    pub deleting: usize,
}

impl Profile {
    /// Each run has its own mixture, many of them without one fault or another: what hides behind frequent faults shows
    /// where they are absent.
    fn drawn(random: &mut Generator) -> Self {
        let mut one_of = |choices: &[usize]| *random.pick(choices);
        Self {
            store_fault: one_of(&[0, 0, 5, 30, 100]),
            database_fault: one_of(&[0, 0, 5, 30, 100]),
            run_twice: one_of(&[0, 100, 500]),
            pause: one_of(&[200, 500, 800]),
            freeze: one_of(&[0, 5, 30]),
            crash: one_of(&[0, 0, 10, 50]),
            power_loss: one_of(&[0, 0, 10, 30]),
            clock_jump: one_of(&[0, 20, 100, 300]),
            deleting: one_of(&[50, 200, 400]),
        }
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It works.
    Works,
    /// It fails and does nothing.
    FailsBefore,
    /// It does its work, and then seems to have failed.
    FailsAfter,
}

struct State {
    random: Generator,
    profile: Profile,
    calm: bool,
    hash: u64,
    trace: Vec<String>,
}

/// The source of all decisions, and the record of them.
pub struct Chaos(Mutex<State>);

impl Chaos {
    pub fn seeded(seed: u64) -> Self {
        let mut random = Generator::seeded(seed);
        let profile = Profile::drawn(&mut random);
        Self(Mutex::new(State { random, profile, calm: false, hash: seed, trace: Vec::new() }))
    }

    pub fn profile(&self) -> Profile {
        self.0.lock().unwrap().profile
    }

    /// Without faults and waiting from here on, or with them again.
    pub fn set_calm(&self, calm: bool) {
        self.0.lock().unwrap().calm = calm;
    }

    pub fn is_calm(&self) -> bool {
        self.0.lock().unwrap().calm
    }

    pub fn below(&self, bound: usize) -> usize {
        self.0.lock().unwrap().random.below(bound)
    }

    pub fn pick<'choices, T>(&self, choices: &'choices [T]) -> &'choices T {
        &choices[self.below(choices.len())]
    }

    /// True in `chance` of `of` cases.
    pub fn chance(&self, chance: usize, of: usize) -> bool {
        self.below(of) < chance
    }

    pub fn bytes(&self, length: usize) -> Vec<u8> {
        self.0.lock().unwrap().random.bytes(length)
    }

    pub fn store_fate(&self) -> Fate {
        self.fate(self.profile().store_fault)
    }

    pub fn database_fate(&self) -> Fate {
        self.fate(self.profile().database_fault)
    }

    fn fate(&self, chance: usize) -> Fate {
        if self.is_calm() || !self.chance(chance, 1000) {
            return Fate::Works;
        }
        if self.chance(1, 2) { Fate::FailsBefore } else { Fate::FailsAfter }
    }

    /// Lets others go first, perhaps.
    pub async fn pause(&self) {
        while !self.is_calm() && self.chance(self.profile().pause, 1000) {
            give_way().await;
        }
    }

    /// Writes down what happened. The hash of a run covers every line; the last ones are kept.
    pub fn note(&self, line: impl FnOnce() -> String) {
        const KEPT: usize = 400;
        let line = line();
        let mut state = self.0.lock().unwrap();
        for byte in line.bytes() {
            state.hash = (state.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if state.trace.len() >= KEPT {
            state.trace.drain(..KEPT / 2);
        }
        state.trace.push(line);
    }

    pub fn hash(&self) -> u64 {
        self.0.lock().unwrap().hash
    }

    pub fn trace(&self) -> Vec<String> {
        self.0.lock().unwrap().trace.clone()
    }
}

/// Gives every other task the chance to go first.
pub async fn give_way() {
    let mut gave = false;
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut gave, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
