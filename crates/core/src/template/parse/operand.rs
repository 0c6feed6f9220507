//! Operands: literals, fields, variables and what stands in parentheses.

use super::{MAX_DEPTH, Parsed, Parser};
use crate::template::ast::{Operand, Pipeline};
use crate::template::lex::Token;

impl Parser<'_> {
    pub(super) fn operands(&mut self, mut tokens: &[Token], offset: usize) -> Parsed<Vec<Operand>> {
        let mut found = Vec::new();
        while !tokens.is_empty() {
            found.push(self.operand(&mut tokens, offset)?);
        }
        Ok(found)
    }

    /// The operand at the beginning of the tokens, which is taken off them.
    pub(super) fn operand(&mut self, tokens: &mut &[Token], offset: usize) -> Parsed<Operand> {
        let Some((first, rest)) = tokens.split_first() else {
            return self.fail(offset, "missing value for command");
        };
        *tokens = rest;
        match first {
            Token::Text(text) => Ok(Operand::Text(text.clone())),
            Token::Number(number) => Ok(Operand::Number(*number)),
            Token::Field(names) => {
                self.touch(names);
                Ok(follow(Operand::Dot, names))
            }
            Token::Variable(name, names) => match self.known_slot(name) {
                Some(slot) => Ok(follow(Operand::Variable(slot), names)),
                None if name.is_empty() => {
                    self.touch(names);
                    Ok(follow(Operand::Root, names))
                }
                None => self.fail(offset, format!("undefined variable \"${name}\"")),
            },
            Token::Word(word) => match word.as_str() {
                "true" => Ok(Operand::Bool(true)),
                "false" => Ok(Operand::Bool(false)),
                "nil" => Ok(Operand::Nil),
                name => self.bare_call(name, tokens, offset),
            },
            Token::Open => self.parenthesised(tokens, offset),
            _ => self.fail(offset, "unexpected token in operand"),
        }
    }

    /// A function's name as an operand is a call without arguments; fields of the result may follow.
    fn bare_call(&mut self, name: &str, tokens: &mut &[Token], offset: usize) -> Parsed<Operand> {
        let call = self.call(name, &[], offset, false)?;
        let operand = Operand::Parenthesised(Box::new(Pipeline { slots: Vec::new(), commands: vec![call] }));
        match tokens.split_first() {
            Some((Token::Chain(names), rest)) => {
                *tokens = rest;
                Ok(follow(operand, names))
            }
            _ => Ok(operand),
        }
    }

    fn parenthesised(&mut self, tokens: &mut &[Token], offset: usize) -> Parsed<Operand> {
        let mut depth = 1;
        let end = tokens.iter().position(|token| {
            match token {
                Token::Open => depth += 1,
                Token::Close(_) => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let Some(end) = end else { return self.fail(offset, "unclosed left paren") };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail(offset, "nested too deeply");
        }
        let inner = self.pipeline(&tokens[..end], offset)?;
        self.depth -= 1;
        let operand = Operand::Parenthesised(Box::new(inner));
        let names = match &tokens[end] {
            Token::Close(names) => names.as_slice(),
            _ => &[],
        };
        *tokens = &tokens[end + 1..];
        Ok(follow(operand, names))
    }

    fn touch(&mut self, names: &[String]) {
        self.facts.reads_request = true;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if matches!(names[..], [] | ["MatchContext"] | ["MatchContext", "RegexpCaptureGroups", ..]) {
            self.facts.reads_captures = true;
        }
    }
}

fn follow(operand: Operand, names: &[String]) -> Operand {
    if names.is_empty() { operand } else { Operand::Fields(Box::new(operand), names.to_vec()) }
}
