//! What the tests across the crates share. The tests themselves are the files in `tests/tests`.
