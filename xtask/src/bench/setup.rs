//! What the servers of a run have in common: the binary, files, ports, keys and certificates.

use std::fs;
use std::io::{self, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use keyward_testkit::pki::Authority;
use keyward_testkit::ports::free_port;
use keyward_testkit::tls_client::TlsClient;
use keyward_testkit::wire;
use serde_json::{Value, json};

use crate::tokens::Tokens;

use super::process::Server;

pub(super) const PROXY_CORE: &str = "0";
pub(super) const OTHER_CORE: &str = "1";

/// What a proxy speaks, with its callers and with its upstream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http1OverTls,
    /// nginx speaks it with callers only.
    Http2OverTls,
}

impl Spoken {
    /// Of a URL.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Http1 => "http",
            Self::Http1OverTls | Self::Http2OverTls => "https",
        }
    }

    /// Of a URL. TLS has names (RFC 6066 section 3 allows no addresses).
    pub(super) fn host(self) -> &'static str {
        match self {
            Self::Http1 => "127.0.0.1",
            Self::Http1OverTls | Self::Http2OverTls => "localhost",
        }
    }
}

/// Files and names of one run.
pub(super) struct Stage {
    pub(super) binary: PathBuf,
    pub(super) directory: PathBuf,
    /// Of the upstream, one for each of [`Spoken`].
    upstream_ports: [u16; 3],
    pub(super) side_port: u16,
    tokens: Tokens,
    authority: Authority,
}

impl Stage {
    pub(super) fn new(binary: PathBuf) -> Result<Self, String> {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
        for part in ["env", "audit", "files"] {
            fs::create_dir_all(directory.join(part)).map_err(|error| error.to_string())?;
        }
        let directory = directory.canonicalize().map_err(|error| error.to_string())?;
        // Once: servers that run read it again when it changes.
        fs::write(directory.join("env/BENCH_SECRET"), "YmVuY2g6bWFyaw==").map_err(|error| error.to_string())?;
        let key = output(Command::new(&binary).args(["credentials", "generate", "--alg", "RS256"]))?;
        fs::write(directory.join("keys.json"), key).map_err(|error| error.to_string())?;
        let tokens = Tokens::new(&directory.join("keys.json"), directory.join("tokens"))?;
        let authority = Authority::new();
        let (certificate, key) = authority.pem(&["localhost"]);
        let stage = Self {
            binary,
            directory,
            upstream_ports: [free_port(), free_port(), free_port()],
            side_port: free_port(),
            tokens,
            authority,
        };
        stage.write("certificate.pem", &certificate)?;
        stage.write("certificate.key", &key)?;
        stage.write("authority.pem", &stage.authority.certificate)?;
        stage.write("files/large", &"x".repeat(1024 * 1024))?;
        Ok(stage)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// Where the upstream speaks HTTP/1.1 without TLS.
    pub(super) fn upstream_port(&self) -> u16 {
        self.port_speaking(Spoken::Http1)
    }

    /// Where the upstream speaks this.
    pub(super) fn port_speaking(&self, spoken: Spoken) -> u16 {
        let [plain, tls, http2] = self.upstream_ports;
        match spoken {
            Spoken::Http1 => plain,
            Spoken::Http1OverTls => tls,
            Spoken::Http2OverTls => http2,
        }
    }

    /// The tokens of callers.
    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The public half of the key that tokens are signed with, as a JWK.
    pub(super) fn public_key(&self) -> Result<Value, String> {
        let text = fs::read_to_string(self.directory.join("keys.json")).map_err(|error| error.to_string())?;
        let set: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let key = &set["keys"][0];
        Ok(json!({"kty": key["kty"], "kid": key["kid"], "alg": key["alg"], "n": key["n"], "e": key["e"]}))
    }

    /// An error when a server lets in who shows no credential: then it is not this job that would be measured.
    pub(super) fn check_closed(&self, server: &Server, spoken: Spoken) -> Result<(), String> {
        let status = match spoken {
            Spoken::Http1 => status(server.port),
            Spoken::Http1OverTls | Spoken::Http2OverTls => self.status_over_tls(server.port),
        };
        match status.map_err(|error| format!("{}: {error}", server.name))? {
            401 | 403 => Ok(()),
            status => Err(format!("{} answers {status} to nobody", server.name)),
        }
    }

    /// A caller who speaks HTTP/1.1 over TLS, after a full handshake.
    pub(super) fn caller_over_tls(&self, port: u16) -> io::Result<TlsClient> {
        let config: Arc<_> = self.authority.client(&[b"http/1.1"]);
        TlsClient::connect(port, &config, PATIENCE)
    }

    fn status_over_tls(&self, port: u16) -> io::Result<u16> {
        let mut client = self.caller_over_tls(port)?;
        Ok(client.get("/jira/rest", &format!("localhost:{port}"))?.status())
    }

    /// Empties the audit files: nobody reads them, and a run writes gigabytes.
    pub(super) fn forget_records(&self) {
        for entry in fs::read_dir(self.directory.join("audit")).into_iter().flatten().flatten() {
            // What cannot be emptied costs room on the disk and nothing else.
            let _ = fs::File::create(entry.path());
        }
    }
}

/// For an answer to one request.
const PATIENCE: Duration = Duration::from_secs(5);

fn status(port: u16) -> io::Result<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /jira/rest HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")?;
    Ok(wire::read_response(&mut BufReader::new(stream), false)?.status())
}

/// A file of the directory `bench/`.
pub(super) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench").join(name)
}

/// What a command prints.
pub(super) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(text),
        false => Err(format!("{command:?} failed: {}\n{text}", String::from_utf8_lossy(&output.stderr))),
    }
}
