use super::world::{World, customer, hours, operator, partner};

mod arrears;
mod changes;
mod funding;
mod laws;
mod views;
