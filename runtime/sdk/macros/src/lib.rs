//! The attribute that turns an impl block into an actor
