//! Runs programs, backtracking as the reference's engine does, and counts every step.

use super::super::char_set::CharSet;
use super::super::{MatchError, Steps};
use super::ast::Assertion;
use super::program::{Address, Instruction, Program, Register};

/// No place.
const NOWHERE: usize = usize::MAX;

/// Where each group begins and ends; `None` for one that captured nothing.
pub(in super::super) type Found = Vec<Option<(usize, usize)>>;

/// Matches a subject from its beginning.
pub(in super::super) fn run(program: &Program, subject: &str, steps: &mut Steps) -> Result<Option<Found>, MatchError> {
    let registers = vec![NOWHERE; program.registers];
    let subject = subject.as_bytes();
    let mut machine = Machine { program, subject, registers, stack: Vec::new(), at: 0, next: 0 };
    loop {
        steps.take(1)?;
        let instruction = program.instructions[machine.next];
        machine.next += 1;
        if matches!(instruction, Instruction::Match) {
            break;
        }
        if !machine.execute(instruction, steps)? && !machine.resume() {
            return Ok(None);
        }
    }
    let places = machine.registers.chunks_exact(2).take(program.groups);
    Ok(Some(places.map(|place| (place[0] != NOWHERE).then_some((place[0], place[1]))).collect()))
}

struct Machine<'m> {
    program: &'m Program,
    subject: &'m [u8],
    registers: Vec<usize>,
    stack: Vec<Entry>,
    at: usize,
    next: Address,
}

/// What to do when the present way fails, last one first.
#[derive(Clone, Copy)]
enum Entry {
    /// A lazy run takes another character.
    Grow {
        run: Address,
        at: usize,
        taken: usize,
    },
    /// Another way.
    Retry {
        next: Address,
        at: usize,
    },
    /// A greedy run gives a character back.
    Shrink {
        next: Address,
        low: usize,
        high: usize,
    },
    Undo {
        register: Register,
        value: usize,
    },
}

