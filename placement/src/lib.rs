//! Who may run which actor type: leases, epochs and tables
