//! Which faults at which calls.

use std::collections::{HashMap, HashSet};

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

/// A name that so many calls bear is a loop: over the 256 folders of the blob store, or the pages of the database.
const LOOP: usize = 200;
/// How many calls of a loop are taken, about.
const OF_LOOP: usize = 10;
/// Of faults that need not be in every run, one in so many is.
const SAMPLE: usize = 3;

/// Whether a run that does not take all takes this one, where so many calls bear its name: each kill, each sync, and a
/// sample of the rest.
pub fn is_taken(seen: &Seen, fault: Fault, alike: usize, random: &mut Random) -> bool {
    if seen.class == Class::Sync {
        return true;
    }
    if alike >= LOOP {
        return random.below(alike) < OF_LOOP;
    }
    fault == Fault::Kill || random.below(SAMPLE) == 0
}

/// How many calls bear each name.
pub fn alike(seen: &[Seen]) -> HashMap<(&'static str, &str), usize> {
    let mut alike = HashMap::new();
    for seen in seen {
        *alike.entry((seen.point.call, seen.point.object.as_str())).or_default() += 1;
    }
    alike
}

/// Every (call, fault) once, in order.
pub fn all(seen: &[Seen]) -> Vec<(&Seen, Fault)> {
    let mut met = HashSet::new();
    let pairs = seen.iter().flat_map(|seen| faults(seen).into_iter().map(move |fault| (seen, fault)));
    pairs.filter(|(seen, fault)| met.insert((seen.point.to_string(), fault.to_string()))).collect()
}
