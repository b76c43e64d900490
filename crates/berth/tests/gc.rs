//! Garbage collection beside clients, and `berth gc`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use berth_testkit::{Image, sha256, tree_files, within};
use serde_json::Value;
use support::builder;

const SOON: Duration = Duration::from_mins(1);

#[test]
fn space_comes_back_while_images_stay() {
    let mut server =
        builder().setting("gc.interval", "1s").setting("gc.grace", "10s").setting("storage.inline_blobs", "0").start();
    let client = server.client();
    let (kept, deleted) = (Image::small("kept"), Image::small("deleted"));
    client.push_image("team/app", "kept", &kept);
    client.push_image("team/app", "deleted", &deleted);
    let files = tree_files(&server.blobs()).len();
    client.push_blob("team/app", b"never named by a manifest");
    client.delete(&format!("/v2/team/app/manifests/{}", deleted.manifest.digest)).expect(202);
    assert!(within(SOON, || tree_files(&server.blobs()).len() < files), "{}", server.log());
    // A GET is no promise, so asking does not keep it.
    let idle = sha256(b"never named by a manifest");
    assert!(within(SOON, || client.blob("team/app", &idle).status == 404));
    client.manifest("team/app", "kept").expect(200);
    assert_eq!(server.berth(&["verify"]).code, Some(0));
    let figures = client.get("/metrics").expect(200).text();
    assert!(figures.contains("berth_gc_freed_bytes_total"), "{figures}");
    assert!(server.stop().success());
}

#[test]
fn the_command_tells_before_it_takes() {
    let mut server = builder().setting("gc.enabled", "false").setting("gc.grace", "10s").start();
    server.client().push_blob("team/app", b"never named by a manifest");
    let told = |server: &berth_testkit::Server, arguments: &[&str]| {
        let output = server.berth(arguments);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        output.stdout
    };
    let would_go = || told(&server, &["gc", "--dry-run", "--json"]).contains("\"kind\":\"link\"");
    assert!(within(SOON, would_go));
    server.client().get(&format!("/v2/team/app/blobs/{}", sha256(b"never named by a manifest"))).expect(200);
    let collected: Value = serde_json::from_str(told(&server, &["gc", "--json"]).trim()).unwrap();
    assert_eq!((&collected["links"], &collected["blobs"]), (&Value::from(1), &Value::from(1)), "{collected}");
    assert!(told(&server, &["gc", "--dry-run"]).starts_with("0 links, 0 blobs and 0 keys"));
    assert!(server.stop().success());
}
