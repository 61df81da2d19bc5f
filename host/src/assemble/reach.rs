//! Where other processes reach this one: the address that it tells placement.
//!
//! A listener on all addresses says nothing of where it is; then it is asked which address
//! of this machine leads outside. Nothing is sent for that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::Error;
use crate::config::{Environment, Mistake, Mistakes, Source as _};

/// The variable that names the address outright. Source: daprd.
const HOST_IP: &str = "DAPR_HOST_IP";
/// An address that is nobody's. Source: daprd asks for the way to the same; RFC 5737.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The address under which a listener is told to others.
pub(super) fn published(bound: SocketAddr, environment: &Environment) -> Result<SocketAddr, Error> {
    if !bound.ip().is_unspecified() {
        return Ok(bound);
    }
    if let Some(text) = environment.get(HOST_IP).filter(|text| !text.is_empty()) {
        let ip = text.parse::<IpAddr>().map_err(|_| {
            let expected = "the IP address at which other hosts reach this one";
            Mistakes::from(Mistake::value(environment.place(HOST_IP), text, expected))
        })?;
        return Ok(SocketAddr::new(ip, bound.port()));
    }
    let ip = towards_others().unwrap_or_else(|error| {
        let ip = match bound.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        tracing::warn!(
            "no address of this machine leads to others ({error}); hosts elsewhere cannot reach \
             this one at {ip}: set {HOST_IP}"
        );
        ip
    });
    Ok(SocketAddr::new(ip, bound.port()))
}

fn towards_others() -> std::io::Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(ELSEWHERE)?;
    Ok(socket.local_addr()?.ip())
}

/// A host that only its own machine can reach cannot serve hosts elsewhere, and on another
/// machine there may be one of the same name.
pub(super) fn warn_if_alone(address: SocketAddr, services: &[String]) {
    let is_here = |service: &String| {
        let name = service.rsplit_once(':').map_or(service.as_str(), |(name, _)| name);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    if address.ip().is_loopback() && !services.iter().all(is_here) {
        tracing::warn!(
            "placement is at {}, but this host is reached at {address}, on its own machine only: \
             no host elsewhere can call its actors; see --dapr-internal-grpc-listen-address",
            services.join(",")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_is_told_by_where_it_listens_or_what_the_variable_says() {
        let named = Environment::from([(HOST_IP, "10.0.0.7")]);
        for (bound, environment, expected) in [
            ("127.0.0.1:50001", &named, "127.0.0.1:50001"),
            ("0.0.0.0:50001", &named, "10.0.0.7:50001"),
            ("[::]:50001", &named, "10.0.0.7:50001"),
        ] {
            let found = published(address(bound), environment).unwrap();
            assert_eq!(found, address(expected), "{bound}");
        }
        let wrong = Environment::from([(HOST_IP, "here")]);
        let error = published(address("0.0.0.0:1"), &wrong).unwrap_err().to_string();
        assert!(error.contains("DAPR_HOST_IP: 'here' is not the IP address"), "{error}");
        let found = published(address("0.0.0.0:1"), &Environment::default()).unwrap();
        assert!(!found.ip().is_unspecified() && found.port() == 1, "{found}");
    }
}
