//! Where lines wait to be written: requests never wait for whoever reads the log.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes that may wait. What finds no room is lost, and the log says how much was.
const ROOM: usize = 4 * 1024 * 1024;
/// How long lines that are not urgent may wait for others, so that they are written together.
const PATIENCE: Duration = Duration::from_millis(20);

/// Takes lines.
pub(super) struct Sink {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    lost: u64,
    is_urgent: bool,
    is_ending: bool,
}

/// The thread that writes. Dropping it waits until everything is written.
pub(super) struct Writing {
    sink: Arc<Sink>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    /// Starts the thread. Where the system gives none, each line is written as it comes.
    pub(super) fn start(out: impl Write + Send + 'static) -> (Arc<Self>, Writing) {
        let sink = Arc::new(Self { waiting: Mutex::default(), wake: Condvar::new() });
        let writer = Arc::clone(&sink);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(out));
        (Arc::clone(&sink), Writing { sink, thread: thread.ok() })
    }

    /// Takes a line with its end. An urgent one is written at once, with all before it.
    pub(super) fn write(&self, line: &[u8], is_urgent: bool) {
        let mut waiting = self.lock();
        if waiting.lines.len() + line.len() > ROOM {
            waiting.lost += 1;
            return;
        }
        let wakes = waiting.lines.is_empty() || (is_urgent && !waiting.is_urgent);
        waiting.lines.extend_from_slice(line);
        waiting.is_urgent |= is_urgent;
        drop(waiting);
        if wakes {
            self.wake.notify_one();
        }
    }

    fn run(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        loop {
            let (lost, is_last) = self.take(&mut lines);
            if lost > 0 {
                let told =
                    format!("berth: {lost} lines of the log were lost: they were not taken as fast as they came\n");
                lines.extend_from_slice(told.as_bytes());
            }
            // Nobody is left to tell that the log cannot be written.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            if is_last {
                return;
            }
        }
    }

    /// Waits for lines and takes them all; how many were lost, and whether these are the last.
    fn take(&self, lines: &mut Vec<u8>) -> (u64, bool) {
        let is_idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.is_ending;
        let may_wait = |waiting: &mut Waiting| !waiting.is_urgent && !waiting.is_ending;
        let waiting = self.wake.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let patient = self.wake.wait_timeout_while(waiting, PATIENCE, may_wait);
        let (mut waiting, _) = patient.unwrap_or_else(PoisonError::into_inner);
        lines.clear();
        std::mem::swap(&mut waiting.lines, lines);
        waiting.is_urgent = false;
        (std::mem::take(&mut waiting.lost), waiting.is_ending)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.sink.lock().is_ending = true;
        self.sink.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has been told by the panic hook.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// A reader that takes nothing before it is let go.
    struct Held(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Held {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn held() -> (Held, SyncSender<()>, Arc<Mutex<Vec<u8>>>) {
        let (sender, receiver) = sync_channel(0);
        let written = Arc::default();
        (Held(receiver, Arc::clone(&written)), sender, written)
    }

    #[test]
    fn all_lines_are_written_in_order() {
        let (out, reader, written) = held();
        let (sink, writing) = Sink::start(out);
        let mut expected = String::new();
        for number in 0..1000 {
            let line = format!("{number}\n");
            sink.write(line.as_bytes(), number % 100 == 0);
            expected.push_str(&line);
        }
        drop(reader);
        drop(writing);
        assert_eq!(String::from_utf8(written.lock().unwrap().clone()).unwrap(), expected);
    }

    #[test]
    fn nobody_waits_for_a_reader_that_takes_nothing() {
        let (out, reader, written) = held();
        let (sink, writing) = Sink::start(out);
        let line = [b'x'; 1024];
        for _ in 0..3 * ROOM / line.len() {
            sink.write(&line, false);
        }
        drop(reader);
        drop(writing);
        let written = written.lock().unwrap();
        assert!(written.len() <= 2 * ROOM + 200, "{}", written.len());
        assert!(String::from_utf8_lossy(&written).contains("lines of the log were lost"));
    }
}
