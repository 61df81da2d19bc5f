//! The Odeon host: HTTP and gRPC doors, workers, configuration and the odeon binary
