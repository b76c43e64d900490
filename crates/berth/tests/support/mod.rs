//! What every attack begins and ends with.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;

use berth_testkit::{ADMIN_SECRET, MIB, Server, ServerBuilder, berth_binary, secrets, within};

/// What an allocator may keep after an attack that was refused, with room: a body of 4 MiB held per
/// connection by mistake shows, the noise of thread arenas does not.
const RSS_SLACK: u64 = 64 * MIB;
/// So many bytes of the records of one row are searched for secrets.
const SEARCHED: usize = 256 * 1024;

/// `BERTH_TEST_BIN` names another binary than the one just built: one whose guards were switched off, say. Log-ins may fail as
/// often as a test has them fail, all from one address.
pub fn builder() -> ServerBuilder {
    with_defaults().with_many_failed_logins()
}

/// The same, where few log-ins may fail, as by default.
pub fn with_defaults() -> ServerBuilder {
    Server::builder(berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth")))
}

/// Runs an attack on a server of its own and checks that the server came through unharmed.
pub fn attack(run: impl FnOnce(&mut Server)) {
    attack_on(builder(), run);
}

/// Like [`attack`], on a server with settings of its own.
pub fn attack_on(builder: ServerBuilder, run: impl FnOnce(&mut Server)) {
    let mut server = builder.start();
    server.client().get("/v2/").expect(200);
    let before = server.process().rss_bytes();
    run(&mut server);
    assert_unharmed(server, before);
}

/// Whatever an attack is about, it is also a test that records hold no secret (A89).
fn assert_records_hold_no_secret(server: &Server) {
    let file = server.data().join("berth.db");
    if !file.exists() {
        return;
    }
    let database = rusqlite::Connection::open(file).unwrap();
    let mut rows = database.prepare("SELECT encoding, payload FROM audit_rows WHERE payload IS NOT NULL").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
    for row in rows {
        let (encoding, payload) = row.unwrap();
        let mut text = String::new();
        let plain = encoding == "json";
        let read = if plain {
            payload.as_slice().read_to_string(&mut text)
        } else {
            GzDecoder::new(payload.as_slice()).read_to_string(&mut text)
        };
        read.unwrap();
        // Searching takes its time: of many records, those of the beginning stand for all.
        let some = text.get(..SEARCHED).unwrap_or(&text);
        if let Some(secret) = secrets::found_in(some) {
            panic!("{secret}, which a secret holds, is on record: {some}");
        }
    }
}

/// Alive, no panic, memory given back, no secret told, and able to stop in good order.
fn assert_unharmed(mut server: Server, rss_before: u64) {
    assert!(server.is_running(), "the server died:\n{}", server.log());
    server.anonymous().get("/healthz").expect(200);
    server.client().get("/v2/").expect(200);
    let process = server.process();
    let settled = within(Duration::from_secs(20), || process.rss_bytes() < rss_before + RSS_SLACK);
    assert!(settled, "{} MiB resident before, {} after", rss_before / MIB, process.rss_bytes() / MIB);
    let status = server.stop();
    assert_records_hold_no_secret(&server);
    let log = server.log();
    assert!(status.success(), "exit {status:?} after SIGTERM:\n{log}");
    assert!(!log.contains("panicked"), "a panic:\n{log}");
    assert_no_secret(&log);
}

/// The administrator's secret is nowhere in the text, neither plain nor as Basic authentication carries it.
pub fn assert_no_secret(log: &str) {
    let tail_in_base64 = "OlRlc3RraXRTZWNyZXQvTmV2ZXJJbkFueUxvZysw";
    for secret in [ADMIN_SECRET, &ADMIN_SECRET[8..24], tail_in_base64, &tail_in_base64[4..24]] {
        assert!(!log.contains(secret), "a secret in the log:\n{log}");
    }
}

/// Percent-encodes every byte, so that a value survives any query.
pub fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02x}"))
}
