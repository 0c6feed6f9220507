//! One GET against a running server's API.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use keyward_core::rule::upstream::Upstream;
use keyward_core::secret::shown_url;
use keyward_server::upstream::addresses::AddressPolicy;
use keyward_server::upstream::connect::connect;
use keyward_server::upstream::resolve::Resolver;
use keyward_server::upstream::tls::{client_config, install_provider};

use crate::progress::Progress;

/// How long a server may take.
const TIME: Duration = Duration::from_secs(10);

/// The longest answer: tens of thousands of rules.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// The `--endpoint` of commands that ask a server.
#[derive(clap::Args)]
pub(crate) struct Endpoint {
    /// The API's URL, such as http://127.0.0.1:4456
    #[arg(short, long, global = true, default_value = "", hide_default_value = true, value_name = "URL")]
    endpoint: String,
}

/// A server's answer.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Bytes,
}

/// A server that can be asked.
pub(crate) struct Server<'e> {
    url: &'e str,
}

impl Endpoint {
    /// The server that was named. The error is for the terminal.
    pub(crate) fn server(&self) -> Result<Server<'_>, String> {
        let url = &*self.endpoint;
        let is_scheme = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
        match url.split_once(':') {
            _ if url.is_empty() => Err("Please specify the endpoint url using the --endpoint flag, such as \
                                        `--endpoint http://127.0.0.1:4456`"
                .to_owned()),
            Some((scheme, _)) if is_scheme(scheme) => Ok(Server { url: url.trim_end_matches('/') }),
            _ => {
                Err("Unable to parse endpoint URL: write it with its scheme, such as `http://127.0.0.1:4456`"
                    .to_owned())
            }
        }
    }
}

impl Server<'_> {
    /// Asks for a path. The error is for the terminal.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let url = format!("{}{path}", self.url);
        let _progress = Progress::of("waiting for the server");
        let asked = async { tokio::time::timeout(TIME, get(&url)).await };
        let shown = shown_url(&url);
        match runtime.block_on(asked) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(problem)) => Err(format!("Get \"{shown}\": {problem}")),
            Err(_) => Err(format!("Get \"{shown}\": no answer within {} seconds", TIME.as_secs())),
        }
    }
}

async fn get(url: &str) -> Result<Answer, String> {
    install_provider();
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let place = Upstream::parse(address, "").map_err(|problem| match address.contains("://") {
        true => problem,
        false => format!("{problem}: write `http://` or `https://` in front"),
    })?;
    let tls = client_config(&[], &[b"http/1.1"]).map_err(|problem| problem.message)?;
    let resolver = Resolver::new(Vec::new(), AddressPolicy::anywhere());
    let stream = connect(place.origin(), &resolver, &Arc::clone(&tls), TIME).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let request = Request::get(place.target("/", query))
        .header(http::header::HOST, place.host())
        .header(http::header::ACCEPT, "application/json")
        .body(Full::<Bytes>::default())
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let body =
        Limited::new(answer.into_body(), MAX_BODY).collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok(Answer { status, body })
}
