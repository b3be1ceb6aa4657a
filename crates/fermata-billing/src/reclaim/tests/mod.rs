mod clearing;
mod clock;
mod closure;
