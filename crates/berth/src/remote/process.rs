//! `credential_process`: a program that prints credentials.
//!
//! Source: "Sourcing credentials with an external process in the AWS CLI".

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use berth_profile::{AwsKeys, Secret};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::failure::Failure;

const PATIENCE: Duration = Duration::from_mins(1);
const MOST_BYTES: u64 = 64 * 1024;

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// Ends the program when nobody waits for it any more.
struct Ended(u32);

impl Drop for Ended {
    fn drop(&mut self) {
        let id = i32::try_from(self.0).ok().and_then(rustix::process::Pid::from_raw);
        let _ = id.map(|id| rustix::process::kill_process(id, rustix::process::Signal::KILL));
    }
}

/// Runs a command by the shell, as AWS's tools do, and reads the keys that it prints. Its standard error is passed on; nothing
/// of what it prints is in an error.
pub async fn keys(command: &Secret) -> Result<AwsKeys, Failure> {
    let wrong = |why: &str| Failure::CouldNotRun(format!("the program of credential_process {why}"));
    let child = Command::new("/bin/sh")
        .args(["-c", command.reveal()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| wrong(&format!("cannot be started: {error}")))?;
    let ended = Ended(child.id());
    let (told, heard) = oneshot::channel();
    // A thread of its own: the runtime must not wait for a program that never ends.
    std::thread::spawn(move || told.send(output(child)));
    let printed = tokio::time::timeout(PATIENCE, heard).await;
    let printed = printed.map_err(|_| wrong("does not end"))?.ok().flatten();
    // It was waited for, so its number may be another program's by now.
    std::mem::forget(ended);
    let printed = printed.ok_or_else(|| wrong("failed, or printed too much"))?;
    parse(&printed).ok_or_else(|| wrong("printed no credentials of version 1"))
}

/// All that it printed, where it ended well.
fn output(mut child: Child) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = child.stdout.take()?.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    let is_whole = read.is_ok_and(|length| length as u64 <= MOST_BYTES);
    if !is_whole {
        let _ = child.kill();
    }
    let status = child.wait().ok()?;
    (is_whole && status.success()).then_some(bytes)
}

fn parse(printed: &[u8]) -> Option<AwsKeys> {
    let Printed { version: 1, access_key_id, secret_access_key, session_token } =
        serde_json::from_slice(printed).ok()?
    else {
        return None;
    };
    let session_token = session_token.filter(|token| !token.is_empty()).map(Zeroizing::new);
    Some(AwsKeys { access_key_id, secret_access_key: secret_access_key.into(), session_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_program_prints_is_taken() {
        let print = |text: &str| Secret::new(&format!("printf %s '{text}'"));
        let whole = r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"hush","SessionToken":"t","Expiration":"2030-01-01T00:00:00Z"}"#;
        let keys = keys(&print(whole)).await.unwrap();
        assert_eq!((keys.access_key_id.as_str(), keys.secret_access_key.as_str()), ("A", "hush"));
        assert_eq!(keys.session_token.as_deref().map(String::as_str), Some("t"));
        let other = whole.replace("\"Version\":1", "\"Version\":2");
        for (command, word) in [
            (print(&other), "version 1"),
            (print("hush"), "version 1"),
            (Secret::new("echo hush; exit 3"), "failed"),
            (Secret::new("yes hush"), "too much"),
        ] {
            let failure = super::keys(&command).await.unwrap_err().to_string();
            assert!(failure.contains(word) && !failure.contains("hush"), "{failure}");
        }
    }
}
