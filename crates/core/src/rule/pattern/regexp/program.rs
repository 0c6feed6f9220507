//! A tree as a program for the machine that backtracks.

use std::collections::BTreeSet;

use super::super::char_set::CharSet;
use super::PatternError;
use super::ast::{Assertion, Condition, Node};

/// A program, and what it needs to run.
#[derive(Debug)]
pub(in super::super) struct Program {
    pub(super) instructions: Vec<Instruction>,
    /// The first ones hold where each group begins and ends, in the order of the groups' numbers.
    pub(super) registers: usize,
    pub(super) groups: usize,
}

/// Holds a place in the subject, a number of runs, or a height of the stack.
pub(super) type Register = usize;

/// Where an instruction stands.
pub(super) type Address = usize;

#[derive(Clone, Copy, Debug)]
pub(super) enum Instruction {
    /// Fails unless `place` holds this place.
    At(Register),
    Assert(Assertion),
    /// Goes back a character at a time, trying each place.
    Back,
    /// A group ends that began at `start`.
    Capture {
        group: Register,
        start: Register,
    },
    /// Forgets the other ways since `Enter`.
    Cut(Register),
    /// Keeps how high the stack is.
    Enter(Register),
    /// What was not to match did: forgets everything since `Enter`, and fails.
    FailSince(Register),
    IfCaptured {
        group: Register,
        otherwise: Address,
    },
    /// Begins another run of a loop.
    Iterate {
        count: Register,
        start: Register,
    },
    Jump(Address),
    /// Decides whether the next instruction begins another run. A run that took nothing is the last.
    Loop {
        count: Register,
        start: Register,
        min: usize,
        max: usize,
        lazy: bool,
        exit: Address,
    },
    Mark(Register),
    Match,
    Reference {
        group: Register,
        ignore_case: bool,
    },
    Return(Register),
    /// Several characters of one set.
    Run {
        set: CharSet,
        min: usize,
        max: usize,
        lazy: bool,
    },
    Set(CharSet),
    /// Goes on, and should that fail, elsewhere.
    Split(Address),
    /// No run yet.
    Start(Register),
}

/// Instructions of one program: some hundred kilobytes.
const MAX_INSTRUCTIONS: usize = 8192;

/// Writes the program of a tree whose groups have these numbers.
pub(super) fn program(node: &Node, slots: &BTreeSet<u32>) -> Result<Program, PatternError> {
    let mut writer = Writer { instructions: Vec::new(), registers: 2 * slots.len(), slots };
    writer.node(node);
    writer.push(Instruction::Match);
    if writer.instructions.len() > MAX_INSTRUCTIONS {
        return Err(PatternError("it is too long: split the rule".to_owned()));
    }
    writer.instructions.shrink_to_fit();
    Ok(Program { instructions: writer.instructions, registers: writer.registers, groups: slots.len() })
}

struct Writer<'s> {
    instructions: Vec<Instruction>,
    registers: usize,
    slots: &'s BTreeSet<u32>,
}

