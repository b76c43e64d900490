//! Bits of the archive: a check finds them, and a restore brings nothing wrong.

use std::path::{Path, PathBuf};

use berth_testkit::{Random, Server, tree_files};

use crate::damage::Damage;
use crate::pulls::{assert_quarantined, assert_right, pull};
use crate::stock::{Held, Stock};
use crate::{builder, flips, random};

const IMAGES: usize = 3;
/// Every so many flips a restore is tried too.
const RESTORES: usize = 3;

/// The files that hold content: all but the two that say whose the archive is and what the backup is.
fn content(archive: &Path) -> Vec<PathBuf> {
    let mut files = tree_files(archive);
    files.retain(|file| file.extension().is_none_or(|extension| extension != "json"));
    files.sort();
    files
}

/// Restores into an empty folder; a server on it, if the restore went well.
fn restored(from: &Server, target: &mut Server, place: &str) -> bool {
    if target.is_running() {
        target.stop();
    }
    let key = std::fs::read(from.data().join("server.key")).unwrap();
    std::fs::remove_dir_all(target.data()).unwrap();
    std::fs::create_dir(target.data()).unwrap();
    std::fs::write(target.data().join("server.key"), key).unwrap();
    let output = target.berth(&["restore", place]);
    let is_done = output.stdout.contains("is restored");
    if is_done {
        target.restart();
    }
    is_done
}

/// After a restore from an archive with one damaged file: that one thing is refused, and all else is right.
fn assert_restored(server: &Server, stock: &Stock, damaged: Option<&Held>, random: &mut Random) {
    let client = server.client();
    for held in &stock.held {
        match damaged {
            Some(damaged) if damaged.digest == held.digest => assert_quarantined(&client, held),
            _ => assert_right(&client, held, random),
        }
    }
}

#[test]
fn in_backups() {
    let mut random = random("backups");
    let server = builder().start();
    let mut target = builder().start();
    let stock = Stock::of(random.word(), IMAGES);
    stock.push(&server.client());
    let archive = server.data().parent().unwrap().join("backups");
    let place = archive.to_str().unwrap();
    assert_eq!(server.berth(&["backup", place]).code, Some(0));
    assert_eq!(server.berth(&["backup", place, "--check"]).code, Some(0));
    let files = content(&archive);
    let count = flips(10);
    for number in 0..count {
        let file = random.pick(&files);
        let sound = std::fs::read(file).unwrap();
        let damage = Damage::choose(&mut random, sound.len());
        match damage.done_to(&sound) {
            Some(damaged) => std::fs::write(file, damaged).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
        let checked = server.berth(&["backup", place, "--check"]);
        assert_ne!(checked.code, Some(0), "{damage:?} of {}: {}", file.display(), checked.stdout);
        if number.is_multiple_of(RESTORES) {
            let hex = file.file_name().unwrap().to_str().unwrap();
            let held = stock.find(&format!("sha256:{hex}"));
            let is_done = restored(&server, &mut target, place);
            assert_eq!(is_done, held.is_some(), "{damage:?} of {}", file.display());
            if is_done {
                assert_restored(&target, &stock, held, &mut random);
            }
        }
        std::fs::write(file, &sound).unwrap();
    }
    assert!(restored(&server, &mut target, place));
    stock.held.iter().for_each(|held| {
        pull(&target.client(), held, &mut random);
    });
    assert_restored(&target, &stock, None, &mut random);
    println!("backups: {count} flips found");
}
