//! Versioned artifacts: archives unpacked into versioned directories, an atomic switch, instant rollback.
