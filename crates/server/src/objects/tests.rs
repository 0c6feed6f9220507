#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::upstream::addresses::AddressPolicy;
use crate::upstream::resolve::{Override, Resolver};

const LIMITS: Limits = Limits { time: Duration::from_secs(5), bytes: 1024 };

#[test]
fn urls_name_a_bucket_and_a_key() {
    let rows = [
        ("s3://bucket/rules.yaml", "Object(s3://bucket/rules.yaml)"),
        ("s3://bucket/a/b%20c.json?region=eu-west-1&endpoint=minio.example.com", "Object(s3://bucket/a/b c.json)"),
        ("gs://bucket/rules.yaml", "Object(gs://bucket/rules.yaml)"),
        ("azblob://container/rules.yaml", "Object(azblob://container/rules.yaml)"),
    ];
    for (url, shown) in rows {
        assert_eq!(format!("{:?}", Object::parse(url, LIMITS).unwrap()), shown, "{url}");
    }
    let refused = [
        ("s3://bucket", "it names no object: write `s3://bucket/KEY`"),
        ("s3://bucket/", "it names no object: write `s3://bucket/KEY`"),
        ("s3:///key", "write `s3://BUCKET/KEY`"),
        ("s3://key:secret@bucket/key", "write `s3://BUCKET/KEY`"),
        ("s3://bucket/a//b", "the key has an empty segment, or one of dots"),
        ("s3://bucket/../b", "the key has an empty segment, or one of dots"),
        ("s3://bucket/%ff", "the key is not UTF-8"),
        ("azblob://c/k?region=x", "`region` is not an option of `azblob://`; it has none"),
        ("ftp://bucket/key", "`ftp://` is no object store"),
    ];
    for (url, problem) in refused {
        assert_eq!(Object::parse(url, LIMITS).unwrap_err(), problem, "{url}");
    }
    let unknown = Object::parse("s3://bucket/key?regoin=x", LIMITS).unwrap_err();
    assert!(unknown.starts_with("`regoin` is not an option of `s3://`; known are `region`, `endpoint`"), "{unknown}");
}

/// Answers without asking: what providers' clients say before there is a connection.
#[test]
fn credentials_that_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let credentials = directory.path().join("credentials");
    std::fs::write(
        &credentials,
        "[tools]\nsso_session = x\n[half]\nregion = eu-west-1\n[broken]\naws_access_key_id = a\u{1}b\n",
    )
    .unwrap();
    let path = credentials.to_str().unwrap().to_owned();
    let rows = [
        (
            "s3://b/k?profile=tools",
            "",
            "profile `tools` of AWS's shared files says `sso_session`, which is not supported",
        ),
        ("s3://b/k?profile=half", "", "there is no profile `half` with credentials in AWS's shared files"),
        ("s3://b/k", "none", "there is no profile `none` with credentials in AWS's shared files"),
        ("s3://b/k?profile=broken", "", "the access key or the session token holds a line break"),
        ("s3://b/k?endpoint=http://256.256.256.256", "", "the endpoint is no `http` or `https` URL"),
        ("azblob://b/k", "", "`AZURE_STORAGE_ACCOUNT` is not set"),
    ];
    for (url, profile, problem) in rows {
        let object = Object::parse(url, LIMITS).unwrap();
        let variable = |name: &str| match name {
            "AWS_SHARED_CREDENTIALS_FILE" => Some(path.clone()),
            "AWS_PROFILE" if !profile.is_empty() => Some(profile.to_owned()),
            _ => None,
        };
        let client = client(Resolver::default(), rustls::RootCertStore::empty());
        let connector = Connector::new(client, LIMITS, Heard::default());
        let error = (object.provider.build)(&object.place, &variable, connector).map(|_| ()).unwrap_err();
        assert!(error.starts_with(problem), "{url}: {error}");
    }
}

/// Rows of serving spec 6.5 and pipeline spec 3.2, [T].
#[test]
fn hosts_and_paths_are_those_of_the_providers() {
    let key = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "eu-west-1")];
    let account = [("AZURE_STORAGE_ACCOUNT", "account"), ("AZURE_STORAGE_KEY", "a2V5")];
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);
    let rows: &[Row<'_>] = &[
        ("s3://bucket/path/rules.json", &key, "bucket.s3.eu-west-1.amazonaws.com", "/path/rules.json"),
        ("s3://my.bucket/rules.json", &key, "s3.eu-west-1.amazonaws.com", "/my.bucket/rules.json"),
        ("s3://bucket/k?s3ForcePathStyle=true", &key, "s3.eu-west-1.amazonaws.com", "/bucket/k"),
        ("s3://bucket/k?region=us-east-1&anonymous=true", &[], "bucket.s3.us-east-1.amazonaws.com", "/k"),
        ("s3://bucket/k?endpoint=minio.example.com&anonymous=true", &[], "minio.example.com", "/bucket/k"),
        ("gs://bucket/k?anonymous=true", &[], "storage.googleapis.com", "/bucket/k"),
        ("azblob://container/path/k", &account, "account.blob.core.windows.net", "/container/path/k"),
    ];
    let hosts: Vec<String> = rows.iter().map(|row| row.2.to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(hosts.clone()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let server = rustls::ServerConfig::builder().with_no_client_auth();
        let server = server.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let to_here = |host: &String| Override::parse(&format!("{host}:443:127.0.0.1:{port}")).unwrap();
        let client = client(Resolver::new(hosts.iter().map(to_here).collect(), AddressPolicy::default()), roots);
        for (url, variables, host, path) in rows {
            let object = Object::parse(url, LIMITS).unwrap();
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            let connector = Connector::new(client.clone(), LIMITS, Heard::default());
            let store = (object.provider.build)(&object.place, &variable, connector).unwrap();
            let asked = async {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = acceptor.accept(stream).await.unwrap();
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).await.unwrap();
                let answer = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nLast-Modified: Tue, 24 Nov 2026 10:00:00 GMT\r\n\
                              Content-Length: 2\r\n\r\n[]";
                stream.write_all(answer.as_bytes()).await.unwrap();
                String::from_utf8(head[..length].to_vec()).unwrap()
            };
            let (head, found) = tokio::join!(asked, object.ask(&*store, None));
            assert!(matches!(found, Ok(Found::Document { bytes, .. }) if bytes == "[]"), "{url}");
            let target = head.split(' ').nth(1).unwrap().replace("%2E", ".").replace("%2F", "/");
            assert_eq!(target, *path, "{url}");
            assert!(head.to_ascii_lowercase().contains(&format!("\r\nhost: {host}\r\n")), "{url}: {head}");
        }
    });
}

fn client(resolver: Resolver, roots: rustls::RootCertStore) -> HttpClient {
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots);
    HttpClient::new(resolver, Arc::new(tls.with_no_client_auth()))
}
