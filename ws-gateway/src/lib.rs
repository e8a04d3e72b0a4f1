//! The operating system's seams around `sip-core`: sockets, HTTP, files, configuration, metrics.
