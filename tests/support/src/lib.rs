//! Builders and process helpers that Odeon's tests share
