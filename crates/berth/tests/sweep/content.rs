//! What the registries of the sweep hold, the same in every run.

use std::sync::LazyLock;

use berth_testkit::{Image, Random};

pub const KEPT: &str = "team/kept";
pub const OLD: &str = "team/old";
pub const NEW: &str = "team/new";
pub const TAG: &str = "v1";

/// What is not touched.
pub static KEPT_IMAGE: LazyLock<Image> = LazyLock::new(|| Image::small("kept"));
/// What is pulled and deleted.
pub static OLD_IMAGE: LazyLock<Image> = LazyLock::new(|| image(1, 70_000));
/// What is pushed: a layer in parts, a small one, the configuration, the manifest.
pub static NEW_IMAGE: LazyLock<Image> = LazyLock::new(|| image(2, 200_000));
/// A blob that no manifest names.
pub const LOOSE: &[u8] = b"a blob that no manifest names";

fn image(seed: u64, layer: usize) -> Image {
    let mut random = Random::seeded(seed);
    Image::of(vec![random.bytes(layer), random.bytes(300)])
}
