//! Servers of other makers, which end when the test's process does, however it goes.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Runs a program until it ends or standard input does, which happens when the test's process is gone.
/// (The shell gives its background jobs no standard input, hence descriptor 3.)
const KEEPER: &str = r#"exec 3<&0; folder=$1; shift; "$@" </dev/null 3<&- & child=$!
    (read -r _ <&3; kill -INT $child) 2>/dev/null & wait $child; [ -z "$folder" ] || rm -rf "$folder""#;

/// Starts a program with more variables, its output going to a log. Dropping the child's standard input ends it. The
/// folder `remove` goes when it has ended: what a test keeps in a static is never dropped.
pub fn spawn(program: &[String], environment: &[(&str, &str)], log: &File, remove: Option<&Path>) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER, "keeper"]).arg(remove.unwrap_or(Path::new("")));
    command.args(program).envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log.try_clone().unwrap());
    command.spawn().expect("the shell starts")
}

/// A port that nothing listened on a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
