//! Runs a template, within bounds.

use super::ast::{Command, Definitions, Node, Operand, Pipeline};
use super::error::RenderError;
use super::fields::{self, converted};
use super::format;
use super::function::{Body, Function, Param, Surroundings};
use super::value::Value;
use super::{EMPTY, MAX_EXPENSIVE, TemplateData};

/// What a template may write.
const MAX_OUTPUT: usize = 64 * 1024;
/// How many nodes a template may run.
const MAX_STEPS: usize = 100_000;
/// How deep blocks and named templates may nest while they run.
const MAX_DEPTH: usize = 250;

/// Renders nodes, appending to `out`. With `mutates` the claims are copied, because a function may write
/// into them.
pub(super) fn render(
    nodes: &[Node],
    definitions: &Definitions,
    data: &TemplateData<'_>,
    around: &Surroundings<'_>,
    mutates: bool,
    out: &mut String,
) -> Result<(), RenderError> {
    let root = Value::Session(data);
    let extra = data.extra.filter(|_| mutates).map(|extra| Value::of_owned_map(extra));
    let limit = out.len() + MAX_OUTPUT;
    let mut run = Run {
        root: root.clone(),
        definitions,
        extra,
        around,
        variables: Vec::new(),

        steps: 0,
        expensive: 0,
        depth: 0,
        limit,
    };
    run.nodes(nodes, &root, out).map(drop)
}

/// Renders one node that reads nothing and names no other template.
pub(super) fn render_alone(node: &Node, around: &Surroundings<'_>, out: &mut String) -> Result<(), RenderError> {
    render(std::slice::from_ref(node), &Definitions::new(), &EMPTY.with(), around, false, out)
}

struct Run<'a, 's> {
    /// `$`
    root: Value<'a>,
    definitions: &'a Definitions,
    extra: Option<Value<'a>>,
    around: &'s Surroundings<'s>,
    variables: Vec<Value<'a>>,
    steps: usize,
    expensive: usize,
    depth: usize,
    limit: usize,
}

/// What a loop runs over: keys with their values.
type Pairs<'a> = Box<dyn Iterator<Item = (Value<'a>, Value<'a>)> + 'a>;

