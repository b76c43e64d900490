//! `/metrics`: what is counted, and `metrics.listen`.

use berth_testkit::{Client, Image, eventually};

use crate::free_address;
use crate::support::builder;

/// The sum of a metric's samples whose labels include these.
fn value(page: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let samples = page.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    let meant = samples.filter(|(found, _)| {
        (found.is_empty() || found.starts_with('{')) && labels.iter().all(|label| found.contains(label))
    });
    meant.map(|(_, number)| number.parse::<f64>().unwrap()).reduce(|sum, number| sum + number)
}

#[test]
fn requests_and_bytes_are_counted() {
    let server = builder().start();
    let client = server.client();
    let page = || client.get("/metrics").expect(200).text();
    client.push_image("team/app", "one", &Image::of(vec![vec![7; 100_000]]));
    for _ in 0..3 {
        client.manifest("team/app", "one").expect(200);
    }
    client.manifest("team/app", "none").expect(404);
    let of = |name: &str, labels: &[&str]| value(&page(), name, labels).unwrap_or(0.0);
    let gets = ["method=\"GET\"", "route=\"manifest\""];
    let total = "berth_http_requests_total";
    assert!((of(total, &[gets[0], gets[1], "status=\"200\""]) - 3.0).abs() < 0.1, "{}", page());
    assert!((of(total, &[gets[0], gets[1], "status=\"404\""]) - 1.0).abs() < 0.1, "{}", page());
    assert!((of("berth_http_request_duration_seconds_count", &gets) - 4.0).abs() < 0.1, "{}", page());
    assert!((of("berth_http_request_duration_seconds_bucket", &[gets[0], gets[1], "le=\"+Inf\""]) - 4.0).abs() < 0.1);
    assert!(of("berth_http_received_bytes_total", &[]) > 100_000.0, "{}", page());
    assert!(of("berth_http_sent_bytes_total", &[]) > 1000.0, "{}", page());
    assert!(of("berth_http_connections", &[]) >= 1.0, "{}", page());
}

#[test]
fn what_is_stored_is_told() {
    let mut server = builder().start();
    let image = Image::small("stored");
    server.client().push_image("team/app", "one", &image);
    server.client().push_image("team/other", "one", &image);
    // They are counted when a server starts, and then every half a minute.
    assert!(server.stop().success());
    server.restart();
    let client = server.client();
    let page = || client.get("/metrics").expect(200).text();
    let bytes = image.blobs().map(Vec::len).sum::<usize>() + image.manifest.bytes.len();
    let bytes = f64::from(u32::try_from(bytes).unwrap());
    let expected = [("berth_repositories", 2.0), ("berth_blobs", 3.0), ("berth_blob_bytes", bytes)];
    for (name, expected) in expected {
        let is_told = || value(&page(), name, &[]).is_some_and(|value| (value - expected).abs() < 0.1);
        eventually(&format!("{name} is {expected}: {}", page()), is_told);
    }
    eventually("free space", || value(&page(), "berth_storage_free_bytes", &[]).is_some_and(|free| free > 0.0));
}

#[test]
fn a_listener_of_their_own_takes_them_off_the_main_one() {
    let own = free_address();
    let server = builder().setting("metrics.listen", &own.to_string()).start();
    for caller in [server.client(), server.anonymous()] {
        caller.get("/metrics").expect(404);
    }
    let scraper = Client::anonymous(own);
    let reply = scraper.get("/metrics").expect(200);
    assert!(reply.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"), "{reply:?}");
    assert!(value(&reply.text(), "berth_http_requests_total", &["status=\"404\""]).is_some(), "{}", reply.text());
    for target in ["/", "/v2/", "/healthz"] {
        scraper.get(target).expect(404);
    }
}
