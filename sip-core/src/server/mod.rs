//! Registrar, proxy and the server's own user agent behind one handle.
