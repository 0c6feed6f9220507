//! AWS Secrets Manager, the part that hands out values.

use serde_json::{Value, json};

/// A version of a secret.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name. The ARN has six more characters.
    pub name: String,
    /// The identifier of the version.
    pub version: String,
    /// The label of the version, such as `AWSCURRENT`.
    pub stage: String,
    /// What it holds, or the name of the error that is answered instead.
    pub content: Result<Content, &'static str>,
}

/// What a secret holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// `SecretString`
    Text(String),
    /// `SecretBinary`
    Bytes,
}

impl Entry {
    /// The current version of a secret, as text.
    pub fn text(name: &str, version: &str, text: &str) -> Self {
        let content = Ok(Content::Text(text.to_owned()));
        Self { name: name.to_owned(), version: version.to_owned(), stage: "AWSCURRENT".to_owned(), content }
    }

    /// The version with another label.
    #[must_use]
    pub fn labelled(self, stage: &str) -> Self {
        Self { stage: stage.to_owned(), ..self }
    }

    /// Bytes instead.
    #[must_use]
    pub fn bytes(self) -> Self {
        Self { content: Ok(Content::Bytes), ..self }
    }

    /// An error instead.
    #[must_use]
    pub fn error(self, code: &'static str) -> Self {
        Self { content: Err(code), ..self }
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{}-a1B2c3", self.name)
    }

    fn is_named(&self, id: &str) -> bool {
        id == self.name || id == self.arn() || self.arn().strip_suffix("-a1B2c3") == Some(id)
    }

    fn answer(&self) -> Result<Value, &'static str> {
        let mut answer = json!({
            "ARN": self.arn(), "Name": self.name, "VersionId": self.version, "VersionStages": [self.stage],
            "CreatedDate": 1_700_000_000.5,
        });
        match self.content.clone()? {
            Content::Text(text) => answer["SecretString"] = text.into(),
            Content::Bytes => answer["SecretBinary"] = "AAEC".into(),
        }
        Ok(answer)
    }
}

/// So many values are on a page of a batch.
const ON_PAGE: usize = 3;

/// The answer to an operation, or the name of an error.
pub(super) fn answer(operation: &str, body: &[u8], entries: &[Entry]) -> Result<Value, &'static str> {
    let input: Value = serde_json::from_slice(body).map_err(|_| "SerializationException")?;
    match operation {
        "GetSecretValue" => {
            let id = input["SecretId"].as_str().ok_or("ValidationException")?;
            let stage = input["VersionStage"].as_str();
            find(entries, id, input["VersionId"].as_str(), stage)?.answer()
        }
        "BatchGetSecretValue" => batch(&input, entries),
        _ => Err("UnknownOperationException"),
    }
}

fn batch(input: &Value, entries: &[Entry]) -> Result<Value, &'static str> {
    let ids = input["SecretIdList"].as_array().ok_or("ValidationException")?;
    if ids.is_empty() || ids.len() > 20 {
        return Err("ValidationException");
    }
    let start = match input["NextToken"].as_str() {
        Some(token) => token.parse::<usize>().map_err(|_| "InvalidNextTokenException")?,
        None => 0,
    };
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for id in ids.iter().skip(start).take(ON_PAGE) {
        let id = id.as_str().ok_or("ValidationException")?;
        match find(entries, id, None, None).and_then(Entry::answer) {
            Ok(value) => values.push(value),
            Err(code) => {
                let error = error(code);
                errors.push(json!({"SecretId": id, "ErrorCode": error["__type"], "Message": error["Message"]}));
            }
        }
    }
    let mut answer = json!({"SecretValues": values, "Errors": errors});
    if ids.len() > start + ON_PAGE {
        answer["NextToken"] = (start + ON_PAGE).to_string().into();
    }
    Ok(answer)
}

fn find<'a>(
    entries: &'a [Entry],
    id: &str,
    version: Option<&str>,
    stage: Option<&str>,
) -> Result<&'a Entry, &'static str> {
    let stage = stage.or(if version.is_none() { Some("AWSCURRENT") } else { None });
    let is_it = |entry: &&Entry| {
        entry.is_named(id)
            && version.is_none_or(|version| entry.version == version)
            && stage.is_none_or(|stage| entry.stage == stage)
    };
    entries.iter().find(is_it).ok_or("ResourceNotFoundException")
}

/// An error as it is answered. The name may say more after a slash: what the message is about.
pub(super) fn error(code: &str) -> Value {
    let (code, about) = code.split_once('/').unwrap_or((code, "this"));
    json!({"__type": code, "Message": format!("Access to {about} is not allowed")})
}
