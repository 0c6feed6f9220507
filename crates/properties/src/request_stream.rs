//! Where a request ends: as long as the scanner finds nothing wrong, a reader like hyper sees as many heads as it does,
//! and both stand at the same place. And however the bytes come, the scanner comes to the same.

use keyward_server::proxy::head_scan::HeadScanner;

use crate::head::MAX_FIELDS;

pub(crate) fn check(data: &[u8]) {
    let mut whole = HeadScanner::default();
    let end = whole.feed(data);
    for cut in [data.len() / 2, data.len() / 3, 1] {
        let mut pieces = HeadScanner::default();
        let mut fed = 0;
        let outcome = data.chunks(cut.max(1)).try_for_each(|piece| {
            let outcome = pieces.feed(piece).map_err(|broken| fed + broken.sound);
            fed += piece.len();
            outcome
        });
        assert_eq!(outcome.is_ok(), end.is_ok(), "in pieces of {cut}");
        assert_eq!((pieces.violation(), pieces.heads()), (whole.violation(), whole.heads()), "in pieces of {cut}");
    }
    let mut reader = Reader { rest: data, heads: 0 };
    let stop = reader.read();
    // A reader that is broken itself answers 400 and closes; what the scanner objects to is refused.
    if whole.violation().is_some() || end.is_err() || stop == Stop::Broken {
        return;
    }
    assert_eq!(whole.heads(), reader.heads, "{}", data.escape_ascii());
    assert_eq!(whole.is_between_requests(), stop == Stop::Between, "{}", data.escape_ascii());
}

/// Follows requests as a tolerant reader does.
struct Reader<'d> {
    rest: &'d [u8],
    heads: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// After a whole request.
    Between,
    /// Within one.
    Within,
    /// It is none.
    Broken,
}

impl Reader<'_> {
    fn read(&mut self) -> Stop {
        while !self.rest.is_empty() {
            let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
            let mut parsed = httparse::Request::new(&mut fields);
            let end = match parsed.parse(self.rest) {
                Ok(httparse::Status::Complete(end)) => end,
                Ok(httparse::Status::Partial) => return Stop::Within,
                Err(_) => return Stop::Broken,
            };
            self.heads += 1;
            let value = |name: &str| parsed.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
            let is_chunked = value("transfer-encoding").is_some();
            let length = value("content-length").map(|field| field.value);
            self.rest = &self.rest[end..];
            let stop = match length {
                _ if is_chunked => self.chunks(),
                Some(length) => match std::str::from_utf8(length).ok().and_then(|text| text.trim().parse().ok()) {
                    Some(length) => self.skip(length),
                    None => Some(Stop::Broken),
                },
                None => None,
            };
            if let Some(stop) = stop {
                return stop;
            }
        }
        Stop::Between
    }

    fn skip(&mut self, length: u64) -> Option<Stop> {
        let Some(rest) = usize::try_from(length).ok().and_then(|length| self.rest.get(length..)) else {
            return Some(Stop::Within);
        };
        self.rest = rest;
        None
    }

    fn chunks(&mut self) -> Option<Stop> {
        loop {
            let size = match httparse::parse_chunk_size(self.rest) {
                Ok(httparse::Status::Complete((start, size))) => {
                    self.rest = &self.rest[start..];
                    size
                }
                Ok(httparse::Status::Partial) => return Some(Stop::Within),
                Err(_) => return Some(Stop::Broken),
            };
            if size == 0 {
                let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
                return match httparse::parse_headers(self.rest, &mut fields) {
                    Ok(httparse::Status::Complete((end, _))) => {
                        self.rest = &self.rest[end..];
                        None
                    }
                    Ok(httparse::Status::Partial) => Some(Stop::Within),
                    Err(_) => Some(Stop::Broken),
                };
            }
            if let Some(stop) = self.skip(size) {
                return Some(stop);
            }
            match self.rest {
                [b'\r', b'\n', rest @ ..] => self.rest = rest,
                [] | [b'\r'] => return Some(Stop::Within),
                _ => return Some(Stop::Broken),
            }
        }
    }
}
