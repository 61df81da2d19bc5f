//! A shop whose baskets, goods and orders are actors
