//! Actions: control structures, definitions, and what is printed.

use super::{End, Parsed, Parser};
use crate::template::ast::{Node, Pipeline};
use crate::template::lex::Token;

impl Parser<'_> {
    pub(super) fn action(&mut self, tokens: &[Token], offset: usize) -> Parsed<Node> {
        let word = match tokens.first() {
            Some(Token::Word(word)) => word.as_str(),
            _ => "",
        };
        match word {
            "if" => self.conditional(&tokens[1..], offset),
            "with" => self.with(&tokens[1..], offset),
            "range" => self.range(&tokens[1..], offset),
            "break" | "continue" if tokens.len() == 1 => {
                if self.loops == 0 {
                    return self.fail(offset, format!("{{{{{word}}}}} outside {{{{range}}}}"));
                }
                Ok(if word == "break" { Node::Break } else { Node::Continue })
            }
            "define" => self.fail(offset, "unexpected {{define}}: it stands outside every other action"),
            "template" => {
                let name = self.template_name(tokens, offset)?;
                let dot = if tokens.len() > 2 { Some(self.single(&tokens[2..], offset)?) } else { None };
                Ok(Node::Template { name, dot })
            }
            "block" => {
                let name = self.template_name(tokens, offset)?;
                let dot = Some(self.single(&tokens[2..], offset)?);
                self.definition(name.clone(), offset)?;
                Ok(Node::Template { name, dot })
            }
            _ => {
                let pipeline = self.single(tokens, offset)?;
                Ok(if pipeline.slots.is_empty() { Node::Output(pipeline) } else { Node::Assign(pipeline) })
            }
        }
    }

    pub(super) fn define(&mut self, tokens: &[Token], offset: usize) -> Parsed<()> {
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

    fn conditional(&mut self, tokens: &[Token], offset: usize) -> Parsed<Node> {
        let scope = self.names.len();
        let condition = self.single(tokens, offset)?;
        let (then, otherwise) = self.branches(offset, "if")?;
        self.names.truncate(scope);
        Ok(Node::If { condition, then, otherwise })
    }

    fn with(&mut self, tokens: &[Token], offset: usize) -> Parsed<Node> {
        let scope = self.names.len();
        let value = self.single(tokens, offset)?;
        let (then, otherwise) = self.branches(offset, "with")?;
        self.names.truncate(scope);
        Ok(Node::With { value, then, otherwise })
    }

    fn range(&mut self, tokens: &[Token], offset: usize) -> Parsed<Node> {
        let scope = self.names.len();
        let mut list = self.pipeline(tokens, offset)?;
        let (key, item) = match std::mem::take(&mut list.slots)[..] {
            [] => (None, None),
            [item] => (None, Some(item)),
            [key, item] => (Some(key), Some(item)),
            _ => return self.fail(offset, "too many declarations in range"),
        };
        let (body, otherwise) = self.branches(offset, "range")?;
        self.names.truncate(scope);
        Ok(Node::Range { key, item, list, body, otherwise })
    }

    /// A pipeline that declares or assigns no more than one variable.
    fn single(&mut self, tokens: &[Token], offset: usize) -> Parsed<Pipeline> {
        let pipeline = self.pipeline(tokens, offset)?;
        if pipeline.slots.len() > 1 {
            return self.fail(offset, "too many declarations: only range takes two variables");
        }
        Ok(pipeline)
    }

    /// The nodes up to `{{end}}`, with an `else` between; `else if` nests.
    fn branches(&mut self, offset: usize, keyword: &str) -> Parsed<(Vec<Node>, Vec<Node>)> {
        // A loop that never ran cannot be left: what stands after `else` belongs to the loop outside.
        let looping = usize::from(keyword == "range");
        self.loops += looping;
        let list = self.list();
        self.loops -= looping;
        let (then, end) = list?;
        match end {
            End::Text => self.fail(offset, format!("unclosed {{{{{keyword}}}}}: unexpected end of the template")),
            End::Block(_) => Ok((then, Vec::new())),
            End::Else(offset, tokens) if tokens.is_empty() => match self.list()? {
                (otherwise, End::Block(_)) => Ok((then, otherwise)),
                _ => self.fail(offset, "expected {{end}} after {{else}}"),
            },
            End::Else(offset, tokens) => {
                let otherwise = match (&tokens[0], keyword) {
                    (Token::Word(word), "if") if word == "if" => self.conditional(&tokens[1..], offset)?,
                    (Token::Word(word), "with") if word == "with" => self.with(&tokens[1..], offset)?,
                    _ => return self.fail(offset, "unexpected tokens after {{else}}"),
                };
                Ok((then, vec![otherwise]))
            }
        }
    }
}

fn is_blank(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}
