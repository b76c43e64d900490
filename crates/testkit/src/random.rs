//! Randomness that a printed seed replays.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The `SplitMix64` generator (Steele, Lea, Flood 2014): good enough to choose what a test does, never for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same seed gives the same sequence.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.word() % bound as u64).unwrap()
    }

    /// So many bytes that do not compress.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.word().to_le_bytes());
        words.take(length.div_ceil(8)).flatten().take(length).collect()
    }

    /// One of the choices.
    pub fn pick<'choices, T>(&mut self, choices: &'choices [T]) -> &'choices T {
        &choices[self.below(choices.len())]
    }
}

/// `BERTH_TEST_SEED`, or a fresh seed. The test prints it, so that a failure can be replayed.
pub fn seed_from_environment() -> u64 {
    match std::env::var("BERTH_TEST_SEED") {
        Ok(seed) => seed.parse().expect("BERTH_TEST_SEED is a number"),
        Err(_) => RandomState::new().build_hasher().finish(),
    }
}
