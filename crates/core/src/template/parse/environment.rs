//! `env`, `expandenv` and `secret`: resolved here and now, so that a request never meets a missing secret.

use super::{Parsed, Parser};
use crate::credential::{Absent, Credential, NamedSecret};
use crate::secret::Secret;
use crate::template::ast::{Command, Operand};
use crate::template::error::TemplateError;
use crate::template::lex::Token;

impl Parser<'_> {
    pub(super) fn environment(
        &mut self,
        function: &str,
        tokens: &[Token],
        offset: usize,
        piped: bool,
    ) -> Parsed<Command> {
        let ([Token::Text(text)], false) = (tokens, piped) else {
            let example = match function {
                "env" => "env \"NAME\"",
                "secret" => "secret \"NAME\"",
                _ => "expandenv \"Bearer $NAME\"",
            };
            let message = format!("`{function}` takes one constant text and no piped value, such as `{example}`");
            return self.fail(offset, message);
        };
        let text = &*String::from_utf8_lossy(text);
        let secret = match function {
            "env" => self.variable(text, offset)?,
            "secret" => self.named(text, offset)?,
            _ => self.expanded(text, offset)?,
        };
        Ok(Command::Value(Operand::Secret(secret)))
    }

    /// A text with variables written `$NAME` or `${NAME}`.
    fn expanded(&mut self, text: &str, offset: usize) -> Parsed<Secret> {
        let mut made = zeroize::Zeroizing::new(String::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            made.push_str(before);
            let (name, after) = match after.strip_prefix('{') {
                Some(inside) => match inside.split_once('}') {
                    Some((name, after)) if is_name(name) => (name, after),
                    _ => return self.fail(offset, "expected the name of a variable and `}` after `${`"),
                },
                // Digits, and the signs that shells know, are names of one character; only digits can be set.
                None if after.starts_with(|c: char| c.is_ascii_digit()) => after.split_at(1),
                None if after.starts_with(['*', '#', '$', '@', '!', '?', '-']) => {
                    let message = format!("`${}` names no variable", &after[..1]);
                    return self.fail(offset, format!("{message}; a text that needs it stands outside of `expandenv`"));
                }
                None => after.split_at(after.find(|c| !is_name_character(c)).unwrap_or(after.len())),
            };
            if name.is_empty() {
                // A dollar sign with nothing to name stays as it is.
                made.push('$');
            } else {
                made.push_str(self.variable(name, offset)?.expose());
            }
            rest = after;
        }
        made.push_str(rest);
        Ok(Secret::new(made.as_str()))
    }

    fn named(&mut self, name: &str, offset: usize) -> Parsed<Secret> {
        let NamedSecret { value, version, hosts } = self.secrets.secret(name).map_err(|Absent { cause, remedy }| {
            let error = TemplateError::new(self.text, offset, format!("secret `{name}`: {cause}"));
            remedy.into_iter().fold(error, TemplateError::with_hint)
        })?;
        if value.expose().is_empty() {
            return self.fail(offset, format!("secret `{name}`: it is empty"));
        }
        self.note(Credential::Named { name: name.into(), version, hosts });
        Ok(value)
    }

    fn note(&mut self, credential: Credential) {
        if !self.facts.credentials.contains(&credential) {
            self.facts.credentials.push(credential);
        }
    }

    fn variable(&mut self, name: &str, offset: usize) -> Parsed<Secret> {
        match self.secrets.env(name) {
            Some(secret) if !secret.expose().is_empty() => {
                self.note(Credential::Environment(name.into()));
                Ok(secret)
            }
            found => {
                let state = if found.is_some() { "empty" } else { "not set" };
                let error = TemplateError::new(self.text, offset, format!("environment variable `{name}` is {state}"));
                Err(error.with_hint(format!("set `{name}` in the environment or in `secrets.env_dir`")))
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_character)
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
