//! A parsed template.

use std::collections::HashMap;

use super::function::Function;
use super::number::Number;
use crate::credential::Credential;
use crate::secret::Secret;

/// One piece of a template.
pub(super) enum Node {
    Text(String),
    Output(Pipeline),
    /// `{{$x := value}}`: prints nothing.
    Assign(Pipeline),
    If {
        condition: Pipeline,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    With {
        value: Pipeline,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Range {
        key: Option<usize>,
        item: Option<usize>,
        list: Pipeline,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    /// `{{template "name" dot}}`
    Template {
        name: String,
        dot: Option<Pipeline>,
    },
    Break,
    Continue,
}

/// What `{{define}}` and `{{block}}` name, seen from everywhere in the same text.
pub(super) type Definitions = HashMap<String, Vec<Node>>;

/// Commands, each of which gets the result of the one before as its last argument.
pub(super) struct Pipeline {
    /// The variables that the result is assigned to.
    pub(super) slots: Vec<usize>,
    pub(super) commands: Vec<Command>,
}

/// A value, or a call.
pub(super) enum Command {
    Value(Operand),
    Call {
        function: &'static Function,
        arguments: Vec<Operand>,
    },
    /// A method with arguments.
    Method {
        receiver: Operand,
        name: String,
        arguments: Vec<Operand>,
    },
}

/// Something with a value.
pub(super) enum Operand {
    Bool(bool),
    Number(Number),
    Text(Vec<u8>),
    Secret(Secret),
    Nil,
    Dot,
    Root,
    Variable(usize),
    /// Field names followed from an operand.
    Fields(Box<Operand>, Vec<String>),
    Parenthesised(Box<Pipeline>),
}

impl Operand {
    /// Whether it is written out, and so takes the type that is wanted.
    pub(super) fn is_literal(&self) -> bool {
        matches!(self, Operand::Bool(_) | Operand::Number(_) | Operand::Text(_) | Operand::Nil)
    }
}

/// What a template touches.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) reads_request: bool,
    pub(super) reads_captures: bool,
    /// The secrets it holds, each once.
    pub(super) credentials: Vec<Credential>,
    /// May write into maps of the session.
    pub(super) mutates: bool,
    /// How many calls of functions too expensive for a request there are.
    pub(super) expensive: usize,
}
