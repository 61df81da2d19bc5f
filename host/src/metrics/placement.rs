//! A placement service's numbers.
//!
//! Taken from what it published last, at each scrape.

use std::collections::BTreeMap;
use std::fmt;

use odeon_placement::{Handle, Role};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

/// Collects the numbers of a placement service.
#[derive(Debug)]
pub(super) struct Placement(pub(super) Handle);

impl Collector for Placement {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (tables, status) = (self.0.tables(), self.0.status());
        let mut hosts: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
        for host in tables.hosts.values() {
            let counts = hosts.entry(host.profile.namespace.as_str()).or_default();
            counts[0] += 1;
            counts[1] += u64::from(!host.profile.types.is_empty());
        }
        // Dapr's names first (cli-and-env.md 10), then ours.
        for (index, name, help) in [
            (0, "dapr_placement_runtimes_total", "Hosts that are known"),
            (1, "dapr_placement_actor_runtimes_total", "Hosts that offer actor types"),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (namespace, counts) in &hosts {
                let labels = [("host_namespace", *namespace)];
                family.encode_family(&labels)?.encode_gauge(&counts[index])?;
            }
        }
        for (name, help, value) in [
            (
                "dapr_placement_leader_status",
                "Whether this process decides",
                u64::from(status.role == Role::Leading),
            ),
            ("odeon_placement_term", "The leader's number", status.term),
            ("odeon_placement_types", "Actor types that have tables", status.types as u64),
            (
                "odeon_placement_moving",
                "Actor types that are being handed over",
                status.moving as u64,
            ),
            (
                "odeon_placement_ledger_failing",
                "Whether term and roster cannot be kept, so that nobody is taken in",
                u64::from(status.is_ledger_failing),
            ),
        ] {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}
