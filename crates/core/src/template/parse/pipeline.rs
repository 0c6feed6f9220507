//! Pipelines: variables declared before them, and commands with bars between.

use super::{Parsed, Parser};
use crate::template::ast::{Command, Operand, Pipeline};
use crate::template::error::TemplateError;
use crate::template::function::Function;
use crate::template::functions;
use crate::template::lex::Token;

impl Parser<'_> {
    pub(super) fn pipeline(&mut self, tokens: &[Token], offset: usize) -> Parsed<Pipeline> {
        let (slots, tokens) = self.declarations(tokens, offset)?;
        let mut parts = split_at_pipes(tokens);
        // As in the reference, a bar at the very end changes nothing.
        if parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        let mut commands: Vec<Command> = Vec::new();
        for part in parts {
            let command = self.command(part, offset, !commands.is_empty())?;
            commands.push(command);
        }
        Ok(Pipeline { slots, commands })
    }

    /// `$a, $b :=` or `$a =` at the beginning, as slots, and what follows. New variables are known from here.
    fn declarations<'k>(&mut self, tokens: &'k [Token], offset: usize) -> Parsed<(Vec<usize>, &'k [Token])> {
        let mark = tokens.iter().position(|token| matches!(token, Token::Declare | Token::Assign));
        let Some(mark) = mark.filter(|_| matches!(tokens.first(), Some(Token::Variable(..)))) else {
            return Ok((Vec::new(), tokens));
        };
        let mut slots = Vec::new();
        for part in tokens[..mark].split(|token| *token == Token::Comma) {
            let [Token::Variable(name, fields)] = part else {
                return self.fail(offset, "expected variables, with a comma between them, before the assignment");
            };
            if !fields.is_empty() {
                return self.fail(offset, "only whole variables can be assigned");
            }
            slots.push(if tokens[mark] == Token::Declare { self.declare(name) } else { self.slot(name, offset)? });
        }
        Ok((slots, &tokens[mark + 1..]))
    }

    fn command(&mut self, tokens: &[Token], offset: usize, piped: bool) -> Parsed<Command> {
        let Some(first) = tokens.first() else { return self.fail(offset, "missing value for command") };
        if let Token::Word(word) = first
            && !is_keyword(word)
            && !matches!(tokens.get(1), Some(Token::Chain(_)))
        {
            return self.call(word, &tokens[1..], offset, piped);
        }
        let mut rest = tokens;
        let receiver = self.operand(&mut rest, offset)?;
        let arguments = self.operands(rest, offset)?;
        match receiver {
            Operand::Fields(inner, mut names) if !arguments.is_empty() || piped => {
                let name = names.pop().unwrap_or_default();
                let receiver = if names.is_empty() { *inner } else { Operand::Fields(inner, names) };
                Ok(Command::Method { receiver, name, arguments })
            }
            Operand::Nil => self.fail(offset, "nil is not a command"),
            _ if piped => self.fail(offset, "non executable command in pipeline"),
            receiver if arguments.is_empty() => Ok(Command::Value(receiver)),
            _ => self.fail(offset, "can't give argument to non-function"),
        }
    }

    pub(super) fn call(&mut self, name: &str, tokens: &[Token], offset: usize, piped: bool) -> Parsed<Command> {
        if matches!(name, "env" | "expandenv" | "secret") {
            return self.environment(name, tokens, offset, piped);
        }
        let function = self.function(name, offset)?;
        let arguments = self.operands(tokens, offset)?;
        let count = arguments.len() + usize::from(piped);
        let least = function.params.len();
        if count < least || count > least && function.rest.is_none() {
            let at_least = if function.rest.is_some() { "at least " } else { "" };
            return self.fail(offset, format!("wrong number of args for {name}: want {at_least}{least} got {count}"));
        }
        self.facts.mutates |= function.mutates;
        self.facts.expensive += usize::from(function.at_load);
        Ok(Command::Call { function, arguments })
    }

    fn function(&self, name: &str, offset: usize) -> Parsed<&'static Function> {
        functions::find(name).ok_or_else(|| match functions::refused(name) {
            Some((why, hint)) => TemplateError::new(self.text, offset, why).with_hint(hint),
            None => TemplateError::new(self.text, offset, format!("function \"{name}\" not defined")),
        })
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "true" | "false" | "nil")
}

fn split_at_pipes(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0;
    tokens
        .split(|token| {
            match token {
                Token::Open => depth += 1,
                Token::Close(_) => depth -= 1,
                _ => {}
            }
            *token == Token::Pipe && depth == 0
        })
        .collect()
}
