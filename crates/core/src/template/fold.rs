//! What always prints the same is printed once, when the template is compiled.

use super::ast::{Command, Definitions, Node, Operand, Pipeline};
use super::eval;
use super::function::{Body, Function, Surroundings};

/// Replaces actions that depend on nothing by their text. What fails is left to fail when it is reached, and
/// secrets stay where they are wiped.
pub(super) fn fold(nodes: &mut Vec<Node>, around: &Surroundings<'_>) {
    for node in nodes.iter_mut() {
        match node {
            Node::Output(pipeline) if is_constant(pipeline) => {
                let mut text = String::new();
                if eval::render_alone(node, around, &mut text).is_ok() {
                    *node = Node::Text(text);
                }
            }
            Node::If { then, otherwise, .. } | Node::With { then, otherwise, .. } => {
                fold(then, around);
                fold(otherwise, around);
            }
            Node::Range { body, otherwise, .. } => {
                fold(body, around);
                fold(otherwise, around);
            }
            _ => {}
        }
    }
    join(nodes);
}

/// Makes texts side by side one text.
fn join(nodes: &mut Vec<Node>) {
    let mut joined: Vec<Node> = Vec::with_capacity(nodes.len());
    for node in nodes.drain(..) {
        match (joined.last_mut(), node) {
            (Some(Node::Text(before)), Node::Text(text)) => before.push_str(&text),
            (_, node) => joined.push(node),
        }
    }
    // Compiled rules live long: no room to grow is kept.
    joined.iter_mut().for_each(|node| {
        if let Node::Text(text) = node {
            text.shrink_to_fit();
        }
    });
    joined.shrink_to_fit();
    *nodes = joined;
}

/// What is left to be run for every request.
#[derive(Default)]
pub(super) struct Calls {
    /// A function that takes the time or random bytes.
    pub(super) outside: bool,
    /// A function too expensive for a request.
    pub(super) expensive: Option<&'static str>,
}

impl Calls {
    /// Looks through a template.
    pub(super) fn of(nodes: &[Node], definitions: &Definitions) -> Self {
        let mut calls = Self::default();
        for nodes in definitions.values().map(Vec::as_slice).chain([nodes]) {
            calls.look_through(nodes);
        }
        calls
    }

    fn look_through(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Text(_) | Node::Break | Node::Continue => {}
                Node::Output(pipeline) | Node::Assign(pipeline) => self.look_at(pipeline),
                Node::If { condition: pipeline, then, otherwise }
                | Node::With { value: pipeline, then, otherwise }
                | Node::Range { list: pipeline, body: then, otherwise, .. } => {
                    self.look_at(pipeline);
                    self.look_through(then);
                    self.look_through(otherwise);
                }
                Node::Template { dot, .. } => dot.iter().for_each(|dot| self.look_at(dot)),
            }
        }
    }

    fn look_at(&mut self, pipeline: &Pipeline) {
        for command in &pipeline.commands {
            match command {
                Command::Value(operand) => self.look_into(operand),
                Command::Call { function, arguments } => {
                    self.note(function);
                    arguments.iter().for_each(|operand| self.look_into(operand));
                }
                Command::Method { receiver, arguments, .. } => {
                    self.look_into(receiver);
                    arguments.iter().for_each(|operand| self.look_into(operand));
                }
            }
        }
    }

    fn look_into(&mut self, operand: &Operand) {
        match operand {
            Operand::Fields(inner, _) => self.look_into(inner),
            Operand::Parenthesised(pipeline) => self.look_at(pipeline),
            _ => {}
        }
    }

    fn note(&mut self, function: &'static Function) {
        self.outside |= matches!(function.body, Body::Outside(_));
        if function.at_load {
            self.expensive = Some(function.name);
        }
    }
}

/// Whether it gives the same for every request and every time.
fn is_constant(pipeline: &Pipeline) -> bool {
    pipeline.slots.is_empty()
        && pipeline.commands.iter().all(|command| match command {
            Command::Value(operand) => is_steady(operand),
            Command::Call { function, arguments } => {
                // A hash with random salt is as good from load as from a request.
                let runs_once = !matches!(function.body, Body::Outside(_)) || function.at_load;
                runs_once && arguments.iter().all(is_steady)
            }
            Command::Method { receiver, arguments, .. } => is_steady(receiver) && arguments.iter().all(is_steady),
        })
}

fn is_steady(operand: &Operand) -> bool {
    match operand {
        Operand::Bool(_) | Operand::Number(_) | Operand::Text(_) | Operand::Nil => true,
        Operand::Secret(_) | Operand::Dot | Operand::Root | Operand::Variable(_) => false,
        Operand::Fields(inner, _) => is_steady(inner),
        Operand::Parenthesised(pipeline) => is_constant(pipeline),
    }
}
