//! One run: phases of trouble, each with a quiet point behind it.

use std::rc::Rc;
use std::time::Duration;

use berth_domain::Domain;

use crate::background;
use crate::chaos::Profile;
use crate::clients::Client;
use crate::executor::{Tasks, alone};
use crate::quiet;
use crate::world::{GRACE, NODES, World, caller};

/// How a run is made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    /// Steps of trouble after which everything calms down, whatever is left to do.
    pub steps: u64,
}

/// More than any run needs.
pub const ALL_STEPS: u64 = 100_000;

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub plan: Plan,
    pub profile: Profile,
    pub violation: Option<String>,
    /// Steps of trouble that were made.
    pub steps: u64,
    /// A hash of everything that happened, in its order.
    pub hash: u64,
    /// The last things that happened.
    pub trace: Vec<String>,
}

const PHASES: usize = 2;
const OPERATIONS: usize = 24;
const CLIENTS: usize = 2;

struct Run {
    world: Rc<World>,
    nodes: Vec<Rc<Domain>>,
    tasks: Tasks,
    profile: Profile,
    steps: u64,
}

/// Makes a run.
pub fn run(plan: Plan) -> Outcome {
    let world = World::new(plan.seed);
    let nodes = (0..NODES).map(|_| world.start_node()).collect();
    let profile = world.chaos.profile();
    let mut run = Run { world, nodes, tasks: Tasks::default(), profile, steps: 0 };
    for _ in 0..PHASES {
        run.trouble(plan.steps);
        run.calm_down();
        if run.world.violation().is_some() || run.steps >= plan.steps {
            break;
        }
    }
    let Run { world, steps, .. } = run;
    let (hash, trace) = (world.chaos.hash(), world.chaos.trace());
    Outcome { plan, profile, violation: world.violation(), steps, hash, trace }
}

impl Run {
    fn trouble(&mut self, limit: u64) {
        *self.world.operations_left.borrow_mut() = OPERATIONS;
        self.world.chaos.set_calm(false);
        for node in 0..NODES {
            self.spawn(node);
        }
        while self.steps < limit && *self.world.operations_left.borrow() > 0 && self.world.violation().is_none() {
            self.steps += 1;
            self.disturb();
            self.tasks.step(&self.world.chaos);
        }
    }

    /// Lets everything end that was begun, and looks at what came of it.
    fn calm_down(&mut self) {
        self.world.chaos.set_calm(true);
        for _ in 0..ALL_STEPS {
            if self.world.violation().is_some() {
                return;
            }
            if !self.tasks.step(&self.world.chaos) {
                return alone(quiet::check(&self.world, &self.nodes));
            }
        }
        self.world.violated(|| "something never ends".to_owned());
    }

    fn spawn(&mut self, node: usize) {
        let (world, domain) = (&self.world, &self.nodes[node]);
        for _ in 0..CLIENTS {
            let (world, domain, caller) = (Rc::clone(world), Rc::clone(domain), caller());
            self.tasks.spawn(node, Client { world, domain, node, caller }.run());
        }
        self.tasks.spawn(node, background::collect(Rc::clone(world), Rc::clone(domain)));
        self.tasks.spawn(node, background::expire(Rc::clone(world), Rc::clone(domain)));
        self.tasks.spawn(node, background::verify(Rc::clone(world), Rc::clone(domain)));
    }

    /// What happens to a registry from outside.
    fn disturb(&mut self) {
        let chaos = &self.world.chaos;
        self.world.clock.advance(Duration::from_millis(chaos.below(20) as u64));
        if chaos.chance(self.profile.clock_jump, 10_000) {
            let jump = Duration::from_millis(chaos.below(usize::try_from(GRACE.as_millis()).unwrap() * 3 / 2) as u64);
            chaos.note(|| format!("the clock jumps by {jump:?}"));
            self.world.clock.advance(jump);
        }
        if chaos.chance(self.profile.crash, 10_000) {
            let node = chaos.below(NODES);
            chaos.note(|| format!("node {node} crashes"));
            self.restart(node);
        }
        if self.world.chaos.chance(self.profile.power_loss, 10_000) {
            self.world.chaos.note(|| "the power fails".to_owned());
            *self.world.power_losses.borrow_mut() += 1;
            (0..NODES).for_each(|node| self.tasks.drop_node(node));
            self.world.store.lose_power();
            (0..NODES).for_each(|node| self.restart(node));
        }
    }

    fn restart(&mut self, node: usize) {
        self.tasks.drop_node(node);
        self.nodes[node] = self.world.start_node();
        self.spawn(node);
    }
}
