//! Members of a JSON object that most requests never ask for: text until somebody does.

use std::ops::Deref;
use std::sync::OnceLock;

use serde_json::{Map, Value};

/// Members, read when they are asked for, and only once.
#[derive(Debug)]
pub struct Members {
    read: OnceLock<Box<Map<String, Value>>>,
    written: Box<[u8]>,
    reader: fn(&[u8]) -> Map<String, Value>,
}

impl Members {
    /// What `reader` makes of a text. It was checked before: reading cannot fail any more.
    pub(crate) fn written(text: Box<[u8]>, reader: fn(&[u8]) -> Map<String, Value>) -> Self {
        Self { read: OnceLock::new(), written: text, reader }
    }
}

impl Deref for Members {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        self.read.get_or_init(|| Box::new((self.reader)(&self.written)))
    }
}

impl From<Map<String, Value>> for Members {
    fn from(members: Map<String, Value>) -> Self {
        Self { read: OnceLock::from(Box::new(members)), ..Self::default() }
    }
}

impl Default for Members {
    fn default() -> Self {
        Self::written(Box::default(), |_| Map::new())
    }
}
