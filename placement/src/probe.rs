//! How it is proved at once that a host of the same machine has died.
//!
//! A stream that breaks is only a hint: the host may be frozen, or the connection alone may be
//! lost. But a port that refuses a connection tells more, if it is the kernel under the host
//! that refuses.
//!
//! Why [`Knock::Refused`] is proof:
//! - A host listens for calls of other hosts from before its `Join` until nothing of it runs any
//!   more, and keeps the socket even if what serves it fails. If it cannot end all that it
//!   runs, it keeps it for as long as its process lives, whether that runs or is frozen, and
//!   the kernel accepts connections to that port until then.
//! - Host and placement are in the same boot of the same machine and in the same network
//!   namespace ([`Network`]), the stream came from an address of this machine, and so is the
//!   address that is knocked at: so the answer is this kernel's, about this host's socket, and
//!   no firewall, relay or machine between the two.
//! - Only a refusal counts (`ECONNREFUSED`), and a second one a moment later. A full queue of
//!   connections, a lack of sockets or a silence says nothing.
//!
//! It is not used, and the lease decides as ever, where the host said no network or another
//! one, where its stream came from elsewhere, and where its address is a name or another
//! machine's. If another process has taken the port meanwhile, it accepts; then the lease
//! decides, too. The next life of the same host proves the end of the former one by the lock
//! of its data folder.
//!
//! Whom to ask about and what follows is in `core`; who knocks is `embedded`.

use std::fmt::{self, Debug};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::net::TcpStream;

/// Longest text of a network, in bytes.
pub const NETWORK_BYTES_MAX: usize = 128;

/// How many knocks come soon after each other.
const SOON: usize = 6;
/// How long to wait before each of them, and before each later one.
const PAUSE_SOON: Duration = Duration::from_millis(30);
const PAUSE_LATER: Duration = Duration::from_millis(100);
/// Refusals in a row that prove an end.
const REFUSALS: usize = 2;
/// How often to knock at most: a process that is just ending closes its sockets one after
/// the other, so that the listener may still accept when the stream has broken already. On a
/// busy machine it may wait for a processor in between, so this goes on for a second; each
/// knock at one that is merely frozen takes a place in its queue of connections.
const KNOCKS_MAX: usize = 16;
/// How long one knock may take; a kernel answers its own in microseconds.
const KNOCK_LIMIT: Duration = Duration::from_millis(100);

/// The network that a process sees: a boot of a machine, and a network namespace in it.
///
/// Two processes that live at the same time and say the same network share one kernel and one
/// set of ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network(Arc<str>);

impl Network {
    /// The network of this text, which is whatever the other process made of its own; `None`
    /// unless it is 1 to [`NETWORK_BYTES_MAX`] visible ASCII characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = (1..=NETWORK_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then(|| Self(text.into()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a knock at a port led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knock {
    /// Nobody listens there.
    Refused,
    /// Somebody does.
    Accepted,
    /// This one took too long, or its connection broke as it was made, as where the listener
    /// ends just then; the next may tell.
    Unclear,
    /// It cannot be told.
    Unknown,
}

/// Knocks at ports of hosts.
pub trait Probe: Debug + Send + Sync {
    /// Whether a refusal of a host in this network is proof.
    fn is_here(&self, network: &Network) -> bool;

    /// Knocks once at the address of a host.
    fn knock(&self, address: Arc<str>) -> BoxFuture<'static, Knock>;
}

/// Knocks over TCP, from the network that this process sees.
#[derive(Debug, Clone)]
pub struct TcpProbe {
    here: Network,
}

impl TcpProbe {
    /// A probe of a process that sees this network.
    #[must_use]
    pub fn new(here: Network) -> Self {
        Self { here }
    }
}

impl Probe for TcpProbe {
    fn is_here(&self, network: &Network) -> bool {
        self.here == *network
    }

