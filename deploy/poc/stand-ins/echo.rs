//! Stands for `ealen/echo-server` where no images can be pulled: answers every request over HTTP/1.1 with what it was asked, in that
//! server's form, and writes the same to standard output. Needs nothing but the standard library.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", 80))?;
    for stream in listener.incoming() {
        // A caller that went away concerns nobody else.
        let stream = stream?;
        std::thread::spawn(move || answer(stream));
    }
    Ok(())
}

/// One request, one answer, and the end of the connection.
fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut first = line.split_whitespace().map(str::to_owned);
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = Vec::new();
    reader.by_ref().take(length.unwrap_or(0)).read_to_end(&mut body)?;
    let fields: Vec<String> =
        headers.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value))).collect();
    let echo = format!(
        "{{\"http\":{{\"method\":{},\"originalUrl\":{},\"protocol\":\"http\"}},\"request\":{{\"body\":{},\"headers\":{{{}}}}}}}",
        quoted(&method),
        quoted(&target),
        quoted(&String::from_utf8_lossy(&body)),
        fields.join(","),
    );
    println!("{echo}");
    let length = echo.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n";
    write!(reader.get_mut(), "{head}Content-Length: {length}\r\n\r\n{echo}")
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '.. => quoted.push(character),
            // Writing to a string cannot fail.
            _ => drop(write!(quoted, "\\u{:04x}", u32::from(character))),
        }
    }
    quoted.push('"');
    quoted
}
