//! From the machine of the last layer to an AMI: cleaned, photographed, booted as its users will, tested,
//! registered.

mod register;
mod scrub;

pub(crate) use register::publish;
pub(crate) use scrub::Lines;
