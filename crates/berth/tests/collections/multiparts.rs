//! Parts that a node left in the bucket when it was killed.

use std::time::Duration;

use berth_testkit::{Random, sha256, within};

use crate::nodes::Nodes;
use crate::{GRACE, SOON};

const MIB: usize = 1 << 20;

#[test]
fn parts_that_a_killed_node_left_go_and_those_of_open_uploads_stay() {
    let mut nodes = Nodes::start(2, |node| node.setting("gc.interval", "1s").setting("gc.grace", "10s"));
    let bytes = Random::seeded(1).bytes(29 * MIB);
    // One upload whose parts are noted, one whose node dies while they come.
    let kept = nodes.nodes[0].client().start_upload("team/kept");
    nodes.nodes[0].client().patch_upload(&kept, 0, &bytes[..17 * MIB]).expect(202);
    let lost = nodes.nodes[0].client().start_upload("team/lost");
    let length = bytes.len().to_string();
    let mut connection = nodes.nodes[0].client().open("PATCH", &lost, &[("Content-Length", &length)]);
    connection.send(&bytes[..20 * MIB]).unwrap();
    assert!(within(SOON, || nodes.multiparts().len() == 2), "{:?}", nodes.multiparts());
    nodes.nodes[0].kill9();
    // Old enough to go, but two uploads own them.
    std::thread::sleep(GRACE + Duration::from_secs(5));
    assert_eq!(nodes.multiparts().len(), 2, "parts of an open upload were given up");
    let told = nodes.nodes[1].berth(&["gc", "--dry-run"]).stdout;
    assert!(!told.contains("multipart"), "{told}");
    // As after `uploads.ttl`, had the client not come back.
    nodes.sql("UPDATE uploads SET expires_at = 0 WHERE checkpoint IS NULL");
    let figure = || nodes.nodes[1].client().get("/metrics").expect(200).text();
    assert!(within(SOON, || figure().contains("berth_gc_multiparts_total 1")), "{}", nodes.nodes[1].log());
    assert_eq!(nodes.multiparts().len(), 1);
    let client = nodes.nodes[1].client();
    client.patch_upload(&kept, 17 * MIB, &bytes[17 * MIB..]).expect(202);
    client.finish_upload(&kept, &sha256(&bytes), b"").expect(201);
    assert!(client.blob("team/kept", &sha256(&bytes)).expect(200).body == bytes);
    assert!(within(SOON, || nodes.multiparts().is_empty() && nodes.unowned().is_empty()), "{:?}", nodes.multiparts());
}
