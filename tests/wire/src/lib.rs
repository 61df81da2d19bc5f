//! Wire tests: bytes and texts as the reference pages say
