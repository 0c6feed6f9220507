//! Upstreams that answer before they have read the request, and callers that read nothing before they have sent it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::thread;

use keyward_testkit::process::PATIENCE;
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;

use crate::{connect, serve};

/// More than all buffers on the way.
const LARGE: usize = 8 * 1024 * 1024;

/// Reads so much, and says whether it came.
fn reads(stream: &mut TcpStream, length: usize) -> bool {
    std::io::copy(&mut stream.take(length as u64), &mut std::io::sink()).is_ok_and(|count| count == length as u64)
}

#[test]
fn a_caller_may_send_everything_before_it_reads_an_answer_that_came_early() {
    for answer in [0, 10, LARGE] {
        let (sent, all) = channel();
        let port = upstream(move |mut stream| {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            while !read_head(&mut stream).is_empty() {
                stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {answer}\r\n\r\n").as_bytes()).unwrap();
                let mut writer = stream.try_clone().unwrap();
                let write = thread::spawn(move || writer.write_all(&vec![b'y'; answer]).is_ok());
                let _ = sent.send(reads(&mut stream, LARGE));
                assert!(write.join().unwrap());
            }
        });
        let running = serve(port);
        let (mut stream, mut reader) = connect(&running);
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        for _ in 0..2 {
            stream
                .write_all(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {LARGE}\r\n\r\n").as_bytes())
                .unwrap();
            stream.write_all(&vec![b'x'; LARGE]).unwrap();
            assert_eq!(all.recv_timeout(PATIENCE * 2), Ok(true), "{answer}");
            let seen = wire::read_response(&mut reader, false).unwrap();
            assert_eq!((seen.status(), seen.body.len()), (200, answer));
        }
    }
}

#[test]
fn an_upstream_that_refuses_a_body_without_reading_it_is_heard() {
    const REFUSAL: &str = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig";
    // It reads on, or closes at once, which resets the connection since there is more to read.
    for reads_on in [true, false] {
        let port = upstream(move |mut stream| {
            read_head(&mut stream);
            stream.read_exact(&mut [0]).unwrap();
            stream.write_all(REFUSAL.as_bytes()).unwrap();
            if reads_on {
                reads(&mut stream, LARGE);
            }
        });
        let running = serve(port);
        let (mut stream, mut reader) = connect(&running);
        let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {LARGE}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // The proxy may have had enough of it too.
        let write = thread::spawn(move || stream.write_all(&vec![b'x'; LARGE]));
        let seen = wire::read_response(&mut reader, false).unwrap();
        assert_eq!((seen.status(), seen.text().as_str()), (413, "big"), "{reads_on}");
        drop(reader);
        let _ = write.join().unwrap();
    }
}
