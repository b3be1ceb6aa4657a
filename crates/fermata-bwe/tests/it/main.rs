//! Controllers on a simulated path: what they reach, how long the queue gets, and what a receiver that lies can do.

#[cfg(test)]
mod allocations;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod support;
