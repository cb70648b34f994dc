//! From the machine of the last layer to an AMI: cleaned, photographed, booted as its users will, tested,
//! registered.

mod publication;
mod register;
mod scrub;
mod source;

pub(crate) use publication::Publication;
pub(crate) use scrub::{Lines, scrub};
