//! Which part of a quota is a node's own, where several serve one registry.

use super::bucket::WHOLE;

/// A node has at least this part of an even share, whatever others are asked for: enough to notice that it is asked for more.
const FLOOR: u32 = 4;

/// An even share, in parts of a million.
pub fn even(nodes: u32) -> u32 {
    WHOLE / nodes.max(1)
}

/// What a node may be asked for without telling the others: what the floor gives it in any case.
pub fn floor(nodes: u32) -> u32 {
    even(nodes) / FLOOR
}

/// The share of a node that was asked `own` times of `total`, in parts of a million: the floor, and of the rest what goes with
/// demand. The shares of all nodes come to the whole where they know the same; where nobody asked, they are even.
pub fn by_demand(own: u64, total: u64, nodes: u32) -> u32 {
    if total == 0 {
        return even(nodes);
    }
    let rest = WHOLE.saturating_sub(floor(nodes).saturating_mul(nodes.max(1)));
    let part = u128::from(rest) * u128::from(own.min(total)) / u128::from(total);
    floor(nodes).saturating_add(u32::try_from(part).unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_go_with_demand() {
        for (own, total, nodes, share) in [
            (0, 0, 1, 1_000_000),
            (5, 5, 1, 1_000_000),
            (0, 0, 2, 500_000),
            (50, 100, 2, 500_000),
            (100, 100, 2, 875_000),
            (0, 100, 2, 125_000),
            (0, 0, 0, 1_000_000),
            (9, 3, 4, 812_500),
        ] {
            assert_eq!(by_demand(own, total, nodes), share, "{own} of {total} at {nodes}");
        }
    }

    proptest! {
        #[test]
        fn all_shares_are_the_whole(asked in prop::collection::vec(0_u64..1_000_000, 1..50)) {
            let (total, nodes) = (asked.iter().sum(), u32::try_from(asked.len()).unwrap());
            let sum: u64 = asked.iter().map(|own| u64::from(by_demand(*own, total, nodes))).sum();
            prop_assert!(sum <= u64::from(WHOLE));
            // Rounding loses a few parts of a million.
            prop_assert!(sum + 5 * u64::from(nodes) >= u64::from(WHOLE));
        }
    }
}
