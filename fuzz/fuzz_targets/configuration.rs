//! A configuration file is refused with problems that can be read, or printed in a form that means the same.
#![no_main]

// The program has no library; its configuration is a module by itself.
#[allow(dead_code)]
#[path = "../../crates/berth/src/config/mod.rs"]
mod config;

use config::effective::{Effective, FileText};
use config::print;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match resolve(text.to_owned()) {
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| problem.to_string().len() < 10_000));
        }
        Ok(effective) => {
            let printed = print::toml(&effective);
            let again = resolve(printed).unwrap();
            let values =
                |effective: &Effective| effective.values.iter().map(|entry| entry.value.clone()).collect::<Vec<_>>();
            assert_eq!(values(&effective), values(&again));
        }
    }
});

fn resolve(text: String) -> Result<Effective, Vec<config::Problem>> {
    Effective::resolve(Some(FileText { path: "berth.toml".into(), text }), Vec::new(), Vec::new())
}
