//! The EC2 builder.
