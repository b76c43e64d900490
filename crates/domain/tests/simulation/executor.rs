//! The scheduler's table of tasks: which of them goes on next is the seed's choice.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::chaos::Chaos;

/// What a task belongs to: it ends with its node.
pub type NodeNumber = usize;

struct Task {
    node: NodeNumber,
    future: Pin<Box<dyn Future<Output = ()>>>,
    frozen_until: u64,
}

/// Tasks that wait for their turn. Every task is asked again and again, so that none needs to be woken.
#[derive(Default)]
pub struct Tasks {
    tasks: Vec<Task>,
    step: u64,
}

impl Tasks {
    pub fn spawn(&mut self, node: NodeNumber, future: impl Future<Output = ()> + 'static) {
        self.tasks.push(Task { node, future: Box::pin(future), frozen_until: 0 });
    }

    /// Drops the tasks of a node where they stand.
    pub fn drop_node(&mut self, node: NodeNumber) {
        self.tasks.retain(|task| task.node != node);
    }

    /// Lets one task go on. `false` where none is left.
    pub fn step(&mut self, chaos: &Chaos) -> bool {
        if self.tasks.is_empty() {
            return false;
        }
        self.step += 1;
        let at = chaos.below(self.tasks.len());
        let task = &mut self.tasks[at];
        if !chaos.is_calm() && task.frozen_until > self.step {
            return true;
        }
        if !chaos.is_calm() && chaos.chance(chaos.profile().freeze, 1000) {
            task.frozen_until = self.step + chaos.below(400) as u64;
        }
        let mut context = Context::from_waker(Waker::noop());
        if task.future.as_mut().poll(&mut context).is_ready() {
            drop(self.tasks.swap_remove(at));
        }
        true
    }
}

/// Runs a future to its end with nothing beside it.
pub fn alone<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("a future waits for something that does not come");
}
