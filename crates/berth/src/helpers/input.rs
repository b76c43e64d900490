//! What whoever asks writes to standard input.

use std::io::Read as _;
use std::sync::mpsc;

use zeroize::Zeroizing;

use super::PATIENCE;

/// More than any request has: a token of a service account is among them.
const MOST_BYTES: u64 = 256 * 1024;

/// All of standard input, as text; an error's text where it does not end, is too long or is no text.
pub fn read() -> Result<Zeroizing<String>, &'static str> {
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = std::io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes);
        let _ = told.send(read.map(|_| bytes));
    });
    let bytes = heard.recv_timeout(PATIENCE).map_err(|_| "the request on standard input does not end")?;
    let bytes = bytes.map_err(|_| "standard input cannot be read")?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err("the request on standard input is too long");
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "the request on standard input is no text")?;
    Ok(Zeroizing::new(text.to_owned()))
}
