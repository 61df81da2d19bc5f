//! Benchmarks, each against a bare program in the same run
