//! A socket in front of a Vault, which notes what passes, and answers in its place where a test wants a fault.

use std::collections::BTreeSet;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use super::exchange::{Answer, Exchange, Request};
use serde_json::Value;

use crate::scripted::upstream;
use crate::wire::{Message, read_request};

/// One request on each connection.
pub struct Front {
    port: u16,
    noted: Arc<Mutex<Noted>>,
}

#[derive(Default)]
struct Noted {
    asked: Vec<Request>,
    exchanges: Vec<Exchange>,
    faults: Vec<Vec<u8>>,
}

impl Front {
    pub(super) fn start(answer: impl FnMut(&Message) -> Answer + Send + 'static) -> Self {
        let noted = Arc::new(Mutex::new(Noted::default()));
        let (shared, answer) = (noted.clone(), Arc::new(Mutex::new(answer)));
        let port = upstream(move |mut stream: TcpStream| {
            let Ok(Some(message)) = read_request(&mut BufReader::new(&stream)) else { return };
            let request = Request::read(&message);
            let fault = {
                let mut noted = shared.lock().unwrap();
                noted.asked.push(request.clone());
                (!noted.faults.is_empty()).then(|| noted.faults.remove(0))
            };
            let bytes = fault.unwrap_or_else(|| {
                let answer = (answer.lock().unwrap())(&message);
                let bytes = answer.bytes();
                shared.lock().unwrap().exchanges.push(Exchange { request, answer });
                bytes
            });
            let _ = stream.write_all(&bytes);
        });
        Self { port, noted }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Bytes that the next request is answered with, whatever it is.
    pub fn fault(&self, answer: &[u8]) {
        self.noted.lock().unwrap().faults.push(answer.to_owned());
    }

    /// Methods and paths since this was called last, without `/v1/`.
    pub fn take_asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut self.noted.lock().unwrap().asked);
        asked.iter().map(|request| format!("{} {}", request.method, request.path.trim_start_matches("/v1/"))).collect()
    }

    /// Everything that was answered by the Vault itself.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.noted.lock().unwrap().exchanges.clone()
    }

    /// The bodies of everything that was asked so far.
    pub fn bodies(&self) -> Vec<Value> {
        self.exchanges().into_iter().map(|exchange| exchange.request.body).filter(|body| !body.is_null()).collect()
    }

    /// Every token that was shown so far.
    pub fn tokens(&self) -> BTreeSet<String> {
        let exchanges = self.exchanges();
        exchanges.iter().filter_map(|exchange| exchange.request.headers.get("x-vault-token").cloned()).collect()
    }
}