    fn knock(&self, address: Arc<str>) -> BoxFuture<'static, Knock> {
        async move {
            let Ok(address) = address.parse::<SocketAddr>() else { return Knock::Unknown };
            if !is_of_this_machine(address.ip()) {
                return Knock::Unknown;
            }
            match tokio::time::timeout(KNOCK_LIMIT, TcpStream::connect(address)).await {
                // From the very port that it knocks at: then nobody listens there.
                Ok(Ok(stream)) if stream.local_addr().is_ok_and(|own| own == address) => {
                    Knock::Refused
                }
                Ok(Ok(_)) => Knock::Accepted,
                Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Knock::Refused,
                Ok(Err(_)) | Err(_) => Knock::Unclear,
            }
        }
        .boxed()
    }
}

/// Whether an address leads to this machine, by its own table of routes. Nothing is sent.
pub(crate) fn is_of_this_machine(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    if ip.is_loopback() {
        return true;
    }
    let any = match ip {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    // What leads back here leaves under the very address that it is sent to.
    let source = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((ip, 9))?;
        socket.local_addr()
    };
    source().is_ok_and(|source| source.ip() == ip)
}

/// Whether it is proved that the process which listened there has ended.
///
/// # Cancel safety
/// Can be dropped at will.
pub(crate) async fn has_ended(probe: Arc<dyn Probe>, address: Arc<str>) -> bool {
    let mut refusals = 0;
    for count in 0..KNOCKS_MAX {
        if count > 0 {
            tokio::time::sleep(if count < SOON { PAUSE_SOON } else { PAUSE_LATER }).await;
        }
        match probe.knock(Arc::clone(&address)).await {
            Knock::Refused => refusals += 1,
            Knock::Accepted | Knock::Unclear => refusals = 0,
            Knock::Unknown => return false,
        }
        if refusals == REFUSALS {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug)]
    struct Says(Mutex<Vec<Knock>>);

    impl Probe for Says {
        fn is_here(&self, _: &Network) -> bool {
            true
        }

        fn knock(&self, _: Arc<str>) -> BoxFuture<'static, Knock> {
            let knock = self.0.lock().unwrap().pop().expect("no more than this");
            std::future::ready(knock).boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn two_refusals_in_a_row_prove_an_end_and_nothing_else_does() {
        use Knock::{Accepted, Refused, Unclear, Unknown};
        for (knocks, is_ended, millis) in [
            (vec![Refused, Refused], true, 30),
            (vec![Accepted, Refused, Refused], true, 60),
            (vec![Refused, Accepted, Refused, Refused], true, 90),
            (vec![Refused, Unclear, Refused, Refused], true, 90),
            (vec![Refused, Unknown], false, 30),
            (vec![Unknown], false, 0),
            ([vec![Accepted; SOON], vec![Refused; 2]].concat(), true, 350),
            (vec![Accepted; KNOCKS_MAX], false, 1_150),
        ] {
            let story = format!("{knocks:?}");
            let probe = Says(Mutex::new(knocks.into_iter().rev().collect()));
            let begun = tokio::time::Instant::now();
            assert_eq!(has_ended(Arc::new(probe), "a:1".into()).await, is_ended, "{story}");
            assert_eq!(begun.elapsed(), Duration::from_millis(millis), "{story}");
        }
    }

    #[tokio::test]
    async fn a_port_that_was_closed_refuses_and_others_say_nothing() {
        let here = Network::parse("boot/4026531840").unwrap();
        let probe = TcpProbe::new(here.clone());
        assert!(probe.is_here(&here) && !probe.is_here(&Network::parse("boot/1").unwrap()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: Arc<str> = listener.local_addr().unwrap().to_string().into();
        assert_eq!(probe.knock(Arc::clone(&address)).await, Knock::Accepted);
        drop(listener);
        assert_eq!(probe.knock(address).await, Knock::Refused);
        // Another machine's (RFC 5737), and a name.
        for elsewhere in ["192.0.2.1:9", "localhost:9"] {
            assert_eq!(probe.knock(elsewhere.into()).await, Knock::Unknown, "{elsewhere}");
        }
    }

    #[test]
    fn a_network_is_a_short_text_without_spaces() {
        let long = "x".repeat(NETWORK_BYTES_MAX + 1);
        for wrong in ["", "a b", "\u{e9}", long.as_str()] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Network::parse(&long[1..]).unwrap().to_string(), long[1..]);
    }
}