impl Machine<'_> {
    /// Whether the present way goes on.
    fn execute(&mut self, instruction: Instruction, steps: &mut Steps) -> Result<bool, MatchError> {
        match instruction {
            Instruction::At(place) => return Ok(self.at == self.registers[place]),
            Instruction::Assert(assertion) => return Ok(self.holds(assertion)),
            Instruction::Back => {
                if let Some(before) = self.at.checked_sub(1) {
                    self.stack.push(Entry::Retry { next: self.next - 1, at: before });
                }
            }
            Instruction::Capture { group, start } => {
                // Each step leaves one entry on the stack at most, so that steps bound the memory, too.
                steps.take(1)?;
                self.set(group, self.registers[start]);
                self.set(group + 1, self.at);
            }
            Instruction::Cut(height) => {
                let height = self.registers[height];
                steps.take(self.stack.len() - height)?;
                let mut kept = height;
                for index in height..self.stack.len() {
                    if matches!(self.stack[index], Entry::Undo { .. }) {
                        self.stack[kept] = self.stack[index];
                        kept += 1;
                    }
                }
                self.stack.truncate(kept);
            }
            Instruction::Enter(height) => {
                // What undoes this is beneath.
                let above = self.stack.len() + 1;
                self.set(height, above);
            }
            Instruction::FailSince(height) => {
                let height = self.registers[height];
                steps.take(self.stack.len() - height)?;
                while self.stack.len() > height {
                    if let Some(Entry::Undo { register, value }) = self.stack.pop() {
                        self.registers[register] = value;
                    }
                }
                return Ok(false);
            }
            Instruction::IfCaptured { group, otherwise } => {
                if self.registers[group] == NOWHERE {
                    self.next = otherwise;
                }
            }
            Instruction::Iterate { count, start } => {
                steps.take(1)?;
                self.set(count, self.registers[count] + 1);
                self.set(start, self.at);
            }
            Instruction::Jump(address) => self.next = address,
            Instruction::Loop { count, start, min, max, lazy, exit } => {
                let runs = self.registers[count];
                let took_nothing = runs > 0 && self.registers[start] == self.at;
                if runs >= max || (took_nothing && runs >= min) {
                    self.next = exit;
                } else if runs >= min {
                    let (now, later) = if lazy { (exit, self.next) } else { (self.next, exit) };
                    self.stack.push(Entry::Retry { next: later, at: self.at });
                    self.next = now;
                }
            }
            Instruction::Mark(register) => self.set(register, self.at),
            Instruction::Match => {}
            Instruction::Reference { group, ignore_case } => return self.repeats(group, ignore_case, steps),
            Instruction::Return(register) => self.at = self.registers[register],
            Instruction::Run { set, min, max, lazy } => {
                let wanted = if lazy { min } else { max };
                let rest = self.subject[self.at..].iter().take(wanted);
                let taken = rest.take_while(|byte| set.contains(**byte)).count();
                steps.take(taken / 4)?;
                if taken < min {
                    return Ok(false);
                }
                let low = self.at + min;
                self.at += taken;
                if lazy && min < max {
                    self.stack.push(Entry::Grow { run: self.next - 1, at: self.at, taken });
                } else if low < self.at {
                    self.stack.push(Entry::Shrink { next: self.next, low, high: self.at - 1 });
                }
            }
            Instruction::Set(set) => {
                let fits = self.takes(self.at, set);
                self.at += usize::from(fits);
                return Ok(fits);
            }
            Instruction::Split(address) => self.stack.push(Entry::Retry { next: address, at: self.at }),
            Instruction::Start(count) => self.set(count, 0),
        }
        Ok(true)
    }

    /// Takes up the last way that was left; `false` when there is none.
    fn resume(&mut self) -> bool {
        while let Some(entry) = self.stack.pop() {
            match entry {
                Entry::Grow { run, at, taken } => {
                    let Instruction::Run { set, max, .. } = self.program.instructions[run] else { continue };
                    if self.takes(at, set) {
                        if taken + 1 < max {
                            self.stack.push(Entry::Grow { run, at: at + 1, taken: taken + 1 });
                        }
                        (self.next, self.at) = (run + 1, at + 1);
                        return true;
                    }
                }
                Entry::Retry { next, at } => {
                    (self.next, self.at) = (next, at);
                    return true;
                }
                Entry::Shrink { next, low, high } => {
                    if low < high {
                        self.stack.push(Entry::Shrink { next, low, high: high - 1 });
                    }
                    (self.next, self.at) = (next, high);
                    return true;
                }
                Entry::Undo { register, value } => self.registers[register] = value,
            }
        }
        false
    }

    /// Changes a register, until the present way fails.
    fn set(&mut self, register: Register, value: usize) {
        self.stack.push(Entry::Undo { register, value: self.registers[register] });
        self.registers[register] = value;
    }

    fn takes(&self, at: usize, set: CharSet) -> bool {
        self.subject.get(at).is_some_and(|byte| set.contains(*byte))
    }

    fn holds(&self, assertion: Assertion) -> bool {
        let before = self.at.checked_sub(1).and_then(|before| self.subject.get(before));
        let after = self.subject.get(self.at);
        let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| CharSet::WORD.contains(*byte));
        match assertion {
            Assertion::Start => before.is_none(),
            Assertion::End => after.is_none(),
            Assertion::LineStart => before.is_none_or(|byte| *byte == b'\n'),
            Assertion::LineEnd => after.is_none_or(|byte| *byte == b'\n'),
            Assertion::WordBoundary => is_word(before) != is_word(after),
            Assertion::NotWordBoundary => is_word(before) == is_word(after),
        }
    }

    /// Whether what a group captured comes once more.
    fn repeats(&mut self, group: Register, ignore_case: bool, steps: &mut Steps) -> Result<bool, MatchError> {
        let (start, end) = (self.registers[group], self.registers[group + 1]);
        if start == NOWHERE {
            return Ok(false);
        }
        let captured = &self.subject[start..end];
        steps.take(captured.len() / 16)?;
        let comes = self.subject[self.at..]
            .get(..captured.len())
            .is_some_and(|text| if ignore_case { text.eq_ignore_ascii_case(captured) } else { text == captured });
        self.at += if comes { captured.len() } else { 0 };
        Ok(comes)
    }
}
