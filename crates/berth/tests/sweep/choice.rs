//! Which faults at which calls.

use std::collections::HashSet;

use berth_testkit::Random;
use berth_testkit::calls::{Class, Fault, Seen};

/// Faults that a call of this class may meet. What a socket says of the other side is no fault of the machine.
pub fn faults(seen: &Seen) -> Vec<Fault> {
    let is_file = seen.point.object != "socket";
    let mut faults = Vec::new();
    // A call that fails by itself changes nothing.
    if seen.class.changes() && seen.succeeded {
        faults.push(Fault::Kill);
    }
    match seen.class {
        Class::Create => faults.extend([Fault::EIO, Fault::ENOSPC, Fault::EMFILE]),
        Class::Open => faults.extend([Fault::EIO, Fault::EMFILE]),
        Class::Descriptor => faults.push(Fault::EMFILE),
        Class::Write | Class::Sync if is_file => faults.extend([Fault::EIO, Fault::ENOSPC]),
        Class::Read | Class::Look | Class::Remove if is_file => faults.push(Fault::EIO),
        _ => {}
    }
    // Making a folder or taking a name away makes no descriptor; mapping memory is no reading.
    faults.retain(|fault| *fault != Fault::EMFILE || !seen.point.call.starts_with("mkdir"));
    if is_of_process(seen) { Vec::new() } else { faults }
}

/// The process's own affairs: its logs, its memory, its wake-ups, its libraries.
fn is_of_process(seen: &Seen) -> bool {
    let object = &seen.point.object;
    seen.point.call == "mmap"
        || ["pipe", "anon_inode", "/"].iter().any(|other| object.starts_with(other))
        || (object == "-" && seen.class != Class::Descriptor)
}

/// How many calls are taken of those on the folders of the blob store, of which there are 256, all alike.
const FOLDERS: usize = 8;
/// Of faults that need not be in every run, one in so many is.
const SAMPLE: usize = 3;

/// Whether a run that does not take all takes this one: each kill, each sync, and a sample of the rest.
pub fn is_taken(seen: &Seen, fault: Fault, random: &mut Random) -> bool {
    if seen.point.object == "blobs/…/" && seen.class != Class::Sync {
        return random.below(256 / FOLDERS) == 0;
    }
    fault == Fault::Kill || seen.class == Class::Sync || random.below(SAMPLE) == 0
}

/// Every (call, fault) once, in order.
pub fn all(seen: &[Seen]) -> Vec<(&Seen, Fault)> {
    let mut met = HashSet::new();
    let pairs = seen.iter().flat_map(|seen| faults(seen).into_iter().map(move |fault| (seen, fault)));
    pairs.filter(|(seen, fault)| met.insert((seen.point.to_string(), fault.to_string()))).collect()
}
