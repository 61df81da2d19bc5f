//! Building blocks as system actors, one file per component
