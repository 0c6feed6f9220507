//! The body of an answer, and what follows it. Nothing of it is kept back but what may turn out to be a value, unless the
//! answer is to be refused.

use std::io;
use std::ops::Range;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Frame;

use super::values::Values;
use super::{Action, EchoPolicy, Echoed, Looked, Place};

/// Looks into what passes.
pub struct Watch {
    values: Rc<Values>,
    trailers: Option<Action>,
    body: Action,
    /// Nothing may go out before it is known whether the answer has to be refused.
    waits: bool,
    /// A value that begins in so many more bytes is looked for.
    left: usize,
    /// What may be the beginning of one.
    held: Vec<u8>,
    /// What has been looked into, and goes out before anything else.
    ready: Option<Box<Ready>>,
    found: Option<Echoed>,
}

/// What was looked into before the head went out, or what comes before trailers.
struct Ready {
    data: Bytes,
    trailers: Option<HeaderMap>,
}

impl Watch {
    /// A watch over what follows a head; nothing when nothing is looked for there.
    pub fn new(values: Rc<Values>, policy: &EchoPolicy, looked: &Looked) -> Option<Self> {
        let body = policy.bodies.filter(|_| looked.is_text);
        if body.is_none() && policy.headers.is_none() {
            return None;
        }
        Some(Self {
            values,
            trailers: policy.headers,
            body: body.unwrap_or(Action::Remove),
            // Whoever sends events may send nothing more for a long time.
            waits: body == Some(Action::Refuse) && !looked.is_events,
            left: if body.is_some() { policy.body_bytes } else { 0 },
            held: Vec::new(),
            ready: None,
            found: None,
        })
    }

    /// How much of the body has to be there before it is known whether it has to be refused.
    pub fn examined(&self) -> usize {
        self.left.saturating_add(self.values.reach())
    }

    /// Whether the answer can only be passed on once so much of its body is known.
    pub fn holds(&self) -> bool {
        self.waits
    }

    /// What was found since the last time.
    pub fn take_found(&mut self) -> Option<Echoed> {
        self.found.take()
    }

    /// Whether something is still to go out when the body is over.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.ready.is_none()
    }

    /// How many bytes go out besides what is still to come.
    pub fn kept(&self) -> u64 {
        (self.held.len() + self.ready.as_ref().map_or(0, |ready| ready.data.len())) as u64
    }

    /// What goes out before anything else.
    pub fn take_ready(&mut self) -> Option<Frame<Bytes>> {
        let ready = self.ready.as_mut()?;
        if !ready.data.is_empty() {
            let data = std::mem::take(&mut ready.data);
            if ready.trailers.is_none() {
                self.ready = None;
            }
            return Some(Frame::data(data));
        }
        self.ready.take().and_then(|ready| ready.trailers).map(Frame::trailers)
    }

    /// What goes out of a part of the body, which may be nothing yet.
    pub fn data(&mut self, data: Bytes, is_last: bool) -> io::Result<Bytes> {
        if self.left == 0 && self.held.is_empty() {
            return Ok(data);
        }
        let mut text = data;
        if !self.held.is_empty() {
            self.held.extend_from_slice(&text);
            text = std::mem::take(&mut self.held).into();
        }
        let region = &text[..text.len().min(self.examined())];
        let mut end = text.len();
        let mut places = Vec::new();
        if self.values.are_in(region) {
            places = self.values.places(region);
            places.retain(|place| place.start < self.left);
        }
        if !is_last && region.len() == text.len() {
            let begins = self.values.begin_in(region).filter(|begin| *begin < self.left);
            // Of what was found already, all is known.
            let found = places.last().map_or(0, |place| place.end);
            end = begins.map_or(end, |begin| begin.max(found));
        }
        if !places.is_empty() {
            self.echoed(Place::Body, self.body)?;
            text = overwritten(text, &places);
        }
        self.left -= self.left.min(end);
        if end < text.len() {
            self.held = text.split_off(end).into();
        }
        Ok(text)
    }

    /// What was held, once nothing can follow.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }

    /// Trailers go out after what was held; those that hold a value do not.
    pub fn trailers(&mut self, mut fields: HeaderMap) -> io::Result<Option<Frame<Bytes>>> {
        self.check(&mut fields)?;
        let data = self.rest();
        self.ready = Some(Box::new(Ready { data, trailers: Some(fields) }));
        Ok(self.take_ready())
    }

    /// Has the beginning of a body, with its trailers if it is over, go out first; an error when it has to be refused.
    pub fn begin(&mut self, data: BytesMut, mut trailers: Option<HeaderMap>, is_over: bool) -> io::Result<()> {
        let data = self.data(data.freeze(), is_over)?;
        if let Some(fields) = &mut trailers {
            self.check(fields)?;
        }
        if !data.is_empty() || trailers.is_some() {
            self.ready = Some(Box::new(Ready { data, trailers }));
        }
        Ok(())
    }

    fn check(&mut self, trailers: &mut HeaderMap) -> io::Result<()> {
        match self.trailers {
            Some(action) if self.values.remove_from(trailers) => self.echoed(Place::Trailer, action),
            _ => Ok(()),
        }
    }

    fn echoed(&mut self, place: Place, action: Action) -> io::Result<()> {
        self.found = Some(Echoed { place, action });
        match action {
            Action::Remove => Ok(()),
            Action::Refuse => Err(io::Error::other("the upstream's answer holds a credential")),
        }
    }
}

/// As long as it was: lengths were announced.
fn overwritten(text: Bytes, places: &[Range<usize>]) -> Bytes {
    let mut bytes = text.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    for place in places {
        bytes[place.clone()].fill(b'*');
    }
    bytes.freeze()
}
