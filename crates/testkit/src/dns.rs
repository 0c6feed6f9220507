//! A name server that says what a test wants (RFC 1035), and programs that know no other. It needs port 53 of an address
//! of this machine, and a file system of the program's own in which `/etc/resolv.conf` names it: where that cannot be had,
//! there is none.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What is said of a name.
#[derive(Clone, Debug)]
pub enum Said {
    /// These addresses, and how many seconds that is so.
    Addresses(Vec<IpAddr>, u32),
    /// There is no such name: NXDOMAIN.
    NoSuchName,
    /// The server cannot say: SERVFAIL.
    Failure,
    /// The same as another, after a time.
    Late(Duration, Box<Said>),
    /// Nothing.
    Silence,
}

const A: u16 = 1;
const AAAA: u16 = 28;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;

/// Running until the process ends.
pub struct NameServer {
    said: Arc<Mutex<HashMap<String, Said>>>,
    asked: Arc<Mutex<Vec<String>>>,
    directory: tempfile::TempDir,
    unshare: &'static str,
}

impl NameServer {
    /// Starts one, or says why there can be none here. Names that nothing was said of are not there.
    pub fn start() -> Result<Self, String> {
        let socket = (1..=250)
            .find_map(|last| UdpSocket::bind((Ipv4Addr::new(127, 53, 0, last), 53)).ok())
            .ok_or("port 53 cannot be had on any address of this machine")?;
        let address = socket.local_addr().map_err(|error| error.to_string())?.ip();
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        write("resolv.conf", &format!("nameserver {address}\noptions timeout:30 attempts:1\n"));
        write("nsswitch.conf", "hosts: files dns\n");
        let (said, asked) = <(Arc<Mutex<HashMap<String, Said>>>, Arc<Mutex<Vec<String>>>)>::default();
        let (answers, heard) = (said.clone(), asked.clone());
        thread::spawn(move || serve(&socket, &answers, &heard));
        let mut server = Self { said, asked, directory, unshare: "-m" };
        // As root, or with a namespace of users.
        for option in ["-m", "-rm"] {
            server.unshare = option;
            let tried = Command::new(server.wrap(Path::new("/bin/true"))).status();
            if tried.is_ok_and(|status| status.success()) {
                return Ok(server);
            }
        }
        Err("`unshare` and `mount` give no program a file system of its own".to_owned())
    }

    /// Says something of a name, from now on.
    pub fn say(&self, name: &str, said: Said) {
        self.said.lock().unwrap().insert(name.to_owned(), said);
    }

    /// Which names were asked for since the last call, for addresses of IPv4.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// A program that runs another one so that its names come from here.
    pub fn wrap(&self, program: &Path) -> PathBuf {
        let path = self.directory.path().join(program.file_name().unwrap_or_default());
        let file = |name: &str| self.directory.path().join(name).display().to_string();
        let script = format!(
            "#!/bin/sh\nexec unshare {} sh -c 'mount --bind {} /etc/resolv.conf && mount --bind {} /etc/nsswitch.conf && \
             exec \"$@\"' sh {} \"$@\"\n",
            self.unshare,
            file("resolv.conf"),
            file("nsswitch.conf"),
            program.display()
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

fn serve(socket: &UdpSocket, said: &Mutex<HashMap<String, Said>>, asked: &Mutex<Vec<String>>) {
    let mut packet = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        let Some((name, kind, end)) = question(&packet[..length]) else { continue };
        if kind == A {
            asked.lock().unwrap().push(name.clone());
        }
        let said = said.lock().unwrap().get(&name).cloned().unwrap_or(Said::NoSuchName);
        answer(socket, packet[..end].to_vec(), kind, said, from);
    }
}

/// The name and the type of the only question, and where it ends.
fn question(packet: &[u8]) -> Option<(String, u16, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(packet.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]);
    packet.get(at + 3)?;
    Some((labels.join("."), kind, at + 4))
}

fn answer(socket: &UdpSocket, mut packet: Vec<u8>, kind: u16, said: Said, to: SocketAddr) {
    let (addresses, seconds, code) = match said {
        Said::Silence => return,
        Said::Late(time, said) => {
            if let Ok(socket) = socket.try_clone() {
                thread::spawn(move || {
                    thread::sleep(time);
                    answer(&socket, packet, kind, *said, to);
                });
            }
            return;
        }
        Said::Addresses(addresses, seconds) => (addresses, seconds, 0),
        Said::NoSuchName => (Vec::new(), 0, NXDOMAIN),
        Said::Failure => (Vec::new(), 0, SERVFAIL),
    };
    // An answer, to what was asked for; recursion is available (section 4.1.1).
    packet[2] |= 0x80;
    packet[3] = 0x80 | code;
    let mut count: u16 = 0;
    for address in addresses {
        let (of_kind, octets) = match address {
            IpAddr::V4(address) => (A, address.octets().to_vec()),
            IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
        };
        if of_kind == kind {
            count += 1;
            // The name is the question's (section 4.1.4), the class Internet.
            packet.extend([0xc0, 12]);
            packet.extend(kind.to_be_bytes());
            packet.extend([0, 1]);
            packet.extend(seconds.to_be_bytes());
            packet.extend(u16::try_from(octets.len()).unwrap_or_default().to_be_bytes());
            packet.extend(octets);
        }
    }
    packet[6..8].copy_from_slice(&count.to_be_bytes());
    // No other records, such as those of extensions (RFC 6891) that were not copied.
    packet[8..12].fill(0);
    // Who asked may have gone.
    let _ = socket.send_to(&packet, to);
}
