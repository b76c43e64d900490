//! A bar on a terminal, for work that is measured in bytes.

use berth_domain::backup::Progress;
use berth_domain::verify::Pace;

/// The bar. Where standard error is no terminal it shows nothing.
#[derive(Clone)]
pub struct Bar(indicatif::ProgressBar);

impl Bar {
    /// A bar of a length that is not known yet.
    pub fn new() -> Self {
        let bar = indicatif::ProgressBar::new(0);
        let template = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = indicatif::ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// A sign that something goes on, with the bytes that were read where they are counted.
    pub fn busy(what: &'static str) -> Self {
        let bar = indicatif::ProgressBar::new_spinner().with_message(what);
        if let Ok(style) = indicatif::ProgressStyle::with_template("{spinner} {msg} {bytes} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        Self(bar)
    }

    /// Takes it away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn expect(&self, bytes: u64) {
        self.0.set_length(bytes);
    }

    fn done(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

#[async_trait::async_trait]
impl Pace for Bar {
    async fn hashed(&mut self, bytes: u64) {
        self.0.inc(bytes);
    }
}
