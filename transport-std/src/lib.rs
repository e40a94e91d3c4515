//! The blocking driver.
