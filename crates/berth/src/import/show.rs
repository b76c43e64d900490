//! What an import shows: a bar or lines while it runs, a summary at its end.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use berth_domain::import::{Imported, LeftOut, Progress};
use berth_oci::name::RepositoryName;
use serde_json::{Value, json};

use crate::output;

/// How often the bar is drawn while nothing comes.
const TICK: Duration = Duration::from_millis(200);

/// A bar on a terminal, else a line for each repository.
pub struct Bar {
    spinner: indicatif::ProgressBar,
    in_lines: bool,
    images: AtomicU64,
    left_out: AtomicU64,
}

impl Bar {
    pub fn new() -> Self {
        let spinner = indicatif::ProgressBar::new_spinner();
        if let Ok(style) =
            indicatif::ProgressStyle::with_template("{spinner} {bytes} {bytes_per_sec} {prefix} {wide_msg}")
        {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(TICK);
        let in_lines = !std::io::stderr().is_terminal();
        Self { spinner, in_lines, images: AtomicU64::new(0), left_out: AtomicU64::new(0) }
    }

    pub fn finish(&self) {
        self.spinner.finish_and_clear();
    }

    fn count(&self) {
        let (images, left_out) = (self.images.load(Ordering::Relaxed), self.left_out.load(Ordering::Relaxed));
        let told = if left_out == 0 { String::new() } else { format!(", {left_out} left out") };
        self.spinner.set_prefix(format!("{images} images{told}"));
    }
}

impl Progress for Bar {
    fn repository(&self, name: &RepositoryName) {
        self.spinner.set_message(name.to_string());
        if self.in_lines {
            output::notice(&format!("importing {name}"));
        }
    }

    fn read(&self, bytes: u64) {
        self.spinner.inc(bytes);
    }

    fn image(&self) {
        self.images.fetch_add(1, Ordering::Relaxed);
        self.count();
    }

    fn left_out(&self, left_out: &LeftOut) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
        self.count();
        self.spinner.suspend(|| output::notice(&line(left_out)));
    }
}

/// The end of an import, for people or for scripts.
pub fn summary(imported: &Imported, finished: bool, as_json: bool) -> String {
    if as_json {
        let mut summary = json!(imported);
        summary["finished"] = Value::from(finished);
        return summary.to_string();
    }
    let mut lines: Vec<String> = imported.left_out.iter().map(line).collect();
    let shown = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    if shown < imported.left_out_total {
        lines.push(format!("and {} more were left out", imported.left_out_total - shown));
    }
    let Imported { images, images_there, tags, blobs, blobs_there, bytes, repositories, .. } = imported;
    lines.push(format!(
        "{images} images and {tags} tags of {repositories} repositories came, {images_there} images were there; \
         {blobs} blobs with {bytes} bytes were read, {blobs_there} were there; {} left out{}",
        imported.left_out_total,
        if finished { "" } else { "; not finished" }
    ));
    lines.join("\n")
}

fn line(left_out: &LeftOut) -> String {
    let LeftOut { repository, digest, tag, reason } = left_out;
    let digest = digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
    let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
    format!("left out: {repository}{tag}{digest}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_told_with_its_reason() {
        let left = |repository: &str, tag: Option<&str>| LeftOut {
            repository: repository.to_owned(),
            digest: None,
            tag: tag.map(str::to_owned),
            reason: "why".to_owned(),
        };
        let imported = Imported {
            left_out: vec![left("a", None), left("b", Some("1"))],
            left_out_total: 5,
            ..Imported::default()
        };
        let told = summary(&imported, false, false);
        assert!(told.starts_with("left out: a: why\nleft out: b:1: why\nand 3 more were left out\n0 images"), "{told}");
        assert!(told.ends_with("5 left out; not finished"), "{told}");
        let told: Value = serde_json::from_str(&summary(&imported, true, true)).unwrap();
        assert_eq!((&told["finished"], &told["left_out"][1]["tag"]), (&json!(true), &json!("1")));
    }
}
