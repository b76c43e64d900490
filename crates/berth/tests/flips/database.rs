//! Bits of the database file itself: whatever they belong to, nobody gets wrong bytes for it.

use berth_testkit::{Random, Server};

use crate::damage::Damage;
use crate::pulls::{Seen, assert_never_wrong, pull};
use crate::stock::{Kind, Stock};
use crate::{builder, flips, random};

/// Few enough that most flips hit something that is pulled.
const IMAGES: usize = 4;

/// Up to so many bytes lie in their row: `storage.inline_blobs` as it is when nobody sets it.
const INLINE: usize = 16 * 1024;

/// Pulls everything from a server on a damaged database, if it starts at all; whether it did, and what was refused.
fn pull_all(server: &mut Server, stock: &Stock, damage: Damage, random: &mut Random) -> (bool, usize) {
    if server.try_restart().is_err() {
        return (false, 0);
    }
    let client = server.client();
    let (mut refused, mut wrong) = (0, false);
    for held in &stock.held {
        let mut seen = pull(&client, held, random);
        // A bit in the name of a tag makes another name, which may be that of another tag.
        seen.retain(|seen| *seen != Seen::Other);
        assert_never_wrong(held, &seen, damage);
        refused += seen.iter().filter(|seen| **seen == Seen::Refused).count();
        wrong |= held.kind == Kind::LargeBlob && seen.contains(&Seen::Wrong);
    }
    if wrong {
        let verified = server.berth(&["verify"]);
        assert_ne!(verified.code, Some(0), "a verification does not see what {damage:?} did: {}", verified.stdout);
    }
    (true, refused)
}

/// A bit of a byte that says something: most of a small database is room that nothing uses.
fn flip_in_use(file: &[u8], random: &mut Random) -> Damage {
    loop {
        let damage = Damage::flip(random, file.len());
        if matches!(damage, Damage::Flip { byte, .. } if file[byte] != 0) {
            return damage;
        }
    }
}

#[test]
fn in_the_database_file() {
    let mut random = random("the database file");
    let mut server = builder().setting("scrub.enabled", "false").setting("gc.enabled", "false").start();
    let stock = Stock::of(random.word(), IMAGES);
    stock.push(&server.client());
    server.stop();
    let file = server.data().join("berth.db");
    let sound = std::fs::read(&file).unwrap();
    let (least, mut count, mut started, mut refused) = (flips(15), 0, 0, 0);
    // Most bits belong to nothing that is pulled: records of calls, for one.
    while count < least || (refused == 0 && count < 20 * least) {
        count += 1;
        let damage = flip_in_use(&sound, &mut random);
        std::fs::write(&file, damage.done_to(&sound).unwrap()).unwrap();
        let (has_started, of_it) = pull_all(&mut server, &stock, damage, &mut random);
        started += usize::from(has_started);
        refused += of_it;
        if has_started {
            server.kill9();
        }
        for name in ["berth.db-wal", "berth.db-shm"] {
            let _ = std::fs::remove_file(server.data().join(name));
        }
    }
    assert!(refused > 0, "{count} flips hit nothing that was pulled");
    println!("the database file: {count} flips, {started} starts, {refused} pulls refused");
}

/// A row that tells another size than the bytes have is found before anybody hears the size, and the bytes are asked.
#[test]
fn in_the_size_of_a_row() {
    let mut random = random("the sizes in rows");
    let mut server = builder().setting("scrub.enabled", "false").setting("gc.enabled", "false").start();
    let stock = Stock::of(random.word(), IMAGES);
    stock.push(&server.client());
    for (table, kind) in [("manifests", Kind::Manifest), ("blobs", Kind::Manifest), ("blobs", Kind::SmallBlob)] {
        for held in stock.held.iter().filter(|held| held.kind == kind && held.bytes.len() <= INLINE) {
            let file = server.data().join("berth.db");
            let change = |by: &str| {
                let database = rusqlite::Connection::open(&file).unwrap();
                let sql = format!("UPDATE {table} SET size = size {by} WHERE digest = ?1");
                assert!(database.execute(&sql, [&held.digest]).unwrap() > 0, "{table} {}", held.digest);
            };
            server.stop();
            change("+ 1");
            server.restart();
            let seen = pull(&server.client(), held, &mut random);
            assert!(seen.iter().all(|seen| *seen == Seen::Right), "{table} {kind:?}: {seen:?}");
        }
    }
}
