//! How a bucket is reached: with whose credentials, and over which certificate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod credentials;
mod tls;

use berth_testkit::seaweedfs::{BUCKET, Seaweed};
use berth_testkit::{Server, ServerBuilder, berth_binary};

/// A node that is told of the bucket, but not how to log in there.
fn stranger(bucket: &Seaweed) -> ServerBuilder {
    let builder = Server::builder(berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth")));
    let builder = builder.without_env("AWS_ACCESS_KEY_ID").without_env("AWS_SECRET_ACCESS_KEY");
    builder
        .setting("s3.bucket", BUCKET)
        .setting("s3.endpoint", &bucket.endpoint())
        .setting("s3.prefix", &bucket.fresh_prefix())
}
