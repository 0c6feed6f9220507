//! From tokens to a checked tree: names resolved, argument counts checked, secrets looked up.

mod environment;
mod operand;
mod pipeline;
mod statement;

use super::ast::{Definitions, Facts, Node};
use super::error::TemplateError;
use super::lex::{self, Piece, Token};
use crate::ports::SecretSource;

/// How deep actions and parentheses may nest.
const MAX_DEPTH: usize = 64;

/// Parses a whole template.
pub(super) fn parse(text: &str, secrets: &dyn SecretSource) -> Result<(Vec<Node>, Definitions, Facts), TemplateError> {
    let mut parser = Parser {
        text,
        pieces: lex::pieces(text)?.into_iter(),
        secrets,
        facts: Facts::default(),
        definitions: Definitions::new(),
        names: Vec::new(),
        slots: 0,
        loops: 0,
        depth: 0,
    };
    let (nodes, end) = parser.list()?;
    match end {
        End::Text => Ok((nodes, parser.definitions, parser.facts)),
        End::Block(offset) => Err(TemplateError::new(text, offset, "unexpected {{end}}")),
        End::Else(offset, _) => Err(TemplateError::new(text, offset, "unexpected {{else}}")),
    }
}

struct Parser<'t> {
    text: &'t str,
    pieces: std::vec::IntoIter<Piece<'t>>,
    secrets: &'t dyn SecretSource,
    facts: Facts,
    definitions: Definitions,
    /// Variables in scope with their slots, innermost last.
    names: Vec<(String, usize)>,
    slots: usize,
    loops: usize,
    depth: usize,
}

/// What ended a list of nodes.
enum End {
    Text,
    /// `{{end}}`
    Block(usize),
    /// `{{else ...}}` with the tokens after it.
    Else(usize, Vec<Token>),
}

type Parsed<T> = Result<T, TemplateError>;

impl Parser<'_> {
    fn fail<T>(&self, offset: usize, message: impl Into<String>) -> Parsed<T> {
        Err(TemplateError::new(self.text, offset, message))
    }

    /// Nodes up to what ends them. Variables that they declare end there, too.
    fn list(&mut self) -> Parsed<(Vec<Node>, End)> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail(0, "nested too deeply");
        }
        let scope = self.names.len();
        let mut nodes = Vec::new();
        let end = loop {
            let Some(piece) = self.pieces.next() else { break End::Text };
            let (inside, offset) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text.to_owned()));
                    continue;
                }
                Piece::Action { inside, offset } => (inside, offset),
            };
            let tokens = lex::tokens(inside).map_err(|message| TemplateError::new(self.text, offset, message))?;
            match tokens.first() {
                None => return self.fail(offset, "missing value for command"),
                Some(Token::Word(word)) if word == "end" && tokens.len() == 1 => break End::Block(offset),
                Some(Token::Word(word)) if word == "define" && self.depth == 1 => self.define(&tokens, offset)?,
                Some(Token::Word(word)) if word == "else" => break End::Else(offset, tokens[1..].to_vec()),
                Some(_) => nodes.push(self.action(&tokens, offset)?),
            }
        };
        self.names.truncate(scope);
        self.depth -= 1;
        Ok((nodes, end))
    }

    fn declare(&mut self, name: &str) -> usize {
        let slot = self.slots;
        self.slots += 1;
        self.names.push((name.to_owned(), slot));
        slot
    }

    fn known_slot(&self, name: &str) -> Option<usize> {
        self.names.iter().rev().find(|(known, _)| known == name).map(|(_, slot)| *slot)
    }

    fn slot(&self, name: &str, offset: usize) -> Parsed<usize> {
        match self.known_slot(name) {
            Some(slot) => Ok(slot),
            None => self.fail(offset, format!("undefined variable \"${name}\"")),
        }
    }
}