impl Writer<'_> {
    fn node(&mut self, node: &Node) {
        match node {
            Node::Empty => {}
            Node::Set(set) => self.push(Instruction::Set(*set)),
            Node::Assert(assertion) => self.push(Instruction::Assert(*assertion)),
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Node::Alternate(nodes) => self.alternatives(nodes),
            Node::Repeat { node, min, max, lazy } => {
                let (min, max) = (*min as usize, max.map_or(usize::MAX, |max| max as usize));
                match **node {
                    Node::Set(set) => self.push(Instruction::Run { set, min, max, lazy: *lazy }),
                    _ => self.repeated(node, min, max, *lazy),
                }
            }
            Node::Capture { slot, node } => {
                let start = self.register();
                self.push(Instruction::Mark(start));
                self.node(node);
                if let Some(group) = self.group(*slot) {
                    self.push(Instruction::Capture { group, start });
                }
            }
            Node::Look { node, behind, negated: false } => self.look(node, *behind),
            Node::Look { node, behind, negated: true } => {
                let height = self.enter();
                let split = self.hole();
                self.looked_for(node, *behind);
                self.push(Instruction::FailSince(height));
                self.fill(split, Instruction::Split);
            }
            Node::Atomic(node) => {
                let height = self.enter();
                self.node(node);
                self.push(Instruction::Cut(height));
            }
            Node::Reference { slot, ignore_case } => {
                let ignore_case = *ignore_case;
                // A group that is nowhere never captured anything.
                let never = Instruction::Set(CharSet::NONE);
                self.push(self.group(*slot).map_or(never, |group| Instruction::Reference { group, ignore_case }));
            }
            Node::Conditional { condition, yes, no } => self.conditional(condition, yes, no),
        }
    }

    fn alternatives(&mut self, nodes: &[Node]) {
        let mut ends = Vec::new();
        let Some((last, others)) = nodes.split_last() else { return };
        for node in others {
            let split = self.hole();
            self.node(node);
            ends.push(self.hole());
            self.fill(split, Instruction::Split);
        }
        self.node(last);
        ends.into_iter().for_each(|end| self.fill(end, Instruction::Jump));
    }

    fn repeated(&mut self, node: &Node, min: usize, max: usize, lazy: bool) {
        let (count, start) = (self.register(), self.register());
        self.push(Instruction::Start(count));
        let head = self.hole();
        self.push(Instruction::Iterate { count, start });
        self.node(node);
        self.push(Instruction::Jump(head));
        self.fill(head, |exit| Instruction::Loop { count, start, min, max, lazy, exit });
    }

    fn look(&mut self, node: &Node, behind: bool) {
        let height = self.enter();
        let here = self.looked_for(node, behind);
        self.push(Instruction::Cut(height));
        self.push(Instruction::Return(here));
    }

    /// What lookaround looks for. Returns what holds the place it looks from.
    fn looked_for(&mut self, node: &Node, behind: bool) -> Register {
        let here = self.register();
        self.push(Instruction::Mark(here));
        if behind {
            self.push(Instruction::Back);
        }
        self.node(node);
        if behind {
            self.push(Instruction::At(here));
        }
        here
    }

    fn conditional(&mut self, condition: &Condition, yes: &Node, no: &Node) {
        let otherwise = match condition {
            Condition::Captured(slot) => match self.group(*slot) {
                None => return self.node(no),
                Some(group) => (self.hole(), Some(group)),
            },
            Condition::Ahead(node) => {
                let height = self.enter();
                let split = self.hole();
                let here = self.looked_for(node, false);
                self.push(Instruction::Cut(height));
                self.push(Instruction::Return(here));
                (split, None)
            }
        };
        self.node(yes);
        let end = self.hole();
        match otherwise {
            (hole, Some(group)) => self.fill(hole, |otherwise| Instruction::IfCaptured { group, otherwise }),
            (hole, None) => self.fill(hole, Instruction::Split),
        }
        self.node(no);
        self.fill(end, Instruction::Jump);
    }

    fn enter(&mut self) -> Register {
        let height = self.register();
        self.push(Instruction::Enter(height));
        height
    }

    fn group(&self, slot: u32) -> Option<Register> {
        self.slots.iter().position(|number| *number == slot).map(|index| 2 * index)
    }

    fn register(&mut self) -> Register {
        self.registers += 1;
        self.registers - 1
    }

    fn push(&mut self, instruction: Instruction) {
        self.instructions.push(instruction);
    }

    /// A place for an instruction that leads to what is not written yet.
    fn hole(&mut self) -> Address {
        self.push(Instruction::Match);
        self.instructions.len() - 1
    }

    /// Fills a place with an instruction that leads here.
    fn fill(&mut self, hole: Address, instruction: impl FnOnce(Address) -> Instruction) {
        self.instructions[hole] = instruction(self.instructions.len());
    }
}