/// Whether a loop goes on.
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'a> Run<'a, '_> {
    fn nodes(&mut self, nodes: &'a [Node], dot: &Value<'a>, out: &mut String) -> Result<Flow, RenderError> {
        if self.depth == MAX_DEPTH {
            return Err(RenderError::new("templates nest too deeply"));
        }
        self.depth += 1;
        let flow = self.sequence(nodes, dot, out);
        self.depth -= 1;
        flow
    }

    fn sequence(&mut self, nodes: &'a [Node], dot: &Value<'a>, out: &mut String) -> Result<Flow, RenderError> {
        for node in nodes {
            self.step(out)?;
            match self.node(node, dot, out)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    /// Counts what a template does, so that none runs without end.
    fn step(&mut self, out: &str) -> Result<(), RenderError> {
        self.steps += 1;
        if self.steps > MAX_STEPS || out.len() > self.limit {
            return Err(RenderError::new("the template runs too long or writes too much"));
        }
        Ok(())
    }

    fn node(&mut self, node: &'a Node, dot: &Value<'a>, out: &mut String) -> Result<Flow, RenderError> {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Output(pipeline) => match self.pipeline(pipeline, dot)? {
                Value::Text(text) => out.push_str(&text.to_str()),
                value => out.push_str(&String::from_utf8_lossy(&format::printed(&value))),
            },
            Node::Assign(pipeline) => {
                self.pipeline(pipeline, dot)?;
            }
            Node::If { condition, then, otherwise } => {
                let branch = if self.pipeline(condition, dot)?.is_true() { then } else { otherwise };
                return self.nodes(branch, dot, out);
            }
            Node::With { value, then, otherwise } => {
                let value = self.pipeline(value, dot)?;
                return if value.is_true() { self.nodes(then, &value, out) } else { self.nodes(otherwise, dot, out) };
            }
            Node::Range { key, item, list, body, otherwise } => {
                return self.range((*key, *item), list, body, otherwise, dot, out);
            }
            Node::Template { name, dot: given } => self.template(name, given.as_ref(), dot, out)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// Runs a named template: `$` and the dot are what it is given, and it sees no variable of the caller.
    fn template(
        &mut self,
        name: &str,
        given: Option<&'a Pipeline>,
        dot: &Value<'a>,
        out: &mut String,
    ) -> Result<(), RenderError> {
        let Some(body) = self.definitions.get(name) else {
            return Err(RenderError::new(format!("template \"{name}\" not defined")));
        };
        let dot = given.map_or(Ok(Value::Nil), |given| self.pipeline(given, dot))?;
        let root = std::mem::replace(&mut self.root, dot.clone());
        let variables = std::mem::take(&mut self.variables);
        let flow = self.nodes(body, &dot, out);
        (self.root, self.variables) = (root, variables);
        flow.map(drop)
    }

    fn range(
        &mut self,
        (key, item): (Option<usize>, Option<usize>),
        list: &'a Pipeline,
        body: &'a [Node],
        otherwise: &'a [Node],
        dot: &Value<'a>,
        out: &mut String,
    ) -> Result<Flow, RenderError> {
        let value = self.pipeline(list, dot)?;
        let pairs: Pairs<'a> = if let Some(elements) = value.elements() {
            Box::new(elements.into_iter().enumerate().map(|(index, value)| (Value::Int(index as i64), value)))
        } else if let Some(members) = value.members() {
            Box::new(members.into_iter().map(|(key, value)| (Value::Text(key), value)))
        } else if value.is_nil() {
            Box::new(std::iter::empty())
        } else if let (Some(count), None) = (value.integer(), key) {
            Box::new((0..count).map(move |number| (Value::Nil, value.with_integer(number))))
        } else {
            return Err(RenderError::new(format!("range can't iterate over type {}", value.type_name())));
        };
        let mut pairs = pairs.peekable();
        if pairs.peek().is_none() {
            // As in the reference, a break there ends this loop, which is over anyway.
            return Ok(match self.nodes(otherwise, dot, out)? {
                Flow::Break => Flow::Next,
                flow => flow,
            });
        }
        for (index, element) in pairs {
            self.step(out)?;
            if let Some(slot) = key {
                self.assign(slot, index);
            }
            if let Some(slot) = item {
                self.assign(slot, element.clone());
            }
            if matches!(self.nodes(body, &element, out)?, Flow::Break) {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn assign(&mut self, slot: usize, value: Value<'a>) {
        if self.variables.len() <= slot {
            self.variables.resize(slot + 1, Value::Nil);
        }
        self.variables[slot] = value;
    }

    fn pipeline(&mut self, pipeline: &'a Pipeline, dot: &Value<'a>) -> Result<Value<'a>, RenderError> {
        let mut previous = None;
        for command in &pipeline.commands {
            previous = Some(self.command(command, dot, previous)?.settled());
        }
        let value = previous.unwrap_or(Value::Nil);
        for slot in &pipeline.slots {
            self.assign(*slot, value.clone());
        }
        Ok(value)
    }

    fn command(
        &mut self,
        command: &'a Command,
        dot: &Value<'a>,
        piped: Option<Value<'a>>,
    ) -> Result<Value<'a>, RenderError> {
        match command {
            Command::Value(operand) => self.operand(operand, dot),
            Command::Method { receiver, name, arguments } => {
                let receiver = self.operand(receiver, dot)?;
                let mut values = Vec::with_capacity(arguments.len() + 1);
                for operand in arguments {
                    values.push((self.operand(operand, dot)?, operand.is_literal()));
                }
                values.extend(piped.map(|value| (value, false)));
                fields::call(&receiver, name, &values)
            }
            Command::Call { function, arguments } => self.call(function, arguments, dot, piped),
        }
    }

    fn call(
        &mut self,
        function: &'static Function,
        arguments: &'a [Operand],
        dot: &Value<'a>,
        piped: Option<Value<'a>>,
    ) -> Result<Value<'a>, RenderError> {
        if let Body::Decides(deciding) = function.body {
            return self.decide(deciding, arguments, dot, piped);
        }
        self.expensive += usize::from(function.at_load);
        if self.expensive > MAX_EXPENSIVE {
            return Err(RenderError::new(format!("{} is called too often", function.name)));
        }
        // What most calls are: one argument, which needs no list.
        match (arguments, piped) {
            ([operand], None) => {
                let value = self.operand(operand, dot)?;
                let value = converted(value, function.param(0).unwrap_or(Param::Any), operand.is_literal())?;
                self.run(function, &[value])
            }
            ([], Some(piped)) => {
                let value = converted(piped, function.param(0).unwrap_or(Param::Any), false)?;
                self.run(function, &[value])
            }
            (arguments, piped) => {
                let mut values = Vec::with_capacity(arguments.len() + 1);
                for (index, operand) in arguments.iter().enumerate() {
                    let value = self.operand(operand, dot)?;
                    let param = function.param(index).unwrap_or(Param::Any);
                    values.push(converted(value, param, operand.is_literal())?);
                }
                if let Some(piped) = piped {
                    let param = function.param(arguments.len()).unwrap_or(Param::Any);
                    values.push(converted(piped, param, false)?);
                }
                self.run(function, &values)
            }
        }
    }

    fn run(&self, function: &'static Function, values: &[Value<'a>]) -> Result<Value<'a>, RenderError> {
        let result = match function.body {
            Body::Pure(body) => body(values),
            Body::Outside(body) => body(self.around, values),
            Body::Decides(_) => Ok(values.last().cloned().unwrap_or(Value::Nil)),
        };
        result.map_err(|message| RenderError::new(format!("error calling {}: {message}", function.name)))
    }

    /// `and` and `or`: the first value of this truth, or else the last. Operands after it are left alone.
    fn decide(
        &mut self,
        deciding: bool,
        arguments: &'a [Operand],
        dot: &Value<'a>,
        piped: Option<Value<'a>>,
    ) -> Result<Value<'a>, RenderError> {
        let mut last = Value::Nil;
        for operand in arguments {
            last = self.operand(operand, dot)?.settled();
            if last.is_true() == deciding {
                return Ok(last);
            }
        }
        Ok(piped.unwrap_or(last))
    }

    fn operand(&mut self, operand: &'a Operand, dot: &Value<'a>) -> Result<Value<'a>, RenderError> {
        Ok(match operand {
            Operand::Bool(value) => Value::Bool(*value),
            Operand::Number(number) => number.value(),
            Operand::Text(text) => Value::Text(super::value::Text::Borrowed(text)),
            // Rendering is what this secret is for: it becomes part of an injected value.
            Operand::Secret(secret) => Value::Text(secret.expose().into()),
            Operand::Nil => Value::Nil,
            Operand::Dot => dot.clone(),
            Operand::Root => self.root.clone(),
            Operand::Variable(slot) => self.variables.get(*slot).cloned().unwrap_or(Value::Nil),
            Operand::Fields(inner, names) => {
                let (first, rest) = names.split_first().ok_or_else(|| RenderError::new("no field is named"))?;
                let mut value = match &**inner {
                    Operand::Dot => fields::field(dot, first, self.extra.as_ref())?,
                    inner => fields::field(&self.operand(inner, dot)?, first, self.extra.as_ref())?,
                };
                for name in rest {
                    value = fields::field(&value, name, self.extra.as_ref())?;
                }
                value
            }
            Operand::Parenthesised(pipeline) => self.pipeline(pipeline, dot)?,
        })
    }
}
