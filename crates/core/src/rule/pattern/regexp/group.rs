//! What follows an opening parenthesis: captures, lookaround, conditionals, inline flags.

use super::PatternError;
use super::ast::{Condition, Node};
use super::cursor::is_word;
use super::parser::Parser;

/// What a parenthesis opens.
enum Opened {
    /// Nothing: it set flags for what follows.
    Flags,
    Plain,
    Capture(u32),
    Look {
        behind: bool,
        negated: bool,
    },
    Atomic,
    Conditional(Condition),
}

impl Parser {
    /// A whole group, after its `(`. The parentheses of a condition do not capture.
    pub(super) fn group(&mut self, in_conditional: bool, is_condition: bool) -> Result<Option<Node>, PatternError> {
        let outer = self.flags;
        let opened = self.nested(|parser| parser.open(in_conditional, is_condition))?;
        if matches!(opened, Opened::Flags) {
            return Ok(None);
        }
        // Whether a condition is a group's name is known to the second reading.
        let is_conditional = matches!(opened, Opened::Conditional(Condition::Ahead(_))) && self.resolves;
        let mut alternatives = self.nested(|parser| parser.alternatives(is_conditional))?;
        if !self.cursor.eat(")") {
            return Err(PatternError("a `(` is not closed".to_owned()));
        }
        self.flags = outer;
        Ok(Some(match opened {
            Opened::Conditional(condition) => {
                let no = if alternatives.len() == 2 { alternatives.pop() } else { None }.unwrap_or(Node::Empty);
                match alternatives.pop() {
                    Some(yes) if alternatives.is_empty() => conditional(condition, yes, no),
                    _ => return Err(PatternError("a conditional has more than two branches".to_owned())),
                }
            }
            opened => {
                let node = Node::alternate(alternatives);
                match opened {
                    Opened::Capture(slot) => Node::Capture { slot, node: Box::new(node) },
                    Opened::Look { behind, negated } => Node::Look { node: Box::new(node), behind, negated },
                    Opened::Atomic => Node::Atomic(Box::new(node)),
                    _ => node,
                }
            }
        }))
    }

    fn open(&mut self, in_conditional: bool, is_condition: bool) -> Result<Opened, PatternError> {
        if self.cursor.peek() != Some('?') || self.cursor.peek_at(1) == Some(')') {
            let captures = !self.flags.explicit_capture && !is_condition;
            return Ok(if captures { Opened::Capture(self.take_slot()) } else { Opened::Plain });
        }
        self.cursor.next();
        let unknown = || Err(PatternError("a `(?` begins nothing that is known".to_owned()));
        match self.cursor.next() {
            Some(':') => Ok(Opened::Plain),
            Some('=') => Ok(Opened::Look { behind: false, negated: false }),
            Some('!') => Ok(Opened::Look { behind: false, negated: true }),
            Some('>') => Ok(Opened::Atomic),
            Some('<') if self.cursor.eat("=") => Ok(Opened::Look { behind: true, negated: false }),
            Some('<') if self.cursor.eat("!") => Ok(Opened::Look { behind: true, negated: true }),
            Some('<') => self.named('>', true),
            Some('\'') => self.named('\'', true),
            Some('P') => {
                if self.cursor.eat("<") {
                    self.named('>', false)
                } else {
                    unknown()
                }
            }
            Some('(') => Ok(Opened::Conditional(self.condition()?)),
            Some(c) => {
                let first = (!in_conditional).then_some(c);
                match first.map_or(Some(c), |first| self.inline_flags(first)) {
                    Some(')') => Ok(Opened::Flags),
                    Some(':') => Ok(Opened::Plain),
                    _ => unknown(),
                }
            }
            None => unknown(),
        }
    }

    /// Reads flags from `c` on; returns the first character that is none.
    fn inline_flags(&mut self, c: char) -> Option<char> {
        let mut on = true;
        let mut next = Some(c);
        while let Some(c) = next {
            match c {
                '-' => on = false,
                '+' => on = true,
                'i' | 'I' => self.flags.ignore_case = on,
                'm' | 'M' => self.flags.multi_line = on,
                'n' | 'N' => self.flags.explicit_capture = on,
                's' | 'S' => self.flags.single_line = on,
                'x' | 'X' => self.flags.extended = on,
                // The reference's switch for its own debugging.
                'd' | 'D' => {}
                other => return Some(other),
            }
            next = self.cursor.next();
        }
        None
    }

    /// `name>`, and with `numbers` also `5>`.
    fn named(&mut self, close: char, numbers: bool) -> Result<Opened, PatternError> {
        let bad = || PatternError("a group's name begins with a word character and ends with its delimiter".to_owned());
        let first = self.cursor.peek().ok_or_else(bad)?;
        let slot = if numbers && first.is_ascii_digit() {
            let slot = self.cursor.decimal()?;
            if first != '0' {
                self.groups.slots.insert(slot);
            }
            if slot == 0 || !self.groups.slots.contains(&slot) {
                return Err(PatternError("a group's number is not zero and does not begin with one".to_owned()));
            }
            slot
        } else if is_word(first) {
            let name = self.cursor.name();
            if self.resolves {
                self.groups.names.get(&name).copied().unwrap_or_default()
            } else {
                self.groups.note_name(&name);
                0
            }
        } else if first == '-' {
            return Err(balancing());
        } else {
            return Err(bad());
        };
        match self.cursor.next() {
            Some('-') if numbers => Err(balancing()),
            Some(c) if c == close => Ok(Opened::Capture(slot)),
            _ => Err(bad()),
        }
    }

    /// The condition of `(?(...)yes|no)`, after its `(`: a group, or an expression.
    fn condition(&mut self) -> Result<Condition, PatternError> {
        let start = self.cursor.position();
        let first = self.cursor.peek();
        if first.is_some_and(|c| c.is_ascii_digit()) {
            let slot = self.cursor.decimal()?;
            if !self.cursor.eat(")") {
                return Err(PatternError("a condition is a number and more".to_owned()));
            }
            // Number 0 is the whole match, which has not ended yet.
            if self.resolves && slot != 0 && !self.groups.slots.contains(&slot) {
                return Err(PatternError(format!("a condition names group {slot}, which does not exist")));
            }
            return Ok(Condition::Captured(slot));
        }
        if first.is_some_and(is_word) && self.resolves {
            let name = self.cursor.name();
            if let Some(slot) = self.groups.names.get(&name).copied()
                && self.cursor.eat(")")
            {
                return Ok(Condition::Captured(slot));
            }
            self.cursor.rewind(start);
        }
        if first == Some('?') {
            let named = match self.cursor.peek_at(1) {
                Some('#' | '\'') => true,
                Some('<') => !matches!(self.cursor.peek_at(2), Some('!' | '=')),
                _ => false,
            };
            if named {
                return Err(PatternError("a condition is a comment or has a name".to_owned()));
            }
        }
        let node = self.group(true, true)?;
        node.map(|node| Condition::Ahead(Box::new(node)))
            .ok_or_else(|| PatternError("a conditional has no condition".to_owned()))
    }
}

fn conditional(condition: Condition, yes: Node, no: Node) -> Node {
    let is_idle = yes == Node::Empty && no == Node::Empty && matches!(condition, Condition::Captured(_));
    if is_idle { Node::Empty } else { Node::Conditional { condition, yes: Box::new(yes), no: Box::new(no) } }
}

fn balancing() -> PatternError {
    PatternError("balancing groups `(?<a-b>` are not supported".to_owned())
}
