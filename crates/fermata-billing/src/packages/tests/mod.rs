//! Buying, granting, expiry, forfeiture and refund, driven through the whole step.

mod buying;
mod ends;
mod grants;
mod refunds;
mod worth;
