//! A machine reached over SSH.
