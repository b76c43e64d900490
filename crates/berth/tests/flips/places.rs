//! Where bytes lie: in rows, in files, in a bucket.

use std::net::SocketAddr;
use std::path::PathBuf;

use berth_testkit::{Client, Server};
use rusqlite::{Connection, params};

use crate::damage::Damage;

/// Where a blob store keeps its keys.
pub enum Keys {
    Folder(PathBuf),
    /// Below a path of SeaweedFS's own file server.
    Bucket {
        server: SocketAddr,
        folder: String,
    },
}

/// Where something lies.
#[derive(Clone, Debug)]
pub enum Place {
    Row(i64),
    Key(String),
}

/// The places of one registry.
pub struct Places {
    database: PathBuf,
    keys: Keys,
}

impl Places {
    pub fn of(server: &Server, keys: Keys) -> Self {
        Self { database: server.data().join("berth.db"), keys }
    }

    pub fn connection(&self) -> Connection {
        let connection = Connection::open(&self.database).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
        connection
    }

    /// Digests, and where their bytes are now.
    pub fn all(&self) -> Vec<(String, Place)> {
        let connection = self.connection();
        let mut rows = connection.prepare("SELECT digest, id, storage_key FROM blobs ORDER BY digest").unwrap();
        let read = |row: &rusqlite::Row<'_>| {
            let key: Option<String> = row.get(2)?;
            Ok((row.get(0)?, key.map_or(Place::Row(row.get(1)?), Place::Key)))
        };
        rows.query_map([], read).unwrap().map(Result::unwrap).collect()
    }

    /// Makes every blob due for the scrub.
    pub fn age(&self) {
        self.connection().execute("UPDATE blobs SET scrubbed_at = 0", []).unwrap();
    }

    /// How many blobs the scrub has still to look at.
    pub fn unscrubbed(&self) -> i64 {
        let sql = "SELECT count(*) FROM blobs WHERE scrubbed_at = 0";
        self.connection().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Damages what lies at a place.
    pub fn damage(&self, place: &Place, bytes: &[u8], damage: Damage) {
        let damaged = damage.done_to(bytes);
        match (place, &self.keys) {
            (Place::Row(id), _) => {
                let sql = "UPDATE blobs SET inline_bytes = ?2 WHERE id = ?1";
                self.connection().execute(sql, params![id, damaged.unwrap_or_default()]).unwrap();
            }
            (Place::Key(key), Keys::Folder(folder)) => {
                let file = folder.join(&key[..2]).join(key);
                assert_eq!(std::fs::read(&file).unwrap(), bytes, "{}", file.display());
                match damaged {
                    Some(damaged) => std::fs::write(&file, damaged).unwrap(),
                    None => std::fs::remove_file(&file).unwrap(),
                }
            }
            (Place::Key(key), Keys::Bucket { server, folder }) => {
                let target = format!("{folder}/blobs/{}/{key}", &key[..2]);
                let client = Client::anonymous(*server);
                assert_eq!(client.get(&target).expect(200).body, bytes, "{target}");
                match damaged {
                    Some(damaged) => client.request("PUT", &target, &[], &damaged).expect_any(&[200, 201]),
                    None => client.delete(&target).expect_any(&[200, 202, 204]),
                };
            }
        }
    }
}
