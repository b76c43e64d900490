//! `berth migrate-store`.

use berth_domain::moving::Moved;
use serde_json::json;

use crate::bar::Bar;
use crate::config::Settings;
use crate::failure::Failure;
use crate::{opened, output, stores};

/// Moves blobs until there are none left to move.
pub async fn run(settings: &Settings, as_json: bool) -> Result<(), Failure> {
    let Some(old) = stores::former(settings)? else {
        let text = "nothing says where blobs are now: set storage.move_from to `files` or s3://bucket/prefix, and where they \
                    are to be by s3.*; restart the registry with that, then run this beside it";
        return Err(Failure::Usage(text.to_owned()));
    };
    let new = stores::present(settings).await?;
    let domain = opened::existing(settings).await?;
    let bar = Bar::new();
    let moved = domain.move_blobs(&domain.administrator(), old.as_ref(), new.as_ref(), &bar).await;
    bar.finish();
    let moved = moved?;
    output::result(&if as_json { json!(moved).to_string() } else { told(&moved) });
    if moved.damaged.is_empty() {
        return Ok(());
    }
    Err(Failure::CouldNotRun(
        "damaged blobs stay where they are: see `berth verify --repair`, then run this again".into(),
    ))
}

fn told(moved: &Moved) -> String {
    let Moved { blobs, bytes, left, damaged } = moved;
    let mut lines: Vec<String> = damaged.iter().map(|digest| format!("damaged {digest}")).collect();
    lines.push(format!("{blobs} blobs with {bytes} bytes moved"));
    lines.push(match left {
        0 => "nothing is left: take storage.move_from out of the configuration and restart the registry".to_owned(),
        left => format!(
            "{left} keys of open uploads or garbage are left: run this again once they are finished or expired (uploads.ttl)"
        ),
    });
    lines.join("\n")
}
