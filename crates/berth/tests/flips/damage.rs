//! What may happen to bytes at rest.

use berth_testkit::Random;

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// One bit is another one.
    Flip { byte: usize, bit: u32 },
    /// Only so many bytes are left.
    Cut(usize),
    /// So many bytes more.
    Grown(usize),
    /// Nothing is left.
    Empty,
    /// Not even the file.
    Gone,
}

impl Damage {
    /// Mostly a flipped bit.
    pub fn choose(random: &mut Random, length: usize) -> Self {
        match random.below(20) {
            0 => Self::Cut(random.below(length)),
            1 => Self::Grown(1 + random.below(10_000)),
            2 => Self::Empty,
            3 => Self::Gone,
            _ => Self::flip(random, length),
        }
    }

    /// A flipped bit of so many bytes.
    pub fn flip(random: &mut Random, length: usize) -> Self {
        Self::Flip { byte: random.below(length), bit: u32::try_from(random.below(8)).unwrap() }
    }

    /// What it makes of bytes; `None` where nothing is there any more.
    pub fn done_to(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        match self {
            Self::Flip { byte, bit } => bytes[byte] ^= 1 << bit,
            Self::Cut(left) => bytes.truncate(left),
            Self::Grown(by) => bytes.extend(std::iter::repeat_n(0x5a, by)),
            Self::Empty => bytes.clear(),
            Self::Gone => return None,
        }
        Some(bytes)
    }
}
