//! The process as its operating system sees it, by the names that every
//! Prometheus client uses. What cannot be read is left out.

use std::fmt;
use std::time::{Duration, SystemTime};

use odeon_base::WallClock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Collects the process's numbers.
#[derive(Debug)]
pub(super) struct Process {
    started: f64,
}

impl Process {
    /// A collector for a process that began now.
    pub(super) fn new(clock: &dyn WallClock) -> Self {
        let since = clock.now().duration_since(SystemTime::UNIX_EPOCH);
        Self { started: since.unwrap_or_default().as_secs_f64() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let seconds = cpu_time().as_secs_f64();
        encoder
            .encode_descriptor(
                "process_cpu_seconds",
                "Time on processors, user and system",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, _, f64>(&seconds, None)?;
        let mut gauge = |name: &str, help: &str, value: &dyn GaugeValue| {
            value.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
        };
        gauge("process_start_time_seconds", "When the process began", &self.started)?;
        if let Some(bytes) = memory("VmRSS:") {
            gauge("process_resident_memory_bytes", "Memory in use", &bytes)?;
        }
        if let Some(bytes) = memory("VmSize:") {
            gauge("process_virtual_memory_bytes", "Memory reserved", &bytes)?;
        }
        if let Some(count) = open_files() {
            gauge("process_open_fds", "Open file descriptors", &count)?;
        }
        Ok(())
    }
}

trait GaugeValue {
    fn encode(&self, to: prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result;
}

impl<T: EncodeGaugeValue> GaugeValue for T {
    fn encode(&self, mut to: prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result {
        to.encode_gauge(self)
    }
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Source: proc_pid_status(5); the numbers there are in units of 1,024 bytes.
fn memory(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

fn open_files() -> Option<u64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}
