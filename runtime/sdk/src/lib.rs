//! Write actors in Rust: embedded, as a worker, or under test
