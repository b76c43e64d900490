//! A disk that is full: of blobs, of the database, of both.

use std::fs;

use berth_testkit::{MIB, Server, Volume, free_bytes, index, sha256};

use crate::acknowledged::Acknowledged;
use crate::content::{KEPT, KEPT_IMAGE, LOOSE, NEW, NEW_IMAGE, OLD, OLD_IMAGE, TAG};
use crate::operation::Operation;
use crate::{builder, templates};

/// What a volume of the tests holds, and what pushes must leave of it.
const SIZE: u64 = 24;
const RESERVE: &str = "4MiB";

/// A registry whose data folder, or a part of it, is on a volume of its own.
struct Registry {
    server: Server,
    log: Acknowledged,
}

impl Registry {
    fn on(data: &std::path::Path) -> Self {
        let server = templates::impatient().setting("storage.free_space_minimum", RESERVE).start_at(data);
        let client = server.client();
        client.push_image(KEPT, TAG, &KEPT_IMAGE);
        client.push_image(OLD, TAG, &OLD_IMAGE);
        client.push_blob(OLD, LOOSE);
        Self { log: Operation::Pull.known_before(), server }
    }

    /// A push is refused by a word that says what to do, and nothing else suffers.
    fn assert_refuses_pushes(&self) {
        let client = self.server.client();
        let layer = &NEW_IMAGE.layers[0];
        let begun = client.request("POST", &format!("/v2/{NEW}/blobs/uploads/?digest={}", sha256(layer)), &[], layer);
        let refused = begun.expect_error(507, "UNAVAILABLE");
        assert!(refused.text().contains("its operator must free some"), "{}", refused.text());
        client.push_manifest(OLD, "v2", &index(&[OLD_IMAGE.manifest.descriptor()])).expect_error(507, "UNAVAILABLE");
        self.server.anonymous().get("/readyz").expect(200);
        self.log.check(&client, "while the disk is full");
    }

    /// Space comes back by what a registry offers for it.
    fn delete_and_collect(&mut self) {
        let client = self.server.client();
        assert!(Operation::Delete.perform(&client, &mut self.log), "{:?}\n{}", self.log, self.server.log());
        assert_eq!(self.log.refused, [] as [u16; 0], "deletions on a full disk");
        let collected = self.server.berth(&["gc"]);
        assert_eq!(collected.code, Some(0), "{collected:?}");
    }

    /// With space it takes pushes again, and all that was ever acknowledged is there after a crash.
    fn assert_recovers(&mut self) {
        let pushed = Operation::Push.perform(&self.server.client(), &mut self.log);
        assert!(pushed && self.log.refused.is_empty(), "{:?}\n{}", self.log, self.server.log());
        self.server.kill9();
        self.server.restart();
        self.log.check(&self.server.client(), "after the disk was full");
        assert_eq!(self.server.berth(&["verify"]).code, Some(0));
        assert!(!self.server.log().contains("panicked"), "{}", self.server.log());
    }
}

/// Leaves less than pushes must leave, but not nothing.
fn fill_nearly(volume: &Volume, leave: u64) {
    let filling = volume.fill();
    let length = fs::metadata(&filling).unwrap().len();
    fs::File::options().write(true).open(filling).unwrap().set_len(length - leave).unwrap();
    assert!(free_bytes(volume.path()) <= leave + MIB);
}

#[test]
fn a_full_disk_refuses_pushes_and_nothing_else() {
    let volume = Volume::of_mib(SIZE);
    let mut registry = Registry::on(&volume.path().join("data"));
    fill_nearly(&volume, 3 * MIB);
    registry.assert_refuses_pushes();
    registry.delete_and_collect();
    fs::remove_file(volume.path().join("filling")).unwrap();
    registry.assert_recovers();
}

#[test]
fn a_disk_that_others_filled_to_the_last_byte_still_serves() {
    let volume = Volume::of_mib(SIZE);
    let mut registry = Registry::on(&volume.path().join("data"));
    let filling = volume.fill();
    registry.assert_refuses_pushes();
    let refused = registry.server.client().delete(&format!("/v2/{OLD}/manifests/{TAG}"));
    assert!([202, 507].contains(&refused.status), "{refused:?}");
    fs::remove_file(filling).unwrap();
    registry.delete_and_collect();
    registry.assert_recovers();
}

#[test]
fn blobs_on_a_full_volume_of_their_own() {
    let (volume, data) = (Volume::of_mib(SIZE), tempfile::tempdir().unwrap());
    let data = data.path().join("data");
    fs::create_dir_all(&data).unwrap();
    std::os::unix::fs::symlink(volume.path().join("blobs"), data.join("blobs")).unwrap();
    fs::create_dir(volume.path().join("blobs")).unwrap();
    let mut registry = Registry::on(&data);
    let filling = volume.fill();
    registry.assert_refuses_pushes();
    registry.delete_and_collect();
    fs::remove_file(filling).unwrap();
    registry.assert_recovers();
}

#[test]
fn a_database_on_a_full_volume_of_its_own() {
    let (volume, blobs) = (Volume::of_mib(SIZE), tempfile::tempdir().unwrap());
    let data = volume.path().join("data");
    fs::create_dir_all(&data).unwrap();
    std::os::unix::fs::symlink(blobs.path(), data.join("blobs")).unwrap();
    let mut registry = Registry::on(&data);
    fill_nearly(&volume, 3 * MIB);
    registry.assert_refuses_pushes();
    registry.delete_and_collect();
    fs::remove_file(volume.path().join("filling")).unwrap();
    registry.assert_recovers();
}

/// A layer that does not fit is refused while it comes, and leaves nothing behind.
#[test]
fn a_layer_that_fills_the_disk_is_refused() {
    let volume = Volume::of_mib(SIZE);
    let data = volume.path().join("data");
    let server = builder().setting("storage.free_space_minimum", "0").start_at(&data);
    let client = server.client();
    client.push_image(KEPT, TAG, &KEPT_IMAGE);
    let before = free_bytes(volume.path());
    let layer = vec![7; usize::try_from(SIZE * MIB).unwrap()];
    let location = client.start_upload(NEW);
    client.finish_upload(&location, &sha256(&layer), &layer).expect_error(507, "UNAVAILABLE");
    let free = free_bytes(volume.path());
    assert!(free + MIB > before, "the part of it that fitted stays: {before} bytes were free, now {free}");
    client.push_image(OLD, TAG, &OLD_IMAGE);
    assert_eq!(server.berth(&["verify"]).code, Some(0));
}
