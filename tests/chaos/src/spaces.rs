//! A network of our own, with a namespace for each host, that can be taken apart.
//!
//! The run is a process of its own that begins in a fresh network namespace (`unshare`), so
//! nothing of the machine's network is touched and nothing is left behind. In there, a bridge
//! joins a pair of interfaces for each host. A host is cut off by taking its end off the bridge,
//! and one direction between two by a wrong hardware address: either way packets vanish
//! without a word, as they do when a cable is pulled.

use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The bridge, and the address of the run itself and of placement.
const BRIDGE: &str = "odeon0";
/// Where everybody is.
const NETWORK: [u8; 3] = [10, 77, 0];
/// The first host's place in it.
const FIRST: usize = 10;
/// A hardware address that nobody has.
const NOBODY: &str = "02:00:00:00:00:fe";

/// A part of the network that can be taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// All that goes to a host or comes from it.
    Cable(usize),
    /// What the one sends to the other.
    Way(usize, usize),
}

/// The hosts' namespaces.
#[derive(Debug)]
pub struct Spaces(());

impl Spaces {
    /// Makes the network; only in a process that [`enter`] started.
    ///
    /// # Errors
    /// The first command that failed, and what it said.
    pub fn make(hosts: usize) -> Result<Self, String> {
        run("mount", "-t tmpfs none /run")?;
        ip("link set lo up")?;
        ip(&format!("link add {BRIDGE} type bridge"))?;
        ip(&format!("addr add {}/24 dev {BRIDGE}", Self::own()))?;
        ip(&format!("link set {BRIDGE} up"))?;
        for host in 0..hosts {
            ip(&format!("netns add h{host}"))?;
            ip(&format!("link add v{host} type veth peer name eth0 netns h{host}"))?;
            ip(&format!("link set v{host} master {BRIDGE} up"))?;
            ip(&format!("-n h{host} addr add {}/24 dev eth0", Self::of(host)))?;
            ip(&format!("-n h{host} link set lo up"))?;
            ip(&format!("-n h{host} link set eth0 up"))?;
        }
        Ok(Self(()))
    }

    /// Where clients and placement are.
    #[must_use]
    pub fn own() -> Ipv4Addr {
        let [a, b, c] = NETWORK;
        Ipv4Addr::new(a, b, c, 1)
    }

    /// Where a host is.
    #[must_use]
    pub fn of(host: usize) -> Ipv4Addr {
        let [a, b, c] = NETWORK;
        Ipv4Addr::new(a, b, c, u8::try_from(FIRST + host).unwrap_or(u8::MAX))
    }

    /// What a program of a host is started by.
    #[must_use]
    pub fn around(host: usize) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net=/run/netns/h{host}")]
    }

    /// Nothing gets through any more.
    ///
    /// # Panics
    /// When the machine does not do it any more.
    pub fn cut(&self, link: Link) {
        let cut = match link {
            Link::Cable(host) => format!("link set v{host} nomaster"),
            Link::Way(from, to) => {
                let to = Self::of(to);
                format!("-n h{from} neigh replace {to} lladdr {NOBODY} dev eth0 nud permanent")
            }
        };
        ip(&cut).expect("the network can be taken apart");
    }

    /// As it was before [`Spaces::cut`].
    ///
    /// # Panics
    /// When the machine does not do it any more.
    pub fn mend(&self, link: Link) {
        let back = match link {
            Link::Cable(host) => format!("link set v{host} master {BRIDGE}"),
            Link::Way(from, to) => format!("-n h{from} neigh del {} dev eth0", Self::of(to)),
        };
        ip(&back).expect("the network can be put together");
    }
}

/// Becomes the same program, with these words, in a network of its own; returns only why not.
#[must_use]
pub fn enter(words: &[String]) -> std::io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    Command::new("unshare").args(alone()).arg(program).args(words).exec()
}

/// Whether this machine lets us have a network of our own, or why not.
///
/// # Errors
/// What stands in the way.
pub fn is_allowed() -> Result<(), String> {
    let tried = format!("{} ip link add odeon0 type bridge", alone().join(" "));
    run("unshare", &tried)?;
    run("nsenter", "--version")
}

/// A network and mounts of its own; who is not root needs users of its own for that.
fn alone() -> Vec<&'static str> {
    let mut words = vec!["--net", "--mount"];
    if !rustix::process::geteuid().is_root() {
        words.extend(["--user", "--map-root-user"]);
    }
    words
}

fn ip(words: &str) -> Result<(), String> {
    run("ip", words)
}

fn run(program: &str, words: &str) -> Result<(), String> {
    let output = Command::new(program).args(words.split(' ')).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {words}: {}", said.trim()))
}
