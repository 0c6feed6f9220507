//! nginx in its three parts: the upstream, the proxy that everything is compared with, and the side service.

use keyward_testkit::ports::free_port;
use rustix::process::geteuid;

use super::machine;
use super::process::Server;
use super::setup::{OTHER_CORE, PROXY_CORE, Spoken, Stage};

/// Connections of the upstream, which may have as many as the callers of a proxy.
const UPSTREAM_CONNECTIONS: u32 = 16_384;
/// Those of the others.
const CONNECTIONS: u32 = 4096;

/// How much of it there is.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    /// As `taskset` has them.
    pub(super) cores: &'static str,
    pub(super) workers: u32,
    /// The most of a worker, on both sides.
    pub(super) connections: u32,
}

impl Default for Extent {
    fn default() -> Self {
        Self { cores: PROXY_CORE, workers: 1, connections: CONNECTIONS }
    }
}

impl Stage {
    /// A small document everywhere; a large one at `/large`; and `/upload`, which reads what it is sent before it
    /// answers, so that nobody gets away with sending less.
    pub(super) fn upstream(&self) -> Result<Server, String> {
        self.upstream_on(OTHER_CORE, 1)
    }

    /// The same on other cores.
    pub(super) fn upstream_on(&self, cores: &'static str, workers: u32) -> Result<Server, String> {
        let directory = self.directory.display();
        let [plain, tls, http2] = [Spoken::Http1, Spoken::Http1OverTls, Spoken::Http2OverTls]
            .map(|spoken| listen(self.port_speaking(spoken), spoken));
        let server = format!(
            "{plain} {tls} {http2} {certificate}\n\
             location / {{ default_type application/json; return 200 '{{\"key\":\"DEMO-1\",\"fields\":{{\"summary\":\"benchmark\"}}}}'; }}\n\
             location ~ /large$ {{ root {directory}/files; sendfile on; try_files /large =404; }}\n\
             location ~ /upload$ {{ client_max_body_size 2m; client_body_buffer_size 2m; rewrite ^ /received break; \
             proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_pass_request_body off; \
             proxy_set_header Content-Length \"\"; }}",
            certificate = self.certificate(),
        );
        self.start_nginx(
            "upstream",
            self.upstream_port(),
            &Extent { connections: UPSTREAM_CONNECTIONS, workers, cores },
            &server,
        )
    }

    /// An nginx of its own, so that it counts nothing else.
    pub(super) fn side_service(&self, locations: &str) -> Result<Server, String> {
        let server = format!("{} {locations}", listen(self.side_port, Spoken::Http1));
        let extent = Extent { cores: OTHER_CORE, ..Extent::default() };
        self.start_nginx("side", self.side_port, &extent, &server)
    }

    /// The least nginx can do for this job: the credential in a header, connections kept.
    pub(super) fn nginx(&self) -> Result<Server, String> {
        self.nginx_speaking(Spoken::Http1)
    }

    /// The same where this is spoken. It verifies the certificate of the upstream, as Keyward does.
    pub(super) fn nginx_speaking(&self, spoken: Spoken) -> Result<Server, String> {
        self.nginx_as("nginx", spoken, &Extent::default())
    }

    /// The same with other cores or connections.
    pub(super) fn nginx_as(&self, name: &str, spoken: Spoken, extent: &Extent) -> Result<Server, String> {
        let directory = self.directory.display();
        let port = free_port();
        let (tls, upstream) = match spoken {
            Spoken::Http1 => (String::new(), "http://up"),
            Spoken::Http1OverTls | Spoken::Http2OverTls => {
                let verified = format!(
                    "proxy_ssl_protocols TLSv1.3; proxy_ssl_verify on; proxy_ssl_name localhost; \
                     proxy_ssl_server_name on; proxy_ssl_trusted_certificate {directory}/authority.pem;"
                );
                (format!("{} {verified}", self.certificate()), "https://up_tls")
            }
        };
        let server = format!(
            "{} {tls}\nlocation / {{ proxy_pass {upstream}; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
             proxy_set_header Authorization \"Basic YmVuY2g6bWFyaw==\"; }}",
            listen(port, spoken).replace(';', if extent.workers > 1 { " reuseport;" } else { ";" }),
        );
        self.start_nginx(name, port, extent, &server)
    }

    /// Releases before 1.23.4 speak TLS 1.3 only where they are told to.
    fn certificate(&self) -> String {
        let directory = self.directory.display();
        format!(
            "ssl_certificate {directory}/certificate.pem; ssl_certificate_key {directory}/certificate.key; \
             ssl_protocols TLSv1.3;"
        )
    }

    fn start_nginx(&self, name: &str, port: u16, extent: &Extent, server: &str) -> Result<Server, String> {
        let Extent { cores, workers, connections } = *extent;
        let directory = self.directory.display();
        // Started by root it would become somebody who need not be able to reach the directory.
        let user = if geteuid().is_root() { "user root; " } else { "" };
        let kept = "keepalive 512; keepalive_requests 1000000000;";
        let configuration = format!(
            "daemon off; {user}worker_processes {workers}; pid {directory}/{name}.pid; error_log stderr crit;\n\
             events {{ worker_connections {connections}; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {directory}/{name}.body;\n\
             proxy_temp_path {directory}/{name}.proxy; fastcgi_temp_path {directory}/{name}.f;\n\
             uwsgi_temp_path {directory}/{name}.u; scgi_temp_path {directory}/{name}.s;\n\
             upstream up {{ server 127.0.0.1:{plain}; {kept} }}\n\
             upstream up_tls {{ server 127.0.0.1:{tls}; {kept} }}\n\
             server {{ {server} }} }}\n",
            plain = self.upstream_port(),
            tls = self.port_speaking(Spoken::Http1OverTls),
        );
        let file = self.write(&format!("{name}.conf"), &configuration)?;
        let program = machine::find("nginx").ok_or("nginx is not installed")?.display().to_string();
        let arguments = vec![program, "-c".to_owned(), file.display().to_string()];
        Server::start(name, cores, port, arguments)
    }
}

fn listen(port: u16, spoken: Spoken) -> String {
    let how = match spoken {
        Spoken::Http1 => "",
        Spoken::Http1OverTls => " ssl",
        Spoken::Http2OverTls => " ssl http2",
    };
    format!("listen 127.0.0.1:{port}{how} backlog=16384;")
}
