//! A login is found by its host or not at all, and nothing about a file that cannot be read tells what is in it.
//! The first line is the host, the rest is the file.
#![no_main]

use berth_transfer::registry::docker_config::{DockerConfig, Found};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (host, file) = text.split_once('\n').unwrap_or(("a.example", text));
    match DockerConfig::parse(file.as_bytes()) {
        Err(error) => assert!(error.to_string().len() < 120),
        Ok(config) => {
            if let Found::Credentials(found) = config.find(host) {
                assert!(!found.username.is_empty());
                assert!(
                    !format!("{found:?}").contains(&found.password)
                        || found.password.len() < 12
                        || found.username.contains(&found.password)
                );
            }
        }
    }
});
