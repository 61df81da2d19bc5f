//! Checks of the house itself, and the commands cargo ci and cargo figures
