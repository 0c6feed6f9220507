//! From tokens to a checked tree: names resolved, argument counts checked, `env` looked up.

use super::ast::{Command, Definitions, Facts, Node, Operand, Pipeline};
use super::error::TemplateError;
use super::function::{Body, Function};
use super::functions;
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
                Some(_) => nodes.push(self.action(tokens, offset)?),
            }
        };
        self.names.truncate(scope);
        self.depth -= 1;
        Ok((nodes, end))
    }

    fn action(&mut self, tokens: Vec<Token>, offset: usize) -> Parsed<Node> {
        let word = match tokens.first() {
            Some(Token::Word(word)) => word.clone(),
            _ => String::new(),
        };
        match word.as_str() {
            "if" => self.conditional(tokens[1..].to_vec(), offset),
            "with" => self.with(tokens[1..].to_vec(), offset),
            "range" => self.range(tokens[1..].to_vec(), offset),
            "break" | "continue" if tokens.len() == 1 => {
                if self.loops == 0 {
                    return self.fail(offset, format!("{{{{{word}}}}} outside {{{{range}}}}"));
                }
                Ok(if word == "break" { Node::Break } else { Node::Continue })
            }
            "define" => self.fail(offset, "unexpected {{define}}: it stands outside every other action"),
            "template" => {
                let name = self.template_name(&tokens, offset)?;
                let dot = if tokens.len() > 2 { Some(self.pipeline(&tokens[2..], offset)?) } else { None };
                Ok(Node::Template { name, dot })
            }
            "block" => {
                let name = self.template_name(&tokens, offset)?;
                let dot = Some(self.pipeline(&tokens[2..], offset)?);
                self.definition(name.clone(), offset)?;
                Ok(Node::Template { name, dot })
            }
            _ => match (tokens.first(), tokens.get(1)) {
                (Some(Token::Variable(name, fields)), Some(Token::Declare)) if fields.is_empty() => {
                    let value = self.pipeline(&tokens[2..], offset)?;
                    Ok(Node::Assign { slot: self.declare(name), value })
                }
                (Some(Token::Variable(name, fields)), Some(Token::Assign)) if fields.is_empty() => {
                    let slot = self.slot(name, offset)?;
                    Ok(Node::Assign { slot, value: self.pipeline(&tokens[2..], offset)? })
                }
                _ => Ok(Node::Output(self.pipeline(&tokens, offset)?)),
            },
        }
    }

    fn define(&mut self, tokens: &[Token], offset: usize) -> Parsed<()> {
        let name = self.template_name(tokens, offset)?;
        if tokens.len() > 2 {
            return self.fail(offset, "unexpected text after the name of {{define}}");
        }
        self.definition(name, offset)
    }

    fn template_name(&self, tokens: &[Token], offset: usize) -> Parsed<String> {
        match tokens.get(1) {
            Some(Token::Text(name)) => Ok(String::from_utf8_lossy(name).into_owned()),
            _ => self.fail(offset, "expected the name of a template in quotes"),
        }
    }

    /// The body of a `define` or `block`, up to its `{{end}}`: it sees no variable and no loop from outside.
    fn definition(&mut self, name: String, offset: usize) -> Parsed<()> {
        let names = std::mem::take(&mut self.names);
        let loops = std::mem::take(&mut self.loops);
        let parsed = self.list();
        (self.names, self.loops) = (names, loops);
        let (body, end) = parsed?;
        if !matches!(end, End::Block(_)) {
            return self.fail(offset, format!("the template \"{name}\" is not closed by {{{{end}}}}"));
        }
        // As in the reference, one that is empty gives way, and two that are not are too many.
        match self.definitions.get(&name) {
            Some(known) if !is_blank(known) && !is_blank(&body) => {
                self.fail(offset, format!("multiple definition of template \"{name}\""))
            }
            Some(known) if !is_blank(known) => Ok(()),
            _ => {
                self.definitions.insert(name, body);
                Ok(())
            }
        }
    }

    fn conditional(&mut self, tokens: Vec<Token>, offset: usize) -> Parsed<Node> {
        let condition = self.pipeline(&tokens, offset)?;
        let (then, otherwise) = self.branches(offset, "if")?;
        Ok(Node::If { condition, then, otherwise })
    }

    fn with(&mut self, mut tokens: Vec<Token>, offset: usize) -> Parsed<Node> {
        let scope = self.names.len();
        let mut slot = None;
        if let (Some(Token::Variable(name, _)), Some(Token::Declare)) = (tokens.first(), tokens.get(1)) {
            slot = Some(name.clone());
            tokens.drain(..2);
        }
        let value = self.pipeline(&tokens, offset)?;
        let slot = slot.map(|name| self.declare(&name));
        let (then, otherwise) = self.branches(offset, "with")?;
        self.names.truncate(scope);
        Ok(Node::With { slot, value, then, otherwise })
    }

    fn range(&mut self, mut tokens: Vec<Token>, offset: usize) -> Parsed<Node> {
        let scope = self.names.len();
        let mut names = Vec::new();
        if let Some(end) = tokens.iter().position(|token| *token == Token::Declare) {
            for token in tokens.drain(..=end) {
                match token {
                    Token::Variable(name, fields) if fields.is_empty() => names.push(name),
                    Token::Comma | Token::Declare => {}
                    _ => return self.fail(offset, "range can only declare variables"),
                }
            }
        }
        let list = self.pipeline(&tokens, offset)?;
        let slots: Vec<usize> = names.iter().map(|name| self.declare(name)).collect();
        let (key, item) = match slots[..] {
            [] => (None, None),
            [item] => (None, Some(item)),
            [key, item] => (Some(key), Some(item)),
            _ => return self.fail(offset, "too many declarations in range"),
        };
        self.loops += 1;
        let branches = self.branches(offset, "range");
        self.loops -= 1;
        self.names.truncate(scope);
        let (body, otherwise) = branches?;
        Ok(Node::Range { key, item, list, body, otherwise })
    }

    /// The nodes up to `{{end}}`, with an `else` between; `else if` nests.
    fn branches(&mut self, offset: usize, keyword: &str) -> Parsed<(Vec<Node>, Vec<Node>)> {
        let (then, end) = self.list()?;
        match end {
            End::Text => self.fail(offset, format!("unclosed {{{{{keyword}}}}}: unexpected end of the template")),
            End::Block(_) => Ok((then, Vec::new())),
            End::Else(offset, tokens) if tokens.is_empty() => match self.list()? {
                (otherwise, End::Block(_)) => Ok((then, otherwise)),
                _ => self.fail(offset, "expected {{end}} after {{else}}"),
            },
            End::Else(offset, tokens) => {
                let otherwise = match (&tokens[0], keyword) {
                    (Token::Word(word), "if") if word == "if" => self.conditional(tokens[1..].to_vec(), offset)?,
                    (Token::Word(word), "with") if word == "with" => self.with(tokens[1..].to_vec(), offset)?,
                    _ => return self.fail(offset, "unexpected tokens after {{else}}"),
                };
                Ok((then, vec![otherwise]))
            }
        }
    }

    fn declare(&mut self, name: &str) -> usize {
        let slot = self.slots;
        self.slots += 1;
        self.names.push((name.to_owned(), slot));
        slot
    }

    fn slot(&self, name: &str, offset: usize) -> Parsed<usize> {
        match self.names.iter().rev().find(|(known, _)| known == name) {
            Some((_, slot)) => Ok(*slot),
            None => self.fail(offset, format!("undefined variable \"${name}\"")),
        }
    }

    fn pipeline(&mut self, tokens: &[Token], offset: usize) -> Parsed<Pipeline> {
        let mut commands: Vec<Command> = Vec::new();
        for tokens in split_at_pipes(tokens) {
            let command = self.command(tokens, offset, !commands.is_empty())?;
            commands.push(command);
        }
        Ok(Pipeline(commands))
    }

    fn command(&mut self, tokens: &[Token], offset: usize, piped: bool) -> Parsed<Command> {
        let Some(first) = tokens.first() else { return self.fail(offset, "missing value for command") };
        if let Token::Word(word) = first
            && !is_keyword(word)
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

    fn call(&mut self, name: &str, tokens: &[Token], offset: usize, piped: bool) -> Parsed<Command> {
        if name == "env" {
            return self.env(tokens, offset, piped);
        }
        let function = self.function(name, offset)?;
        let arguments = self.operands(tokens, offset)?;
        let count = arguments.len() + usize::from(piped);
        let least = function.params.len();
        if count < least || count > least && function.rest.is_none() {
            let at_least = if function.rest.is_some() { "at least " } else { "" };
            return self.fail(offset, format!("wrong number of args for {name}: want {at_least}{least} got {count}"));
        }
        self.facts.reads_outside |= matches!(function.body, Body::Outside(_));
        self.facts.mutates |= function.mutates;
        if function.at_load {
            self.facts.expensive = Some(function.name);
        }
        Ok(Command::Call { function, arguments })
    }

    fn function(&self, name: &str, offset: usize) -> Parsed<&'static Function> {
        functions::find(name).ok_or_else(|| match functions::refused(name) {
            Some((why, hint)) => TemplateError::new(self.text, offset, why).with_hint(hint),
            None => TemplateError::new(self.text, offset, format!("function \"{name}\" not defined")),
        })
    }

    /// `env "NAME"`: resolved here and now, so that a request never meets a missing secret.
    fn env(&mut self, tokens: &[Token], offset: usize, piped: bool) -> Parsed<Command> {
        let [Token::Text(name)] = tokens else {
            return self.fail(offset, "`env` takes one constant name, such as `env \"NAME\"`");
        };
        if piped {
            return self.fail(offset, "`env` takes one constant name and no piped value");
        }
        let name = &*String::from_utf8_lossy(name);
        match self.secrets.env(name) {
            Some(secret) if !secret.expose().is_empty() => {
                self.facts.reads_secret = true;
                Ok(Command::Value(Operand::Secret(secret)))
            }
            found => {
                let state = if found.is_some() { "empty" } else { "not set" };
                let error = TemplateError::new(self.text, offset, format!("environment variable `{name}` is {state}"));
                Err(error.with_hint(format!("set `{name}` in the environment or in `secrets.env_dir`")))
            }
        }
    }

    fn operands(&mut self, mut tokens: &[Token], offset: usize) -> Parsed<Vec<Operand>> {
        let mut found = Vec::new();
        while !tokens.is_empty() {
            found.push(self.operand(&mut tokens, offset)?);
        }
        Ok(found)
    }

    fn operand(&mut self, tokens: &mut &[Token], offset: usize) -> Parsed<Operand> {
        let Some((first, rest)) = tokens.split_first() else {
            return self.fail(offset, "missing value for command");
        };
        *tokens = rest;
        match first {
            Token::Text(text) => Ok(Operand::Text(text.clone())),
            Token::Int(value) => Ok(Operand::Int(*value)),
            Token::Float(value) => Ok(Operand::Float(*value)),
            Token::Field(names) => {
                self.touch(names);
                Ok(follow(Operand::Dot, names))
            }
            Token::Variable(name, names) if name.is_empty() => {
                self.touch(names);
                Ok(follow(Operand::Root, names))
            }
            Token::Variable(name, names) => Ok(follow(Operand::Variable(self.slot(name, offset)?), names)),
            Token::Word(word) => match word.as_str() {
                "true" => Ok(Operand::Bool(true)),
                "false" => Ok(Operand::Bool(false)),
                "nil" => Ok(Operand::Nil),
                // A function name as an argument is a call without arguments.
                name => {
                    let call = self.call(name, &[], offset, false)?;
                    Ok(Operand::Parenthesised(Box::new(Pipeline(vec![call]))))
                }
            },
            Token::Open => self.parenthesised(tokens, offset),
            _ => self.fail(offset, "unexpected token in operand"),
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

fn is_blank(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
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
